"""Turns to probe a judge with: questions of the atlas with the article at hand, answered rightly and wrongly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from turnenv.judges.endpoint import Message
from turnenv.judges.probes.alterations import Sample
from turnenv.questions import TriviaQuestion, load_questions
from turnenv.rewards import contains
from turnenv.search import make_search

#: The rubric of `atlas_samples`.
CRITERIA = (
    "The message answers the question.",
    "The answer is the one that the article states.",
    "No other answer is given in its place.",
)


def atlas_samples(count: int = 40, seed: int = 0) -> tuple[Sample, ...]:
    """Questions with the article that answers them; the poor message gives another question's answer.

    Raises:
        ValueError: if `count` is below 2 or above the number of questions that fit.
    """
    samples = tuple(itertools.islice(_all_samples(seed), max(count, 0)))
    if count < 2 or len(samples) < count:
        most = sum(1 for _ in _all_samples(seed))
        raise ValueError(f"count must be from 2 to {most}, got {count}")
    return samples


def _all_samples(seed: int) -> Iterator[Sample]:
    questions = load_questions("atlas", "validation")
    search = make_search("atlas")
    rng = np.random.default_rng(seed)
    for at in rng.permutation(len(questions)).tolist():
        question, other = questions[at], questions[int(rng.integers(len(questions)))]
        articles = search.search(question.question)
        if articles and _fits(question, other, articles[0].text):
            asked = f"Article: {articles[0].text}\n\nQuestion: {question.question}"
            yield Sample((Message("user", asked),), _answer(question), _answer(other))


def _fits(question: TriviaQuestion, other: TriviaQuestion, article: str) -> bool:
    return contains(article, question.answers) and not contains(article, other.answers)


def _answer(question: TriviaQuestion) -> str:
    return f"The answer is {question.answers[0]}."
