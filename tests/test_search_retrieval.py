"""RetrievalSearch against a server on loopback: what it reads, and that each failure is a SearchError in time."""

import json
import multiprocessing
import pickle
import socket
import threading
import time

import gymnasium
import pytest

from tests.loopback_server import Answered, LoopbackServer
from turnenv.actions import XmlGrammar
from turnenv.net.connections import MAX_ANSWER_BYTES
from turnenv.search import Passage, SearchBackend, SearchError, make_search
from turnenv.search.retrieval import RetrievalSearch

PARIS = Passage("Paris", "Paris is the capital of France.\nIt lies on the Seine.")
CONTENTS = ['"Paris"\nParis is the capital of France.\nIt lies on the Seine.', '"France"\nA country.', "No title."]


def retrieve(request):
    """Search-R1's server, with a corpus of three."""
    (query,) = request["queries"]
    assert request["return_scores"] is True
    hits = [{"document": {"id": str(i), "contents": text}, "score": 0.9 - i} for i, text in enumerate(CONTENTS)]
    return {"result": [[] if "nothing" in query else hits[: request["topk"]]]}


@pytest.fixture
def server():
    with LoopbackServer(retrieve).running() as server:
        yield server


@pytest.fixture
def make(server):
    def make(**options):
        return RetrievalSearch(**{"url": f"{server.address}/retrieve", "backoff": 0.01, **options})

    return make


def test_the_best_passage_with_its_title_apart(make, server):
    assert make().search("capital of France") == (PARIS,)
    assert server.seen == [{"queries": ["capital of France"], "topk": 1, "return_scores": True}]


def test_k_passages_best_first_and_a_single_line_has_no_title(make):
    assert make(k=3).search("x") == (PARIS, Passage("France", "A country."), Passage("", "No title."))


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ('"Ulm"', "Ulm"),
        ("Ulm", "Ulm"),
        (' "Ulm"\t', "Ulm"),
        ('""Heroes" (album)"', '"Heroes" (album)'),
        ('"Heroes" (album)', '"Heroes" (album)'),
        ('""Heroes""', '"Heroes"'),
        ('""Weird Al" Yankovic"', '"Weird Al" Yankovic'),
        ('"Weird Al" Yankovic', '"Weird Al" Yankovic'),
        ('Say "Hi"', 'Say "Hi"'),
        ('"Say "Hi""', 'Say "Hi"'),
        ('"Fire" and "Rain"', '"Fire" and "Rain"'),
        ('""Fire" and "Rain""', '"Fire" and "Rain"'),
        ('"12" vinyl"', '12" vinyl'),
        ('12"', '12"'),
        ("'Salem's Lot", "'Salem's Lot"),
        ('"', '"'),
        ('""', ""),
        ("\u201cUlm\u201d", "\u201cUlm\u201d"),
    ],
)
def test_one_pair_of_quotes_around_a_title_is_removed_and_nothing_else(line, title, make, server):
    server.answer = lambda _: {"result": [[{"document": {"contents": f'{line}\n"Some text."'}}]]}
    assert make().search("x") == (Passage(title, '"Some text."'),)


def test_a_server_that_sends_too_many_is_cut_to_k(make, server):
    server.answer = lambda request: retrieve({**request, "topk": 3})
    assert len(make(k=2).search("x")) == 2


def test_nothing_found_and_nothing_asked(make, server):
    assert make().search("nothing") == ()
    assert make().search(" \n\ud800") == ()
    assert len(server.seen) == 1


