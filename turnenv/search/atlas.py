"""Search over the bundled atlas: BM25 over the terms of SQLite's full-text index, in memory, with no server."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from turnenv.atlas.articles import articles
from turnenv.rewards import fold
from turnenv.search.base import Passage

__all__ = ["AtlasSearch"]

_TITLE_WEIGHT = 8.0
_LONGEST_QUERY = 10_000
_MOST_TERMS = 64
_TERM = re.compile(r"(?:[^\W_]|[+#])+")
_STOP = (
    "a about an and are as at be been by did do does for from had has have he her his how in into is it its name of on"
    " or s she that the their them there they this to was were what when where which who whom whose why with"
)
_STOP_WORDS = frozenset(_STOP.split())


class AtlasSearch:
    """BM25 search (Robertson & Zaragoza 2009) over title and text of the atlas, words stemmed and accents ignored.

    Each search is a computation: no query's answer is kept. What the index knows of one term is read from SQLite at the
    term's first use and kept as arrays. Each process builds its own index, when a thread first meets a new term.
    Instances may be pickled, forked and shared by threads.

    Args:
        k: how many passages a search returns at most.
    """

    def __init__(self, k: int = 1) -> None:
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        self.k = k

    def search(self, query: str) -> tuple[Passage, ...]:
        """Find the passages nearest to a query.

        Args:
            query: any text at all; its first 64 distinct terms that are no stop words count.

        Returns:
            At most `k` passages, best first, ties in the atlas's order; none if no term occurs in the atlas.
        """
        return _ranked(terms_of(query), self.k)

    def __repr__(self) -> str:
        return f"AtlasSearch(k={self.k})"


def terms_of(query: str) -> tuple[str, ...]:
    """The distinct terms of a query in their order, without stop words; folded, as the articles' are."""
    terms: dict[str, None] = {}
    for match in _TERM.finditer(fold(query[:_LONGEST_QUERY])):
        if match[0] not in _STOP_WORDS:
            terms[match[0]] = None
            if len(terms) == _MOST_TERMS:
                break
    return tuple(terms)


def _ranked(terms: tuple[str, ...], k: int) -> tuple[Passage, ...]:
    """The k best passages for some terms: the articles' BM25 scores are summed term by term, in the query's order."""
    scores = np.zeros(len(articles()))
    for term in terms:
        rows, weights = _impacts(term)
        scores[rows] += weights
    if k == 1:
        best = [int(scores.argmax())]
    else:
        held = np.flatnonzero(scores)
        best = held[np.argsort(-scores[held], kind="stable")[:k]].tolist()
    passages = _passages()
    return tuple(passages[row] for row in best if scores[row] > 0.0)


@lru_cache(maxsize=16_384)
def _impacts(term: str) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The articles that hold a term, in their order, and what the term adds to their scores, both (articles,).

    SQLite's index says it once a term; it tokenises and stems the term as it did the articles, and a term that it
    splits is a phrase. Quoted, a term can be no operator; a character class of Python's that FTS5 does not know
    matches nothing.
    """
    found = index().execute(
        "SELECT rowid - 1, -bm25(articles, ?, 1.0) FROM articles WHERE articles MATCH ? ORDER BY rowid",
        (_TITLE_WEIGHT, f'"{term}"'),
    )
    hits = found.fetchall()
    rows = np.array([row for row, _ in hits], dtype=np.intp)
    return rows, np.array([weight for _, weight in hits], dtype=np.float64)


@cache
def _passages() -> tuple[Passage, ...]:
    return tuple(Passage(article.title, article.text) for article in articles())


class _Local(threading.local):
    """The index of this thread, and the process that built it: SQLite forbids use across a fork."""

    index: _Index | None = None
    pid = 0


class _Index:
    """An open in-memory index, closed when it is let go."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self.connection.execute(
            "CREATE VIRTUAL TABLE articles USING fts5(title, text, tokenize = "
            "\"porter unicode61 remove_diacritics 2 tokenchars '+#'\")"
        )
        rows = ((number, fold(article.title), fold(article.text)) for number, article in enumerate(articles(), start=1))
        self.connection.executemany("INSERT INTO articles (rowid, title, text) VALUES (?, ?, ?)", rows)

    def __del__(self) -> None:
        self.connection.close()


_LOCAL = _Local()


def index() -> sqlite3.Connection:
    """The index of this thread in this process, built on demand."""
    if _LOCAL.index is None or _LOCAL.pid != os.getpid():
        _LOCAL.index, _LOCAL.pid = _Index(), os.getpid()
    return _LOCAL.index.connection
