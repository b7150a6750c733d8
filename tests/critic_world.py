"""Worlds of tests of the critic: a policy whose values are known exactly, and a trainer that replays what was played."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from key_world import DIGITS

from turnenv import Reply, TextEnv

WORDS_ONLY = (
    "{% for m in messages %}{{ m['content'] + ' ' }}{% if m['role'] == 'assistant' %}<|im_end|> {% endif %}{% endfor %}"
)


class Stairs(TextEnv[int]):
    """Climb: `0` climbs a stair and is paid, `1` stays, anything else falls off; the top of three stairs pays 1.

    The observation is the stair's number alone, so it is the last token before a turn.
    """

    system_prompt = ""
    max_turns = 4
    action_texts = ("0", "1", ".")

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[int, str]:
        return 0, DIGITS[0]

    def respond(self, state: int, action: str, rng: np.random.Generator) -> Reply:
        raise NotImplementedError
