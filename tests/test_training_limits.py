"""What limits turns and episodes: budgets of tokens, which episodes count as truncated, what is logged of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from key_world import EOS, KeyEnv, Recorder, config, tiny_model, word_tokenizer

from turnenv import collect
from turnenv.policies.local import ChatPolicy
from turnenv.training import TurnGRPOTrainer
from turnenv.training.truncation import is_truncated
from turnenv.types import End, Episode

pytestmark = [
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning"),
]


class Long(KeyEnv):
    """Ends by itself at a turn that says `bad`; silence costs."""

    def respond(self, state: Any, action: str, rng: Any) -> Any:
        return super().respond(state, "bad" if "bad" in action.split() else f"{state['digit']} {action}", rng)

    def silence(self, state: Any) -> dict[str, float]:
        return {"silence": -0.5}


def trained(folder: Path, env: Any = KeyEnv, **changes: Any) -> Recorder:
    trainer = Recorder(tiny_model(), env, config(folder, **changes), processing_class=word_tokenizer())
    trainer.train()
    return trainer


def policy(**options: Any) -> ChatPolicy:
    torch.manual_seed(0)
    return ChatPolicy(tiny_model(), word_tokenizer(), **options)


def test_an_episode_without_tokens_left_ends_with_the_outcome_of_silence() -> None:
    player = policy(max_turn_tokens=4, max_episode_tokens=20)
    episodes = collect(lambda: Long(max_turns=50), player, list(range(24)))
    ends = Counter(episode.outcome.end for episode in episodes)
    assert ends[End.TOKEN_LIMIT] > 4
    assert ends[End.ANSWERED] + ends[End.SOLVED] + ends[End.FAILED] > 4
    for episode, stream in zip(episodes, player.streams, strict=True):
        assert len(stream.completion_ids) <= 20
        assert all(turn.token_ids for turn in episode.turns)
        assert max(stream.turn_of) + 1 == len(episode.turns)
        if episode.outcome.end is End.TOKEN_LIMIT:
            assert (episode.outcome.reward, episode.outcome.success) == (-0.5, False)
            assert episode.outcome.components == {"silence": -0.5}
            assert episode.final_observation
            assert Episode.from_json(episode.to_json()) == episode


def test_a_budget_that_nobody_reaches_changes_nothing() -> None:
    def play(**budget: Any) -> list[Episode]:
        return collect(KeyEnv, policy(max_turn_tokens=4, **budget), list(range(8)))

    assert play() == play(max_episode_tokens=10_000)


def test_a_budget_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="max_episode_tokens=0"):
        policy(max_episode_tokens=0)
    with pytest.raises(ValueError, match="max_episode_tokens=0 must be at least 1"):
        config(tmp_path, max_episode_tokens=0)


def test_the_budget_holds_in_training_and_is_reported(tmp_path: Path) -> None:
    trainer = trained(tmp_path, lambda: Long(max_turns=50), max_turn_tokens=4, max_episode_tokens=12)
    rows, output = trainer.recorded[0]
    ends = [row["episode"].outcome.end for row in rows]
    assert output["completion_ids"].shape[1] <= 12
    logged = trainer.state.log_history[0]
    assert logged["truncated/token_limit"] == np.mean([end is End.TOKEN_LIMIT for end in ends]) > 0
    assert logged["truncated/turn_limit"] == 0


@pytest.mark.parametrize(("changes", "constant"), [({}, 12), ({"max_turns": 2}, 8), ({"max_episode_tokens": 5}, 5)])
def test_dr_grpo_divides_by_what_limits_an_episode(tmp_path: Path, changes: dict[str, Any], constant: int) -> None:
    trainer = Recorder(
        tiny_model(), KeyEnv, config(tmp_path, loss_type="dr_grpo", **changes), processing_class=word_tokenizer()
    )
    assert trainer.max_completion_length == constant


def cut_turns(episode: Episode) -> list[bool]:
    return [turn.token_ids is not None and turn.token_ids[-1] != EOS for turn in episode.turns]


def test_truncated_episodes_are_masked_whichever_limit_cut_them(tmp_path: Path) -> None:
    trainer = trained(tmp_path, mask_truncated_completions=True, max_turn_tokens=6)
    rows, output = trainer.recorded[0]
    kept = []
    for row, fields in enumerate(rows):
        episode = fields["episode"]
        cut = any(cut_turns(episode)) or episode.outcome.end is End.TURN_LIMIT
        sampled = torch.tensor(fields["turn_of"]) >= 0
        assert output["tool_mask"][row, : len(sampled)].tolist() == (sampled & (not cut)).int().tolist()
        kept.append(not cut)
    middle = [any(cut_turns(row["episode"])[:-1]) and not cut_turns(row["episode"])[-1] for row in rows]
    assert any(middle)
    assert 0 < sum(kept) < 16
    logged = trainer.state.log_history[0]
    assert logged["truncated"] == logged["completions/clipped_ratio"] == 1 - sum(kept) / 16
    assert logged["truncated/turn_tokens"] == pytest.approx(
        np.mean([c for row in rows for c in cut_turns(row["episode"])])
    )
    assert output["num_items_in_batch"] == output["tool_mask"].mul(output["completion_mask"]).sum()


def test_a_stop_string_cuts_nothing(tmp_path: Path) -> None:
    stops = ["0", "1", "2", "3", "bad", "say", "ok", "think", "key", "obs", "user", "."]
    trainer = trained(tmp_path, mask_truncated_completions=True, stop_strings=stops, max_turn_tokens=40)
    rows, output = trainer.recorded[0]
    assert not any(is_truncated(row["episode"], trainer.chat_frame) for row in rows)
    assert sum(row["episode"].turns[-1].token_ids[-1] != EOS for row in rows) > 8
    assert output["num_items_in_batch"] > 16
    assert trainer.state.log_history[0]["completions/clipped_ratio"] == 0


def test_a_full_context_is_counted(tmp_path: Path) -> None:
    trainer = Recorder(
        tiny_model(max_position_embeddings=24),
        lambda: Long(max_turns=6),
        config(tmp_path, max_turn_tokens=6),
        processing_class=word_tokenizer(),
    )
    trainer.train()
    silent = [any(turn.token_ids == () for turn in row["episode"].turns) for row in trainer.recorded[0][0]]
    assert trainer.state.log_history[0]["truncated/context"] == np.mean(silent) > 0


def test_completions_are_logged_turn_by_turn_with_our_advantages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = trained(tmp_path, log_completions=True, max_steps=2)
    for step, (rows, output) in enumerate(trainer.recorded, start=1):
        table = pd.read_parquet(tmp_path / "completions" / f"completions_{step:05d}.parquet")
        assert len(table) == 16
        for row, fields in enumerate(rows):
            episode = fields["episode"]
            assert table["prompt"][row] == episode.turns[0].observation
            turn_of = torch.tensor(fields["turn_of"])
            advantages = [
                float(output["advantages"][row, : len(turn_of)][turn_of == turn][0])
                for turn in range(len(episode.turns))
            ]
            assert table["advantage"][row] == pytest.approx(np.mean(advantages), abs=1e-6)
            shown = table["completion"][row]
            for number, (turn, advantage) in enumerate(zip(episode.turns, advantages, strict=True), start=1):
                head = f"[turn {number} · reward {turn.turn_reward:+.2f} · advantage {advantage:+.2f}]"
                assert f"{head}\n{turn.action}" in shown
            assert shown.endswith(f"[outcome {episode.outcome.reward:+.2f} · {episode.outcome.end}]")
    assert "[turn 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ({"reward_funcs": len}, "reward_funcs= would not be read: the environment pays"),
        ({"tools": [len]}, "tools= would not be read"),
        ({"environment_factory": KeyEnv}, "pass the environment as env="),
        ({"rollout_func": len}, "episodes are played by turnenv"),
    ],
)
def test_trls_arguments_for_what_the_environment_does_are_refused(
    given: dict[str, Any], fix: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=fix):
        TurnGRPOTrainer(tiny_model(), KeyEnv, config(tmp_path), processing_class=word_tokenizer(), **given)
    with pytest.raises(TypeError, match="no argument 'reward_function'"):
        TurnGRPOTrainer(tiny_model(), KeyEnv, config(tmp_path), reward_function=len)


@pytest.mark.parametrize(
    ("columns", "fix"),
    [
        ({"prompt": ["", ""]}, "no column 'seed'.*seed_dataset"),
        ({"seed": [1, 2]}, "no column 'prompt'"),
        ({"prompt": ["hello", ""], "seed": [1, 2]}, "prompt would not be read"),
    ],
)
def test_rows_that_name_no_episodes_are_refused(tmp_path: Path, columns: dict[str, Any], fix: str) -> None:
    from datasets import Dataset

    for where in ("train_dataset", "eval_dataset"):
        with pytest.raises(ValueError, match=fix):
            TurnGRPOTrainer(
                tiny_model(),
                KeyEnv,
                config(tmp_path),
                processing_class=word_tokenizer(),
                **{where: Dataset.from_dict(columns)},
            )


def test_evaluation_needs_no_strategy(tmp_path: Path) -> None:
    trainer = Recorder(tiny_model(), KeyEnv, config(tmp_path, num_eval_seeds=8), processing_class=word_tokenizer())
    assert trainer.evaluate()["eval_turns"] >= 1
    assert len(trainer.recorded[0][0]) == 8
