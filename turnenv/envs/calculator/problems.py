"""Loads word problems with their intermediate quantities: from templates, GSM8K, or a file with its columns."""

from __future__ import annotations

import functools
import itertools
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from typing import Any, overload

import numpy as np

from turnenv.actions.numbers import DECIMAL, ungrouped
from turnenv.envs.calculator.arithmetic import ExpressionError, as_written, evaluate, read_number
from turnenv.envs.calculator.told import told_numbers
from turnenv.questions.cells import Table
from turnenv.questions.hub import HubDataset, hub_table
from turnenv.questions.sources import load

__all__ = ["SOURCES", "Generated", "Quantity", "Template", "WordProblem", "load_word_problems", "templates"]

#: The sources that have a name, with the fewest and most steps of those that are generated; anything else is a path.
SOURCES: Mapping[str, tuple[int, int] | None] = {
    "generated": (2, 4),
    "generated-easy": (2, 2),
    "generated-hard": (5, 6),
    "gsm8k": None,
}

_GSM8K = HubDataset("GSM8K", "openai/gsm8k", "main", ("train", "test"), "problems='generated'")
_COLUMNS = ("question", "answer")
_ANNOTATION = re.compile(r"<<([^<>=]{1,200})=([^<>=]{1,60})>>")
_LITERAL = re.compile(DECIMAL)
_SEED = 9_731
_SPLITS = {"train": 0, "validation": 1, "test": 2}


@dataclass(frozen=True, slots=True)
class Quantity:
    """An intermediate result.

    Attributes:
        values: the values that count as this result: the exact one and, if the source rounds, the rounded one.
        parts: numbers of the earlier quantities that it is computed from.
    """

    values: tuple[Fraction, ...]
    parts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WordProblem:
    """A problem, the quantities to compute on the way (no value twice, none that is in the text), and the answer."""

    text: str
    quantities: tuple[Quantity, ...]
    answer: Fraction


@dataclass(frozen=True)
class Template:
    """The text of a problem with `{placeholders}`, how its numbers are drawn, and its steps `name = expression`."""

    text: str
    numbers: Mapping[str, Sequence[int] | str]
    steps: tuple[str, ...]


class Generated(Sequence[WordProblem]):
    """Problems that are written from templates on demand; problem i is always the same.

    Args:
        steps: the fewest and the most steps of the templates to use.
        split: "train", "validation" or "test"; the splits draw from different seeds.

    Raises:
        ValueError: if there is no such split.
    """

    def __init__(self, steps: tuple[int, int], split: str) -> None:
        if split not in _SPLITS:
            raise ValueError(f"unknown split {split!r}; it is one of {', '.join(_SPLITS)}")
        self._steps, self._split = steps, _SPLITS[split]

    def __len__(self) -> int:
        return 100_000

    @overload
    def __getitem__(self, index: int) -> WordProblem: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[WordProblem, ...]: ...

    def __getitem__(self, index: int | slice) -> WordProblem | tuple[WordProblem, ...]:
        numbers = range(len(self))[index]
        if isinstance(numbers, range):
            return tuple(_generate(self._steps, self._split, number) for number in numbers)
        return _generate(self._steps, self._split, numbers)


def load_word_problems(
    source: str | os.PathLike[str] = "generated", split: str = "train", *, limit: int | None = None
) -> Sequence[WordProblem]:
    """Load a set of word problems. Equal calls in one process share one result, until the file changes.

    Args:
        source: "generated" (2 to 4 steps), "generated-easy" (2), "generated-hard" (5 or 6); "gsm8k" (Cobbe et al. 2021,
            downloaded once by `datasets`); or the path of a .jsonl, .json or .csv file (also with .gz) or a .parquet
            file with GSM8K's columns: `question`, and `answer`, a solution with annotations `<<48/2=24>>` whose last
            line is `#### 72`. A file is one split, whatever `split` says.
        split: "train", "validation" or "test"; GSM8K has "train" and "test".
        limit: how many problems to load, from the start; None loads all. No more of a file is read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: an unknown source, suffix or split, a file that cannot be parsed, a missing column, a row without
            a question or a final number, or a `limit` below 1; the message names file, row and column, and the fix.
        ImportError: GSM8K or a Parquet file without the extra `turnenv[datasets]`.
        ConnectionError: GSM8K can neither be downloaded nor found in the local cache of `datasets`.
    """
    named = {name: functools.partial(_generated, steps) for name, steps in SOURCES.items() if steps}
    return load(source, split, limit, named={**named, "gsm8k": _gsm8k}, read=_problems, columns=_COLUMNS)


@functools.cache
def templates() -> tuple[Template, ...]:
    """The templates of generated problems."""
    return tuple(Template(entry["text"], entry["numbers"], tuple(entry["steps"])) for entry in _data()["template"])


