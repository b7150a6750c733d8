"""ScienceLab: choose experiments, read noisy measurements, name the law behind them."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate, chain, product
from math import erf, log, pi, sin, sqrt
from operator import mul
from typing import Any

import numpy as np

from turnenv.actions.numbers import WRITTEN, whole
from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_choice, check_range, checked_arguments

_COMMAND = re.compile(rf"\b(measure|law)[ :=#]{{1,3}}((?![-+\u2212])(?>{WRITTEN}))(?!\w)", re.IGNORECASE)
_NEGLIGIBLE = 1e-4
_MOST_KNOWN = 1 << 13
_RESCALED, _LEAST = 32, 1e-150  # a likelihood is at least `_NEGLIGIBLE`: 1e-150 times 32 of them is still a float

Chances = Sequence[tuple[tuple[int, ...], tuple[float, ...]]]
"""For each law: the readings that an experiment may give, in order, and their probabilities, which sum to 1."""


@dataclass(frozen=True)
class Lab:
    """A finite set of laws, and the distribution of readings under each of them.

    Attributes:
        laws: the laws as formulas.
        chances: for each experiment x = 0, 1, …: the readings' distribution under each law.
        likelihoods: for each experiment and reading: law -> probability, where it is not 0.
        cumulative: for each experiment and law: the cumulative probabilities, for drawing.
        entropies: a cache: sorted readings -> the entropy of the posterior (nats).
    """

    laws: tuple[str, ...]
    chances: tuple[Chances, ...]
    likelihoods: tuple[Mapping[int, Mapping[int, float]], ...]
    cumulative: tuple[tuple[tuple[float, ...], ...], ...]
    entropies: dict[tuple[tuple[int, int], ...], float]

    def learn(self, state: Study, reading: tuple[int, int]) -> None:
        """Add a reading to a study."""
        at = bisect(state.readings, reading)
        state.readings = readings = (*state.readings[:at], reading, *state.readings[at:])
        del state.weights[at:]
        entropy = self.entropies.get(readings)
        if entropy is None:
            entropy = _entropy(self._weigh(state).values())
            if len(self.entropies) < _MOST_KNOWN:
                self.entropies[readings] = entropy
        state.entropy = entropy

    def _weigh(self, state: Study) -> Mapping[int, float]:
        """Complete the weights of a study, and return the last of them."""
        weights = state.weights
        for x, y in state.readings[len(weights) :]:
            likelihood = self.likelihoods[x][y]
            weights.append(_multiply(weights[-1], likelihood) if weights else likelihood)
            if len(weights) % _RESCALED == 0:
                weights[-1] = _rescale(weights[-1])
        return weights[-1]


@dataclass(slots=True)
class Study:
    """A study so far.

    Attributes:
        law: the number of the true law.
        readings: the pairs (x, y) that were read, sorted.
        entropy: the entropy of the posterior that they give (nats).
        weights: for the first 1, 2, … of the readings, as far as they were needed: law -> the product of their
            likelihoods, where it is not 0, up to a factor; multiplied in the order of the readings, so that equal
            readings give equal floats.
    """

    law: int
    readings: tuple[tuple[int, int], ...]
    entropy: float
    weights: list[Mapping[int, float]]

    def __deepcopy__(self, memo: dict[int, Any]) -> Study:
        return Study(self.law, self.readings, self.entropy, self.weights.copy())


class ScienceLab(TextEnv[Study]):
    """Measure y at chosen points x, then name the law; the last command in the agent's text counts.

    A reading is `y = f(x) + ε` with Gaussian `ε`, rounded to a whole number and clipped to the instrument's range, so
    that the posterior over the laws (a uniform prior, Bayes' rule) is exact. Rounded readings with a probability below
    1e-4 do not occur.

    An experiment earns the information that it gives about the law, `0.5·(H_before - H_after)/log(N)`, where `H` is the
    entropy of the posterior over the `N` laws. Its expectation, given all that was read, is exactly 0.5/log(N) times
    the experiment's expected information gain. It is the difference of the potential `-0.5·H/log(N)` with discount 1:
    the turn rewards of an episode sum to at most 0.5 whatever is measured, an experiment on which the laws agree earns
    0, and a reading that makes the law less certain earns a negative reward. (The Kullback-Leibler divergence from
    prior to posterior has the same expectation but does not telescope: its sum has no bound.) Naming a law earns no
    turn reward; the outcome is 1.0 for the true one.

    Args:
        laws: "curves" (40 laws, x from 0 to 10) or "switches" (8 laws, x from 0 to 3, readings 0 and 1).
        noise: standard deviation of `ε`, in units of y.
        max_turns: the number of turns, for the experiments and the naming together.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if there are no such laws, the noise is not positive, or `max_turns` is below 1.
    """

    @checked_arguments
    def __init__(
        self, laws: str = "curves", *, noise: float = 1.5, max_turns: int = 10, render_mode: str | None = None
    ) -> None:
        super().__init__(render_mode=render_mode)
        check_range("max_turns", max_turns, 1)
        self._lab, self.noise = make_lab(laws, noise), noise
        self.max_turns, self.num_tasks = max_turns, len(self._lab.laws)
        self._last_x = len(self._lab.chances) - 1
        self._most = log(self.num_tasks)
        self._per_nat = 0.5 / self._most
        self._opening = f"Which of the {self.num_tasks} laws holds? The noise is {noise:g}. You have {max_turns} turns."
        self._bare = {text: _command(text) for text in self.action_texts}
        listed = "\n".join(f"law {number}: {law}" for number, law in enumerate(self._lab.laws, start=1))
        low, high = _RANGES[laws]
        self.system_prompt = (
            f"One of the {self.num_tasks} laws below holds, each as likely before you measure. Find out which. Each "
            f"turn, write one command; the last one in your message counts:\n"
            f"- measure <x>: run the experiment at x, a whole number from 0 to {self._last_x}. You read y with "
            f"Gaussian noise of standard deviation {noise:g}, rounded to a whole number from {low} to {high}. "
            f"Repeating an experiment draws new noise.\n"
            f"- law <number>: name the law. This ends the study.\n"
            f"You have {max_turns} turns in all, the naming included.\n\n{listed}"
        )

    @property
    def action_texts(self) -> tuple[str, ...]:
        """Every experiment, then every law."""
        measures = (f"measure {x}" for x in range(self._last_x + 1))
        return *measures, *(f"law {number}" for number in range(1, self.num_tasks + 1))

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Study, str]:
        """In task i, law i + 1 holds."""
        return Study(options["task"], (), self._most, []), self._opening

    def respond(self, state: Study, action: str, rng: np.random.Generator) -> Reply:
        """Run the experiment, or judge the law."""
        command = self._bare.get(action) or _command(action)
        if command is None:
            return self._refuse("Your message holds no command: write 'measure <x>' or 'law <number>'.")
        name, written, number = command
        if number is None:
            return self._refuse(f"{written[:40]} is not a whole number: write 'measure <x>' or 'law <number>'.")
        if name == "law":
            return self._judge(state, number)
        if number > self._last_x:
            return self._refuse(f"There is no experiment at {number}: x goes from 0 to {self._last_x}.")
        possible = self._lab.chances[number][state.law][0]
        place = bisect(self._lab.cumulative[number][state.law], rng.random())
        reading = possible[min(place, len(possible) - 1)]
        before = state.entropy
        self._lab.learn(state, (number, reading))
        reward = self._per_nat * (before - state.entropy)
        return Reply.turn(f"x = {number}: you read y = {reading}.", {"information": reward})

    def _judge(self, state: Study, number: int) -> Reply:
        if not 1 <= number <= self.num_tasks:
            return self._refuse(f"There is no law {number}: they go from 1 to {self.num_tasks}.")
        right = number == state.law + 1
        text = "Right." if right else f"Wrong, law {state.law + 1} holds."
        return Reply.final(text, {"information": 0.0}, outcome={"named": float(right)}, success=right)

    @staticmethod
    def _refuse(reason: str) -> Reply:
        return Reply.turn(reason, {"information": 0.0}, valid=False)

    def state_key(self, state: Study) -> object:
        """The true law and the readings, in whatever order they came."""
        return state.law, *chain.from_iterable(state.readings)

    def observation_key(self, state: Study) -> object:
        """The readings: all that the agent can know."""
        return state.readings


def posterior(lab: Lab, readings: Sequence[tuple[int, int]]) -> dict[int, float]:
    """The laws that agree with readings (x, y), with their probabilities."""
    weights: Mapping[int, float] = dict.fromkeys(range(len(lab.laws)), 1.0)
    for count, (x, y) in enumerate(readings, start=1):
        weights = _multiply(weights, lab.likelihoods[x].get(y, {}))
        if count % _RESCALED == 0 and weights:
            weights = _rescale(weights)
    total = sum(weights.values())
    return {law: weight / total for law, weight in weights.items()}


def _multiply(weights: Mapping[int, float], likelihood: Mapping[int, float]) -> Mapping[int, float]:
    return {law: weight * likelihood[law] for law, weight in weights.items() if law in likelihood}


def _rescale(weights: Mapping[int, float]) -> Mapping[int, float]:
    """The weights with 1 for the largest, without those that would be too small for a float after more readings."""
    largest = max(weights.values())
    return {law: weight / largest for law, weight in weights.items() if weight > _LEAST * largest}


def _entropy(weights: Collection[float]) -> float:
    """Entropy (nats) of the posterior with these weights, which need not sum to 1."""
    total = sum(weights)
    weighted: float = sum(map(mul, weights, map(log, weights)))
    return log(total) - weighted / total


def _command(action: str) -> tuple[str, str, int | None] | None:
    """The last command in a text, its number as it is written, and the whole number that this is."""
    commands = _COMMAND.findall(action)
    return (commands[-1][0].lower(), commands[-1][1], whole(commands[-1][1])) if commands else None


@lru_cache(maxsize=32)
def make_lab(laws: str, noise: float) -> Lab:
    """Make the lab of a kind of laws with Gaussian noise of standard deviation `noise`.

    Raises:
        ValueError: if there are no such laws or the noise is not positive.
    """
    check_choice("laws", laws, _RANGES)
    if not noise > 0.0:
        raise ValueError(f"noise must be positive; got {noise}")
    means = _curves() if laws == "curves" else _switches()
    points = range(len(next(iter(means.values()))))
    chances = tuple(tuple(_rounded(mean[x], noise, *_RANGES[laws]) for mean in means.values()) for x in points)
    likelihoods: list[dict[int, dict[int, float]]] = [{} for _ in points]
    for x, of_laws in enumerate(chances):
        for law, (readings, probabilities) in enumerate(of_laws):
            for reading, probability in zip(readings, probabilities, strict=True):
                likelihoods[x].setdefault(reading, {})[law] = probability
    cumulative = tuple(tuple(tuple(accumulate(ps)) for _, ps in of_laws) for of_laws in chances)
    return Lab(tuple(means), chances, tuple(likelihoods), cumulative, {})


_RANGES: Mapping[str, tuple[int, int]] = {"curves": (0, 60), "switches": (0, 1)}


def _curves() -> dict[str, list[float]]:
    """Formula -> y at x = 0 … 10; five families, with two offsets a and four strengths b each."""
    families: tuple[tuple[str, Callable[[int, int, int], float]], ...] = (
        ("y = {a} + {b}·x", lambda a, b, x: a + b * x),
        ("y = {a} + {b}·x²/10", lambda a, b, x: a + b * x * x / 10),
        ("y = {a} + {b}·8/(x + 1)", lambda a, b, x: a + b * 8 / (x + 1)),
        ("y = {a} + 2^({b}·x/8)", lambda a, b, x: a + 2 ** (b * x / 8)),
        ("y = {a} + 10 + 10·sin({b}·π·x/12)", lambda a, b, x: a + 10 + 10 * sin(b * pi * x / 12)),
    )
    return {
        formula.format(a=a, b=b): [float(law(a, b, x)) for x in range(11)]
        for formula, law in families
        for a, b in product((5, 15), (1, 2, 3, 4))
    }


def _switches() -> dict[str, list[float]]:
    """Formula -> y at x = 0 … 3; the laws agree at 0."""
    laws = {}
    for on in product((0, 1), repeat=3):
        places = [str(x) for x, y in enumerate(on, start=1) if y]
        rule = f"y = 1 if x is {' or '.join(places)}, else y = 0" if places else "y = 0 at every x"
        laws[rule] = [0.0, *map(float, on)]
    return laws


def _rounded(mean: float, noise: float, low: int, high: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The distribution of a Gaussian rounded to the whole numbers from low to high, without its far tails."""
    below = [0.5 * (1 + erf((edge - 0.5 - mean) / (noise * sqrt(2)))) for edge in range(low + 1, high + 1)]
    chances = np.diff([0.0, *below, 1.0])
    kept = [(low + place, float(chance)) for place, chance in enumerate(chances) if chance >= _NEGLIGIBLE]
    total = sum(chance for _, chance in kept)
    return tuple(reading for reading, _ in kept), tuple(chance / total for _, chance in kept)


make_vector = partial(TextVectorEnv, ScienceLab)
