"""TurnBatch accepts what it should, refuses the rest by name, and blanks what is masked."""

import numpy as np
import pytest

from turnenv.credit import ESTIMATORS, TurnBatch


def fields(**changes):
    whole = {
        "turn_rewards": [[1, 2, 0], [3, 0, 0]],
        "outcome_rewards": [1, 0],
        "turn_mask": [[True, True, False], [True, False, False]],
        "group_ids": [7, 7],
        "truncated": [False, True],
    }
    return whole | changes


def test_lists_and_integers_become_typed_read_only_arrays():
    batch = TurnBatch(**fields())
    assert batch.turn_rewards.dtype == batch.outcome_rewards.dtype == np.float64
    assert batch.turn_mask.dtype == batch.truncated.dtype == np.bool_
    assert batch.group_ids.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        batch.turn_rewards[0, 0] = 5.0


def test_the_caller_keeps_his_arrays():
    rewards = np.array([[1.0, np.nan]])
    batch = TurnBatch(rewards, [0.0], [[True, False]], [0], [False])
    rewards[0, 0] = 9.0
    assert batch.turn_rewards.tolist() == [[1.0, 0.0]]
    assert np.isnan(rewards[0, 1])


def test_masked_cells_hold_zero_whatever_was_there():
    batch = TurnBatch(
        turn_rewards=[[1.0, np.nan, 8.0], [np.inf, 8.0, 8.0]],
        outcome_rewards=[1.0, np.nan],
        turn_mask=[[True, False, False], [False, False, False]],
        group_ids=[0, 0],
        truncated=[False, False],
        state_keys=[[5, 6, 7], [5, 6, 7]],
        values=[[1.0, 2.0, np.nan, 3.0], [np.nan, 1.0, 1.0, 1.0]],
    )
    assert batch.turn_rewards.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert batch.outcome_rewards.tolist() == [1.0, 0.0]
    assert batch.state_keys is not None
    assert batch.state_keys.tolist() == [[5, 0, 0], [0, 0, 0]]
    assert batch.values is not None
    assert batch.values.tolist() == [[1.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]


def test_counts_of_turns_and_the_final_one():
    batch = TurnBatch.from_ragged([[1, 1, 1], [1], [1, 1]], [0, 0, 0], [0, 0, 0], faulted=[False, False, True])
    assert batch.num_turns.tolist() == [3, 1, 0]
    assert batch.live.tolist() == [True, True, False]
    assert batch.final_turn_mask.tolist() == [[False, False, True], [True, False, False], [False, False, False]]


def test_from_ragged_pads_and_masks_faults():
    batch = TurnBatch.from_ragged(
        [[0.5, 0.25], [], [1.0], [2.0, np.nan, 2.0]],
        [1.0, np.nan, 0.0, np.nan],
        [3, 3, 4, 4],
        truncated=[True, False, False, False],
        faulted=[False, True, False, True],
        state_keys=[[11, 12], [], [13], [1, 2, 3]],
        values=[[1.0, 2.0, 3.0], [0.0], [4.0, 5.0], [0.0] * 4],
    )
    assert batch.turn_rewards.tolist() == [[0.5, 0.25, 0.0], [0.0] * 3, [1.0, 0.0, 0.0], [0.0] * 3]
    assert batch.live.tolist() == [True, False, True, False]
    assert batch.truncated.tolist() == [True, False, False, False]
    assert batch.state_keys is not None
    assert batch.state_keys.tolist() == [[11, 12, 0], [0] * 3, [13, 0, 0], [0] * 3]
    assert batch.values is not None
    assert batch.values.tolist() == [[1.0, 2.0, 3.0, 0.0], [0.0] * 4, [4.0, 5.0, 0.0, 0.0], [0.0] * 4]


def test_state_keys_of_either_sign_stay_distinct():
    keys = [[2**64 - 1, 2**63, 2**63 - 1, 0, -7]]
    batch = TurnBatch.from_ragged([[0.0] * 5], [0.0], [0], state_keys=keys)
    assert batch.state_keys is not None
    assert batch.state_keys.tolist() == [[-1, -(2**63), 2**63 - 1, 0, -7]]
    with pytest.raises(TypeError):
        TurnBatch.from_ragged([[0.0]], [0.0], [0], state_keys=[[0.5]])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"turn_rewards": [[1.0, 2.0]]}, r"turn_mask has shape \(2, 3\), not \(1, 2\)"),
        ({"turn_rewards": [1.0, 2.0], "turn_mask": [True, True]}, "1 axes, not 2"),
        ({"outcome_rewards": [1.0]}, r"outcome_rewards has shape \(1,\), not \(2,\)"),
        ({"group_ids": [0, 1, 2]}, "group_ids has shape"),
        ({"truncated": [[False, False]]}, "truncated has shape"),
        ({"state_keys": [[1, 2]]}, "state_keys has shape"),
        ({"values": [[1.0, 2.0, 3.0]] * 2}, r"values has shape \(2, 3\), not \(2, 4\)"),
        ({"turn_mask": [[True, True, False], [True, False, True]]}, "turn_mask row 1 is not Trues and then Falses"),
        ({"turn_mask": [[False, True, True], [True, True, True]]}, "turn_mask row 0"),
        ({"turn_mask": [[1, 2, 0], [1, 0, 0]]}, "turn_mask holds other values than True and False"),
        ({"turn_rewards": [[1.0, np.nan, 0], [0, 0, 0]]}, r"turn_rewards\[0, 1\] is nan; fix the reward, or mark"),
        ({"outcome_rewards": [1.0, np.inf]}, r"outcome_rewards\[1\] is inf"),
        ({"outcome_rewards": ["1", "0"]}, "pass real numbers"),
        ({"outcome_rewards": [1.0, None]}, "pass real numbers"),
        ({"values": [[1.0, 1.0, np.nan, 0.0], [1.0] * 4]}, r"values\[0, 2\] is nan"),
        ({"group_ids": [0.0, 0.5]}, "number the tasks"),
        ({"group_ids": [0.0, np.inf]}, "number the tasks"),
        ({"group_ids": ["a", "b"]}, "number the tasks"),
        ({"state_keys": [[1.0, 2.0, 0.0]] * 2}, "merges distinct 64-bit keys"),
    ],
)
def test_what_cannot_be_a_batch_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        TurnBatch(**fields(**changes))


def test_integral_float_group_ids_are_cast():
    assert TurnBatch(**fields(group_ids=[2.0, 2.0])).group_ids.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faulted": None}, "trajectory 1 has no turns; mark it in `faulted`"),
        ({"faulted": [True]}, "faulted has shape"),
        ({"state_keys": [[1], [2]]}, "state_keys has 1, not 2 entries in row 0"),
        ({"state_keys": [[1, 2]]}, "state_keys has 1, not 2 rows"),
        ({"values": [[1.0, 2.0], [0.0]]}, "values has 2, not 3 entries in row 0"),
    ],
)
def test_from_ragged_names_the_list_that_does_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        TurnBatch.from_ragged([[1.0, 1.0], []], [0.0, 0.0], [0, 0], **({"faulted": [False, True]} | options))


@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_batch_in_which_nobody_acted_has_no_credit(rows, estimator):
    batch = TurnBatch.from_ragged(
        [[]] * rows,
        [np.nan] * rows,
        [0] * rows,
        faulted=[True] * rows,
        state_keys=[[]] * rows,
        values=[[np.nan]] * rows,
        parents=np.full((rows, 2), -1),
        true_advantages=[[]] * rows,
    )
    assert estimator(batch).shape == (rows, 0)
