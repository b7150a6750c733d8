"""A server in a process of its own: one that does not start is an error, and not a wait without an end."""

import multiprocessing

import pytest

from benchmarks.speed.server_process import in_a_process


def serve(sender, latency):
    if latency < 0.0:
        raise SystemExit(1)
    sender.send(4321)
    multiprocessing.Event().wait()


def test_the_port_is_what_the_server_sends():
    with in_a_process(serve, 0.0) as port:
        assert port == 4321
    assert not multiprocessing.active_children()


def test_a_server_that_ends_at_once_is_an_error():
    with pytest.raises(OSError, match="the server ended before it listened"), in_a_process(serve, -1.0):
        pass
