"""A transformers model with weights set by hand: it gives the words of a table their stated next-token chances."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_SPECIAL = ("<pad>", "<eos>", "<unk>")
_TEMPLATE = (
    "{% for message in messages %}{{ message['content'] }}{% endfor %}{% if add_generation_prompt %} {% endif %}"
)


def save_scripted_model(folder: Path, chances: Mapping[str, float], then: Mapping[str, float] | None = None) -> Path:
    """Write a model that says a word of `chances` first, and after the word "say" one of `then`, and then stops.

    The layer adds nothing (its output weights are 0), so that the last token alone decides the next.
    """
    words = [*_SPECIAL, *dict.fromkeys([*chances, *(then or {})])]
    tokenizer = Tokenizer(models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>", model_max_length=100_000
    )
    fast.chat_template = _TEMPLATE
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=4,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=4096,
        rms_norm_eps=1e-12,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        _write(model, words, chances, then or {})
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def _write(model: LlamaForCausalLM, words: list[str], chances: Mapping[str, float], then: Mapping[str, float]) -> None:
    """Axis 0 means "nothing said yet", axis 1 "a closing word was said", axis 2 "say was said"."""
    layer = model.model.layers[0]
    layer.self_attn.o_proj.weight.zero_()
    layer.mlp.down_proj.weight.zero_()
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
    embedding.zero_()
    for at, word in enumerate(words):
        embedding[at, 2 if word == "say" and then else 1 if word in chances or word in then else 0] = 1.0
    # RMSNorm makes a one-hot vector of four axes twice as long.
    head.fill_(-30.0)
    for axis, table in ((0, chances), (1, {"<eos>": 1.0}), (2, then)):
        for word, chance in table.items():
            head[words.index(word), axis] = math.log(chance) / 2.0
