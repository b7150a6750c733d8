"""Judge and policy of an endpoint against `transformers serve` on loopback, a real OpenAI-compatible server."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import turnenv
from tests.scripted_model import save_scripted_model
from turnenv.judges import EndpointJudge, JudgeError, Message
from turnenv.policies.endpoint import EndpointPolicy
from turnenv.policies.pretrained import load_policy
from turnenv.wrappers import JudgedTurns

for needed in ("fastapi", "uvicorn"):
    pytest.importorskip(needed)

NANO = Path(__file__).parent.parent / "agents" / "nano"
TALK = (Message("user", "Hello?"), Message("assistant", "Hi."), Message("user", "Good."))
STARTS_WITHIN = 60.0


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def serving(log):
    """`transformers serve` in a process of its own, which is over when this is."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", "--device", "cpu"]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not healthy(address):
            assert server.poll() is None, "the server died"
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)
        yield f"{address}/v1", server
    finally:
        server.kill()
        server.wait(timeout=10)


def healthy(address):
    try:
        return httpx.get(f"{address}/health", timeout=1.0).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with (tmp_path_factory.mktemp("serve") / "log").open("w") as log, serving(log) as (base_url, _):
        yield base_url


@pytest.fixture(scope="module")
def scripted(tmp_path_factory):
    """Says one verdict, whatever it is asked."""
    return save_scripted_model(tmp_path_factory.mktemp("scripted"), {'{"reason": "scripted", "score": 0.25}': 1.0})


@pytest.fixture
def make(server, tmp_path):
    def make(model, **options):
        quick = {"base_url": server, "api_key": "none", "backoff": 0.01, "cache_dir": tmp_path, "max_tokens": 40}
        return EndpointJudge(model=str(model), rubric="Is it brief?", **{**quick, **options})

    return make


def test_a_verdict_of_a_served_model_is_paid_and_kept(make, scripted):
    judge = make(scripted, max_calls=1)
    assert judge.score(TALK) == 0.25
    assert judge.score(TALK) == 0.25
    env = JudgedTurns("turnenv/GuessNumber-v0", make(scripted), 0.2)
    env.reset(seed=7)
    _, _, _, truncated, info = env.step("3")
    assert not truncated
    assert info["reward_components"]["judge"] == 0.05


def test_what_the_nano_policy_says_is_no_verdict_and_a_fault(make):
    judge = make(NANO, max_attempts=2)
    with pytest.raises(JudgeError, match="sent no verdict"):
        judge.score(TALK)
    env = JudgedTurns("turnenv/GuessNumber-v0", judge)
    env.reset(seed=7)
    _, reward, _, truncated, info = env.step("3")
    assert truncated
    assert reward == 0.0
    assert info["outcome"]["end"] == "fault"
    assert "sent no verdict" in info["fault"]


def test_a_model_that_the_server_has_not_is_refused(make, tmp_path):
    with pytest.raises(JudgeError, match=r"HTTP [45]"):
        make(tmp_path / "none", max_attempts=1).score(TALK)


@pytest.mark.slow
def test_a_server_that_is_killed_under_way_is_a_fault(scripted, tmp_path):
    with (tmp_path / "log").open("w") as log, serving(log) as (base_url, server):
        judge = EndpointJudge(
            str(scripted), "Is it brief?", base_url, "none", max_attempts=2, backoff=0.01, cache_dir=None
        )
        env = JudgedTurns("turnenv/GuessNumber-hard-v0", judge)
        env.reset(seed=1)
        assert not env.step("3")[3]
        server.kill()
        server.wait(timeout=10)
        *_, truncated, info = env.step("4")
    assert truncated
    assert "cannot be reached" in info["fault"]


@pytest.mark.slow
def test_nano_plays_the_same_episodes_here_and_behind_the_server(server):
    served, local = both_ways(server, 20)
    assert not any(episode.faulted for episode in served)
    assert texts(served) == texts(local)
    assert [episode.outcome for episode in served] == [episode.outcome for episode in local]


def both_ways(base_url, episodes):
    """The same episodes by the nano policy, greedily: behind the server, and in this process."""
    served = EndpointPolicy(str(NANO), base_url, "none", temperature=0.0, max_tokens=64, concurrency=2, timeout=120.0)
    local = load_policy(str(NANO), temperature=0.0, max_turn_tokens=64)
    return [turnenv.collect("turnenv/TriviaSearch-v0", policy, range(episodes)) for policy in (served, local)]


def texts(episodes):
    return [[(turn.observation, turn.action) for turn in episode.turns] for episode in episodes]
