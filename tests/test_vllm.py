"""vLLM itself, on a CPU: exact log-probabilities over weight updates, training, and the tokens of the local policy."""

from __future__ import annotations

import copy
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed: make test-vllm")

import torch
from key_world import Recorder, config, largest_difference, logprobs_of
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer

from turnenv import Episode, collect
from turnenv.policies.token_stream import TokenStream
from turnenv.policies.vllm import VLLMPolicy, load_engine
from turnenv.training import ChatPolicy, TurnGRPOTrainer
from turnenv.training.vllm_on_cpu import reload_weights, weights_of

pytestmark = [pytest.mark.vllm, pytest.mark.slow]
ROOT = Path(__file__).parent.parent
NANO = str(ROOT / "agents" / "nano")
TRIVIA, GUESS = "turnenv/TriviaSearch-v0", "turnenv/GuessNumber-v0"
BLOCK = 32
ROUNDING = 5e-5
"""transformers' own float32 is up to 4.5e-5 away from float64 on these episodes."""
NOISE = 1e-4
"""Logits that differ by less are a tie to float32: the order of the terms of a sum decides between them."""


@pytest.fixture(scope="module")
def engine() -> Any:
    return load_engine(NANO, max_num_seqs=32)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(NANO)


def nano() -> Any:
    return AutoModelForCausalLM.from_pretrained(NANO, dtype=torch.float32)


def worst(model: Any, streams: Sequence[TokenStream]) -> float:
    """The largest difference of a recorded log-probability from that of one forward pass."""
    with torch.no_grad():
        return max(
            abs(value - due)
            for stream in streams
            for value, turn, due in zip(
                stream.logprobs,
                stream.turn_of,
                logprobs_of(model, stream.prompt_ids, stream.completion_ids).tolist(),
                strict=True,
            )
            if turn >= 0
        )


