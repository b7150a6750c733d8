"""Measure how fast the search families step beside the searches that they make, in the bundled index and in SQLite."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarks.harness.options import add_json

if TYPE_CHECKING:
    from benchmarks.harness.tables import Value
    from turnenv.types import Episode

STEPS_AIM = 5_000
"""Steps per second that a search family should reach."""
RATIO_AIM = 0.7
"""Steps per second of a family, as a share of the searches per second of the bare index."""


EXAMPLES = """\
examples:
  python -m benchmarks search-throughput
  python -m benchmarks search-throughput --episodes 50 --rounds 2 --seconds 0.1 --json

The expert's episodes are replayed by gym.make. The index keeps no query's answer, only what each term adds to the
scores. SQLite alone ranks the same queries, one statement per query.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--episodes", type=int, default=500, help="episodes that are replayed")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds; medians are shown")
    parser.add_argument("--seconds", type=float, default=0.5, help="seconds per measurement")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print."""
    from benchmarks.harness.tables import print_tables
    from turnenv.envs import IDS

    ids = [env_id for env_id in IDS if "Search" in env_id]
    rows = [_row(env_id, given.episodes, given.rounds, given.seconds) for env_id in ids]
    print(f"aims: {STEPS_AIM:,} steps/s; steps ÷ searches of the bare index {RATIO_AIM}", file=sys.stderr)
    formats = {title: ".2f" if "÷" in title else ",.0f" for title in rows[0] if title != "id"}
    print_tables({"ids": rows}, formats, as_json=given.json)
    return 0


def _row(env_id: str, episodes: int, rounds: int, seconds: float) -> Mapping[str, Value]:
    import turnenv
    from agents.scripted import EXPERTS
    from benchmarks.speed.stepping import measure, replay_single
    from turnenv.search.atlas import AtlasSearch

    played = turnenv.collect(env_id, turnenv.Scripted(EXPERTS[env_id]), range(episodes))
    queries = [query for episode in played for query in _queries(episode)]
    contenders = {
        "steps": replay_single(env_id, played),
        "index": _searched(AtlasSearch().search, queries),
        "sqlite": _searched(_search_by_sqlite, queries),
    }
    speeds = measure(contenders, rounds, seconds)
    steps, index, sqlite = speeds["steps"], speeds["index"], speeds["sqlite"]
    return {
        "id": env_id,
        "steps/s": steps,
        "searches/s, index": index,
        "searches/s, SQLite": sqlite,
        "steps ÷ index": steps / index,
        "steps ÷ SQLite": steps / sqlite,
    }


def _queries(episode: Episode) -> list[str]:
    from turnenv.actions import ToolCall, XmlGrammar

    parsed = (XmlGrammar().parse(turn.action) for turn in episode.turns)
    calls = (call.arguments for call in parsed if isinstance(call, ToolCall))
    return [str(arguments["query"]) for arguments in calls if not isinstance(arguments, str)]


def _searched(search: Callable[[str], object], queries: Sequence[str]) -> Callable[[], int]:
    endless = itertools.cycle(queries)

    def play() -> int:
        search(next(endless))
        return 1

    return play


def _search_by_sqlite(query: str) -> object:
    from turnenv.search import atlas

    match = " OR ".join(f'"{term}"' for term in atlas.terms_of(query))
    ranked = "SELECT rowid FROM articles WHERE articles MATCH ? ORDER BY bm25(articles, 8.0, 1.0), rowid LIMIT 1"
    return atlas.index().execute(ranked, (match,)).fetchall()
