"""Two processes that share one group take the step that one process would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from key_world import largest_difference, plain_gradient, tiny_model
from two_processes_ppo import METHODS, make, state_of

from turnenv.credit import TurnBatch, mt_grpo

pytestmark = pytest.mark.slow


def launch(script: str, *arguments: str) -> None:
    """Run a script of this folder in two processes."""
    here = Path(__file__).parent
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    run = subprocess.run(
        [*launcher, str(here / script), *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]


def tensors_of(state: Any) -> list[torch.Tensor]:
    if isinstance(state, torch.Tensor):
        return [state.double()]
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, list | tuple) else []
    return [tensor for part in parts for tensor in tensors_of(part)]


@pytest.mark.parametrize("method", METHODS)
def test_three_steps_of_two_processes_equal_those_of_one(tmp_path: Path, method: str) -> None:
    launch("two_processes_ppo.py", str(tmp_path), method)
    both = torch.load(tmp_path / f"{method}.pt", weights_only=False)
    assert len(both["played"]) == 3
    alone = make(tmp_path / "alone", method, 16)
    batches = iter(both["played"])
    alone.rollout_func = lambda prompts, trainer: next(batches)
    alone.train()
    for (_, output), advantages in zip(alone.recorded, both["advantages"], strict=True):
        assert torch.allclose(output["advantages"][:8, : advantages.shape[1]], advantages, atol=1e-6)
    due = state_of(alone)
    assert largest_difference(both["policy"], due["policy"]) < 1e-6
    assert largest_difference(both["policy"], list(tiny_model().parameters())) > 1e-4
    if due["critic"] is None:
        return
    ours, theirs = (state["critic"]["learner"] for state in (both, due))
    # The states that a probe keeps are the policy's, not parameters.
    kept = [tensors_of(learner.pop("buffer", [])) for learner in (ours, theirs)]
    assert largest_difference([torch.zeros(1), *kept[0]], [torch.zeros(1), *kept[1]]) < 1e-5
    assert len(tensors_of(ours)) == len(tensors_of(theirs)) > 0
    assert largest_difference(tensors_of(ours), tensors_of(theirs)) < 1e-6
    if method.endswith("rank_of_faults"):
        assert [episode.faulted for episode in both["played"][0]["episode"]] == [False] * 8 + [True] * 8


def test_a_sharded_policy_plays_and_trains_on_episodes_of_different_lengths(tmp_path: Path) -> None:
    launch("two_shards.py", str(tmp_path))
    for rank in range(2):
        assert float((tmp_path / f"{rank}.txt").read_text()) < 1e-5


def test_two_processes_sharing_a_group_equal_one(tmp_path: Path) -> None:
    launch("two_processes.py", str(tmp_path))
    played = torch.load(tmp_path / "played.pt", weights_only=False)
    prompts, completions, turn_of, episodes, advantages = zip(*played["rows"], strict=True)
    assert len(episodes) == 16
    assert len({episode.task for episode in episodes}) == 1
    assert len({tuple(ids) for ids in completions}) > 8
    expected = mt_grpo(
        TurnBatch.from_ragged(
            [episode.turn_rewards for episode in episodes], [e.outcome.reward for e in episodes], [0] * 16
        )
    )
    for row, turns in enumerate(turn_of):
        due = [expected[row, turn] if turn >= 0 else 0.0 for turn in turns]
        assert np.allclose(advantages[row][: len(turns)], due, atol=1e-6)
    gradient = plain_gradient(tiny_model(), prompts, completions, turn_of, expected)
    assert largest_difference(played["gradients"], gradient) < 1e-6
    assert played["logged"]["return"] == pytest.approx(np.mean([episode.total_reward for episode in episodes]))
