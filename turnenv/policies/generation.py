"""Samples turns from a local model, ids in and ids out, and keeps the KV cache between turns wherever that is exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from turnenv.extras import needs
from turnenv.policies.token_stream import Sampled

with needs("train", "Generation"):
    import torch
    from torch import Tensor
    from transformers import DynamicCache, LogitsProcessorList, PreTrainedModel, TopKLogitsWarper, TopPLogitsWarper
    from transformers.cache_utils import DynamicLayer


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: divides the logits; 0 takes the likeliest token.
        top_p: keeps the smallest set of tokens with this probability; 1 keeps all.
        top_k: keeps this many tokens; 0 keeps all.
        generator: where the randomness comes from; None is PyTorch's global generator, which checkpoints save.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    generator: torch.Generator | None = None

    def __post_init__(self) -> None:
        if self.temperature < 0.0:
            raise ValueError(f"temperature={self.temperature} is negative; 0 is greedy, 1 samples the model as it is")
        if not 0.0 < self.top_p <= 1.0:
            raise ValueError(f"top_p={self.top_p} must be above 0 and at most 1 (1 keeps every token)")
        if self.top_k < 0:
            raise ValueError(f"top_k={self.top_k} must not be negative (0 keeps every token)")

    def logprobs(self, logits_BV: Tensor) -> Tensor:
        """Log-probabilities that tokens are drawn with, float (B, V); the model's own if greedy."""
        if self.temperature == 0.0:
            return logits_BV.log_softmax(-1)
        warpers = LogitsProcessorList()
        if self.top_k > 0:
            warpers.append(TopKLogitsWarper(self.top_k))
        if self.top_p < 1.0:
            warpers.append(TopPLogitsWarper(self.top_p))
        unread_ids = torch.empty((len(logits_BV), 0), dtype=torch.long, device=logits_BV.device)
        warped_BV: Tensor = warpers(unread_ids, logits_BV / self.temperature)  # type: ignore[arg-type]
        return warped_BV.log_softmax(-1)

    def draw(self, logprobs_BV: Tensor) -> Tensor:
        """Draw one token per row, int (B,)."""
        if self.temperature == 0.0:
            return logprobs_BV.argmax(-1)
        # Inverting the distribution takes one random number per row; torch.multinomial takes one per vocabulary entry.
        cumulative_BV = logprobs_BV.double().exp().cumsum(-1)
        uniform_B1 = torch.rand(
            (len(logprobs_BV), 1), dtype=torch.float64, device=logprobs_BV.device, generator=self.generator
        )
        return torch.searchsorted(cumulative_BV, uniform_B1 * cumulative_BV[:, -1:], right=True).squeeze(1)


