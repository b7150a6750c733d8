"""A file of episodes, one gzip member each: a kill at any instant leaves at most a torn last one, which is dropped."""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from turnenv.atomic import replacing
from turnenv.types import Episode

__all__ = ["EpisodeFile", "read_episodes"]

_GZIP = b"\x1f\x8b"
_AS_GZIP = 31


class EpisodeFile:
    """`NAME.jsonl.gz`, to which finished episodes are appended; `gzip` and `zcat` read it.

    Args:
        path: the file; what a kill left unfinished at its end is cut off, so only one process may write.
        drop_faults: take the episodes that ended in a fault out of the file.

    Attributes:
        episodes: those in the file.

    Raises:
        ValueError: a whole line is no episode.
    """

    def __init__(self, path: Path, *, drop_faults: bool = False) -> None:
        content = path.read_bytes() if path.exists() else b""
        lines, whole = _members(content)
        self.episodes = [Episode.from_json(line) for line in lines]
        self._lock = threading.Lock()
        if drop_faults and any(episode.faulted for episode in self.episodes):
            self.episodes = [episode for episode in self.episodes if not episode.faulted]
            content = b"".join(map(_member, self.episodes))
            whole = len(content)
            with replacing(path) as partial:
                partial.write_bytes(content)
        self._file: BinaryIO = path.open("ab")
        if whole < len(content):
            self._file.truncate(whole)

    def append(self, episode: Episode) -> None:
        """Add an episode, in one write."""
        member = _member(episode)
        with self._lock:
            self.episodes.append(episode)
            self._file.write(member)
            self._file.flush()

    def close(self) -> None:
        """No more episodes."""
        self._file.close()


def read_episodes(path: Path) -> list[Episode]:
    """The episodes of a file, compressed or not; a torn last one is left out.

    Raises:
        OSError: it cannot be read.
        ValueError: a whole line is no episode.
    """
    content = path.read_bytes()
    if content.startswith(_GZIP):
        return [Episode.from_json(line) for line in _members(content)[0]]
    lines = content.decode("utf-8", errors="replace").split("\n")
    # What follows the last line break is torn, or empty, or the last line of a file that ends without one.
    last = lines.pop()
    episodes = [Episode.from_json(line) for line in lines if line.strip()]
    try:
        return [*episodes, Episode.from_json(last)] if last.strip() else episodes
    except ValueError:
        if episodes:
            return episodes
        raise


def _member(episode: Episode) -> bytes:
    return gzip.compress(f"{episode.to_json()}\n".encode(), mtime=0)


def _members(content: bytes) -> tuple[list[str], int]:
    """The lines of all whole gzip members, and where the last of these ends."""
    members = list(_whole_members(content))
    lines = [line for text, _ in members for line in text.decode("utf-8").split("\n") if line.strip()]
    return lines, members[-1][1] if members else 0


def _whole_members(content: bytes) -> Iterator[tuple[bytes, int]]:
    rest = memoryview(content)
    while rest:
        reader = zlib.decompressobj(_AS_GZIP)
        try:
            text = reader.decompress(rest)
        except zlib.error:
            return
        if not reader.eof:
            return
        rest = rest[len(rest) - len(reader.unused_data) :]
        yield text, len(content) - len(rest)
