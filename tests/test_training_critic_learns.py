"""The critic of a frozen policy finds its values, which `turnenv.exact` knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from critic_world import STATES, Stairs, exact_values, stairs_policy, stairs_tokenizer
from key_world import Recorder, config

from turnenv.credit import value_targets
from turnenv.groups import turn_batch
from turnenv.training.reading import readings_of

pytestmark = pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning")


@pytest.mark.parametrize(
    ("critic", "lam", "steps", "options"),
    [
        ("probe", 1.0, 9, {"buffer": 8}),
        pytest.param("probe", 0.5, 12, {"buffer": 8}, marks=pytest.mark.slow),
        pytest.param("model", 1.0, 40, {"learning_rate": 5e-4, "passes": 2}, marks=pytest.mark.slow),
        pytest.param("model", 0.5, 40, {"learning_rate": 5e-4, "passes": 2}, marks=pytest.mark.slow),
    ],
)
def test_a_critic_finds_the_values_of_a_frozen_policy(
    tmp_path: Path, critic: str, lam: float, steps: int, options: dict[str, Any]
) -> None:
    args = config(
        tmp_path,
        credit="turn_gae",
        credit_kwargs={"gamma": 1.0, "lam": 1.0},
        critic=critic,
        critic_kwargs={**options, "lam": lam},
        learning_rate=0.0,
        max_steps=steps,
        max_turn_tokens=1,
        per_device_train_batch_size=256,
    )
    trainer = Recorder(stairs_policy(), Stairs, args, processing_class=stairs_tokenizer())
    trainer.train()
    rows, output = trainer.recorded[-1]
    readings = readings_of(rows, output, None, None)
    named = {number: name for name, number in stairs_tokenizer().get_vocab().items()}
    seen = [[named[each.ids[position]] for position in each.positions] for each in readings]
    assert {name for row in seen for name in row} == set(STATES) - {"key"}
    exact = exact_values(stairs_policy())
    due = [[exact[name] for name in row] for row in seen]
    got = trainer._critic._learner.read(readings)  # type: ignore[union-attr]
    error = np.concatenate(got) - np.concatenate(due)
    assert np.sqrt((error**2).mean()) < 0.05

    def explained(values: list[list[float]]) -> float:
        batch = turn_batch([row["episode"] for row in rows], 8, [[*row, 0.0] for row in values])
        targets_BK = value_targets(batch)
        assert batch.values is not None
        residuals = (targets_BK - batch.values[:, :-1])[batch.turn_mask]
        return float(1.0 - residuals.var() / targets_BK[batch.turn_mask].var())

    assert explained(got) > 0.95 * explained(due)
    assert explained(due) > 0.05
