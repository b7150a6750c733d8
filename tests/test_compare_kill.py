"""kill -9 of a comparison at random moments, and the same command again: the rows of one that was never stopped."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
from tiny_policy import save_tiny_policy

from benchmarks.__main__ import main
from benchmarks.compare.command import checked_settings, plan
from benchmarks.compare.one_run import groups_path, transcripts_path
from benchmarks.compare.one_run import main as run_one
from benchmarks.compare.records import RowFile
from benchmarks.harness.methods import parse_methods
from benchmarks.harness.places import Place

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.(is_)?gradient_checkpointing:FutureWarning")]

KILLS = 3
TIMES = {"seconds", "train_seconds", "eval_seconds", "device_seconds"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_tiny_policy(tmp_path_factory.mktemp("policy"))


def _arguments(model, out):
    sizes = ["--steps", "2", "--groups", "2", "--num-generations", "4", "--max-turn-tokens", "4", "--device", "cpu"]
    evaluation = ["--eval-episodes", "5", "--eval-batch", "4", "--methods", "grpo_mr,mt_grpo", "--seeds", "2"]
    return ["compare", "--env", "turnenv/GuessNumber-v0", "--model", str(model), "--out", str(out), *sizes, *evaluation]


@pytest.fixture(scope="module")
def never_stopped(model, tmp_path_factory):
    """The six runs, done in this process."""
    out = tmp_path_factory.mktemp("whole")
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmarks.compare.command.run", lambda given: asked.append(given) or 0)
        main(_arguments(model, out))
    for run in plan(checked_settings(asked[0], Place(None)), parse_methods("grpo_mr,mt_grpo"), [0, 1]):
        run_one(["--out", str(out), "--run", run.model_dump_json()])
    return out


def _results(folder):
    """Run id -> what the run came to, without times and the folder's name; the files that it left."""
    found = {}
    for row in RowFile(folder).read():
        line = json.loads(row.model_dump_json(exclude={"provenance", "trainer_arguments"}))
        line["spent"] = {name: value for name, value in line["spent"].items() if name not in TIMES}
        line["curve"] = {name: values for name, values in line["curve"].items() if "time" not in name}
        files = [transcripts_path(folder, row.run_id), groups_path(folder, row.run_id)]
        found[row.run_id] = line, [path.read_bytes() for path in files if path.exists()]
    return found


@pytest.mark.parametrize("place", [[], ["--ray", "local"]], ids=["processes", "ray"])
def test_kill_9_loses_and_repeats_nothing(tmp_path, model, never_stopped, place):
    if place:
        pytest.importorskip("ray", reason="needs turnenv[ray]")
    command = [sys.executable, "-m", "benchmarks", *_arguments(model, tmp_path), "--jobs", "2", *place]
    chance = random.Random(0)
    kills = 0
    for _ in range(KILLS):
        before, done = (tmp_path / "rows.jsonl"), len(RowFile(tmp_path).read())
        content = before.read_bytes() if before.exists() else b""
        harness = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(RowFile(tmp_path).read()) == done and harness.poll() is None:
            time.sleep(0.1)
        time.sleep(chance.uniform(0, 4))
        if harness.poll() is not None:
            break
        children = psutil.Process(harness.pid).children(recursive=True)
        os.kill(harness.pid, signal.SIGKILL)
        harness.wait()
        kills += 1
        _, alive = psutil.wait_procs(children, timeout=120)
        assert not alive
        assert (tmp_path / "rows.jsonl").read_bytes().startswith(content)
    assert kills
    last = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| MT-GRPO − GRPO-MR |" in last.stdout
    assert not (tmp_path / "scratch").exists()
    ids = [row.run_id for row in RowFile(tmp_path).read()]
    print(f"{kills} kills, {len(ids)} rows, {len(set(ids))} different")
    assert len(ids) == len(set(ids)) == 6
    assert _results(tmp_path) == _results(never_stopped)
