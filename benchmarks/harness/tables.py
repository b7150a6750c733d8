"""How answers are printed: tables as Markdown for people, one JSON document for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from tabulate import tabulate

Value = str | int | float | None
"""A cell; None, NaN and infinity are shown as "–" and are null in JSON."""
Rows = Sequence[Mapping[str, Value]]
"""Rows by column title; all of a table have the same columns."""


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are aligned to the right."""
    align = ["left", *["right"] * (len(header) - 1)]
    return tabulate(lines, headers=list(header), tablefmt="github", colalign=align, disable_numparse=True)


def print_tables(tables: Mapping[str, Rows], formats: Mapping[str, str], *, as_json: bool) -> None:
    """Print tables one below another, or all of them as one JSON document.

    Args:
        tables: name → rows; the names are the document's keys, beside `"schema": 1`.
        formats: column title → how Markdown shows its numbers, e.g. `".2f"`.
        as_json: whether to print the document.
    """
    if as_json:
        plain = {name: [{key: _known(value) for key, value in row.items()} for row in tables[name]] for name in tables}
        print(json.dumps({"schema": 1, **plain}, allow_nan=False, ensure_ascii=False))
        return
    filled = [rows for rows in tables.values() if rows]
    print("\n\n".join(markdown([*rows[0]], [_line(row, formats) for row in rows]) for rows in filled))


def _line(row: Mapping[str, Value], formats: Mapping[str, str]) -> list[str]:
    known = {title: _known(value) for title, value in row.items()}
    return ["–" if value is None else format(value, formats.get(title, "")) for title, value in known.items()]


def _known(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
