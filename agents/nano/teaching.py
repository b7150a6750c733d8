"""Supervised training on demonstrations (behaviour cloning): cross-entropy of the policy's own tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import PreTrainedModel, PreTrainedTokenizerBase

_NOT_TAUGHT = -100


@dataclass(frozen=True)
class Message:
    """One message of a conversation; `role` is "user" (the environment) or "assistant" (the policy)."""

    role: str
    text: str


@dataclass(frozen=True)
class Lesson:
    """What a step of teaching takes a batch of.

    Attributes:
        demonstrate: makes one conversation per call.
        batch_size: the number of conversations per step.
    """

    demonstrate: Callable[[], Sequence[Message]]
    batch_size: int = 32


def encode(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> tuple[list[int], list[int]]:
    """Token ids of a conversation, and labels: the policy's tokens, including `<|end|>`, and -100 elsewhere."""
    ids: list[int] = []
    labels: list[int] = []
    for message in messages:
        body = tokenizer.encode(f"{message.text}{tokenizer.eos_token}", add_special_tokens=False)
        head = tokenizer.encode(f"<|{message.role}|>", add_special_tokens=False)
        ids += head + body
        labels += [_NOT_TAUGHT] * len(head) + (body if message.role == "assistant" else [_NOT_TAUGHT] * len(body))
    return ids, labels


def batch_of(
    tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Sequence[Message]]
) -> tuple[Tensor, Tensor, Tensor]:
    """Right-padded token ids, attention mask and labels (-100 where nothing is taught), each int64 (B, T)."""
    encoded = [encode(tokenizer, messages) for messages in conversations]
    longest = max(len(ids) for ids, _ in encoded)
    ids_BT = torch.full((len(encoded), longest), int(tokenizer.pad_token_id or 0))
    mask_BT, labels_BT = torch.zeros_like(ids_BT), torch.full_like(ids_BT, _NOT_TAUGHT)
    for row, (ids, labels) in enumerate(encoded):
        ids_BT[row, : len(ids)], labels_BT[row, : len(ids)] = torch.tensor(ids), torch.tensor(labels)
        mask_BT[row, : len(ids)] = 1
    return ids_BT, mask_BT, labels_BT


def teach(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    lessons: Sequence[Lesson],
    steps: int,
    *,
    rng: Random,
    learning_rate: float = 2e-3,
    keep: Callable[[], None] | None = None,
) -> None:
    """Train the model in place on demonstrations, with Muon for the matrices between layers and AdamW for the rest.

    The learning rates warm up over a fiftieth of the steps and fall to 0 linearly.

    Args:
        model: has the tokenizer's vocabulary; changed in place.
        tokenizer: knows `<|user|>`, `<|assistant|>` and its end token.
        lessons: each gives one batch per step; the step's loss is the sum of theirs.
        steps: the number of optimizer steps.
        rng: orders the batches.
        learning_rate: the highest learning rate of AdamW; Muon's is ten times as high.
        keep: called every hundred steps, to save what there is.
    """
    optimizers = _optimizers(model, learning_rate)

    def factor(step: int) -> float:
        return min(1.0, 50 * (step + 1) / steps) * (1 - step / steps)

    schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, factor) for optimizer in optimizers]
    batches = [_batches(tokenizer, lesson, rng) for lesson in lessons]
    model.train()
    for step in (bar := tqdm(range(1, steps + 1), "teaching", unit="step", mininterval=5.0)):
        for ids_BT, mask_BT, labels_BT in map(next, batches):
            loss = model(input_ids=ids_BT, attention_mask=mask_BT, labels=labels_BT).loss
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, schedule in zip(optimizers, schedules, strict=True):
            optimizer.step()
            schedule.step()
        model.zero_grad()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        if keep is not None and step % 100 == 0:
            keep()
    model.eval()  # type: ignore[no-untyped-call]


def _optimizers(model: PreTrainedModel, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon (Jordan et al. 2024) makes an update orthogonal, which suits the matrices between layers alone."""
    embeddings = {id(parameter) for parameter in model.get_input_embeddings().parameters()}
    trained = list(model.parameters())
    matrices = [each for each in trained if each.ndim == 2 and id(each) not in embeddings]
    rest = [each for each in trained if each.ndim != 2 or id(each) in embeddings]
    return [
        torch.optim.Muon(matrices, lr=10 * learning_rate, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _batches(
    tokenizer: PreTrainedTokenizerBase, lesson: Lesson, rng: Random
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of conversations of about the same length, so that little is padding."""
    while True:
        taught = [lesson.demonstrate() for _ in range(8 * lesson.batch_size)]
        taught.sort(key=lambda messages: sum(len(message.text) for message in messages))
        starts = list(range(0, len(taught), lesson.batch_size))
        rng.shuffle(starts)
        for start in starts:
            yield batch_of(tokenizer, taught[start : start + lesson.batch_size])
