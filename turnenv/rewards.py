"""Scores of an answer against the accepted ones: pure functions of text."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = dict.fromkeys(map(ord, string.punctuation + "‘’´“”…")) | dict.fromkeys(map(ord, "–—"), " ")
_FUNCTION_WORDS = frozenset(
    """
    am answer are as at be been by called did do does final for from had has have he her his i in is it its known
    likely maybe my named of on our perhaps probably she that their there these they think this those to was we were
    which who with you
    """.split()
)
_LONGEST = 1_000


def normalise(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces: SQuAD's normalisation (Rajpurkar et al. 2016).

    Beyond SQuAD's script, typographic quotes count as punctuation and long dashes as spaces.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """1.0 if the answer equals an accepted one, both normalised; else 0.0. An empty answer matches nothing."""
    said = normalise(answer[:_LONGEST])
    return float(bool(said) and len(answer) <= _LONGEST and any(said == normalise(right) for right in accepted))


def answer_presence(answer: str, accepted: Sequence[str], question: str = "") -> float:
    """1.0 if the answer states an accepted one and no other candidate beside it; else 0.0.

    Beside the accepted answer only function words and words of the question are allowed: whoever names two candidates
    has not answered. Where the question offers the candidates ("the Nile or the Amazon?"), its words are not free.

    Args:
        answer: what the agent said.
        accepted: the accepted answers.
        question: its words may be repeated for free, unless it names the accepted answer itself.
    """
    if len(answer) > _LONGEST:
        return 0.0
    said = normalise(answer).split()
    asked = normalise(question).split()
    for right in accepted:
        wanted = normalise(right).split()
        at = _find(wanted, said)
        if at is None:
            continue
        free = _FUNCTION_WORDS if _find(wanted, asked) is not None else _FUNCTION_WORDS.union(asked)
        if free.issuperset(said[:at] + said[at + len(wanted) :]):
            return 1.0
    return 0.0


def contains(text: str, accepted: Sequence[str]) -> bool:
    """True if an accepted answer stands in the text as whole words, both normalised."""
    words = f" {normalise(text)} "
    return any(f" {wanted} " in words for wanted in map(normalise, accepted) if wanted)


def fuzzy_match(answer: str, accepted: Sequence[str]) -> float:
    """Likeness of the answer to the nearest accepted one, 0 to 1: rapidfuzz's ratio of the normalised texts."""
    from rapidfuzz import fuzz

    said = normalise(answer[:_LONGEST])
    if not said or len(answer) > _LONGEST:
        return 0.0
    return max((fuzz.ratio(said, normalise(right)) / 100.0 for right in accepted), default=0.0)


def _find(wanted: list[str], said: list[str]) -> int | None:
    if not wanted:
        return None
    return next((at for at in range(len(said) - len(wanted) + 1) if said[at : at + len(wanted)] == wanted), None)
