"""Measure what turnenv adds to the waits for a model's server, and what it saves that no episode waits for another."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.harness.options import add_json

if TYPE_CHECKING:
    from benchmarks.harness.tables import Value
    from turnenv.policies.endpoint import EndpointPolicy

EXAMPLES = """\
examples:
  python -m benchmarks endpoint-speed
  python -m benchmarks endpoint-speed --episodes 16 --concurrency 8 --latency 0.02 --slow 0.05 --rounds 1 --json
"""
ENV = "turnenv/GuessNumber-hard-v0"
_SHORTEST, _LONGEST = 2, 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--episodes", type=int, default=128, help="episodes per measurement")
    add("--concurrency", type=int, default=64, help="episodes at once")
    add("--latency", type=float, default=0.05, help="seconds that the server takes for each answer")
    add("--slow", type=float, default=0.1, help="seconds that each step of the one slow environment takes")
    add("--rounds", type=int, default=5, help="interleaved rounds; medians are shown")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print."""
    from benchmarks.harness.tables import print_tables
    from benchmarks.speed.slow_chat import slow_chat
    from turnenv.policies.endpoint import EndpointPolicy

    with slow_chat(given.latency) as port:

        def policy(concurrency: int) -> EndpointPolicy:
            return EndpointPolicy("m", f"http://127.0.0.1:{port}/v1", "none", concurrency=concurrency)

        tables = {
            "waits": _waits(given, policy(given.concurrency), port),
            "paces": _paces(given, policy(max(1, given.concurrency // 4))),
        }
    formats = {"wall, s": ".2f", "CPU, ms per turn": ".2f", "wall ÷ ideal": ".2f", "÷ lock-step": ".2f"}
    print_tables(tables, formats, as_json=given.json)
    return 0


def _waits(given: argparse.Namespace, policy: EndpointPolicy, port: int) -> Sequence[Mapping[str, Value]]:
    """All episodes against the ideal, in which the server's latency is all that passes; and bare requests beside."""
    import turnenv
    from benchmarks.speed.slow_chat import ask_bare

    batch = turnenv.rollout.vectorise(ENV, given.concurrency)
    turns = _turns(turnenv.collect(batch, policy, range(given.episodes)))
    contenders: dict[str, Callable[[], Any]] = {
        "EndpointPolicy": lambda: turnenv.collect(batch, policy, range(given.episodes)),
        "bare requests": lambda: asyncio.run(ask_bare(port, turns, given.concurrency)),
    }
    ideal = turns * given.latency / given.concurrency
    what = f"{turns} turns, {given.concurrency} at once"
    return [
        {what: name, "wall, s": wall, "CPU, ms per turn": 1e3 * cpu / turns, "wall ÷ ideal": wall / ideal, "aim": aim}
        for (name, (wall, cpu)), aim in zip(_timed(contenders, given.rounds).items(), (1.15, None), strict=True)
    ]


def _paces(given: argparse.Namespace, policy: EndpointPolicy) -> Sequence[Mapping[str, Value]]:
    """Episodes of 2 to 16 turns of which one environment is slow, at their own pace and in lock-step."""
    import turnenv
    from benchmarks.speed.unequal import InLockstep, Unequal

    at_once, seeds = policy.concurrency, range(given.episodes // policy.concurrency * policy.concurrency)
    tasks = [seed * 7 % (_LONGEST - _SHORTEST + 1) for seed in seeds]
    batch = turnenv.rollout.vectorise(Unequal, at_once)
    batch.envs[0].slow = given.slow  # type: ignore[attr-defined]

    def in_lockstep() -> None:
        for start in range(0, len(seeds), at_once):
            part = slice(start, start + at_once)
            turnenv.collect(batch, InLockstep(policy), seeds[part], tasks=tasks[part])

    contenders: dict[str, Callable[[], Any]] = {
        "own pace": lambda: turnenv.collect(batch, policy, seeds, tasks=tasks),
        "lock-step": in_lockstep,
    }
    timed = _timed(contenders, given.rounds)
    what = f"{len(seeds)} episodes, {at_once} at once"
    return [
        {what: name, "wall, s": wall, "÷ lock-step": wall / timed["lock-step"][0], "aim": aim}
        for (name, (wall, _)), aim in zip(timed.items(), (0.6, None), strict=True)
    ]


def _turns(episodes: Sequence[Any]) -> int:
    faults = [episode.outcome.fault for episode in episodes if episode.faulted]
    if faults:
        raise RuntimeError(f"the server failed: {faults[0]}")
    return sum(len(episode.turns) for episode in episodes)


def _timed(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds by the clock, and of CPU time, of each contender; they take turns."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, play in contenders.items():
            wall, cpu = time.perf_counter(), time.process_time()
            play()
            spent[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: (statistics.median(wall for wall, _ in pairs), statistics.median(cpu for _, cpu in pairs))
        for name, pairs in spent.items()
    }
