"""TurnGRPOConfig: arguments that would not be read, or could not work, are refused with the fix."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from key_world import config
from trl import GRPOConfig, TrlParser

from turnenv.training import TurnGRPOConfig, seed_dataset


@pytest.mark.parametrize(
    ("wrong", "fix"),
    [
        ({"max_turn_tokens": 0}, "must be at least 1"),
        ({"max_turns": 0}, "must be at least 1"),
        ({"num_train_seeds": 1}, "does not fill one batch of 2 groups"),
        ({"scale_rewards": "none"}, "use credit and credit_kwargs instead"),
        ({"multi_objective_aggregation": "normalize_then_sum"}, "use credit and credit_kwargs instead"),
        ({"min_p": 0.1}, "temperature, top_p and top_k only"),
        ({"repetition_penalty": 1.2}, "temperature, top_p and top_k only"),
        ({"temperature": 0.0}, "a group needs variety"),
        ({"remove_unused_columns": True}, "leave it False"),
    ],
)
def test_impossible_combinations_are_refused(tmp_path: Path, wrong: dict[str, Any], fix: str) -> None:
    with pytest.raises(ValueError, match=fix):
        config(tmp_path, **wrong)


def test_options_of_the_estimator_come_from_the_command_line_as_json() -> None:
    (args,) = TrlParser((TurnGRPOConfig,)).parse_args_and_config(
        ["--credit", "mt_grpo", "--credit_kwargs", '{"lam": 0.2, "accumulate": false}', "--use_cpu"]
    )
    assert args.credit_options == {"lam": 0.2, "accumulate": False}


def test_nobody_needs_to_know_about_bf16_on_a_cpu(tmp_path: Path) -> None:
    assert config(tmp_path).bf16 is False
    assert config(tmp_path, bf16=True).bf16 is True


def test_every_field_of_ours_is_explained_in_a_sentence() -> None:
    ours = {field.name: field for field in fields(TurnGRPOConfig)}
    for name in set(ours) - {field.name for field in fields(GRPOConfig)}:
        assert ours[name].metadata["help"].endswith("."), name


def test_seeds_do_not_depend_on_how_many_there_are() -> None:
    short, long = seed_dataset(5, seed=3), seed_dataset(50, seed=3)
    assert long["seed"][:5] == short["seed"][:]
    assert len(set(long["seed"])) == 50
    assert seed_dataset(5, seed=4)["seed"][:] != short["seed"][:]
    assert seed_dataset(5, tasks=[4, 9])["task"][:] == [4, 9, 4, 9, 4]


@pytest.mark.parametrize("wrong", [{"num_seeds": 0}, {"num_seeds": 3, "tasks": []}])
def test_an_empty_dataset_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        seed_dataset(**wrong)
