"""The grammars: how an agent writes a tool call or an answer, and how it is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, runtime_checkable

from turnenv.actions.json_calls import CallForm, as_json, describe, example_call, object_or_text
from turnenv.actions.meaning import Answer, Invalid, Parsed, ToolCall
from turnenv.actions.tags import THINK, closed_spans, find_tag, first_block, misspelt, spoken, thinking_tags
from turnenv.actions.xml_format import format_scores

XML_CALL = CallForm("tool", "args")
HERMES_CALL = CallForm("tool_call", "arguments")


@runtime_checkable
class Grammar(Protocol):
    """One way to write tool calls and answers.

    The first complete action in a text counts, and what follows it is text; what stands inside another action is part
    of that. Thinking holds no action, nor does a turn that was cut inside a thought. What `call` and `answer` write,
    `parse` reads back as the same.
    """

    name: ClassVar[str]
    stop_strings: ClassVar[tuple[str, ...]]

    def parse(self, text: str) -> Parsed:
        """What the agent's text means; never raises."""

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """The part of a system prompt that explains how to act."""

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """A tool call as text that `parse` reads back.

        Raises:
            ValueError: if it cannot be written, or would be read as something else.
        """

    def answer(self, text: str, reasoning: str = "") -> str:
        """An answer as text that `parse` reads back, but for white space around it.

        Raises:
            ValueError: if it cannot be written, or would be read as something else.
        """

    def result(self, text: str) -> str:
        """A tool's result as the agent will see it."""

    def format_scores(self, text: str, parsed: Parsed | None = None) -> Mapping[str, float]:
        """How well a message keeps to the grammar, by name, each from 0 to 1; an empty message earns 0.

        Args:
            text: the message.
            parsed: what `parse` made of it, if that is known: it is not parsed again.
        """


