"""Markdown of the environments' pages: tables, and blocks of wrapped lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tabulate import tabulate

_WIDTH = 90


def table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    """A table whose cells may contain any text."""
    cells = [[str(cell).replace("|", r"\|") for cell in row] for row in rows]
    return tabulate(cells, headers, tablefmt="pipe", disable_numparse=True)


def block(text: str, indent: int = 2) -> str:
    """A block of plain text; the rest of a long line is indented by so many spaces."""
    lines = []
    for line in text.splitlines():
        lines += textwrap.wrap(line, _WIDTH, subsequent_indent=" " * indent, break_long_words=False) or [""]
    return "\n".join(["```text", *lines, "```"])
