"""How fast the search families step beside the searches that they make, in the bundled index and in SQLite's alone."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence

from tabulate import tabulate

import turnenv
from agents.scripted import EXPERTS
from benchmarks.speed.throughput import measure, replay_single
from turnenv.actions import ToolCall, XmlGrammar
from turnenv.envs import IDS
from turnenv.search import atlas
from turnenv.types import Episode

STEPS_BAR = 5_000
"""Steps a second that a search family must reach."""
RATIO_BAR = 0.7
"""Steps a second of a family, as a share of the searches a second of the bare index."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to `python -m benchmarks`."""
    _describe(commands.add_parser("search-throughput", help="search families against the bare index", description=_SAY))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.search_throughput", description=_SAY)
    _describe(parser)
    given = parser.parse_args(arguments)
    given.run(given)


_SAY = (
    f"{__doc__} The expert's episodes are replayed by gym.make; no query's answer is kept, so a repeated one costs as "
    "much as a new one. SQLite alone ranks the same queries in one statement each."
)


def _describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--episodes", type=int, default=500, help="episodes that are replayed (default 500)")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds; medians are shown (default 7)")
    parser.add_argument("--seconds", type=float, default=0.5, help="seconds a measurement (default 0.5)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> None:
    ids = [env_id for env_id in IDS if "Search" in env_id]
    rows = [_row(env_id, given.episodes, given.rounds, given.seconds) for env_id in ids]
    headers = ["id", "steps/s", "searches/s, index", "searches/s, SQLite", "steps ÷ index", "steps ÷ SQLite"]
    print(tabulate(rows, headers=headers))
    print(f"\nbars: {STEPS_BAR:,} steps/s; steps ÷ searches of the bare index {RATIO_BAR}")


def _row(env_id: str, episodes: int, rounds: int, seconds: float) -> tuple[str, ...]:
    played = turnenv.collect(env_id, turnenv.Scripted(EXPERTS[env_id]), range(episodes))
    queries = [query for episode in played for query in _queries(episode)]
    contenders = {
        "steps": replay_single(env_id, played),
        "index": _searched(atlas.AtlasSearch().search, queries),
        "sqlite": _searched(_search_by_sqlite, queries),
    }
    speeds = measure(contenders, rounds, seconds)
    steps, index, sqlite = speeds["steps"], speeds["index"], speeds["sqlite"]
    return env_id, f"{steps:,.0f}", f"{index:,.0f}", f"{sqlite:,.0f}", f"{steps / index:.2f}", f"{steps / sqlite:.2f}"


def _queries(episode: Episode) -> list[str]:
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
    match = " OR ".join(f'"{term}"' for term in atlas.terms_of(query))
    ranked = "SELECT rowid FROM articles WHERE articles MATCH ? ORDER BY bm25(articles, 8.0, 1.0), rowid LIMIT 1"
    return atlas.index().execute(ranked, (match,)).fetchall()


if __name__ == "__main__":
    main()