class XmlGrammar:
    """The paper's grammar: `<reasoning>`, then `<tool>` with JSON or `<answer>` (arXiv 2505.11821 v2, App. E.5)."""

    name: ClassVar[str] = "xml"
    stop_strings: ClassVar[tuple[str, ...]] = ("</tool>", "</answer>")
    _REASONING = thinking_tags("reasoning")
    # A message without another "<" has one reading, and this one is found in a tenth of the time.
    _ORDINARY = re.compile(r"\s*(?:<reasoning>[^<`]*</reasoning>\s*)?<(tool|answer)>([^<`]*)</\1>\s*")

    def parse(self, text: str) -> Parsed:
        """The first complete `<tool>` or `<answer>` block outside `<reasoning>` and `<think>`."""
        if ordinary := self._ORDINARY.fullmatch(text):
            return Answer(ordinary[2].strip()) if ordinary[1] == "answer" else XML_CALL.read(ordinary[2])
        said, cut = spoken(text, THINK, self._actions(text, THINK))
        said, unclosed = spoken(said, self._REASONING, self._actions(said, self._REASONING))
        call, answer = XML_CALL.first(said), first_block(said, "answer")
        if answer is not None and (call is None or answer.start < call.start):
            return Answer(answer.body.strip())
        if call is not None:
            return XML_CALL.read(call.body, call.fields)
        return Invalid(self._missing(text, said, cut or unclosed))

    @staticmethod
    def _actions(text: str, tags: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        yield from sorted([*XML_CALL.spans(text), *closed_spans(text, "answer", tags)])

    def _missing(self, text: str, said: str, unclosed: str) -> str:
        form = "write <tool>…</tool> or <answer>…</answer>"
        if not text.strip():
            return f"the message is empty: {form}"
        if unclosed:
            return f"<{unclosed}> was opened but never closed: write </{unclosed}>, then {form.removeprefix('write ')}"
        for tag in ("tool", "answer"):
            if find_tag(said, f"<{tag}>") >= 0:
                return f"<{tag}> was opened but never closed: {form}"
            if misspelt(said, tag):
                return f"the tag <{tag}> has small letters and no spaces: {form}"
        if first_block(text, "tool") or first_block(text, "answer"):
            return f"what stands inside the reasoning is not done: {form}"
        return f"no action found: {form}"

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """Tags, their order, and the tools."""
        return (
            "First write your reasoning inside <reasoning> </reasoning> tags. Then do one of two things, and stop:\n"
            "- call a tool: write one JSON object inside <tool> </tool> tags, such as "
            f"{example_call(tools, 'args')}. The result comes back inside <result> </result> tags;\n"
            "- give the final answer, as short as possible, inside <answer> </answer> tags.\n\n"
            f"Tools:\n{describe(tools)}"
        )

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """`<reasoning>…</reasoning> <tool>{…}</tool>`."""
        return _call_read_back(self, self._reasoning(reasoning) + XML_CALL.write(name, arguments), name, arguments)

    def answer(self, text: str, reasoning: str = "") -> str:
        """`<reasoning>…</reasoning> <answer>…</answer>`."""
        return _answer_read_back(self, f"{self._reasoning(reasoning)}<answer>\n{text}\n</answer>", text)

    def result(self, text: str) -> str:
        """`<result>…</result>`."""
        return f"<result>\n{text}\n</result>"

    def format_scores(self, text: str, parsed: Parsed | None = None) -> Mapping[str, float]:
        """`turnenv.actions.xml_format.format_scores`: the paper's two scores of a message."""
        return format_scores(text)

    @staticmethod
    def _reasoning(text: str) -> str:
        return f"<reasoning>\n{text}\n</reasoning>\n" if text else ""


class HermesGrammar:
    """`<tool_call>` with JSON, as Hermes and Qwen models write it; text without a call is the answer."""

    name: ClassVar[str] = "hermes"
    stop_strings: ClassVar[tuple[str, ...]] = ("</tool_call>",)
    _ORDINARY = re.compile(r"\s*(?:<think>[^<`]*</think>\s*)?<tool_call>([^<`]*)</tool_call>\s*")

    def parse(self, text: str) -> Parsed:
        """The first complete `<tool_call>` outside `<think>`; without one, the text is the answer."""
        if ordinary := self._ORDINARY.fullmatch(text):
            return HERMES_CALL.read(ordinary[1])
        said, unclosed = spoken(text, THINK, HERMES_CALL.spans(text))
        call = HERMES_CALL.first(said) if "<" in said else None
        if call is not None:
            return HERMES_CALL.read(call.body, call.fields)
        if unclosed:
            return Invalid(
                f"<{unclosed}> was opened but never closed: write </{unclosed}>, then the call or the answer"
            )
        if find_tag(said, "<tool_call>") >= 0:
            return Invalid("<tool_call> was opened but never closed: write <tool_call>{…}</tool_call>")
        if "<" in said and misspelt(said, "tool_call"):
            return Invalid("the tag <tool_call> has small letters and no spaces: write <tool_call>{…}</tool_call>")
        if not said.strip():
            return Invalid("the message is empty: call a tool inside <tool_call> </tool_call>, or write the answer")
        return Answer(said.strip())

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """How to call, and the tools."""
        return (
            "To call a tool, write one JSON object inside <tool_call> </tool_call> tags, such as "
            f"{example_call(tools, 'arguments')}, and stop. A message without a call is your final answer: write the "
            f"answer alone, as short as possible.\n\nTools:\n{describe(tools)}"
        )

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """`<think>…</think> <tool_call>{…}</tool_call>`."""
        return _call_read_back(self, self._think(reasoning) + HERMES_CALL.write(name, arguments), name, arguments)

    def answer(self, text: str, reasoning: str = "") -> str:
        """`<think>…</think>`, then the answer."""
        return _answer_read_back(self, self._think(reasoning) + text, text)

    def result(self, text: str) -> str:
        """`<tool_response>…</tool_response>`."""
        return f"<tool_response>\n{text}\n</tool_response>"

    def format_scores(self, text: str, parsed: Parsed | None = None) -> Mapping[str, float]:
        """1.0 if the message can be understood, and ends with the call if it makes one."""
        parsed = parsed or self.parse(text)
        tidy = isinstance(parsed, Answer) or (isinstance(parsed, ToolCall) and text.rstrip().endswith("</tool_call>"))
        return {"format": float(tidy)}

    @staticmethod
    def _think(text: str) -> str:
        return f"<think>\n{text}\n</think>\n" if text else ""


class PlainGrammar:
    """Lines such as `search: capital of France` and `answer: Paris`, for models that know no tags.

    A tool takes its one argument from the line, or a JSON object with all of them.

    Args:
        tools: the names that a line may begin with.
    """

    name: ClassVar[str] = "plain"
    stop_strings: ClassVar[tuple[str, ...]] = ()
    _LINE = re.compile(r"^[ \t]*([A-Za-z_]\w*)[ \t]*:[ \t]*(\S.*)$", re.MULTILINE)

    def __init__(self, tools: Sequence[str] = ("search",)) -> None:
        self._tools = frozenset(tools)

    def parse(self, text: str) -> Parsed:
        """The first line outside `<think>` that names a tool or says `answer`."""
        said, unclosed = spoken(text, THINK)
        for name, rest in self._LINE.findall(said):
            if name.lower() == "answer":
                return Answer(rest.strip())
            if name in self._tools:
                return ToolCall(name, object_or_text(rest.strip()))
        reason = f"no line begins with 'answer:' or a tool's name and a colon ({', '.join(sorted(self._tools))})"
        return Invalid(f"<{unclosed}> was opened but never closed, and {reason}" if unclosed else reason)

    def instructions(self, tools: Sequence[Mapping[str, Any]]) -> str:
        """One line an action."""
        names = " or ".join(f"'{tool['function']['name']}: …'" for tool in tools)
        return (
            f"To use a tool, write a line {names}, and stop. To give the final answer, as short as possible, write a "
            f"line 'answer: …'.\n\nTools:\n{describe(tools)}"
        )

    def call(self, name: str, arguments: Mapping[str, Any], reasoning: str = "") -> str:
        """`name: argument`, or `name: {…}` where the argument alone would be read as something else.

        A name that is none of the grammar's tools is written for an environment that has it.
        """
        reader = self if name in self._tools else PlainGrammar([*self._tools, name])
        only = next(iter(arguments.values())) if len(arguments) == 1 else None
        before = f"{reasoning}\n" if reasoning else ""
        if isinstance(only, str) and reader.parse(bare := f"{before}{name}: {only}") == ToolCall(name, only):
            return bare
        return _call_read_back(reader, f"{before}{name}: {as_json(arguments)}", name, arguments)

    def answer(self, text: str, reasoning: str = "") -> str:
        """`answer: text`; a text of several lines cannot be written."""
        return _answer_read_back(self, f"{reasoning}\nanswer: {text}" if reasoning else f"answer: {text}", text)

    def result(self, text: str) -> str:
        """`result: text`."""
        return f"result: {text}"

    def format_scores(self, text: str, parsed: Parsed | None = None) -> Mapping[str, float]:
        """1.0 if the message can be understood."""
        return {"format": float(not isinstance(parsed or self.parse(text), Invalid))}


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


def _call_read_back(grammar: Grammar, written: str, name: str, arguments: Mapping[str, Any]) -> str:
    read = grammar.parse(written)
    # As JSON, so that a tuple is a list, and NaN is itself.
    told = None if not isinstance(read, ToolCall) or isinstance(read.arguments, str) else as_json(read.arguments)
    if isinstance(read, ToolCall) and read.name == name and told == as_json(arguments):
        return written
    raise ValueError(f"the grammar {grammar.name!r} cannot write this call of {name!r}: {_misread(read)}")


def _answer_read_back(grammar: Grammar, written: str, text: str) -> str:
    read = grammar.parse(written)
    if read == Answer(text.strip()):
        return written
    raise ValueError(f"the grammar {grammar.name!r} cannot write this answer: {_misread(read)}")


def _misread(read: Parsed) -> str:
    if isinstance(read, Invalid):
        return f"it would be refused, because {read.reason}"
    return f"it would be read as {str(read)[:200]}; leave out the tags or lines of actions in it and in the reasoning"
