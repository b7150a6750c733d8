"""A typed Python function becomes a tool: its schema is derived, and the agent's arguments are validated."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model

from turnenv.actions.meaning import ToolCall


class ToolError(ValueError):
    """The agent's call cannot be run; the message tells the agent why."""


class Tool:
    """A function that agents can call.

    The name and description are the function's name and docstring; parameters need type annotations, and
    `Annotated[str, pydantic.Field(description="…")]` describes one.

    Args:
        function: what the tool does; it may raise `ToolError` to tell the agent why a call cannot be run.

    Raises:
        TypeError: if a parameter has no annotation, or takes a variable number of arguments.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = function.__name__
        fields: dict[str, Any] = {}
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            if parameter.annotation is parameter.empty or parameter.kind in (
                parameter.VAR_POSITIONAL,
                parameter.VAR_KEYWORD,
            ):
                raise TypeError(f"tool {self.name!r}: annotate the parameter {parameter.name!r} with one type")
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[parameter.name] = (parameter.annotation, default)
        self._arguments = create_model(self.name, __config__=ConfigDict(extra="forbid", strict=True), **fields)
        self._names = tuple(fields)

    def __reduce__(self) -> tuple[type[Tool], tuple[Callable[..., Any]]]:
        """Pickles hold the function; its model of arguments is made anew, for it belongs to no module."""
        return type(self), (self.function,)

    @property
    def schema(self) -> dict[str, Any]:
        """The tool as JSON schema, in the form that chat templates and chat APIs take."""
        parameters = self._arguments.model_json_schema()
        parameters.pop("title", None)
        for field in parameters.get("properties", {}).values():
            field.pop("title", None)
        description = inspect.getdoc(self.function) or ""
        return {
            "type": "function",
            "function": {"name": self.name, "description": description, "parameters": parameters},
        }

    def validate(self, arguments: Mapping[str, Any] | str) -> dict[str, Any]:
        """The arguments, checked and by name.

        Raises:
            ToolError: if one is missing, unknown or of the wrong type; the message names each.
        """
        if isinstance(arguments, str):
            if len(self._names) != 1:
                raise ToolError(f"{self.name} takes the arguments {', '.join(self._names)}: write them as JSON")
            arguments = {self._names[0]: arguments}
        try:
            checked = self._arguments.model_validate(dict(arguments))
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:3])
            raise ToolError(f"wrong arguments for {self.name}: {faults}") from None
        # The model's own values: `getattr` by field takes as long as the validation.
        return dict(vars(checked))


class Toolbox:
    """The tools of one environment, by name."""

    def __init__(self, functions: Iterable[Callable[..., Any]]) -> None:
        self._tools = {tool.name: tool for tool in map(Tool, functions)}

    @property
    def schemas(self) -> tuple[dict[str, Any], ...]:
        """The schema of each tool."""
        return tuple(tool.schema for tool in self._tools.values())

    def run(self, call: ToolCall) -> Any:
        """What the tool returns.

        Raises:
            ToolError: if there is no such tool or its arguments are wrong; anything else is the tool's own.
        """
        tool = self._tools.get(call.name)
        if tool is None:
            raise ToolError(f"there is no tool {call.name[:80]!r}; the tools are {', '.join(self._tools)}")
        return tool.function(**tool.validate(call.arguments))
