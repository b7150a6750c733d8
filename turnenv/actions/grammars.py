"""From the agent's text to what it means: a tool call, an answer, or nothing that can be understood."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from turnenv.actions.xml_format import first_block, format_scores

_LONGEST_CALL = 100_000
_read_json = json.JSONDecoder().decode


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent calls a tool; nothing is validated yet.

    Attributes:
        name: the tool's name, which may not exist.
        arguments: by name, or a bare text for a tool that takes one argument.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The agent gives its final answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """The text holds no action; `reason` tells the agent what was wrong and what is expected."""

    reason: str


Parsed = ToolCall | Answer | Invalid


class Grammar(Protocol):
    """One way to write tool calls and answers. The first complete action in a text counts; what follows is text."""

    name: ClassVar[str]
    stop_strings: ClassVar[tuple[str, ...]]

    def parse(self, text: str) -> Parsed:
        """What the agent's text means; never raises."""

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """The part of a system prompt that explains how to act."""

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """A tool call as text that `parse` reads back."""

    def answer(self, text: str, reasoning: str = "") -> str:
        """An answer as text that `parse` reads back."""

    def result(self, text: str) -> str:
        """A tool's result as the agent will see it."""

    def format_scores(self, text: str) -> Mapping[str, float]:
        """How well a message keeps to the grammar, by name, each from 0 to 1; an empty message earns 0."""


class XmlGrammar:
    """The paper's grammar: `<reasoning>`, then `<tool>` with JSON or `<answer>` (arXiv 2505.11821 v2, App. E.5)."""

    name: ClassVar[str] = "xml"
    stop_strings: ClassVar[tuple[str, ...]] = ("</tool>", "</answer>")

    def parse(self, text: str) -> Parsed:
        """The first complete `<tool>` or `<answer>` block."""
        call, answer = first_block(text, "tool"), first_block(text, "answer")
        if answer is not None and (call is None or answer.start < call.start):
            return Answer(answer.body.strip())
        if call is None:
            return Invalid(_missing(text, "<tool>", "<answer>", "<tool>…</tool> or <answer>…</answer>"))
        return _json_call(call.body, "args", '{"name": "search", "args": {"query": "…"}}')

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Tags, their order, and the tools."""
        return (
            "First write your reasoning inside <reasoning> </reasoning> tags. Then do one of two things, and stop:\n"
            "- call a tool: write one JSON object inside <tool> </tool> tags, such as "
            f"{_example_call(tools, 'args')}. The result comes back inside <result> </result> tags;\n"
            "- give the final answer, as short as possible, inside <answer> </answer> tags.\n\n"
            f"Tools:\n{_describe(tools)}"
        )

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """`<reasoning>…</reasoning> <tool>{…}</tool>`."""
        return f"{self._reasoning(reasoning)}<tool>\n{_dumps({'name': name, 'args': arguments})}\n</tool>"

    def answer(self, text: str, reasoning: str = "") -> str:
        """`<reasoning>…</reasoning> <answer>…</answer>`."""
        return f"{self._reasoning(reasoning)}<answer>\n{text}\n</answer>"

    def result(self, text: str) -> str:
        """`<result>…</result>`."""
        return f"<result>\n{text}\n</result>"

    def format_scores(self, text: str) -> Mapping[str, float]:
        """`turnenv.actions.xml_format.format_scores`: the paper's two scores of a message."""
        return format_scores(text)

    @staticmethod
    def _reasoning(text: str) -> str:
        return f"<reasoning>\n{text}\n</reasoning>\n" if text else ""


class HermesGrammar:
    """`<tool_call>` with JSON, as Hermes and Qwen models write it; text without a call is the answer."""

    name: ClassVar[str] = "hermes"
    stop_strings: ClassVar[tuple[str, ...]] = ("</tool_call>",)
    _THINKING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)

    def parse(self, text: str) -> Parsed:
        """The first complete `<tool_call>` outside `<think>`; without one, the text is the answer."""
        spoken = self._THINKING.sub("", text)
        call = first_block(spoken, "tool_call")
        if call is not None:
            return _json_call(call.body, "arguments", '{"name": "search", "arguments": {"query": "…"}}')
        if "<tool_call>" in spoken:
            return Invalid("<tool_call> was opened but never closed: write <tool_call>{…}</tool_call>")
        if not spoken.strip():
            return Invalid("the message is empty: call a tool inside <tool_call> </tool_call>, or write the answer")
        return Answer(spoken.strip())

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """How to call, and the tools."""
        return (
            "To call a tool, write one JSON object inside <tool_call> </tool_call> tags, such as "
            f"{_example_call(tools, 'arguments')}, and stop. A message without a call is your final answer: write the "
            f"answer alone, as short as possible.\n\nTools:\n{_describe(tools)}"
        )

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """`<think>…</think> <tool_call>{…}</tool_call>`."""
        return f"{self._think(reasoning)}<tool_call>\n{_dumps({'name': name, 'arguments': arguments})}\n</tool_call>"

    def answer(self, text: str, reasoning: str = "") -> str:
        """`<think>…</think>`, then the answer."""
        return f"{self._think(reasoning)}{text}"

    def result(self, text: str) -> str:
        """`<tool_response>…</tool_response>`."""
        return f"<tool_response>\n{text}\n</tool_response>"

    def format_scores(self, text: str) -> Mapping[str, float]:
        """1.0 if the message can be understood, and ends with the call if it makes one."""
        parsed = self.parse(text)
        tidy = isinstance(parsed, Answer) or (isinstance(parsed, ToolCall) and text.rstrip().endswith("</tool_call>"))
        return {"format": float(tidy)}

    @staticmethod
    def _think(text: str) -> str:
        return f"<think>\n{text}\n</think>\n" if text else ""


