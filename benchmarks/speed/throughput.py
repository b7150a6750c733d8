"""Measure how fast environments step: every id, and GuessNumber against the same game in plain Gymnasium."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.harness.options import add_json

if TYPE_CHECKING:
    from benchmarks.harness.tables import Value

EXAMPLES = """\
examples:
  python -m benchmarks throughput
  python -m benchmarks throughput --ids GuessNumber Search --rounds 3 --seconds 0.1 --json
  python -m benchmarks throughput --ids --cpu-time   # the comparison with plain Gymnasium alone
"""
_ROWS = 64
_Timed = Callable[[Mapping[str, Callable[[], int]]], dict[str, float]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--ids", nargs="*", help="measure the ids that contain one of these (default: all; none given: no id)")
    add("--rounds", type=int, default=9, help="interleaved rounds; medians are shown")
    add("--seconds", type=float, default=0.5, help="seconds per measurement")
    add("--cpu-time", action="store_true", help="count CPU time, which a busy machine disturbs less; not for waits")
    add("--no-ratio", action="store_true", help="leave out the comparison with plain Gymnasium")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print."""
    from benchmarks.harness.tables import print_tables
    from benchmarks.speed.stepping import measure
    from turnenv.envs import IDS

    clock = time.process_time if given.cpu_time else time.perf_counter
    timed = partial(measure, rounds=given.rounds, seconds=given.seconds, clock=clock)
    wanted = [""] if given.ids is None else given.ids
    tables = {} if given.no_ratio else _against_plain(timed)
    tables["ids"] = [_row(env_id, timed) for env_id in IDS if any(part in env_id for part in wanted)]
    steps = dict.fromkeys(("steps/s", "gym.make, steps/s", f"make_vec {_ROWS}, steps/s"), ",.0f")
    print_tables(tables, {**steps, "turns per episode": ".1f", "times": ".2f"}, as_json=given.json)
    return 0


def _against_plain(timed: _Timed) -> dict[str, list[Mapping[str, Value]]]:
    from benchmarks.speed.stepping import guess_number

    speeds = timed(guess_number())
    single = speeds["gym.make, turnenv"] / speeds["gym.make, plain Gymnasium"]
    batch = speeds["make_vec 64, turnenv"] / speeds["make_vec sync 64, turnenv"]
    return {
        "guess_number": [{"GuessNumber": name, "steps/s": speed} for name, speed in speeds.items()],
        "ratios": [
            {"ratio": "turnenv ÷ plain, one environment", "times": single, "aim": 0.5},
            {"ratio": f"turnenv's batch of {_ROWS} ÷ Gymnasium's SyncVectorEnv of it", "times": batch, "aim": 2.0},
        ],
    }


def _row(env_id: str, timed: _Timed) -> Mapping[str, Value]:
    """One id: its expert's episodes are recorded, then replayed; resets count as time, not as steps."""
    import turnenv
    from agents.scripted import EXPERTS
    from benchmarks.speed.stepping import replay_batch, replay_single

    played = turnenv.collect(env_id, turnenv.Scripted(EXPERTS[env_id]), range(_ROWS))
    speeds = timed({"single": replay_single(env_id, played), "batch": replay_batch(env_id, played)})
    return {
        "id": env_id,
        "turns per episode": statistics.fmean(len(episode.turns) for episode in played),
        "gym.make, steps/s": speeds["single"],
        f"make_vec {_ROWS}, steps/s": speeds["batch"],
    }
