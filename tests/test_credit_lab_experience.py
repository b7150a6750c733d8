"""What a batch is made of and what it costs: continuations from every state, trees, and plain episodes untouched."""

import numpy as np
import pytest

from benchmarks.credit.cells import Cell, Problem
from benchmarks.credit.contenders import Contender, Session, code_hash, take, turn_batch
from benchmarks.credit.expectation import Measured, sample
from benchmarks.credit.experience import CONTINUATIONS, branched, continued, plain, way_of
from benchmarks.credit.learning import learn
from benchmarks.credit.metrics import direction, signal_to_noise
from benchmarks.credit.sampling import play, score_gradients
from benchmarks.credit.truth import evaluate_all
from benchmarks.harness.methods import Method
from turnenv.credit import SPECS, tree_backup
from turnenv.exact import softmax

WAYS = ("vine_ppo", "tree_backup")
KWARGS = (
    {"length": 3},
    {"length": 4, "errors": "fatal", "stop_reward": 0.25},
    {"length": 3, "errors": "recoverable", "clock": False, "slip": 0.2},
)


def make(way, kwargs, batches=2, **fields):
    """A problem and what a way of playing makes of `batches` batches of its measured policy."""
    problem = Problem.of(Cell(env_kwargs=kwargs, right=0.6, **fields))
    rng, extra = np.random.default_rng(0), np.random.default_rng(1)
    policies = np.broadcast_to(softmax(problem.measured_logits), (batches, *problem.shape))
    cell = problem.cell
    starts = problem.starts(batches * cell.groups, rng).repeat(cell.group_size).reshape(batches, -1)
    noise = rng.random((batches, cell.episodes, problem.model.horizon, 2))
    return problem, policies, way(problem, policies, starts, noise, lambda shape: extra.random((batches, *shape)))


@pytest.mark.parametrize("kwargs", KWARGS)
@pytest.mark.parametrize("way", [continued, branched])
def test_roots_and_continued_episodes_are_the_plain_ones(way, kwargs):
    _, _, plainly = make(plain, kwargs, group_size=6)
    _, _, played = make(way, kwargs, group_size=6)
    kept = slice(None) if way is continued else np.flatnonzero(np.arange(24) % 6 < 3)
    for name in ("states", "actions", "turn_rewards", "turn_mask", "outcome_rewards", "truncated"):
        assert np.array_equal(getattr(played.plays, name)[:, kept], getattr(plainly.plays, name)[:, kept])
    assert np.array_equal(plainly.turns, plainly.plays.turns)


@pytest.mark.parametrize("kwargs", KWARGS)
def test_values_of_continuations_are_unbiased(kwargs):
    problem, policies, played = make(continued, kwargs, batches=400)
    truth = evaluate_all(problem.model, policies, "shaped").along(played.plays)
    mask = played.plays.turn_mask
    error = (played.values - truth)[..., :-1][mask]
    # Given the states, each error is of fresh noise.
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(mask.sum())
    assert error.std() > 0.05
    assert not played.values[..., :-1][~mask].any()


def test_what_an_estimator_needs_decides_how_its_batches_are_played():
    ways = {name: way_of(spec) for name, spec in SPECS.items()}
    assert {name: way for name, way in ways.items() if way is not plain} == {
        "vine_ppo": continued,
        "tree_backup": branched,
    }


def test_rows_depend_on_how_a_method_is_played(monkeypatch):
    before = {name: code_hash(name) for name in ("tree_backup", "vine_ppo", "turn_gae", "mt_grpo")}
    monkeypatch.setattr("benchmarks.credit.contenders.way_of", lambda spec: plain)
    assert {name for name, code in before.items() if code_hash(name) != code} == set(WAYS)


# Computed with the lab as it was before methods were played in different ways (commit 211f87e).
@pytest.mark.parametrize(
    ("name", "turns", "final", "noise"),
    [
        ("grpo_mr", [1164.0, 1427.0], [0.8033930210478162, 0.8129526554891735], 1.2054914587739052),
        ("mt_grpo", [494.0, 484.0], [0.8146010590202029, 0.8020176956363125], 8.250956276680022),
        ("turn_gae", [2384.0, 2238.0], [0.8067563842201763, 0.8009996712456137], 3.5043666682197894),
        ("placebo", [1464.0, 1430.0], [0.8051812404435025, 0.8009653190122252], 0.6820801760978366),
    ],
)
def test_figures_of_plain_methods_are_locked(name, turns, final, noise):
    kwargs = {"length": 3, "errors": "recoverable", "clock": False, "slip": 0.2}
    problem = Problem.of(Cell(env_kwargs=kwargs, budget=20_000, start_right=0.5, threshold=0.8, right=0.6))
    contender = Contender.of(Method(name=name))
    done = learn(problem, contender, (3, 4), (0.3,))
    assert done.turns.tolist() == [turns]
    np.testing.assert_allclose(done.final, [final], rtol=1e-6)
    found = sample(Measured.of(problem, 2, 20), contender)
    assert signal_to_noise(found.moments, found.turns_ratio) == pytest.approx(noise, rel=1e-6)


