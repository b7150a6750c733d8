"""Where questions with accepted answers come from: the bundled atlas, TriviaQA, or a file of one's own."""

from __future__ import annotations

import contextlib
import datetime
import functools
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnenv.questions.sources import existing_file, hub_rows, read_rows

__all__ = ["SOURCES", "TriviaQuestion", "load_questions", "rows_to_questions"]

#: The sources that have a name; anything else is a path.
SOURCES = ("atlas", "trivia_qa")

_TRIVIA_QA = ("mandarjoshi/trivia_qa", "rc.nocontext")
#: TriviaQA's test split hides its answers behind this value.
_HIDDEN = "<unk>"


@dataclass(frozen=True)
class TriviaQuestion:
    """A question and every answer to it that counts as right.

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
    """Load a set of questions. Equal calls in one process share one result.

    Args:
        source: "atlas"; "trivia_qa" (downloaded once by `datasets`; repeated questions are dropped); or the path of a
            .jsonl, .json, .parquet or .csv file. A file is one split: it is read whole, whatever `split` says, so keep
            the questions for evaluation in a file of their own.
        split: a split of the atlas or of TriviaQA ("train" or "validation"; its "test" hides the answers).
        limit: how many questions to load, from the start; None loads all.
        question_field: a file's column of questions.
        answers_field: a file's column of answers; None means "answers" where there is one, else "answer". A cell holds
            a text, a list of texts, or TriviaQA's record of value and aliases; in CSV, a JSON list or texts parted
            by "|".

    Returns:
        The questions in the order of the source.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown source, suffix or split, a file that cannot be parsed, a missing column, or a row
            without a question or an answer; the message names the place and the mend.
        ConnectionError: TriviaQA can neither be downloaded nor found in the local cache of `datasets`.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be positive or None, got {limit}")
    name = os.fspath(source)
    if name == "atlas":
        return _atlas(split)[:limit]
    if name == "trivia_qa":
        return _trivia_qa(split, limit)
    path = existing_file(name, SOURCES)
    stat = path.stat()
    return _file(path, (stat.st_mtime_ns, stat.st_size), limit, question_field, answers_field)


def rows_to_questions(
    rows: Iterable[Mapping[str, Any]],
    *,
    source: str,
    question_field: str = "question",
    answers_field: str = "answer",
    separated: bool = False,
) -> Iterator[TriviaQuestion]:
    """Turn rows of a table into questions, one by one.

    Args:
        rows: mappings with the two fields.
        source: names the table in error messages.
        question_field: key of the question.
        answers_field: key of the answer or answers.
        separated: a text that holds several answers is a JSON list, or has them parted by "|".

    Yields:
        A question for each row.

    Raises:
        ValueError: a row has no question, no answer, or a cell of another kind; rows count from 1.
    """
    for number, row in enumerate(rows, start=1):
        place = f"{source}, row {number}"
        question = row[question_field]
        if not isinstance(question, str) or not question.strip():
            raise ValueError(
                f"{place}: {question_field!r} must be a text, got {question!r}; fill it in or drop the row"
            )
        answers = tuple(dict.fromkeys(_answers(row[answers_field], separated, place)))
        if not answers:
            raise ValueError(f"{place}: {answers_field!r} holds no answer; fill one in or drop the row")
        if _HIDDEN in answers:
            raise ValueError(f"{place}: the answers of this split are hidden; use 'train' or 'validation'")
        yield TriviaQuestion(question.strip(), answers)


def _answers(cell: object, separated: bool, place: str) -> Iterator[str]:
    """Texts of a cell, the canonical one first, then raw aliases, then TriviaQA's normalised ones."""
    cells: Iterable[object] = (cell,)
    if isinstance(cell, Mapping):
        aliases, normalized = cell.get("aliases") or (), cell.get("normalized_aliases") or ()
        cells = (cell.get("value"), *aliases, cell.get("normalized_value"), *normalized)
    elif isinstance(cell, list | tuple):
        cells = cell
    elif separated and isinstance(cell, str):
        cells = _parted(cell)
    for item in cells:
        yield from _text(item, place)


def _parted(text: str) -> Sequence[object]:
    if text.lstrip().startswith("["):
        with contextlib.suppress(json.JSONDecodeError):
            return list(json.loads(text))
    return text.split("|")


def _text(value: object, place: str) -> Iterator[str]:
    """The text of one answer; nothing for an empty one."""
    if value is None:
        return
    if isinstance(value, datetime.datetime):  # JSON readers take a column of ISO dates for timestamps
        value = value.date().isoformat() if value.time() == datetime.time() else value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str | int | float | datetime.date):
        raise ValueError(f"{place}: an answer must be a text, got {value!r}; write it as a text or a list of texts")
    if text := str(value).strip():
        yield text


@functools.cache
def _atlas(split: str) -> tuple[TriviaQuestion, ...]:
    from turnenv.atlas import articles as atlas

    return tuple(TriviaQuestion(item.question, tuple(item.answers)) for item in atlas.questions(split))


@functools.lru_cache(maxsize=8)
def _trivia_qa(split: str, limit: int | None) -> tuple[TriviaQuestion, ...]:
    path, config = _TRIVIA_QA
    if split.partition("[")[0] not in ("train", "validation"):
        raise ValueError(f"TriviaQA has no answers for the split {split!r}; use 'train' or 'validation'")
    rows = hub_rows("TriviaQA", path, config, split, ["question", "answer"])
    questions = rows_to_questions(rows, source=f"{path}, split {split!r}")
    return tuple(itertools.islice(_first_of_each(questions), limit))


def _first_of_each(questions: Iterable[TriviaQuestion]) -> Iterator[TriviaQuestion]:
    """Drop repeated questions: TriviaQA has a row for each source of evidence."""
    seen: set[str] = set()
    for item in questions:
        if item.question not in seen:
            seen.add(item.question)
            yield item


@functools.lru_cache(maxsize=8)
def _file(
    path: Path, stamp: tuple[int, int], limit: int | None, question_field: str, answers_field: str | None
) -> tuple[TriviaQuestion, ...]:
    """Read a file; `stamp`, its time and size, makes a changed file a new one."""
    wanted = (question_field, *(("answers", "answer") if answers_field is None else (answers_field,)))
    rows = read_rows(path, limit, wanted)
    if not rows:
        raise ValueError(f"{path} holds no rows; give it at least one question")
    columns = list(rows[0])
    if answers_field is None:
        answers_field = "answers" if "answers" in columns else "answer"
    for option, field in (("question_field", question_field), ("answers_field", answers_field)):
        if field not in columns:
            raise ValueError(f"{path} has no column {field!r}, it has {columns}; rename one, or name it with {option}")
    separated = path.suffix.lower() == ".csv"
    names = {"question_field": question_field, "answers_field": answers_field}
    return tuple(rows_to_questions(rows, source=str(path), separated=separated, **names))
