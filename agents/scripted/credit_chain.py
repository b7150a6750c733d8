"""CreditChain: an agent that looks each signal up, and one that names any action."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from turnenv.envs.credit_chain import SIGNALS

_SIGNAL = re.compile(r"Signal: (\w+)\.")


def make_expert() -> Callable[[str], str]:
    """Answers a signal with its action, and grey with a0."""

    def act(observation: str) -> str:
        found = _SIGNAL.search(observation)
        return f"a{SIGNALS.index(found[1])}" if found and found[1] in SIGNALS else "a0"

    return act


def make_random(seed: int, actions: int = 4) -> Callable[[str], str]:
    """Names one of the actions, each as likely."""
    rng = np.random.default_rng(seed)
    return lambda observation: f"a{rng.integers(actions)}"
