"""The face, the wheel, and what an import costs."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import turnenv

ROOT = Path(__file__).parent.parent
NOT_AT_FIRST = {"gymnasium", "numpy", "pydantic"}
HEAVY = {
    "torch",
    "transformers",
    "trl",
    "vllm",
    "datasets",
    "pandas",
    "wikipediaapi",
    "httpx",
    "rapidfuzz",
    "matplotlib",
}


def test_the_face_is_sorted_complete_and_on_its_page():
    assert turnenv.__all__ == sorted(turnenv.__all__)
    for name in turnenv.__all__:
        assert getattr(turnenv, name) is not None
        assert f"`{name}" in read("turnenv/README.md"), f"{name} is public but not in the table of turnenv/README.md"


def test_an_import_loads_nothing_that_takes_time():
    code = "import sys, turnenv; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not (HEAVY | NOT_AT_FIRST).intersection(loaded)


def test_the_face_loads_nothing_heavy():
    code = "import sys\nfrom turnenv import *\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "gymnasium" in loaded
    assert not HEAVY.intersection(loaded)


def test_a_name_that_the_face_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'turnenv' has no attribute 'TextEnvs'"):
        turnenv.TextEnvs  # noqa: B018
    assert set(turnenv.__all__) <= set(dir(turnenv))
    assert turnenv.types.End is turnenv.End


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
    entry_points = next(name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("entry_points.txt"))
    assert "turnenv = turnenv.__main__:main" in zipfile.ZipFile(wheel).read(entry_points).decode()


def test_the_changelog_knows_the_version():
    assert re.search(
        rf"^## \[(Unreleased|{re.escape(turnenv.__version__)})\]", (ROOT / "CHANGELOG.md").read_text(), re.M
    )


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def test_the_citation_names_the_paper():
    citation = read("CITATION.cff")
    assert "cff-version: 1.2.0" in citation
    assert "https://arxiv.org/abs/2505.11821" in citation
    title = re.search(r"title   = \{(.*)\}", read("README.md"))
    assert title is not None
    assert title[1] in citation
