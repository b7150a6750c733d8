"""What training cost beyond turns and tokens: returns to snapshots and verdicts of judges."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium
import pytest
from key_world import KeyEnv, Recorder, config, tiny_model, word_tokenizer

from benchmarks.compare.training_run import what_it_took
from turnenv.adapters import as_text_env
from turnenv.core.tally import RESTORES
from turnenv.judges import JudgeError, Message
from turnenv.wrappers import JudgedTurns, TransformTurnRewards, TurnRewardWrapper

pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")


class Branching(TurnRewardWrapper):
    """Takes every turn twice more from the state before it, as a counterfactual critic does."""

    def step(self, action: str) -> Any:
        here = self.snapshot()
        for _ in range(2):
            self.inner.step(action)
            self.restore(here)
        return super().step(action)

    def revise(self, action: str, reply: Any) -> Any:
        return reply


class Kind:
    def score(self, transcript: Sequence[Message]) -> float:
        return 1.0


class Absent:
    def score(self, transcript: Sequence[Message]) -> float:
        raise JudgeError("nobody is there")


def judged_branches(judge: Any = None) -> Any:
    return TransformTurnRewards(JudgedTurns(Branching(KeyEnv()), judge or Kind()))


def test_restores_and_judge_calls_of_training_are_counted_once(tmp_path: Path) -> None:
    evaluation = {"eval_strategy": "steps", "eval_steps": 1, "num_eval_seeds": 8, "per_device_eval_batch_size": 8}
    trainer = Recorder(
        tiny_model(),
        judged_branches,
        config(tmp_path, max_steps=2, **evaluation),
        processing_class=word_tokenizer(),
    )
    trainer.train()
    turns = sum(trainer.experience.turns)
    assert turns > 32
    assert (trainer.experience.restores, trainer.experience.judge_calls) == (2 * turns, turns)
    spent = what_it_took(trainer, 1.0, 1.0)
    assert (spent.restores, spent.judge_calls, spent.env_turns) == (2 * turns, turns, turns)


def test_a_verdict_that_failed_was_asked_for(tmp_path: Path) -> None:
    trainer = Recorder(
        tiny_model(), lambda: judged_branches(Absent()), config(tmp_path), processing_class=word_tokenizer()
    )
    trainer.train()
    assert trainer.experience.judge_calls == sum(trainer.experience.turns) == 16


def test_plain_training_restores_nothing(tmp_path: Path) -> None:
    trainer = Recorder(tiny_model(), KeyEnv, config(tmp_path), processing_class=word_tokenizer())
    trainer.train()
    assert (trainer.experience.restores, trainer.experience.judge_calls) == (0, 0)


class Renamed(gymnasium.ObservationWrapper[str, str, str]):
    def observation(self, observation: str) -> str:
        return observation


@pytest.mark.parametrize("make", [KeyEnv, lambda: as_text_env(Renamed(KeyEnv())), judged_branches])
def test_a_restore_counts_once_whatever_stands_around_the_environment(make: Any) -> None:
    env = make()
    env.reset(seed=1)
    here, before = env.snapshot(), RESTORES.value
    env.restore(here)
    env.restore(here)
    assert RESTORES.value == before + 2
