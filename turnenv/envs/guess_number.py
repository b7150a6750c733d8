"""GuessNumber: find a hidden number from 'higher' and 'lower', the smallest honest multi-turn game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import log
from typing import Any

import numpy as np

from turnenv.actions.numbers import last_number, whole
from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.types import End

_SHOWN = 40


@dataclass(slots=True)
class Search:
    """The hidden number, and the range that the replies so far leave open."""

    hidden: int
    low: int
    high: int


class GuessNumber(TextEnv[Search]):
    """Guess a whole number between `low` and `high`; the last number in the agent's text is its guess.

    `1,000` and `37.0` are whole numbers too; `37.5` and `1e3` are refused.

    A turn earns its share of the information to gain: a guess that reduces the possible numbers from n to m earns
    `0.5·log(n/m)/log(N)`, where N is the count of all numbers, so that the turn rewards of an episode never sum to more
    than 0.5 and a repeated guess earns 0. The outcome is 1.0 for the number itself.

    Args:
        low: the smallest number.
        high: the largest number.
        max_turns: the number of guesses allowed; by default what bisection needs at worst.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if the range holds fewer than two numbers or `max_turns` is below 1.
    """

    @checked_arguments
    def __init__(
        self, low: int = 1, high: int = 50, *, max_turns: int | None = None, render_mode: str | None = None
    ) -> None:
        super().__init__(render_mode=render_mode)
        if high <= low:
            raise ValueError(f"the range {low}…{high} leaves nothing to guess: high must exceed low")
        self.low, self.high = low, high
        self.num_tasks = high - low + 1
        self.max_turns = self.num_tasks.bit_length() if max_turns is None else max_turns
        check_range("max_turns", self.max_turns, 1)
        self._per_nat = 0.5 / log(self.num_tasks)
        self.system_prompt = (
            f"Find the hidden whole number between {low} and {high}. Each turn, write one guess; the last number in "
            f"your message counts. You are told whether the hidden number is higher or lower. You have "
            f"{self.max_turns} guesses."
        )

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Search, str]:
        """Task i hides the number `low + i`."""
        state = Search(self.low + options["task"], self.low, self.high)
        return state, f"Guess the number between {self.low} and {self.high}."

    def respond(self, state: Search, action: str, rng: np.random.Generator) -> Reply:
        """Compare the guess with the hidden number."""
        written = last_number(action)
        guess = None if written is None else whole(written)
        if guess is None:
            problem = f"{written[:_SHOWN]} is not a whole number" if written else "Your message holds no number"
            return Reply.turn(f"{problem}: write one whole number.", {"information": 0.0}, valid=False)
        open_before = state.high - state.low + 1
        if guess == state.hidden:
            state.low = state.high = guess
            reward = {"information": self._per_nat * log(open_before)}
            return Reply.final("Correct!", reward, outcome={"found": 1.0}, success=True, end=End.SOLVED)
        if guess < state.hidden:
            state.low, hint = max(state.low, guess + 1), "higher"
        else:
            state.high, hint = min(state.high, guess - 1), "lower"
        reward = {"information": self._per_nat * log(open_before / (state.high - state.low + 1))}
        return Reply.turn(f"The hidden number is {hint} than {guess}.", reward)

    def state_key(self, state: Search) -> object:
        """The hidden number and the open range."""
        return state.hidden, state.low, state.high


make_vector = partial(TextVectorEnv, GuessNumber)
