"""A judge's model in memory: questions as its prompts, and the probability of each allowed score as the answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnenv.extras import needs


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """A model in memory, how a question becomes its prompt, and the tokens of each level."""

    model: Any
    encode: Callable[[str], list[int]]
    pad_id: int
    level_ids: tuple[tuple[int, ...], ...]


def load_judge(model: Any, tokenizer: Any, levels: Sequence[str], device: str | None) -> JudgeModel:
    """Load a model by name, once per process until its files change, or take a loaded one with its tokenizer.

    Raises:
        OSError: there is no such model.
        ValueError: the levels are not separate tokens of the tokenizer, or it has no chat template.
        ModuleNotFoundError: torch or transformers is not installed.
    """
    if isinstance(model, str):
        model, own = _load(model, device, _files(model))
        tokenizer = tokenizer or own
    return JudgeModel(model, _encoder(tokenizer), tokenizer.pad_token_id or 0, _level_ids(tokenizer, levels))


def _files(name: str) -> tuple[tuple[str, int, int], ...]:
    """Name, time and size of the files in a model's folder; empty for a name of the hub."""
    if not Path(name).is_dir():
        return ()
    stats = [(path.name, path.stat()) for path in sorted(Path(name).iterdir())]
    return tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats)


@functools.lru_cache(maxsize=4)
def _load(name: str, device: str | None, files: tuple[tuple[str, int, int], ...]) -> tuple[Any, Any]:
    with needs("train", "LocalJudge"):
        import torch  # noqa: F401
        from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(name)
    return (model if device is None else model.to(device)).eval(), AutoTokenizer.from_pretrained(name)


def _encoder(tokenizer: Any) -> Callable[[str], list[int]]:
    """Make prompts of one message as the chat template does, in which nothing that is quoted becomes structure."""
    from turnenv.policies.plain_text import FrameEncoder
    from turnenv.policies.template import OBSERVATION, prompt_frame

    encoder = FrameEncoder(tokenizer, {})
    frame = prompt_frame(tokenizer, False, (), {}, encoder.structural)
    return lambda question: encoder.encode([frame], [{OBSERVATION: question}])[0]


def _level_ids(tokenizer: Any, levels: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """The tokens of each level, none of which begins another: their probabilities would overlap."""
    ids = [tuple(tokenizer.encode(level, add_special_tokens=False)) for level in levels]
    unknown = tokenizer.unk_token_id
    for level, own in zip(levels, ids, strict=True):
        if not own or unknown in own:
            raise ValueError(f"the tokenizer has no tokens for the level {level!r}; pass other levels")
        others = [other for other in ids if other is not own and other[: len(own)] == own]
        if others:
            raise ValueError(f"the level {level!r} begins another in tokens; pass levels such as '1' … '5'")
    return tuple(ids)


def continuation_log_probs(
    model: Any, pad: int, prompts: Sequence[tuple[int, ...]], endings: Sequence[tuple[int, ...]]
) -> NDArray[np.float64]:
    """Log-probability (nats) of each ending after each prompt, `(B, L)`; one row per prompt if endings are single."""
    import torch

    stems = [(at, ending[:-1]) for at in range(len(prompts)) for ending in endings]
    rows = {stem: row for row, stem in enumerate(dict.fromkeys(stems))}
    texts = [prompts[at] + begun for at, begun in rows]
    width = max(map(len, texts))
    ids_RT = torch.tensor([[pad] * (width - len(text)) + list(text) for text in texts], device=model.device)
    mask_RT = torch.tensor([[0] * (width - len(text)) + [1] * len(text) for text in texts], device=model.device)
    keep = max(map(len, endings))
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            logits_RKV = model(
                input_ids=ids_RT,
                attention_mask=mask_RT,
                position_ids=(mask_RT.cumsum(-1) - 1).clamp(min=0),
                use_cache=False,
                logits_to_keep=keep,
            ).logits
    finally:
        model.train(was_training)
    log_probs_RKV = logits_RKV.double().log_softmax(-1).cpu().numpy()
    result_BL = np.empty((len(prompts), len(endings)))
    for at in range(len(prompts)):
        for level, ending in enumerate(endings):
            steps_KV = log_probs_RKV[rows[at, ending[:-1]]][-len(ending) :]
            result_BL[at, level] = sum(step_V[token] for step_V, token in zip(steps_KV, ending, strict=True))
    return result_BL
