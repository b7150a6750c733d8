"""The survey's checklist: every answer comes from the rows, and what they do not hold is said to be missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from benchmark_rows import provenance, row, settings

from benchmarks.compare.checklist import NOT_RECORDED, Item, checklist, checklist_list
from benchmarks.compare.comparison import Comparison
from benchmarks.compare.records import Distribution, Row, Spent
from benchmarks.compare.suites import suite_of
from benchmarks.harness.methods import parse_methods
from turnenv.credit import SPECS, TurnBatch

ARGUMENTS = {"resample_dead_groups": True, "mask_truncated_completions": False}


def items(rows: list[Row]) -> dict[int, Item]:
    found = checklist(Comparison.of(rows, suite_of(rows[0].run.settings.env)))
    return {item.number: item for item in found}


def spent(**changes: Any) -> Spent:
    fields: dict[str, Any] = {
        "episodes": 24,
        "env_turns": 48,
        "sampled_tokens": 4800,
        "turns_per_episode": Distribution(mean=2.0, min=1, median=2.0, max=4),
        "tokens_per_episode": Distribution(mean=1200.5, min=90, median=1100.0, max=3000),
        "parameters": 1_250_000,
        "device_seconds": 1800.0,
        "critic_forwards": 0,
        "restores": 0,
        "judge_calls": 7,
        "train_seconds": 900.0,
    }
    return Spent(**fields | changes)


def whole(method: str, seed: int, **changes: Any) -> Row:
    return row(method, seed, spent=spent(**changes), trainer_arguments=ARGUMENTS)


def test_every_item_is_filled_from_rows_that_recorded_it() -> None:
    found = items([whole(method, seed) for method in ("grpo_or", "grpo_mr", "turn_gae") for seed in range(3)])
    assert list(found) == list(range(1, 15))
    assert [number for number, item in found.items() if not item.required] == [7, 10, 12, 14]
    assert all(item.recorded for item in found.values())
    values = {number: item.value for number, item in found.items()}
    assert values[1] == "agents/nano; size: 1,250,000 parameters; version: sha256:0123"
    assert values[2].startswith(
        "turnenv/TriviaSearch-v0, tasks drawn by seed; size: 24 trained episodes per run, in groups of 4 episodes; "
    )
    assert values[2].endswith("faulted episodes take no part, groups whose advantages are all zero are replaced")
    assert values[3] == "GRPO-OR: trajectory; GRPO-MR: trajectory; turn GAE: turn"
    assert values[4] == "GRPO-OR: Monte Carlo; GRPO-MR: Monte Carlo; turn GAE: temporal difference"
    assert values[5] == "GRPO-OR, GRPO-MR, from the same base model"
    assert "24 trained episodes per run for every method" in values[6]
    assert "turn GAE: 48 turns, 4,800 sampled tokens, 900 s" in values[6]
    assert values[7] == "GRPO-MR"
    assert values[8] == "turnenv/TriviaSearch-v0 (split=test); 10 held-out episodes per seed"
    assert "Tool success: mean over episodes of `turn_reward/tool_execution` ÷ 0.2 in %" in values[9]
    assert values[10].startswith("3 seeds; 95 % interval")
    assert values[11] == "0 GPU-hours; 4.50 CPU-hours of training (Some CPU)"
    assert "turn GAE: critic forwards 0, environment restores 0, judge calls 7" in values[12]
    assert "GRPO-OR: turns 2.0, tokens 1,200.5" in values[13]
    assert "GRPO-OR: turns 1 / 2 / 4, tokens 90 / 1,100 / 3,000" in values[14]


def test_gpu_hours_are_named_by_the_device() -> None:
    on_gpu = settings(device="cuda")
    rows = [
        row("grpo_or", seed, settings=on_gpu, spent=spent(), provenance=provenance(device="H100")) for seed in (0, 1)
    ]
    assert items(rows)[11].value == "1.00 GPU-hours of training (H100)"


@pytest.mark.parametrize(
    ("number", "missing"),
    [
        (1, {"parameters": None}),
        (11, {"device_seconds": None}),
        (12, {"judge_calls": None}),
        (12, {"restores": None}),
        (12, {"critic_forwards": None}),
        (13, {"turns_per_episode": None}),
        (14, {"tokens_per_episode": None}),
    ],
)
def test_what_one_row_did_not_record_is_said(number: int, missing: dict[str, Any]) -> None:
    rows = [whole("grpo_or", 0), whole("grpo_or", 1, **missing)]
    if number == 1:
        rows = [whole("grpo_or", 0, **missing)]
    assert NOT_RECORDED in items(rows)[number].value


def test_old_rows_and_ones_own_estimators_leave_gaps_and_no_numbers(tmp_path: Any) -> None:
    own = tmp_path / "mine.py"
    own.write_text("def scaled(batch):\n    return batch.turn_mask * 1.0\n", encoding="utf-8")
    (method,) = parse_methods(f"{own}:scaled")
    found = items([row(method.name, 0)])
    gaps = [number for number, item in found.items() if not item.recorded]
    assert gaps == [1, 2, 3, 4, 11, 12, 13, 14]
    assert found[5].value == found[7].value == "none in these rows"
    assert found[10].value.startswith("1 seed, fewer than 3")


def test_a_start_alone_has_no_training_to_report() -> None:
    found = items([row(None, 0)])
    assert found[6].value.endswith(NOT_RECORDED)
    assert {3, 4, 11, 12, 13, 14} <= {number for number, item in found.items() if not item.recorded}


def test_the_report_ends_with_the_list() -> None:
    comparison = Comparison.of([whole("grpo_or", 0)], suite_of("turnenv/TriviaSearch-v0"))
    lines = checklist_list(comparison).splitlines()
    assert len(lines) == 14
    assert lines[6].startswith("7. **An ablation that isolates the credit** (recommended): ")


def test_the_declared_granularity_is_the_estimators() -> None:
    rng = np.random.default_rng(0)
    rewards = [rng.normal(size=int(length)).tolist() for length in rng.integers(2, 5, size=16)]
    batch = TurnBatch.from_ragged(
        rewards,
        rng.normal(size=16).tolist(),
        [row // 8 for row in range(16)],
        state_keys=[[int(key) for key in rng.integers(3, size=len(each))] for each in rewards],
        values=[rng.normal(size=len(each) + 1).tolist() for each in rewards],
    )
    for spec in SPECS.values():
        if spec.needs <= {"state_keys", "values"}:
            advantages = spec.fresh()(batch)
            of_one = [np.ptp(advantages[row, : len(each)]) for row, each in enumerate(rewards)]
            assert (max(of_one) < 1e-12) == (spec.granularity == "trajectory"), spec.name
