"""A small multilayer perceptron (torch) from features of the observation to a softmax over actions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from agents.small.learner import Floats

Optimizer = Literal["adam", "sgd"]


class MlpPolicy:
    """Hidden layers with tanh; the last layer begins at zero, so that the policy begins uniform.

    With features one-hot, no hidden layer, no bias and "sgd" it is the tabular policy.

    Args:
        features: of each observation, float (O, F).
        actions: A.
        learning_rate: of the optimizer.
        hidden: units of each hidden layer; none for a linear policy.
        optimizer: "adam" or "sgd" (plain gradient ascent).
        bias: whether layers have biases.
        seed: draws the hidden layers' weights.

    Raises:
        ValueError: if the optimizer is neither.
    """

    def __init__(
        self,
        features: NDArray[np.float32],
        actions: int,
        learning_rate: float,
        *,
        hidden: Sequence[int] = (64,),
        optimizer: Optimizer = "adam",
        bias: bool = True,
        seed: int = 0,
    ) -> None:
        if optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer is 'adam' or 'sgd'; got {optimizer!r}")
        self._actions = actions
        self._features = torch.from_numpy(features)
        # A fork, so that making a policy leaves the process's own generator alone.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = _network([features.shape[1], *hidden, actions], bias)
        choice = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
        self._optimizer: torch.optim.Optimizer = choice(self.network.parameters(), lr=learning_rate)

    def table(self) -> Floats:
        """Probability of each action, float (O, A)."""
        with torch.no_grad():
            return np.asarray(self.network(self._features).double().softmax(dim=-1).numpy())

    def ascend(self, observations: NDArray[np.int64], actions: NDArray[np.int64], weights: Floats) -> None:
        """See `Learner.ascend`."""
        # Turns that share a cell are summed before the network runs, which then sees each observation once.
        seen, rows = np.unique(observations, return_inverse=True)
        weight_OA = np.zeros((len(seen), self._actions))
        np.add.at(weight_OA, (rows, actions), weights)
        logprobs = self.network(self._features[torch.from_numpy(seen)]).log_softmax(dim=-1)
        loss = -(torch.from_numpy(weight_OA).to(logprobs.dtype) * logprobs).sum()
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()


def _network(widths: Sequence[int], bias: bool) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for number, (before, after) in enumerate(itertools.pairwise(widths)):
        layers += [torch.nn.Tanh()] if number else []
        layers.append(torch.nn.Linear(before, after, bias=bias))
    for parameter in layers[-1].parameters():
        torch.nn.init.zeros_(parameter)
    return torch.nn.Sequential(*layers)
