"""Pages: every number has a receipt that adds up, nothing is executed or fetched, and what is left out is said."""

import base64
import gzip
import json
import random
import re

import numpy as np
import pytest
from report_episodes import HOSTILE, episode, group, hostile_plays, many_plays, plays

import turnenv
from turnenv.credit import ESTIMATORS, SPECS
from turnenv.groups import Group, Member
from turnenv.report.columns import columns_of, comparable, scores_of, terms_of
from turnenv.report.elements import paragraph
from turnenv.report.page import Section, page
from turnenv.report.plays import Run, plays_of_episodes, plays_of_groups, plays_of_held_out
from turnenv.report.sources import plays_of

METHODS = [("grpo_or", {}), ("grpo_mr", {}), ("gdpo", {}), ("mt_grpo", {}), ("mt_grpo", {"lam": 0.5})]


def unpacked(html, name):
    text = re.search(rf'<script type="text/plain" id="turnenv-{name}">(.*?)</script>', html)
    assert text is not None
    return json.loads(gzip.decompress(base64.b64decode(text[1])))


@pytest.mark.parametrize(("name", "options"), [*METHODS, ("mt_grpo", {"final_turn": "turn+outcome"})])
def test_the_terms_of_a_receipt_sum_to_the_advantage(name, options):
    shown = plays()
    terms, scores = terms_of(name, options), scores_of(shown)
    assert terms is not None
    (column,) = [each for each in columns_of(shown, [(name, options)]) if each.name not in ("used", "truth")]
    for play, values, score in zip(shown, column.values, scores.of_play, strict=True):
        assert values is not None
        assert score is not None
        for turn, value in enumerate(values):
            part = terms["last" if turn == len(values) - 1 else "before"]
            due = sum(weight * (score["t"][turn] if what == "t" else score[what]) for what, weight in part)
            assert value == pytest.approx(0.0 if play.episode.faulted else due, abs=6e-4)


def test_no_terms_are_shown_of_what_is_no_such_sum():
    assert terms_of("return_to_go", {}) is None
    assert terms_of("grpo_mr", {"scale": "none"}) is None
    assert terms_of("mt_grpo", {"accumulate": True}) is None


def test_columns_are_what_the_estimators_make_of_each_group_alone():
    shown = plays(3)
    names = comparable()
    assert not {"aw_grpo", "reinforce_pp", "placebo", "turn_gae", "oracle"} & set(names)
    columns = {column.name: column for column in columns_of(shown, [(name, {}) for name in SPECS])}
    assert set(columns) == {*names, "tree_backup", "used", "truth"}
    batch = group().batch()
    for name in names:
        due_BK = ESTIMATORS[name](batch)
        for row in range(4):
            values = columns[name].values[4 + row]
            assert values is not None
            np.testing.assert_allclose(values, due_BK[row, : len(values)], atol=6e-4)
    assert columns["used"].values[0] == [0.1, 0.9, -0.5]
    assert columns["truth"].values[1] == [0.0, -0.5, 0.1]


def test_a_group_with_a_reward_that_is_no_number_spoils_no_other():
    spoilt = Group("r", 1, 9, "mt_grpo", {}, (Member(episode((float("nan"),), 0.0)), Member(episode((0.0,), 1.0))))
    shown = [*plays(1), *plays_of_groups(Run("r", "r"), [spoilt])]
    columns = {column.name: column for column in columns_of(shown, METHODS)}
    assert columns["mt_grpo"].values[0] is not None
    assert columns["mt_grpo"].values[-1] is None
    html, _ = page("t", shown, METHODS)
    assert unpacked(html, "index")["index"]["rewards"][-2:] == [None, 0.0]


def test_equal_inputs_give_equal_bytes_and_nothing_is_fetched(tmp_path):
    sections = [Section("one", "One", paragraph("text"))]
    for name in ("a.html", "b.html"):
        page("t", plays(), METHODS, sections).write(tmp_path / name)
    content = (tmp_path / "a.html").read_text()
    assert content == (tmp_path / "b.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)|url\(|@import|https?://|fetch\(|XMLHttp""", content)
    assert "default-src 'none'" in content


def test_hostile_texts_are_data_and_nowhere_markup(tmp_path):
    page(HOSTILE[0], hostile_plays(), METHODS).write(tmp_path / "h.html")
    content = (tmp_path / "h.html").read_bytes().decode("utf-8")
    assert "owned" not in content.replace("document.title=&#39;owned&#39;", "")
    assert "\x00" not in content
    texts = unpacked(content, "block-0")
    assert [each["said"][0] for each in texts[: len(HOSTILE)]] == list(HOSTILE)


