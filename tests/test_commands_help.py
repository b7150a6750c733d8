"""The command line: its start, its mistakes, its help whose examples run as printed, its completion."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from turnenv.commands.main import COMMANDS, main, make_parser

ROOT = Path(__file__).parent.parent
LATER = {"torch", "transformers", "datasets", "gymnasium", "numpy", "pydantic", "trl", "shtab"}
NEEDS_A_MODEL_OR_SERVER = ("Qwen/", "http://")


@pytest.mark.parametrize("arguments", ["--help", "list --help", "train --help", "--version", "list", "lst"])
def test_what_needs_no_environment_imports_none(arguments: str) -> None:
    code = (
        "import sys, turnenv.commands.main as m\n"
        "try: m.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code, *arguments.split()], capture_output=True, text=True, check=True)
    assert not LATER.intersection(ran.stderr.split())


def test_help_starts_in_a_fifth_of_a_second() -> None:
    def seconds() -> float:
        code = (
            "import resource, subprocess, sys\n"
            "subprocess.run([sys.executable, '-m', 'turnenv', '--help'], check=True, stdout=subprocess.DEVNULL)\n"
            "used = resource.getrusage(resource.RUSAGE_CHILDREN); print(used.ru_utime + used.ru_stime)"
        )
        return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)

    assert min(seconds() for _ in range(3)) < 0.2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lst"], "there is no command 'lst'; did you mean list? see: turnenv --help"),
        (["list", "--jsn"], "list takes no '--jsn'; did you mean --json? see: turnenv list --help"),
        (["list", "--family", "Gridquest"], "there is no family 'Gridquest'; did you mean GridQuest?"),
        (["play", "GuessNumbr"], "did you mean GuessNumber"),
        (["play", "GuessNumber", "--seed", "x"], "--seed: invalid int value: 'x'; see: turnenv play --help"),
        (["play", "GuessNumber", "--task", "50"], "--task must be an integer from 0 to 49; got 50"),
        (["show"], "the following arguments are required: ID; see: turnenv show --help"),
        (["show", "no_such_module:me/Nim-v0"], "No module named 'no_such_module'"),
        (["show", "CartPole-v1"], "CartPole-v1 cannot be made: the observations"),
        (["completion", "fsh"], "invalid choice: 'fsh'"),
        (["probe-judge", "--endpoint", "http://127.0.0.1:9"], "--endpoint needs --model"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_fix(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("turnenv: error: ")
    assert (printed.err.count("\n"), printed.out) == (1, "")


def examples() -> list[str]:
    """Every example of every `--help`, as it is printed."""
    parser, made = make_parser()
    helped = "\n".join([parser.format_help(), *(command.format_help() for command in made.values())])
    found = re.findall(r"^  ((?:turnenv |printf |accelerate ).*)$", helped.split("commands:")[1], re.MULTILINE)
    return list(dict.fromkeys(found))


def test_every_command_has_an_example() -> None:
    _, made = make_parser()
    for name, command in made.items():
        assert f"turnenv {name}" in (command.epilog or ""), name
    assert len(examples()) >= 2 * len(COMMANDS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder but for a model in `agents/nano`, where `turnenv` is a command."""
    place = tmp_path_factory.mktemp("empty")
    shutil.copytree(ROOT / "agents" / "nano", place / "agents" / "nano", ignore=shutil.ignore_patterns("*.py", "__*"))
    (place / "bin").mkdir()
    (place / "bin" / "turnenv").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m turnenv "$@"\n')
    (place / "bin" / "turnenv").chmod(0o755)
    (place / "my_package.py").write_text(
        "import gymnasium\nfrom turnenv.envs.guess_number import GuessNumber\n"
        "gymnasium.register('me/Nim-v0', GuessNumber)\ndef make_player():\n    return lambda seen: '25'\n"
    )
    return place


RUN = [example for example in examples() if not any(word in example for word in NEEDS_A_MODEL_OR_SERVER)]


@pytest.mark.parametrize("example", [example for example in RUN if "train" not in example and "--all" not in example])
def test_an_example_runs_as_printed(example: str, folder: Path) -> None:
    run_example(example, folder)


@pytest.mark.slow
@pytest.mark.parametrize("example", [example for example in RUN if "train" in example or "--all" in example])
def test_a_longer_example_runs_as_printed(example: str, folder: Path) -> None:
    run_example(example, folder)


def run_example(example: str, folder: Path) -> None:
    environment = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", example],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout or ">" in example
    # What --redact replaced is said there, so that a page is read before it is passed on.
    assert "train" in example or "--redact" in example or ran.stderr == ""


@pytest.mark.parametrize("recipe", ["agents.mt_grpo", "baselines.grpo_or", "baselines.grpo_mr"])
def test_a_recipe_describes_itself_and_has_trains_arguments(recipe: str) -> None:
    command = [sys.executable, "-m", recipe, "--help"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.startswith(f"usage: python -m {recipe} [--model MODEL]")
    assert "\nTrain an agent with " in printed
    train = make_parser()[1]["train"].format_help()
    assert printed.partition("options:")[2] == train.partition("options:")[2]


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_commands_options_and_ids(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "probe-judge" in script
    assert "no-parallel" in script
    assert "GridQuest-easy" in script


def test_bash_completes_an_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "turnenv.bash"
    script.write_text(capsys.readouterr().out)
    line = f"source {script}; COMP_WORDS=(turnenv show Guess); COMP_CWORD=2; _shtab_turnenv; echo ${{COMPREPLY[@]}}"
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["GuessNumber", "GuessNumber-hard"]
