"""Tools from typed functions."""

import copy
import pickle
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
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


def echo(text: str, options: dict[str, Any], lines: list[str] = [], number: float = 0.0) -> Any:  # noqa: B006
    """Return what it is given."""
    return text, options, lines, number


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.text(), st.dictionaries(st.text(), json_values, max_size=4), st.lists(st.text(), max_size=3), st.floats(-1, 1)
)
def test_arguments_reach_the_tool_as_they_were_written(text, options, lines, number):
    given_arguments = {"text": text, "options": options, "lines": lines, "number": number}
    ran = Toolbox([echo]).run(ToolCall("echo", given_arguments))
    assert repr(ran) == repr((text, options, lines, number))
