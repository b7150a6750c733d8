"""TwentyQuestions: an agent that asks the question with the least predictable answer, and a random one."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from math import log

from turnenv.envs.twenty_questions.attributes import NOUNS, Split, attributes
from turnenv.envs.twenty_questions.env import question_split

_ANSWERS = {"Yes.": "yes", "No.": "no", "That does not apply.": "neither"}


def make_expert() -> Callable[[str], str]:
    """Asks the question whose answer is least predictable, and guesses when one entity or one turn is left."""
    topic: str | None = None
    possible, asked, turns_left = 0, "", 0

    def act(observation: str) -> str:
        nonlocal topic, possible, asked, turns_left
        if observation in _ANSWERS:
            possible &= getattr(_questions(topic)[asked], _ANSWERS[observation])
        else:
            topic, turns_left = _topic(observation), _turns(observation)
            possible = attributes(topic).all
        turns_left -= 1
        if possible.bit_count() == 1 or turns_left == 0:
            return f"I am done asking. It is {attributes(topic).entities[possible.bit_length() - 1]}."
        asked = _best(topic, possible)
        return f"{possible.bit_count()} are left. {asked}"

    return act


def make_random(seed: int) -> Callable[[str], str]:
    """Asks random questions for up to eleven turns, then names a random entity."""
    rng, patience = random.Random(seed), 0
    topic: str | None = None

    def act(observation: str) -> str:
        nonlocal topic, patience
        if observation.startswith("I am thinking"):
            topic, patience = _topic(observation), rng.randrange(12)
        patience -= 1
        if patience < 0:
            return f"It is {rng.choice(attributes(topic).entities)}."
        return rng.choice(list(_questions(topic)))

    return act


def _topic(observation: str) -> str | None:
    found = re.search(r"of the topic (\w+)", observation)
    return found[1] if found else None


def _turns(observation: str) -> int:
    found = re.search(r"You have (\d+) turns", observation)
    return int(found[1]) if found else 1


@cache
def _questions(topic: str | None) -> dict[str, Split]:
    """The questions that the atlas can answer, and how each splits the entities."""
    splits = {text: question_split(topic, text) for text in _texts(topic)}
    return {text: split for text, split in splits.items() if split is not None}


def _texts(topic: str | None) -> Iterator[str]:
    known = attributes(topic)
    for name in known.by_topic:
        yield f"Is it a {NOUNS[name]}?"
    for noun in known.kinds:
        yield f"Is it a {noun}?"
    for attribute, pairs in known.numbers.items():
        for value, _ in pairs:
            yield f"Is its {attribute} less than {value}?"
    for attribute, word in known.equal:
        yield f"Is its {attribute} {word}?"


@lru_cache(maxsize=1 << 14)
def _best(topic: str | None, possible: int) -> str:
    return max(_questions(topic).items(), key=lambda item: _bits(item[1], possible))[0]


def _bits(split: Split, possible: int) -> float:
    """Entropy of the reply (nats) for equally likely entities, times their number, up to a constant."""
    counts = ((possible & part).bit_count() for part in (split.yes, split.no, split.neither))
    return -sum(count * log(count) for count in counts if count)
