"""A budget of environment turns: where training ends, and what the learning rate is on the way."""

import pytest
import torch
from benchmark_rows import settings
from torch.optim.lr_scheduler import LambdaLR, StepLR
from transformers import TrainerControl

from benchmarks.compare.records import Run
from benchmarks.compare.training_run import train
from benchmarks.compare.turn_budget import TurnBudget
from benchmarks.harness.methods import parse_methods


def _schedule(kind=LambdaLR, **options):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    return optimizer, kind(optimizer, **options)


def test_the_learning_rate_falls_with_the_turns_and_training_ends_when_they_are_played():
    optimizer, schedule = _schedule(lr_lambda=lambda step: 1.0)
    spent, control, seen = [0], TrainerControl(), list[float]()
    budget = TurnBudget(100, lambda: spent[0])
    budget.on_train_begin(None, None, control, lr_scheduler=schedule)
    while not control.should_training_stop:
        seen.append(optimizer.param_groups[0]["lr"])
        spent[0] += 30
        optimizer.step()
        schedule.step()
        budget.on_step_end(None, None, control)
    assert seen == pytest.approx([2.0, 1.4, 0.8, 0.2])
    assert optimizer.param_groups[0]["lr"] == 0.0


def test_a_schedule_that_cannot_follow_turns_is_refused():
    _, schedule = _schedule(StepLR, step_size=1)
    with pytest.raises(TypeError, match="LambdaLR; got StepLR"):
        TurnBudget(100, lambda: 0).on_train_begin(None, None, None, lr_scheduler=schedule)


def test_a_real_run_stops_at_its_budget(tmp_path):
    sizes = {"steps": 9, "groups": 1, "num_generations": 4, "eval_episodes": 4, "eval_batch": 4, "max_turn_tokens": 4}
    env = {"env": "turnenv/GuessNumber-v0", "eval_kwargs": {}, "model": "agents/nano", "device": "cpu"}
    asked = settings().model_copy(update={**sizes, **env, "env_turns": 50})
    run = Run(settings=asked, method=parse_methods("mt_grpo")[0], seed=0)
    found = train(run, asked.env, tmp_path, tmp_path / "groups.jsonl", lambda step, note: None)
    played = [4 * turns for turns in found.curve["turns"]]
    assert sum(played[:-1]) < 50 <= sum(played) == found.spent.env_turns
    expected = [1e-3 * max(0.0, 1 - sum(played[:n]) / 50) for n in range(len(played))]
    assert found.curve["learning_rate"] == pytest.approx(expected, abs=1e-9)


def test_a_budget_is_part_of_what_decides_a_result():
    plain = Run(settings=settings(), method=None, seed=0)
    assert plain.run_id != Run(settings=settings().model_copy(update={"env_turns": 5}), method=None, seed=0).run_id
