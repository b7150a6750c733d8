"""WordGuess: find a hidden word from what each guess has right, letter by letter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.resources import files
from math import log
from typing import Any

import numpy as np

from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.types import End

_LISTS: Mapping[int, str] = {4: "four.txt", 5: "five.txt", 6: "six.txt"}
_SHORT_LIST = 100
_LEGEND = (
    "Each guess is answered with a mark for every letter: G, the letter is right and in the right place; Y, the "
    "letter is in the word but in another place; -, the letter is not in the word, or no more often than the "
    "letters already marked G or Y."
)


@dataclass(slots=True)
class Hunt:
    """The number of the hidden word, and the words that are still possible: bit i stands for word i of the list."""

    hidden: int
    possible: int

    def __deepcopy__(self, memo: dict[int, Any]) -> Hunt:
        return Hunt(self.hidden, self.possible)


class WordGuess(TextEnv[Hunt]):
    """Guess a hidden English word of `length` letters; the last word of that length in the agent's text is its guess.

    The marks are Wordle's: a letter that the guess has more often than the hidden word is marked only as often as the
    hidden word has it, first where its place is right, then from the left.

    A turn earns its share of the information to gain: a guess that reduces the possible words from n to m earns
    `0.5·log(n/m)/log(N)`, where N is the count of all words. It is the difference of the potential
    `-0.5·log(n)/log(N)` with discount 1, so that the turn rewards of an episode never sum to more than 0.5 and a
    repeated guess earns 0. The outcome is 1.0 for the word itself.

    The agent reads a list of up to 100 words and may guess only those; with a longer list it may guess any letters.

    Args:
        length: the number of letters, 4, 5 or 6.
        max_turns: the number of guesses allowed.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if there is no list of words of that length, or `max_turns` is below 1.
    """

    @checked_arguments
    def __init__(self, length: int = 5, *, max_turns: int = 6, render_mode: str | None = None) -> None:
        super().__init__(render_mode=render_mode)
        if length not in _LISTS:
            raise ValueError(f"there are words of {', '.join(map(str, _LISTS))} letters; got length={length}")
        check_range("max_turns", max_turns, 1)
        words = word_list(length)
        self.length, self.max_turns, self.num_tasks = length, max_turns, len(words)
        self._words, self._listed = words, frozenset(words) if len(words) <= _SHORT_LIST else frozenset()
        self._last_word = re.compile(rf".*\b([A-Za-z]{{{length}}})\b", re.DOTALL)
        self._all, self._per_nat = (1 << len(words)) - 1, 0.5 / log(len(words))
        self._opening = f"Guess the hidden word of {length} letters."
        choice = f"one of these {len(words)} words, and only they may be guessed: {', '.join(words)}"
        if not self._listed:
            choice = f"one of {len(words)} common English words; any {length} letters may be guessed"
        self.system_prompt = (
            f"Find the hidden word of {length} letters. It is {choice}. Each turn, write one guess; the last word of "
            f"exactly {length} letters in your message counts. {_LEGEND} You have {max_turns} guesses."
        )

    @property
    def action_texts(self) -> tuple[str, ...]:
        """The words of the list."""
        return self._words

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Hunt, str]:
        """Task i hides word i of the list."""
        return Hunt(options["task"], self._all), self._opening

    def respond(self, state: Hunt, action: str, rng: np.random.Generator) -> Reply:
        """Mark the guess."""
        found = self._last_word.match(action)
        if found is None:
            return self._refuse(f"Your message holds no word of {self.length} letters: write one guess.")
        guess = found[1].lower()
        if self._listed and guess not in self._listed:
            return self._refuse(f"The word {guess} is not in the list: guess one of the words you were given.")
        marked = _marked(self.length, guess)
        (text, words), before = marked[state.hidden], state.possible
        state.possible = before & words
        reward = {"information": self._per_nat * log(before.bit_count() / state.possible.bit_count())}
        if guess == self._words[state.hidden]:
            return Reply.final(f"{text}. Correct!", reward, outcome={"found": 1.0}, success=True, end=End.SOLVED)
        return Reply.turn(text, reward)

    @staticmethod
    def _refuse(reason: str) -> Reply:
        return Reply.turn(reason, {"information": 0.0}, valid=False)

    def state_key(self, state: Hunt) -> object:
        """The hidden word and the words still possible."""
        return state.hidden, state.possible

    def observation_key(self, state: Hunt) -> object:
        """The words still possible: all that the agent can know."""
        return state.possible


def feedback(guess: str, hidden: str) -> str:
    """The marks of a guess, such as `G Y - - G`; both words have the same length.

    >>> feedback("geese", "these")
    '- - G G G'
    """
    unplaced = Counter(right for letter, right in zip(guess, hidden, strict=True) if letter != right)
    marks = []
    for letter, right in zip(guess, hidden, strict=True):
        misplaced = letter != right and unplaced[letter] > 0
        unplaced[letter] -= misplaced
        marks.append("G" if letter == right else "Y" if misplaced else "-")
    return " ".join(marks)


@lru_cache
def word_list(length: int) -> tuple[str, ...]:
    """The words of a length that may be hidden, in alphabetical order."""
    return tuple((files("turnenv.envs.word_guess") / "words" / _LISTS[length]).read_text(encoding="ascii").split())


@lru_cache(maxsize=4096)
def _marked(length: int, guess: str) -> tuple[tuple[str, int], ...]:
    """For each hidden word: the guess with its marks, and the words with the same marks, as bits."""
    marks = tuple(feedback(guess, word) for word in word_list(length))
    words_with: dict[str, int] = {}
    for number, mark in enumerate(marks):
        words_with[mark] = words_with.get(mark, 0) | 1 << number
    shared = {mark: (f"{guess}: {mark}", words) for mark, words in words_with.items()}
    return tuple(shared[mark] for mark in marks)


make_vector = partial(TextVectorEnv, WordGuess)
