"""`turnenv evaluate` and `turnenv show FILE`: the table, keeping and going on, refusals, kills, no key anywhere."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.__main__ import main as benchmarks
from tests.chat_server import chat_server, guess
from tests.loopback_server import Answered
from turnenv.commands.main import main
from turnenv.evaluation.episode_file import read_episodes

ROOT = Path(__file__).parent.parent
KEY = "sk-secret-of-mine-0123456789"
GUESS = "turnenv/GuessNumber-v0"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with chat_server().running() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.address}/v1")
        yield server


def document(capsys):
    return json.loads(capsys.readouterr().out)


def test_three_environments_by_one_command(server, capsys):
    assert (
        main(["evaluate", "GuessNumber", "GridQuest-easy", "Calculator", "--model", "openai:m", "--episodes", "4"]) == 0
    )
    shown = capsys.readouterr().out
    table = shown.splitlines()[-4:]
    assert table[0].split() == "environment success return turn rewards outcome turns tokens cost faults".split()
    assert [line.split()[0] for line in table[1:]] == [
        GUESS,
        "turnenv/GridQuest-easy-v0",
        "turnenv/Calculator-v0",
    ]
    assert "information" in shown
    assert "written per episode" in shown


def test_rows_as_json_costs_and_what_is_kept(server, capsys, tmp_path):
    out = tmp_path / "out"
    arguments = ["evaluate", "GuessNumber", "--model", "openai:m", "--episodes", "5", "--price", "2,8,0.5"]
    assert main([*arguments, "--seed", "7", "--out", str(out), "--json"]) == 0
    (row,) = document(capsys)["rows"]
    episodes = read_episodes(out / "GuessNumber-v0.jsonl.gz")
    assert sorted(episode.seed for episode in episodes) == [7, 8, 9, 10, 11]
    assert row["success"]["count"] == 5
    usages = [turn.usage for episode in episodes for turn in episode.turns]
    assert row["cost"] == pytest.approx(sum(usage.cost for usage in usages))
    assert json.loads((out / "rows.json").read_text()) == [row]
    assert json.loads((out / "provenance.json").read_text())["versions"]["turnenv"]
    assert json.loads((out / "settings.json").read_text())["base_url"] == f"{server.address}/v1"
    assert KEY not in written(out)


def test_going_on_asks_nothing_again_and_another_configuration_is_refused(server, capsys, tmp_path):
    arguments = ["evaluate", "GuessNumber", "--model", "openai:m", "--episodes", "5", "--out", str(tmp_path), "--json"]
    assert main(arguments) == 0
    first, asked = document(capsys), len(server.seen)
    assert main([*arguments, "--concurrency", "2"]) == 0
    assert document(capsys) == first
    assert len(server.seen) == asked
    assert main([*arguments, "--temperature", "0.5"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert "temperature was null and is 0.5" in error


def test_faults_are_apart_and_can_be_played_again(server, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("turnenv.net.retrying.WaitAsAsked.__call__", lambda self, state: 0.0)
    server.answer = lambda request: Answered(status=400) if len(server.seen) % 7 == 6 else guess(request)
    arguments = ["evaluate", "GuessNumber", "--model", "openai:m", "--episodes", "9", "--out", str(tmp_path), "--json"]
    assert main(arguments) == 0
    (row,) = document(capsys)["rows"]
    assert row["faults"] > 0
    assert row["success"]["count"] == 9 - row["faults"]
    assert "HTTP 400" in row["first_fault"]
    server.answer = guess
    assert main(arguments) == 0
    assert document(capsys)["rows"] == [row]
    assert main([*arguments, "--retry-faults"]) == 0
    (row,) = document(capsys)["rows"]
    assert (row["faults"], row["episodes"]) == (0, 9)


def test_a_refused_key_is_one_line(server, capsys, monkeypatch):
    server.always = Answered(status=401, body=json.dumps({"error": {"message": f"bad key {KEY}"}}).encode())
    assert main(["evaluate", "GuessNumber", "--model", "openai:m"]) == 3
    said = capsys.readouterr()
    # The server of the test complains here about the requests that were taken back.
    (line,) = [line for line in said.err.splitlines() if line.startswith("turnenv:")]
    assert "error: the model 'm' answered HTTP 401: " in line
    assert KEY not in said.err + said.out
    assert len(server.seen) <= 16


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_server_that_repeats_the_key_gets_it_into_no_file(server, capsys, tmp_path, monkeypatch, status):
    monkeypatch.setattr("turnenv.net.retrying.WaitAsAsked.__call__", lambda self, state: 0.0)
    echo = json.dumps({"error": {"message": f"wrong: Bearer {KEY}"}}).encode()
    server.answer = lambda request: guess(request) if len(server.seen) == 1 else Answered(status=status, body=echo)
    arguments = ["evaluate", "GuessNumber", "--model", "openai:m", "--episodes", "3", "--out", str(tmp_path), "--json"]
    assert main([*arguments, "--concurrency", "1"]) == 3  # every episode ended in a fault
    said = capsys.readouterr()
    (row,) = json.loads(said.out)["rows"]
    assert row["faults"] == 3
    assert row["success"] is None
    assert KEY not in said.out + said.err
    assert KEY not in written(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model", "gpt", "--base-url", "http://127.0.0.1:9/v1"], 2, "pass --model openai:gpt"),
        (["--model", "vllm:agents/nano"], 2, "pip install 'turnenv[vllm]'"),
        (["--model", "vllm:agents/nan"], 2, "did you mean agents/nano"),
        (["--model", "vllm:agents/nano", "--tools", "native"], 2, "--tools native needs a server"),
        (["--model", "scripted"], 2, "python -m benchmarks evaluate"),
        (["--model", "agents/nan"], 2, "did you mean agents/nano"),
        (["--model", "agents/nano", "--tools", "native"], 2, "--tools native needs a server"),
        (["--model", "random", "--split", "test"], 2, "no argument 'split'"),
        (["--model", "random", "--env-kwargs", "3"], 2, "must be a JSON object"),
        (["--model", "random", "--episodes", "0"], 2, "--episodes must be at least 1"),
        (["--model", "openai:m", "--price", "1"], 2, "--price takes two or three numbers"),
        (["--model", "random", "--min-success", "2"], 2, "from 0 to 1"),
        (["--model", "random", "--episodes", "3", "--min-success", "0.9"], 1, ""),
        ([], 2, "--model"),
    ],
)
def test_mistakes(capsys, monkeypatch, arguments, code, said):
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, "vllm", None)
    assert main(["evaluate", "GuessNumber", *arguments]) == code
    assert said in capsys.readouterr().err


def test_random_players_repeat_and_keep_their_arguments(capsys):
    arguments = ["evaluate", "TriviaSearch", "--model", "random", "--episodes", "6", "--split", "test", "--json"]
    found = []
    for concurrency in ("1", "4"):
        assert main([*arguments, "--env-kwargs", '{"grammar": "hermes"}', "--concurrency", concurrency]) == 0
        found.append(document(capsys)["rows"])
    assert found[0] == found[1]


def test_an_episode_of_a_file(capsys, tmp_path, monkeypatch):
    assert main(["evaluate", "GuessNumber", "--model", "random", "--episodes", "3", "--out", str(tmp_path)]) == 0
    file = str(tmp_path / "GuessNumber-v0.jsonl.gz")
    capsys.readouterr()
    assert main(["show", f"{file}:2"]) == main(["show", file, "--episode", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("episode 2 of 3") == 2
    assert "\x1b" not in shown
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["show", file]) == 0
    assert "\x1b[1m" in capsys.readouterr().out
    assert main(["show", file, "--json"]) == 0
    assert document(capsys)["episode"]["env_id"] == GUESS
    wrongs = {
        "3 episodes": [file, "--episode", "4"],
        "there is no episode 0": [file, "--episode", "0"],
        "²: No module named": [f"{file}:²"],
        "no file n": ["no.jsonl"],
        "no file G": ["Guess", "--episode", "1"],
    }
    for said, wrong in wrongs.items():
        assert main(["show", *wrong]) == 2
        assert said in capsys.readouterr().err


def test_the_scripted_experts_play_the_suites(capsys):
    assert benchmarks(["evaluate", "--model", "scripted", "--episodes", "3", "--json"]) == 0
    rows = document(capsys)["rows"]
    assert [row["env"] for row in rows] == ["turnenv/TriviaSearch-v0", "turnenv/MultiHopSearch-v0"]
    assert all(row["success"]["mean"] == 1.0 for row in rows)


@pytest.mark.slow
def test_kills_at_any_moment_lose_and_double_nothing(tmp_path):
    draw = random.Random(0)
    with chat_server().running() as server:
        server.delay = 0.02
        command = [
            sys.executable,
            "-m",
            "turnenv",
            "evaluate",
            "GuessNumber",
            "--model",
            "openai:m",
            "--episodes",
            "100",
        ]
        command += ["--base-url", f"{server.address}/v1", "--out", str(tmp_path), "--concurrency", "4", "--json"]
        environment = {**os.environ, "OPENAI_API_KEY": KEY}
        kills = 0
        while kills < 20:
            process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE)
            wanted, deadline = count(tmp_path) + draw.randrange(1, 5), time.monotonic() + 60
            while count(tmp_path) < wanted and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(draw.random() * 0.05)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
            process.communicate()
            if process.returncode == 0:
                break
        assert kills == 20
        finished = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    episodes = read_episodes(tmp_path / "GuessNumber-v0.jsonl.gz")
    assert sorted(episode.seed for episode in episodes) == list(range(100))
    assert json.loads(finished.stdout)["rows"][0]["episodes"] == 100
    assert KEY not in written(tmp_path)


def count(folder):
    path = folder / "GuessNumber-v0.jsonl.gz"
    return len(read_episodes(path)) if path.exists() else 0


def written(folder):
    """All that the files of a folder say, compressed ones too."""
    return "\n".join(
        "".join(episode.to_json() for episode in read_episodes(path)) if path.suffix == ".gz" else path.read_text()
        for path in folder.iterdir()
    )
