import _thread
import contextlib
import gc
import io
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings

import psutil
import pytest

from benchmarks.harness import ray_jobs, ray_task
from benchmarks.harness.progress import Bars, Lines, Status
from benchmarks.harness.ray_jobs import connect, run_jobs_on_ray
from benchmarks.harness.rows import JsonLines, Record
from benchmarks.harness.scheduler import Job, log_path, run_jobs


class _Recorder:
    def __init__(self):
        self.events, self.running, self.most = [], 0, 0

    def started(self, slot, title):
        self.running += 1
        self.most = max(self.most, self.running)
        self.events.append(("started", slot, title))

    def progressed(self, slot, status):
        self.events.append(("progressed", slot, status))

    def finished(self, slot, message):
        self.running -= 1
        self.events.append(("finished", slot, message))

    def close(self):
        self.events.append(("closed",))


class _Impatient(_Recorder):
    def progressed(self, slot, status):
        raise KeyboardInterrupt


class _Rows(JsonLines):
    """Rows of nothing but a run id."""

    def __init__(self, folder):
        super().__init__(folder, _Row, 1)


class _Row(Record):
    schema_version: int = 1
    run_id: str


def _on_ray(jobs, folder, *, slots, display):
    return run_jobs_on_ray(jobs, folder, slots=slots, display=display, rows=_Rows(folder))


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray", reason="needs turnenv[ray]")
    connect("local")
    yield ray
    ray.shutdown()
    # Ray forgets its own processes without waiting for them.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(params=["processes", pytest.param("ray", marks=pytest.mark.slow)])
def run(request):
    """Both places in which jobs run; what is true of one is true of the other."""
    if request.param == "processes":
        return run_jobs
    request.getfixturevalue("ray")
    return _on_ray


def _job(name, code):
    return Job(name, f"title of {name}", ("-c", code))


ROW = """
import sys
from pathlib import Path
with (Path(sys.argv[-1]) / "rows.jsonl").open("a") as file:
    file.write('{"schema_version": 1, "run_id": "%s"}\\n')
"""
STATUS = """
import sys, time
from pathlib import Path
from benchmarks.harness.progress import Status
from benchmarks.harness.ray_jobs import connect, run_jobs_on_ray
from benchmarks.harness.rows import JsonLines, Record
from benchmarks.harness.scheduler import status_path
Status(2, 5, "return 0.50").write(status_path(Path(sys.argv[-1]), "slow"))
"""


