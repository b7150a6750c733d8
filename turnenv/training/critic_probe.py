"""The probe: a linear head on the policy's own states, solved in closed form."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from numpy.typing import NDArray

from turnenv.training.reading import Reading

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PENALTIES = tuple(10.0**power for power in range(-10, 1))


@dataclass(frozen=True, slots=True)
class Head:
    """`value = features @ weight + bias`."""

    weight: Floats
    bias: float

    def __call__(self, features: NDArray[Any]) -> Floats:
        """Values (N,) of features (N, H)."""
        return np.asarray(features.astype(np.float64) @ self.weight + self.bias)


def solve_head(features: NDArray[Any], targets: Floats, blocks: Ints) -> Head:
    """Ridge regression whose penalty predicts whole blocks best that it was not solved from.

    The intercept is not penalised. For each penalty the residuals of a left-out block b are exact without solving
    again: `(I - S_bb)^-1 r_b`, where S smooths the targets and r are the residuals with the block in. The mean of the
    targets, an infinite penalty, is among the candidates.

    Args:
        features: (N, H).
        targets: (N,).
        blocks: the block of each, any integers (N,): what belongs to one task is not independent.
    """
    N = len(targets)
    X, y = features.astype(np.float64), targets - targets.mean()
    X_mean = X.mean(axis=0)
    X = X - X_mean
    wide = X.shape[1] > N
    squares, vectors = np.linalg.eigh(X @ X.T if wide else X.T @ X)
    kept = squares > squares.max(initial=0.0) * 1e-12
    squares, vectors = squares[kept], vectors[:, kept]
    U = vectors if wide else X @ vectors / np.sqrt(squares)
    rotated = U.T @ y
    members = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    best, least = np.zeros_like(squares), np.inf
    if len(members) > 1 and squares.size:
        shrunk = [squares / (squares + penalty * squares.max()) for penalty in reversed(_PENALTIES)]
        for d in [best, *shrunk]:
            error = _left_out_error(U, d, y - U @ (d * rotated), members)
            if error < least * (1.0 - 1e-9):
                best, least = d, error
    weight = X.T @ (U @ (best / squares * rotated)) if squares.size else np.zeros(X.shape[1])
    return Head(weight, float(targets.mean() - X_mean @ weight))


def _left_out_error(U: Floats, d: Floats, residuals: Floats, members: Sequence[Ints]) -> float:
    """Squared errors of the blocks left out, where `W @ W.T` smooths the targets."""
    W = np.column_stack([U * np.sqrt(d), np.full(len(residuals), len(residuals) ** -0.5)])
    total = 0.0
    for rows in members:
        w, r = W[rows], residuals[rows]
        if len(rows) <= w.shape[1]:
            left_out = _solve(np.eye(len(rows)) - w @ w.T, r)
        else:
            # The same by Woodbury's identity, on the smaller side.
            left_out = r + w @ _solve(np.eye(w.shape[1]) - w.T @ w, w.T @ r)
        total += float(left_out @ left_out)
    return total


def _solve(matrix: Floats, right: Floats) -> Floats:
    # It is singular where nothing is left to predict a block from.
    return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0])


class Probe:
    """Values of the policy's states, by a head that is solved anew from a buffer of recent batches.

    Nothing flows back into the policy. Every process gathers the same features and solves the same head.

    Args:
        states: from readings to the policy's states at their positions, float (P, H).
        buffer: batches.
    """

    def __init__(self, states: Callable[[Sequence[Reading]], torch.Tensor], buffer: int) -> None:
        self._states = states
        self._buffer: deque[tuple[NDArray[np.float32], Floats, Ints]] = deque(maxlen=buffer)
        self._head: Head | None = None
        self._features: list[NDArray[np.float32]] = []

    def read(self, readings: Sequence[Reading]) -> list[list[float]]:
        """Values at the positions of every process's episodes; 0 before the first fit."""
        states = self._states(readings).float().cpu().numpy()
        cuts = np.cumsum([len(each.positions) for each in readings])[:-1]
        self._features = gather_object(np.split(states, cuts))
        if self._head is None:
            return [[0.0] * len(features) for features in self._features]
        return [self._head(features).tolist() for features in self._features]

    def fit(self, targets: Sequence[Floats], groups: Sequence[int]) -> None:
        """Solve the head.

        Args:
            targets: of the turns of each episode last read; none of an episode that takes no part.
            groups: which episodes were compared, one number per episode.
        """
        taking_part = [row for row, targets_K in enumerate(targets) if len(targets_K)]
        if not taking_part:
            return
        features = np.concatenate([self._features[row][: len(targets[row])] for row in taking_part])
        # With one group there is no other to predict it from: then episodes are left out.
        whole = len({groups[row] for row in taking_part}) > 1
        blocks = [groups[row] if whole else row for row in taking_part for _ in targets[row]]
        numbers = np.unique(blocks, return_inverse=True)[1].astype(np.int64)
        self._buffer.append((features, np.concatenate([targets[row] for row in taking_part]), numbers))
        self._solve()

    def _solve(self) -> None:
        starts = np.cumsum([0, *(int(blocks.max()) + 1 for _, _, blocks in self._buffer)])
        self._head = solve_head(
            np.concatenate([features for features, _, _ in self._buffer]),
            np.concatenate([targets for _, targets, _ in self._buffer]),
            np.concatenate([blocks + start for (_, _, blocks), start in zip(self._buffer, starts, strict=False)]),
        )

    def state_dict(self) -> dict[str, Any]:
        """The head and the buffer, as tensors."""
        head = None if self._head is None else (torch.from_numpy(self._head.weight), self._head.bias)
        return {"head": head, "buffer": [tuple(map(torch.from_numpy, batch)) for batch in self._buffer]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._buffer.clear()
        self._buffer.extend(tuple(tensor.numpy() for tensor in batch) for batch in state["buffer"])
        self._head = None if state["head"] is None else Head(state["head"][0].numpy(), float(state["head"][1]))
