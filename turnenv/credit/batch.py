"""TurnBatch: what an estimator may know of a batch of trajectories, checked once and read-only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import index
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnenv.credit.parents import as_parents


@dataclass(frozen=True, eq=False)
class TurnBatch:
    """B trajectories of at most K turns, right-padded, with turn rewards separate from the outcome.

    Inputs are copied, cast (integers to floats where floats are due) and made read-only. A trajectory whose mask row is
    all False is faulted: the infrastructure failed, so it counts in no statistics and all its cells hold 0.

    Attributes:
        turn_rewards: reward of turn k of trajectory b, float (B, K), dimensionless; 0 where masked. It never holds the
            outcome, which belongs to the last live turn whatever its index.
        outcome_rewards: reward of the whole trajectory, float (B,); 0 for a faulted one.
        turn_mask: True where the policy took turn k, bool (B, K); each row is Trues, then Falses.
        group_ids: trajectories of one task share an id, int (B,); any values, sizes and order.
        truncated: True where the turn limit ended the trajectory and not the task, bool (B,).
        state_keys: hash of the environment's state before turn k, int64 (B, K), or None. Equal states, equal keys;
            unsigned keys wrap, which keeps equality; 0 where masked.
        values: value of the state before turn k, float (B, K+1), or None; the cell after the last live turn is the
            value to bootstrap a truncated trajectory from, cells beyond it hold 0.
        parents: where a trajectory branched off another of its group, int (B, 2), or None: (b, k) says that its turns
            before k are copies of trajectory b's and that its own turns begin with turn k; (-1, -1) that it began at
            the start. A parent has the lower row number, and had itself branched off by turn k.
        true_advantages: A^π of the action taken at turn k, float (B, K), or None; 0 where masked. Known for
            environments that `turnenv.exact` solves.

    Raises:
        ValueError: shapes disagree, a mask row is not a prefix, a live cell is not finite, a cast loses something, or
            `parents` is no tree.
    """

    turn_rewards: NDArray[np.float64]
    outcome_rewards: NDArray[np.float64]
    turn_mask: NDArray[np.bool_]
    group_ids: NDArray[np.int64]
    truncated: NDArray[np.bool_]
    state_keys: NDArray[np.int64] | None = None
    values: NDArray[np.float64] | None = None
    parents: NDArray[np.int64] | None = None
    true_advantages: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        """Cast, check, blank the masked cells and freeze every array."""
        mask_BK = _as_bools("turn_mask", self.turn_mask, np.shape(self.turn_rewards), ndim=2)
        _check_prefix(mask_BK)
        B = len(mask_BK)
        live_B = np.count_nonzero(mask_BK, axis=1) > 0
        arrays: dict[str, NDArray[Any]] = {
            "turn_mask": mask_BK,
            "turn_rewards": _as_floats("turn_rewards", self.turn_rewards, mask_BK),
            "outcome_rewards": _as_floats("outcome_rewards", self.outcome_rewards, live_B),
            "group_ids": _as_group_ids(self.group_ids, (B,)),
            "truncated": _as_bools("truncated", self.truncated, (B,), ndim=1),
        }
        if self.state_keys is not None:
            arrays["state_keys"] = _as_keys(self.state_keys, mask_BK)
        if self.values is not None:
            known_BK1 = np.concatenate([live_B[:, None], mask_BK], axis=1)
            arrays["values"] = _as_floats("values", self.values, known_BK1)
        if self.parents is not None:
            arrays["parents"] = as_parents(self.parents, mask_BK, arrays["group_ids"])
        if self.true_advantages is not None:
            arrays["true_advantages"] = _as_floats("true_advantages", self.true_advantages, mask_BK)
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @classmethod
    def from_ragged(
        cls,
        turn_rewards: Sequence[Sequence[float]],
        outcome_rewards: ArrayLike,
        group_ids: ArrayLike,
        *,
        truncated: ArrayLike | None = None,
        faulted: ArrayLike | None = None,
        state_keys: Sequence[Sequence[int]] | None = None,
        values: Sequence[Sequence[float]] | None = None,
        parents: ArrayLike | None = None,
        true_advantages: Sequence[Sequence[float]] | None = None,
    ) -> Self:
        """Pad per-trajectory lists into a batch.

        Args:
            turn_rewards: B lists, one reward per turn taken.
            outcome_rewards: B numbers; a faulted trajectory's is ignored and may be NaN.
            group_ids: B integers.
            truncated: B flags; None means none was.
            faulted: B flags; a faulted trajectory gets an all-False mask row. None means none was.
            state_keys: B lists of the lengths of ``turn_rewards``, integers of 64 bits, signed or not.
            values: B lists, each one longer than its ``turn_rewards``.
            parents: B pairs, see the class.
            true_advantages: B lists of the lengths of ``turn_rewards``.

        Returns:
            A batch with K the length of the longest list, faulted ones included, so that any (trajectory, turn) index
            of the input is an index of the batch.

        Raises:
            ValueError: lengths disagree, or a trajectory without turns is not marked as faulted.
            TypeError: a state key is not an integer.
        """
        lengths_B = np.array([len(row) for row in turn_rewards], dtype=np.int64)
        B = len(lengths_B)
        faulted_B = _as_bools("faulted", np.zeros(B, dtype=bool) if faulted is None else faulted, (B,), ndim=1)
        empty = np.flatnonzero((lengths_B == 0) & ~faulted_B)
        if empty.size:
            raise ValueError(f"trajectory {empty[0]} has no turns; mark it in `faulted` or leave it out")
        reached_BK = np.arange(max(lengths_B, default=0)) < lengths_B[:, None]
        return cls(
            turn_rewards=_pad("turn_rewards", turn_rewards, lengths_B),
            outcome_rewards=np.asarray(outcome_rewards),
            turn_mask=reached_BK & ~faulted_B[:, None],
            group_ids=np.asarray(group_ids),
            truncated=np.zeros(B, dtype=bool) if truncated is None else np.asarray(truncated),
            state_keys=None if state_keys is None else _pad("state_keys", _wrap_keys(state_keys), lengths_B),
            values=None if values is None else _pad("values", values, lengths_B + 1, empty=1),
            parents=None if parents is None else np.asarray(parents),
            true_advantages=None if true_advantages is None else _pad("true_advantages", true_advantages, lengths_B),
        )

    @property
    def num_turns(self) -> NDArray[np.intp]:
        """Turns taken by each trajectory, int (B,); 0 for a faulted one."""
        counts_B: NDArray[np.intp] = np.count_nonzero(self.turn_mask, axis=1)
        return counts_B

    @property
    def live(self) -> NDArray[np.bool_]:
        """True where the trajectory has any turn, that is, was not faulted, bool (B,)."""
        return self.num_turns > 0

    @property
    def final_turn_mask(self) -> NDArray[np.bool_]:
        """True at the last live turn of each trajectory, where its outcome reward belongs, bool (B, K)."""
        after_BK = np.zeros_like(self.turn_mask)
        after_BK[:, :-1] = self.turn_mask[:, 1:]
        return self.turn_mask & ~after_BK


def _wrap_keys(rows: Sequence[Sequence[int]]) -> list[NDArray[np.uint64]]:
    # Left to itself, NumPy makes floats of a list with keys on both sides of 2^63, which merges distinct keys.
    return [np.array([index(key) & 0xFFFF_FFFF_FFFF_FFFF for key in row], dtype=np.uint64) for row in rows]


def _pad(
    name: str, rows: Sequence[Sequence[Any] | NDArray[Any]], lengths_B: NDArray[np.int64], *, empty: int = 0
) -> NDArray[Any]:
    """Lay ragged rows of the given lengths into a zero-padded array, `empty` wide if there is no row."""
    found = [len(row) for row in rows]
    if found != lengths_B.tolist():
        where = next((b for b, (n, due) in enumerate(zip(found, lengths_B, strict=False)) if n != due), None)
        due_text = f"{len(lengths_B)} rows" if where is None else f"{lengths_B[where]} entries in row {where}"
        got_text = f"{len(found)}" if where is None else f"{found[where]}"
        raise ValueError(f"{name} has {got_text}, not {due_text}; give one entry per turn (values: one more)")
    flat = np.array(list(chain.from_iterable(rows)))
    padded = np.zeros((len(lengths_B), max(lengths_B, default=empty)), dtype=flat.dtype if flat.size else np.int64)
    padded[np.arange(padded.shape[1]) < lengths_B[:, None]] = flat
    return padded


def _check_shape(name: str, shape: tuple[int, ...], due: tuple[int, ...]) -> None:
    if shape != due:
        raise ValueError(
            f"{name} has shape {shape}, not {due}; turn_rewards, turn_mask and state_keys are (B, K), values (B, K+1), "
            "the rest (B,). TurnBatch.from_ragged pads lists for you"
        )


def _check_prefix(mask_BK: NDArray[np.bool_]) -> None:
    gaps = np.flatnonzero((mask_BK[:, 1:] & ~mask_BK[:, :-1]).any(axis=1))
    if gaps.size:
        raise ValueError(f"turn_mask row {gaps[0]} is not Trues and then Falses; pad on the right and leave no hole")


def _as_bools(name: str, array: ArrayLike, due: tuple[int, ...], *, ndim: int) -> NDArray[np.bool_]:
    raw = np.asarray(array)
    _check_shape(name, raw.shape, due)
    if raw.ndim != ndim:
        raise ValueError(f"{name} has {raw.ndim} axes, not {ndim}; TurnBatch.from_ragged pads lists for you")
    if raw.dtype.kind not in "biuf" or not np.isin(raw, (0, 1)).all():
        raise ValueError(f"{name} holds other values than True and False; pass an array of bools")
    return raw.astype(np.bool_)


def _as_floats(name: str, array: ArrayLike, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Cast to float64 with 0 where not ``known``; every known cell must be finite."""
    raw = np.asarray(array)
    _check_shape(name, raw.shape, known.shape)
    if raw.dtype.kind not in "biuf":
        raise ValueError(f"{name} has dtype {raw.dtype}; pass real numbers")
    floats = np.where(known, raw, 0.0).astype(np.float64)
    bad = np.argwhere(~np.isfinite(floats))
    if bad.size:
        cell = tuple(bad[0].tolist())
        raise ValueError(f"{name}{list(cell)} is {floats[cell]}; fix the reward, or mark the trajectory as faulted")
    return floats


def _as_group_ids(array: ArrayLike, due: tuple[int, ...]) -> NDArray[np.int64]:
    raw = np.asarray(array)
    _check_shape("group_ids", raw.shape, due)
    if raw.dtype.kind not in "biuf" or not np.array_equal(raw, np.trunc(raw)) or not np.isfinite(raw).all():
        raise ValueError("group_ids holds other values than integers; number the tasks 0, 1, 2, …")
    return raw.astype(np.int64)


def _as_keys(array: ArrayLike, mask_BK: NDArray[np.bool_]) -> NDArray[np.int64]:
    raw = np.asarray(array)
    _check_shape("state_keys", raw.shape, mask_BK.shape)
    if raw.dtype.kind not in "iu":
        raise ValueError(f"state_keys has dtype {raw.dtype}, which merges distinct 64-bit keys; pass int64 or uint64")
    return np.where(mask_BK, raw.astype(np.int64), 0)
