"""What the documentation prints for many processes starts as many as it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import trl
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

import turnenv
from turnenv.commands import train

ROOT = Path(turnenv.__file__).parents[1]
PAGES = (*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("turnenv/*/README.md")), *sorted(ROOT.glob("docs/**/*.md")))
CONFIGS = f"{trl.__path__[0]}/accelerate_configs"
NUMBERS = {"two": 2, "eight": 8}


def launches() -> list[tuple[str, str]]:
    """Every `accelerate launch` of the pages and the help, with the comment above it."""
    texts = [page.read_text(encoding="utf-8") for page in (Path(train.__file__), *PAGES)]
    pattern = re.compile(r"^ *(?:# (.*)\n)? *(accelerate launch (?:.*\\\n)*.*)$", re.MULTILINE)
    return sorted({found for text in texts for found in pattern.findall(text)})


def test_the_pages_show_how_to_launch() -> None:
    commands = [command for _, command in launches()]
    assert any("fsdp2.yaml" in command for command in commands)
    assert any("zero3.yaml" in command for command in commands)
    assert any("--use_cpu" in command for command in commands)


@pytest.mark.parametrize(("says", "command"), launches())
def test_a_printed_launch_starts_as_many_processes_as_it_says(
    says: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_cpu = "--use_cpu" in command
    monkeypatch.setattr(torch.cuda, "is_available", lambda: not on_cpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0 if on_cpu else 8)
    words = shlex.split(command.replace("$configs", CONFIGS).replace("\\\n", " "))[2:]
    args, _, _ = _validate_launch_command(launch_command_parser().parse_args(words))
    (given,) = (int(words[at + 1]) for at, word in enumerate(words) if word == "--num_processes")
    assert args.num_processes == given
    assert not says or NUMBERS[says.split()[0]] == given
    # Anything else is started as one process.
    assert [args.multi_gpu, args.use_fsdp, args.use_deepspeed].count(True) == 1
    assert args.use_fsdp == ("fsdp2.yaml" in command)
    assert not args.use_fsdp or int(args.fsdp_version) == 2
    assert args.use_deepspeed == ("zero3.yaml" in command)
    assert not args.use_deepspeed or int(args.zero_stage) == 3
    assert args.module
    assert args.training_script == "turnenv"


@pytest.mark.slow
def test_two_processes_start_on_a_cpu() -> None:
    (command,) = {command for _, command in launches() if "--use_cpu" in command}
    run = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.accelerate_cli", *shlex.split(command)[1:], "--dry-run", "--json"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    (line,) = run.stdout.splitlines()
    assert json.loads(line)["plan"]["processes"] == 2
