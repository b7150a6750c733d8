"""Show a few held-out episodes of each run of a comparison, the untrained policy's included."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from benchmarks.compare.one_run import transcripts_path
from benchmarks.compare.records import RowFile, Run
from benchmarks.harness.options import add_folder
from turnenv.commands.episode_text import readable
from turnenv.evaluation.episode_file import read_episodes
from turnenv.types import Episode

EXAMPLES = """\
examples:
  python -m benchmarks transcripts results/compare
  python -m benchmarks transcripts results/compare --method mt_grpo --seed 0 --n 10 --end turn_limit
  python -m benchmarks transcripts results/compare --method start --json > episodes.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_folder(parser)
    add = parser.add_argument
    add("--method", help="only this method, as --methods had it, or 'start' (default: all)")
    add("--seed", type=int, help="only this seed (default: the first that a method has)")
    add("--n", type=int, default=3, help="episodes per run")
    add("--end", help="only episodes that ended so, e.g. answered or turn_limit (default: all)")
    add("--json", action="store_true", help="print each episode as one JSON line, as turnenv.Episode reads it")


def run(given: argparse.Namespace) -> int:
    """Print the episodes.

    Raises:
        ValueError: if no finished run fits.
    """
    for run, episodes in choose(given.folder, given.method, given.seed):
        fitting = [episode for episode in episodes if given.end in (None, episode.outcome.end.value)]
        if given.json:
            print("".join(f"{episode.to_json()}\n" for episode in fitting[: given.n]), end="")
            continue
        print(f"{'=' * 100}\n{run.title}: {min(given.n, len(fitting))} of {len(fitting)} kept episodes\n")
        for episode in fitting[: given.n]:
            print(readable(episode), "\n")
    return 0


def choose(folder: Path, method: str | None, seed: int | None) -> Iterator[tuple[Run, list[Episode]]]:
    """For each method of a comparison (or the one named), one run and the episodes that were kept of it.

    Args:
        folder: what compare was given as `--out`.
        method: a label as `--methods` had it, or "start"; None for all.
        seed: of the run; None for the first that a method has.

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
        yield run, read_episodes(transcripts_path(folder, run.run_id))
