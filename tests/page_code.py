"""Runs the code of a documentation page, in order, in one namespace and one empty folder."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

ROOT = Path(__file__).parent.parent
NEEDS = re.compile(r"<!-- (needs [^>]*) -->\s*\Z")
FILE = re.compile(r"\A# (\w+\.py)\n")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
# The script `turnenv` is there only once the package is installed.
SHELL = f'turnenv() {{ "{sys.executable}" -m turnenv "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; '


class NotRunError(Exception):
    """A block that says what it needs."""


def examples(page):
    """The page's blocks of Python and of commands, in order."""
    parsers = [CodeBlockParser("python", evaluator=run_python), CodeBlockParser("console", evaluator=run_console)]
    return list(Sybil(parsers=parsers, path=str(page.parent)).parse(page))


def check_needs(example):
    """Raise if the line above the block says that it needs what is not here."""
    marked = NEEDS.search(example.document.text[: example.region.start])
    if marked:
        raise NotRunError(marked[1])


def run_python(example):
    """Save a block that begins with a file's name; run any other and compare what it prints with its `#>` lines."""
    check_needs(example)
    code = str(example.parsed)
    compiled = compile(code, f"{Path(example.path).name}, line {example.line}", "exec", dont_inherit=True)
    if named := FILE.match(code):
        Path(named[1]).write_text(code, encoding="utf-8")
        return
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compiled, example.namespace)
    compare(printed.getvalue(), "\n".join(re.findall(r"^#>(?: (.*))?$", code, re.MULTILINE)))


def run_console(example):
    """Run each `$ command` and compare what it prints with the lines below it, where … stands for anything."""
    check_needs(example)
    text = str(example.parsed)
    commands = list(COMMAND.finditer(text))
    ends = [command.start() for command in commands[1:]] + [len(text)]
    for command, end in zip(commands, ends, strict=True):
        compare(shell(command[1]), text[command.end() : end])


def shell(command):
    """What the command prints; only a check may answer no (1), and nothing else may go wrong."""
    done = subprocess.run(
        ["bash", "-c", SHELL + command],
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 or (done.returncode == 1 and "turnenv check" in command), (
        f"{command}\n{done.stdout}{done.stderr}"
    )
    return done.stdout


def compare(printed, promised):
    """Lines are equal but for white space at their ends; … stands for anything."""
    printed, promised = ("\n".join(map(str.rstrip, text.strip().splitlines())) for text in (printed, promised))
    pattern = ".*?".join(map(re.escape, promised.split("…")))
    assert re.fullmatch(pattern, printed, re.DOTALL), f"promised:\n{promised}\n\nprinted:\n{printed}"
