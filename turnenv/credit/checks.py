"""What is checked of an estimator before anything is played: the fields that it needs, its options, what it returns."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from inspect import isclass
from types import MappingProxyType
from typing import Any

import numpy as np

from turnenv.credit.batch import TurnBatch
from turnenv.credit.own import spec_of_own
from turnenv.credit.spec import Estimator, EstimatorSpec
from turnenv.credit.table import spec_of

OPTIONAL_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "state_keys": "the hash of the state before each turn",
        "values": "the value of the state before each turn, from a critic or from Monte-Carlo continuations",
        "parents": "the trajectory and turn that each trajectory branched off at",
        "true_advantages": "the true advantage of each turn, of an environment that turnenv.exact solves",
    }
)
"""The optional fields of a `TurnBatch`, and what they hold."""

TRAINING_FIELDS = frozenset({"state_keys"})
"""The optional fields that all batches of training have: those of `TurnGRPOTrainer` and of the small policies."""

CRITIC_FIELDS = TRAINING_FIELDS | {"values"}
"""The optional fields that batches of `TurnGRPOTrainer` have where it trains a critic."""


def check_estimator(
    estimator: str | Estimator, options: Mapping[str, Any], supplied: Collection[str] = TRAINING_FIELDS
) -> Estimator:
    """Find an estimator for one training run, as `resolve` does, and check that it can run there.

    Args:
        estimator: a name, a reference to a user's own, a function, or a class of objects that remember.
        options: that it will be called with.
        supplied: the optional fields that its batches will have.

    Raises:
        ValueError: if it is not found, needs a field that is not supplied, or fails `try_estimator`.
    """
    spec = find_spec(estimator)
    found = spec.fresh() if isinstance(estimator, str) or isclass(estimator) else estimator
    check_needs(spec, supplied)
    check_options(spec, options)
    try_estimator(spec.name, copy.deepcopy(found), options, supplied)
    return found


def find_spec(estimator: str | Estimator) -> EstimatorSpec:
    """What is declared of an estimator, given by name or as a function, an object or a class.

    Raises:
        ValueError: if it is not found.
    """
    if isinstance(estimator, str):
        return spec_of(estimator)
    return spec_of_own(getattr(estimator, "__name__", type(estimator).__name__), estimator)


def check_needs(spec: EstimatorSpec, supplied: Collection[str] = TRAINING_FIELDS) -> None:
    """Raise ValueError if an estimator needs a field that is not among those supplied, and say where it can run."""
    missing = sorted(spec.needs.difference(supplied))
    if missing:
        fields = " and ".join(f"{name} ({OPTIONAL_FIELDS[name]})" for name in missing)
        trained = "TurnGRPOTrainer gives it a critic; " if spec.needs <= CRITIC_FIELDS and not spec.monte_carlo else ""
        lacking = "which these batches lack" if trained else "which training does not supply"
        raise ValueError(
            f"{spec.name} needs {fields}, {lacking}; {trained}it runs in the credit lab: "
            f"python -m benchmarks credit --methods {spec.name}"
        )


def check_options(spec: EstimatorSpec, names: Collection[str]) -> None:
    """Raise ValueError if an estimator has no option of one of these names; the message holds the closest one."""
    known = spec.options
    for name in names:
        if known is not None and name not in known:
            close = get_close_matches(name.lower(), known)
            hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
            raise ValueError(f"{spec.name} has no option {name!r}; {hint}known: {', '.join(known) or '(none)'}")


def try_estimator(
    label: str, estimator: Estimator, options: Mapping[str, Any], supplied: Collection[str] = TRAINING_FIELDS
) -> None:
    """Call an estimator on a small batch, so that what is wrong with it or its options is known before a run.

    Args:
        label: what messages call it.
        estimator: a copy that may remember this batch.
        options: that it will be called with.
        supplied: the optional fields that its batches will have.

    Raises:
        ValueError: if it fails, refuses its options, or returns anything but numbers of shape (B, K).
    """
    extra: dict[str, Any] = {name: _SMALL[name] for name in supplied}
    batch = TurnBatch.from_ragged([[0.0, 1.0], [1.0]], [0.0, 1.0], [0, 0], **extra)
    try:
        advantages = estimator(batch, **options)
    except ValueError as error:
        raise ValueError(f"{label}: {error}") from error
    except Exception as error:
        given = f" with {dict(options)}" if options else ""
        raise ValueError(
            f"{label} fails{given} on a batch of two trajectories: {type(error).__name__}: {error}"
        ) from error
    if np.shape(advantages) != (2, 2) or np.asarray(advantages).dtype.kind not in "biuf":
        raise ValueError(
            f"{label} must return advantages (B, K): numbers of shape (2, 2) for two trajectories of up to two turns; "
            f"it returned {np.asarray(advantages).dtype} of shape {np.shape(advantages)}"
        )


_SMALL: Mapping[str, Any] = MappingProxyType(
    {
        "state_keys": [[1, 2], [1]],
        "values": [[0.5, 0.5, 0.0], [0.5, 0.0]],
        "parents": [[-1, -1], [-1, -1]],
        "true_advantages": [[0.0, 0.5], [-0.5]],
    }
)
