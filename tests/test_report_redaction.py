"""Redaction: nothing that matches is anywhere in a page, every number is as it was, and the page says so."""

import re

import pytest
from report_episodes import episode, group
from test_report_page import unpacked

from turnenv import End
from turnenv.commands.main import main
from turnenv.groups import Group, Member
from turnenv.report.page import page
from turnenv.report.plays import Run, plays_of_groups
from turnenv.report.redaction import Redactor, pattern_of

SECRET = "sk-1234"
METHODS = [("grpo_mr", {}), ("mt_grpo", {})]


def private_plays():
    members = (
        Member(
            episode((0.0, 1.0), 1.0, text=f"a {SECRET} b", said=f"use {SECRET}"), tokens=(("use", " sk-", "1234"),) * 2
        ),
        Member(episode((1.0, 0.0), 0.0, said="nothing"), tokens=(("not", "hing"),) * 2),
        Member(episode((0.0,), 0.0, end=End.FAULT, text=f"no {SECRET}")),
    )
    return plays_of_groups(Run("run", "run"), [Group("run", 1, 0, "mt_grpo", {}, members)])


def test_every_text_and_its_tokens_are_redacted():
    redactor = Redactor([pattern_of(r"sk-\d+")])
    html, _ = page("t", private_plays(), METHODS, redactor=redactor)
    first, second, fault = unpacked(html, "block-0")
    assert not re.search("sk-|1234", str((first, second, fault)))
    assert first["said"] == ["use [redacted: 7 characters]"] * 2
    assert first["seen"][0] == first["thought"][0] == first["last"] == "a [redacted: 7 characters] b"
    assert first["tokens"] == [["█"] * 3] * 2
    assert (second["said"], second["tokens"]) == (["nothing"] * 2, [["not", "hing"]] * 2)
    assert fault["fault"] == "no [redacted: 7 characters]"
    assert f"{redactor.count} passages were replaced by their lengths" in html


def test_no_number_changes():
    plain, _ = page("t", private_plays(), METHODS)
    numbers_only, _ = page("t", private_plays(), METHODS, redactor=Redactor([pattern_of("(?s).+")]))
    assert unpacked(numbers_only, "index") == unpacked(plain, "index")
    for one, other in zip(unpacked(numbers_only, "block-0"), unpacked(plain, "block-0"), strict=True):
        texts = {"seen", "said", "thought", "last", "fault", "tokens"}
        assert {name: one[name] for name in one if name not in texts} == {n: other[n] for n in other if n not in texts}
    assert "redacted" not in plain.partition("<script")[0]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        # The first takes a part of what the second matches.
        (["acme", r"key: acme-\d+"], "my [redacted: 14 characters], and"),
        # The second matches what the first writes.
        ([r"\d+", "redacted"], "my key: acme-[redacted: 4 characters], and"),
        # They overlap; they touch.
        (["key: acme", r"acme-\d+"], "my [redacted: 14 characters], and"),
        (["key: ", r"acme-\d+"], "my [redacted: 5 characters][redacted: 9 characters], and"),
        # Places between characters hold no text.
        ([r"\b", r"\d+|(?=a)"], "my key: acme-[redacted: 4 characters], and"),
    ],
)
def test_every_pattern_reads_the_recorded_text(patterns, left):
    redactor = Redactor(map(pattern_of, patterns))
    assert redactor.text("my key: acme-1234, and") == left
    assert redactor.count == left.count("redacted:")


def test_tokens_stay_where_nothing_is_replaced():
    redactor = Redactor([pattern_of(r"\b")])
    assert [play.member for play in redactor.plays(private_plays())] == [play.member for play in private_plays()]
    assert redactor.said().startswith("--redact matched nothing")


@pytest.mark.parametrize(
    ("pattern", "says"), [("(", "'(' is none: missing )"), ("x*", "matches the empty text too: write + in place of *")]
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern, says, tmp_path, capsys):
    with pytest.raises(ValueError, match=re.escape(says)):
        pattern_of(pattern)
    file = tmp_path / "g.jsonl"
    file.write_text(group().to_json() + "\n")
    assert main(["view", str(file), "--redact", pattern]) == 2
    assert says in capsys.readouterr().err


def test_the_command_says_how_much_it_redacted(tmp_path, capsys):
    file = tmp_path / "g.jsonl"
    file.write_text(group().to_json() + "\n")
    assert main(["view", str(file), "--redact", "go", "--redact", "loo"]) == 0
    assert "passages redacted; read the page before you pass it on" in capsys.readouterr().err
    assert main(["view", str(file), "--redact", "nobody"]) == 0
    assert "--redact matched nothing: every text is in the page as it was recorded" in capsys.readouterr().err
