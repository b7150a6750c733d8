"""Where questions with supporting articles come from: the bundled atlas, HotpotQA, or a file of its schema."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnenv.questions.sources import existing_file, hub_rows, read_rows
from turnenv.questions.trivia import rows_to_questions

__all__ = ["SOURCES", "HopQuestion", "load_multihop_questions", "rows_to_hop_questions"]

#: The sources that have a name; anything else is a path.
SOURCES = ("atlas", "hotpot_qa")

_HOTPOT_QA = ("hotpotqa/hotpot_qa", "distractor")
_COLUMNS = ("question", "answer", "supporting_facts")


@dataclass(frozen=True)
class HopQuestion:
    """A question, its accepted answers, and the articles that together answer it.

    Attributes:
        question: the question as it is asked.
        answers: accepted answers, at least one; the first is the canonical one.
        titles: of the supporting articles, without repeats; their number is the question's hops.
    """

    question: str
    answers: tuple[str, ...]
    titles: tuple[str, ...]


def load_multihop_questions(
    source: str | os.PathLike[str] = "atlas", split: str = "train", *, limit: int | None = None
) -> Sequence[HopQuestion]:
    """Load a set of questions. Equal calls in one process share one result.

    Args:
        source: "atlas"; "hotpot_qa" (Yang et al. 2018, downloaded once by `datasets`); or the path of a .jsonl, .json,
            .parquet or .csv file with columns as HotpotQA's, see `rows_to_hop_questions`. A file is one split, whatever
            `split` says.
        split: a split of the atlas or of HotpotQA ("train" or "validation").
        limit: how many questions to load, from the start; None loads all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown source, suffix or split, a file that cannot be parsed, a missing column, or a row
            without a question, an answer or a supporting title.
        ConnectionError: HotpotQA can neither be downloaded nor found in the local cache of `datasets`.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be positive or None, got {limit}")
    name = os.fspath(source)
    if name == "atlas":
        return _atlas(split)[:limit]
    if name == "hotpot_qa":
        return _hotpot_qa(split, limit)
    path = existing_file(name, SOURCES)
    stat = path.stat()
    return _file(path, (stat.st_mtime_ns, stat.st_size), limit)


def rows_to_hop_questions(rows: Iterable[Mapping[str, Any]], *, source: str) -> Iterator[HopQuestion]:
    """Turn rows of a table into questions, one by one.

    Args:
        rows: mappings with `question`; `answer` or `answers` (a text or a list); and `supporting_facts`, as the record
            of columns that `datasets` makes of HotpotQA or the pairs (title, sentence) of its original files, or
            `titles`, a list (or texts parted by "|").
        source: names the table in error messages.

    Raises:
        ValueError: a column is missing, or a row has no question, answer or title; rows count from 1.
    """
    rows, again = itertools.tee(rows)
    first = next(iter(again), {})
    again = itertools.chain([first] if first else [], again)
    answers_field = "answers" if "answers" in first else "answer"
    for field in ("question", answers_field):
        if first and field not in first:
            raise ValueError(f"{source} has no column {field!r}, it has {sorted(first)}; rename one")
    asked = rows_to_questions(again, source=source, answers_field=answers_field)
    for number, (row, item) in enumerate(zip(rows, asked, strict=True), start=1):
        titles = tuple(dict.fromkeys(_titles(row)))
        if not titles:
            raise ValueError(
                f"{source}, row {number} names no supporting article; fill in 'supporting_facts' or 'titles'"
            )
        yield HopQuestion(item.question, item.answers, titles)


def _titles(row: Mapping[str, Any]) -> Iterator[str]:
    supporting = row.get("supporting_facts")
    if supporting is None:
        cells = row.get("titles") or ()
    elif isinstance(supporting, Mapping):
        cells = supporting.get("title") or ()
    else:
        cells = [fact["title"] if isinstance(fact, Mapping) else fact[0] for fact in supporting]
    if isinstance(cells, str):
        cells = cells.split("|")
    yield from (cell.strip() for cell in cells if isinstance(cell, str) and cell.strip())


@functools.cache
def _atlas(split: str) -> tuple[HopQuestion, ...]:
    from turnenv.atlas import multihop

    return tuple(HopQuestion(item.question, item.answers, item.titles) for item in multihop.questions(split))


@functools.lru_cache(maxsize=8)
def _hotpot_qa(split: str, limit: int | None) -> tuple[HopQuestion, ...]:
    path, config = _HOTPOT_QA
    if split.partition("[")[0] not in ("train", "validation"):
        raise ValueError(f"HotpotQA has no split {split!r} with answers; use 'train' or 'validation'")
    rows = hub_rows("HotpotQA", path, config, split, _COLUMNS)
    return tuple(itertools.islice(rows_to_hop_questions(rows, source=f"{path}, split {split!r}"), limit))


@functools.lru_cache(maxsize=8)
def _file(path: Path, stamp: tuple[int, int], limit: int | None) -> tuple[HopQuestion, ...]:
    """Read a file; `stamp`, its time and size, makes a changed file a new one."""
    rows = read_rows(path, limit, ("question", "answer"))
    if not rows:
        raise ValueError(f"{path} holds no rows; give it at least one question")
    return tuple(rows_to_hop_questions(rows, source=str(path)))
