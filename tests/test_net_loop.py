"""The process's event loop: deadlines, clients that are kept and closed, forks, and a quiet end."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from turnenv.net.loop import ask, await_on_loop, kept, submit


async def name_of_thread() -> str:
    return threading.current_thread().name


def run(code: str) -> str:
    """What a fresh process prints; it has to end well, in time, without a word on stderr."""
    begin = "import os, sys\nimport anyio\nfrom turnenv.net.loop import await_on_loop, kept, submit\n"
    command = [sys.executable, "-W", "error", "-c", begin + textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_many_threads_share_one_loop() -> None:
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: await_on_loop(name_of_thread(), 10.0), range(32)))
    assert names == {"turnenv-network"}


def test_a_coroutine_past_its_deadline_is_cancelled() -> None:
    cancelled = threading.Event()

    async def forever() -> None:
        try:
            await anyio.sleep(60)
        finally:
            cancelled.set()

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        await_on_loop(forever(), 0.1)
    assert cancelled.is_set()
    assert time.monotonic() - began < 5.0


def test_what_a_coroutine_raises_reaches_the_caller() -> None:
    async def fails() -> None:
        raise LookupError("nothing here")

    with pytest.raises(LookupError, match="nothing here"):
        await_on_loop(fails(), 10.0)
    with pytest.raises(LookupError, match="nothing here"):
        submit(fails()).result(10.0)


def test_passing_failures_are_retried_and_others_are_not() -> None:
    left = [ConnectionError("1"), ConnectionError("2")]

    async def attempt() -> str:
        if left:
            raise left.pop()
        return "answer"

    assert ask(attempt, passing=ConnectionError, max_attempts=3, backoff=0.0, deadline=10.0) == "answer"
    left[:] = [ConnectionError("1"), LookupError("2")]
    with pytest.raises(LookupError):
        ask(attempt, passing=ConnectionError, max_attempts=3, backoff=0.0, deadline=10.0)
    left[:] = [ConnectionError(str(number)) for number in range(9)]
    with pytest.raises(ConnectionError):
        ask(attempt, passing=ConnectionError, max_attempts=3, backoff=0.0, deadline=10.0)
    assert len(left) == 6


def test_a_client_is_made_once_per_key() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    first, again, other = (kept(("test", key), make) for key in (1, 1, 2))
    assert first is again
    assert other is not first
    assert len(made) == 2


def test_clients_are_closed_on_the_loop_when_the_process_ends() -> None:
    assert run(
        """
        import threading
        class Client:
            async def aclose(self): print("closed in", threading.current_thread().name, flush=True)
        async def nothing(): pass
        await_on_loop(nothing(), 10.0)
        kept("client", Client, Client.aclose)
        """
    ) == ("closed in turnenv-network\n")


@pytest.mark.parametrize("hangs", ["await anyio.sleep(3600)", "raise OSError('gone')"])
def test_a_client_that_does_not_close_holds_nobody_up(hangs: str) -> None:
    run(
        f"""
        from turnenv.net import loop
        loop._CLOSING = 0.2
        class Client:
            async def aclose(self): {hangs}
        async def nothing(): pass
        await_on_loop(nothing(), 10.0)
        kept("client", Client, Client.aclose)
        """
    )


def test_a_process_ends_while_a_request_is_under_way() -> None:
    run(
        """
        submit(anyio.sleep(3600))
        """
    )


def test_a_forked_child_has_a_loop_of_its_own_and_ends_like_any_process() -> None:
    printed = run(
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        async def pid(): return os.getpid()
        assert await_on_loop(pid(), 10.0) == os.getpid()
        if os.fork() == 0:
            print("child", await_on_loop(pid(), 10.0) == os.getpid(), flush=True)
            sys.exit(7)
        print("exit code", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        if os.fork() == 0:
            sys.exit(8)  # which never used its loop
        print("exit code", os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        print("parent", await_on_loop(pid(), 10.0) == os.getpid(), flush=True)
        """
    )
    assert printed.splitlines() == ["child True", "exit code 7", "exit code 8", "parent True"]
