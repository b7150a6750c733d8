"""A model of a folder or of the hub, loaded to play."""

from __future__ import annotations

from typing import Any

from turnenv.extras import needs

with needs("train", "A local model"):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

from turnenv.policies.local import ChatPolicy


def load_policy(name: str, *, seed: int = 0, **options: Any) -> ChatPolicy:
    """A `ChatPolicy` of a model, on a GPU if there is one, in the model's own precision.

    Args:
        name: a folder, or an id of the hub.
        seed: of sampling.
        **options: of `ChatPolicy`.

    Raises:
        OSError: it cannot be loaded.
        ValueError: its tokenizer has no EOS, or another library is needed to load it.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model: Any = AutoModelForCausalLM.from_pretrained(name, dtype="auto")
    generator = torch.Generator(device).manual_seed(seed)
    return ChatPolicy(model.to(device), AutoTokenizer.from_pretrained(name), generator=generator, **options)
