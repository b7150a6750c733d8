"""EndpointPolicy against a loopback server: records, tools both ways, faults that are nobody's blame, keys kept."""

import json
import logging
import re
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import turnenv
from tests.chat_server import chat_server, completion, guess, usage
from tests.loopback_server import Answered
from turnenv.actions import GRAMMARS, Answer, ToolCall, make_grammar
from turnenv.policies import PacedPolicy
from turnenv.policies.chat_answer import NativeCall
from turnenv.policies.endpoint import EndpointPolicy, Prices, RefusedError
from turnenv.policies.native_calls import NOT_RUN, action_text
from turnenv.types import Usage

GUESS, TRIVIA = "turnenv/GuessNumber-v0", "turnenv/TriviaSearch-v0"
KEY = "sk-secret-of-mine-0123456789"


@pytest.fixture
def server():
    with chat_server().running() as server:
        yield server


@pytest.fixture
def make(server):
    def make(**options):
        quick = {"base_url": f"{server.address}/v1", "api_key": KEY, "backoff": 0.01, "timeout": 2.0}
        return EndpointPolicy(**{"model": "m", **quick, **options})

    return make


def body(answer):
    return Answered(body=json.dumps(answer).encode(), headers={"Content-Type": "application/json"})


def next_text(seen, turn):
    return str(10 + 7 * turn + len(seen) % 5)


def in_lockstep():
    def make():
        turn = iter(range(1000))
        return lambda seen: next_text(seen, next(turn))

    return turnenv.Scripted(make)


def actions_of(episode):
    return [turn.action for turn in episode.turns]


def test_the_records_are_those_of_lockstep_and_the_conversation_is_sent(make, server):
    assert isinstance(make(), PacedPolicy)
    episodes = turnenv.collect(GUESS, make(temperature=0.5, max_tokens=9, stop=["!"]), range(8))
    expected = turnenv.collect(GUESS, in_lockstep(), range(8))
    assert [actions_of(episode) for episode in episodes] == [actions_of(episode) for episode in expected]
    assert [episode.outcome for episode in episodes] == [episode.outcome for episode in expected]
    last = max(server.seen, key=lambda request: len(request["messages"]))
    assert [message["role"] for message in last["messages"][:4]] == ["system", "user", "assistant", "user"]
    sent = {name: value for name, value in last.items() if name != "messages"}
    assert sent == {"model": "m", "temperature": 0.5, "max_tokens": 9, "stop": ["!"]}


def test_each_turn_of_each_episode_is_sampled_with_its_own_seed(make, server):
    seeds = []
    for _ in range(2):
        turnenv.collect(GUESS, make(seed=7, concurrency=1), [3, 3, 4])
        seeds.append([request["seed"] for request in server.seen])
        server.seen.clear()
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == len(seeds[0])
    assert all(0 <= seed < 1 << 31 for seed in seeds[0])


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_usage_cost_and_reasoning_are_recorded_and_read_back(make, server, name):
    server.answer = lambda request: completion(
        guess(request)["choices"][0]["message"]["content"],
        usage=usage(1000, 100, 400, 60),
        **{name: "It may be in the middle."},
    )
    (episode,) = turnenv.collect(GUESS, make(prices=Prices(2.0, 8.0, 0.5)), [0])
    turn = episode.turns[0]
    assert turn.usage == Usage(1000, 100, 400, 60, pytest.approx((600 * 2.0 + 400 * 0.5 + 100 * 8.0) / 1e6))
    assert turn.reasoning == "It may be in the middle."
    assert turnenv.Episode.from_json(episode.to_json()) == episode
    assert all("middle" not in message["content"] for request in server.seen for message in request["messages"])


def test_an_episode_without_usage_is_written_as_before():
    (episode,) = turnenv.collect(GUESS, in_lockstep(), [0])
    assert set(json.loads(episode.to_json())["turns"][0]) == {
        *("observation", "action", "turn_reward", "reward_components", "state_key", "valid_action"),
        *("token_ids", "logprobs"),
    }


