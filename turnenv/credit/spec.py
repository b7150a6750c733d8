"""EstimatorSpec: what is declared of an estimator, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, Concatenate, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch

Estimator: TypeAlias = Callable[Concatenate[TurnBatch, ...], NDArray[np.float64]]
"""``(batch, *, options) -> advantages``: float (B, K), 0 where the batch's turn mask is False."""


@dataclass(frozen=True)
class EstimatorSpec:
    """An estimator, and what the registry, the command lines, the credit lab and the documentation say about it.

    Attributes:
        name: what users write: a name of turnenv's, or `module:function` or `file.py:function` for their own.
        function: scores one batch.
        title: what tables and pictures call it.
        formula: the advantage of turn k of trajectory i in short, as Markdown.
        paper: where it was published, as Markdown; empty if nowhere.
        granularity: what gets an advantage of its own, "trajectory" or "turn"; empty if unknown.
        family: how credit is found, in the survey's words (arXiv 2604.09459), such as "Monte Carlo"; empty if unknown.
        needs: optional fields of a `TurnBatch` that it cannot do without.
        make: makes an object that remembers earlier batches, one per training run; None if nothing is remembered.
        seeded: True if it draws random numbers, so that every call should pass a `seed` of its own.
        monte_carlo: True if its `values` are means over fresh continuations of each state, not a critic's.
    """

    name: str
    function: Estimator
    title: str
    formula: str = ""
    paper: str = ""
    granularity: str = ""
    family: str = ""
    needs: frozenset[str] = frozenset()
    make: Callable[[], Estimator] | None = None
    seeded: bool = False
    monte_carlo: bool = False

    def fresh(self) -> Estimator:
        """The estimator for one training run: a new object if it remembers batches, the function itself if not."""
        return self.function if self.make is None else self.make()

    @property
    def options(self) -> Mapping[str, Any] | None:
        """Option → default, `Parameter.empty` for one without; None if it takes options of any name."""
        parameters = parameters_of(self.function)[1:]
        if not parameters_of(self.function) or any(each.kind is Parameter.VAR_KEYWORD for each in parameters):
            return None
        return {each.name: each.default for each in parameters}


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """A function's parameters; none if it is a builtin that does not state them."""
    try:
        return list(signature(function).parameters.values())
    except ValueError:
        return []
