"""What may be compared: an estimator's name with the options it is called with."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from turnenv.credit import ESTIMATORS

TITLES = {
    "grpo_or": "GRPO-OR",
    "grpo_mr": "GRPO-MR",
    "gdpo": "GDPO",
    "mt_grpo": "MT-GRPO",
    "mt_grpo_released": "MT-GRPO (released code)",
    "return_to_go": "Return-to-go",
    "reinforce_pp": "REINFORCE++",
    "igpo": "IGPO",
    "matchtir": "MatchTIR",
    "gigpo": "GiGPO",
    "placebo": "placebo",
    "aw_grpo": "AW-GRPO (ours)",
    "turn_gae": "turn GAE",
    "vine_ppo": "VinePPO",
    "tree_backup": "tree backup",
    "oracle": "oracle",
}
"""How reports write the names, in the order of reports."""


class Method(BaseModel):
    """An estimator of `turnenv.credit.ESTIMATORS` and the options that differ from its defaults.

    Attributes:
        name: the estimator's name.
        options: keyword arguments of the estimator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """As the command line writes it: `mt_grpo` or `mt_grpo:outcome_weight=0.2`."""
        return ":".join([self.name, *(f"{key}={_plain(value)}" for key, value in sorted(self.options.items()))])

    @property
    def title(self) -> str:
        """As reports write it."""
        options = ", ".join(f"{key}={_plain(value)}" for key, value in sorted(self.options.items()))
        title = TITLES.get(self.name, self.name)
        return f"{title} [{options}]" if options else title


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def parse_methods(text: str) -> tuple[Method, ...]:
    """Read `name[:option=value[:option=value …]][,name…]`, e.g. `grpo_mr,mt_grpo,mt_grpo:accumulate=true`.

    Raises:
        ValueError: if a name or option is unknown, or a method is named twice; the message names the closest ones.
    """
    methods = tuple(_parse_method(part.strip()) for part in text.split(",") if part.strip())
    if not methods:
        raise ValueError(f"name at least one method; known: {', '.join(ESTIMATORS)}")
    labels = [method.label for method in methods]
    if repeated := sorted({label for label in labels if labels.count(label) > 1}):
        raise ValueError(f"named twice: {', '.join(repeated)}; name each method once")
    return methods


def in_report_order(methods: Iterable[Method]) -> list[Method]:
    """Each method once, baselines first."""
    ranks = {name: rank for rank, name in enumerate(TITLES)}
    unique = {method.label: method for method in methods}
    return sorted(unique.values(), key=lambda method: (ranks.get(method.name, len(ranks)), method.label))


def _parse_method(text: str) -> Method:
    name, *pairs = text.split(":")
    if name not in ESTIMATORS:
        raise ValueError(f"no method is named {name!r}; {_closest(name.replace('-', '_'), ESTIMATORS)}")
    known = list(inspect.signature(ESTIMATORS[name]).parameters)[1:]
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{text!r}: write an option as name=value, not {pair!r}")
        if key not in known:
            raise ValueError(f"{name} has no option {key!r}; {_closest(key, known)}")
        options[key] = _value(value)
    return Method(name=name, options=options)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _closest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(name.lower(), names)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}known: {', '.join(names) if names else '(none)'}"