def by_native_calls(request):
    """Searches twice in one message, then answers."""
    if any(message["role"] == "tool" for message in request["messages"]):
        return completion("Paris")
    calls = [("a", "search", '{"query": "France"}'), ("b", "search", '{"query": "Rome"}')]
    return completion("I look it up.", calls=calls)


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_native_calls_are_the_environments_own_text(make, server, grammar):
    server.answer = by_native_calls
    env = turnenv.rollout.vectorise(TRIVIA, 1, grammar=grammar)
    (episode,) = turnenv.collect(env, make(tools="native"), [0])
    read = env.envs[0].grammar
    assert [turn.valid_action for turn in episode.turns] == [True, True]
    assert read.parse(episode.turns[0].action) in (
        ToolCall("search", {"query": "France"}),
        ToolCall("search", "France"),
    )
    assert "Rome" in episode.turns[0].action
    assert read.parse(episode.turns[1].action) == Answer("Paris")
    first, second = server.seen
    assert first["tools"] == list(env.tools)
    assert read.instructions(env.tools) not in first["messages"][0]["content"]
    *_, said, got, other = second["messages"]
    assert [call["id"] for call in said["tool_calls"]] == ["a", "b"]
    assert (got["tool_call_id"], got["content"]) == ("a", episode.turns[1].observation)
    assert (other["tool_call_id"], other["content"]) == ("b", NOT_RUN)


@pytest.mark.parametrize("arguments", ["{broken", "[1]", "", '{"query": 3}', '{"wrong": "x"}'])
def test_a_broken_native_call_is_the_agents_and_is_refused_by_the_environment(make, server, arguments):
    server.answer = lambda request: completion(None, calls=[("", "search", arguments)])
    (episode,) = turnenv.collect(TRIVIA, make(tools="native"), [0])
    assert not episode.faulted
    assert not episode.turns[0].valid_action
    assert all(
        json.loads(message["tool_calls"][0]["function"]["arguments"]) is not None
        for request in server.seen
        for message in request["messages"]
        if "tool_calls" in message
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda part: st.lists(part, min_size=1, max_size=2)
)


@pytest.mark.parametrize("name", ["xml", "hermes"])
@given(arguments=st.dictionaries(st.text(), JSON, max_size=3), content=st.text())
def test_any_native_call_reads_back(name, arguments, content):
    call = NativeCall(id="a", name="search", arguments=json.dumps(arguments))
    grammar = make_grammar(name)
    assert grammar.parse(action_text(grammar, content, [call, call])) == ToolCall("search", arguments)


def test_an_environment_that_names_no_grammar_is_played_as_text(make):
    policy, tools = make(tools="native"), [{"type": "function", "function": {"name": "f"}}]
    with pytest.raises(ValueError, match="tools='text'"):
        policy.converse("", tools, None, 0)
    make(tools="text").converse("", tools, None, 0)


