"""Where a critic reads: before each turn, so that a value knows the state and nothing of the action taken there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from turnenv.policies.chat_frame import ChatFrame
from turnenv.types import End, Episode


@dataclass(frozen=True, slots=True)
class Reading:
    """One episode as a critic reads it.

    Attributes:
        ids: prompt and completion, then what the environment said last if the value after the last turn is asked for.
        positions: the token that the value before each turn is read at; one more if the value after the last is asked.
    """

    ids: list[int]
    positions: list[int]


def reading(
    prompt: Sequence[int], completion: Sequence[int], turn_of: Sequence[int], turns: int, after: Sequence[int] = ()
) -> Reading:
    """Find the read positions: turn k's is the token before its first sampled one.

    Read at the turn's end instead, an exact critic gives Q(s, a), the advantage of every action averages 0, and nothing
    is learned. A turn without tokens, since the context was full, is read at the stream's last token.

    Args:
        prompt: ids before the first turn.
        completion: ids after it.
        turn_of: the turn of each of those, -1 for the environment's.
        turns: how many turns the episode has.
        after: the ids of the state after the last turn, if its value is asked for.
    """
    ids = [*prompt, *completion]
    first: dict[int, int] = {}
    for index, turn in enumerate(turn_of):
        first.setdefault(turn, index)
    last = max(len(ids) - 1, 0)
    positions = [len(prompt) + first[turn] - 1 if turn in first else last for turn in range(turns)]
    if after:
        ids += after
        positions.append(len(ids) - 1)
    return Reading(ids, positions)


def readings_of(
    rows: Sequence[Mapping[str, Any]], output: Mapping[str, Tensor], frame: ChatFrame | None, context: int | None
) -> list[Reading]:
    """What a critic reads of a batch.

    Args:
        rows: TRL's, with `episode` and `turn_of`.
        output: TRL's tensors, padded.
        frame: renders the state in which turns or tokens ran out; None where no such value is asked for.
        context: tokens that the model can read; a cut state that does not fit gets no value.
    """
    made = []
    for row, ids, mask, completion in zip(
        rows, output["prompt_ids"], output["prompt_mask"], output["completion_ids"], strict=True
    ):
        episode: Episode = row["episode"]
        prompt, written = ids[mask.bool()].tolist(), completion[: len(row["turn_of"])].tolist()
        after: list[int] = []
        if frame is not None and episode.outcome.end in (End.TURN_LIMIT, End.TOKEN_LIMIT) and written:
            ended = written[-1] in frame.eos_ids
            (after,) = frame.replies([episode.final_observation], [ended])
            if context is not None and len(prompt) + len(written) + len(after) > context:
                after = []
        made.append(reading(prompt, written, row["turn_of"], len(episode.turns), after))
    return made


def states_at(
    backbone: nn.Module, call: Callable[..., Any], readings: Sequence[Reading], pad_id: int, device: torch.device
) -> Tensor:
    """Last hidden states at the read positions.

    Args:
        backbone: whose output has them.
        call: runs the backbone on `input_ids` and `attention_mask`; it may be a model around it.
        readings: R episodes, of P positions in all.
        pad_id: for the padding, on the right.
        device: where the ids go.

    Returns:
        Float (P, H), episode by episode.
    """
    # Nothing after the last position is read, and up to there episodes of a group are often the same.
    read = [tuple(each.ids[: max(each.positions, default=0) + 1]) for each in readings]
    rows = {ids: row for row, ids in enumerate(dict.fromkeys(read))}
    longest = max(1, max(map(len, rows)))
    ids_RT = torch.full((len(rows), longest), pad_id)
    mask_RT = torch.zeros_like(ids_RT)
    mask_RT[:, 0] = 1
    for ids, row in rows.items():
        ids_RT[row, : len(ids)] = torch.tensor(ids)
        mask_RT[row, : len(ids)] = 1
    rows_P = torch.tensor(
        [rows[ids] for ids, each in zip(read, readings, strict=True) for _ in each.positions], dtype=torch.long
    )
    columns_P = torch.tensor([position for each in readings for position in each.positions], dtype=torch.long)
    kept: list[Tensor] = []

    def keep(_: nn.Module, args: Any, output: Any) -> None:
        states = output.last_hidden_state
        # PEFT may have put virtual tokens before the first.
        kept.append(states[rows_P.to(states.device), columns_P.to(states.device) - longest])

    hook = backbone.register_forward_hook(keep)
    try:
        call(input_ids=ids_RT.to(device), attention_mask=mask_RT.to(device))
    finally:
        hook.remove()
    return kept[0]


def backbone_of(model: nn.Module) -> nn.Module:
    """The model without its LM head, through any wrapping."""
    return next(module for module in model.modules() if isinstance(module, PreTrainedModel)).base_model


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Without dropout; the model's mode comes back at the end."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
