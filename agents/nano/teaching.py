"""Supervised training on demonstrations (behaviour cloning): cross-entropy of the policy's own tokens."""

from __future__ import annotations

import itertools
import math
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
    demonstrate: Callable[[], Sequence[Message]],
    steps: int,
    *,
    rng: Random,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
) -> None:
    """Train the model in place on demonstrations.

    The learning rate warms up over a twentieth of the steps and falls to 0 by a cosine.

    Args:
        model: has the tokenizer's vocabulary; changed in place.
        tokenizer: knows `<|user|>`, `<|assistant|>` and its end token.
        demonstrate: makes one conversation per call.
        steps: the number of optimizer steps.
        rng: orders the batches.
        batch_size: the number of conversations per step.
        learning_rate: the highest learning rate of AdamW.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01)

    def factor(step: int) -> float:
        return min(1.0, 20 * (step + 1) / steps) * 0.5 * (1 + math.cos(math.pi * step / steps))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    model.train()
    lessons = itertools.islice(_lessons(tokenizer, demonstrate, rng, batch_size), steps)
    for ids_BT, mask_BT, labels_BT in (bar := tqdm(lessons, "teaching", steps, unit="step", mininterval=5.0)):
        loss = model(input_ids=ids_BT, attention_mask=mask_BT, labels=labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
    model.eval()  # type: ignore[no-untyped-call]


def _lessons(
    tokenizer: PreTrainedTokenizerBase, demonstrate: Callable[[], Sequence[Message]], rng: Random, batch_size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of conversations of about the same length, so that little is padding."""
    while True:
        taught = [demonstrate() for _ in range(8 * batch_size)]
        taught.sort(key=lambda messages: sum(len(message.text) for message in messages))
        starts = list(range(0, len(taught), batch_size))
        rng.shuffle(starts)
        for start in starts:
            yield batch_of(tokenizer, taught[start : start + batch_size])