class PlainGrammar:
    """Lines such as `search: capital of France` and `answer: Paris`, for models that know no tags.

    A tool takes its one argument from the line, or a JSON object with all of them.
    """

    name: ClassVar[str] = "plain"
    stop_strings: ClassVar[tuple[str, ...]] = ()
    _LINE = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*:[ \t]*(\S.*)$", re.MULTILINE)

    def __init__(self, tools: Sequence[str] = ("search",)) -> None:
        self._tools = frozenset(tools)

    def parse(self, text: str) -> Parsed:
        """The first line that names a tool or says `answer`."""
        for name, rest in self._LINE.findall(text):
            if name.lower() == "answer":
                return Answer(rest.strip())
            if name in self._tools:
                return ToolCall(name, _arguments(rest.strip()))
        return Invalid(f"no line begins with 'answer:' or a tool's name and a colon ({', '.join(sorted(self._tools))})")

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """One line an action."""
        names = " or ".join(f"'{tool['function']['name']}: …'" for tool in tools)
        return (
            f"To use a tool, write a line {names}, and stop. To give the final answer, as short as possible, write a "
            f"line 'answer: …'.\n\nTools:\n{_describe(tools)}"
        )

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """`name: argument`."""
        only = next(iter(arguments.values())) if len(arguments) == 1 else None
        said = only if isinstance(only, str) else _dumps(arguments)
        return f"{reasoning}\n{name}: {said}" if reasoning else f"{name}: {said}"

    def answer(self, text: str, reasoning: str = "") -> str:
        """`answer: text`."""
        return f"{reasoning}\nanswer: {text}" if reasoning else f"answer: {text}"

    def result(self, text: str) -> str:
        """`result: text`."""
        return f"result: {text}"

    def format_scores(self, text: str) -> Mapping[str, float]:
        """1.0 if the message can be understood."""
        return {"format": float(not isinstance(self.parse(text), Invalid))}


GRAMMARS: Mapping[str, type[XmlGrammar] | type[HermesGrammar] | type[PlainGrammar]] = {
    "xml": XmlGrammar,
    "hermes": HermesGrammar,
    "plain": PlainGrammar,
}


def make_grammar(grammar: str | Grammar) -> Grammar:
    """A grammar by name, or the grammar itself.

    Raises:
        ValueError: if no grammar has that name.
    """
    if not isinstance(grammar, str):
        return grammar
    if grammar not in GRAMMARS:
        close = difflib.get_close_matches(grammar, GRAMMARS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown grammar {grammar!r}, known are {sorted(GRAMMARS)}{hint}")
    return GRAMMARS[grammar]()


def _missing(text: str, *tags_and_form: str) -> str:
    *tags, form = tags_and_form
    if not text.strip():
        return f"the message is empty: write {form}"
    opened = [tag for tag in tags if tag in text]
    return f"{opened[0]} was opened but never closed: write {form}" if opened else f"no action found: write {form}"


def _json_call(body: str, arguments_key: str, form: str) -> ToolCall | Invalid:
    if len(body) > _LONGEST_CALL:
        return Invalid(f"the tool call is longer than {_LONGEST_CALL} characters")
    try:
        fields = _read_json(body)
    except (ValueError, RecursionError) as error:
        return Invalid(f"the tool call is not valid JSON ({error}): write {form}")
    if not isinstance(fields, dict) or not isinstance(fields.get("name"), str):
        return Invalid(f"the tool call names no tool: write {form}")
    arguments = fields.get(arguments_key, {})
    if not isinstance(arguments, dict):
        return Invalid(f"{arguments_key!r} is not a JSON object: write {form}")
    return ToolCall(fields["name"], arguments)


def _arguments(rest: str) -> Mapping[str, Any] | str:
    if rest.startswith("{") and len(rest) <= _LONGEST_CALL:
        try:
            fields = json.loads(rest)
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, dict):
            return fields
    return rest


def _dumps(fields: Mapping[str, Any]) -> str:
    return json.dumps(fields, ensure_ascii=False)


def _example_call(tools: Sequence[Mapping[str, Any]], arguments_key: str) -> str:
    if not tools:
        return _dumps({"name": "tool", arguments_key: {}})
    function = tools[0]["function"]
    return _dumps({"name": function["name"], arguments_key: dict.fromkeys(function["parameters"]["properties"], "…")})


def _describe(tools: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for tool in tools:
        function = tool["function"]
        lines.append(f"{function['name']}: {function['description']}")
        for name, schema in function["parameters"]["properties"].items():
            about = f": {schema['description']}" if "description" in schema else ""
            lines.append(f"  {name} ({schema.get('type', 'any')}){about}")
    return "\n".join(lines)