def test_a_chain_of_known_length_costs_what_it_must():
    # Silent errors: all episodes have 4 turns, so the states of one have 4, 3, 2 and 1 turns to go.
    _, _, played = make(continued, {"length": 4})
    assert (played.turns == 32 * (4 + CONTINUATIONS * (4 + 3 + 2 + 1))).all()


@pytest.mark.parametrize("kwargs", KWARGS)
def test_a_branch_copies_its_parents_turns_and_pays_for_its_own(kwargs):
    problem, policies, played = make(branched, kwargs, batches=5, group_size=6)
    plays = played.plays
    assert (played.parents[:, np.arange(24) % 6 < 3] == -1).all()
    assert np.array_equal(played.turns, played.fresh.sum((1, 2)))
    for row, episode in np.argwhere(played.parents[..., 0] >= 0):
        parent, turn = played.parents[row, episode]
        assert episode // 6 == parent // 6
        assert 0 < turn < plays.turn_mask[row, parent].sum()
        for name in ("states", "actions", "turn_rewards", "turn_mask"):
            cells = getattr(plays, name)[row]
            assert np.array_equal(cells[episode, :turn], cells[parent, :turn])
        assert plays.states[row, episode, turn] == plays.states[row, parent, turn]
        assert not played.fresh[row, episode, :turn].any()
        assert np.array_equal(played.fresh[row, episode, turn:], plays.turn_mask[row, episode, turn:])
    batch = turn_batch(problem, policies, played, {"parents"})
    whole = tree_backup(batch)
    apart = [tree_backup(take(batch, slice(row * 24, row * 24 + 24))) for row in range(5)]
    np.testing.assert_allclose(whole, np.concatenate(apart), atol=1e-12)
    assert not whole.reshape(played.fresh.shape)[~played.fresh].any()


def test_half_of_a_tree_is_branches_and_they_begin_anywhere():
    _, _, played = make(branched, {"length": 4}, batches=200)
    branch_turns = played.parents[..., 1][played.parents[..., 0] >= 0]
    assert np.bincount(branch_turns)[1:] / (200 * 16) == pytest.approx([0.25] * 3, abs=0.03)
    # A quarter each plays 4, 3, 2 or 1 turns of its own.
    assert played.turns.mean() == pytest.approx(16 * 4 + 16 * 2.5, rel=0.02)


def test_a_tree_points_the_right_way_and_values_of_continuations_do_too():
    measured = Measured.of(Problem.of(Cell(env_kwargs={"length": 3, "mode": "none"}, right=0.6)), 10, 200)
    truth = measured.outcome_gradient.sum(0)
    for name in WAYS:
        assert direction(sample(measured, Contender.of(Method(name=name))).moments, truth) > 0.97


def test_one_step_on_continued_values_is_unbiased():
    problem, policies, played = make(continued, {"length": 3, "errors": "fatal"}, batches=2_000)
    session = Session(Contender.of(Method(name="vine_ppo")), 1, 0)
    found = score_gradients(problem.model, policies, played.plays, session.advantages(problem, policies, played))
    measured = Measured.of(problem, 1, 1)
    error = found.std(0) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - measured.shaped_gradient) <= 4.5 * error + 1e-12).all()


def test_signal_to_noise_is_for_equal_turns():
    measured = Measured.of(Problem.of(Cell(env_kwargs={"length": 4}, right=0.6)), 4, 50)
    found = sample(measured, Contender.of(Method(name="vine_ppo")))
    assert found.turns_ratio == pytest.approx(1 / (1 + CONTINUATIONS * 10 / 4))
    assert sample(measured, Contender.of(Method(name="mt_grpo"))).turns_ratio == 1.0
    assert signal_to_noise(found.moments, 0.5) == pytest.approx(signal_to_noise(found.moments) / 2)


@pytest.mark.parametrize("name", WAYS)
def test_training_pays_for_every_turn_that_was_played(name):
    problem = Problem.of(Cell(env_kwargs={"length": 3}, budget=400 * 32 * 3, start_right=0.5))
    done = learn(problem, Contender.of(Method(name=name)), (3, 4), (3.0,))
    batches = done.episodes[0] / 32
    assert np.isfinite(batches).all()
    if name == "vine_ppo":
        assert np.array_equal(done.turns[0], batches * 32 * (3 + CONTINUATIONS * 6))
    else:
        assert ((batches * 16 * (3 + 1) < done.turns[0]) & (done.turns[0] < batches * 32 * 3)).all()


def test_a_first_turn_of_its_own_masks_what_lies_before():
    problem, policies, _ = make(plain, {"length": 4}, batches=1)
    starts, noise = np.zeros((1, 3), dtype=np.int64), np.random.default_rng(0).random((1, 3, 4, 2))
    whole = play(problem.model, policies, starts, noise)
    late = np.take_along_axis(whole.states, np.array([[[0], [2], [0]]]), axis=2)[..., 0]
    part = play(problem.model, policies, late, noise, np.array([[0, 2, 4]]))
    assert part.turn_mask.tolist() == [[[True] * 4, [False, False, True, True], [False] * 4]]
    assert np.array_equal(part.actions[0, 1, 2:], whole.actions[0, 1, 2:])
    assert np.array_equal(part.actions[0, 0], whole.actions[0, 0])
    assert part.outcome_rewards[0, 1] == whole.outcome_rewards[0, 1]
