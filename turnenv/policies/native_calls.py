"""A server's tool calls as the environment's own text, and back: nothing that the model did is lost on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from turnenv.actions import Grammar, Invalid
from turnenv.policies.chat_answer import NativeCall

__all__ = ["NOT_RUN", "action_text", "assistant_message", "native_prompt"]

_HOW_TO_ACT = (
    "Act by calling the tools, one call per message. A message without a call is your final answer: write the answer "
    "alone, as short as possible."
)
#: What every call but the first of a message is answered with.
NOT_RUN = "Not run: of several calls in one message, the first counts."
_THOUGHT = re.compile(r"\s*<think>(.*?)</think>\s*", re.DOTALL)
_PLACE = {"arguments": 0}


def native_prompt(system_prompt: str, tools: Sequence[Mapping[str, Any]], grammar: Grammar) -> str:
    """The system prompt with the grammar's instructions replaced by those for native calls, or these added to it."""
    instructions = grammar.instructions(tools)
    if instructions in system_prompt:
        return system_prompt.replace(instructions, _HOW_TO_ACT)
    return f"{system_prompt}\n\n{_HOW_TO_ACT}".strip()


def action_text(grammar: Grammar, content: str, calls: Sequence[NativeCall]) -> str:
    """What the environment is given for a message.

    Calls are written by the grammar, all of them in order, of which the environment takes the first; text beside a
    call is its reasoning. A message without a call is the final answer, unless its text is an action as it stands.
    """
    if not calls:
        return _answer(grammar, content)
    first, *others = calls
    return "\n".join([_call(grammar, first, content.strip()), *(_call(grammar, call) for call in others)])


def assistant_message(content: str, calls: Sequence[NativeCall]) -> dict[str, Any]:
    """The model's message as the server takes it back."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(_arguments(call, {"text": call.arguments}))},
            }
            for call in calls
        ]
    return message


def _answer(grammar: Grammar, content: str) -> str:
    thought = _THOUGHT.match(content)
    said = content[thought.end() :] if thought else content
    if not said.strip() or not isinstance(grammar.parse(content), Invalid):
        return content
    try:
        return grammar.answer(said.strip(), thought[1].strip() if thought else "")
    except ValueError:
        return content


def _call(grammar: Grammar, call: NativeCall, reasoning: str = "") -> str:
    """The call as text; what the grammar cannot write, or no JSON object, is text that the environment refuses."""
    arguments = _arguments(call, None)
    forms = [(arguments, said) for said in (reasoning, "") if arguments is not None]
    for written, said in [*forms, (_PLACE, reasoning), (_PLACE, "")]:
        try:
            text = grammar.call(call.name, written, said)
        except ValueError:
            continue
        return text.replace(json.dumps(_PLACE), call.arguments) if written is _PLACE else text
    return f"{call.name} {call.arguments}"


def _arguments(call: NativeCall, otherwise: Any) -> Any:
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return otherwise
    return arguments if isinstance(arguments, dict) else otherwise
