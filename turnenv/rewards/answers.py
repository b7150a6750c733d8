"""Scores of an answer against the accepted ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from turnenv.rewards.folding import fold
from turnenv.rewards.normal_form import ARTICLES, normalise, with_articles
from turnenv.rewards.numerals import by_value, opens_with_number, scaled
from turnenv.rewards.words import UNSPACED, padded_words

_FUNCTION_WORDS = frozenset(
    """
    am answer are as at be been by called did do does final for from had has have he her his i in is it its known
    likely maybe my named of on our perhaps probably she that their there these they think this those to was we were
    which who with you
    """.split()
)
_LONGEST = 1_000
_CLAUSE_END = re.compile(r"[.,;:!?)\]\"'»”’。、，]+(?:\s|$)")


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """1.0 if the answer equals an accepted one, both normalised; else 0.0. An empty answer matches nothing."""
    if len(answer) > _LONGEST:
        return 0.0
    said = normalise(answer)
    return float(bool(said) and any(said == normalise(right) for right in accepted))


def answer_presence(answer: str, accepted: Sequence[str], question: str = "") -> float:
    """1.0 if the answer states an accepted one and no other candidate beside it; else 0.0.

    Beside the accepted answer only function words and words of the question are allowed: whoever names two candidates
    has not answered. Where the question offers the candidates ("the Nile or the Amazon?"), its words are not free; a
    character of a script that does not separate words never is.

    Args:
        answer: what the agent said.
        accepted: the accepted answers.
        question: its words may be repeated for free, unless it names the accepted answer itself.
    """
    if len(answer) > _LONGEST or not normalise(answer):
        return 0.0
    return float(any(_states(answer, wanted, question) for wanted in map(_wanted, accepted)))


def contains(text: str, accepted: Sequence[str]) -> bool:
    """True if an accepted answer stands in the text as whole words, both normalised.

    A number is found where it stands as a number: 5 is in "5.0 km", not in "15", "1.5" or "5 million". A lone article
    ("A") is found where it ends a clause, not before a word. In scripts that do not separate words, an answer is found
    wherever its characters stand.
    """
    return any(_stands(wanted, text) for wanted in map(_wanted, accepted))


def fuzzy_match(answer: str, accepted: Sequence[str]) -> float:
    """Likeness of the answer to the nearest accepted one, 0 to 1: rapidfuzz's ratio of the normalised texts.

    Numbers are equal or not: texts whose words with digits differ have a likeness of 0.
    """
    from rapidfuzz import fuzz

    said = normalise(answer) if len(answer) <= _LONGEST else ""
    if not said:
        return 0.0
    figures = _figures(said)
    alike = [right for right in map(normalise, accepted) if _figures(right) == figures]
    return max((fuzz.ratio(said, right) / 100.0 for right in alike), default=0.0)


def _figures(form: str) -> list[str]:
    return sorted(word for word in form.split() if any(map(str.isdigit, word)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An accepted answer, ready to be looked for.

    Attributes:
        words: its normal form between spaces; "" if there is nothing to look for.
        number: it opens with a number, which is compared by value.
        article: it is a single article.
        pattern: finds it among words with their articles, if it ends with one.
    """

    words: str
    number: bool
    article: bool
    pattern: re.Pattern[str] | None


@lru_cache(maxsize=1 << 14)
def _wanted(answer: str) -> _Wanted:
    form = normalise(answer)
    words = form.split()
    pattern = None
    if words and words[-1] in ARTICLES:
        between = f" (?:(?:{'|'.join(sorted(ARTICLES))}) )*"
        pattern = re.compile(f"(?<= ){between.join(map(re.escape, words))}(?= )")
    number = opens_with_number(form)
    return _Wanted(_words(form, number) if form else "", number, form in ARTICLES, pattern)


def _words(text: str, by_values: bool) -> str:
    """The words of a text's normal form between spaces; if asked, all its numbers by their values."""
    form = normalise(text)
    return padded_words(by_value(form, in_names=True) if by_values else form)


def _articled(text: str) -> str:
    """The words of a text between spaces, with its articles."""
    return padded_words(by_value(scaled(with_articles(text)), in_names=False))


def _stands(wanted: _Wanted, text: str) -> bool:
    """True if an answer stands in a text as whole words."""
    if not wanted.words:
        return False
    if wanted.words in _words(text, wanted.number):
        return True
    if wanted.article:
        return any(_words(clause, False).endswith(wanted.words) for clause in _CLAUSE_END.split(text))
    if wanted.pattern:
        return wanted.pattern.search(_articled(text)) is not None
    return not any(map(str.isalnum, wanted.words)) and wanted.words in f" {fold(text)} "


def _states(answer: str, wanted: _Wanted, question: str) -> bool:
    """True if what was said is an accepted answer and words that are free beside it."""
    if not wanted.words:
        return False
    before, found, after = _words(answer, wanted.number).partition(wanted.words)
    rest = f"{before} {after}".split()
    if not found:
        articled = _articled(answer) if wanted.pattern and not wanted.article else ""
        place = wanted.pattern.search(articled) if wanted.pattern else None
        if place is None:
            return False
        rest = [word for word in (articled[: place.start()] + articled[place.end() :]).split() if word not in ARTICLES]
    others = [word for word in rest if word not in _FUNCTION_WORDS]
    return not others or (_spaced_words(question).issuperset(others) and not _stands(wanted, question))


def _spaced_words(text: str) -> frozenset[str]:
    return frozenset(word for word in _words(text, False).split() if not UNSPACED.match(word))
