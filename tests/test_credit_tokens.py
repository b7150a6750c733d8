"""Tokens to turns and back: nothing is lost on the way, for any ragged batch, with NumPy's arrays and torch's."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.credit import ESTIMATORS, TurnBatch
from turnenv.credit.tokens import batch_from_tokens, rewards_on_tokens, spread_over_tokens, turn_ids_of_mask

MASK = [[0, 1, 1, 0, 1, 0], [1, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]]
IDS = [[-1, 0, 0, -1, 1, -1], [0, -1, -1, 1, 1, 1], [-1] * 6]


@st.composite
def trajectories(draw):
    """A batch, and the turn of each token of its streams: turns of 1 to 3 tokens with up to 2 others between."""
    lengths = draw(st.lists(st.integers(0, 4), min_size=1, max_size=5))
    reward = st.floats(-2, 2, width=32)
    rows = []
    for length in lengths:
        row = [-1] * draw(st.integers(0, 2))
        for turn in range(length):
            row += [turn] * draw(st.integers(1, 3)) + [-1] * draw(st.integers(1, 2))
        rows.append(row)
    width = max(map(len, rows)) + draw(st.integers(0, 2))
    ids = np.array([row + [-1] * (width - len(row)) for row in rows], dtype=np.int64).reshape(len(rows), width)
    batch = TurnBatch.from_ragged(
        [draw(st.lists(reward, min_size=length, max_size=length)) for length in lengths],
        [draw(reward) for _ in lengths],
        [draw(st.integers(0, 1)) for _ in lengths],
        truncated=[draw(st.booleans()) for _ in lengths],
        faulted=[length == 0 for length in lengths],
        values=[draw(st.lists(reward, min_size=length + 1, max_size=length + 1)) for length in lengths],
    )
    return batch, ids


def same(left, right):
    for name in ("turn_rewards", "outcome_rewards", "turn_mask", "truncated", "values"):
        assert getattr(left, name) == pytest.approx(getattr(right, name)), name
    equal = left.group_ids[:, None] == left.group_ids
    assert (equal == (right.group_ids[:, None] == right.group_ids)).all()


@given(trajectories())
def test_there_and_back(made):
    batch, ids = made
    assert (turn_ids_of_mask(ids >= 0) == ids).all()
    tokens = rewards_on_tokens(batch, ids, outcome=False)
    first = (ids >= 0) & (np.concatenate([np.full((len(ids), 1), -1), ids[:, :-1]], axis=1) != ids)
    values = np.where(first, spread_over_tokens(batch.values, ids), np.nan)
    last = batch.values[np.arange(len(ids)), batch.num_turns]
    rest = {"truncated": batch.truncated, "values": values, "last_values": last}
    same(batch_from_tokens(tokens, ids, batch.group_ids, outcome_rewards=batch.outcome_rewards, **rest), batch)
    for estimator in ("grpo_or", "mt_grpo", "return_to_go"):
        advantages = ESTIMATORS[estimator](batch)
        spread = spread_over_tokens(advantages, ids)
        for row, turn in zip(*np.nonzero(batch.turn_mask), strict=True):
            assert (spread[row, ids[row] == turn] == advantages[row, turn]).all()
        assert (spread[ids < 0] == 0).all()


@given(trajectories())
def test_the_outcome_on_the_last_turn_is_what_one_number_per_token_can_say(made):
    batch, ids = made
    tokens = rewards_on_tokens(batch, ids)
    assert tokens.sum(axis=1) == pytest.approx(batch.turn_rewards.sum(axis=1) + batch.outcome_rewards)
    read = batch_from_tokens(tokens, ids, batch.group_ids)
    assert (read.turn_mask == batch.turn_mask).all()
    for row, turns in enumerate(batch.num_turns):
        assert read.turn_rewards[row, : turns - 1] == pytest.approx(batch.turn_rewards[row, : turns - 1])
        if turns:
            assert read.turn_rewards[row, turns - 1] == 0.0
            last = batch.turn_rewards[row, turns - 1] + batch.outcome_rewards[row]
            assert read.outcome_rewards[row] == pytest.approx(last)


def test_a_row_without_a_sampled_token_is_faulted_and_groups_may_have_names():
    assert turn_ids_of_mask(MASK).tolist() == IDS
    batch = batch_from_tokens(np.ones((3, 6)), IDS, ["b", "a", "a"])
    assert batch.turn_mask.tolist() == [[True, True], [True, True], [False, False]]
    assert batch.turn_rewards.tolist() == [[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    assert batch.outcome_rewards.tolist() == [1.0, 3.0, 0.0]
    assert batch.group_ids.tolist() == [1, 0, 0]


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    rewards = torch.rand(3, 6, dtype=torch.bfloat16, requires_grad=True)
    batch = batch_from_tokens(rewards, torch.tensor(IDS), torch.tensor([4, 4, 4]), outcome_rewards=torch.zeros(3))
    assert batch.turn_rewards[0, 0] == float(rewards.detach().double()[0, 1:3].sum())
    ids = turn_ids_of_mask(torch.tensor(MASK, dtype=torch.bool))
    assert spread_over_tokens(torch.tensor([[1.0, 2.0]] * 3), ids)[1].tolist() == [1, 0, 0, 2, 2, 2]


def test_torch_is_not_imported():
    code = "import sys, turnenv.credit.tokens; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: turn_ids_of_mask([0, 1]), r"mask has the shape \(2,\), not \(B, T\)"),
        (lambda: turn_ids_of_mask([[0, 2]]), "other values than 0 and 1"),
        (lambda: batch_from_tokens(np.ones((1, 2)), [[0, 1, 2]], [0]), "token_rewards has the shape"),
        (lambda: batch_from_tokens(np.ones((1, 3)), [[0, 2, 2]], [0]), "row 0 of turn_ids"),
        (lambda: batch_from_tokens(np.ones((1, 3)), [[0, 1, 0]], [0]), "row 0 of turn_ids"),
        (lambda: batch_from_tokens(np.ones((1, 3)), [[1, 1, 1]], [0]), "row 0 of turn_ids"),
        (lambda: batch_from_tokens(np.ones((1, 2)), [[0.0, 1.0]], [0]), "integers from -1"),
        (lambda: batch_from_tokens(np.ones((1, 1)), [[0]], [0], truncated=[True], values=[[0.0]]), "pass last_values"),
        (lambda: spread_over_tokens([[1.0]], [[0, 1]]), "do not cover"),
        (lambda: rewards_on_tokens(batch_from_tokens([[1.0]], [[0]], [0]), [[0, 1]]), "other turns than the batch"),
    ],
)
def test_mistakes_are_named(wrong, said):
    with pytest.raises(ValueError, match=said):
        wrong()