def test_what_does_not_fit_is_left_out_and_named():
    shown = many_plays(400)
    html, packed = page("t", shown, METHODS, max_mb=1.5)
    assert packed.count < 400
    assert len(html) < 1_500_000
    assert packed.left_out == (f"{400 - packed.count} of 400 episodes are left out.",)
    index = unpacked(html, "index")
    assert len(index["index"]["id"]) == packed.count
    assert index["meta"]["leftOut"] == list(packed.left_out)
    assert max(place for each in index["groups"] for place in each["members"]) == packed.count - 1


def test_tokens_go_first():
    long = [Member(episode((0.0,), 1.0, text="a b"), tokens=(("x" * 40_000 + str(n),),)) for n in range(200)]
    html, packed = page("t", plays_of_groups(Run("r", "r"), [Group("r", 1, 0, "", {}, tuple(long))]), max_mb=1.21)
    assert packed.count == 200
    assert packed.left_out == ("Tokens are left out.",)
    assert unpacked(html, "block-0")[0]["tokens"] is None


def test_long_texts_of_the_environment_go_before_episodes():
    noise = random.Random(0).randbytes(30_000).hex()
    long = [episode((0.0,), 1.0, text=noise[number : number + 50_000]) for number in range(3)]
    html, packed = page("t", plays_of_episodes(long), max_mb=1.35)
    assert packed.count == 3
    assert packed.left_out == ("Texts of the environment are cut in the middle beyond 2,000 characters.",)
    assert "[… 48,000 characters left out …]" in unpacked(html, "block-0")[0]["seen"][0]


def test_ids_of_links_are_of_the_episodes_and_unique():
    assert [play.id for play in plays()][:2] == ["mt_grpo-seed0-ab/s1.g0.m0", "mt_grpo-seed0-ab/s1.g0.m1"]
    again = plays_of_held_out(Run("r", "r"), [episode((0.0,), 1.0)] * 3)
    assert len({play.id for play in again}) == 3
    assert not any(play.compared for play in again)
    together = plays_of_episodes([episode((0.0,), 1.0), episode((1.0,), 0.0), episode((1.0,), 0.0, task=4)])
    assert [(play.compared, play.number) for play in together] == [(True, 0), (True, 1), (False, -1)]


def test_keys_are_strings_beyond_what_javascript_counts():
    html, _ = page("t", plays())
    assert unpacked(html, "block-0")[0]["keys"][0] == str(2**63)


def test_sources_are_files_and_folders(tmp_path):
    (tmp_path / "groups").mkdir()
    (tmp_path / "episodes").mkdir()
    (tmp_path / "groups" / "mt_grpo-seed0-ab.jsonl").write_text(group().to_json() + "\n")
    (tmp_path / "episodes" / "mt_grpo-seed0-ab.jsonl").write_text(episode((0.0,), 1.0).to_json() + "\n")
    found = plays_of([tmp_path])
    assert [play.played for play in found] == ["training, step 1"] * 4 + ["held-out"]
    assert {play.run.title for play in found} == {"mt_grpo, seed 0"}
    assert len(plays_of([tmp_path / "groups" / "mt_grpo-seed0-ab.jsonl"])) == 4
    with pytest.raises(ValueError, match="there is no"):
        plays_of([tmp_path / "nothing"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="holds no episodes"):
        plays_of([tmp_path / "empty"])


def test_show_puts_the_viewer_into_a_frame():
    shown = turnenv.show([episode((0.0, 1.0), 1.0), episode((1.0, 0.0), 0.0)], estimators=["mt_grpo"])
    framed = shown._repr_html_()
    assert framed.startswith('<iframe srcdoc="&lt;!doctype html&gt;')
    assert 'sandbox="allow-scripts"' in framed
    assert unpacked(shown.html, "index")["meta"]["columns"][0]["name"] == "mt_grpo"
    assert len(turnenv.show([group()]).html) > 10_000
    with pytest.raises(ValueError, match="there are no episodes"):
        turnenv.show([])
    with pytest.raises(ValueError, match="did you mean 'mt_grpo'"):
        turnenv.show([episode((0.0,), 1.0)], estimators=["mt_grop"])
