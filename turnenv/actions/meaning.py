"""What an agent's text can mean: a tool call, an answer, or nothing that can be understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Answer", "Invalid", "Parsed", "ToolCall"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The agent calls a tool; nothing is validated yet.

    Attributes:
        name: the tool's name, which may not exist.
        arguments: by name, or a bare string for a tool that takes one argument.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The agent gives its final answer; white space around it is no part of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Invalid:
    """The text holds no action; `reason` tells the agent what was wrong and what is expected."""

    reason: str


Parsed = ToolCall | Answer | Invalid
