import pickle
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from turnenv.atlas.articles import articles, questions
from turnenv.search.atlas import AtlasSearch, index, terms_of
from turnenv.search.base import Passage, SearchBackend

SEARCH = AtlasSearch()


def test_is_a_backend_and_returns_the_article_itself() -> None:
    assert isinstance(SEARCH, SearchBackend)
    (passage,) = SEARCH.search("capital of France")
    assert isinstance(passage, Passage)
    assert (passage.title, passage.text) in {(article.title, article.text) for article in articles()}
    assert passage.title == "France"


def test_finds_the_gold_article_for_the_plain_question() -> None:
    asked = questions()
    hits = sum(SEARCH.search(question.question)[0].title == question.title for question in asked)
    print(f"top article is the gold one for {hits / len(asked):.1%} of {len(asked)} questions")
    assert hits / len(asked) >= 0.98


def test_finds_the_gold_article_by_its_title() -> None:
    hits = sum(SEARCH.search(article.title)[0].title == article.title for article in articles())
    assert hits / len(articles()) >= 0.98


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("gold atomic number", "Gold"),
        ("the PLANET mercury", "Mercury (planet)"),
        ("C++ creator", "C++"),
        ("C# creator", "C#"),
        ("who wrote les misérables", "Les Miserables"),
        ("novels: Moby Dick!!", "Moby-Dick"),
        ("1936 olympics", "1936 Summer Olympics"),
        ('"france" AND capital NOT (paris*) NEAR title:x', "France"),
    ],
)
def test_understands(query, title) -> None:
    assert SEARCH.search(query)[0].title == title


@pytest.mark.parametrize("query", ["", "   ", "the of is", "qwxyzzy", "???", '"""', "\x00", "\ud800", "_" * 50, "±"])
def test_empty_when_no_term_occurs(query) -> None:
    assert SEARCH.search(query) == ()


@pytest.mark.parametrize("title", [article.title for article in articles() if not article.title.isascii()])
def test_a_query_is_the_same_composed_decomposed_and_decorated(title) -> None:
    loose = unicodedata.normalize("NFD", title)
    found = AtlasSearch(k=5).search(title)
    assert title in [passage.title for passage in found]
    for query in (loose, "\ufeff" + loose, "\u200b".join(title), f"«{title}»", title.upper()):
        assert AtlasSearch(k=5).search(query) == found


@pytest.mark.parametrize(("one", "other"), [("Ｃ＋＋ creator", "C++ creator"), ("C\u200b++ creator", "C++ creator"),
                                            ("Moby\u2011Dick", "Moby-Dick"), ("Moby\u00adDick", "MobyDick"),
                                            ("１９３６ olympics", "1936 olympics")])  # fmt: skip
def test_typography_changes_no_query(one, other) -> None:
    assert SEARCH.search(one) == SEARCH.search(other)


@given(st.text(alphabet=st.characters(), max_size=300))
@example('" OR "')
@example('title:"paris"')
@example("NEAR(a b, 3)")
@example("paris\x00france")
@example("\ud800 paris")
@example("ªº①½ ٣ ᾰ ﬁ İ ß")
@example("日本 москва १२")
def test_any_text_is_a_query(query) -> None:
    found = AtlasSearch(k=3).search(query)
    assert len(found) <= 3
    assert found == AtlasSearch(k=3).search(query)


@pytest.mark.parametrize("query", ["paris " * 200_000, '"' * 1_000_000, "a" * 1_000_000, "7 x9 " * 200_000])
def test_a_megabyte_is_a_query(query) -> None:
    assert len(SEARCH.search(query)) <= 1


def test_terms_are_capped_deduplicated_and_free_of_stop_words() -> None:
    assert terms_of("What is the Capital, capital of FRANCE?") == ("capital", "france")
    assert len(terms_of(" ".join(f"w{i}" for i in range(1_000)))) == 64


def test_more_passages_extend_fewer() -> None:
    one, five = AtlasSearch(k=1), AtlasSearch(k=5)
    for question in questions()[::200]:
        assert five.search(question.question)[:1] == one.search(question.question)
        titles = [passage.title for passage in five.search(question.question)]
        assert len(set(titles)) == len(titles)


def test_ties_go_to_the_earlier_article() -> None:
    order = {article.title: number for number, article in enumerate(articles())}
    found = [order[passage.title] for passage in AtlasSearch(k=3).search("Summer")]
    assert found == sorted(found)


def ranked_by_sqlite(query, k):
    """The ranking that SQLite computes by itself over all terms of a query at once."""
    terms = terms_of(query)
    if not terms:
        return []
    match = " OR ".join(f'"{term}"' for term in terms)
    found = index().execute(
        "SELECT rowid FROM articles WHERE articles MATCH ? ORDER BY bm25(articles, 8.0, 1.0), rowid LIMIT ?", (match, k)
    )
    return [articles()[rowid - 1].title for (rowid,) in found]


def titles(query, k):
    return [passage.title for passage in AtlasSearch(k).search(query)]


@pytest.mark.parametrize("k", [1, 3])
def test_ranks_as_sqlite_does_for_the_questions(k):
    for question in questions()[::5]:
        assert titles(question.question, k) == ranked_by_sqlite(question.question, k)


WORDS = sorted({word for article in articles() for word in f"{article.title} {article.text}".split()})
TERMS = st.sampled_from(WORDS) | st.sampled_from(["river", "Rivers", "countries", "zürich", "of", "x²y", "qwxyzzy"])


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(words=st.lists(TERMS, max_size=12), k=st.sampled_from([1, 2, 5, 50, 5_000]))
def test_ranks_as_sqlite_does_for_any_words(words, k):
    query = " ".join(words)
    assert titles(query, k) == ranked_by_sqlite(query, k)


def test_refuses_to_find_nothing_on_purpose() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        AtlasSearch(k=0)


def test_threads_share_a_backend() -> None:
    asked = [question.question for question in questions()[::25]]
    expected = [SEARCH.search(query) for query in asked]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda query: AtlasSearch(k=2).search(query)[:1], asked)) == expected


def test_survives_pickling() -> None:
    SEARCH.search("warm")
    twin = pickle.loads(pickle.dumps(AtlasSearch(k=2)))
    assert repr(twin) == "AtlasSearch(k=2)"
    assert twin.search("capital of Peru") == AtlasSearch(k=2).search("capital of Peru")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_survives_a_fork() -> None:
    code = """if True:
        import os
        from turnenv.search.atlas import AtlasSearch
        search = AtlasSearch()
        search.search("capital of Spain")
        child = os.fork()
        if child == 0:
            os._exit(0 if search.search("capital of Peru")[0].title == "Peru" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert search.search("capital of Chile")[0].title == "Chile"
    """
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