class TurnSampler:
    """Samples the next turn in a batch of ragged conversations, one object per batch.

    Between turns it keeps the ids only: it runs every conversation through the model again at each turn, which is
    correct for every kind of cache. `CachedTurnSampler` is faster.

    Args:
        model: a causal LM in eval mode.
        pad_id: any id; padding is masked.
        eos_ids: the ids that end a turn.
        sampling: how tokens are chosen.
        ends_turn: given a turn's ids so far, True if it ends here though no EOS was sampled; None if only EOS ends it.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        pad_id: int,
        eos_ids: Sequence[int],
        sampling: Sampling,
        ends_turn: Callable[[Sequence[int]], bool] | None = None,
    ) -> None:
        self.model, self.pad_id, self.sampling, self.ends_turn = model, pad_id, sampling, ends_turn
        self._eos = torch.tensor(sorted(eos_ids), device=model.device)
        self._history: dict[int, list[int]] = {}
        self._cache: DynamicCache | None = None
        self._mask_BT = torch.zeros((0, 0), dtype=torch.long, device=model.device)

    @torch.no_grad()
    def turn(self, rows: Sequence[int], new_ids: Sequence[Sequence[int]], max_tokens: Sequence[int]) -> list[Sampled]:
        """Sample one turn in each conversation `rows`; a row that is left out has ended and is not given again.

        Args:
            rows: which conversations; the first call begins them.
            new_ids: what each has read since its last turn, at least one id.
            max_tokens: the most tokens that each may take, at least 1.
        """
        return self._decode(self._prefill(rows, new_ids), max_tokens)

    def _prefill(self, rows: Sequence[int], new_ids: Sequence[Sequence[int]]) -> Tensor:
        for row, ids in zip(rows, new_ids, strict=True):
            self._history[row] = [*self._history.get(row, []), *ids]
        self._rows = list(rows)
        self._cache = None
        self._mask_BT = torch.zeros((len(rows), 0), dtype=torch.long, device=self.model.device)
        return self._forward(*self._left_pad([self._history[row] for row in rows]))

    def _sampled(self, row: int, ids: list[int]) -> None:
        self._history[row] += ids

    def _left_pad(self, ids_B: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        width = max(map(len, ids_B))
        ids_BT = torch.tensor([[self.pad_id] * (width - len(ids)) + list(ids) for ids in ids_B])
        lengths_B = torch.tensor([len(ids) for ids in ids_B])
        mask_BT = (torch.arange(width) >= width - lengths_B[:, None]).long()
        return ids_BT.to(self.model.device), mask_BT.to(self.model.device)

    def _forward(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """Feed ids (masked cells are holes) and return the logits of the last position, float32 (B, V)."""
        self._mask_BT = torch.cat([self._mask_BT, mask_BT], dim=1)
        positions_BT = (self._mask_BT.cumsum(1) - 1).clamp(min=0)[:, -ids_BT.shape[1] :]
        out: Any = self.model(
            input_ids=ids_BT,
            attention_mask=self._mask_BT,
            position_ids=positions_BT,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        if not hasattr(out, "past_key_values"):
            raise ValueError(
                f"{type(self.model).__name__} keeps its state in a cache of its own, which ragged turns would corrupt: "
                "take a model with attention"
            )
        self._cache = out.past_key_values
        if self._cache is None or self._cache.get_seq_length() != self._mask_BT.shape[1]:
            raise RuntimeError(
                "the model dropped its KV cache, so the next token would be sampled blindly; call model.eval() first "
                "(gradient checkpointing in train mode does this), and do not change use_cache"
            )
        logits_BV: Tensor = out.logits[:, -1].float()
        return logits_BV

    def _decode(self, logits_BV: Tensor, max_tokens: Sequence[int]) -> list[Sampled]:
        device = logits_BV.device
        caps_B = torch.tensor(max_tokens, device=device)
        lengths_B = torch.zeros_like(caps_B)
        alive_B = torch.ones_like(caps_B, dtype=torch.bool)
        ids: list[Tensor] = []
        logprobs: list[Tensor] = []
        while True:
            logprobs_BV = self.sampling.logprobs(logits_BV)
            drawn_B = self.sampling.draw(logprobs_BV)
            ids.append(drawn_B)
            logprobs.append(logprobs_BV.gather(1, drawn_B[:, None]).squeeze(1))
            lengths_B += alive_B
            alive_B = alive_B & ~torch.isin(drawn_B, self._eos) & (lengths_B < caps_B)
            if self.ends_turn is not None:
                alive_B = alive_B & ~self._stopped(ids, alive_B)
            if not alive_B.any():
                break
            fed_B = torch.where(alive_B, drawn_B, self.pad_id)
            logits_BV = self._forward(fed_B[:, None], alive_B.long()[:, None])
        return self._collected(ids, logprobs, lengths_B.tolist())

    def _stopped(self, ids: Sequence[Tensor], alive_B: Tensor) -> Tensor:
        assert self.ends_turn is not None
        so_far = torch.stack(list(ids), dim=1).tolist()
        stopped = [alive and self.ends_turn(row) for row, alive in zip(so_far, alive_B.tolist(), strict=True)]
        return torch.tensor(stopped, device=alive_B.device)

    def _collected(self, ids: Sequence[Tensor], logprobs: Sequence[Tensor], lengths: Sequence[int]) -> list[Sampled]:
        ids_BT, logprobs_BT = torch.stack(list(ids), 1).tolist(), torch.stack(list(logprobs), 1).tolist()
        turns = [Sampled(ids_BT[b][:length], logprobs_BT[b][:length]) for b, length in enumerate(lengths)]
        for row, turn in zip(self._rows, turns, strict=True):
            self._sampled(row, turn.ids)
        return turns


class CachedTurnSampler(TurnSampler):
    """Keeps the KV cache over the whole episode, so that a turn costs only its new tokens.

    Rows of unequal length leave masked holes in the cache, finished conversations are dropped from it, and equal first
    prompts (the members of a group) run through the model once. Exact for full attention only: sliding windows count
    holes, and recurrent layers are corrupted by them.
    """

    _rows: list[int]

    def _prefill(self, rows: Sequence[int], new_ids: Sequence[Sequence[int]]) -> Tensor:
        if self._cache is None:
            return self._begin(rows, new_ids)
        if list(rows) != self._rows:
            kept = torch.tensor([self._rows.index(row) for row in rows], device=self.model.device)
            self._cache.batch_select_indices(kept)
            self._mask_BT = self._mask_BT[kept]
            self._rows = list(rows)
        # The last token of a turn was sampled, but not yet fed to the model.
        fed = [[*self._history[row], *ids] for row, ids in zip(rows, new_ids, strict=True)]
        return self._forward(*self._left_pad(fed))

    def _begin(self, rows: Sequence[int], new_ids: Sequence[Sequence[int]]) -> Tensor:
        prompts = {tuple(ids): None for ids in new_ids}
        number = {prompt: n for n, prompt in enumerate(prompts)}
        self._cache = DynamicCache(config=self.model.config)
        self._mask_BT = torch.zeros((len(prompts), 0), dtype=torch.long, device=self.model.device)
        logits_PV = self._forward(*self._left_pad(list(prompts)))
        self._rows = list(rows)
        if len(prompts) == len(rows):
            return logits_PV
        of_row = torch.tensor([number[tuple(ids)] for ids in new_ids], device=self.model.device)
        self._cache.batch_select_indices(of_row)
        self._mask_BT = self._mask_BT[of_row]
        return logits_PV[of_row]

    def _sampled(self, row: int, ids: list[int]) -> None:
        self._history[row] = ids[-1:]


def keeps_cache(model: PreTrainedModel) -> bool:
    """True if every layer of the model is full attention, whose cache may have holes."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


def make_sampler(model: PreTrainedModel, **kwargs: Any) -> TurnSampler:
    """The fastest sampler that is exact for this model; `kwargs` are those of `TurnSampler`."""
    return (CachedTurnSampler if keeps_cache(model) else TurnSampler)(model, **kwargs)
