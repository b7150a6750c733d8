import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmark_rows import row, settings

from benchmarks.compare.records import RowFile, differences

_APPEND_FOREVER = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from benchmark_rows import row
from benchmarks.compare.records import RowFile
file, first = RowFile(Path(sys.argv[1])), int(sys.argv[2])
for seed in range(first, first + 1000):
    # A long curve makes a line of many pages, which a kill can tear.
    file.append(row("mt_grpo", seed, curve={"step": [float(seed)] * 5_000}))
    print(seed, flush=True)
"""


def test_published_rows_are_read_compressed(tmp_path):
    rows = [row(None, 0, tool=0.05), row("mt_grpo", 0, tool=0.2, exact=0.5)]
    for each in rows:
        RowFile(tmp_path).append(each)
    path = tmp_path / "rows.jsonl"
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert RowFile(tmp_path).read() == rows


def test_rows_come_back_as_they_went_in(tmp_path):
    rows = [row(None, 0, tool=0.05), row("mt_grpo", 0, tool=0.2, exact=0.5)]
    assert RowFile(tmp_path).read() == []
    assert all(RowFile(tmp_path).append(each) for each in rows)
    assert RowFile(tmp_path).read() == rows


def test_a_run_that_is_there_is_not_written_again(tmp_path):
    file = RowFile(tmp_path)
    assert file.append(row("mt_grpo", 0, tool=0.1))
    before = file.path.read_bytes()
    assert not file.append(row("mt_grpo", 0, tool=0.2))
    assert file.path.read_bytes() == before


@pytest.mark.parametrize("kept", [1, 40, -1])
def test_a_torn_last_line_is_passed_over_and_then_cut_off(tmp_path, kept):
    file = RowFile(tmp_path)
    file.append(row("grpo_mr", 0))
    whole = file.path.read_bytes()
    torn = row("mt_grpo", 0).model_dump_json().encode()
    file.path.write_bytes(whole + torn[:kept])
    assert file.read() == [row("grpo_mr", 0)]
    assert file.append(row("mt_grpo", 0))
    assert file.path.read_bytes() == whole + torn + b"\n"


@pytest.mark.parametrize("line", ["{}", "[1]", "nonsense", '{"schema_version": 99}'])
def test_a_whole_line_that_is_no_row_is_named(tmp_path, line):
    file = RowFile(tmp_path)
    file.append(row("grpo_mr", 0))
    with file.path.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(ValueError, match="line 2 is no row"):
        file.read()


def test_kill_9_loses_no_row_that_was_reported_and_doubles_none(tmp_path):
    draw, reported = random.Random(0), set[int]()
    for attempt in range(2):
        writers = [_writer(tmp_path, 10_000 * (2 * attempt + number)) for number in range(2)]
        for writer in writers:
            reported.add(int(writer.stdout.readline()))
        time.sleep(0.4 * draw.random())
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
        for writer in writers:
            told = writer.communicate()[0].splitlines(keepends=True)
            reported |= {int(line) for line in told if line.endswith(b"\n")}
    rows = RowFile(tmp_path).read()
    seeds = [each.run.seed for each in rows]
    assert reported <= set(seeds)
    assert len(seeds) == len(set(seeds))
    assert all(each.curve["step"] == [float(each.run.seed)] * 5_000 for each in rows)


def _writer(folder: Path, first: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _APPEND_FOREVER, str(folder), str(first)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_equal_runs_have_equal_ids_and_different_ones_do_not():
    base = row("mt_grpo", 0).run
    others = [row("mt_grpo", 1).run, row("grpo_mr", 0).run, row(None, 0).run]
    others.append(row("mt_grpo", 0, settings=settings(learning_rate=2e-3)).run)
    others.append(row("mt_grpo", 0, settings=settings(model_hash="sha256:other")).run)
    assert base.run_id == row("mt_grpo", 0).run.run_id == "mt_grpo-seed0-" + base.run_id[-10:]
    assert len({run.run_id for run in [base, *others]}) == 6


def test_differences_name_both_values():
    assert differences(settings(), settings()) == []
    assert differences(settings(), settings(steps=9)) == ["steps: 3 there, 9 now"]
