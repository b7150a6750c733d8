"""A language model of a few thousand random weights with a tokenizer of its own, saved like any model."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

_WORDS = ("<pad>", "<eos>", "<unk>", "<env>", "<agent>", "I", "guess", *map(str, range(1, 51)))
_TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}<agent> {{ message['content'] }}<eos>"
    "{% else %}<env> {{ message['content'] }}<eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<agent> {% endif %}"
)


def save_tiny_policy(folder: Path, seed: int = 0) -> Path:
    """Write the model and its tokenizer; the same seed writes the same weights."""
    words = Tokenizer(models.WordLevel({word: index for index, word in enumerate(_WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        extra_special_tokens=["<env>", "<agent>"],
    )
    tokenizer.chat_template = _TEMPLATE
    config = LlamaConfig(
        vocab_size=len(_WORDS),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
