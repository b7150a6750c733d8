"""Training in the lab: the prototype's figures, pairing, budgets."""

import numpy as np
import pytest

from benchmarks.credit import contenders
from benchmarks.credit.cells import Cell, Problem
from benchmarks.credit.contenders import Contender
from benchmarks.credit.learning import learn
from benchmarks.credit.truth import evaluate_all
from benchmarks.harness.methods import Method

SEEDS = (0, 1, 2, 3, 4)


def run(name, cell, seeds=SEEDS, rates=(0.3,), **options):
    return learn(Problem.of(cell), Contender.of(Method(name=name, options=options)), seeds, rates)


def chain(length, batches=400, **fields):
    return Cell(env_kwargs={"length": length}, budget=batches * 32 * length, **fields)


def test_the_prototype_bar_on_the_chain_of_eight():
    cell = chain(8)
    merged, turns = (np.median(run(name, cell).episodes[0]) for name in ("grpo_mr", "mt_grpo"))
    assert 4_000 < merged < 8_000
    assert turns / merged <= 0.5
    assert np.isinf(run("grpo_or", cell).episodes).all()


def test_runs_do_not_know_of_each_other():
    cell = chain(3)
    together = run("mt_grpo", cell, (3, 4), (0.3, 3.0))
    for rate, seed in np.ndindex(2, 2):
        alone = run("mt_grpo", cell, (3 + seed,), ((0.3, 3.0)[rate],))
        assert alone.turns[0, 0] == together.turns[rate, seed]
        assert alone.final[0, 0] == together.final[rate, seed]
        assert alone.area[0, 0] == pytest.approx(together.area[rate, seed])


def test_a_run_ends_with_its_budget_or_at_the_threshold():
    slow = run("grpo_or", chain(4, batches=5), rates=(0.01,))
    assert np.isinf(slow.turns).all()
    assert np.all(np.abs(slow.final - 0.25**4) < 0.01)
    np.testing.assert_allclose(slow.area, slow.final, atol=0.01)
    fast = run("mt_grpo", chain(4), rates=(3.0,))
    assert np.all(fast.turns == 4 * fast.episodes)
    assert np.all(fast.final >= 0.9)
    kept = run("mt_grpo", chain(4, keep_going=True), rates=(3.0,))
    assert np.array_equal(kept.turns, fast.turns)
    assert np.all(kept.final > fast.final)
    assert np.all((kept.area > 0.9) & (kept.area < 1.0))


def test_the_oracle_of_the_outcome_is_no_ceiling_since_it_is_silent_once_the_outcome_is_lost(monkeypatch):
    cell = Cell(env_kwargs={"length": 8, "actions": 6}, group_size=16, budget=16 * 64 * 8)
    turnwise = np.median(run("mt_grpo", cell, rates=(30.0,)).episodes)
    outcome = np.median(run("oracle", cell, rates=(30.0,), scale="std").episodes)
    monkeypatch.setattr(contenders, "evaluate_all", lambda model, policies, _: evaluate_all(model, policies, "shaped"))
    whole = np.median(run("oracle", cell, rates=(30.0,), scale="std").episodes)
    assert outcome >= 2 * turnwise
    assert whole <= 1.5 * turnwise


def test_the_oracle_of_the_outcome_keeps_up_where_an_error_ends_the_episode():
    cell = Cell(env_kwargs={"length": 8, "errors": "fatal"}, budget=100 * 32 * 8)
    turnwise, outcome = (
        np.median(run(name, cell, rates=(30.0,), **options).episodes)
        for name, options in (("mt_grpo", {}), ("oracle", {"scale": "std"}))
    )
    assert outcome <= turnwise
