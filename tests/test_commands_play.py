"""list, show and play: what they print, and what a person at the keyboard meets."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from turnenv import Episode, Scripted, collect
from turnenv.adapters import as_text_env
from turnenv.commands.catalogue import read_catalogue, read_example
from turnenv.commands.ids import resolve_id, short_name
from turnenv.commands.main import main
from turnenv.commands.making import make
from turnenv.commands.random_player import RandomPlayer
from turnenv.envs import IDS


def printed_json(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = 0) -> dict[str, object]:
    assert main([*arguments, "--json"]) == code
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    assert document.pop("schema") == 1
    return document


def test_the_catalogue_and_the_examples_hold_every_id() -> None:
    assert {entry["id"] for entry in read_catalogue()} == set(IDS)
    for entry in read_catalogue():
        line = read_example(entry["id"])
        assert line is not None
        assert Episode.from_json(line).outcome.success


def test_list_by_word_family_and_exactness(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [short_name(entry["id"]) for entry in read_catalogue()]
    assert len(printed_json(["list", "HOUSE"], capsys)["environments"]) == 3  # type: ignore[arg-type]
    assert len(printed_json(["list", "--family", "CreditChain"], capsys)["environments"]) == 5  # type: ignore[arg-type]
    exact = printed_json(["list", "--solved-exactly"], capsys)["environments"]
    assert all(entry["solved_exactly"] for entry in exact)  # type: ignore[attr-defined]
    assert printed_json(["list", "xyzzy"], capsys, code=1) == {"environments": []}


@pytest.mark.parametrize("env_id", IDS)
def test_show_has_prompt_tools_rewards_and_episode(env_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", short_name(env_id)]) == 0
    text = capsys.readouterr().out
    for heading in ("System prompt", "Tools", "Rewards", "An episode of the expert", f"turnenv play {env_id}"):
        assert heading in text
    shown = printed_json(["show", env_id], capsys)
    env = make(env_id)
    assert (shown["system_prompt"], shown["max_turns"]) == (env.system_prompt, env.max_turns)
    assert shown["tools"] == json.loads(json.dumps(env.tools))


def test_names_of_ids() -> None:
    for name in (
        "GuessNumber",
        "GuessNumber-v0",
        "turnenv/GuessNumber",
        "turnenv/GuessNumber-v0",
        "turnenv:GuessNumber",
    ):
        assert resolve_id(name) == "turnenv/GuessNumber-v0"


ACTIONS = "25\n37\n30\n"


def play(actions: str, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(actions))
        return main(["play", "GuessNumber", "--task", "29", "--seed", "0", *arguments])


def test_piped_actions_play_an_episode(capsys: pytest.CaptureFixture[str]) -> None:
    assert play(ACTIONS) == 0
    printed = capsys.readouterr()
    assert "  turn 3: reward 0.306 = information 0.306\n" in printed.out
    assert printed.out.endswith("  return 1.5 = turns 0.5 + outcome 1\n")
    assert printed.err == ""


def test_a_played_episode_as_json_is_the_one_that_collect_plays(capsys: pytest.CaptureFixture[str]) -> None:
    assert play(ACTIONS, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    actions = iter(ACTIONS.split())
    (episode,) = collect("turnenv/GuessNumber-v0", Scripted(lambda: lambda seen: next(actions)), [0], tasks=[29])
    assert Episode.from_json(json.dumps(document["episode"])) == episode
    assert document["finished"]


def test_an_end_of_the_input_ends_politely(capsys: pytest.CaptureFixture[str]) -> None:
    assert play("25\n") == 0
    assert capsys.readouterr().out.endswith("turn 1: reward 0.0886 = information 0.0886\n")
    assert play("", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1, "finished": False, "episode": None, "turn_rewards": [],
    }  # fmt: skip


def test_a_backslash_continues_a_line_and_control_characters_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    assert play("first \\\n\x1b[2J25\r\n") == 0
    printed = capsys.readouterr().out
    assert "> first \n\\x1b[2J25\n" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("env_id", IDS)
def test_random_plays_an_episode_of_every_id_to_its_end(env_id: str, capsys: pytest.CaptureFixture[str]) -> None:
    first = printed_json(["play", env_id, "--as", "random", "--seed", "3"], capsys)
    assert first["finished"]
    assert printed_json(["play", env_id, "--as", "random", "--seed", "3"], capsys) == first


def test_random_calls_tools_in_the_grammar_that_the_prompt_explains() -> None:
    import gymnasium

    for grammar in ("xml", "hermes", "plain"):
        env = gymnasium.make("turnenv/TriviaSearch-v0", grammar=grammar)
        ran = 0
        for seed in range(20):
            observation, _ = env.reset(seed=seed)
            *_, info = env.step(RandomPlayer(as_text_env(env), seed)(observation))
            ran += info["reward_components"].get("tool_execution", 0.0) > 0
        assert ran >= 10, grammar


def at_a_terminal(command: list[str], typed: bytes, send: int | None = None) -> tuple[int, str]:
    """The exit code and the screen of a command that a person types into."""
    parent, child = pty.openpty()
    ran = subprocess.Popen(
        command,
        stdin=child,
        stdout=child,
        stderr=child,
        start_new_session=True,
        # Tests that were started in the background ignore SIGINT, and so would the command.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    watchdog = threading.Timer(60, ran.kill)
    watchdog.start()
    os.close(child)
    screen = b""
    while not screen.endswith(b"> "):
        screen += os.read(parent, 4096)
    os.write(parent, typed)
    if send is not None:
        time.sleep(0.2)
        ran.send_signal(send)
    try:
        while part := os.read(parent, 4096):
            screen += part
    except OSError:  # Linux says so when the other side is closed
        pass
    os.close(parent)
    code = ran.wait(timeout=30)
    watchdog.cancel()
    return code, screen.decode()


PLAY = [sys.executable, "-m", "turnenv", "play", "GuessNumber", "--task", "29", "--seed", "0"]


def test_a_person_at_a_terminal_is_prompted_and_may_leave() -> None:
    code, screen = at_a_terminal(PLAY, b"25\n\x04")
    assert code == 0
    assert "> 25" in screen
    assert "higher than 25" in screen
    assert "stopped before the episode was over" in screen


def test_ctrl_c_is_polite() -> None:
    code, screen = at_a_terminal(PLAY, b"25\n", signal.SIGINT)
    assert code == 130
    assert "interrupted" in screen
    assert "Traceback" not in screen


def test_an_id_of_a_module_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium\nfrom turnenv import Reply, TextEnv\n"
        "class Nim(TextEnv):\n    'Says no.'\n    max_turns = 2\n"
        "    def start(self, rng, options):\n        return [], 'hi'\n"
        "    def respond(self, state, action, rng):\n"
        "        return Reply.fault('gone', 'the server is down') if action == 'x' else Reply.turn('go on')\n"
        "gymnasium.register('me/Nim-v0', entry_point=Nim)\n"
    )
    run = (
        "import sys; sys.path.remove(''); sys.argv[0] = 'turnenv'; from turnenv.__main__ import main; sys.exit(main())"
    )

    def ran(arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", run, *arguments.split()],
            cwd=tmp_path, input=typed, capture_output=True, text=True, check=False,
        )  # fmt: skip

    shown = ran("show mine:me/Nim-v0")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("me/Nim-v0  Says no.\n")
    played = ran("play mine:me/Nim-v0", "a\nx\n")
    assert (played.returncode, played.stderr) == (
        3,
        "turnenv: error: the episode ended in a fault: the server is down\n",
    )
    checked = ran("check mine:me/Nim-v0 --no-parallel --json")
    report = json.loads(checked.stdout)["environments"][0]
    assert (report["id"], report["breach"] is None, checked.returncode) == ("me/Nim-v0", True, 0)
