"""The trainer takes whatever `collect` takes: instances, wrapped and foreign environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from key_world import Recorder, config
from tiny_policy import save_tiny_policy

from turnenv.adapters.minigrid import minigrid
from turnenv.adapters.toy_text import frozen_lake, taxi
from turnenv.training import TurnGRPOTrainer

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:an action of"),
]


class Scratch(gymnasium.Env[str, str]):
    """Written without turnenv: wants a 7, within three turns."""

    observation_space = spaces.Text(100)
    action_space = spaces.Text(10_000)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        super().reset(seed=seed)
        self.turn = 0
        return f"guess{self.np_random.integers(3)}", {}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self.turn += 1
        return "again", float("7" in action), "7" in action, self.turn == 3, {}


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save_tiny_policy(tmp_path_factory.mktemp("policy")))


def trained(folder: Path, policy: str, env: Any, **changes: Any) -> Recorder:
    steps = {"max_steps": 3, "max_turns": 4, "max_turn_tokens": 3, **changes}
    trainer = Recorder(policy, env, config(folder, **steps))
    trainer.train()
    return trainer


# GiGPO reads the most of an environment: its state keys, too.
@pytest.mark.parametrize(
    "credit", [*(pytest.param(name, marks=pytest.mark.slow) for name in ("mt_grpo", "grpo_or")), "gigpo"]
)
@pytest.mark.parametrize(
    "make", [frozen_lake, Scratch, *(pytest.param(make, marks=pytest.mark.slow) for make in (taxi, minigrid))]
)
def test_foreign_environments_are_trained_on(tmp_path: Path, policy: str, make: Any, credit: str) -> None:
    trainer = trained(tmp_path, policy, make, credit=credit)
    assert trainer.state.global_step == 3
    for rows, _ in trainer.recorded:
        for row in rows:
            assert 1 <= len(row["episode"].turns) <= 4
            assert not row["episode"].faulted


def test_every_form_trains_alike(tmp_path: Path, policy: str) -> None:
    """An id, an instance, a wrapped instance and a function of one environment give one training run."""
    forms = ["turnenv/GuessNumber-v0", gymnasium.make("turnenv/GuessNumber-v0")]
    forms += [gymnasium.wrappers.RecordEpisodeStatistics(forms[1]), lambda: gymnasium.make("turnenv/GuessNumber-v0")]
    runs = []
    for number, form in enumerate(forms):
        trainer = trained(tmp_path / str(number), policy, form, max_turns=None)
        runs.append(np.concatenate([parameter.detach().numpy().ravel() for parameter in trainer.model.parameters()]))
    for run in runs[1:]:
        np.testing.assert_array_equal(run, runs[0])


@pytest.mark.parametrize("limited", ["instance", "kwargs"])
def test_a_time_limit_holds_in_training(tmp_path: Path, policy: str, limited: str) -> None:
    env: Any = "turnenv/GuessNumber-v0"
    trainer = Recorder(
        policy,
        gymnasium.make(env, max_episode_steps=2) if limited == "instance" else env,
        config(tmp_path, max_steps=2, max_turn_tokens=3),
        env_kwargs={"max_episode_steps": 2} if limited == "kwargs" else None,
    )
    trainer.train()
    episodes = [row["episode"] for rows, _ in trainer.recorded for row in rows]
    assert max(len(episode.turns) for episode in episodes) == 2
    for episode in episodes:
        assert episode.outcome.end in ("turn_limit", "solved")
        assert episode.total_reward == pytest.approx(sum(episode.turn_rewards) + episode.outcome.reward)


def test_what_cannot_be_played_is_said_before_the_model_is_loaded(tmp_path: Path) -> None:
    for env, kwargs, match in (
        (gymnasium.make("turnenv/GuessNumber-v0"), {"low": 3}, "pass its id"),
        ("no_such_module:make", {}, "importable"),
        ("turnenv/GuessNumber-v0", {"lo": 3}, "no argument 'lo'"),
    ):
        with pytest.raises(ValueError, match=match):
            TurnGRPOTrainer("no/model", env, config(tmp_path), env_kwargs=kwargs)
