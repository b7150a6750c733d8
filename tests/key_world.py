"""A tiny world for tests of training: an environment, tokenizers, models, and gradients worked out in plain torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy import float64, random
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM, TrainerCallback

from turnenv import Reply, TextEnv
from turnenv.training import TurnGRPOConfig, TurnGRPOTrainer

CHATML = (
    "{% for m in messages %}{{ '<|im_start|> ' + m['role'] + ' ' + m['content'] + ' <|im_end|> ' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|> assistant ' }}{% endif %}"
)
DIGITS = ("0", "1", "2", "3")
WORDS = ("user", "assistant", "system", "key", "obs", "say", "ok", "bad", "think", ".", *DIGITS)
SPECIAL = ("<pad>", "<unk>", "<|im_start|>", "<|im_end|>")
PAD, EOS = 0, 3


class KeyEnv(TextEnv[dict[str, Any]]):
    """Say the digit that was shown; a turn without a digit ends the episode, so that turn counts differ in a group.

    Turn reward: 1 for the right digit. Outcome: 1 if the last turn allowed was right. `bad` breaks the infrastructure
    where `breaks` is set.
    """

    system_prompt = "say key"

    def __init__(self, max_turns: int = 3, breaks: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_turns, self.breaks = max_turns, breaks

    def start(self, rng: random.Generator, options: Any) -> tuple[dict[str, Any], str]:
        digit = str(rng.choice(DIGITS))
        return {"digit": digit, "turn": 0}, f"key {digit}"

    def respond(self, state: dict[str, Any], action: str, rng: random.Generator) -> Reply:
        said = [word for word in action.split() if word in DIGITS]
        right = said[:1] == [state["digit"]]
        state["turn"] += 1
        if self.breaks and "bad" in action.split():
            return Reply.fault("down", "search is down")
        last = state["turn"] >= self.max_turns
        if not said or last:
            return Reply.final(".", {"right": right}, outcome={"last": float(right and last)}, success=right and last)
        state["digit"] = str(rng.choice(DIGITS))
        return Reply.turn(f"obs {state['digit']}", {"right": float(right)})


class AlwaysBroken(KeyEnv):
    """Every action meets a fault."""

    def respond(self, state: dict[str, Any], action: str, rng: random.Generator) -> Reply:
        return Reply.fault("down", "search is down")


def word_tokenizer() -> PreTrainedTokenizerFast:
    """One token a word."""
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="<unk>",
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def byte_tokenizer(template: str | None, eos: str = "<|im_end|>", more: Sequence[str] = ("<|im_start|>",)) -> Any:
    """A byte-level BPE tokenizer with merges, so that random ids are seldom what their text encodes to."""
    from tokenizers import decoders

    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    pieces.train_from_iterator(["the key is what the user says, the answer is what the key was"] * 4, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces, eos_token=eos, pad_token="<pad>", additional_special_tokens=list(more)
    )
    tokenizer.chat_template = template
    return tokenizer


def tiny_model(vocabulary: int = len(SPECIAL) + len(WORDS), *, seed: int = 0, **config: Any) -> Qwen2ForCausalLM:
    """Random weights with enough spread that logits differ."""
    torch.manual_seed(seed)
    settings: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 512,
        "initializer_range": 0.2,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "bos_token_id": None,
    }
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=vocabulary, **{**settings, **config})).eval()


def config(folder: Path | str, **changes: Any) -> TurnGRPOConfig:
    """Two groups of eight a step, on the CPU."""
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "per_device_train_batch_size": 16,
        "num_generations": 8,
        "max_steps": 1,
        "max_turn_tokens": 4,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "gradient_checkpointing": False,
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
        "max_grad_norm": 1e9,
    }
    return TurnGRPOConfig(**{**settings, **changes})


class Recorder(TurnGRPOTrainer):
    """Keeps what each batch was: TRL's rows and its tensors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.recorded: list[tuple[list[dict[str, Any]], dict[str, Any]]] = []
        super().__init__(*args, **kwargs)
        self.gradients: list[list[Tensor]] = []
        self.add_callback(_Gradients(self.gradients))

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        self.recorded.append((inputs, output))
        return output


class _Gradients(TrainerCallback):
    def __init__(self, kept: list[list[Tensor]]) -> None:
        self._kept = kept

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._kept.append([p.grad.clone() for p in kwargs["model"].parameters() if p.grad is not None])


def unpadded(output: dict[str, Any]) -> tuple[list[list[int]], list[list[int]]]:
    """The prompt and completion ids of each row of a recorded batch."""
    return (
        [ids[mask.bool()].tolist() for ids, mask in zip(output["prompt_ids"], output["prompt_mask"], strict=True)],
        [
            ids[mask.bool()].tolist()
            for ids, mask in zip(output["completion_ids"], output["completion_mask"], strict=True)
        ],
    )


def logprobs_of(model: PreTrainedModel, prompt: Sequence[int], completion: Sequence[int]) -> Tensor:
    """Log-probability of each completion token, by one forward pass of one row."""
    ids = torch.tensor([[*prompt, *completion]])
    logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    return logits.log_softmax(-1).gather(1, ids[0, len(prompt) :, None]).squeeze(1)


def plain_gradient(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    completions: Sequence[Sequence[int]],
    turn_of: Sequence[Sequence[int]],
    advantages: NDArray[float64],
) -> list[Tensor]:
    """Gradient of minus the mean over sampled tokens of advantage · log-probability, row by row, without padding."""
    model.zero_grad()
    total, count = torch.zeros(()), 0
    for row, turns in enumerate(turn_of):
        weights = torch.tensor([float(advantages[row, turn]) if turn >= 0 else 0.0 for turn in turns])
        total = total + (weights * logprobs_of(model, prompts[row], completions[row])).sum()
        count += sum(turn >= 0 for turn in turns)
    (-total / count).backward()
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in model.parameters()]


def largest_difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The largest absolute difference of two lists of tensors."""
    return max(float((a - b).detach().abs().max()) for a, b in zip(first, second, strict=True))