def test_any_text_may_be_asked(make, server):
    make().search("\ud83d" + "ö\x00" * 5_000)
    assert len(server.seen[0]["queries"][0]) < 2_001


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (Answered(status=500), "HTTP 500"),
        (Answered(status=429), "HTTP 429"),
        (Answered(body=b"<html>down</html>"), "no passages.*the body"),
        (Answered(body=b"\xff\x00"), "no passages"),
        (Answered(body=b"[" * 100_000), "no passages"),
        (Answered(body=b"[" * (MAX_ANSWER_BYTES + 1)), "longer than 8,388,608 bytes"),
        (Answered(body=b'{"result": []}'), "no passages.*result"),
        (Answered(body=b'{"result": [[], []]}'), "no passages.*result"),
        (Answered(body=b'{"result": [[{"document": {"contents": 3}}]]}'), "result.0.0.document.contents"),
        (Answered(body=b'{"result": [[{"contents": "bare"}]]}'), "result.0.0.document"),
        (Answered(hang=True), "did not answer in time"),
    ],
)
def test_a_passing_failure_is_retried_and_a_lasting_one_is_a_search_error(make, server, failure, cause):
    server.script = [failure, failure]
    assert make(timeout=0.2).search("Paris") == (PARIS,)
    assert len(server.seen) == 3
    server.always = failure
    with pytest.raises(SearchError, match=cause):
        make(timeout=0.2, max_attempts=2).search("Paris")
    assert len(server.seen) == 5


def test_a_wrong_address_is_not_asked_again(make, server):
    server.always = Answered(status=404)
    with pytest.raises(SearchError, match="404; check url"):
        make().search("Paris")
    assert len(server.seen) == 1


@pytest.mark.parametrize("failure", [Answered(hang=True), Answered(body=json.dumps({}).encode() * 9, drip=0.1)])
def test_no_server_holds_a_search_past_its_deadline(make, server, failure):
    server.always = failure
    began = time.monotonic()
    with pytest.raises(SearchError, match=r"deadline of 0\.4 s"):
        make(deadline=0.4).search("Paris")
    assert time.monotonic() - began < 2.0


def test_a_dead_server():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        search = RetrievalSearch(f"http://127.0.0.1:{taken.getsockname()[1]}/retrieve", backoff=0.0)
        with pytest.raises(SearchError, match="cannot be reached"):
            search.search("Paris")


@pytest.mark.parametrize(
    ("options", "cause"),
    [({"k": 0}, "k must"), ({"deadline": -1.0}, "deadline"), ({"url": "x"}, "url"), ({"url": "http://[::1"}, "url")],
)
def test_fields_that_cannot_work(options, cause):
    with pytest.raises(ValueError, match=cause):
        RetrievalSearch(**options)


def test_it_is_a_backend_by_name_and_pickles(make, server):
    search = make_search("retrieval", url=f"{server.address}/retrieve")
    assert isinstance(search, SearchBackend)
    copy = pickle.loads(pickle.dumps(search))
    assert copy == search
    assert copy.search("x") == search.search("x") == (PARIS,)


def _search_into(results, search):
    results.put(search.search("x"))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_searches_on_its_own(make):
    search = make()
    search.search("x")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_search_into, args=(results, search))
    child.start()
    assert results.get(timeout=10) == (PARIS,)
    child.join()


def test_the_waits_of_a_batch_overlap(make, server):
    """No search is answered before all 16 have been asked."""
    everyone = threading.Barrier(16)
    proper = server.answer

    def answer(request):
        everyone.wait(30)
        return proper(request)

    server.answer = answer
    search = make(timeout=30.0, deadline=60.0, max_attempts=1)
    batch = gymnasium.make_vec("turnenv/TriviaSearch-v0", num_envs=16, search=search, max_turns=3, max_searches=2)
    batch.reset(seed=0)
    for _ in range(2):
        *_, infos = batch.step([XmlGrammar().call("search", {"query": "Paris"})] * 16)
        assert not any(info.get("fault") for info in infos["env_infos"])
    assert len(server.seen) == 32
    batch.close()


def test_a_failing_server_ends_the_episode_as_a_fault(make, server):
    server.always = Answered(status=500)
    env = gymnasium.make("turnenv/TriviaSearch-v0", search=make(max_attempts=1))
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(XmlGrammar().call("search", {"query": "Paris"}))
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["outcome"]["end"] == "fault"
    assert "HTTP 500" in info["fault"]
