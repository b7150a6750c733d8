"""WikipediaSearch against a MediaWiki on loopback: what it finds, and that each failure is a SearchError in time."""

from __future__ import annotations

import datetime
import email.utils
import itertools
import json
import multiprocessing
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.loopback_server import Answered
from tests.mediawiki_server import MediaWikiServer
from turnenv.search import Passage, SearchBackend, SearchError, make_search
from turnenv.search.wikipedia import WikipediaSearch, clean_query

PARIS = "Paris is the capital of France."
ARTICLES = {
    "France": "France is a country in Europe.\nParis is its capital.",
    "Paris": PARIS,
    "Mercury": "Mercury may refer to:",
    "Mercury (planet)": "Mercury is the planet nearest the Sun.",
    "Quicksilver": None,
    "Long": " ".join(["long", "lead"] * 400),
}
GARBAGE = Answered(body=b"<html>We are down for maintenance</html>")
SEARCHED = b'{"query": {"search": [{"title": "Paris"}]}}'

Make = Callable[..., WikipediaSearch]


@pytest.fixture
def wiki() -> Iterator[MediaWikiServer]:
    with MediaWikiServer(ARTICLES).running() as server:
        yield server


@pytest.fixture
def make(wiki: MediaWikiServer, tmp_path: Path) -> Make:
    def make(**options: object) -> WikipediaSearch:
        quick = {"min_interval": 0.0, "backoff": 0.01, "timeout": 2.0, "deadline": 5.0, "cache_dir": tmp_path}
        return WikipediaSearch(**{"api_url": wiki.api_url, **quick, **options})  # type: ignore[arg-type]

    return make


def test_finds_the_lead_of_the_best_page(make: Make) -> None:
    assert make().search("the capital of France: Paris?") == (Passage("Paris", PARIS),)


def test_k_passages_come_best_first(make: Make) -> None:
    found = make(k=2).search("capital of France Paris")
    assert [passage.title for passage in found] == ["Paris", "France"]


def test_nothing_found_is_an_empty_answer(make: Make, wiki: MediaWikiServer) -> None:
    assert make().search("zyxwv") == ()
    assert len(wiki.seen) == 1


def test_a_list_of_meanings_and_a_page_without_extract_give_way_to_the_next_hit(make: Make) -> None:
    assert make().search("Mercury")[0].title == "Mercury (planet)"
    assert make().search("Quicksilver") == ()


def test_a_page_deleted_between_search_and_lead_is_skipped(make: Make, wiki: MediaWikiServer) -> None:
    wiki.script = [Answered(body=b'{"query": {"search": [{"title": "Gone"}, {"title": "Paris"}]}}')]
    assert make().search("Paris") == (Passage("Paris", PARIS),)


def test_a_long_lead_is_cut_at_a_word(make: Make) -> None:
    (passage,) = make(max_chars=100).search("long lead")
    assert len(passage.text) <= 100
    assert passage.text.endswith(("long…", "lead…"))
    assert make(max_chars=10_000).search("long lead")[0].text == ARTICLES["Long"]


def test_requests_name_the_user_agent_and_yield_to_lag(make: Make, wiki: MediaWikiServer) -> None:
    make(user_agent="my-study/2 (mailto:me@example.org)").search("Paris")
    for seen in wiki.seen:
        assert seen.headers["User-Agent"].startswith("my-study/2 (mailto:me@example.org)")
        assert seen.params["maxlag"] == "5"


