"""Each live backend down, slow or lying: the episode is a fault, outside the gradient, counted, and over in time."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import gymnasium
import numpy as np
import pytest

import turnenv
from tests.loopback_server import Answered, LoopbackServer
from tests.mediawiki_server import MediaWikiServer
from turnenv.actions import XmlGrammar
from turnenv.credit import resolve
from turnenv.judges import EndpointJudge
from turnenv.net.connections import MAX_ANSWER_BYTES
from turnenv.search.retrieval import RetrievalSearch
from turnenv.search.wikipedia import WikipediaSearch
from turnenv.wrappers import JudgedTurns

SEARCH = XmlGrammar().call("search", {"query": "Paris"})
DEADLINE = 1.0
BATCH = 64
HITS = {"result": [[{"document": {"contents": '"Paris"\nThe capital of France.'}, "score": 1.0}]]}
VERDICT = {"role": "assistant", "content": '{"reason": "brief", "score": 0.5}'}
COMPLETION = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "message": VERDICT, "finish_reason": "stop"}],
}


@dataclass
class Backend:
    """A live backend: its server, and environments that depend on it."""

    server: LoopbackServer
    kind: str
    address: str

    def options(self, **patience):
        """Arguments of TriviaSearch, or of an environment judged by this server."""
        patience = {"deadline": DEADLINE, "timeout": 30.0, "max_attempts": 1, "backoff": 0.01, **patience}
        if self.kind == "retrieval":
            return {"search": RetrievalSearch(f"{self.address}/retrieve", **patience)}
        if self.kind == "wikipedia":
            quick = {"min_interval": 0.0, "cache_dir": None, **patience}
            return {"search": WikipediaSearch(api_url=f"{self.address}/w/api.php", **quick)}
        return {"judge": EndpointJudge("m", "Is it brief?", f"{self.address}/v1", "key", cache_dir=None, **patience)}

    def make(self, **patience):
        options = self.options(**patience)
        if "judge" in options:
            return JudgedTurns("turnenv/TriviaSearch-v0", options["judge"])
        return gymnasium.make("turnenv/TriviaSearch-v0", **options)


@pytest.fixture(params=["retrieval", "wikipedia", "judge"])
def backend(request):
    servers = {
        "retrieval": lambda: LoopbackServer(lambda _: HITS),
        "wikipedia": lambda: MediaWikiServer({"Paris": "Paris is the capital of France."}),
        "judge": lambda: LoopbackServer(lambda _: COMPLETION),
    }
    with servers[request.param]().running() as server:
        yield Backend(server, request.param, server.address)


MANY = {"result": [[1] * 500_000], "query": {"search": [1] * 500_000, "pages": dict.fromkeys(range(200_000), 1)}}
FAILURES = {
    "500": Answered(status=500),
    "HTML": Answered(body=b"<!doctype html><title>Log in</title>", headers={"Content-Type": "text/html"}),
    "500 with HTML": Answered(status=502, body=b"<html>Bad gateway</html>"),
    "nothing": Answered(body=b""),
    "null": Answered(body=b"null"),
    "a list": Answered(body=b"[1, 2]"),
    "wrong types": Answered(
        body=b'{"result": "Paris", "query": 3, "choices": {"0": 1}}', headers={"Content-Type": "application/json"}
    ),
    "wrong number": Answered(body=b'{"result": [[], [], []], "query": {}, "choices": []}'),
    "deep JSON": Answered(body=b"[" * 200_000),
    "megabytes of text": Answered(body=b"x" * (MAX_ANSWER_BYTES + 1)),
    "megabytes of JSON": Answered(body=json.dumps(MANY).encode()),
    "closes without a word": Answered(drop=True),
    "closes in the middle": Answered(cut=True, body=json.dumps(HITS).encode()),
    "hangs": Answered(hang=True),
    "drips": Answered(body=json.dumps(HITS).encode(), drip=0.3),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_failing_backend_is_a_fault_of_nobody(backend, failure):
    backend.server.always = failure
    env = backend.make()
    env.reset(seed=0)
    began = time.monotonic()
    _, reward, terminated, truncated, info = env.step(SEARCH)
    assert time.monotonic() - began < DEADLINE + 2.0
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert info["outcome"]["end"] == "fault"
    assert info["outcome"]["components"] == {}
    assert len(info["fault"]) > 20


def test_a_backend_that_recovers_is_no_fault(backend):
    backend.server.script = [FAILURES["500"], FAILURES["closes in the middle"]]
    env = backend.make(max_attempts=3, deadline=10.0)
    env.reset(seed=0)
    _, _, terminated, truncated, info = env.step(SEARCH)
    assert not terminated
    assert not truncated
    assert info["valid_action"]


def test_a_backend_that_is_down_is_a_fault(backend):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        backend.address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        env = backend.make()
        env.reset(seed=0)
        *_, info = env.step(SEARCH)
    assert info["outcome"]["end"] == "fault"


def test_a_hung_backend_holds_a_batch_no_longer_than_its_deadline(backend):
    backend.server.always = Answered(hang=True)
    if backend.kind == "judge":
        batch = turnenv.TextVectorEnv(backend.make, BATCH)
    else:
        batch = gymnasium.make_vec("turnenv/TriviaSearch-v0", num_envs=BATCH, **backend.options())
    batch.reset(seed=0)
    began = time.monotonic()
    _, rewards, _, truncated, infos = batch.step([SEARCH] * BATCH)
    assert time.monotonic() - began < DEADLINE + 4.0
    assert truncated.all()
    assert not rewards.any()
    assert {info["outcome"]["end"] for info in infos["env_infos"]} == {"fault"}
    batch.close()


def searches_then_answers():
    actions = iter([SEARCH, XmlGrammar().answer("Paris")])
    return lambda _: next(actions)


def test_a_fault_is_left_out_of_the_gradient_and_counted(backend):
    pytest.importorskip("torch")
    from turnenv.groups import turn_batch
    from turnenv.training.metrics import episode_metrics

    def played(seeds):
        return turnenv.collect(lambda: backend.make().unwrapped, turnenv.Scripted(searches_then_answers), seeds)

    live = played([0, 1, 2])
    backend.server.always = Answered(status=500)
    faulted = played([3])
    assert [episode.faulted for episode in [*live, *faulted]] == [False, False, False, True]

    assert episode_metrics([*live, *faulted]) == {**episode_metrics(live), "faults": 0.25}
    assert episode_metrics(faulted) == {"faults": 1.0}

    batch, without = turn_batch([*live, *faulted], 4), turn_batch(live, 3)
    assert not batch.turn_mask[3].any()
    for name in ("grpo_or", "grpo_mr", "gdpo", "mt_grpo", "return_to_go"):
        advantages = resolve(name)(batch)
        assert not advantages[3].any()
        np.testing.assert_array_equal(advantages[:3], resolve(name)(without))


HUB = """if True:
    import sys
    from turnenv.envs.calculator.problems import load_word_problems
    from turnenv.questions import load_multihop_questions, load_questions
    loaders = {"trivia_qa": load_questions, "hotpot_qa": load_multihop_questions, "gsm8k": load_word_problems}
    for source, load in loaders.items():
        try:
            load(source, "train", limit=1)
        except ConnectionError as error:
            assert "cannot be loaded" in str(error) and "file of your own" in str(error), error
        else:
            sys.exit("loaded")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "failure",
    ["HTML", "500", "nothing", "a list", "null", "closes without a word", "closes in the middle", "deep JSON"],
)
def test_a_lying_hub_is_a_connection_error_that_says_what_to_do(failure, tmp_path):
    with Hub(lambda _: []).running() as server:
        server.always = FAILURES[failure]
        hub = {**os.environ, "HF_ENDPOINT": server.address, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
        subprocess.run([sys.executable, "-c", HUB], env=hub, check=True, timeout=120)


class Hub(LoopbackServer):
    """Remembers the path that it was asked for."""

    def read(self, handler):
        return handler.path
