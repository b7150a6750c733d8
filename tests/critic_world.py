"""A chain for tests of the critic: the policy sees the state in one token, so its values are known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from key_world import SPECIAL, WORDS, tiny_model, word_tokenizer
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM

from turnenv import Reply, TextEnv
from turnenv.exact import evaluate, tabular_model

TEXTS = (*SPECIAL[:3], "", *WORDS)
"""What each token says when it is sampled as a whole turn; the fourth is EOS."""
STATES = ("0", "1", "2", "key", "obs", "say")
"""What the agent sees: intact after 0, 1, 2 turns; broken after 0, 1, 2."""
BARE = "{% for m in messages %}{{ m['content'] }} {% if m['role'] == 'assistant' %}<|im_end|> {% endif %}{% endfor %}"


@dataclass
class Walk:
    turn: int = 0
    broken: bool = False


class Stairs(TextEnv[Walk]):
    """Three turns: a third of all words climb and are paid, a third break the stairs, a third fall off them."""

    system_prompt = ""
    action_texts = TEXTS

    def __init__(self, max_turns: int = 3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_turns = max_turns

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Walk, str]:
        return Walk(), STATES[0]

    def respond(self, state: Walk, action: str, rng: np.random.Generator) -> Reply:
        kind = TEXTS.index(action) % 3
        state.turn += 1
        state.broken |= kind == 1
        paid = {"climbed": (0.1 if state.broken else 0.5) * (kind == 0)}
        if kind == 2 or state.turn == 3:
            whole = float(kind != 2 and not state.broken)
            return Reply.final(".", paid, outcome={"top": whole}, success=bool(whole))
        return Reply.turn(STATES[state.turn + 3 * state.broken], paid)

    def state_key(self, state: Walk) -> object:
        return state.turn, state.broken

    def observation_key(self, state: Walk) -> object:
        return self.state_key(state)


def stairs_tokenizer() -> PreTrainedTokenizerFast:
    """Nothing stands after an observation, so that the state's word is the last token before a turn."""
    tokenizer = word_tokenizer()
    tokenizer.chat_template = BARE
    return tokenizer


def stairs_policy() -> Qwen2ForCausalLM:
    """It attends to nothing, so that what it does depends on the token before alone."""
    model = tiny_model(hidden_size=64)
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.o_proj.weight.zero_()
        # Flatter, so that every state is met often.
        model.lm_head.weight.mul_(0.3)
    return model


def exact_values(model: Qwen2ForCausalLM) -> dict[str, float]:
    """The value of each state, named by what the agent sees."""
    vocabulary = word_tokenizer().get_vocab()
    table = tabular_model(Stairs())
    names = [STATES[turn + 3 * broken] for turn, broken in table.keys]  # type: ignore[misc]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[vocabulary[name]] for name in names])).logits[:, -1].double()
    values = evaluate(table, logits.softmax(-1).numpy(), "shaped").v
    return {name: float(values[key[0], at]) for at, (name, key) in enumerate(zip(names, table.keys, strict=True))}  # type: ignore[index]
