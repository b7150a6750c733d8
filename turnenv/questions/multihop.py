"""Loads questions with supporting articles from the bundled atlas, HotpotQA, or a file with its columns."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from turnenv.questions.cells import Table
from turnenv.questions.hub import HubDataset, hub_table
from turnenv.questions.sources import load

__all__ = ["SOURCES", "HopQuestion", "load_multihop_questions", "rows_to_hop_questions"]

#: The sources that have a name; anything else is a path.
SOURCES = ("atlas", "hotpot_qa")

_HOTPOT_QA = HubDataset("HotpotQA", "hotpotqa/hotpot_qa", "distractor", ("train", "validation"), "questions='atlas'")
_COLUMNS = ("question", "answers", "answer", "supporting_facts", "titles")


@dataclass(frozen=True)
class HopQuestion:
    """A question, its accepted answers, and the articles that together answer it.

    Attributes:
        question: the question as it is asked.
        answers: accepted answers, at least one; the first is the canonical one.
        titles: the titles of the supporting articles, without repeats; their number is the number of hops.
    """

    question: str
    answers: tuple[str, ...]
    titles: tuple[str, ...]


def load_multihop_questions(
    source: str | os.PathLike[str] = "atlas", split: str = "train", *, limit: int | None = None
) -> Sequence[HopQuestion]:
    """Load a set of questions. Equal calls in one process share one result, until the file changes.

    Args:
        source: "atlas"; "hotpot_qa" (Yang et al. 2018, downloaded once by `datasets`); or the path of a .jsonl, .json
            or .csv file (also with .gz) or a .parquet file with columns as HotpotQA's, see `rows_to_hop_questions`. A
            file is one split, whatever `split` says.
        split: a split of the atlas or of HotpotQA ("train" or "validation").
        limit: how many questions to load, from the start; None loads all. No more of a file is read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown source, suffix or split, a file that cannot be parsed, a missing column, a row without a
            question, an answer or a supporting title, or a `limit` below 1; the message names row, column and fix.
        ImportError: HotpotQA or a Parquet file without the extra `turnenv[datasets]`.
        ConnectionError: HotpotQA can neither be downloaded nor found in the local cache of `datasets`.
    """
    return load(
        source,
        split,
        limit,
        named={"atlas": _atlas, "hotpot_qa": _hotpot_qa},
        read=_questions,
        columns=_COLUMNS,
    )


def rows_to_hop_questions(
    rows: Iterable[Mapping[str, Any]], *, source: str, separated: bool = False
) -> Iterator[HopQuestion]:
    """Turn rows of a table into questions, one by one.

    Args:
        rows: mappings with `question`; `answers` or `answer`, as in `turnenv.questions.load_questions`; and
            `supporting_facts`, as the record of columns that `datasets` makes of HotpotQA or the pairs (title,
            sentence) of its original files, or `titles`, a list. Either may be a string that contains such a list as
            JSON, or titles separated by "|".
        source: names the table in error messages.
        separated: True if a string may contain several answers, as a JSON list or separated by "|".

    Raises:
        ValueError: during iteration, if a column is missing, or a row has no question, answer or title, or a cell of
            the wrong kind; rows count from 1.
    """
    return _questions(Table(source, rows, separated))


def _questions(table: Table) -> Iterator[HopQuestion]:
    for row in table:
        question, answers = row.text("question"), row.answers("answers", "answer")
        yield HopQuestion(question, answers, row.titles("supporting_facts", "titles", numbered=("titles",)))


@functools.cache
def _all_of_the_atlas(split: str) -> tuple[HopQuestion, ...]:
    from turnenv.atlas import multihop

    rows = (
        {"question": item.question, "answers": item.answers, "titles": item.titles}
        for item in multihop.questions(split)
    )
    return tuple(rows_to_hop_questions(rows, source=f"the atlas, split {split!r}"))


def _atlas(split: str, limit: int | None) -> tuple[HopQuestion, ...]:
    return _all_of_the_atlas(split)[:limit]


@functools.lru_cache(maxsize=8)
def _hotpot_qa(split: str, limit: int | None) -> tuple[HopQuestion, ...]:
    table = hub_table(_HOTPOT_QA, split, ("question", "answer", "supporting_facts"))
    return tuple(itertools.islice(_questions(table), limit))
