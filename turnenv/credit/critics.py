"""Which estimator is trained with a critic: decided from names alone, before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from turnenv.credit.spec import EstimatorSpec
from turnenv.credit.table import SPECS, spec_of

CRITICS = ("probe", "model")
"""The critics of `TurnGRPOTrainer`."""


def critic_for(spec: EstimatorSpec, options: Mapping[str, Any], critic: str | None = None) -> str | None:
    """The critic that an estimator is trained with.

    Args:
        spec: the estimator.
        options: that it will be called with.
        critic: what the user chose, one of `CRITICS`; None leaves it to turnenv.

    Returns:
        One of `CRITICS`; None if the estimator reads no values.

    Raises:
        ValueError: if there is no such critic, the estimator would not read its values, or its values are no critic's.
    """
    if critic is not None and critic not in CRITICS:
        close = get_close_matches(critic.lower(), CRITICS)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"critic={critic!r} is not one of {', '.join(map(repr, CRITICS))}{hint}")
    scoring = _scoring(spec, options)
    if "values" not in scoring.needs:
        if critic is not None and not reads_values(spec, options):
            raise ValueError(
                f"critic={critic!r} would not be read: {scoring.name} needs no values; drop it, or choose an estimator "
                "that reads them, such as turn_gae"
            )
        return critic
    if critic is None and scoring.monte_carlo:
        raise ValueError(
            f"{scoring.name} needs values from Monte-Carlo continuations, which training does not supply; it runs in "
            f"the credit lab: python -m benchmarks credit --methods {scoring.name}. With critic='probe' it takes a "
            "critic's instead, and is turn_gae with gamma=1 and lam=0"
        )
    return critic or "probe"


def reads_values(spec: EstimatorSpec, options: Mapping[str, Any]) -> bool:
    """False if an estimator of turnenv's needs no values; a user's own may read them without saying so."""
    scoring = _scoring(spec, options)
    return scoring.name not in SPECS or "values" in scoring.needs


def option_of(spec: EstimatorSpec, options: Mapping[str, Any], name: str, default: Any) -> Any:
    """What an estimator takes for an option: as given, else its own default, else `default` if it has none."""
    if name in options:
        return options[name]
    return (_scoring(spec, options).options or {}).get(name, default)


def _scoring(spec: EstimatorSpec, options: Mapping[str, Any]) -> EstimatorSpec:
    """The estimator itself, or the one that a placebo shuffles for."""
    wrapped = options.get("estimator")
    return spec_of(wrapped) if spec.name == "placebo" and isinstance(wrapped, str) else spec
