"""Groups are kept as they were trained on, and survive JSON: big keys, NaN, hostile texts, torn files."""

import gzip
import json
import math

import numpy as np
import pytest

from turnenv import End, Episode, Outcome, Turn
from turnenv.credit import ESTIMATORS
from turnenv.groups import Group, Member, read_groups


def episode(
    rewards=(0.0, 1.0),
    outcome=1.0,
    *,
    key=12345678901234567891,
    end=End.ANSWERED,
    text="<script>\ud800\0",
    logprob=-1.5,
):
    turns = tuple(
        Turn(text, text, reward, {"part": reward}, key + k, True, (1, 2), (-0.5, logprob))
        for k, reward in enumerate(rewards)
    )
    return Episode("a/B-v0", 3, 7, turns, Outcome(outcome, outcome > 0, end, {"all": outcome}), text)


def group(*members, **changes):
    return Group(
        **{"run": "r", "step": 4, "number": 1, "estimator": "mt_grpo", "options": {"lam": 0.2}} | changes,
        members=members,
    )


def test_a_group_survives_json():
    kept = group(
        Member(episode(), (0.5, -0.5), tokens=(("a", "b"), ("c", "d"))),
        Member(episode(), (0.25, 0.0), False, parent=(0, 1), truth=(0.0, 0.1)),
    )
    assert Group.from_json(kept.to_json()) == kept


def test_keys_are_strings_and_what_is_no_number_is_null():
    line = group(Member(episode(logprob=-math.inf), (math.nan, math.inf))).to_json()
    fields = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    member = fields["members"][0]
    assert member["episode"]["turns"][0]["state_key"] == "12345678901234567891"
    assert member["episode"]["turns"][0]["logprobs"] == [-0.5, None]
    assert member["advantages"] == [None, None]
    assert math.isnan(Group.from_json(line).members[0].advantages[0])


def test_a_torn_last_line_is_left_out_and_another_line_is_named(tmp_path):
    path = tmp_path / "groups.jsonl"
    path.write_text(group(Member(episode())).to_json() + "\n" + '{"schema": 1, "run')
    assert len(read_groups(path)) == 1
    path.write_text('{"schema": 0}\n')
    with pytest.raises(ValueError, match="not a group written by turnenv"):
        read_groups(path)


def test_a_file_may_be_compressed_and_end_without_a_line_break(tmp_path):
    path, lines = tmp_path / "groups.jsonl.gz", "\n".join([group(Member(episode())).to_json()] * 2)
    for content in (lines.encode(), gzip.compress(lines.encode())):
        path.write_bytes(content)
        assert len(read_groups(path)) == 2
    for damaged in (content[:-9], content[:40], content[:-1] + b"x"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cut off or damaged"):
            read_groups(path)


def test_the_batch_of_a_group_gives_the_estimator_what_training_gave_it():
    members = [Member(episode((0.0, float(k)), float(k % 2))) for k in range(4)]
    batch = group(*members).batch()
    assert batch.parents is None
    assert batch.true_advantages is None
    assert ESTIMATORS["mt_grpo"](batch).any()
    branch = Member(episode((0.0, 5.0)), parent=(0, 1), truth=(0.0, 1.0))
    known = [Member(member.episode, truth=(0.0, 1.0)) for member in members]
    batch = group(*known, branch).batch()
    assert batch.parents is not None
    np.testing.assert_array_equal(batch.parents[-1], [0, 1])
    assert batch.true_advantages is not None
