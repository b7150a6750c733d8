"""The committed pages and golden episodes are what the code makes, and the pages' first steps run."""

import re

import pytest

from agents.scripted import family_of
from benchmarks.__main__ import main
from benchmarks.environments import pages
from benchmarks.environments.docstrings import read_docstring
from benchmarks.environments.scripted_scores import AGENTS, Score, play, read_scores
from turnenv import Episode, Scripted, collect
from turnenv.envs import IDS

FIX = "run `python -m benchmarks pages` and commit"


def golden_file(env_id):
    return pages.GOLDEN / f"{env_id.partition('/')[2]}.jsonl"


def test_the_pages_are_what_the_code_says():
    differences = "".join(pages.changes(pages.pages(read_scores(pages.SCORES)) | committed_goldens()))
    assert not differences, differences + FIX


def committed_goldens():
    """They have a test of their own for each id."""
    return {golden_file(env_id): golden_file(env_id).read_text(encoding="utf-8") for env_id in IDS}


@pytest.mark.parametrize("env_id", IDS)
def test_the_agents_play_the_golden_episodes_byte_for_byte(env_id):
    assert pages.golden(env_id) == golden_file(env_id).read_text(encoding="utf-8"), FIX


@pytest.mark.parametrize("env_id", IDS)
def test_the_environment_answers_the_golden_actions_as_recorded(env_id):
    for line in golden_file(env_id).read_text(encoding="utf-8").splitlines():
        recorded = Episode.from_json(line)
        actions = (turn.action for turn in recorded.turns)
        (played,) = collect(env_id, Scripted(lambda actions=actions: lambda seen: next(actions)), [recorded.seed])
        assert (played.turns, played.outcome) == (recorded.turns, recorded.outcome)
        assert (played.task, played.final_observation) == (recorded.task, recorded.final_observation)


@pytest.mark.parametrize("family", sorted({family_of(env_id) for env_id in IDS}))
def test_the_first_steps_of_a_page_run_and_print_what_they_promise(family, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (pages.PAGES / f"{family}.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, f"{family}.md", "exec"), {"__name__": "page"})
    assert capsys.readouterr().out.splitlines() == re.findall(r"#> (.*)", code)


def test_the_recorded_scores_cover_every_id_and_keep_the_bars():
    recorded = read_scores(pages.SCORES)
    assert list(recorded) == [(env_id, agent) for env_id in IDS for agent in AGENTS]
    for (_, agent), row in recorded.items():
        assert row.seeds == 500
        assert row.successes >= 475 if agent == "expert" else row.successes <= 100


def test_a_recorded_score_is_of_these_agents():
    for agent in AGENTS:
        env_id = "turnenv/GuessNumber-v0"
        assert Score.of(env_id, agent, play(env_id, agent, range(500))).result == (
            read_scores(pages.SCORES)[env_id, agent].result
        )


@pytest.mark.slow
def test_the_recorded_scores_are_what_the_agents_reach():
    assert pages.same_results(pages.measure())


def test_check_shows_the_difference_names_the_fix_and_writes_nothing(tmp_path, monkeypatch, capsys):
    for name in ("PAGES", "GOLDEN"):
        monkeypatch.setattr(pages, name, tmp_path / name)
    monkeypatch.setattr(pages, "IDS", ("turnenv/GuessNumber-v0", "turnenv/GuessNumber-hard-v0"))
    assert main(["pages", "--keep-scores"]) == 0
    assert main(["pages", "--keep-scores", "--check"]) == 0
    page, stray = tmp_path / "PAGES" / "GuessNumber.md", tmp_path / "GOLDEN" / "Gone-v0.jsonl"
    page.write_text(page.read_text(encoding="utf-8").replace("hidden", "visible", 1), encoding="utf-8")
    stray.write_text("", encoding="utf-8")
    altered = page.read_text(encoding="utf-8")
    capsys.readouterr()
    assert main(["pages", "--keep-scores", "--check"]) == 1
    said = capsys.readouterr().out
    assert re.search(r"^-.*visible", said, re.MULTILINE)
    assert re.search(r"^\+.*hidden", said, re.MULTILINE)
    assert "Gone-v0.jsonl belongs to no id: delete it" in said
    assert FIX in said
    assert page.read_text(encoding="utf-8") == altered


def test_a_docstring_is_read_into_prose_and_arguments():
    def documented():
        """Say what.

        More of it.

        Args:
            first: one thing,
                told at length.
            second: another.

        Raises:
            ValueError: never.
        """

    assert read_docstring(documented) == (
        "Say what.\n\nMore of it.",
        {"first": "one thing, told at length.", "second": "another."},
    )


def test_wilsons_interval_of_a_score():
    episodes = play("turnenv/GuessNumber-v0", "expert", range(10))
    # 10 of 10: n/(n + z²) to 1.
    assert Score.of("x", "expert", episodes).success_interval == pytest.approx((10 / (10 + 1.959964**2), 1.0))