def move(model: Any, seed: int) -> None:
    """As an update of the weights would, but larger."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.02 * parameter.abs().mean() * torch.randn_like(parameter)


def from_the_cache(episode: Episode) -> list[int]:
    """Tokens read from the cache in each turn but the first: at least the whole blocks of what was there before."""
    used = [turn.usage for turn in episode.turns]
    for before, now in itertools.pairwise(used):
        assert now.cached >= BLOCK * ((before.prompt + before.completion - 1) // BLOCK)
    return [now.cached for now in used[1:]]


def test_log_probabilities_are_the_models_own_after_updates_of_the_weights(engine: Any, tokenizer: Any) -> None:
    model = nano()
    used: list[int] = []
    for update in range(3):
        if update:
            before = copy.deepcopy(model)
            move(model, update)
            reload_weights(engine, weights_of(model, model.named_parameters()))
        for env in (TRIVIA, GUESS):
            policy = VLLMPolicy(engine, tokenizer, max_turn_tokens=32, seed=update, concurrency=16)
            episodes = collect(env, policy, [0] * 8 + list(range(1, 17)))
            streams = [policy.streams[row] for row in range(24)]
            used += [cached for episode in episodes for cached in from_the_cache(episode)]
            difference = worst(model, streams)
            print(f"{env}, update {update}: {difference:.1e}")
            assert difference <= ROUNDING
        if update:
            assert worst(before, streams) > 1e-2
    hits = sum(cached > 0 for cached in used)
    print(f"{hits} of {len(used)} later turns read {sum(used)} tokens from the prefix cache")
    assert hits > 0.8 * len(used)
    reload_weights(engine, weights_of(nano(), nano().named_parameters()))


def difference_of(local: Episode, other: Episode) -> tuple[int, int] | None:
    """The first turn and token in which two episodes differ."""
    for turn, (left, right) in enumerate(zip(local.turns, other.turns, strict=False)):
        ids, others = left.token_ids or (), right.token_ids or ()
        for position in range(max(len(ids), len(others))):
            if ids[position : position + 1] != others[position : position + 1]:
                return turn, position
    return None


def gap(model: Any, stream: TokenStream, turn: int, position: int) -> float:
    """By how much the likeliest next token is ahead of the second, in logits."""
    at = stream.turn_of.index(turn) + position
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*stream.prompt_ids, *stream.completion_ids[:at]]])).logits[0, -1]
    first, second = logits.topk(2).values.tolist()
    return float(first - second)


@pytest.mark.parametrize(
    ("env", "episodes", "options"),
    [
        (TRIVIA, 200, {"max_turn_tokens": 48}),
        (GUESS, 24, {"max_turn_tokens": 48}),
        (GUESS, 24, {"max_turn_tokens": 5}),
        (TRIVIA, 24, {"max_turn_tokens": 48, "stop_strings": ("</tool>", ">")}),
        (TRIVIA, 24, {"max_turn_tokens": 48, "max_episode_tokens": 60}),
    ],
)
def test_greedy_episodes_are_those_of_the_local_policy_token_for_token(
    engine: Any, tokenizer: Any, env: str, episodes: int, options: dict[str, Any]
) -> None:
    model = nano()
    local = ChatPolicy(model, tokenizer, temperature=0.0, **options)
    expected = collect(env, local, range(episodes))
    policy = VLLMPolicy(engine, tokenizer, temperature=0.0, concurrency=32, **options)
    played = collect(env, policy, range(episodes))
    ties = 0
    for row, (left, right) in enumerate(zip(expected, played, strict=True)):
        differs = difference_of(left, right)
        if differs is not None:
            ties += 1
            assert gap(model, local.streams[row], *differs) < NOISE
            continue
        stream = policy.streams[row]
        assert (stream.prompt_ids, stream.completion_ids, stream.turn_of) == (
            local.streams[row].prompt_ids,
            local.streams[row].completion_ids,
            local.streams[row].turn_of,
        )
        assert [turn.action for turn in left.turns] == [turn.action for turn in right.turns]
        assert left.outcome == right.outcome
    print(f"{env}: {episodes - ties} of {episodes} episodes equal, {ties} differ at a tie")
    assert ties <= episodes // 100


def trained(folder: Path, model: Any, **changes: Any) -> Recorder:
    settings = {
        "use_cpu": True,
        "use_vllm": True,
        "max_steps": 3,
        "max_turn_tokens": 48,
        "learning_rate": 1e-3,
        "num_generations": 4,
        "per_device_train_batch_size": 16,
    }
    settings |= {name: value for name, value in changes.items() if name != "peft_config"}
    trainer = Weighed(model, TRIVIA, config(folder, **settings), peft_config=changes.get("peft_config"))
    trainer.train()
    return trainer


class Weighed(Recorder):
    """Keeps the weights that each batch was played with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.weights: list[dict[str, Any]] = []
        super().__init__(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.weights.append(copy.deepcopy(self.model.state_dict()))
        return super()._generate_and_score_completions(inputs)


def test_three_steps_are_those_of_the_transformers_engine_on_the_same_tokens(tmp_path: Path) -> None:
    trainer = trained(tmp_path / "vllm", NANO)
    logs = [log for log in trainer.state.log_history if "loss" in log]
    assert len(logs) == len(trainer.recorded) == 3
    for log in logs:
        for end in ("min", "max"):
            assert log[f"sampling/importance_sampling_ratio/{end}"] == pytest.approx(1.0, abs=1e-4)
    plain = TurnGRPOTrainer(NANO, TRIVIA, config(tmp_path / "plain", per_device_train_batch_size=16))
    plain.model.train()
    plain.current_gradient_accumulation_steps = 1
    of_vllm = ("importance_sampling_ratio", "old_per_token_logps", "sampling_per_token_logps")
    for log, (_, output), weights, gradient in zip(
        logs, trainer.recorded, trainer.weights, trainer.gradients, strict=True
    ):
        plain.model.load_state_dict(weights)
        plain.model.zero_grad()
        loss = plain._compute_loss(plain.model, {name: v for name, v in output.items() if name not in of_vllm})
        loss.backward()
        expected = [parameter.grad for parameter in plain.model.parameters() if parameter.grad is not None]
        scale = max(float(each.abs().max()) for each in expected)
        difference = largest_difference(gradient, expected)
        print(
            f"loss {log['loss']:.7f}, apart by {abs(log['loss'] - float(loss)):.1e}; gradient of at most {scale:.2e}, "
            f"apart by {difference:.1e}; ratio from {log['sampling/importance_sampling_ratio/min']:.7f} "
            f"to {log['sampling/importance_sampling_ratio/max']:.7f}"
        )
        assert scale > 1e-3
        assert difference <= 1e-5
        assert float(loss) == pytest.approx(log["loss"], abs=1e-5)


def test_adapters_are_merged_into_what_vllm_plays_with(tmp_path: Path) -> None:
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    trainer = trained(tmp_path, NANO, peft_config=lora, max_steps=2)
    for log in trainer.state.log_history[:2]:
        assert log["sampling/sampling_logp_difference/max"] < 1e-4


def test_a_model_in_vllm_is_evaluated_from_the_command_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "turnenv", "evaluate", "TriviaSearch", "--model", "vllm:agents/nano", "--json"]
    command += ["--episodes", "12", "--max-tokens", "48", "--temperature", "0", "--out", str(tmp_path)]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["episodes"], row["faults"]) == (12, 0)
    # The package for machines without a GPU has a name of its own.
    versions = json.loads((tmp_path / "provenance.json").read_text())["versions"]
    assert versions["vllm"] or versions["vllm-cpu"]
    assert json.loads((tmp_path / "settings.json").read_text())["weights"].startswith("sha256:")
