"""Reads a Google docstring: its prose, and its arguments by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns):\n", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w+): ", re.MULTILINE)


def read_docstring(documented: object) -> tuple[str, Mapping[str, str]]:
    """The prose before the first section, and what the section "Args" says of each argument, on one line."""
    prose, *sections = _SECTION.split(inspect.getdoc(documented) or "")
    bodies = dict(zip(sections[::2], sections[1::2], strict=True))
    _, *entries = _ENTRY.split(bodies.get("Args", ""))
    return prose.strip(), {name: " ".join(text.split()) for name, text in zip(entries[::2], entries[1::2], strict=True)}
