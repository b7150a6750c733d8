import io
import sys
import time

from benchmarks.harness.progress import Bars, Lines, Status
from benchmarks.harness.scheduler import Job, log_path, run_jobs, status_path


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


def _job(name, code):
    return Job(name, f"title of {name}", (sys.executable, "-c", code))


def test_all_jobs_run_a_few_at_a_time_and_failures_are_handed_back(tmp_path):
    code = "import os; print('slot', os.environ['SLOT'])"
    jobs = [_job(f"good{number}", code) for number in range(4)]
    jobs.insert(1, _job("bad", "print('before'); raise SystemExit(3)"))
    jobs.insert(2, _job("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"))
    recorder = _Recorder()
    failures = run_jobs(jobs, tmp_path, slots=[{"SLOT": "0"}, {"SLOT": "1"}], display=recorder)
    assert {(failure.job.name, failure.exit_code) for failure in failures} == {("bad", 3), ("killed", -9)}
    assert recorder.most == 2
    assert recorder.events[-1] == ("closed",)
    assert log_path(tmp_path, "bad").read_text() == "before\n"
    assert log_path(tmp_path, "good3").read_text() in ("slot 0\n", "slot 1\n")
    assert any("FAILED with exit code 3" in event[-1] for event in recorder.events if event[0] == "finished")


def test_status_files_reach_the_display(tmp_path):
    path = status_path(tmp_path, "slow")
    code = f"""
import time
from pathlib import Path
from benchmarks.harness.progress import Status
Status(2, 5, "return 0.50").write(Path({str(path)!r}))
time.sleep(1)
"""
    recorder = _Recorder()
    assert run_jobs([_job("slow", code)], tmp_path, slots=[{}], display=recorder) == []
    assert ("progressed", 0, Status(2, 5, "return 0.50")) in recorder.events


def test_an_interrupt_ends_the_processes(tmp_path):
    class Impatient(_Recorder):
        def progressed(self, slot, status):
            raise KeyboardInterrupt

    path, mark = status_path(tmp_path, "long"), tmp_path / "mark"
    code = f"""
import time
from pathlib import Path
from benchmarks.harness.progress import Status
Status(0, 1).write(Path({str(path)!r}))
time.sleep(3)
Path({str(mark)!r}).touch()
"""
    began = time.monotonic()
    try:
        run_jobs([_job("long", code)], tmp_path, slots=[{}], display=Impatient())
    except KeyboardInterrupt:
        interrupted = True
    assert interrupted
    assert time.monotonic() - began < 3
    time.sleep(max(0.0, 3.5 - (time.monotonic() - began)))
    assert not mark.exists()


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
