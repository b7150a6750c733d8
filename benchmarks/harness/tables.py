"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate


def markdown(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are aligned to the right."""
    align = ["left", *["right"] * (len(header) - 1)]
    return tabulate(lines, headers=list(header), tablefmt="github", colalign=align, disable_numparse=True)
