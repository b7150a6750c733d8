"""CreditChain: an agent that knows the action of each signal, and one that names random actions."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from turnenv.envs.credit_chain import SIGNALS

_SIGNAL = re.compile(r"Signal: (\w+)\.")


def make_expert() -> Callable[[str], str]:
    """Answers each signal with its action, and anything else with a0."""

    def act(observation: str) -> str:
        found = _SIGNAL.search(observation)
        return f"a{SIGNALS.index(found[1])}" if found and found[1] in SIGNALS else "a0"

    return act


def make_random(seed: int, actions: int = 4) -> Callable[[str], str]:
    """Names a random action, each equally likely."""
    rng = np.random.default_rng(seed)
    return lambda observation: f"a{rng.integers(actions)}"
