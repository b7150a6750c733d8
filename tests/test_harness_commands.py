"""`python -m benchmarks`: help, mistakes, exit codes, and what goes to stdout and what to stderr."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import COMMANDS, main
from benchmarks.harness.tables import print_tables

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers", "trl", "datasets", "matplotlib")


def examples_of(text):
    """Each `python -m benchmarks …` of a help text or page as words; comments and redirections are left out.

    A line begins with it, or the first cell of a table's row holds it as code.
    """
    joined = re.sub(r"^\| `(.+?)` \|.*", r"\1", re.sub(r"\\\n\s*", " ", text), flags=re.MULTILINE)
    joined = re.sub(r" > \S+", "", joined)
    lines = (line.strip() for line in joined.splitlines())
    return [shlex.split(line, comments=True)[3:] for line in lines if line.startswith("python -m benchmarks")]


def help_of(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    return capsys.readouterr().out


def imported_by(*commands):
    """The packages of `HEAVY` and Gymnasium that showing the help of these commands imports, in a fresh process."""
    code = f"""
import contextlib, io, sys
from benchmarks.__main__ import main
for words in {[[*command, "--help"] for command in commands]!r}:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main(words)
print(*[name for name in {(*HEAVY, "gymnasium", "numpy")!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_the_list_of_commands_imports_nothing_heavy():
    assert imported_by([]) == []


def test_the_help_of_a_command_imports_no_training_library():
    assert not {*HEAVY} & {*imported_by(*([name] for name in COMMANDS))}


def test_the_list_names_every_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"\n    {name}" in said for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_a_description_and_examples_that_parse(name, capsys, monkeypatch):
    said = help_of(name, capsys)
    module = sys.modules[COMMANDS[name].module]
    assert module.__doc__.strip() in said
    assert module.EXAMPLES.strip() in said
    asked = []
    monkeypatch.setattr(module, "run", lambda given: asked.append(given) or 0)
    words = examples_of(said)
    assert words
    for example in words:
        assert main(example) == 0, example
    assert any(example[0] == name for example in words)
    assert asked


def test_the_commands_of_the_pages_exist(monkeypatch):
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
    words = [example for page in pages for example in examples_of(page.read_text(encoding="utf-8"))]
    assert {"evidence", "estimator-cost"} <= {example[0] for example in words}
    assert len(words) > 20
    for example in words:
        assert example[0] in COMMANDS, example
        # Imported before it is replaced, so that the real arguments are parsed.
        module = __import__(COMMANDS[example[0]].module, fromlist=["run"])
        monkeypatch.setattr(module, "run", lambda given: 0)
        assert main(example) == 0, example


@pytest.mark.parametrize(
    ("typed", "meant"), [("copmare", "compare"), ("transcript", "transcripts"), ("smalls", "small")]
)
def test_a_mistyped_command_names_the_nearest(typed, meant, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([typed, "results"])
    error = capsys.readouterr().err
    assert f"no command is named {typed!r}; did you mean {meant!r}?" in error
    assert "throughput" in error


def test_without_a_command_the_usage_is_shown(capsys):
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "required: COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (ValueError("--seeds takes a number"), 2, "error: --seeds takes a number"),
        (FileNotFoundError("no such folder"), 2, "error: no such folder"),
        (ConnectionError("the server is down"), 3, "error: the server is down"),
        (KeyboardInterrupt(), 130, "finished runs are kept"),
    ],
)
def test_what_goes_wrong_decides_the_exit_code(raised, code, said, capsys, monkeypatch):
    import benchmarks.compare.report

    def run(given):
        raise raised

    monkeypatch.setattr(benchmarks.compare.report, "run", run)
    assert main(["report", "results"]) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""


def test_a_reader_that_has_enough_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m benchmarks credit --list --suite full | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stderr == ""


def test_a_measurement_is_a_table_or_one_json_document(capsys):
    arguments = ["estimator-cost", "--trajectories", "32", "--turns", "4", "--rounds", "1"]
    assert main(arguments) == 0
    table = capsys.readouterr()
    assert table.out.startswith("| estimator ")
    assert "the aim is 50 ms" in table.err
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert {row["estimator"] for row in document["estimators"]} >= {"grpo_or", "mt_grpo"}
    assert len(table.out.splitlines()) == len(document["estimators"]) + 2


def test_numbers_that_are_not_finite_are_a_dash_or_null(capsys):
    rows = [{"what": "a", "times": 1.25}, {"what": "b", "times": float("nan")}, {"what": "c", "times": float("inf")}]
    print_tables({"rows": rows, "none": []}, {"times": "+.1f"}, as_json=False)
    assert [line.split("|")[2].strip() for line in capsys.readouterr().out.splitlines()[2:]] == ["+1.2", "–", "–"]
    print_tables({"rows": rows, "none": []}, {}, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [row["times"] for row in document["rows"]] == [1.25, None, None]
    assert document["none"] == []
