"""The atlas: a mini-encyclopedia of typed facts, written out as short articles and asked as single-hop questions."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from turnenv.atlas.tables import Relation, Row, Topic, topics

__all__ = ["SPLITS", "Article", "Fact", "Question", "articles", "facts", "questions", "split_of"]

#: The splits of the questions; an entity belongs to exactly one of them.
SPLITS = ("train", "validation", "test")

# Found as an answer in any text at all: the symbol As, the domain .in, the abbreviation OR.
_ORDINARY = (
    "a am an are as at be by can do for go he her hi i in is it la ma me my no of oh ok on or pa so the to us we"
)
_ORDINARY_WORDS = frozenset(_ORDINARY.split())
_WORD = re.compile(r"(?:[^\W_]|[+#])+")


@dataclass(frozen=True)
class Article:
    """One article.

    Attributes:
        title: unique in the atlas.
        topic: the table it was written from.
        text: a few short sentences; the median is 29 words.
    """

    title: str
    topic: str
    text: str


@dataclass(frozen=True)
class Fact:
    """One cell of a table.

    Attributes:
        subject: title of the article that states the fact.
        relation: the column.
        value: the canonical value; the article contains it word for word.
        aliases: other correct ways to write the value.
        topic: the table.
        link: title of the article about the value, "" if there is none.
    """

    subject: str
    relation: str
    value: str
    aliases: tuple[str, ...]
    topic: str
    link: str


@dataclass(frozen=True)
class Question:
    """One single-hop question.

    Attributes:
        id: depends only on entity and relation, so that other phrasings and facts do not change it.
        question: names its entity.
        answers: the canonical answer, then its aliases; all are correct.
        topic: the table.
        relation: the column asked for.
        entity: the row asked about; it decides the split.
        title: of the article that answers.
    """

    id: int
    question: str
    answers: tuple[str, ...]
    topic: str
    relation: str
    entity: str
    title: str


@cache
def articles() -> tuple[Article, ...]:
    """All articles, ordered by topic and table row."""
    return tuple(Article(row.title, topic.name, _write(topic, row)) for topic in topics() for row in topic.rows)


@cache
def facts() -> tuple[Fact, ...]:
    """All facts, ordered by topic, table row and column."""
    return tuple(
        Fact(row.title, relation.name, values[0], values[1:], topic.name, _link(relation, values))
        for topic in topics()
        for row in topic.rows
        for relation, values in _known(topic, row)
    )


@cache
def questions(split: str | None = None) -> tuple[Question, ...]:
    """The questions, ordered as `facts`; a fact makes at most one.

    Args:
        split: one of `SPLITS`, or None for all.

    Raises:
        ValueError: if there is no such split.
    """
    if split is None:
        return tuple(_ask_all())
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; it is one of {', '.join(SPLITS)}, or None for all")
    return tuple(question for question in questions() if split_of(question.entity) == split)


def split_of(entity: str) -> str:
    """The split of an entity (80 : 10 : 10), by a hash of its title that is the same in every process."""
    part = _hash(entity, "split") % 10
    return "test" if part == 0 else "validation" if part == 1 else "train"


def _ask_all() -> Iterator[Question]:
    """Make the questions of all topics."""
    for topic in topics():
        for row in topic.rows:
            for relation, answers in _known(topic, row):
                if relation.questions:
                    text = _pick(relation.questions, row, relation.name + "?")
                    text = _capitalise(text.format_map(_question_words(row)))
                    if _worth_asking(text, answers):
                        number = _hash(row.title, relation.name)
                        yield Question(number, text, answers, topic.name, relation.name, row.title, row.title)


def _worth_asking(question: str, answers: Sequence[str]) -> bool:
    """False if the question gives its answer away, or if any text would seem to contain it."""
    padded = f" {_words(question)} "
    return not any(f" {words} " in padded or words in _ORDINARY_WORDS for words in map(_words, answers))


def _words(text: str) -> str:
    """The words of a text, lower case and separated by single spaces; + and # are letters here (C++, +33)."""
    return " ".join(_WORD.findall(text.lower()))


def _write(topic: Topic, row: Row) -> str:
    """Write an article: a first sentence, then one for each fact missing from it, in an order set by the title."""
    words = _article_words(topic, row)
    intros = [intro for intro in topic.intros if _fields(intro) <= words.keys()]
    intro = _pick(intros, row, "intro")
    stated = _fields(intro)
    rest = [relation for relation, _ in _known(topic, row) if not {relation.name, f"a_{relation.name}"} & stated]
    rest.sort(key=lambda relation: _hash(row.title, relation.name + " order"))
    sentences = [intro, *(_pick(relation.sentences, row, relation.name) for relation in rest)]
    text = " ".join(_capitalise(sentence.format_map(words)) for sentence in sentences)
    return text.replace("..", ".")  # a value may end in a full stop of its own: Washington, D.C.


def _article_words(topic: Topic, row: Row) -> dict[str, str]:
    """What the placeholders of a sentence stand for; `{a_kind}` is the kind with its indefinite article."""
    words = {"name": row.name}
    for relation, values in _known(topic, row):
        word = _running_names(relation.links).get(values[0], values[0])
        words[relation.name] = word
        words[f"a_{relation.name}"] = f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
    return words


def _question_words(row: Row) -> dict[str, str]:
    """What the placeholders of a question stand for."""
    return {"name": row.asked, **{column: values[0] for column, values in row.cells.items()}}


def _known(topic: Topic, row: Row) -> Iterator[tuple[Relation, tuple[str, ...]]]:
    """The columns that are filled in for a row."""
    for relation in topic.relations:
        if relation.name in row.cells:
            yield relation, row.cells[relation.name]


def _link(relation: Relation, values: Sequence[str]) -> str:
    """Title of the article about a value or its core ("the planet Uranus", "Uranus"), "" if there is none."""
    cores = (_bare(value) for value in values if values[0].endswith(value))
    return next((_titles(relation.links)[core] for core in cores if core in _titles(relation.links)), "")


@cache
def _titles(links: tuple[str, ...]) -> dict[str, str]:
    """Name without its article -> title, over the topics that are linked to."""
    return {_bare(row.name): row.title for topic in topics() if topic.name in links for row in topic.rows}


@cache
def _running_names(links: tuple[str, ...]) -> dict[str, str]:
    """Name without its article -> name as running text has it, over the topics that are linked to."""
    return {_bare(row.name): row.name for topic in topics() if topic.name in links for row in topic.rows}


@cache
def _fields(template: str) -> frozenset[str]:
    """The placeholders of a template."""
    return frozenset(part.split("}")[0] for part in template.split("{")[1:])


def _bare(name: str) -> str:
    return name.removeprefix("the ")


def _capitalise(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _pick(phrasings: Sequence[str], row: Row, purpose: str) -> str:
    """One of the phrasings, always the same for a row and a purpose."""
    return phrasings[_hash(row.title, purpose) % len(phrasings)]


def _hash(title: str, purpose: str) -> int:
    """32 bits that are the same in every process, as Python's `hash` is not."""
    return zlib.crc32(f"{purpose}/{title}".encode())
