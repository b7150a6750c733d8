"""Rows made by hand, for tests of what is made from rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.compare.records import Evaluation, Row, Run, Settings, Spent
from benchmarks.harness.methods import Method
from turnenv.evaluation.provenance import Provenance

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def settings(**changes: Any) -> Settings:
    """Of a small comparison on TriviaSearch."""
    fields: dict[str, Any] = {
        "env": "turnenv/TriviaSearch-v0",
        "eval_kwargs": {"split": "test"},
        "model": "agents/nano",
        "model_hash": "sha256:0123",
        "steps": 3,
        "groups": 2,
        "num_generations": 4,
        "learning_rate": 1e-3,
        "temperature": 1.0,
        "max_turn_tokens": 64,
        "eval_episodes": 10,
        "eval_batch": 10,
        "eval_every": 0,
        "device": "cpu",
    }
    return Settings(**fields | changes)


def row(method: str | None, seed: int, *, tool: float = 0.0, exact: float = 0.0, **changes: Any) -> Row:
    """A finished run whose held-out means are `tool` (of 0.2) and `exact` (of 1.0), reached in a straight line."""
    run = Run(settings=changes.pop("settings", settings()), method=method and Method(name=method), seed=seed)
    means = {
        "success": exact,
        "return": tool + exact,
        "turn_reward": tool,
        "outcome": exact,
        "turns": 2.0,
        "valid_action": 1.0,
        "turn_reward/tool_execution": tool,
        "turn_reward/answer_in_result": 0.25,
        "outcome/xml_format": 0.2,
        "outcome/exact_match": exact,
    }
    curve = {"step": [1.0, 2.0, 3.0]} | {name: [0.0, value / 2, value] for name, value in means.items()}
    fields: dict[str, Any] = {
        "run_id": run.run_id,
        "run": run,
        "env_spec": "{}",
        "evaluation": Evaluation(episodes=10, faults=0, env_turns=20, means=means),
        "curve": curve if method else {},
        "spent": Spent(episodes=24, env_turns=48, sampled_tokens=480, seconds=60.0) if method else Spent(seconds=5.0),
        "provenance": provenance(),
    }
    return Row(**fields | changes)


def provenance(**changes: Any) -> Provenance:
    """Of some machine."""
    fields: dict[str, Any] = {
        "python": "3.11.7",
        "versions": {"turnenv": "0.1.0", "trl": "1.16.0"},
        "commit": "0123456789abcdef",
        "dirty": False,
        "source": "sha256:4567",
        "platform": "Linux",
        "cpu": "Some CPU",
        "cores": 2,
        "device": "cpu",
        "began": BEGAN,
        "ended": BEGAN + timedelta(minutes=3),
    }
    return Provenance(**fields | changes)
