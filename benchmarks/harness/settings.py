"""Settings of a run, declared once: a pydantic model is the record, the command-line options and their explanation."""

from __future__ import annotations

import argparse
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agents.options import json_object

Model = TypeVar("Model", bound=BaseModel)

DERIVED = "derived"
"""Marks a field that is computed and is not an option: `Annotated[str, DERIVED]`."""


def option_of(name: str) -> str:
    """How a command line writes a field: `--learning-rate`."""
    return f"--{name.replace('_', '-')}"


def options_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that are options, by name."""
    return {name: field for name, field in model.model_fields.items() if DERIVED not in field.metadata}


def add_settings(parser: argparse.ArgumentParser, model: type[BaseModel], *names: str) -> None:
    """Add an option for each of a model's fields, with its type, its default and its description as the help.

    Args:
        parser: to add to.
        model: numbers, strings, literals and dictionaries are understood.
        *names: of the fields; by default all but the derived ones.
    """
    for name, field in options_of(model).items():
        if not names or name in names:
            default = field.get_default(call_default_factory=True, validated_data={})
            help_text = (field.description or "").replace("%", "%%")
            parser.add_argument(option_of(name), default=default, help=help_text, **_kind(field.annotation))


def read_settings(model: type[Model], given: argparse.Namespace, **others: Any) -> Model:
    """The settings that a command line gives.

    Args:
        model: whose options were added.
        given: the parsed command line.
        **others: fields with other values than the command line's, among them the derived ones.

    Raises:
        ValueError: if a value is out of range; the message names the option.
    """
    values = {name: getattr(given, name) for name in options_of(model) if hasattr(given, name)}
    try:
        return model(**{**values, **others})
    except ValidationError as error:
        lines = [
            f"{option_of(str(found['loc'][0]))}: {found['msg'][:1].lower()}{found['msg'][1:]}; got {found['input']!r}"
            for found in error.errors()
        ]
        raise ValueError("; ".join(lines)) from error


def _kind(annotation: Any) -> dict[str, Any]:
    if get_origin(annotation) is Literal:
        return {"choices": get_args(annotation)}
    if get_origin(annotation) is dict:
        return {"type": json_object, "metavar": "JSON"}
    return {"type": annotation}
