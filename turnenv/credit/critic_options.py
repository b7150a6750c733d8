"""The options of a critic, which `critic_kwargs` holds, checked before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Self

from turnenv.credit.options import check_discount

_OF_THE_PROBE = ("buffer",)
_OF_THE_MODEL = ("backbone", "learning_rate", "passes", "value_clip", "max_grad_norm")


@dataclass(frozen=True, slots=True)
class CriticOptions:
    """How a critic learns.

    Attributes:
        lam: λ of its targets, from 0 (one step ahead) to 1 (the return); that of the advantages is the estimator's own.
        warmup_batches: batches that only the critic learns from; the policy's advantages are 0 there.
        bootstrap: give an episode that `max_turns` cut the value of the state it was cut in, instead of 0.
        buffer: probe: recent batches that the head is solved from.
        backbone: model: folder or hub id to start from, with the policy's tokenizer; the policy's own by default.
        learning_rate: model: of its AdamW, constant; by default ten times the policy's, but at most 1e-4 or the
            policy's own.
        passes: model: optimizer steps per batch, each on the whole batch.
        value_clip: model: how far a value may move from the one it was read with before the loss stops to pull; None
            leaves it free.
        max_grad_norm: model: its gradient is clipped to this norm.
    """

    lam: float = 1.0
    warmup_batches: int = 0
    bootstrap: bool = False
    buffer: int = 4
    backbone: str | None = None
    learning_rate: float | None = None
    passes: int = 2
    value_clip: float | None = None
    max_grad_norm: float = 1.0

    @classmethod
    def read(cls, critic: str | None, given: Mapping[str, Any]) -> Self:
        """Make them of `critic_kwargs`.

        Args:
            critic: "probe", "model", or None where it is not known yet.
            given: name → value.

        Raises:
            ValueError: if a name is unknown, belongs to the other critic, or a value is out of range.
        """
        foreign = {"probe": _OF_THE_MODEL, "model": _OF_THE_PROBE}.get(critic or "", ())
        known = [each.name for each in fields(cls) if each.name not in foreign]
        for name in given:
            if name in foreign:
                raise ValueError(f"critic_kwargs: {name} is no option of critic={critic!r}; known: {', '.join(known)}")
            if name not in known:
                close = get_close_matches(name, known)
                hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
                raise ValueError(f"critic_kwargs has no option {name!r}; {hint}known: {', '.join(known)}")
        options = cls(**given)
        options._check()
        return options

    def _check(self) -> None:
        check_discount("critic_kwargs: lam", self.lam)
        for name, least in (("warmup_batches", 0), ("buffer", 1), ("passes", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"critic_kwargs: {name}={value!r} must be a whole number of at least {least}")
        if not isinstance(self.bootstrap, bool):
            raise ValueError(f"critic_kwargs: bootstrap={self.bootstrap!r} must be true or false")
        for name in ("learning_rate", "value_clip", "max_grad_norm"):
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise ValueError(f"critic_kwargs: {name}={value!r} must be greater than 0")
