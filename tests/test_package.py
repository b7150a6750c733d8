"""The face, the wheel, and what an import costs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import turnenv

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEAVY = {"torch", "transformers", "trl", "datasets", "pandas", "wikipediaapi", "httpx", "rapidfuzz", "matplotlib"}


def test_the_face_is_sorted_complete_and_in_the_readme():
    assert turnenv.__all__ == sorted(turnenv.__all__)
    for name in turnenv.__all__:
        assert getattr(turnenv, name) is not None
        assert f"`{name}" in README, f"{name} is public but not in the README's table"


def test_an_import_loads_nothing_heavy():
    code = "import sys, turnenv; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY.intersection(loaded)


def test_making_the_default_environment_loads_no_model_library():
    code = (
        "import sys, gymnasium, turnenv; gymnasium.make('turnenv/TriviaSearch-v0').reset(seed=0); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY.intersection(loaded)


def test_the_id_alone_is_enough():
    code = "import gymnasium; print(gymnasium.make('turnenv:turnenv/GuessNumber-v0').reset(seed=0)[0])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "Guess the number between 1 and 50.\n"


def test_the_wheel_holds_turnenv_alone_and_all_of_it(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tracked = subprocess.run(
        ["git", "ls-files", "turnenv"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert held == set(tracked)
    assert f"turnenv-{turnenv.__version__}-" in wheel.name


def test_the_changelog_knows_the_version():
    assert re.search(
        rf"^## \[(Unreleased|{re.escape(turnenv.__version__)})\]", (ROOT / "CHANGELOG.md").read_text(), re.M
    )


def python_blocks():
    """The README's Python examples that need no model."""
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return [block for block in blocks if "turnenv.training" not in block]


@pytest.mark.parametrize("block", python_blocks())
def test_the_readmes_examples_run(block, capsys):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    promised = re.findall(r"#> (.*)", block)
    printed = capsys.readouterr().out.splitlines()
    assert printed == promised
