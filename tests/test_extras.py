"""Whatever is not installed names the extra that brings it."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from turnenv.extras import needs

ROOT = Path(__file__).parent.parent
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]

ASKED = [
    ("datasets", "datasets", "gymnasium.make('turnenv/TriviaSearch-v0', questions='trivia_qa')"),
    ("datasets", "datasets", "gymnasium.make('turnenv/MultiHopSearch-v0', questions='hotpot_qa')"),
    ("datasets", "datasets", "gymnasium.make('turnenv/Calculator-v0', problems='gsm8k')"),
    ("datasets", "pyarrow", "gymnasium.make('turnenv/TriviaSearch-v0', questions='own.parquet')"),
    (
        "train",
        "transformers",
        "import turnenv.judges.local as a; a.LocalJudge('m', rubric='Brief?').score([judges.Message('user', 'Hi')])",
    ),
    ("train", "torch", "import turnenv.training"),
    ("train", "transformers", "import turnenv.policies.chat_frame"),
    ("train", "torch", "import turnenv.policies.generation"),
    ("vllm", "vllm", "import turnenv.policies.vllm"),
    ("ray", "ray", "from benchmarks.harness.ray_jobs import connect; connect('local')"),
    ("gem", "gem", "import turnenv.adapters.gem as a; a.GemEnv('game:GuessTheNumber-v0').reset(seed=0)"),
    ("textarena", "textarena", "import turnenv.adapters.textarena as a; a.TextArenaEnv('Wordle-v0').reset(seed=0)"),
    ("reasoning-gym", "reasoning_gym", "import turnenv.adapters.reasoning_gym as a; a.ReasoningGymEnv('leg_counting')"),
    ("inspect", "inspect_ai", "import turnenv.adapters.inspect"),
    ("minigrid", "minigrid", "import turnenv.adapters.minigrid as a; a.minigrid()"),
]


EACH_IN_A_FORK = """
import os, sys
import gymnasium, turnenv
from turnenv import judges
for extra, package, code in eval(sys.argv[1]):
    if os.fork() == 0:
        sys.modules[package] = None
        try:
            exec(code)
            said = "nothing was raised"
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
        print(repr((package, code, said)), flush=True)
        os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """What each piece of code raises without its package: an entry of None in `sys.modules` makes an import fail."""
    folder = tmp_path_factory.mktemp("extras")
    (folder / "own.parquet").write_bytes(b"PAR1")
    command = [sys.executable, "-W", "ignore", "-c", EACH_IN_A_FORK, repr(ASKED)]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return {(package, code): text for package, code, text in map(ast.literal_eval, done.stdout.splitlines())}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize(("extra", "package", "code"), ASKED, ids=[code for *_, code in ASKED])
def test_a_missing_package_names_its_extra(
    extra: str, package: str, code: str, said: dict[tuple[str, str], str]
) -> None:
    last = said[package, code]
    assert re.fullmatch(rf"ModuleNotFoundError: .+ needs {package}\b.*: pip install 'turnenv\[{extra}\]'", last), last
    assert any(re.split(r"[\[<>=!~ ;]", part)[0].replace("-", "_").startswith(package) for part in parts(extra))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def parts(extra: str) -> list[str]:
    return [name for part in EXTRAS[extra] for name in ([part] if not part.startswith("turnenv[") else [])]


def test_what_is_wrong_inside_the_block_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="other"), needs("train", "This"):
        raise ValueError("other")


def test_all_has_every_extra_but_that_of_developers_and_vllm_which_chooses_the_pytorch() -> None:
    named = {name for part in EXTRAS["all"] for name in re.findall(r"[\w-]+", part.partition("[")[2])}
    held = named | {name for extra in named for part in EXTRAS[extra] for name in re.findall(r"turnenv\[(.+)\]", part)}
    held |= {name for extra in held for part in EXTRAS[extra] for name in re.findall(r"turnenv\[(.+)\]", part)}
    assert held == set(EXTRAS) - {"all", "dev", "docs", "vllm"}


def test_the_core_brings_no_data_frames() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    core = {re.split(r"[<>=!~\[ ;]", part)[0] for part in project["dependencies"]}
    assert core == {
        "gymnasium", "numpy", "pydantic", "rapidfuzz", "wikipedia-api", "anyio", "httpx", "h11", "platformdirs",
        "tenacity", "shtab", "jinja2",
    }  # fmt: skip
