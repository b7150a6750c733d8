"""Reads answers, titles and supporting facts from a row of any table; only this module decides what they are."""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import numbers
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from turnenv.rewards import fold

__all__ = ["TWICE", "Number", "Row", "Table"]

#: The cell of a column that its row, or the table's header, has twice.
TWICE = object()

_RECORD = ("value", "aliases", "normalized_value", "normalized_aliases")
#: Half a character: from JSON's escapes, or from a byte that is not UTF-8.
_HALF = re.compile("[\ud800-\udfff]")
_FIX = "write a string or a list of strings"


class Number(str):
    """A number with the digits as they are in its file."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table of rows.

    Attributes:
        name: the table's name, for messages.
        rows: cells by column; a cell is a JSON value, or what pyarrow makes of a Parquet value.
        packed: True if every cell is a string, as in CSV, so that a string may contain a list.
        rename: what to do about a missing column, for messages.
    """

    name: str
    rows: Iterable[Mapping[str, Any]]
    packed: bool = False
    rename: str = "rename one"

    def __iter__(self) -> Iterator[Row]:
        for number, cells in enumerate(self.rows, start=1):
            yield Row(self, number, cells)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. For a cell of the wrong kind its methods raise ValueError, with table, row and column.

    Attributes:
        table: the row's table.
        number: the row's number in it, from 1.
        cells: the cells by column.
    """

    table: Table
    number: int
    cells: Mapping[str, Any]

    def text(self, column: str) -> str:
        """The string of a column, without the space around it; a number is refused."""
        cell = self._cell(column)
        if not isinstance(cell, str) or isinstance(cell, Number) or not cell.strip():
            if column not in self.cells and self.number == 1:
                raise self._lacking(column)
            raise self._bad(column, f"must be text, got {_short(cell)}; fill it in or drop the row")
        return self._item(column, cell)

    def answers(self, *columns: str) -> tuple[str, ...]:
        """The accepted answers, the canonical one first, without repeats.

        An answer is a string, or a number as it is written. A cell holds one answer, a list of them, or TriviaQA's
        record of value and aliases; in a packed table also a list or record as JSON, or strings separated by "|".
        Blanks in a list are omitted.

        Args:
            *columns: where answers may be; the first column that is not blank is used.
        """
        for column in columns:
            if answers := tuple(self._answers(column, self._unpacked(column, self.table.packed))):
                return answers
        column = next((column for column in columns if column in self.cells), columns[-1])
        if column not in self.cells and self.number == 1:
            raise self._lacking(column)
        raise self._bad(column, "holds no answer; fill one in or drop the row")

    def titles(self, *columns: str, numbered: Sequence[str] = ()) -> tuple[str, ...]:
        """The titles of the supporting articles, without repeats in the form in which titles are compared.

        A cell holds a list of titles, or of HotpotQA's facts: pairs of title and sentence number, or records with the
        key "title"; or one record of lists, as `datasets` makes of them. In any table a string may contain such a list
        as JSON, or titles separated by "|".

        Args:
            *columns: where titles may be; the first column that is not blank is used.
            numbered: the columns in which a bare number is a title (a year) and not a sentence number.
        """
        for column in columns:
            found = self._titles(column, self._unpacked(column, True), column in numbered)
            titles: dict[str, str] = {}
            for title in filter(None, found):
                titles.setdefault(fold(title), title)
            if titles:
                return tuple(titles.values())
        fill = " or ".join(map(repr, columns))
        raise ValueError(f"{self.place} names no supporting article; fill in {fill}")

    @property
    def place(self) -> str:
        """The table's name and the row's number, for messages."""
        return f"{self.table.name}, row {self.number}"

    def _cell(self, column: str) -> Any:
        cell = self.cells.get(column)
        if cell is TWICE:
            raise self._bad(column, "is there twice; keep one")
        return cell

    def _unpacked(self, column: str, packed: bool) -> Any:
        """The cell; for a string that contains a list, the list."""
        cell = self._cell(column)
        if not packed or not isinstance(cell, str) or isinstance(cell, Number):
            return cell
        if cell.lstrip()[:1] in ("[", "{"):
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(cell, parse_int=Number, parse_float=Number, object_pairs_hook=unique)
        parts = cell.split("|")
        if any(map(_looks_packed, (cell, *parts))):
            fix = (
                'write a list as JSON (json.dumps), such as ["one", "two"], or save the table as JSON lines or Parquet'
            )
            raise self._bad(column, f"looks like a list but is no JSON: {_short(cell)}; {fix}")
        return parts

    def _answers(self, column: str, cell: Any) -> Iterator[str]:
        items = [cell]
        if isinstance(cell, Mapping) and ("value" in cell or "aliases" in cell):
            items = [item for key in _RECORD for item in _listed(cell.get(key))]
        elif isinstance(cell, list | tuple):
            items = list(cell)
        return filter(None, dict.fromkeys(self._item(column, item) for item in items))

    def _titles(self, column: str, cell: Any, numbered: bool) -> Iterator[str]:
        if isinstance(cell, Mapping):
            cell, numbered = self._title_of(column, cell), True
        for item in _listed(cell):
            if isinstance(item, Mapping):
                yield self._item(column, self._title_of(column, item))
            elif isinstance(item, list | tuple):
                if len(item) != 2 or not _is_number(item[1]):
                    raise self._bad(column, f"a fact is a title and the number of a sentence, got {_short(item)}")
                yield self._item(column, item[0])
            elif _is_number(item) and not numbered:
                raise self._bad(column, f"cannot say whether {item} is a title or a sentence; write [title, number]")
            else:
                yield self._item(column, item)

    def _title_of(self, column: str, record: Mapping[str, Any]) -> Any:
        if "title" not in record:
            raise self._bad(column, f"a record of facts has the key 'title', got {_short(record)}")
        return record["title"]

    def _item(self, column: str, value: Any) -> str:
        """The string of one answer or title; "" for a blank."""
        if value is None:
            return ""
        if (text := _written(value)) is None:
            raise self._bad(column, f"must hold text, got {_short(value)}; {_FIX}")
        if _HALF.search(text):
            raise self._bad(column, f"holds what is no character: {text!a}; save the file as UTF-8")
        return text.strip()

    def _lacking(self, column: str) -> ValueError:
        held = list(self.cells)
        return ValueError(f"{self.place} has no column {column!r}, it has {held}; {self.table.rename}")

    def _bad(self, column: str, what: str) -> ValueError:
        return ValueError(f"{self.place}: {column!r} {what}")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a JSON object, with TWICE as the value of a key that it has twice."""
    cells = dict(pairs)
    if len(cells) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                cells[key] = TWICE
            seen.add(key)
    return cells


def _written(value: Any) -> str | None:
    """Write a value as a person would; None if it can be neither an answer nor a title."""
    match value:
        case str():
            return str(value)
        case bool():
            return None
        case numbers.Integral():
            return str(int(value))
        case float():
            return repr(float(value)) if math.isfinite(value) else None
        case Decimal():
            return format(value, "f") if value.is_finite() else None
        case datetime.datetime():
            day = value.tzinfo is None and value.time() == datetime.time()
            return value.date().isoformat() if day else None
        case datetime.date():
            return value.isoformat()
    return None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal | Number) and not isinstance(value, bool)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else (value,)


def _looks_packed(text: str) -> bool:
    """True for a string in brackets or braces, or one that begins like a list or record in some notation."""
    text = text.strip()
    return text[:1] + text[-1:] in ("[]", "{}") or text[:2] in ('["', "['", "[[", "[{", "[(", '{"', "{'")


def _short(value: Any) -> str:
    shown = "it twice" if value is TWICE else repr(str(value) if isinstance(value, Number) else value)
    return shown if len(shown) <= 200 else f"{shown[:200]}…"
