"""What is an answer, a title, a supporting fact: the same in every format, or refused with file, row and column."""

from __future__ import annotations

import csv
import datetime
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnenv.questions import (
    load_multihop_questions,
    load_questions,
    multihop,
    rows_to_hop_questions,
    rows_to_questions,
    trivia,
)


def cells_file(path: Path, **cells: Any) -> Path:
    """One row, whatever the format; in CSV a cell that is no text is written as JSON."""
    row = {"question": "Which town?", **cells}
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(row)
            writer.writerow([cell if isinstance(cell, str) else json.dumps(cell) for cell in row.values()])
    elif path.suffix == ".parquet":
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist([row]), path)
    else:
        path.write_text(json.dumps([row] if path.suffix == ".json" else row), encoding="utf-8")
    return path


FORMATS = [".json", ".jsonl", ".csv", ".parquet"]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ("Ulm", ("Ulm",)),
        (" Ulm\n", ("Ulm",)),
        ("007", ("007",)),
        ("NA", ("NA",)),
        ("nan", ("nan",)),
        ("true", ("true",)),
        ("1e5", ("1e5",)),
        ("1969-07-20", ("1969-07-20",)),
        ("[sic", ("[sic",)),
        ("a {b}", ("a {b}",)),
        ("Fish, chips", ("Fish, chips",)),
        ('He said "no"', ('He said "no"',)),
        ("two\nlines", ("two\nlines",)),
        ("two\r\nlines", ("two\r\nlines",)),
        ("東京", ("東京",)),
        (["Ulm", "Ulma"], ("Ulm", "Ulma")),
        (["a|b", "c, d", '"e"'], ("a|b", "c, d", '"e"')),
        (["[1, 2]"], ("[1, 2]",)),
        (["Ulm", "Ulm ", "", None], ("Ulm",)),
        ([1984, 12], ("1984", "12")),
        (1984, ("1984",)),
        (-7, ("-7",)),
        (2.5, ("2.5",)),
        (0.1, ("0.1",)),
        (9007199254740993, ("9007199254740993",)),
        ({"value": "Bern", "aliases": ["Berne"]}, ("Bern", "Berne")),
        ({"value": "Bern", "aliases": "Berne", "type": "Town"}, ("Bern", "Berne")),
        ({"value": "Bern"}, ("Bern",)),
        ({"aliases": ["Berne", "Bern"], "type": "Town"}, ("Berne", "Bern")),
        ({"value": 7, "aliases": [], "normalized_aliases": ["seven"]}, ("7", "seven")),
    ],
)
def test_an_answer_is_what_is_written(tmp_path: Path, suffix: str, cell: Any, answers: tuple[str, ...]) -> None:
    path = cells_file(tmp_path / f"own{suffix}", answer=cell, titles=["Red fox"])
    assert load_questions(path)[0].answers == answers
    assert load_multihop_questions(path)[0].answers == answers


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("cell", [True, [True], ["Ulm", False], [["Ulm"]], [{"value": "Ulm"}], {"name": "Ulm"}, "", []])
def test_what_cannot_be_an_answer_is_refused_with_its_place(tmp_path: Path, suffix: str, cell: Any) -> None:
    if suffix == ".csv" and cell is True:
        pytest.skip("in CSV true is a text")
    if suffix == ".parquet" and cell == ["Ulm", False]:
        pytest.skip("Parquet has no lists of several types")
    path = cells_file(tmp_path / f"own{suffix}", answers=cell, titles=["Red fox"])
    for load in (load_questions, load_multihop_questions):
        with pytest.raises(ValueError, match=rf"own\{suffix}, row 1: 'answers' (must hold text|holds no answer)"):
            load(path)


@pytest.mark.parametrize("cell", [float("nan"), float("inf"), [1.5, float("-inf")], None, object(), b"Ulm"])
def test_what_is_no_number_is_no_answer(cell: Any) -> None:
    with pytest.raises(ValueError, match=r"here, row 2: 'answer' (must hold text|holds no answer)"):
        list(rows_to_questions([{"question": "q", "answer": "a"}, {"question": "q", "answer": cell}], source="here"))


@pytest.mark.parametrize(
    ("cell", "answer"),
    [
        (Decimal("2.50"), "2.50"),
        (Decimal("1E-7"), "0.0000001"),
        (np.int64(12), "12"),
        (np.float64(2.5), "2.5"),
        (datetime.date(1969, 7, 20), "1969-07-20"),
        (datetime.datetime(1969, 7, 20), "1969-07-20"),
    ],
)
def test_values_that_python_programs_pass_are_written_down(cell: Any, answer: str) -> None:
    assert next(rows_to_questions([{"question": "q", "answer": cell}], source="here")).answers == (answer,)


