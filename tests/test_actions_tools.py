"""Tools from typed functions."""

import copy
import pickle
from typing import Annotated, Literal

import pytest
from pydantic import Field

from turnenv.actions import Tool, Toolbox, ToolCall, ToolError


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


class Counter:
    """A tool that belongs to an object."""

    def __init__(self):
        self.total = 0
        self.toolbox = Toolbox([self.add])

    def add(self, number: int) -> int:
        """Add a number."""
        self.total += number
        return self.total


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda counter: pickle.loads(pickle.dumps(counter))])
def test_a_copied_toolbox_works_on_the_copied_object(copied):
    counter = Counter()
    counter.toolbox.run(ToolCall("add", {"number": 2}))
    twin = copied(counter)
    assert twin.toolbox.schemas == counter.toolbox.schemas
    assert twin.toolbox.run(ToolCall("add", {"number": 3})) == twin.total == 5
    assert counter.total == 2
    with pytest.raises(ToolError, match="wrong arguments for add: number"):
        twin.toolbox.run(ToolCall("add", {"number": "three"}))