FAILURES = {
    "429": (Answered(status=429), "HTTP 429"),
    "500": (Answered(status=500), "HTTP 500"),
    "hang": (Answered(hang=True), "cannot be reached.*Timeout|no answer within"),
    "drip": (Answered(body=b"{}" * 50, drip=0.1), "no answer within"),
    "cut": (Answered(body=json.dumps(completion("1")).encode(), cut=True), "cannot be reached"),
    "drop": (Answered(drop=True), "cannot be reached"),
    "no JSON": (Answered(body=b"<html>"), "sent no chat completion"),
    "a list": (Answered(body=b"[1]"), "sent no chat completion"),
    "no choices": (body({"choices": []}), "sent no chat completion"),
    "no message": (body({"choices": [{}]}), "sent no chat completion"),
    "a number": (body(completion(7)), "sent no chat completion"),
    "a filter": (body(completion(None, finish="content_filter")), "content filter"),
    "babble": (body(completion("x" * 9_000_000)), "longer than"),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_that_passes_is_retried_and_one_that_stays_is_a_fault(make, server, failure):
    answered, cause = FAILURES[failure]
    quick = {"timeout": 0.5, "deadline": 2.0, "max_attempts": 3}
    server.script = [answered, answered] if failure != "drip" else []
    (episode,) = turnenv.collect(GUESS, make(**quick), [0])
    assert not episode.faulted
    server.always = answered
    (episode,) = turnenv.collect(GUESS, make(**{**quick, "deadline": 1.0, "max_attempts": 2}), [0])
    assert episode.faulted
    assert episode.outcome.reward == 0.0
    assert re.search(cause, episode.outcome.fault)


def test_a_dead_server_is_a_fault_and_the_run_goes_on(make):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = make(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1", max_attempts=2)
        episodes = turnenv.collect(GUESS, dead, range(4))
    assert all("cannot be reached" in episode.outcome.fault for episode in episodes)


def test_some_episodes_fail_and_the_others_do_not_notice(make, server):
    def answer(request):
        fails = "Guess" in request["messages"][1]["content"] and len(server.seen) % 5 == 0
        return Answered(status=500) if fails else guess(request)

    server.answer = answer
    episodes = turnenv.collect(GUESS, make(max_attempts=1), range(20))
    played = [episode for episode in episodes if not episode.faulted]
    expected = {episode.seed: actions_of(episode) for episode in turnenv.collect(GUESS, in_lockstep(), range(20))}
    assert 0 < len(played) < 20
    assert all(actions_of(episode) == expected[episode.seed] for episode in played)


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_every_request_would_meet_stops_the_run_at_once(make, server, status):
    server.always = Answered(status=status, body=json.dumps({"error": {"message": f"bad key {KEY}"}}).encode())
    with pytest.raises(RefusedError, match=rf"HTTP {status}.*bad key \(key\)") as caught:
        turnenv.collect(GUESS, make(concurrency=2), range(50))
    assert len(server.seen) <= 2
    assert KEY not in repr(caught.value)
    assert ("most end in /v1" in str(caught.value)) == (status == 404)


def test_a_request_that_the_server_calls_wrong_stops_the_run_unless_others_were_answered(make, server):
    server.always = Answered(status=400, body=b'{"error": {"message": "no such parameter"}}')
    with pytest.raises(RefusedError, match="no such parameter"):
        turnenv.collect(GUESS, make(concurrency=2), range(50))
    server.always = None
    policy = make(concurrency=1)
    turnenv.collect(GUESS, policy, [0])
    server.always = Answered(status=400)
    assert all(episode.faulted for episode in turnenv.collect(GUESS, policy, range(5)))


def test_retry_after_is_obeyed(make, server):
    server.script = [Answered(status=429, headers={"Retry-After": "1"})]
    began = time.monotonic()
    turnenv.collect(GUESS, make(), [0])
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize("key", [None, "späte", "two\nlines"])
def test_a_key_that_cannot_work_is_one_error_without_it(make, monkeypatch, key):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(RefusedError, match=r"key|KEY") as caught:
        turnenv.collect(GUESS, make(api_key=key), range(3))
    assert key is None or key not in str(caught.value)


def test_the_key_is_in_no_record_log_or_error(make, server, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    policy = make(api_key=None, max_attempts=1)
    shown = [repr(policy), repr(make())]
    for answered in [None, *(answered for answered, _ in FAILURES.values() if not (answered.hang or answered.drip))]:
        server.always = answered
        shown += [episode.to_json() for episode in turnenv.collect(GUESS, policy, [0])]
    echo = json.dumps({"error": {"message": f"wrong: Bearer {KEY}"}}).encode()
    for status in (400, 429, 500):
        server.always = Answered(status=status, body=echo)
        shown += [episode.to_json() for episode in turnenv.collect(GUESS, policy, [0])]
    assert len(shown) > 10
    assert KEY not in "".join([*shown, caplog.text, *capfd.readouterr()])


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"tools": "both"}, {"temperature": -1.0}, {"max_tokens": 0}, {"backoff": -1.0}]
)
def test_fields_that_cannot_work(make, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make(**options)


def test_threads_may_play_with_one_policy(make):
    policy, found = make(), []
    threads = [
        threading.Thread(target=lambda: found.append(turnenv.collect(GUESS, policy, range(4)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[1] == found[2]
