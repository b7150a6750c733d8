"""The tables of estimators and of what they need, and the look-up that forgives no typo but names the mend."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Concatenate, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnenv.credit.alignment import AlignmentWeighted, aw_grpo
from turnenv.credit.batch import TurnBatch
from turnenv.credit.placebo import placebo
from turnenv.credit.pooled import gigpo, igpo, matchtir
from turnenv.credit.returns import return_to_go
from turnenv.credit.trajectory import gdpo, grpo_mr, grpo_or
from turnenv.credit.tree import tree_backup
from turnenv.credit.turn import mt_grpo, mt_grpo_released
from turnenv.credit.valued import oracle, turn_gae, vine_ppo
from turnenv.credit.whole_batch import reinforce_pp

Estimator: TypeAlias = Callable[Concatenate[TurnBatch, ...], NDArray[np.float64]]
"""``(batch, *, options) -> advantages``: float (B, K), 0 where the batch's turn mask is False."""

ESTIMATORS: Mapping[str, Estimator] = MappingProxyType(
    {
        "aw_grpo": aw_grpo,
        "gdpo": gdpo,
        "gigpo": gigpo,
        "grpo_mr": grpo_mr,
        "grpo_or": grpo_or,
        "igpo": igpo,
        "matchtir": matchtir,
        "mt_grpo": mt_grpo,
        "mt_grpo_released": mt_grpo_released,
        "oracle": oracle,
        "placebo": placebo,
        "reinforce_pp": reinforce_pp,
        "return_to_go": return_to_go,
        "tree_backup": tree_backup,
        "turn_gae": turn_gae,
        "vine_ppo": vine_ppo,
    }
)

NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "gigpo": frozenset({"state_keys"}),
        "oracle": frozenset({"true_advantages"}),
        "tree_backup": frozenset({"parents"}),
        "turn_gae": frozenset({"values"}),
        "vine_ppo": frozenset({"values"}),
    }
)
"""Optional fields of a `TurnBatch` that an estimator cannot do without; those not listed need none."""

_REMEMBERING: Mapping[str, Callable[[], Estimator]] = MappingProxyType({"aw_grpo": AlignmentWeighted})


def resolve(estimator: str | Estimator) -> Estimator:
    """Look an estimator up by name, for one training run; a callable is returned as it is.

    An estimator that remembers earlier batches is made anew: `ESTIMATORS["aw_grpo"]` is the function that scores one
    batch, `resolve("aw_grpo")` an `AlignmentWeighted` that goes on from batch to batch.

    Args:
        estimator: a key of ``ESTIMATORS``, or any function of a ``TurnBatch`` that returns advantages (B, K).

    Raises:
        ValueError: no estimator has that name; the message holds the closest ones.
    """
    if callable(estimator):
        return estimator
    if estimator in _REMEMBERING:
        return _REMEMBERING[estimator]()
    if estimator in ESTIMATORS:
        return ESTIMATORS[estimator]
    close = get_close_matches(str(estimator).lower().replace("-", "_"), ESTIMATORS)
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    raise ValueError(f"no estimator is named {estimator!r}; {hint}known: {', '.join(ESTIMATORS)}; or pass a function")
