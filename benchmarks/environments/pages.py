"""Makes what is generated: the environments' pages, scores and golden episodes, and the table of estimators."""

from __future__ import annotations

import difflib
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

import turnenv.envs
from agents.scripted import family_of
from benchmarks.environments.family import Family, Scores
from benchmarks.environments.family_page import render_family
from benchmarks.environments.listing import catalogue, render_index
from benchmarks.environments.scripted_scores import AGENTS, SEEDS, AgentName, Score, as_lines, play, read_scores
from benchmarks.harness.estimator_table import PAGE, with_table
from turnenv.envs import IDS

T = TypeVar("T")

PAGES = Path(turnenv.envs.__file__).parent / "pages"
GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
SCORES = PAGES / "scores.jsonl"


def remake(*, check: bool, keep_scores: bool) -> int:
    """Write or check; 1 if something differs from what it should be."""
    scores = read_scores(SCORES) if keep_scores else measure()
    # Written before the pages, whose rendering may fail: measuring takes minutes.
    new_scores = {} if keep_scores or same_results(scores) else {SCORES: as_lines(scores.values())}
    if not check:
        write(new_scores)
    files = {
        **new_scores,
        **pages(scores),
        PAGE: with_table(PAGE.read_text(encoding="utf-8")),
        **goldens(_progress(IDS, "golden episodes")),
    }
    if not check:
        write(files)
        return 0
    differences = "".join(changes(files))
    print(differences + "run `python -m benchmarks pages` and commit" if differences else "all as the code has it")
    return 1 if differences else 0


def write(files: Mapping[Path, str]) -> None:
    """Put texts into files."""
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def measure() -> Scores:
    """Play every agent in every id, which takes about two minutes."""
    pairs = [(env_id, agent) for env_id in IDS for agent in AGENTS]
    return {
        (env_id, agent): Score.of(env_id, agent, play(env_id, agent, range(SEEDS)))
        for env_id, agent in tqdm(pairs, desc=f"{SEEDS} episodes each", unit="agent", file=sys.stderr)
    }


def same_results(scores: Scores) -> bool:
    """True if the recorded scores are these, whatever versions made them."""
    recorded = read_scores(SCORES) if SCORES.exists() else {}
    return {key: row.result for key, row in recorded.items()} == {key: row.result for key, row in scores.items()}


def families() -> list[Family]:
    """Every family, in alphabetical order."""
    grouped = itertools.groupby(sorted(IDS, key=family_of), family_of)
    return [Family(name, tuple(ids)) for name, ids in grouped]


def pages(scores: Scores) -> dict[Path, str]:
    """The text of each page, of the catalogue and of the example episodes."""
    known = families()
    written = {PAGES / f"{family.name}.md": render_family(family, scores) for family in _progress(known, "pages")}
    written[PAGES / "README.md"] = render_index(known, scores)
    entries = [json.dumps(entry) for entry in catalogue(known, scores)]
    written[PAGES / "catalogue.json"] = "[\n" + ",\n".join(entries) + "\n]\n"
    written[PAGES / "examples.jsonl"] = "".join(example(env_id, "expert") for family in known for env_id in family.ids)
    return written


def goldens(ids: Iterable[str]) -> dict[Path, str]:
    """The text of each id's golden episodes."""
    return {GOLDEN / f"{env_id.partition('/')[2]}.jsonl": golden(env_id) for env_id in ids}


def golden(env_id: str) -> str:
    """An episode of the expert and one of the random agent."""
    return "".join(example(env_id, agent) for agent in AGENTS)


def example(env_id: str, agent: AgentName) -> str:
    """The agent's episode of seed 0, a line; it names no version."""
    return replace(play(env_id, agent, [0])[0], turnenv_version="").to_json() + "\n"


def changes(files: Mapping[Path, str]) -> Iterator[str]:
    """What would change on the disk, as a diff, and the files that nothing makes any more."""
    for path, text in files.items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        old, new = there.splitlines(keepends=True), text.splitlines(keepends=True)
        yield from difflib.unified_diff(old, new, f"{path} (committed)", f"{path} (from the code)")
    strays = {*PAGES.glob("*"), *GOLDEN.glob("*.jsonl")} - {*files, SCORES}
    yield from (f"{path} belongs to no id: delete it\n" for path in sorted(strays))


def _progress(items: Iterable[T], what: str) -> Iterable[T]:
    return tqdm(items, desc=what, file=sys.stderr, leave=False)
