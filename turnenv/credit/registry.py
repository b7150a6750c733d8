"""The table of estimators by name, and the look-up that forgives no typo but names the mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Concatenate, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.batch import TurnBatch
from turnenv.credit.returns import return_to_go
from turnenv.credit.trajectory import gdpo, grpo_mr, grpo_or
from turnenv.credit.turn import mt_grpo, mt_grpo_released

Estimator: TypeAlias = Callable[Concatenate[TurnBatch, ...], NDArray[np.float64]]
"""``(batch, *, options) -> advantages``: float (B, K), 0 where the batch's turn mask is False."""

ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "gdpo": gdpo,
        "grpo_mr": grpo_mr,
        "grpo_or": grpo_or,
        "mt_grpo": mt_grpo,
        "mt_grpo_released": mt_grpo_released,
        "return_to_go": return_to_go,
    }
)


def resolve(estimator: str | Estimator) -> Estimator:
    """Look an estimator up by name; a callable is returned as it is.

    Args:
        estimator: a key of ``ESTIMATORS``, or any function of a ``TurnBatch`` that returns advantages (B, K).

    Raises:
        ValueError: no estimator has that name; the message holds the closest ones.
    """
    if callable(estimator):
        return estimator
    if estimator in ESTIMATORS:
        return ESTIMATORS[estimator]
    close = get_close_matches(str(estimator).lower().replace("-", "_"), ESTIMATORS)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(f"no estimator is named {estimator!r}; {hint}known: {', '.join(ESTIMATORS)}; or pass a function")
