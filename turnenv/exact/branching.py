"""Every result that a function of a random generator can have, with its probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np

Result = TypeVar("Result")


def branches(run: Callable[[np.random.Generator], Result]) -> Iterator[tuple[float, Result]]:
    """Run a function once for every combination of results of its random draws.

    The function may draw with `rng.random()` (and then only compare the number), `rng.integers(low, high)` and
    `rng.choice(values, p=…)`; it must be a pure function of its draws.

    Args:
        run: takes the generator; called once per branch.

    Yields:
        A branch's probability and the function's result; the probabilities sum to 1.

    Raises:
        TypeError: if the function draws in a way that cannot be enumerated.
    """
    pending: list[tuple[int, ...]] = [()]
    while pending:
        draws = _Draws(pending.pop())
        result = run(cast(np.random.Generator, draws))
        yield draws.probability, result
        pending += draws.untried


class _Draws:
    """Replaces a generator: repeats the draws of a script, then takes the first result of each further draw."""

    def __init__(self, script: tuple[int, ...]) -> None:
        self._script, self._taken = script, 0
        self.probability = 1.0
        self.untried: list[tuple[int, ...]] = []

    def pick(self, weights: Sequence[float]) -> int:
        if self._taken < len(self._script):
            index = self._script[self._taken]
        else:
            index, *others = [i for i, weight in enumerate(weights) if weight > 0.0]
            self.untried += [(*self._script, other) for other in others]
            self._script += (index,)
        self._taken += 1
        self.probability *= weights[index]
        return index

    def random(self) -> _Uniform:
        return _Uniform(self)

    def integers(self, low: int, high: int | None = None) -> int:
        low, high = (0, low) if high is None else (low, high)
        return low + self.pick([1.0 / (high - low)] * (high - low))

    def choice(self, values: int | Sequence[Any], p: Sequence[float] | None = None) -> Any:
        offered = range(values) if isinstance(values, int) else values
        weights = [1.0 / len(offered)] * len(offered) if p is None else [float(weight) for weight in p]
        return offered[self.pick(weights)]

    def __getattr__(self, name: str) -> Any:
        raise TypeError(f"rng.{name} cannot be enumerated: draw with random() and compare, integers() or choice()")


class _Uniform:
    """A number between 0 and 1 of which only the results of comparisons are known."""

    def __init__(self, draws: _Draws) -> None:
        self._draws, self._low, self._high = draws, 0.0, 1.0

    def __lt__(self, bound: float) -> bool:
        if bound <= self._low or bound >= self._high:
            return bound >= self._high
        share = (bound - self._low) / (self._high - self._low)
        below = self._draws.pick([share, 1.0 - share]) == 0
        if below:
            self._high = bound
        else:
            self._low = bound
        return below

    def __gt__(self, bound: float) -> bool:
        return not self < bound

    __le__, __ge__ = __lt__, __gt__

    def __float__(self) -> float:
        raise TypeError("rng.random() cannot be enumerated unless the number is only compared")
