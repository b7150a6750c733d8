"""A method, that is an estimator with its options: read from command lines, checked, named in reports."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Collection, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from turnenv.credit import ESTIMATORS, SPECS, TRAINING_FIELDS, Estimator, check_estimator, resolve
from turnenv.credit.checks import check_options
from turnenv.credit.table import spec_of

HELP = (
    "name[:option=value…],… of the estimators "
    + ", ".join(SPECS)
    + "; your own is module:function or file.py:function (a class is made anew for each run)"
)
"""What `--help` says of an option that takes methods."""


class Method(BaseModel):
    """An estimator and the options that differ from its defaults.

    Attributes:
        name: one of `turnenv.credit.ESTIMATORS`, or a user's own as `module:function` or `file.py:function`.
        options: keyword arguments of the estimator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def label(self) -> str:
        """As the command line writes it: `mt_grpo` or `mt_grpo:lam=0.2`."""
        return ":".join([self.name, *(f"{key}={_plain(value)}" for key, value in sorted(self.options.items()))])

    @property
    def title(self) -> str:
        """As reports write it."""
        options = ", ".join(f"{key}={_plain(value)}" for key, value in sorted(self.options.items()))
        if self.label in _RECIPES:
            return _RECIPES[self.label]
        title = SPECS[self.name].title if self.name in SPECS else self.name
        return f"{title} [{options}]" if options else title

    def estimator(self) -> Estimator:
        """The estimator for one run, made anew, with its options."""
        return functools.partial(resolve(self.name), **self.options)


# Settings of an estimator that have a recipe and a name of their own in agents/ and baselines/.
_RECIPES = {
    "turn_gae:rewards=turn": "MT-PPO",
    "turn_gae:rewards=outcome": "PPO-OR",
    "turn_gae:rewards=merged": "PPO-MR",
}


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def parse_methods(text: str) -> tuple[Method, ...]:
    """Read `name[:option=value[:option=value …]][,name…]`, e.g. `grpo_mr,mt_grpo:accumulate=true,mine.py:scaled:by=2`.

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


def check_methods(methods: Iterable[Method], supplied: Collection[str] = TRAINING_FIELDS) -> None:
    """Check that methods can run where batches have these optional fields, by calling each on a small batch.

    Args:
        methods: to check.
        supplied: optional fields of a `TurnBatch` that are filled.

    Raises:
        ValueError: if one needs another field, fails, or refuses its options.
    """
    for method in methods:
        check_estimator(method.name, method.options, supplied)


def own_code(method: Method) -> str:
    """A hash of the file that defines a user's own estimator; empty for turnenv's, whose code provenance records."""
    return "" if method.name in SPECS else hash_code(resolve(method.name))


def hash_code(*objects: Callable[..., Any]) -> str:
    """A hash of the files that define functions, or the classes of objects."""
    defined = [inspect.unwrap(each) if inspect.isroutine(each) else type(each) for each in objects]
    paths = filter(None, map(inspect.getsourcefile, defined))
    return sha256(b"".join(Path(path).read_bytes() for path in paths)).hexdigest()[:12]


def in_report_order(methods: Iterable[Method]) -> list[Method]:
    """Each method once, baselines first."""
    ranks = {name: rank for rank, name in enumerate(SPECS)}
    unique = {method.label: method for method in methods}
    return sorted(unique.values(), key=lambda method: (ranks.get(method.name, len(ranks)), method.label))


def _parse_method(text: str) -> Method:
    name, *pairs = text.split(":")
    if name not in SPECS and pairs and "=" not in pairs[0]:
        name = f"{name}:{pairs.pop(0)}"
    spec = spec_of(name)
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f"{text!r}: write an option as name=value, not {pair!r}")
        options[key] = _value(value)
    check_options(spec, options)
    return Method(name=name, options=options)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