def test_the_default_user_agent_carries_a_contact(make: Make, wiki: MediaWikiServer) -> None:
    assert make().search("Paris")
    assert wiki.seen[0].headers["User-Agent"].startswith("turnenv/")
    assert "(https://" in wiki.seen[0].headers["User-Agent"]


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Answered(status=429), "429.*min_interval"),
        (Answered(status=429, headers={"Retry-After": "0"}), "429"),
        (Answered(status=500), "500.*later"),
        (Answered(status=503, headers={"Retry-After": "nonsense"}), "503"),
        (GARBAGE, "no MediaWiki answer"),
        (Answered(body=b""), "no MediaWiki answer"),
        (Answered(body=b"\xff\xfe\x00"), "no MediaWiki answer"),
        (Answered(body=b"[]"), "no MediaWiki answer"),
        (Answered(body=b"{}"), "without 'query'"),
        (Answered(body=b'{"query": {"search": {"title": "x"}}}'), "query.search"),
        (Answered(body=b'{"query": {"search": [{"title": 3}]}}'), "query.search.0.title"),
        (Answered(body=b'{"query": {"pages": {"7": {"title": "x", "extract": ["y"]}}}}'), "query.pages.7.extract"),
        (Answered(body=b'{"error": {"code": "maxlag", "info": "9 s lagged"}}'), "'maxlag': 9 s lagged"),
        (Answered(body=b'{"error": {"code": "internal_api_error_DBQueryError"}}'), "internal_api_error"),
        (Answered(body=b"not gzip", headers={"Content-Encoding": "gzip"}), "cannot be reached.*DecodingError"),
        (Answered(drop=True), "cannot be reached.*RemoteProtocolError"),
    ],
)
def test_a_passing_failure_is_retried_and_a_lasting_one_is_a_search_error(
    make: Make, wiki: MediaWikiServer, failure: Answered, cause: str
) -> None:
    wiki.script = [failure, failure]
    assert make().search("Paris") == (Passage("Paris", PARIS),)
    assert len(wiki.seen) == 4

    wiki.always = failure
    with pytest.raises(SearchError, match=cause):
        make(max_attempts=3).search("France")
    assert len(wiki.seen) == 7


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Answered(status=403, body=b"Please set a user-agent"), "403.*user_agent"),
        (Answered(status=404), "404.*api_url"),
        (Answered(status=302, headers={"Location": "http://127.0.0.1/login"}), "302"),
        (Answered(body=b'{"error": {"code": "readapidenied", "info": "log in"}}'), "'readapidenied': log in"),
    ],
)
def test_a_refusal_is_not_retried(make: Make, wiki: MediaWikiServer, failure: Answered, cause: str) -> None:
    wiki.always = failure
    with pytest.raises(SearchError, match=cause):
        make().search("Paris")
    assert len(wiki.seen) == 1


def test_a_failure_on_the_lead_fails_the_search_and_is_not_cached(make: Make, wiki: MediaWikiServer) -> None:
    wiki.script = [Answered(body=SEARCHED), *[Answered(status=500)] * 4]
    with pytest.raises(SearchError, match="500"):
        make().search("Paris")
    assert make().search("Paris") == (Passage("Paris", PARIS),)


def test_a_dead_server_is_a_search_error(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SearchError, match=r"cannot be reached.*ConnectError.*proxy"):
        make(api_url=f"http://127.0.0.1:{port}/w/api.php").search("Paris")


@pytest.mark.parametrize(
    ("failure", "options"),
    [
        (Answered(hang=True), {"timeout": 60.0}),
        (Answered(hang=True), {"timeout": 0.1, "max_attempts": 1000}),
        (Answered(body=SEARCHED, drip=0.05), {}),
        (Answered(status=500), {"max_attempts": 1000, "backoff": 0.05}),
        (Answered(status=429, headers={"Retry-After": "1"}), {}),
    ],
)
def test_no_failure_holds_a_search_past_its_deadline(
    make: Make, wiki: MediaWikiServer, failure: Answered, options: dict[str, float]
) -> None:
    wiki.always = failure
    started = time.monotonic()
    with pytest.raises(SearchError):
        make(deadline=0.5, **options).search("Paris")
    assert time.monotonic() - started < 2.0


def test_a_hang_is_survived_by_the_next_attempt(make: Make, wiki: MediaWikiServer) -> None:
    wiki.script = [Answered(hang=True)]
    assert make(timeout=0.2).search("Paris") == (Passage("Paris", PARIS),)


def test_a_slow_answer_is_an_answer(make: Make, wiki: MediaWikiServer) -> None:
    wiki.script = [Answered(delay=0.3)]
    assert make().search("Paris") == (Passage("Paris", PARIS),)
    assert len(wiki.seen) == 2


def _in(seconds: float) -> str:
    return email.utils.format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds))


@pytest.mark.parametrize(("status", "as_date"), [(429, False), (503, False), (429, True)])
def test_retry_after_is_obeyed(make: Make, wiki: MediaWikiServer, status: int, as_date: bool) -> None:
    value = _in(2.0) if as_date else "1"
    wiki.script = [Answered(status=status, headers={"Retry-After": value})]
    assert make().search("Paris") == (Passage("Paris", PARIS),)
    assert wiki.seen[1].time - wiki.seen[0].time >= (0.9 if as_date else 1.0)