def test_a_time_of_day_is_refused() -> None:
    moment = datetime.datetime(1969, 7, 20, 20, 17)
    with pytest.raises(ValueError, match="row 1: 'answer' must hold text"):
        list(rows_to_questions([{"question": "q", "answer": moment}], source="here"))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
@pytest.mark.parametrize(
    ("cell", "answers"),
    [
        ("Ulm|Ulma", ("Ulm", "Ulma")),
        (" Ulm | Ulma |", ("Ulm", "Ulma")),
        ('["Ulm", "Ulma"]', ("Ulm", "Ulma")),
        (' ["a|b"] ', ("a|b",)),
        ("[1984, 2.50, 007]", None),
        ("[1984, 2.50]", ("1984", "2.50")),
        ("['Ulm', 'Ulma']", None),
        ("['Ulm' 'Ulma']", None),
        ('["Ulm", "Ulma"', None),
        ("{'value': 'Ulm'}", None),
        ("[sic]", None),
        ("Ulm|[Ulma]", None),
        ("{x | x > 0}", None),
        ("array(['Ulm'])", ("array(['Ulm'])",)),
        ("7.0", ("7.0",)),
        ("12345678901234567890", ("12345678901234567890",)),
    ],
)
def test_a_cell_of_csv_may_hold_a_list(tmp_path: Path, suffix: str, cell: str, answers: tuple[str, ...] | None) -> None:
    import gzip

    path = tmp_path / f"own{suffix}"
    text = f'question,answer,titles\nq,"{cell.replace(chr(34), chr(34) * 2)}",Red fox\n'
    path.write_bytes(gzip.compress(text.encode()) if suffix.endswith(".gz") else text.encode())
    if answers is None:
        with pytest.raises(ValueError, match=r"own\.csv.*, row 1: 'answer' looks like a list but is no JSON"):
            load_questions(path)
    else:
        assert load_questions(path)[0].answers == answers
        assert load_multihop_questions(path)[0].answers == answers


def test_only_csv_separates_answers(tmp_path: Path) -> None:
    for suffix in (".json", ".jsonl", ".parquet"):
        for text in ("Ulm|Ulma", '["Ulm"]', "[1, 2]"):
            assert load_questions(cells_file(tmp_path / f"own{suffix}", answer=text))[0].answers == (text,)


FACTS = [
    ("supporting_facts", [["Red fox", 0], ["Blue owl", 1], ["Red fox", 2]], ("Red fox", "Blue owl")),
    ("supporting_facts", {"title": ["Red fox", "Blue owl"], "sent_id": [0, 1]}, ("Red fox", "Blue owl")),
    ("supporting_facts", [{"title": "Red fox", "sent_id": 0}, {"title": "Blue owl"}], ("Red fox", "Blue owl")),
    ("supporting_facts", {"title": "Red fox", "sent_id": 0}, ("Red fox",)),
    ("supporting_facts", [[1984, 0], ["2001", 3]], ("1984", "2001")),
    ("supporting_facts", {"title": [1984, 2001], "sent_id": [0, 1]}, ("1984", "2001")),
    ("supporting_facts", ["Red fox", "Blue owl"], ("Red fox", "Blue owl")),
    ("titles", ["Red fox", "Blue owl", "Red fox"], ("Red fox", "Blue owl")),
    ("titles", ["Red fox", "red  Fox", "Blue owl", "RED FOX"], ("Red fox", "Blue owl")),
    ("titles", ["The Beatles", "Beatles", "C++", "C#"], ("The Beatles", "Beatles", "C++", "C#")),
    ("titles", [1984, 2001], ("1984", "2001")),
    ("titles", [["Red fox", 0], ["Blue owl", 1]], ("Red fox", "Blue owl")),
    ("titles", ["a|b", "Paris, Texas"], ("a|b", "Paris, Texas")),
    ("titles", "Red fox|Blue owl", ("Red fox", "Blue owl")),
    ("titles", "1984|2001", ("1984", "2001")),
    ("titles", "Red fox", ("Red fox",)),
    ("titles", "1984", ("1984",)),
    ("titles", 1984, ("1984",)),
]


