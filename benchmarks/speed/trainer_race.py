"""TRL's trainer and the barest loop that plays the same episodes and takes the same gradient steps, side by side."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM, TrainerCallback

from benchmarks.speed.quiet_training import quiet_config, train_quietly
from benchmarks.speed.random_model import random_qwen
from turnenv import Episode, Reply, TextEnv, TextVectorEnv, collect
from turnenv.credit import TurnBatch, mt_grpo
from turnenv.training import ChatPolicy, TokenStream, TurnGRPOConfig, TurnGRPOTrainer

_WORDS = 1500
_CHATML = (
    "{% for m in messages %}{{ '<im> ' + m['role'] + ' ' + m['content'] + ' <eos> ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<im> assistant ' }}{% endif %}"
)


class Chatter(TextEnv[list[int]]):
    """A question of 30 words, observations of 60, two turns; a text of an odd number of characters earns 1."""

    max_turns = 2

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[list[int], str]:
        """Draw 90 words, and show 30 of them."""
        words = rng.integers(_WORDS, size=90).tolist()
        return words, " ".join(f"w{word}" for word in words[:30])

    def respond(self, state: list[int], action: str, rng: np.random.Generator) -> Reply:
        """Show the other 60."""
        return Reply.turn(" ".join(f"w{word}" for word in state[30:]), {"odd": float(len(action) % 2)})


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word."""
    words = ["<pad>", "<unk>", "<im>", "<eos>", "system", "user", "assistant", *(f"w{n}" for n in range(_WORDS))]
    backend = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, unk_token="<unk>", pad_token="<pad>", eos_token="<eos>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<im>"]})
    tokenizer.chat_template = _CHATML
    return tokenizer


def build_model(vocabulary: int) -> Qwen2ForCausalLM:
    """About one and a half million random weights."""
    return random_qwen(vocabulary, width=144, mlp_width=432, layers=5, positions=1024, eos_id=3)


class BareLoop:
    """Rollout, advantages, one AdamW step: no trainer."""

    def __init__(self, args: TurnGRPOConfig, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model = build_model(len(tokenizer)).train()
        self.policy = ChatPolicy(self.model, tokenizer, max_turn_tokens=args.max_turn_tokens)
        self.envs = TextVectorEnv(Chatter, args.per_device_train_batch_size)
        self.group = args.num_generations
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=args.learning_rate, weight_decay=0.0)

    def step(self, seeds: Sequence[int]) -> None:
        """Play one episode per seed and take a step."""
        self.episodes = episodes = collect(self.envs, self.policy, seeds)
        advantages = mt_grpo(
            TurnBatch.from_ragged(
                [episode.turn_rewards for episode in episodes],
                [episode.outcome.reward for episode in episodes],
                [row // self.group for row in range(len(episodes))],
            )
        )
        loss = loss_of(self.model, self.policy.streams, torch.as_tensor(advantages, dtype=torch.float32))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def loss_of(model: Qwen2ForCausalLM, streams: Sequence[TokenStream], advantages_BK: torch.Tensor) -> torch.Tensor:
    """Minus the mean over sampled tokens of advantage · log-probability."""
    prompts = pad_sequence([torch.tensor(s.prompt_ids) for s in streams], True, 0, "left")
    completions = pad_sequence([torch.tensor(s.completion_ids) for s in streams], True, 0)
    turns = pad_sequence([torch.tensor(s.turn_of) for s in streams], True, -1)
    width = completions.shape[1]
    ids = torch.cat([prompts, completions], 1)
    logits = model(input_ids=ids, attention_mask=(ids != 0).long(), logits_to_keep=width + 1).logits[:, :-1]
    logprobs = -cross_entropy(logits.transpose(1, 2), completions, reduction="none")
    mask = turns >= 0
    weights = torch.where(mask, advantages_BK.gather(1, turns.clamp(min=0)), 0.0)
    return -(weights * logprobs).sum() / mask.sum()


def ids_of(episode: Episode) -> list[tuple[int, ...] | None]:
    """What the model sampled in each turn."""
    return [turn.token_ids for turn in episode.turns]


class _Race(TrainerCallback):
    """After each step of the trainer, the bare loop takes the same step from the same random state."""

    def __init__(self, bare: BareLoop) -> None:
        self.bare = bare
        self.times: list[tuple[float, float]] = []
        self.rows: list[dict[str, Any]] = []
        self.same: list[bool] = []
        self.random_state = torch.get_rng_state()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._began = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        trainer_seconds = time.process_time() - self._began
        after = torch.get_rng_state()
        torch.set_rng_state(self.random_state)
        began = time.process_time()
        self.bare.step([row["seed"] for row in self.rows])
        self.times.append((trainer_seconds, time.process_time() - began))
        self.same.append(
            [ids_of(row["episode"]) for row in self.rows] == [ids_of(episode) for episode in self.bare.episodes]
        )
        torch.set_rng_state(after)
        self._began = time.process_time()


class _Observed(TurnGRPOTrainer):
    race: _Race

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.race.rows, self.race.random_state = inputs, torch.get_rng_state()
        return super()._generate_and_score_completions(inputs)


def race(rows: int, steps: int) -> tuple[list[tuple[float, float]], list[bool]]:
    """CPU seconds of each step (trainer, bare loop), and whether both played exactly the same episodes in it."""
    with tempfile.TemporaryDirectory() as folder:
        args = quiet_config(
            folder,
            rows=rows,
            steps=steps,
            max_turn_tokens=24,
            learning_rate=1e-4,
            lr_scheduler_type="constant",
            logging_steps=1,
        )
        tokenizer = build_tokenizer()
        watcher = _Race(BareLoop(args, tokenizer))
        trainer = _Observed(build_model(len(tokenizer)), Chatter, args, processing_class=tokenizer, callbacks=[watcher])
        trainer.race = watcher
        train_quietly(trainer)
    return watcher.times, watcher.same
