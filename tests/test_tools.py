"""Tools from typed functions."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from turnenv.actions import ToolCall
from turnenv.tools import Tool, Toolbox, ToolError


def refund(order: int, reason: Annotated[str, Field(description="why")], speed: Literal["slow", "fast"] = "slow"):
    """Refund an order."""
    return f"{order} {reason} {speed}"


def shout(text: str) -> str:
    """Say it loudly."""
    return text.upper()


def test_schema_golden():
    assert Tool(refund).schema == {
        "type": "function",
        "function": {
            "name": "refund",
            "description": "Refund an order.",
            "parameters": {
                "type": "object",
                "properties": {
                    "order": {"type": "integer"},
                    "reason": {"type": "string", "description": "why"},
                    "speed": {"type": "string", "enum": ["slow", "fast"], "default": "slow"},
                },
                "required": ["order", "reason"],
                "additionalProperties": False,
            },
        },
    }


def test_a_call_runs_with_validated_arguments():
    box = Toolbox([refund, shout])
    assert box.run(ToolCall("refund", {"order": 3, "reason": "late"})) == "3 late slow"
    assert box.run(ToolCall("shout", "hey")) == "HEY"
    assert [schema["function"]["name"] for schema in box.schemas] == ["refund", "shout"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ToolCall("refnd", {}), "the tools are refund, shout"),
        (ToolCall("refund", {"order": "3", "reason": "late"}), "order: Input should be a valid integer"),
        (ToolCall("refund", {"order": 3}), "reason: Field required"),
        (ToolCall("refund", {"order": 3, "reason": "x", "amount": 9}), "amount: Extra inputs"),
        (ToolCall("refund", {"order": 3, "reason": "x", "speed": "now"}), "speed"),
        (ToolCall("refund", "3"), "write them as JSON"),
        (ToolCall("shout", {}), "text: Field required"),
    ],
)
def test_a_wrong_call_is_explained(call, said):
    with pytest.raises(ToolError, match=said):
        Toolbox([refund, shout]).run(call)


def test_an_untyped_function_is_no_tool():
    with pytest.raises(TypeError, match="annotate the parameter 'x'"):
        Tool(lambda x: x)
