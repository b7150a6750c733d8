"""Question sets: every form a file may have, TriviaQA by the real loading code, and errors that say what to fix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.questions import TriviaQuestion, load_questions, rows_to_questions
from turnenv.questions import trivia as questions

datasets = pytest.importorskip("datasets")

ALIASES = ["Jacinto", "San Jacinto", "jacinto", "San Jacinto"]


def _trivia_row(number: int, question: str, value: str, aliases: list[str]) -> dict[str, Any]:
    """A row as mandarjoshi/trivia_qa has it in its nocontext configurations."""
    return {
        "question": question,
        "question_id": f"tc_{number}",
        "question_source": "http://www.triviacountry.com/",
        "entity_pages": {"doc_source": [], "filename": [], "title": [], "wiki_context": []},
        "search_results": {"description": [], "filename": [], "rank": [], "title": [], "url": [], "search_context": []},
        "answer": {
            "aliases": aliases,
            "normalized_aliases": sorted({alias.lower() for alias in aliases}),
            "matched_wiki_entity_name": "",
            "normalized_matched_wiki_entity_name": "",
            "normalized_value": value.lower(),
            "type": "WikipediaEntity",
            "value": value,
        },
    }


TRIVIA_ROWS = [
    _trivia_row(1, "Where was the battle of 1836?", "San Jacinto", ALIASES),
    _trivia_row(2, "Which planet is nearest the Sun?", "Mercury", ["Mercury", "Planet Mercury"]),
    _trivia_row(1, "Where was the battle of 1836?", "San Jacinto", ALIASES),
]
BATTLE = TriviaQuestion("Where was the battle of 1836?", ("San Jacinto", "Jacinto", "jacinto", "san jacinto"))
PLANET = TriviaQuestion("Which planet is nearest the Sun?", ("Mercury", "Planet Mercury", "mercury", "planet mercury"))


@pytest.fixture
def trivia_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A dataset repository of TriviaQA's layout and schema, which `datasets` opens as it opens the one on the hub."""
    folder = tmp_path / "trivia_qa"
    (folder / "rc.nocontext").mkdir(parents=True)
    hidden = [_trivia_row(9, "What is hidden?", "<unk>", [])]
    for split, rows in {"train": TRIVIA_ROWS, "validation": TRIVIA_ROWS[1:2], "test": hidden}.items():
        table = datasets.Dataset.from_list(rows)
        table.to_parquet(str(folder / "rc.nocontext" / f"{split}-00000-of-00001.parquet"))
    files = "".join(
        f"  - split: {split}\n    path: rc.nocontext/{split}-*\n" for split in ("train", "validation", "test")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n- config_name: rc.nocontext\n  data_files:\n{files}---\n")
    monkeypatch.setattr(questions, "_TRIVIA_QA", replace(questions._TRIVIA_QA, path=str(folder)))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    questions._trivia_qa.cache_clear()
    yield folder
    questions._trivia_qa.cache_clear()


@pytest.mark.usefixtures("trivia_repository")
def test_trivia_qa_has_its_raw_aliases_first_and_each_question_once() -> None:
    assert load_questions("trivia_qa") == (BATTLE, PLANET)
    assert load_questions("trivia_qa", "validation") == (PLANET,)
    assert load_questions("trivia_qa", limit=1) == (BATTLE,)
    assert load_questions("trivia_qa", "train[1:2]") == (PLANET,)
    assert load_questions("trivia_qa") is load_questions("trivia_qa")


@pytest.mark.usefixtures("trivia_repository")
@pytest.mark.parametrize("split", ["test", "test[:5]", "dev"])
def test_trivia_qa_without_answers_is_refused(split: str) -> None:
    with pytest.raises(ValueError, match=r"no answers for the split.*'validation'"):
        load_questions("trivia_qa", split)


def test_trivia_qa_out_of_reach_says_what_to_do(tmp_path: Path) -> None:
    code = "from turnenv.questions import load_questions\nload_questions('trivia_qa')"
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=offline, capture_output=True, text=True, timeout=120)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ConnectionError: TriviaQA (mandarjoshi/trivia_qa, rc.nocontext) cannot be loaded")
    assert "questions='atlas'" in last


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        datasets.Dataset.from_list(rows).to_parquet(str(path))
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
def test_trivia_qa_rows_load_from_a_file_of_any_kind(tmp_path: Path, suffix: str) -> None:
    path = _write(tmp_path / f"trivia{suffix}", TRIVIA_ROWS)
    assert load_questions(path, "any split") == (BATTLE, PLANET, BATTLE)
    assert load_questions(str(path), limit=2) == (BATTLE, PLANET)


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".parquet"])
@pytest.mark.parametrize(
    ("field", "cells", "answers"),
    [
        ("answer", ["Paris", " Rome "], [("Paris",), ("Rome",)]),
        ("answers", [["Paris", "Lutetia", "Paris", ""], ["Rome", None]], [("Paris", "Lutetia"), ("Rome",)]),
        ("answer", ["a|b", "[1"], [("a|b",), ("[1",)]),
        ("answer", [1984, 7], [("1984",), ("7",)]),
        ("answer", ["1969-07-20", "1912-04-15"], [("1969-07-20",), ("1912-04-15",)]),
    ],
)
def test_answers_are_a_text_or_a_list(
    tmp_path: Path, suffix: str, field: str, cells: list[Any], answers: list[tuple[str, ...]]
) -> None:
    rows = [{"question": f"Question {i}?", field: cell, "note": i} for i, cell in enumerate(cells)]
    loaded = load_questions(_write(tmp_path / f"own{suffix}", rows))
    assert [item.answers for item in loaded] == answers
    assert [item.question for item in loaded] == ["Question 0?", "Question 1?"]