def write(template: Template, rng: np.random.Generator) -> WordProblem:
    """Write a problem from a template, with numbers and words drawn for it."""
    numbers: dict[str, Fraction] = {}
    for name, drawn in template.numbers.items():
        if isinstance(drawn, str):
            numbers[name] = evaluate(drawn, numbers)
        else:
            low, high, step = (*drawn, 1)[:3]
            numbers[name] = Fraction(low + step * int(rng.integers((high - low) // step + 1)))
    words = {name: str(rng.choice(choices)) for name, choices in _data()["words"].items()}
    others = [name for name in _data()["words"]["who"] if name != words["who"]]
    shown = {**words, "other": str(rng.choice(others)), **{name: as_written(value) for name, value in numbers.items()}}
    quantities = tuple(solve(template, numbers))
    text = template.text.format_map(shown)
    return WordProblem(text, _distinct(quantities, text), quantities[-1].values[0])


def solve(template: Template, numbers: Mapping[str, Fraction]) -> Iterator[Quantity]:
    """Yield the result of each step of a template."""
    known, made = dict(numbers), list[str]()
    for step in template.steps:
        name, _, expression = (part.strip() for part in step.partition("="))
        parts = tuple(index for index, earlier in enumerate(made) if re.search(rf"\b{earlier}\b", expression))
        known[name] = evaluate(expression, known)
        made.append(name)
        yield Quantity((known[name],), parts)


def rows_to_word_problems(rows: Iterable[Mapping[str, Any]], *, source: str) -> Iterator[WordProblem]:
    """Turn rows of GSM8K's schema into problems, one by one.

    Args:
        rows: mappings with `question` and `answer`.
        source: names the table in error messages.

    Raises:
        ValueError: a row has no question or no number after `####`; rows count from 1.
    """
    return _problems(Table(source, rows))


def _problems(table: Table) -> Iterator[WordProblem]:
    for row in table:
        text, solved = row.text("question"), row.text("answer")
        solution, _, last = solved.rpartition("####")
        answer = read_number(last)
        if answer is None:
            raise ValueError(f"{row.place}: 'answer' must end in '#### <number>', got {solved[-40:]!r}; fix the row")
        quantities = tuple(_annotated(solution)) or (Quantity((answer,), ()),)
        yield WordProblem(text, _distinct(quantities, text), answer)


def _annotated(solution: str) -> Iterator[Quantity]:
    """The annotated results; a result is computed from an earlier one if its expression contains that one's value."""
    before: list[Fraction] = []
    for expression, result in _ANNOTATION.findall(solution):
        stated = read_number(result)
        if stated is None:
            continue
        try:
            values = tuple(dict.fromkeys((stated, evaluate(expression))))
        except ExpressionError:  # An annotation may hold a percent sign or a unit.
            values = (stated,)
        used = {Fraction(ungrouped(literal)) for literal in _LITERAL.findall(expression)}
        yield Quantity(values, tuple(index for index, value in enumerate(before) if value in used))
        before.append(stated)


def _distinct(quantities: Sequence[Quantity], text: str) -> tuple[Quantity, ...]:
    """The quantities without those whose value came before or is in the text; parts are renumbered.

    A value in the text must not be paid, or `12 + 0` would be paid; its own parts take its place.
    """
    stated = told_numbers(text)
    kept: list[Quantity] = []
    renumbered: list[tuple[int, ...]] = []
    for quantity in quantities:
        parts = tuple(dict.fromkeys(index for part in quantity.parts for index in renumbered[part]))
        same = (index for index, other in enumerate(kept) if set(other.values) & set(quantity.values))
        index = next(same, len(kept))
        if stated & set(quantity.values):
            renumbered.append(parts)
            continue
        if index == len(kept):
            kept.append(Quantity(quantity.values, parts))
        renumbered.append((index,))
    return tuple(kept)


@functools.cache
def _data() -> dict[str, Any]:
    return tomllib.loads((files("turnenv.envs.calculator") / "word_problems.toml").read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=1 << 13)
def _generate(steps: tuple[int, int], split: int, number: int) -> WordProblem:
    rng = np.random.default_rng((_SEED, split, number))
    fitting = [template for template in templates() if steps[0] <= len(template.steps) <= steps[1]]
    return write(fitting[rng.integers(len(fitting))], rng)


@functools.cache
def _generated(steps: tuple[int, int], split: str, limit: int | None) -> Sequence[WordProblem]:
    problems = Generated(steps, split)
    return problems if limit is None else problems[:limit]


@functools.lru_cache(maxsize=8)
def _gsm8k(split: str, limit: int | None) -> tuple[WordProblem, ...]:
    return tuple(itertools.islice(_problems(hub_table(_GSM8K, split, _COLUMNS)), limit))
