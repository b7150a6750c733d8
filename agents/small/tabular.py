"""A tabular softmax policy: one logit per observation and action, all 0 at the start (the uniform policy)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.small.learner import Floats, score_gradient
from turnenv.exact import softmax


class TabularPolicy:
    """Plain gradient ascent on the logits.

    Args:
        shape: (O, A).
        learning_rate: step length per unit of gradient.
    """

    def __init__(self, shape: tuple[int, int], learning_rate: float) -> None:
        self.logits = np.zeros(shape)
        self._learning_rate = learning_rate

    def table(self) -> Floats:
        """Probability of each action, float (O, A)."""
        return softmax(self.logits)

    def ascend(self, observations: NDArray[np.int64], actions: NDArray[np.int64], weights: Floats) -> None:
        """See `Learner.ascend`."""
        self.logits += self._learning_rate * score_gradient(self.table(), observations, actions, weights)