def test_json_lines_may_mix_texts_lists_and_records(tmp_path: Path) -> None:
    cells = ["Paris", ["Rome", "Roma"], {"value": "Bern", "aliases": ["Berne"]}]
    path = _write(tmp_path / "mixed.jsonl", [{"question": "q", "answer": cell} for cell in cells])
    assert [item.answers for item in load_questions(path)] == [("Paris",), ("Rome", "Roma"), ("Bern", "Berne")]


def test_csv_holds_several_answers_and_keeps_every_text(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        'question,answers\nq,Paris|Lutetia\nq,"[""a|b"", ""c""]"\nq,NA\nq,007\nq,None\n"Where, then?",[sic\n', "utf-8"
    )
    loaded = load_questions(path)
    assert [item.answers for item in loaded] == [
        ("Paris", "Lutetia"), ("a|b", "c"), ("NA",), ("007",), ("None",), ("[sic",),
    ]  # fmt: skip
    assert loaded[-1].question == "Where, then?"


def test_a_file_is_read_without_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path / "own.jsonl", [{"question": "q", "answer": "a"}])
    asked: list[object] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: asked.append(args) or [])
    assert load_questions(path) == (TriviaQuestion("q", ("a",)),)
    assert asked == []


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("ask,tell\nCapital of France?,Paris\n")
    fields = {"question_field": "ask", "answers_field": "tell"}
    assert load_questions(path, **fields) == (TriviaQuestion("Capital of France?", ("Paris",)),)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = _write(tmp_path / "own.jsonl", [{"question": "q", "answer": "a"}])
    first = load_questions(path)
    assert load_questions(path) is first
    _write(path, [{"question": "q", "answer": "another"}])
    assert load_questions(path)[0].answers == ("another",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.jsonl", "", "empty.jsonl holds no rows"),
        ("empty.csv", "", "empty.csv holds no rows"),
        ("header.csv", "question,answer\n", "header.csv holds no rows"),
        ("list.json", "[]", "list.json"),
        ("blank.jsonl", "\n\n", "blank.jsonl"),
        ("columns.jsonl", '{"query": "q", "gold": "a"}\n', r"no column 'question', it has \['query', 'gold'\]"),
        ("columns.csv", "question,gold\nq,a\n", r"no column 'answer', it has \['question', 'gold'\].*answers_field"),
        ("none.jsonl", '{"question": "q", "answer": "a"}\n{"question": "r"}\n', "row 2: 'answer' holds no answer"),
        ("nothing.jsonl", '{"question": "q", "answers": ["", " "]}\n', "row 1: 'answers' holds no answer"),
        ("cell.csv", "question,answers\nq,a\nr,\n", "cell.csv, row 2: 'answers' holds no answer"),
        ("ask.jsonl", '{"question": " ", "answer": "a"}\n', "row 1: 'question' must be text"),
        ("kind.jsonl", '{"question": "q", "answer": [["a"]]}\n', r"row 1: 'answer' must hold text, got \['a'\]"),
        ("bool.jsonl", '{"question": "q", "answer": true}\n', "row 1: 'answer' must hold text, got True"),
        ("hidden.jsonl", '{"question": "q", "answer": "<unk>"}\n', "row 1: the answers of this split are hidden"),
        (
            "broken.jsonl",
            '{"question": "q", "answer": "a"}\nnot json\n',
            "broken.jsonl cannot be read as JSON at row 2",
        ),
        ("broken.parquet", "PAR1", "broken.parquet cannot be read as Parquet"),
        ("comma.csv", "question,answers\nq,a,b\n", "more fields than its header"),
    ],
)
def test_a_bad_file_is_named_with_the_mend(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_questions(path)
    assert name in str(caught.value)


def test_an_unknown_source_or_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file of questions at .*missing\.jsonl"):
        load_questions(tmp_path / "missing.jsonl")
    with pytest.raises(ValueError, match="did you mean 'trivia_qa'"):
        load_questions("triviaqa")
    with pytest.raises(ValueError, match=r"own\.xlsx.*\.parquet"):
        load_questions(tmp_path / "own.xlsx")
    with pytest.raises(ValueError, match="limit"):
        load_questions("atlas", limit=0)


def test_the_atlas_is_the_default() -> None:
    atlas = pytest.importorskip("turnenv.atlas.articles")
    loaded = load_questions()
    first = atlas.questions("train")[0]
    assert loaded[0] == TriviaQuestion(first.question, tuple(first.answers))
    assert len(loaded) == len(atlas.questions("train"))
    assert load_questions("atlas", limit=3) == loaded[:3]
    assert load_questions() is load_questions("atlas", "train")


texts = st.text(min_size=1).filter(str.strip)


@given(texts, st.lists(texts, min_size=1))
def test_rows_keep_their_answers_in_order_without_repeats(question: str, answers: list[str]) -> None:
    (item,) = rows_to_questions([{"question": question, "answer": answers}], source="here")
    assert item.question == question.strip()
    assert list(item.answers) == list(dict.fromkeys(answer.strip() for answer in answers))


def test_importing_questions_stays_light() -> None:
    code = "import sys, turnenv.questions; sys.exit('datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
