"""The commands that write pages: of an evaluation, of any episodes, of a comparison."""

import gzip
import json
from dataclasses import replace
from random import Random

import pytest
from benchmark_rows import row
from report_episodes import episode, group

from benchmarks.__main__ import main as harness
from benchmarks.compare.one_run import groups_path, transcripts_path
from benchmarks.compare.records import RowFile
from turnenv.commands.main import main


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "random"
    asked = ["evaluate", "GuessNumber", "GridQuest-easy", "--model", "random", "--episodes", "6", "--out", str(out)]
    assert main(asked) == 0
    return out


def test_the_page_of_an_evaluation_answers_and_says_how_to_repeat_it(evaluated, capsys):
    assert main(["report", str(evaluated), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written["bytes"] == (evaluated / "report.html").stat().st_size
    text = (evaluated / "report.html").read_text()
    assert "How well does random do on turnenv/GuessNumber‑v0 and turnenv/GridQuest‑easy‑v0?" in text
    assert "Success: GuessNumber 0.0 % (95 % interval 0.0 % … 39.0 %, 6 episodes)" in text.replace("‑", "-")
    assert (
        "turnenv evaluate turnenv/GuessNumber-v0 turnenv/GridQuest-easy-v0 --model random --episodes 6 --seed 0" in text
    )
    for heading in ("Rewards by component", "Reward by turn", "Turns, tokens and cost", "Settings", "Provenance"):
        assert f">{heading}</h2>" in text


def test_one_episode_is_one_episode(tmp_path, capsys):
    out = tmp_path / "one"
    assert main(["evaluate", "GuessNumber", "--model", "random", "--episodes", "1", "--out", str(out)]) == 0
    assert "1 episode, 0 faults" in capsys.readouterr().out
    assert main(["report", str(out)]) == 0
    text = (out / "report.html").read_text()
    assert "79.3 %, 1 episode)" in text
    assert "texts of 1 episode, with" in text


def test_view_writes_a_page_of_episodes(evaluated, tmp_path, capsys):
    assert main(["view", str(evaluated), "-o", str(tmp_path / "v.html")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'v.html'}\n"
    assert "Episodes <small>12</small>" in (tmp_path / "v.html").read_text()
    file = tmp_path / "some.jsonl"
    file.write_text(group().to_json() + "\n")
    assert main(["view", str(file), "--estimators", "gigpo,mt_grpo"]) == 0
    assert (tmp_path / "episodes.html").exists()


def test_view_reads_groups_compressed_and_writes_into_a_new_folder(tmp_path):
    file, out = tmp_path / "groups.jsonl.gz", tmp_path / "new" / "folder" / "v.html"
    file.write_bytes(gzip.compress(f"{group().to_json()}\n".encode()))
    assert main(["view", str(file), "-o", str(out), "--estimators", "gigpo, mt_grpo,"]) == 0
    assert "Episodes <small>4</small>" in out.read_text()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["report", "."], "holds no settings.json: pass the --out of turnenv evaluate"),
        (["view", "nowhere"], "there is no nowhere"),
        (["view", "."], "holds no episodes"),
        (["view", ".", "--estimators", "mt_grop"], "did you mean 'mt_grpo'"),
        (["view", ".", "--max-mb", "1"], "--max-mb takes a number of megabytes, at least 2; got 1"),
        (["view", ".", "--max-mb", "nan"], "--max-mb takes a number of megabytes, at least 2; got nan"),
        (["view", ".", "--max-mb", "inf"], "a number of megabytes, at least 2; got inf"),
        (["view", ".", "--max-mb", "many"], "invalid float value: 'many'"),
        (["view", "folder/group.jsonl", "-o", "folder"], "-o names the page's file; folder is a folder"),
        (["report", "foreign"], "foreign/settings.json was not written by turnenv evaluate: pass its --out"),
        (["report", "torn"], "torn/settings.json was not written by turnenv evaluate"),
        (["report", "listed"], "listed/settings.json was not written by turnenv evaluate"),
        (["evaluate", "GuessNumber", "--model", "random", "--out", "listed"], "not written by turnenv evaluate"),
        (["view", "foreign"], "foreign/groups/torn.jsonl is no file of episodes or groups: this line is not a group"),
        (["viewer", "."], "there is no command 'viewer'; did you mean view? see: turnenv --help"),
        (["frobnicate"], "there is no command 'frobnicate'; see: turnenv --help"),
        (["view", ".", "--frobnicate"], "view takes no '--frobnicate'; see: turnenv view --help"),
    ],
)
def test_a_mistake_is_one_line(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, content in (("foreign", "{}"), ("torn", "{"), ("listed", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "settings.json").write_text(content)
    (tmp_path / "foreign" / "groups").mkdir()
    (tmp_path / "foreign" / "groups" / "torn.jsonl").write_text('{"members": 3}\n')
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "group.jsonl").write_text(group().to_json() + "\n")
    assert main(words) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1


def test_the_page_of_a_comparison_has_every_part(tmp_path, capsys):
    rows = [row(None, seed, exact=0.05) for seed in range(3)]
    rows += [row("mt_grpo", seed, tool=0.2, exact=exact) for seed, exact in enumerate((0.5, 0.6, 0.7))]
    rows += [row("grpo_mr", seed, tool=0.19, exact=exact) for seed, exact in enumerate((0.4, 0.51, 0.59))]
    for each in rows:
        assert RowFile(tmp_path).append(each)
        for path, line in ((transcripts_path, episode((0.1, 0.2), 1.0)), (groups_path, group())):
            path(tmp_path, each.run_id).parent.mkdir(exist_ok=True)
            path(tmp_path, each.run_id).write_text(line.to_json() + "\n")
    assert harness(["report", str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text().replace("‑", "-")
    assert "Does MT-GRPO do better than GRPO-MR on turnenv/TriviaSearch-v0?" in text
    assert "Exact match: MT-GRPO − GRPO-MR = +10.0 points (95 % interval +7.5 … +12.5, 3 seeds): decided." in text
    assert "Before training it was 5.0 %; after it, GRPO-MR 50.0 % and MT-GRPO 60.0 % (means of 3 seeds)." in text
    # A dot for every seed: three policies' levels, and the three differences.
    picture = text[text.index('class="answer"') : text.index("<table")]
    assert picture.count("<circle") == 12
    for heading in ("Paired differences", "Learning curves", "Credit by turn", "Turns and tokens", "Cost", "Checklist"):
        assert f">{heading}</h2>" in text
    assert "python -m benchmarks compare --methods grpo_mr,mt_grpo" in text
    assert f"Episodes <small>{len(rows) * 5}</small>" in text
    assert harness(["report", str(tmp_path), "--redact", "look"]) == 0
    assert "passages redacted" in capsys.readouterr().err
    assert "What this file contains" in (tmp_path / "report.html").read_text()
    assert harness(["report", str(tmp_path), "--max-mb", "1"]) == 2
    assert "--max-mb takes a number of megabytes, at least 2" in capsys.readouterr().err
    assert harness(["report", str(tmp_path), "--max-mb", "nan"]) == 2
    assert "--max-mb takes a number of megabytes, at least 2" in capsys.readouterr().err


def test_a_report_says_what_its_page_has_no_room_for(tmp_path, capsys):
    only = row("mt_grpo", 0, exact=0.5)
    assert RowFile(tmp_path).append(only)
    path = transcripts_path(tmp_path, only.run_id)
    path.parent.mkdir()
    long = replace(episode((0.1, 0.2), 1.0), final_observation=Random(0).randbytes(1_500_000).hex())
    path.write_text(long.to_json() + "\n")
    assert harness(["report", str(tmp_path), "--max-mb", "2"]) == 0
    said = capsys.readouterr().err
    assert "report.html: Texts of the environment are cut in the middle beyond 2,000 characters." in said
    assert "--max-mb makes room for more" in said
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
