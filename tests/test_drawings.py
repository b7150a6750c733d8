"""The drawings are what the code makes, and show what they say."""

import xml.etree.ElementTree as ElementTree

import pytest

from benchmarks.__main__ import main
from benchmarks.drawings.command import PICTURES
from benchmarks.drawings.credit_drawing import advantages, play_group


def test_the_committed_drawings_are_what_the_code_makes(tmp_path, capsys):
    assert main(["drawings", "--out", str(tmp_path)]) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"{name}-{theme}.svg" for name in ("credit", "house") for theme in ("dark", "light")]
    for name in names:
        made = (tmp_path / name).read_text(encoding="utf-8")
        assert made == (PICTURES / name).read_text(encoding="utf-8"), "run `python -m benchmarks drawings` and commit"
        assert ElementTree.fromstring(made).find("{http://www.w3.org/2000/svg}desc") is not None


def test_the_episode_drawn_is_one_where_the_two_disagree():
    episodes = play_group()
    first = episodes[0]
    assert first.outcome.success
    assert min(first.turn_rewards) == first.turn_rewards[1]
    assert advantages(episodes, "grpo_mr") == pytest.approx([0.86] * 6, abs=0.01)
    assert [value < 0 for value in advantages(episodes, "mt_grpo")] == [False, True, False, False, False, False]