def test_retry_after_holds_back_every_search_and_ends_with_the_bound(make: Make, wiki: MediaWikiServer) -> None:
    search = make(deadline=0.5)
    wiki.script = [Answered(status=429, headers={"Retry-After": "86400"})]
    with pytest.raises(SearchError, match="429 and asked for 86400 s of silence"):
        search.search("Paris")
    with pytest.raises(SearchError, match="silence"):
        make(deadline=0.1).search("France")
    assert len(wiki.seen) == 1
    time.sleep(0.5)
    assert search.search("Paris") == (Passage("Paris", PARIS),)


def test_the_cache_answers_without_a_request(make: Make, wiki: MediaWikiServer) -> None:
    found, nothing = make().search("Paris"), make().search("zyxwv")
    wiki.always = Answered(status=500)
    asked = len(wiki.seen)
    other = make(timeout=3.0)
    assert other.search("Paris") == found == other.search("  Paris? ")
    assert other.search("zyxwv") == nothing == ()
    assert len(wiki.seen) == asked
    with pytest.raises(SearchError):
        make(k=2).search("Paris")


def test_the_cache_answers_a_new_process(make: Make, wiki: MediaWikiServer) -> None:
    search = make()
    search.search("Paris")
    asked = len(wiki.seen)
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).search('Paris')[0].text)"
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, input=pickle.dumps(search), capture_output=True, check=True, timeout=60)
    assert (done.stdout.decode().strip(), done.stderr) == (PARIS, b"")
    assert len(wiki.seen) == asked


def test_a_process_that_searched_ends_quietly(make: Make) -> None:
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).search('Paris')[0].text)"
    command = [sys.executable, "-W", "error", "-c", code]
    search = pickle.dumps(make(cache_dir=None))
    done = subprocess.run(command, input=search, capture_output=True, check=True, timeout=60)
    assert (done.stdout.decode().strip(), done.stderr) == (PARIS, b"")


def test_without_a_cache_each_search_asks(make: Make, wiki: MediaWikiServer) -> None:
    for _ in range(2):
        make(cache_dir=None).search("Paris")
    assert len(wiki.seen) == 4


def test_a_broken_cache_says_how_to_mend_it(make: Make, tmp_path: Path) -> None:
    (tmp_path / "passages.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(SearchError, match=r"passages\.sqlite3.*delete it"):
        make().search("Paris")
    (tmp_path / "file").touch()
    with pytest.raises(SearchError, match="cache_dir"):
        make(cache_dir=tmp_path / "file").search("Paris")


def test_threads_share_one_pace(make: Make, wiki: MediaWikiServer) -> None:
    searches = [make(min_interval=0.05, timeout=2.0 + i, deadline=0.3, cache_dir=None) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda search: search.search("Paris"), searches))
    assert found == [(Passage("Paris", PARIS),)] * 8
    starts = sorted(seen.time for seen in wiki.seen)
    assert len(starts) == 16
    assert starts[-1] - starts[0] >= 0.6
    assert sum(later - earlier > 0.02 for earlier, later in itertools.pairwise(starts)) >= 8


def test_equal_queries_under_way_are_asked_once(make: Make, wiki: MediaWikiServer) -> None:
    wiki.script = [Answered(delay=0.3)]
    barrier = threading.Barrier(8)

    def search(_: int) -> tuple[Passage, ...]:
        barrier.wait()
        return make().search("Paris")

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(search, range(8))) == {(Passage("Paris", PARIS),)}
    assert len(wiki.seen) == 2


def test_pickles_as_a_value(make: Make) -> None:
    search = make()
    search.search("Paris")
    copy = pickle.loads(pickle.dumps(search))
    assert copy == search
    assert copy.search("France Europe")[0].title == "France"


def _search_in_child(search: WikipediaSearch, answers: multiprocessing.Queue[object]) -> None:
    answers.put([passage.title for passage in search.search("France Europe")])


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_searches_and_leaves_the_parent_whole(make: Make) -> None:
    search = make(cache_dir=None)
    search.search("Paris")
    context = multiprocessing.get_context("fork")
    answers: multiprocessing.Queue[object] = context.Queue()
    child = context.Process(target=_search_in_child, args=(search, answers))
    child.start()
    assert answers.get(timeout=20) == ["France"]
    child.join(timeout=20)
    assert child.exitcode == 0
    assert search.search("Paris") == (Passage("Paris", PARIS),)


