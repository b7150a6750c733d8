"""tree_backup on any tree: it agrees with a recursion over states, written down without arrays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnenv.credit import TurnBatch, grpo_mr, tree_backup

REWARDS = st.integers(-20, 20).map(lambda n: n / 10)


@st.composite
def forests(draw, faults=True):
    """Groups of trajectories, some of which branched off an earlier one: at any turn, chains and ties included."""
    rows, parents, groups, faulted = [], [], [], []
    for row in range(draw(st.integers(1, 9))):
        parent = draw(st.integers(-1, row - 1))
        first = max(0, parents[parent][1]) if parent >= 0 else 0
        own = draw(st.lists(REWARDS, min_size=1, max_size=3))
        turn = draw(st.integers(first, len(rows[parent]) - 1)) if parent >= 0 else -1
        rows.append([*rows[parent][:turn], *own] if parent >= 0 else own)
        parents.append((parent, turn))
        groups.append(groups[parent] if parent >= 0 else draw(st.integers(-1, 1)))
        faulted.append(faults and draw(st.integers(0, 4)) == 0)
    return rows, parents, groups, faulted


def batch_of(forest):
    rows, parents, groups, faulted = forest
    return TurnBatch.from_ragged(rows, [0.0] * len(rows), groups, faulted=faulted, parents=parents)


def paths(forest):
    """Each trajectory as the names of the states that it passed; copied turns have the names of the original."""
    names = []
    for row, (turns, (parent, turn)) in enumerate(zip(forest[0], forest[1], strict=True)):
        shared = names[parent][: turn + 1] if parent >= 0 else [("start", forest[2][row])]
        names.append(shared + [(row, k) for k in range(len(shared), len(turns))])
    return names


def by_recursion(forest):
    """Advantages of the turns that a live trajectory took itself."""
    rows, parents, _, faulted = forest
    names = paths(forest)
    edges = {}  # state -> {the trajectory that first took this way: (reward, next state or None)}
    for row in range(len(rows)):
        # Who copied a faulted trajectory's turns still tells what they earned, if it is live.
        for k in range(len(rows[row])) if not faulted[row] else ():
            owner = row
            while k < parents[owner][1]:
                owner = parents[owner][0]
            follows = names[row][k + 1] if k + 1 < len(rows[row]) else None
            edges.setdefault(names[row][k], {})[owner] = (rows[row][k], follows)

    def value(state):
        branches = [reward + (value(after) if after else 0.0) for reward, after in edges[state].values()]
        return sum(branches) / len(branches)

    expected = np.zeros((len(rows), max(map(len, rows))))
    for row in range(len(rows)):
        held = 0.0
        for k in range(max(0, parents[row][1]), len(rows[row])) if not faulted[row] else ():
            state = names[row][k]
            reward, after = edges[state][row]
            if len(edges[state]) > 1 or k == max(0, parents[row][1]):
                # What lies ahead down to the next branching, in one sum.
                held = reward + (value(after) if after else 0.0) - value(state)
            expected[row, k] = held
    return expected


@settings(max_examples=300, deadline=None)
@given(forests(faults=False))
def test_any_tree_is_backed_up_as_the_recursion_says(forest):
    np.testing.assert_allclose(tree_backup(batch_of(forest)), by_recursion(forest), rtol=0, atol=1e-9)


@settings(max_examples=300, deadline=None)
@given(forests())
def test_a_faulted_trunk_is_known_by_its_branches(forest):
    np.testing.assert_allclose(tree_backup(batch_of(forest)), by_recursion(forest), rtol=0, atol=1e-9)


@pytest.mark.parametrize("parents", [[(0, 1), (0, 1)], [(0, 1), (1, 1)]], ids=["of the trunk", "of each other"])
def test_branches_from_one_state_are_siblings_whoever_is_named_as_their_parent(parents):
    batch = TurnBatch.from_ragged([[1, 2], [1, 4], [1, 9]], [0.0] * 3, [0] * 3, parents=[(-1, -1), *parents])
    # 2, 4 and 9 have the mean 5; the first turn has nothing to be compared with.
    assert tree_backup(batch).tolist() == [[0, -3], [0, -1], [0, 4]]


@settings(max_examples=100, deadline=None)
@given(forests(), st.sampled_from(["none", "std"]), st.sampled_from(["none", "merged"]))
def test_whatever_the_tree_advantages_are_finite_and_copied_turns_hold_zero(forest, scale, episode):
    batch = batch_of(forest)
    advantages = tree_backup(batch, scale=scale, episode=episode)
    own_BK = batch.turn_mask & (np.arange(batch.turn_mask.shape[1]) >= batch.parents[:, 1:])
    assert np.isfinite(advantages).all()
    assert (advantages[~own_BK] == 0.0).all()
    if episode == "merged":
        alone = tree_backup(batch, scale=scale)
        np.testing.assert_allclose((advantages - alone)[own_BK], grpo_mr(batch, scale=scale)[own_BK], atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(forests(), st.integers(-5, 5))
def test_a_constant_on_all_outcomes_of_a_group_changes_no_branch(forest, shift):
    batch = batch_of(forest)
    shifted = replace(batch, outcome_rewards=batch.outcome_rewards + shift * (batch.group_ids + 2))
    np.testing.assert_allclose(tree_backup(shifted), tree_backup(batch), rtol=0, atol=1e-9)
