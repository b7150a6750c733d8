"""What is compared: an estimator, `turnenv.credit`'s or the user's own, with options, as the command line writes it."""

from __future__ import annotations

import copy
import functools
import importlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from turnenv.credit import Estimator, TurnBatch, resolve


def parse_methods(text: str, shared: Mapping[str, Any]) -> dict[str, Estimator]:
    """Read `name[:option=value …][,name …]`, where a name may also be `my_module:my_function`.

    Args:
        text: e.g. `grpo_or,mt_grpo,mt_grpo:final_turn=turn+outcome`.
        shared: options that every method is called with.

    Returns:
        The methods by label, in the order of the text.

    Raises:
        ValueError: if a name or an option is unknown, or a method is named twice.
    """
    labels = [part.strip() for part in text.split(",") if part.strip()]
    if not labels or len(set(labels)) < len(labels):
        raise ValueError(f"name at least one method, and each once; got {text!r}")
    return {label: _method(label, shared) for label in labels}


def _method(label: str, shared: Mapping[str, Any]) -> Estimator:
    name, *rest = label.split(":")
    estimator = _imported(name, rest.pop(0)) if rest and "=" not in rest[0] else resolve(name)
    options = {**shared, **dict(_option(label, pair) for pair in rest)}
    method = functools.partial(estimator, **options)
    try:
        copy.deepcopy(method)(_TWO_EPISODES)
    except TypeError as error:
        raise ValueError(f"{label} cannot be called with {options}: {error}") from error
    return method


def _option(label: str, pair: str) -> tuple[str, Any]:
    key, equals, value = pair.partition("=")
    if not equals:
        raise ValueError(f"{label!r}: write an option as name=value, not {pair!r}")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def _imported(module: str, function: str) -> Estimator:
    try:
        found: Estimator = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{module}:{function} cannot be imported: {error}") from error
    return found


_TWO_EPISODES = TurnBatch(
    turn_rewards=np.array([[1.0, 0.0], [0.0, 0.0]]),
    outcome_rewards=np.array([1.0, 0.0]),
    turn_mask=np.ones((2, 2), dtype=bool),
    group_ids=np.zeros(2, dtype=np.int64),
    truncated=np.zeros(2, dtype=bool),
    state_keys=np.zeros((2, 2), dtype=np.int64),
)
