"""Two processes that share one group take the step that one process would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from key_world import largest_difference, plain_gradient, tiny_model

from turnenv.credit import TurnBatch, mt_grpo

pytestmark = pytest.mark.slow


def test_two_processes_sharing_a_group_equal_one(tmp_path: Path) -> None:
    here = Path(__file__).parent
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{here}{os.pathsep}{here.parent}"}
    run = subprocess.run(
        [*launch, str(here / "two_processes.py"), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
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
