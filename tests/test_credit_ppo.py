"""Turn-level PPO on exact values: what it is paid, what its critic is taught, and where a value must be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from turnenv.credit import SPECS, TurnBatch, critic_for, spec_of, turn_gae, value_targets
from turnenv.envs.credit_chain import CreditChain
from turnenv.exact import TabularModel, evaluate, policy_gradient, simulate, softmax, tabular_model
from turnenv.training.critic_probe import _left_out_error, solve_head

Step = tuple[int, int, int]
"""State, action and branch of a turn."""


def chain() -> tuple[TabularModel, Any]:
    """A chain with slips, and a policy with logits of its own for each turn."""
    model = tabular_model(CreditChain(3, actions=2, errors="fatal", slip=0.2))
    logits = np.random.default_rng(0).normal(size=(model.horizon, len(model.keys), len(model.actions)))
    return model, softmax(logits)


def trajectories(model: TabularModel, policy: Any) -> Iterator[tuple[float, list[Step]]]:
    """Every trajectory there is, and its probability."""

    def go_on(state: int, steps: list[Step], chance: float) -> Iterator[tuple[float, list[Step]]]:
        for action in range(len(model.actions)):
            for branch in np.flatnonzero(model.probabilities[state, action]).tolist():
                taken = (state, action, branch)
                now = chance * policy[len(steps), state, action] * model.probabilities[taken]
                if model.ends[taken] or len(steps) + 1 == model.horizon:
                    yield now, [*steps, taken]
                else:
                    yield from go_on(int(model.next_states[taken]), [*steps, taken], now)

    for state in np.flatnonzero(model.start).tolist():
        yield from go_on(state, [], float(model.start[state]))


def mean_gradient(model: TabularModel, policy: Any, lam: float, *, after_the_action: bool) -> Any:
    """Σ over trajectories of probability · Σ_k advantage_k · ∇ log π, in logits (H, S, A)."""
    values = evaluate(model, policy, "shaped")
    chances, paths = zip(*trajectories(model, policy), strict=True)
    ends = [model.ends[path[-1]] for path in paths]
    cut = [
        0.0 if ended else model.silence[model.next_states[path[-1]]] for path, ended in zip(paths, ends, strict=True)
    ]
    batch = TurnBatch.from_ragged(
        [[float(model.turn_rewards[step]) for step in path] for path in paths],
        [float(model.outcome_rewards[path[-1]]) + silence for path, silence in zip(paths, cut, strict=True)],
        [0] * len(paths),
        truncated=[not ended for ended in ends],
        values=[
            [
                *(
                    values.q[turn, state, action] if after_the_action else values.v[turn, state]
                    for turn, (state, action, _) in enumerate(path)
                ),
                0.0,
            ]
            for path in paths
        ],
    )
    advantages = turn_gae(batch, gamma=1.0, lam=lam)
    gradient = np.zeros(policy.shape)
    for chance, path, row in zip(chances, paths, advantages, strict=True):
        for turn, (state, action, _) in enumerate(path):
            score = (np.arange(policy.shape[-1]) == action) - policy[turn, state]
            gradient[turn, state] += chance * row[turn] * score
    assert sum(chances) == pytest.approx(1.0, abs=1e-12)
    return gradient


@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
def test_an_exact_critic_gives_the_exact_policy_gradient(lam: float) -> None:
    model, policy = chain()
    due = policy_gradient(model, policy, "shaped")
    assert np.abs(due).max() > 1e-2
    np.testing.assert_allclose(mean_gradient(model, policy, lam, after_the_action=False), due, atol=1e-9)


@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
def test_a_value_that_is_read_after_the_action_gives_no_gradient_at_all(lam: float) -> None:
    model, policy = chain()
    np.testing.assert_allclose(mean_gradient(model, policy, lam, after_the_action=True), 0.0, atol=1e-9)


def test_rewards_are_paid_by_turn_at_the_end_or_not_at_all() -> None:
    batch = TurnBatch.from_ragged([[1.0, 0.0, 2.0], [0.5]], [3.0, 4.0], [0, 0], values=[[0.0] * 4, [0.0] * 2])
    for rewards, due in (
        ("turn", [[6.0, 5.0, 5.0], [4.5, 0.0, 0.0]]),
        ("outcome", [[3.0, 3.0, 3.0], [4.0, 0.0, 0.0]]),
        ("merged", [[6.0, 6.0, 6.0], [4.5, 0.0, 0.0]]),
    ):
        assert turn_gae(batch, gamma=1.0, lam=1.0, rewards=rewards).tolist() == due  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rewards='each' is not an option; choose one of 'turn', 'outcome', 'merged'"):
        turn_gae(batch, rewards="each")  # type: ignore[arg-type]


def test_targets_have_a_lambda_of_their_own() -> None:
    batch = TurnBatch.from_ragged([[1.0, 0.0, 2.0]], [3.0], [0], values=[[0.5, 1.0, 1.5, 0.0]])
    assert value_targets(batch, gamma=0.9, lam=1.0).tolist() == pytest.approx(np.array([[5.05, 4.5, 5.0]]))
    assert value_targets(batch, gamma=0.9, lam=0.0).tolist() == pytest.approx(np.array([[1.9, 1.35, 5.0]]))


def test_a_probe_on_one_feature_per_state_finds_the_values() -> None:
    model, policy = chain()
    played = simulate(model, policy, 60_000, np.random.default_rng(0))
    rewards = np.where(played.turn_mask, played.turn_rewards, 0.0)
    last = played.turn_mask.sum(axis=1) - 1
    rewards[np.arange(len(last)), last] += played.outcome_rewards
    targets = rewards[:, ::-1].cumsum(axis=1)[:, ::-1][played.turn_mask]
    H, S = model.horizon, len(model.keys)
    met = (np.arange(H) * S + played.states)[played.turn_mask]
    episodes = np.broadcast_to(np.arange(len(last))[:, None], played.turn_mask.shape)[played.turn_mask]
    head = solve_head(np.eye(H * S, dtype=np.float32)[met], targets, episodes % 16)
    due = evaluate(model, policy, "shaped").v[:-1].ravel()
    error = head(np.eye(H * S)[met]) - due[met]
    assert np.sqrt((error**2).mean()) < 0.01


def test_leaving_a_block_out_is_what_the_penalty_is_chosen_by() -> None:
    rng = np.random.default_rng(1)
    features, blocks = rng.normal(size=(60, 80)), np.repeat(np.arange(6), 10)
    weight = rng.normal(size=80) * (np.arange(80) < 5)
    signal = solve_head(features, features @ weight + 0.1 * rng.normal(size=60), blocks)
    noise = solve_head(features, rng.normal(size=60), blocks)
    fresh = rng.normal(size=(500, 80))
    assert (signal(fresh) - fresh @ weight).var() < 0.7 * (fresh @ weight).var()
    # What predicts no other block is left alone: the mean.
    assert noise(fresh).var() < 0.05


@pytest.mark.parametrize("width", [80, 4])
def test_the_errors_of_blocks_left_out_are_those_of_solving_without_them(width: int) -> None:
    rng = np.random.default_rng(2)
    features, blocks = rng.normal(size=(60, width)), np.repeat(np.arange(6), 10)
    targets, penalty = rng.normal(size=60), 7.0
    X, y = features - features.mean(axis=0), targets - targets.mean()
    squares, U = np.linalg.eigh(X @ X.T)
    d = squares.clip(min=0.0) / (squares + penalty)
    quick = _left_out_error(U, d, y - U @ (d * (U.T @ y)), [np.flatnonzero(blocks == b) for b in range(6)])
    slow = 0.0
    for block in range(6):
        kept, out = blocks != block, blocks == block
        A, b, mean = features[kept], targets[kept], features[kept].mean(axis=0)
        w = np.linalg.solve((A - mean).T @ (A - mean) + penalty * np.eye(width), (A - mean).T @ (b - b.mean()))
        slow += float(((targets[out] - b.mean() - (features[out] - mean) @ w) ** 2).sum())
    assert quick == pytest.approx(slow)


def test_equal_targets_and_single_episodes_have_a_head() -> None:
    features = np.random.default_rng(0).normal(size=(4, 3))
    assert solve_head(features, np.full(4, 2.0), np.arange(4))(features) == pytest.approx(np.full(4, 2.0))
    assert solve_head(features[:1], np.array([5.0]), np.array([0]))(features) == pytest.approx(np.full(4, 5.0))
    assert solve_head(np.ones((4, 3)), np.arange(4.0), np.arange(4))(features) == pytest.approx(np.full(4, 1.5))


def test_which_estimators_are_trained_with_a_critic() -> None:
    chosen = {name: critic_for(spec, {}) for name, spec in SPECS.items() if not spec.monte_carlo}
    assert {name for name, critic in chosen.items() if critic is not None} == {"turn_gae"}
    assert critic_for(spec_of("placebo"), {"estimator": "turn_gae"}) == "probe"
    assert critic_for(spec_of("turn_gae"), {}, "model") == "model"
