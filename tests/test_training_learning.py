"""Training works: a model of random weights learns a task of three turns, sooner with turn-level credit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from key_world import KeyEnv, config, tiny_model, word_tokenizer

from turnenv import collect
from turnenv.training import ChatPolicy, TurnGRPOTrainer, episode_metrics

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:`.*gradient_checkpointing.*` is deprecated:FutureWarning"),
]


def learnt(folder: Path, credit: str) -> float:
    """Turn reward, of 3 at most, on unseen seeds after 100 steps."""
    model = tiny_model(hidden_size=64, intermediate_size=128, initializer_range=0.02)
    args = config(
        folder,
        credit=credit,
        max_steps=100,
        per_device_train_batch_size=64,
        learning_rate=2e-3,
        max_turn_tokens=4,
        max_grad_norm=1.0,
        logging_steps=100,
    )
    trainer = TurnGRPOTrainer(model, KeyEnv, args, processing_class=word_tokenizer())
    trainer.train()
    torch.manual_seed(0)
    episodes = collect(KeyEnv, ChatPolicy(model, word_tokenizer(), max_turn_tokens=4), range(10**6, 10**6 + 200))
    return episode_metrics(episodes)["turn_reward"]


def test_turn_level_credit_learns_what_the_outcome_alone_does_not(tmp_path: Path) -> None:
    turn_level, outcome_alone = learnt(tmp_path, "mt_grpo"), learnt(tmp_path, "grpo_or")
    assert np.isfinite([turn_level, outcome_alone]).all()
    assert turn_level > 1.8
    assert turn_level > outcome_alone + 0.5
