"""Dead groups are played again: which, how often, what it costs, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from key_world import KeyEnv, Recorder, config, largest_difference, plain_gradient, tiny_model, unpadded, word_tokenizer

from turnenv import Reply
from turnenv.credit import ESTIMATORS
from turnenv.groups import turn_batch
from turnenv.training import seed_dataset

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]


class Pointless(KeyEnv):
    """Its outcome is 0 whatever is said, so that every group is dead."""

    def respond(self, state: dict[str, Any], action: str, rng: Any) -> Reply:
        return Reply.final(".", {}, outcome={"last": 0.0}, success=False)


def trained(folder: Path, **changes: Any) -> Recorder:
    more = {name: changes.pop(name) for name in ("train_dataset", "env_kwargs") if name in changes}
    env = changes.pop("env", KeyEnv)
    settings = {"num_generations": 4, "credit": "grpo_or", **changes}
    trainer = Recorder(tiny_model(), env, config(folder, **settings), processing_class=word_tokenizer(), **more)
    trainer.train()
    return trainer


def dead(rows: list[dict[str, Any]], credit: str = "grpo_or") -> list[int]:
    advantages = ESTIMATORS[credit](turn_batch([row["episode"] for row in rows], 4))
    return [group for group in range(4) if not advantages[4 * group : 4 * group + 4].any()]


def test_dead_groups_are_played_again_and_the_others_kept(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain")
    again = trained(tmp_path / "again", resample_dead_groups=True, max_resampled=40)
    before, after = plain.recorded[0][0], again.recorded[0][0]
    replaced = dead(before)
    assert replaced
    assert not dead(after)
    for group in range(4):
        rows = slice(4 * group, 4 * group + 4)
        same = [row["episode"] for row in before[rows]] == [row["episode"] for row in after[rows]]
        assert same == (group not in replaced)
        assert len({row["seed"] for row in after[rows]}) == len({row["episode"].task for row in after[rows]}) == 1
        assert all(row["episode"].seed == row["seed"] for row in after[rows])


def test_what_it_cost_is_reported_and_counted(tmp_path: Path) -> None:
    trainer = trained(tmp_path, resample_dead_groups=True, max_resampled=40)
    logged = trainer.state.log_history[0]
    assert logged["resampled/groups"] >= len(dead(trained(tmp_path / "plain").recorded[0][0]))
    assert logged["resampled/episodes"] == 4 * logged["resampled/groups"]
    kept = [row["episode"] for row in trainer.recorded[0][0]]
    assert len(trainer.experience.turns) == 16 + logged["resampled/episodes"]
    assert sum(trainer.experience.turns) == sum(len(e.turns) for e in kept) + logged["resampled/turns"]
    sampled = sum(len(turn.token_ids or ()) for episode in kept for turn in episode.turns)
    assert sum(trainer.experience.sampled_tokens) == sampled + logged["resampled/sampled_tokens"]


def test_the_gradient_is_that_of_the_groups_that_are_trained(tmp_path: Path) -> None:
    trainer = trained(tmp_path, resample_dead_groups=True, max_resampled=40)
    rows, output = trainer.recorded[0]
    advantages = ESTIMATORS["grpo_or"](turn_batch([row["episode"] for row in rows], 4))
    expected = plain_gradient(tiny_model(), *unpadded(output), [row["turn_of"] for row in rows], advantages)
    assert largest_difference(trainer.gradients[0], expected) < 1e-6


@pytest.mark.parametrize(("bound", "most"), [(1, 1), (None, 4)])
def test_it_is_bounded(tmp_path: Path, bound: int | None, most: int) -> None:
    trainer = trained(tmp_path, env=Pointless, resample_dead_groups=True, max_resampled=bound)
    assert trainer.state.log_history[0]["resampled/groups"] == most
    assert trainer.state.log_history[0]["dead_groups"] == 1.0


def test_another_row_of_a_given_dataset_is_played(tmp_path: Path) -> None:
    given = seed_dataset(12, seed=9, tasks=[5])
    trainer = trained(tmp_path, resample_dead_groups=True, max_resampled=40, train_dataset=given)
    assert trainer.state.log_history[0]["resampled/groups"] > 0
    assert {row["seed"] for row in trainer.recorded[0][0]} <= set(given["seed"])
    assert {row["episode"].task for row in trainer.recorded[0][0]} == {5}


def test_a_bound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without resample_dead_groups=True"):
        config(tmp_path, max_resampled=3)
