"""From what trainers hold per token to what estimators read per turn, and back; for verl, prime-rl, SkyRL and the like.

Arrays may be numpy's or torch's, on any device; what comes back is numpy's. B trajectories of T tokens; `turn_ids`, int
(B, T), holds the turn that each token was sampled in, numbered from 0, and -1 for tokens of the prompt, the
environment and the padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from turnenv.credit.batch import TurnBatch

__all__ = ["batch_from_tokens", "rewards_on_tokens", "spread_over_tokens", "turn_ids_of_mask"]

Floats = NDArray[np.float64]


def turn_ids_of_mask(mask: ArrayLike) -> NDArray[np.int64]:
    """Number the turns of a mask in which each turn is one run of ones, as the environment's tokens stand between.

    Args:
        mask: 1 or True where the policy sampled the token, (B, T).

    Returns:
        `turn_ids`, int (B, T).

    Raises:
        ValueError: if the mask is not of two axes, or holds anything but 0 and 1.
    """
    raw_BT = _as_array("mask", mask)
    if not np.isin(raw_BT, (0, 1)).all():
        raise ValueError("mask holds other values than 0 and 1")
    mask_BT = raw_BT.astype(bool)
    begins_BT = mask_BT.copy()
    begins_BT[:, 1:] &= ~mask_BT[:, :-1]
    return np.where(mask_BT, np.cumsum(begins_BT, axis=1) - 1, -1)


def batch_from_tokens(
    token_rewards: ArrayLike,
    turn_ids: ArrayLike,
    group_ids: ArrayLike,
    *,
    outcome_rewards: ArrayLike | None = None,
    truncated: ArrayLike | None = None,
    values: ArrayLike | None = None,
    last_values: ArrayLike | None = None,
) -> TurnBatch:
    """Make the batch that estimators read; a trajectory without a sampled token is faulted.

    Args:
        token_rewards: float (B, T); a turn's reward is the sum over its tokens, and other tokens are not read.
        turn_ids: int (B, T), see the module.
        group_ids: trajectories of one task share an id, B integers or strings.
        outcome_rewards: float (B,), which `token_rewards` then must not contain. None: what lies on the tokens of the
            last turn is the outcome, and the last turn has no reward besides; nothing per token separates the two.
        truncated: True where the turn limit ended a trajectory, bool (B,); None means that none was.
        values: a critic's, float (B, T), each of the state before its token; a turn has that of its first token.
        last_values: of the states after the last turns, float (B,), from which truncated trajectories are bootstrapped;
            None takes 0.

    Raises:
        ValueError: if shapes disagree, a row's turns are not numbered 0, 1, 2, … in order, or trajectories with values
            are truncated and `last_values` is missing.
    """
    ids_BT = _as_turn_ids(turn_ids)
    rewards_BT = _as_array("token_rewards", token_rewards, ids_BT.shape)
    lengths_B = ids_BT.max(axis=1, initial=-1) + 1
    B, K = len(ids_BT), int(lengths_B.max(initial=0))
    live_BT = ids_BT >= 0
    rewards_BK = np.zeros((B, K))
    rows_BT = np.broadcast_to(np.arange(B)[:, None], ids_BT.shape)
    np.add.at(rewards_BK, (rows_BT[live_BT], ids_BT[live_BT]), rewards_BT[live_BT])
    live_B, last_B = lengths_B > 0, np.maximum(lengths_B - 1, 0)
    if outcome_rewards is not None:
        outcome_B = _as_array("outcome_rewards", outcome_rewards, (B,)).astype(float)
    else:
        outcome_B = np.zeros(B)
        outcome_B[live_B] = rewards_BK[live_B, last_B[live_B]]
        rewards_BK[live_B, last_B[live_B]] = 0.0
    cut_B = np.zeros(B, dtype=bool) if truncated is None else _as_array("truncated", truncated, (B,))
    return TurnBatch(
        turn_rewards=rewards_BK,
        outcome_rewards=outcome_B,
        turn_mask=np.arange(K) < lengths_B[:, None],
        group_ids=np.unique(_as_array("group_ids", group_ids, (B,)), return_inverse=True)[1],
        truncated=cut_B,
        values=None if values is None else _turn_values(values, ids_BT, lengths_B, cut_B, last_values),
    )


def rewards_on_tokens(batch: TurnBatch, turn_ids: ArrayLike, *, outcome: bool = True) -> Floats:
    """Put each turn's reward on the last of its tokens, where trainers that read rewards per token expect it.

    Args:
        batch: B trajectories.
        turn_ids: int (B, T), see the module.
        outcome: whether the outcome is added on the last token of the last turn.

    Returns:
        Rewards, float (B, T), 0 elsewhere.

    Raises:
        ValueError: if a row has other turns than the batch.
    """
    ids_BT = _turn_ids_of(batch, turn_ids)
    rewards_BK = batch.turn_rewards.copy()
    if outcome:
        live_B = np.flatnonzero(batch.num_turns)
        rewards_BK[live_B, batch.num_turns[live_B] - 1] += batch.outcome_rewards[live_B]
    found_BT = np.zeros(ids_BT.shape)
    for turn in range(rewards_BK.shape[1]):
        has_B = np.flatnonzero((ids_BT == turn).any(axis=1))
        last_B = ids_BT.shape[1] - 1 - np.argmax(ids_BT[has_B, ::-1] == turn, axis=1)
        found_BT[has_B, last_B] = rewards_BK[has_B, turn]
    return found_BT


def spread_over_tokens(advantages: ArrayLike, turn_ids: ArrayLike) -> Floats:
    """Give every token of a turn the turn's advantage.

    Args:
        advantages: float (B, K).
        turn_ids: int (B, T), see the module.

    Returns:
        Advantages, float (B, T), 0 for tokens of no turn.

    Raises:
        ValueError: if the numbers of rows differ, or a token's turn has no advantage.
    """
    ids_BT, advantages_BK = _as_turn_ids(turn_ids), _as_array("advantages", advantages)
    if len(ids_BT) != len(advantages_BK) or ids_BT.max(initial=-1) >= advantages_BK.shape[1]:
        raise ValueError(f"advantages of shape {advantages_BK.shape} do not cover the turns of turn_ids")
    if not ids_BT.size or not advantages_BK.size:
        return np.zeros(ids_BT.shape)
    taken_BT = np.take_along_axis(advantages_BK.astype(float), np.maximum(ids_BT, 0), axis=1)
    return np.where(ids_BT >= 0, taken_BT, 0.0)


def _turn_values(
    values: ArrayLike,
    ids_BT: NDArray[np.int64],
    lengths_B: NDArray[np.int64],
    cut_B: NDArray[Any],
    last_values: ArrayLike | None,
) -> Floats:
    B, K = len(ids_BT), int(lengths_B.max(initial=0))
    if last_values is None and (cut_B.astype(bool) & (lengths_B > 0)).any():
        raise ValueError("a truncated trajectory is bootstrapped from the value after its last turn: pass last_values")
    values_BT = _as_array("values", values, ids_BT.shape)
    values_BK1 = np.zeros((B, K + 1))
    for turn in range(K):
        has_B = np.flatnonzero(lengths_B > turn)
        values_BK1[has_B, turn] = values_BT[has_B, np.argmax(ids_BT[has_B] == turn, axis=1)]
    if last_values is not None:
        values_BK1[np.arange(B), lengths_B] = _as_array("last_values", last_values, (B,))
    return values_BK1


def _turn_ids_of(batch: TurnBatch, turn_ids: ArrayLike) -> NDArray[np.int64]:
    ids_BT = _as_turn_ids(turn_ids)
    if len(ids_BT) != len(batch.turn_mask) or not np.array_equal(ids_BT.max(axis=1, initial=-1) + 1, batch.num_turns):
        raise ValueError("turn_ids holds other turns than the batch")
    return ids_BT


def _as_turn_ids(turn_ids: ArrayLike) -> NDArray[np.int64]:
    raw_BT = _as_array("turn_ids", turn_ids)
    if raw_BT.dtype.kind not in "iu" or (raw_BT < -1).any():
        raise ValueError("turn_ids holds integers from -1; -1 is for tokens of no turn")
    ids_BT: NDArray[np.int64] = raw_BT.astype(np.int64)
    so_far_BT = np.maximum.accumulate(ids_BT, axis=1) if ids_BT.size else ids_BT
    before_BT = np.concatenate([np.full((len(ids_BT), 1), -1), so_far_BT[:, :-1]], axis=1)[:, : ids_BT.shape[1]]
    wrong_B = ((ids_BT >= 0) & ((ids_BT < before_BT) | (ids_BT > before_BT + 1))).any(axis=1)
    if wrong_B.any():
        raise ValueError(f"row {np.flatnonzero(wrong_B)[0]} of turn_ids does not number its turns 0, 1, 2, … in order")
    return ids_BT


def _as_array(name: str, array: ArrayLike, due: tuple[int, ...] | None = None) -> NDArray[Any]:
    """The array as numpy's, of two axes or of the shape that is due; a tensor of torch leaves its device."""
    given: Any = array
    if type(given).__module__ == "torch":
        given = given.detach().cpu()
        given = (given.double() if given.is_floating_point() else given).numpy()
    found = np.asarray(given)
    if found.ndim != 2 if due is None else found.shape != due:
        raise ValueError(f"{name} has the shape {found.shape}, not {'(B, T)' if due is None else due}")
    return found
