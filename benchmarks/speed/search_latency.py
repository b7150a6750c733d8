"""Measure how long a batch of episodes waits for a live retrieval server, in a fresh process and in a warm one."""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.harness.options import add_json
from benchmarks.speed.server_process import in_a_process

AIM = 1.3
"""Seconds for 64 episodes of 4 turns against a server of 200 ms latency, one search per turn."""
EXAMPLES = """\
examples:
  python -m benchmarks search-latency
  python -m benchmarks search-latency --episodes 8 --turns 2 --latency 0.05 --rounds 1 --json
"""
_BATCHES = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--episodes", type=int, default=64, help="episodes in a batch")
    parser.add_argument("--turns", type=int, default=4, help="searches per episode")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds that the server takes for each search")
    parser.add_argument("--rounds", type=int, default=5, help="fresh processes; medians are shown")
    add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Measure and print.

    Raises:
        ConnectionError: if a process ended without its measurement.
    """
    from benchmarks.harness.tables import print_tables

    with _server(given.latency) as url:
        rounds = [_in_a_fresh_process(url, given.episodes, given.turns) for _ in range(given.rounds)]
    names = ["gym.make_vec, with imports", "cold: first batch", *["warm"] * (_BATCHES - 1)]
    what = f"{given.episodes} episodes × {given.turns} turns"
    rows = [
        {what: name, "median, s": statistics.median(seconds), "longest, s": max(seconds)}
        for name, *seconds in zip(names, *rounds, strict=True)
    ]
    share = given.turns * given.latency
    print(f"server's own share: {share:.2f} s; the aim is {AIM} s for 64 × 4 at 0.2 s", file=sys.stderr)
    print_tables({"batches": rows}, {"median, s": ".2f", "longest, s": ".2f"}, as_json=given.json)
    return 0


def _in_a_fresh_process(url: str, episodes: int, turns: int) -> list[float]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_play, args=(sender, url, episodes, turns))
    child.start()
    sender.close()
    try:
        seconds: list[float] = receiver.recv()
    except EOFError as error:
        raise ConnectionError("a measuring process ended early; its error is above") from error
    finally:
        child.join()
    return seconds


def _play(sender: Connection, url: str, episodes: int, turns: int) -> None:
    """Seconds to make the batch, then for each batch of episodes played in it, the reset included."""
    began = time.perf_counter()
    import gymnasium

    import turnenv  # noqa: F401
    from turnenv.actions import XmlGrammar
    from turnenv.search.retrieval import RetrievalSearch

    options: dict[str, Any] = {"search": RetrievalSearch(url), "max_turns": turns + 1, "max_searches": turns}
    batch = gymnasium.make_vec("turnenv/TriviaSearch-v0", num_envs=episodes, **options)
    seconds = [time.perf_counter() - began]
    for _ in range(_BATCHES):
        began = time.perf_counter()
        batch.reset(seed=0)
        for turn in range(turns):
            actions = [XmlGrammar().call("search", {"query": f"{turn} {row}"}) for row in range(episodes)]
            _, _, terminated, truncated, _ = batch.step(actions)
            if (terminated | truncated).any():
                raise RuntimeError("an episode ended early: the server failed")
        seconds.append(time.perf_counter() - began)
    batch.close()
    sender.send(seconds)


@contextlib.contextmanager
def _server(latency: float) -> Iterator[str]:
    """A retrieval server in a process of its own, which shares no lock with its clients."""
    with in_a_process(_serve, latency) as port:
        yield f"http://127.0.0.1:{port}/retrieve"


def _serve(sender: Connection, latency: float) -> None:
    hit = {"document": {"contents": '"Paris"\nParis is the capital of France.'}, "score": 1.0}
    body = json.dumps({"result": [[hit]]}).encode()
    waiting = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            waiting.wait(latency)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    server = Server(("127.0.0.1", 0), Handler)
    sender.send(server.server_address[1])
    server.serve_forever()
