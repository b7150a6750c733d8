"""A language model of random weights, of the size that a measurement needs."""

from __future__ import annotations

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM


def random_qwen(
    vocabulary: int, *, width: int, mlp_width: int, layers: int, positions: int, eos_id: int | None = None
) -> Qwen2ForCausalLM:
    """A Qwen2 of four heads; equal arguments make equal weights. Its pad token is 0."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=mlp_width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=eos_id,
    )
    return Qwen2ForCausalLM(config)
