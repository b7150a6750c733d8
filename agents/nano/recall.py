"""Short conversations that teach the nano policy facts by heart, in phrasings that no question set asks."""

from __future__ import annotations

import zlib
from random import Random

from agents.nano.demonstrations import answer
from agents.nano.teaching import Message
from turnenv.atlas.articles import Question, questions
from turnenv.atlas.tables import topics

KNOWN = 0.4
"""The share of the questions whose facts are taught; a hash chooses them, in all splits alike."""


def is_known(question: Question) -> bool:
    """Whether the fact is one of those taught: by a hash of entity and relation, the same in every process."""
    return zlib.crc32(f"known/{question.title}/{question.relation}".encode()) % 1000 < 1000 * KNOWN


class Reciter:
    """Makes conversations of one question and its answer, about facts of all splits.

    Args:
        rng: makes all random choices.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._asked = [(question, _other_phrasings(question)) for question in questions() if is_known(question)]

    def conversation(self) -> list[Message]:
        """Ask for one fact in another phrasing than the question sets', and answer it."""
        question, phrasings = self._rng.choice(self._asked)
        text = answer(question.answers[0], "I know this.")
        return [Message("user", f"Question: {self._rng.choice(phrasings)}"), Message("assistant", text)]


_ROWS = {(topic.name, row.title): row for topic in topics() for row in topic.rows}
_RELATIONS = {(topic.name, relation.name): relation for topic in topics() for relation in topic.relations}


def _other_phrasings(question: Question) -> list[str]:
    """The phrasings of the topic file that the question set does not use for this entity."""
    row, relation = _ROWS[question.topic, question.title], _RELATIONS[question.topic, question.relation]
    words = {"name": row.asked, **{column: values[0] for column, values in row.cells.items()}}
    texts = [phrasing.format_map(words) for phrasing in relation.questions]
    return [text for text in (text[0].upper() + text[1:] for text in texts) if text != question.question]
