"""`python -m benchmarks transcripts`: a few evaluation episodes of each run, to be read."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from benchmarks.compare.one_run import transcripts_path
from benchmarks.compare.records import RowFile, Run
from turnenv.types import Episode


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "transcripts", help="read a few held-out episodes of each run, start included", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="what compare was given as --out")
    parser.add_argument("--method", help="only this method, as --methods had it, or 'start' (default: all)")
    parser.add_argument("--seed", type=int, default=None, help="only this seed (default: the first that a method has)")
    parser.add_argument("--n", type=int, default=3, help="episodes a run (default: %(default)s)")
    parser.add_argument("--end", help="only episodes that ended so, e.g. answered or turn_limit (default: all)")
    parser.set_defaults(run=lambda given: show(given.folder, given.method, given.seed, given.n, given.end))


def show(folder: Path, method: str | None, seed: int | None, count: int, end: str | None) -> None:
    """Print them.

    Raises:
        ValueError: if no finished run fits.
    """
    chosen: dict[str, Run] = {}
    for row in RowFile(folder).read():
        label = "start" if row.run.method is None else row.run.method.label
        if method in (None, label) and seed in (None, row.run.seed):
            chosen.setdefault(label, row.run)
    if not chosen:
        raise ValueError(f"no finished run in {folder} fits --method {method} --seed {seed}")
    for run in chosen.values():
        lines = transcripts_path(folder, run.run_id).read_text(encoding="utf-8").splitlines()
        episodes = [episode for episode in map(Episode.from_json, lines) if end in (None, episode.outcome.end.value)]
        print(f"{'=' * 100}\n{run.title}: {min(count, len(episodes))} of {len(episodes)} kept episodes\n")
        for episode in episodes[:count]:
            print(readable(episode), "\n")


def readable(episode: Episode) -> str:
    """An episode as plain text: what was seen, what was written, what each turn and the end paid."""
    outcome = episode.outcome
    lines = [
        f"--- task {episode.task}, return {episode.total_reward:.3g}, {'success' if outcome.success else 'no success'}"
    ]
    for number, turn in enumerate(episode.turns, 1):
        invalid = "" if turn.valid_action else " (not a valid action)"
        lines += [_block("env", turn.observation), _block("agent", turn.action or "(nothing)")]
        lines.append(f"        turn {number} pays {turn.turn_reward:.3g}{_components(turn.reward_components)}{invalid}")
    lines.append(_block("env", episode.final_observation))
    fault = f" ({outcome.fault})" if outcome.fault else ""
    lines.append(f"        {outcome.end.value}{fault}: pays {outcome.reward:.3g}{_components(outcome.components)}")
    return "\n".join(lines)


def _components(components: Mapping[str, float]) -> str:
    paid = ", ".join(f"{name} {value:.3g}" for name, value in components.items() if value)
    return f" = {paid}" if paid else ""


def _block(speaker: str, text: str) -> str:
    return f"{speaker:>6}  " + text.replace("\n", "\n        ")
