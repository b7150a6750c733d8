"""What the commands share: escapes, colours, JSON, hints, exit codes."""

from __future__ import annotations

import errno
import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.commands.console import MistakeError, UnavailableError, did_you_mean, paint, print_json, visible
from turnenv.commands.exits import exit_code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\ttext", "plain\n\ttext"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("over\rwritten\x08", r"over\x0dwritten\x08"),
        ("\u202eright to left, zero\u200bwidth", r"\u202eright to left, zero\u200bwidth"),
        ("\ud800 and \x9b", r"\ud800 and \x9b"),
        ("日本 ½ [bold]not markup[/bold] é", "日本 ½ [bold]not markup[/bold] é"),
    ],
)
def test_what_acts_on_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_is_shown_can_be_printed_and_acts_on_nothing(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert all(character in "\n\t" or (character >= " " and not "\x7f" <= character < "\xa0") for character in shown)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("variables", "stream", "painted"),
    [
        ({}, Terminal(), True),
        ({}, io.StringIO(), False),
        ({"NO_COLOR": "1"}, Terminal(), False),
        ({"NO_COLOR": ""}, Terminal(), True),
        ({"TERM": "dumb"}, Terminal(), False),
        ({"FORCE_COLOR": "1"}, io.StringIO(), True),
    ],
)
def test_colours_follow_the_terminal_and_the_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], stream: io.StringIO, painted: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert paint("x", "red", stream) == ("\x1b[31mx\x1b[0m" if painted else "x")


def test_a_document_has_a_schema_and_no_number_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"shift": float("nan"), "ends": (float("-inf"), 1.5), "text": "\x1b \ud800"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"schema": 1, "shift": None, "ends": [None, 1.5], "text": "\x1b \ud800"}
    assert "\x1b" not in printed


def test_hints_ignore_case_and_say_nothing_where_nothing_is_near() -> None:
    assert did_you_mean("gridquest", ["GridQuest", "GuessNumber"]) == "; did you mean GridQuest?"
    assert did_you_mean("xyzzy", ["GridQuest"]) == ""


def test_nothing_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    from turnenv.commands.main import main

    assert main([]) == 2
    printed = capsys.readouterr()
    assert (printed.out, "examples:" in printed.err) == ("", True)


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (MistakeError("a slip\x07"), 2, r"tool: error: a slip\x07"),
        (UnavailableError("the server is down"), 3, "tool: error: the server is down"),
        (OSError(errno.ENOSPC, "No space left"), 3, "No space left"),
        (KeyboardInterrupt(), 130, "tool: interrupted"),
        (RuntimeError("a bug"), 3, "RuntimeError: a bug"),
    ],
)
def test_what_is_raised_becomes_an_exit_code(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> int:
        raise raised

    assert exit_code(run, "tool") == code
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.out == ""


def test_an_error_under_json_is_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    from turnenv.commands.main import main

    assert main(["show", "GesNumber", "--json"]) == 2
    printed = capsys.readouterr()
    assert "did you mean GuessNumber" in json.loads(printed.err)["error"]
    assert printed.out == ""


def test_a_reader_that_has_enough_is_no_failure() -> None:
    piped = f"{sys.executable} -m turnenv list --json | head -c 20; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ('{"schema": 1, "envir0\n', "")
