"""What is remembered of a file: nothing by its name, everything while it stays the same."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import turnenv
from turnenv.envs.calculator import Calculator
from turnenv.envs.multi_hop_search import MultiHopSearch
from turnenv.envs.trivia_search import TriviaSearch
from turnenv.questions import load_multihop_questions, load_questions


def answers(path: Path, **options: Any) -> list[tuple[str, ...]]:
    return [item.answers for item in load_questions(path, **options)]


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def word_files(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    def write(word: str) -> Path:
        path = tmp_path / "own.jsonl"
        row = {"question": "q", "answer": word, "titles": [word]}
        path.write_text(lines(row))
        return path

    return write  # type: ignore[return-value]


def test_a_file_of_the_same_size_that_changes_at_once_is_read_again(word_files: Callable[[str], Path]) -> None:
    stamp: tuple[int, int] | None = None
    for word in ("Ulm", "Bonn"[:3], "Jena"[:3], "Ulm"):
        path = word_files(word)
        stamp = stamp or (path.stat().st_atime_ns, path.stat().st_mtime_ns)
        os.utime(path, ns=stamp)
        assert answers(path) == [(word,)]
        assert load_multihop_questions(path)[0].titles == (word,)
        assert load_questions(path) is load_questions(path)


def begun(env: turnenv.TextEnv[Any]) -> str:
    return env.reset(seed=0)[0]


@pytest.mark.parametrize("family", [TriviaSearch, MultiHopSearch])
def test_an_environment_reads_a_changed_file(tmp_path: Path, family: Callable[..., turnenv.TextEnv[Any]]) -> None:
    path = tmp_path / "own.jsonl"
    for question in ("First?", "Other?"):
        path.write_text(lines({"question": question, "answer": "Ulm", "titles": ["A", "B"]}))
        assert question in begun(family(questions=path))


def test_relative_paths_follow_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        row = {"question": f"Where is {name}?", "answer": "7", "titles": ["A", "B"]}
        (tmp_path / name / "own.jsonl").write_text(lines(row))
        (tmp_path / name / "sums.jsonl").write_text(lines({"question": f"Of {name}?", "answer": "#### 7"}))
    for name in ("one", "two", "one"):
        monkeypatch.chdir(tmp_path / name)
        assert name in begun(TriviaSearch(questions="own.jsonl"))
        assert name in begun(MultiHopSearch(questions="own.jsonl"))
        assert name in begun(Calculator(problems="sums.jsonl"))


def test_a_link_is_the_file_that_it_names(tmp_path: Path) -> None:
    link = tmp_path / "own.jsonl"
    for word in ("Ulm", "Bonn"):
        target = tmp_path / f"{word}.jsonl"
        target.write_text(lines({"question": "q", "answer": word}))
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        assert answers(link) == [(word,)]


def test_environments_of_one_file_share_its_questions(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [{"question": "q", "answer": "Ulm", "titles": ["A", "B", "C"][:hops]} for hops in (1, 2, 3)]
    path.write_text(lines(*rows))
    one, two, other = (MultiHopSearch(questions=path, max_hops=hops) for hops in (2, 2, 3))
    assert one._questions is two._questions
    assert (one.num_tasks, other.num_tasks) == (1, 2)
    assert TriviaSearch(questions=path)._questions is TriviaSearch(questions=path)._questions
