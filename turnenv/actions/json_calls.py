"""Tool calls as JSON between two tags: found, read, explained where they are wrong, written to be read back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from turnenv.actions.meaning import Invalid, ToolCall
from turnenv.actions.tags import find_tag

__all__ = ["CallBlock", "CallForm", "as_json", "describe", "example_call", "object_or_text"]

LONGEST_CALL = 120_000
"""Characters of a call at most: an argument of 100,000 and what stands around it."""

_JSON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\n\r]*")
_ARGUMENT_KEYS = ("args", "arguments", "parameters", "params", "kwargs", "input", "inputs")
_NAME_KEYS = ("tool", "function", "tool_name", "function_name", "action")
# What some grammar, chat template or stop string takes for a tag, wherever it stands.
_TAG = re.compile(r"<(?=\s*/?\s*(?:tool|answer|reasoning|result|think|thinking|tool_call|tool_response)\s*>)", re.I)


class CallBlock(NamedTuple):
    """A call in a text.

    Attributes:
        start: where its opening tag starts.
        end: where its closing tag starts.
        body: what stands between the tags.
        fields: the JSON object that it is; None if it is none.
    """

    start: int
    end: int
    body: str
    fields: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class CallForm:
    """One way to write a call: `<tag>{"name": …, key: {…}}</tag>`."""

    tag: str
    key: str

    @property
    def example(self) -> str:
        """A call as messages show it."""
        return f'{{"name": "search", "{self.key}": {{"query": "…"}}}}'

    def write(self, name: str, arguments: Mapping[str, Any]) -> str:
        r"""A call between its tags; a tag inside an argument becomes `\u003ctag>`, which JSON reads as the same.

        Raises:
            ValueError: if the arguments are no JSON.
        """
        return f"<{self.tag}>\n{as_json({'name': name, self.key: arguments})}\n</{self.tag}>"

    def first(self, text: str) -> CallBlock | None:
        """The first call whose tags are closed, JSON or not; of several opening tags before one end tag, the last."""
        return next(self._blocks(text), None)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where the complete calls stand: a tag inside the JSON of one is data."""
        return ((block.start, block.end) for block in self._blocks(text) if block.fields is not None)

    def read(self, body: str, fields: Any = None) -> ToolCall | Invalid:
        """The call between two tags; the arguments may stand under another known key, if under one alone.

        Args:
            body: what stands between the tags.
            fields: the JSON that this is, if it is known.
        """
        if fields is None:
            if len(body) > LONGEST_CALL:
                return Invalid(f"the tool call is longer than {LONGEST_CALL} characters")
            try:
                fields = _JSON.decode(body)
            except (ValueError, RecursionError) as error:
                problem = _problem(body, error)
                return Invalid(f"the tool call is not valid JSON ({problem}): write {self.example}")
        if not isinstance(fields, dict) or not isinstance(fields.get("name"), str):
            return Invalid(f"{_no_name(fields)}: write {self.example}")
        return self._with_arguments(fields)

    def _with_arguments(self, fields: Mapping[str, Any]) -> ToolCall | Invalid:
        if fields.keys() == {"name", self.key} and isinstance(fields[self.key], dict):
            return ToolCall(fields["name"], fields[self.key])
        there = [key for key in _ARGUMENT_KEYS if key in fields]
        if len(there) > 1:
            there = [key for key in there if fields[key]] or there[:1]
        if len(there) > 1:
            return Invalid(f"arguments stand under {there[0]!r} and under {there[1]!r}: write {self.example}")
        if not there:
            loose = next((key for key in fields if key not in ("name", "id", "type")), None)
            if loose is not None:
                return Invalid(f"{loose[:40]!r} stands beside 'name', not inside {self.key!r}: write {self.example}")
            return ToolCall(fields["name"], {})
        if not isinstance(fields.get(there[0]), dict):
            return Invalid(f"{there[0]!r} is not a JSON object: write {self.example}")
        return ToolCall(fields["name"], fields[there[0]])

    def _blocks(self, text: str) -> Iterator[CallBlock]:
        opening, closing = f"<{self.tag}>", f"</{self.tag}>"
        start, end = find_tag(text, opening), -1
        while start >= 0:
            inside = start + len(opening)
            if end < inside:
                end = find_tag(text, closing, inside)
            if end < 0:
                return
            following = find_tag(text, opening, inside)
            block = _json_block(text, start, inside, end, closing)
            if block is None and not 0 <= following < end:
                block = CallBlock(start, end, text[inside:end], None)
            if block is not None:
                yield block
                following = find_tag(text, opening, block.end)
            start = following


def as_json(fields: Mapping[str, Any]) -> str:
    r"""JSON on one line, any character as it is, but `<` before a known tag's name as `\u003c`.

    Raises:
        ValueError: if something in it is no JSON.
    """
    try:
        return _TAG.sub(r"\\u003c", json.dumps(fields, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"arguments are written as JSON, and these cannot be: {error}") from None


def object_or_text(text: str) -> Mapping[str, Any] | str:
    """The JSON object that a text is, or the text itself."""
    if text.startswith("{") and len(text) <= LONGEST_CALL:
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, dict):
            return fields
    return text


def _json_block(text: str, start: int, inside: int, end: int, closing: str) -> CallBlock | None:
    """The block if a whole JSON object and the closing tag follow; `end` is the first place where that can be."""
    first = _past_space(text, inside)
    if text[first : first + 1] != "{" or end - inside > LONGEST_CALL:
        return None
    # A piece, because an error message of JSON counts the lines from the start.
    piece = text[first : inside + LONGEST_CALL]
    try:
        fields, length = _JSON.raw_decode(piece)
    except (ValueError, RecursionError):
        return None
    end = _past_space(text, first + length)
    return CallBlock(start, end, text[inside:end], fields) if text.startswith(closing, end) else None


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _no_name(fields: Any) -> str:
    other = next((key for key in _NAME_KEYS if key in fields), None) if isinstance(fields, dict) else None
    if other is not None and "name" not in fields:
        return f"the tool's name stands under {other!r}, not under 'name'"
    return "the tool call names no tool"


def _problem(body: str, error: Exception) -> str:
    """What is wrong with the JSON, in the words of its author's mistake where that is a known one."""
    at = error.pos if isinstance(error, json.JSONDecodeError) else 0
    before, after = body[:at].rstrip(), body[at : at + 10].lstrip()
    if body.lstrip().startswith("```"):
        return "it stands in a code fence: leave out the backticks"
    if after.startswith("'"):
        return "JSON takes double quotes, not single ones"
    if before.endswith(",") and after[:1] in ("}", "]"):
        return "a comma stands before a closing bracket"
    if after.startswith(("True", "False", "None")):
        return "JSON has true, false and null"
    if "control character" in str(error) and body[at:].strip():
        return r"a line break inside a string is written \n"
    return str(error)


def example_call(tools: Sequence[Mapping[str, Any]], key: str) -> str:
    """A call of the first tool, as instructions show it."""
    if not tools:
        return as_json({"name": "tool", key: {}})
    function = tools[0]["function"]
    return as_json({"name": function["name"], key: dict.fromkeys(function["parameters"]["properties"], "…")})


def describe(tools: Sequence[Mapping[str, Any]]) -> str:
    """A line per tool and per argument, as instructions list them."""
    lines = []
    for tool in tools:
        function = tool["function"]
        lines.append(f"{function['name']}: {function['description']}")
        for name, schema in function["parameters"]["properties"].items():
            about = f": {schema['description']}" if "description" in schema else ""
            lines.append(f"  {name} ({schema.get('type', 'any')}){about}")
    return "\n".join(lines)
