"""The benchmark of endpoints runs, and its two paces play the same episodes."""

import json

import turnenv
from benchmarks.__main__ import main
from benchmarks.speed.slow_chat import slow_chat
from benchmarks.speed.unequal import InLockstep, Unequal
from turnenv.policies.endpoint import EndpointPolicy


def test_a_small_measurement(capsys):
    small = ["--episodes", "8", "--concurrency", "4", "--latency", "0.005", "--slow", "0.01", "--rounds", "1"]
    assert main(["endpoint-speed", *small, "--json"]) == 0
    tables = json.loads(capsys.readouterr().out)
    policy, bare = tables["waits"]
    assert policy["wall ÷ ideal"] >= 1.0
    assert bare["wall ÷ ideal"] >= 1.0
    assert policy["CPU, ms per turn"] > bare["CPU, ms per turn"] > 0.0
    assert [row["8 episodes, 1 at once"] for row in tables["paces"]] == ["own pace", "lock-step"]


def test_both_paces_play_the_same_episodes():
    with slow_chat(0.001) as port:
        policy = EndpointPolicy("m", f"http://127.0.0.1:{port}/v1", "none")
        tasks = list(range(15))
        played = [turnenv.collect(Unequal, who, tasks, tasks=tasks) for who in (policy, InLockstep(policy))]
    assert played[0] == played[1]
    assert [len(episode.turns) for episode in played[0]] == list(range(2, 17))