@pytest.mark.parametrize("packed", [False, True], ids=["native", "as a text"])
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("column", "cell", "titles"), FACTS)
def test_titles_in_every_form(
    tmp_path: Path, suffix: str, column: str, cell: Any, titles: tuple[str, ...], packed: bool
) -> None:
    if packed and not isinstance(cell, str):
        cell = json.dumps(cell)
    if suffix == ".parquet" and not packed and isinstance(cell, list) and len({type(x) for x in flat(cell)}) > 1:
        pytest.skip("Parquet has no lists of several types")
    path = cells_file(tmp_path / f"own{suffix}", answer="Ulm", **{column: cell})
    assert load_multihop_questions(path)[0].titles == titles


def flat(cell: Any) -> list[Any]:
    return [leaf for item in cell for leaf in flat(item)] if isinstance(cell, list) else [cell]


@pytest.mark.parametrize("packed", [False, True], ids=["native", "as a text"])
@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("supporting_facts", ["Red fox", 0]),
        ("supporting_facts", ["Red fox", 0, "Blue owl", 1]),
        ("supporting_facts", [["Red fox", "Blue owl"]]),
        ("supporting_facts", [["Red fox", 0, 1]]),
        ("supporting_facts", [["Red fox", True]]),
        ("supporting_facts", [[True, 0]]),
        ("supporting_facts", [[["Red fox"], 0]]),
        ("supporting_facts", {"titles": ["Red fox"]}),
        ("supporting_facts", [{"sent_id": 0}]),
        ("supporting_facts", True),
        ("titles", ["Red fox", False]),
        ("titles", [["Red fox"]]),
        ("titles", [{"name": "Red fox"}]),
    ],
)
def test_what_is_no_fact_is_refused_with_its_place(tmp_path: Path, column: str, cell: Any, packed: bool) -> None:
    if cell is True and packed:
        pytest.skip("a text")
    row = {"question": "q", "answer": "Ulm", column: json.dumps(cell) if packed else cell}
    first = {"question": "q", "answer": "Ulm", "titles": ["Red fox"]}
    path = tmp_path / "own.jsonl"
    path.write_text(f"{json.dumps(first)}\n{json.dumps(row)}\n")
    with pytest.raises(ValueError, match=rf"own\.jsonl, row 2: '{column}' "):
        load_multihop_questions(path)


@pytest.mark.parametrize(
    "cell", ["['Red fox', 'Blue owl']", "{'title': array(['A'], dtype=object)}", '[["Red fox", 0]']
)
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_list_in_another_notation_is_refused(tmp_path: Path, suffix: str, cell: str) -> None:
    path = cells_file(tmp_path / f"own{suffix}", answer="Ulm", supporting_facts=cell)
    with pytest.raises(ValueError, match=r"row 1: 'supporting_facts' looks like a list but is no JSON.*json\.dumps"):
        load_multihop_questions(path)


def test_blank_facts_leave_the_titles() -> None:
    rows = [{"question": "q", "answer": "Ulm", "supporting_facts": blank, "titles": ["A"]} for blank in ("", None, [])]
    assert {item.titles for item in rows_to_hop_questions(rows, source="here")} == {("A",)}
    with pytest.raises(ValueError, match="row 1 names no supporting article; fill in 'supporting_facts' or 'titles'"):
        list(rows_to_hop_questions([rows[0] | {"titles": ""}], source="here"))


def test_each_row_says_where_its_answers_are(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [{"answer": "Ulm"}, {"answers": ["Ulm", "Ulma"]}, {"answers": None, "answer": "Bonn"}]
    path.write_text("".join(json.dumps({"question": "q", **row}) + "\n" for row in rows))
    assert [item.answers for item in load_questions(path)] == [("Ulm",), ("Ulm", "Ulma"), ("Bonn",)]


@pytest.mark.parametrize("question", [None, "", "  ", 7, True, ["q"], {"text": "q"}])
def test_a_question_is_a_text(question: Any) -> None:
    with pytest.raises(ValueError, match="here, row 1: 'question' must be text"):
        list(rows_to_questions([{"question": question, "answer": "a"}], source="here"))


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "q", "answer": "\\ud83d", "note": "\\ud83d"}')
    with pytest.raises(ValueError, match=re.escape(r"row 1: 'answer' holds what is no character: '\ud83d'")):
        load_questions(path)


@pytest.mark.parametrize(("module", "load"), [(trivia, load_questions), (multihop, load_multihop_questions)])
def test_the_sources_that_have_a_name_are_those_that_are_loaded_by_it(module: Any, load: Any) -> None:
    known = ", ".join(map(repr, module.SOURCES))
    with pytest.raises(ValueError, match=f"unknown source of questions 'no such': known are {known} and files"):
        load("no such")
