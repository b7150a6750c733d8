"""Groups: the episodes of one task with the advantages that they were trained on, one line of JSON each."""

from __future__ import annotations

import contextlib
import gzip
import json
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from turnenv.credit import TurnBatch
from turnenv.types import End, Episode

_GZIP = b"\x1f\x8b"
SCHEMA = 1
"""The version of a line's format; it grows when a field is renamed or removed."""


@dataclass(frozen=True, slots=True)
class Member:
    """An episode of a group, and how it was used in training.

    Attributes:
        episode: as it was played; long texts may have been shortened.
        advantages: of each turn, as used, (K,); NaN where the estimator gave no number; empty if none was computed.
        trained: False if it had no part in the gradient, because it faulted or was dropped as truncated.
        parent: where it branched off another member, as (member, turn), both counted from 0; None at the start.
        tokens: the text of each sampled token, by turn; None if no model acted, or they were left out.
        truth: the true advantage of each turn, (K,), where it is known; empty elsewhere.
    """

    episode: Episode
    advantages: tuple[float, ...] = ()
    trained: bool = True
    parent: tuple[int, int] | None = None
    tokens: tuple[tuple[str, ...], ...] | None = None
    truth: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Episodes of one task, which an estimator compared.

    Attributes:
        run: the training run; "" if unknown.
        step: the optimizer step that it was played for, from 1 on; 0 outside training.
        number: of the group among those of its step.
        estimator: the name of the estimator that computed the advantages; "" if none did.
        options: that the estimator was called with.
        members: in order.
    """

    run: str
    step: int
    number: int
    estimator: str
    options: Mapping[str, Any]
    members: tuple[Member, ...] = field(default=())

    def batch(self) -> TurnBatch:
        """What an estimator is given of it, with branches and the true advantages if all members have them."""
        members = self.members
        parents = [(-1, -1) if member.parent is None else member.parent for member in members]
        known = all(len(member.truth) == len(member.episode.turns) for member in members)
        return turn_batch(
            [member.episode for member in members],
            len(members),
            parents=parents if any(member.parent is not None for member in members) else None,
            true_advantages=[member.truth for member in members] if known else None,
        )

    def to_json(self) -> str:
        """One line of JSON. State keys are strings (JavaScript rounds 64 bits); NaN and infinities are null."""
        return json.dumps(_plain({"schema": SCHEMA, **asdict(self)}), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Group:
        """Read back what `to_json` wrote; null is NaN.

        Raises:
            ValueError: if the line is not a group of this schema; the message says why.
        """
        try:
            fields = json.loads(line)
            if fields.pop("schema") != SCHEMA:
                raise ValueError("another schema")
            return cls(**{**fields, "members": tuple(map(_member, fields["members"]))})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"this line is not a group written by turnenv ({error!r}): {line[:80]!r}") from error


def read_groups(path: Path) -> list[Group]:
    """The groups of a file, compressed or not; a torn last line is left out.

    Raises:
        OSError: it cannot be read.
        ValueError: a complete line is not a group.
    """
    content = path.read_bytes()
    text = (_unzipped(content) if content.startswith(_GZIP) else content).decode("utf-8")
    *lines, last = text.split("\n")
    groups = [Group.from_json(line) for line in lines if line.strip()]
    if last.strip():
        # Torn, or the last line of a file that ends without a line break.
        with contextlib.suppress(ValueError):
            groups.append(Group.from_json(last))
    return groups


def _unzipped(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"a compressed file that is cut off or damaged: {error}") from error


def turn_batch(
    episodes: Sequence[Episode],
    group_size: int,
    values: Sequence[Sequence[float]] | None = None,
    **known: Any,
) -> TurnBatch:
    """`batch_of` B episodes of which each `group_size` consecutive ones are a group."""
    return batch_of(episodes, [row // group_size for row in range(len(episodes))], values=values, **known)


def batch_of(
    episodes: Sequence[Episode],
    group_ids: Sequence[int],
    *,
    values: Sequence[Sequence[float]] | None = None,
    parents: Sequence[tuple[int, int]] | None = None,
    true_advantages: Sequence[Sequence[float]] | None = None,
) -> TurnBatch:
    """Make an estimator's input from B episodes.

    Of the optional fields it has those of `turnenv.credit.TRAINING_FIELDS`, and those that are given.
    """
    return TurnBatch.from_ragged(
        [episode.turn_rewards for episode in episodes],
        [episode.outcome.reward for episode in episodes],
        group_ids,
        truncated=[episode.outcome.end in (End.TURN_LIMIT, End.TOKEN_LIMIT) for episode in episodes],
        faulted=[episode.faulted for episode in episodes],
        state_keys=[[turn.state_key for turn in episode.turns] for episode in episodes],
        values=values,
        parents=parents,
        true_advantages=true_advantages,
    )


def _plain(value: Any, name: str = "") -> Any:
    if name == "state_key":
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(part, str(key)) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _member(fields: Mapping[str, Any]) -> Member:
    episode = dict(fields["episode"])
    episode["turns"] = [{**turn, **_numbers_of_turn(turn)} for turn in episode["turns"]]
    episode["outcome"] = {**episode["outcome"], "reward": _known(episode["outcome"]["reward"])}
    tokens, parent = fields["tokens"], fields["parent"]
    return Member(
        episode=Episode.from_json(json.dumps(episode)),
        advantages=_row(fields["advantages"]),
        trained=fields["trained"],
        parent=None if parent is None else (parent[0], parent[1]),
        tokens=None if tokens is None else tuple(map(tuple, tokens)),
        truth=_row(fields["truth"]),
    )


def _numbers_of_turn(turn: Mapping[str, Any]) -> dict[str, Any]:
    logprobs = turn["logprobs"]
    return {
        "state_key": int(turn["state_key"]),
        "turn_reward": _known(turn["turn_reward"]),
        "logprobs": None if logprobs is None else list(_row(logprobs)),
    }


def _row(values: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(map(_known, values))


def _known(value: float | None) -> float:
    return math.nan if value is None else value