def test_the_proxy_of_the_environment_is_used(
    make: Make, wiki: MediaWikiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", wiki.address)
    assert make(api_url="http://wiki.invalid/w/api.php").search("Paris") == (Passage("Paris", PARIS),)
    assert wiki.seen[0].target.startswith("http://wiki.invalid/w/api.php?")
    assert wiki.seen[0].headers["Host"] == "wiki.invalid"


def test_by_default_wikipedia_itself_is_asked(
    make: Make, wiki: MediaWikiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", wiki.address)
    with pytest.raises(SearchError, match=r"https://simple\.wikipedia\.org/w/api\.php cannot be reached"):
        make(api_url=None, language="simple", max_attempts=1).search("Paris")


@pytest.mark.parametrize("query", ["", " \n\t", "\x00\x01", "?!*~", "\ud800", "-:-"])
def test_a_query_without_words_finds_nothing_and_asks_nobody(make: Make, wiki: MediaWikiServer, query: str) -> None:
    assert make().search(query) == ()
    assert wiki.seen == []


@pytest.mark.parametrize(
    "query",
    ["Paris " * 200_000, "Paris\x00\ud800", "insource:/Paris/", 'Paris AND ("', "-Paris", "🙂 Paris", "é" * 400],
)
def test_any_query_is_legal(make: Make, wiki: MediaWikiServer, query: str) -> None:
    make(max_attempts=1).search(query)
    assert 0 < len(wiki.seen[0].params["srsearch"]) <= 300


@given(st.text(st.characters(exclude_categories=())))
def test_a_clean_query_is_short_plain_and_clean_already(query: str) -> None:
    clean = clean_query(query)
    assert len(clean) <= 300
    assert not set(clean) & set(":*?~\\|/\x00\n")
    clean.encode()
    assert clean_query(clean) == clean


def test_plain_words_stay_as_they_are() -> None:
    assert clean_query("Who wrote “Les Misérables” in 1862, and why") == "Who wrote “Les Misérables” in 1862, and why"
    assert clean_query("Star Wars: Episode IV?") == "Star Wars Episode IV"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("Paris"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["query", "search", "pages", "title", "ns", "error", "-1"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)
bodies = st.one_of(
    json_values,
    st.fixed_dictionaries({"query": st.fixed_dictionaries({"search": json_values, "searchinfo": json_values})}),
    st.fixed_dictionaries({"query": st.fixed_dictionaries({"search": st.lists(json_values, max_size=2)})}),
    st.fixed_dictionaries({"query": st.fixed_dictionaries({"pages": json_values})}),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=bodies, second=bodies)
def test_any_json_is_an_answer_or_a_search_error(
    make: Make, wiki: MediaWikiServer, first: object, second: object
) -> None:
    wiki.script = [Answered(body=json.dumps(body).encode()) for body in (first, second)]
    search = make(max_attempts=1, cache_dir=None)
    try:
        found = search.search("Paris")
    except SearchError:
        return
    assert all(passage.title and passage.text for passage in found)


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"k": 0}, "k must be positive"),
        ({"deadline": 0.0}, "deadline must be positive"),
        ({"min_interval": -1.0}, "min_interval"),
        ({"language": "en.evil.org/"}, "language"),
        ({"user_agent": "python"}, "address to reach you"),
        ({"user_agent": "me@example.org\r\nHost: x"}, "user_agent"),
    ],
)
def test_impossible_settings_are_refused(options: dict[str, object], cause: str) -> None:
    with pytest.raises(ValueError, match=cause):
        WikipediaSearch(**options)  # type: ignore[arg-type]


def test_make_search_finds_backends_by_name() -> None:
    search = make_search("wikipedia", language="de")
    assert search == WikipediaSearch(language="de")
    assert isinstance(search, SearchBackend)
    assert make_search(search) is search
    with pytest.raises(ValueError, match="did you mean 'wikipedia'"):
        make_search("wikipeda")
    with pytest.raises(ValueError, match=r"known are \['atlas', 'retrieval', 'wikipedia'\]"):
        make_search("google")
    with pytest.raises(TypeError, match="search"):
        make_search(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="language"):
        make_search(search, language="de")