def test_all_jobs_run_a_few_at_a_time_and_failures_are_handed_back(tmp_path, run):
    code = "import os; print('slot', os.environ['SLOT'])"
    jobs = [_job(f"good{number}", code) for number in range(4)]
    jobs.insert(1, _job("bad", "print('before'); raise SystemExit(3)"))
    jobs.insert(2, _job("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    recorder = _Recorder()
    failures = run(jobs, tmp_path, slots=[{"SLOT": "0"}, {"SLOT": "1"}], display=recorder)
    assert {(failure.job.name, failure.exit_code) for failure in failures} == {("bad", 3), ("killed", -9)}
    assert recorder.most == 2
    assert recorder.events[-1] == ("closed",)
    started = [event[2] for event in recorder.events if event[0] == "started"]
    assert started == [job.title for job in jobs]
    assert log_path(tmp_path, "bad").read_text() == "before\n"
    assert log_path(tmp_path, "good3").read_text() in ("slot 0\n", "slot 1\n")
    assert any("FAILED with exit code 3" in event[-1] for event in recorder.events if event[0] == "finished")


def test_what_a_job_writes_is_in_the_folder_even_if_it_failed(tmp_path, run):
    code = ROW % "first" + "(Path(sys.argv[-1]) / 'kept.txt').write_text('kept'); raise SystemExit(1)"
    assert len(run([_job("bad", code)], tmp_path, slots=[{}], display=_Recorder())) == 1
    assert [row.run_id for row in _Rows(tmp_path).read()] == ["first"]
    assert (tmp_path / "kept.txt").read_text() == "kept"


def test_status_files_reach_the_display(tmp_path, run):
    class Satisfied(_Recorder):
        def progressed(self, slot, status):
            super().progressed(slot, status)
            seen.touch()

    recorder, seen = Satisfied(), tmp_path / "seen"
    wait = f"""
while not Path({str(seen)!r}).exists():
    time.sleep(0.1)
"""
    assert run([_job("slow", STATUS + wait)], tmp_path, slots=[{}], display=recorder) == []
    assert ("progressed", 0, Status(2, 5, "return 0.50")) in recorder.events
    assert recorder.events[-2][2].startswith("title of slow: return 0.50 (")


def test_an_interrupt_ends_the_processes(tmp_path, run):
    written = tmp_path / "pid"
    code = f"import os; from pathlib import Path; Path({str(written)!r}).write_text(str(os.getpid()))\n{STATUS}"
    with pytest.raises(KeyboardInterrupt):
        run([_job("slow", code + "time.sleep(600)")], tmp_path, slots=[{}], display=_Impatient())
    for _ in range(100):
        if not psutil.pid_exists(int(written.read_text())):
            break
        time.sleep(0.1)
    assert not psutil.pid_exists(int(written.read_text()))


def test_a_worker_that_was_started_in_the_background_is_interrupted(tmp_path):
    order = ray_task.Order(
        "slow", ("-c", "import time; time.sleep(20)"), str(tmp_path), str(tmp_path), {}, "log", "status"
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    interrupt = threading.Timer(1.0, _thread.interrupt_main)
    try:
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            ray_task.do(order, None)
    finally:
        interrupt.join()
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_an_interrupt_that_a_worker_loses_is_sent_again(tmp_path, ray, monkeypatch):
    ended = tmp_path / "ended"

    def hard_of_hearing(order, place, statuses):
        # Python drops an interrupt that comes while it frees an object; and a long sleep would notice none.
        try:
            with contextlib.suppress(KeyboardInterrupt):
                statuses.write.remote(order.name, '{"done": 1, "total": 2}')
                for _ in range(6000):
                    time.sleep(0.1)
            for _ in range(6000):
                time.sleep(0.1)
        finally:
            ended.touch()

    monkeypatch.setattr(ray_task, "_run", hard_of_hearing)
    # A busy machine may take longer than the patience after which the task is ended by force.
    monkeypatch.setattr(ray_jobs, "_CANCELS", 30)
    with pytest.raises(KeyboardInterrupt):
        _on_ray([_job("slow", "")], tmp_path, slots=[{}], display=_Impatient())
    assert ended.exists()


@pytest.mark.slow
def test_a_job_whose_worker_is_lost_begins_again_once(tmp_path, ray):
    code = f"""
import os, signal
from pathlib import Path
tries = Path({str(tmp_path)!r}, "tries %s")
tries.write_text(tries.read_text() + "x" if tries.exists() else "x")
if len(tries.read_text()) <= %d:
    os.kill(os.getppid(), signal.SIGKILL)
    raise SystemExit(7)
"""
    jobs = [_job("once", code % ("once", 1) + ROW % "once"), _job("ever", code % ("ever", 9) + ROW % "ever")]
    recorder = _Recorder()
    (failure,) = _on_ray(jobs, tmp_path, slots=[{}, {}], display=recorder)
    assert (failure.job.name, failure.exit_code) == ("ever", 1)
    assert "worker died" in failure.log.read_text()
    assert [(tmp_path / f"tries {name}").read_text() for name in ("once", "ever")] == ["xx", "xx"]
    assert [row.run_id for row in _Rows(tmp_path).read()] == ["once"]
    assert sorted(event[0] for event in recorder.events if event[0] != "progressed") == (
        ["closed"] + ["finished"] * 2 + ["started"] * 2
    )


@pytest.mark.slow
def test_a_machine_without_the_folder_says_so_in_the_log(tmp_path, ray, monkeypatch):
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    away.rmdir()
    monkeypatch.setattr("benchmarks.harness.ray_jobs.Path.cwd", lambda: away)
    (failure,) = _on_ray([_job("job", "")], tmp_path, slots=[{}], display=_Recorder())
    assert f"has no folder {away}" in failure.log.read_text()


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_error(tmp_path):
    pytest.importorskip("ray", reason="needs turnenv[ray]")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        code = f"""
from benchmarks.harness.ray_jobs import connect
for address in ("{address}", "ray://{address}", "nonsense"):
    try:
        connect(address)
    except (ConnectionError, ValueError) as error:
        print(type(error).__name__, error)
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    said = done.stdout.splitlines()
    assert said[0].startswith(f"ConnectionError --ray {address}: no cluster answers there")
    assert said[1].startswith(f"ConnectionError --ray ray://{address}: no cluster answers there")
    assert said[2] == "ValueError --ray takes local, auto, host:port or ray://host:port; got 'nonsense'"


def test_a_log_gets_one_line_a_run_and_no_control_characters():
    stream = io.StringIO()
    lines = Lines(stream, 2)
    for number in range(2):
        lines.started(0, f"run {number}")
        for done in range(100):
            lines.progressed(0, Status(done, 100))
        lines.finished(0, f"run {number}: success 50.0%")
    lines.close()
    assert stream.getvalue() == "[1/2] run 0: success 50.0%\n[2/2] run 1: success 50.0%\n"


def test_a_long_silence_is_broken(monkeypatch):
    clock = iter([0.0, 10.0, 31.0, 31.0])
    monkeypatch.setattr("benchmarks.harness.progress.time.monotonic", lambda: next(clock))
    stream = io.StringIO()
    lines = Lines(stream, 1)
    lines.started(0, "mt_grpo seed 0")
    lines.progressed(0, Status(1, 9, "return 0.10"))
    lines.progressed(0, Status(4, 9, "return 0.20"))
    assert stream.getvalue() == "mt_grpo seed 0 4/9 return 0.20\n"


def test_bars_show_each_run_and_the_whole():
    stream = io.StringIO()
    bars = Bars(stream, 1, 1)
    bars.started(0, "mt_grpo seed 0")
    bars.progressed(0, Status(4, 9, "return 0.20"))
    bars.finished(0, "mt_grpo seed 0: done")
    bars.close()
    shown = stream.getvalue()
    assert "mt_grpo seed 0:  44%" in shown
    assert "4/9" in shown
    assert "return 0.20" in shown
    assert "mt_grpo seed 0: done\n" in shown
