"""TwentyQuestions: find an entity of the atlas by yes/no questions about its attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import log
from typing import Any

import numpy as np

from turnenv.core import Reply, TextEnv, TextVectorEnv
from turnenv.core.arguments import check_range, checked_arguments
from turnenv.envs.twenty_questions.attributes import NOUNS, Attributes, Split, as_number, attributes, plain

_COMMAND = re.compile(r"\b(is its|is it an?|was it born|did it die|it is)\s+", re.IGNORECASE)
_ATTRIBUTE_OF = {"was it born": "year of birth", "did it die": "year of death"}
_BELOW = ("before", "below", "under", "less than", "lower than")
_COMPARISON = re.compile(rf"({'|'.join(_BELOW)}|after|above|over|more than|higher than) (.+)")
_LONGEST_COMMAND = 120
_COMMANDS_READ = 8
_UNREAD = "Your message holds neither a question that I can read nor a guess"


@dataclass(slots=True)
class Riddle:
    """The number of the hidden entity, and the entities that are still possible, as bits."""

    hidden: int
    possible: int

    def __deepcopy__(self, memo: dict[int, Any]) -> Riddle:
        return Riddle(self.hidden, self.possible)


class TwentyQuestions(TextEnv[Riddle]):
    """Ask about an entity of the atlas, then name it; the last question or guess that can be read counts.

    A turn earns its share of the information to gain: a reply that reduces the possible entities from n to m earns
    `0.5·log(n/m)/log(N)`, where N is the count of all entities. It is the difference of the potential
    `-0.5·log(n)/log(N)` with discount 1, so that the turn rewards of an episode never sum to more than 0.5 and a
    question whose reply follows from earlier ones earns 0. Naming the entity earns the rest of the 0.5, and an outcome
    of 1.0; naming another entity ends the episode and earns nothing.

    Args:
        topic: a topic of the atlas, or None for all of them.
        max_turns: the number of turns, for the questions and the guess together.
        render_mode: "ansi" keeps the transcript for `render`; "human" prints each turn as it comes.

    Raises:
        ValueError: if there is no such topic, or `max_turns` is below 1.
    """

    @checked_arguments
    def __init__(self, topic: str | None = None, *, max_turns: int = 20, render_mode: str | None = None) -> None:
        super().__init__(render_mode=render_mode)
        check_range("max_turns", max_turns, 1)
        known = attributes(topic)
        self.topic, self.max_turns, self.num_tasks = topic, max_turns, len(known.entities)
        self._entities, self._all = known.entities, known.all
        self._per_nat = 0.5 / log(self.num_tasks)
        self.system_prompt = _instructions(topic, known, max_turns)

    def start(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[Riddle, str]:
        """Task i hides entity i."""
        kind = "entities of all topics" if self.topic is None else f"entities of the topic {self.topic}"
        text = f"I am thinking of one of {self.num_tasks} {kind}. What is it? You have {self.max_turns} turns."
        return Riddle(options["task"], self._all), text

    def respond(self, state: Riddle, action: str, rng: np.random.Generator) -> Reply:
        """Answer the question, or judge the guess."""
        meant = _read(self.topic, action) if len(action) <= _LONGEST_COMMAND else _interpret(self.topic, action)
        if isinstance(meant, str):
            return Reply.turn(meant, {"information": 0.0}, valid=False)
        before, hidden = state.possible, 1 << state.hidden
        if isinstance(meant, int):
            return self._judge(state, meant)
        if meant.yes & hidden:
            answer, state.possible = "Yes.", before & meant.yes
        elif meant.no & hidden:
            answer, state.possible = "No.", before & meant.no
        else:
            answer, state.possible = "That does not apply.", before & meant.neither
        reward = self._per_nat * log(before.bit_count() / state.possible.bit_count())
        return Reply.turn(answer, {"information": reward})

    def _judge(self, state: Riddle, guess: int) -> Reply:
        name, right = self._entities[state.hidden], guess == state.hidden
        reward = self._per_nat * log(state.possible.bit_count()) if right else 0.0
        text = f"Yes, it is {name}." if right else f"No, it was {name}."
        return Reply.final(text, {"information": reward}, outcome={"named": float(right)}, success=right)

    def state_key(self, state: Riddle) -> object:
        """The hidden entity and the entities still possible."""
        return state.hidden, state.possible

    def observation_key(self, state: Riddle) -> object:
        """The entities still possible: all that the agent can know."""
        return state.possible


def question_split(topic: str | None, text: str) -> Split | None:
    """How a question splits the entities of a topic (None: of all); None if it cannot be read."""
    meant = _interpret(topic, text)
    return meant if isinstance(meant, Split) else None


def _interpret(topic: str | None, action: str) -> Split | int | str:
    """Read an action: the split of its question, the number of the entity guessed, or why the text is neither."""
    found = list(_COMMAND.finditer(action))[-_COMMANDS_READ:]
    reason = f"{_UNREAD}: write for example 'Is it a river?', or 'It is …' for your guess."
    for command in reversed(found):
        opener = " ".join(command[1].lower().split())
        rest = action[command.end() : command.end() + _LONGEST_COMMAND].partition("\n")[0]
        meant = _guess(topic, rest) if opener == "it is" else _question(topic, opener, rest)
        if not isinstance(meant, str):
            return meant
        if command is found[-1]:
            reason = f"{_UNREAD}: {meant}."
    return reason


_read = lru_cache(maxsize=1 << 15)(_interpret)


def _guess(topic: str | None, rest: str) -> int | str:
    names = attributes(topic).names
    for name in (rest, rest.partition(". ")[0]):
        if plain(name) in names:
            return names[plain(name)]
    return f"there is no entity {rest.strip()!r}"


def _question(topic: str | None, opener: str, rest: str) -> Split | str:
    body, mark, _ = rest.partition("?")
    if not mark:
        return "a question ends with a question mark"
    known, body = attributes(topic), " ".join(body.split())
    if opener.startswith("is it a"):
        return known.kinds.get(plain(body)) or f"no entity is called a {body}"
    if opener in _ATTRIBUTE_OF:
        return _compare(known, _ATTRIBUTE_OF[opener], body.removeprefix("in "))
    names = [name for name in known.has if body.casefold().startswith(name.casefold() + " ")]
    if not names:
        return f"there is no attribute at the start of {body!r}"
    name = max(names, key=len)
    return _compare(known, name, body[len(name) + 1 :])


def _compare(known: Attributes, attribute: str, value: str) -> Split | str:
    if attribute not in known.has:
        return f"no entity has the attribute {attribute!r}"
    if attribute in known.numeric:
        compared = _COMPARISON.fullmatch(value.casefold())
        number = as_number(compared[2] if compared else value)
        if number is None:
            return f"the {attribute} is a whole number, not {value!r}"
        if compared is not None:
            return known.below(attribute, number) if compared[1] in _BELOW else known.above(attribute, number)
        equal = dict(known.numbers[attribute]).get(number, 0)
        return Split(equal, known.has[attribute] & ~equal, known.all & ~known.has[attribute])
    return known.with_value(attribute, value)


def _instructions(topic: str | None, known: Attributes, max_turns: int) -> str:
    lines = [
        f"- {name} (Is it a {NOUNS[name]}?): "
        + ", ".join(f"{column} (number)" if column in known.numeric else column for column in columns)
        for name, columns in known.by_topic.items()
    ]
    about = "entity of an encyclopedia" if topic is None else f"entity of the topic {topic} of an encyclopedia"
    return (
        f"Find out which {about} I am thinking of. Each turn, ask one question or make your guess; the last one in "
        f"your message counts. Questions have one of these forms:\n"
        "- Is it a <kind>? (such as 'Is it a river?', 'Is it a novel?', 'Is it a mammal?')\n"
        "- Is its <attribute> <value>? (such as 'Is its continent Europe?', 'Is its topic countries?')\n"
        "- Is its <attribute> less than <number>? or: more than <number>? or: before, after, for the attributes that "
        "are numbers (such as 'Is its year before 1900?'; also 'Was it born before 1800?', 'Did it die after 1800?')\n"
        "The answer is 'Yes.', 'No.', or 'That does not apply.' where the encyclopedia does not tell the attribute.\n"
        "To guess, write: It is <name>. You have one guess, and it ends the game. You have "
        f"{max_turns} turns in all, the guess included.\n\nThe topics and their attributes:\n" + "\n".join(lines)
    )


make_vector = partial(TextVectorEnv, TwentyQuestions)
