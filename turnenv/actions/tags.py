"""Tags in an agent's text: what stands between a pair of them, and what was thinking."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["THINK", "Block", "Spoken", "closed_spans", "find_tag", "first_block", "misspelt", "spoken", "thinking_tags"]


class Block(NamedTuple):
    """What a pair of tags holds, and where the opening tag starts."""

    start: int
    body: str


class Spoken(NamedTuple):
    """A text without its thinking; `unclosed` is the name of the tag that opened a thought without an end, or ""."""

    text: str
    unclosed: str


def find_tag(text: str, tag: str, start: int = 0) -> int:
    """Where a tag stands next, or -1; one that is quoted in backticks, as in "use `<tool>`", is prose."""
    at = text.find(tag, start)
    while at > 0 and _quoted(text, at, at + len(tag)):
        at = text.find(tag, at + len(tag))
    return at


def first_block(text: str, tag: str) -> Block | None:
    """The first `<tag>` that is closed; linear in the text, which a lazy regular expression is not."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    start = find_tag(text, opening)
    end = find_tag(text, closing, start + len(opening)) if start >= 0 else -1
    return None if end < 0 else Block(start, text[start + len(opening) : end])


def misspelt(text: str, tag: str) -> bool:
    """True if the text opens `<tag>` in other letters or with spaces, as in `<Tool>` or `< tool >`."""
    opening = f"<{tag}>"
    found = re.finditer(rf"<\s*{tag}\s*>", text, re.IGNORECASE)
    return any(mark[0] != opening and not _quoted(text, *mark.span()) for mark in found)


def thinking_tags(*names: str) -> re.Pattern[str]:
    """A pattern for the tags around a thought, in any case and spacing: nothing that models think is an action."""
    return re.compile(rf"<\s*(/?)\s*({'|'.join(names)})\s*>", re.IGNORECASE)


THINK = thinking_tags("think", "thinking")
"""The tags that models themselves put around their thinking."""


def spoken(text: str, tags: re.Pattern[str], whole: Iterable[tuple[int, int]] = ()) -> Spoken:
    """Leave out the thinking: what stands between its tags, and all before an end tag whose begin tag is missing.

    Chat templates of reasoning models write the begin tag into the prompt, so that a turn starts inside the thought.
    An end tag too many after a thought that began in this text, and held no second begin tag, is text.

    Args:
        text: the agent's text.
        tags: see `thinking_tags`.
        whole: spans, in order of their starts, inside which a tag is only data; read only if there is a thinking tag.
    """
    marks = [mark for mark in tags.finditer(text) if not _quoted(text, *mark.span())] if "<" in text else []
    if not marks:
        return Spoken(text, "")
    pieces, start, unclosed, missing = list[str](), 0, "", 0
    for mark in _outside(marks, whole):
        ends = bool(mark[1])
        if not pieces and (ends or text[: mark.start()].strip()):
            missing = len(marks)  # The thought may have begun in the prompt, and any end tag may be its own.
        if ends and unclosed:
            start, unclosed = mark.end(), ""
        elif ends and missing:
            pieces, start, missing = [""], mark.end(), missing - 1
        elif unclosed:
            missing += 1
        elif not ends:
            pieces.append(text[start : mark.start()])
            unclosed = mark[2].lower()
    return Spoken("".join(pieces if unclosed else [*pieces, text[start:]]), unclosed)


def closed_spans(text: str, tag: str, tags: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where pairs of `<tag>` stand; a thought only mentions one whose first thinking tag is an end tag."""
    opening, closing = f"<{tag}>", f"</{tag}>"
    start, end, mark = find_tag(text, opening), -1, tags.search(text)
    while start >= 0 and mark is not None:
        if end < start:
            end = find_tag(text, closing, start)
        if mark.start() < start:
            mark = tags.search(text, start)
        if end < 0 or mark is None:
            return
        mentioned = mark.start() < end and mark[1]
        if not mentioned:
            yield start, end
        start = find_tag(text, opening, mark.end() if mentioned else end)


def _outside(marks: Sequence[re.Match[str]], spans: Iterable[tuple[int, int]]) -> Iterator[re.Match[str]]:
    rest = iter(spans)
    start, end = next(rest, (len(marks[0].string), 0))
    for mark in marks:
        while mark.start() >= end > start:
            start, end = next(rest, (len(mark.string), 0))
        if mark.start() < start:
            yield mark


def _quoted(text: str, start: int, end: int) -> bool:
    return start > 0 and text[start - 1] == "`" and text[end : end + 1] == "`"
