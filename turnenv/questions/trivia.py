"""Loads questions with accepted answers from the bundled atlas, TriviaQA, or a file of your own."""

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

__all__ = ["SOURCES", "TriviaQuestion", "load_questions", "rows_to_questions"]

#: The sources that have a name; anything else is a path.
SOURCES = ("atlas", "trivia_qa")

_ANSWERS = ("answers", "answer")
_TRIVIA_QA = HubDataset(
    "TriviaQA", "mandarjoshi/trivia_qa", "rc.nocontext", ("train", "validation"), "questions='atlas'"
)
#: TriviaQA's test split hides its answers behind this value.
_HIDDEN = "<unk>"


@dataclass(frozen=True)
class TriviaQuestion:
    """A question and all answers to it that are correct.

    Attributes:
        question: the question as it is asked.
        answers: accepted answers, at least one, without repeats; the first is the canonical one.
    """

    question: str
    answers: tuple[str, ...]


def load_questions(
    source: str | os.PathLike[str] = "atlas",
    split: str = "train",
    *,
    limit: int | None = None,
    question_field: str = "question",
    answers_field: str | None = None,
) -> Sequence[TriviaQuestion]:
    """Load a set of questions. Equal calls in one process share one result, until the file changes.

    Args:
        source: "atlas"; "trivia_qa" (downloaded once by `datasets`; repeated questions are dropped); or the path of a
            .jsonl, .json or .csv file (also with .gz) or a .parquet file. A file is one split: it is read whole,
            whatever `split` says, so keep the questions for evaluation in a file of their own.
        split: a split of the atlas or of TriviaQA ("train" or "validation"; its "test" hides the answers).
        limit: how many questions to load, from the start; None loads all. No more of a file is read.
        question_field: a file's column of questions.
        answers_field: a file's column of answers; None means "answers" if that is not blank, else "answer". A cell
            holds a string, a number, a list of them, or TriviaQA's record of value and aliases; in CSV, a list or
            record is written as JSON, or as strings separated by "|". Numbers keep their digits: 007, 2.50,
            12345678901234567890.

    Returns:
        The questions in the order of the source.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown source, suffix or split, a file that cannot be parsed, a missing column, a row without a
            question or an answer, or a `limit` below 1; the message names file, row and column, and the fix.
        ImportError: TriviaQA or a Parquet file without the extra `turnenv[datasets]`.
        ConnectionError: TriviaQA can neither be downloaded nor found in the local cache of `datasets`.
    """
    return load(
        source,
        split,
        limit,
        named={"atlas": _atlas, "trivia_qa": _trivia_qa},
        read=_questions,
        columns=(question_field, *(_ANSWERS if answers_field is None else (answers_field,))),
        options=(question_field, answers_field),
        rename="rename one, or name yours with question_field or answers_field",
    )


def rows_to_questions(
    rows: Iterable[Mapping[str, Any]],
    *,
    source: str,
    question_field: str = "question",
    answers_field: str | None = None,
    separated: bool = False,
) -> Iterator[TriviaQuestion]:
    """Turn rows of a table into questions, one by one.

    Args:
        rows: mappings with the fields of questions and answers.
        source: names the table in error messages.
        question_field: key of the question.
        answers_field: key of the answer or answers; None means "answers" if that is not blank, else "answer".
        separated: True if a string may contain several answers, as a JSON list or separated by "|".

    Yields:
        A question for each row.

    Raises:
        ValueError: during iteration, if a row has no question, no answer, or a cell of the wrong kind; rows count from
            1.
    """
    return _questions(Table(source, rows, separated), question_field, answers_field)


def _questions(table: Table, question_field: str, answers_field: str | None) -> Iterator[TriviaQuestion]:
    for row in table:
        question = row.text(question_field)
        answers = row.answers(*(_ANSWERS if answers_field is None else (answers_field,)))
        if _HIDDEN in answers:
            raise ValueError(f"{row.place}: the answers of this split are hidden; use 'train' or 'validation'")
        yield TriviaQuestion(question, answers)


@functools.cache
def _all_of_the_atlas(split: str) -> tuple[TriviaQuestion, ...]:
    from turnenv.atlas import articles as atlas

    rows = ({"question": item.question, "answers": item.answers} for item in atlas.questions(split))
    return tuple(rows_to_questions(rows, source=f"the atlas, split {split!r}"))


def _atlas(split: str, limit: int | None) -> tuple[TriviaQuestion, ...]:
    return _all_of_the_atlas(split)[:limit]


@functools.lru_cache(maxsize=8)
def _trivia_qa(split: str, limit: int | None) -> tuple[TriviaQuestion, ...]:
    table = hub_table(_TRIVIA_QA, split, ("question", "answer"))
    return tuple(itertools.islice(_first_of_each(_questions(table, "question", "answer")), limit))


def _first_of_each(questions: Iterable[TriviaQuestion]) -> Iterator[TriviaQuestion]:
    """Drop repeated questions: TriviaQA has a row for each source of evidence."""
    seen: set[str] = set()
    for item in questions:
        if item.question not in seen:
            seen.add(item.question)
            yield item
