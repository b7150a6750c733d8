"""Files of questions are read as they are written, row by row, and again when they change."""

from __future__ import annotations

import gzip
import itertools
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnenv.questions import load_questions


def answers(path: Path, **options: Any) -> list[tuple[str, ...]]:
    return [item.answers for item in load_questions(path, **options)]


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


ULM = {"question": "q", "answer": "Ulm"}


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize(
    "written",
    [
        "1984", "-0", "2.5", "2.50", "1e3", "1E-7", "0.1", "12345678901234567890",
        "3.14159265358979323846264338327950288",
        "9007199254740993.0", "1" * 5_000,
    ],
)  # fmt: skip
def test_a_number_of_json_keeps_its_digits(tmp_path: Path, suffix: str, written: str) -> None:
    path = tmp_path / f"own{suffix}"
    row = f'{{"question": "q", "answer": {written}, "score": NaN}}'
    path.write_text(f"[{row}, {row}]" if suffix == ".json" else f"{row}\n{row}\n")
    assert answers(path) == [(written,), (written,)]


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
@pytest.mark.parametrize("written", ["NaN", "Infinity", "-Infinity", "[1, NaN]", '{"value": NaN}'])
def test_what_is_no_number_is_refused_with_its_row(tmp_path: Path, suffix: str, written: str) -> None:
    path = tmp_path / f"own{suffix}"
    first, last = json.dumps(ULM), f'{{"question": "q", "answer": {written}}}'
    path.write_text(f"[{first}, {last}]" if suffix == ".json" else f"{first}\n{last}\n")
    with pytest.raises(ValueError, match=rf"own\{suffix}, row 2: 'answer' must hold text, got (nan|-?inf)"):
        load_questions(path)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (7, "Ulm"), (["Ulm"], "Bonn"), ("Ulm", ["Bonn", "Lentia"]), ("Ulm", 2.5), ("Ulm", {"value": "Bonn"}),
        (None, "Bonn"),
    ],
)  # fmt: skip
def test_types_may_change_late(tmp_path: Path, first: Any, last: Any) -> None:
    """In the answers after 3 MB, and in a column nobody asked for everywhere."""
    path = tmp_path / "own.jsonl"
    notes = itertools.cycle([0, "one", None, ["x"], {"y": 1}, True])
    rows = [{"question": "q", "answer": first or "Ulm", "extra": next(notes), "note": "n" * 1000} for _ in range(3_000)]
    path.write_text(lines(*rows, {"question": "q", "answer": last}))
    kept = last if isinstance(last, list) else [last["value"] if isinstance(last, dict) else str(last)]
    assert answers(path)[-1] == tuple(kept)


JSON_LAYOUTS: dict[str, Callable[[list[str]], str]] = {
    "lines": lambda rows: "\n".join(rows),
    "lines and an end": lambda rows: "\n".join(rows) + "\n",
    "CRLF": lambda rows: "\r\n".join(rows) + "\r\n",
    "blank lines": lambda rows: "\n\n" + "\n  \n\n".join(rows) + "\n\n \t\n",
    "BOM": lambda rows: "\ufeff" + "\n".join(rows),
    "array": lambda rows: "[" + ",".join(rows) + "]",
    "array and BOM": lambda rows: "\ufeff[" + ", ".join(rows) + "]\n",
    "spread array": lambda rows: " \n[\n  " + "\n,\n  ".join(rows) + "\n]\n",
    "indented": lambda rows: json.dumps([json.loads(row) for row in rows], indent=4),
    "indented objects": lambda rows: "\n".join(json.dumps(json.loads(row), indent=1) for row in rows),
    "escapes": lambda rows: "\n".join(json.dumps(json.loads(row), ensure_ascii=True) for row in rows),
}


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".json.gz", ".JSONL"])
@pytest.mark.parametrize("layout", JSON_LAYOUTS.values(), ids=JSON_LAYOUTS)
def test_layouts_of_json(tmp_path: Path, suffix: str, layout: Callable[[list[str]], str]) -> None:
    rows = [{"question": "q", "answer": text} for text in ("Ulm", "東京 😀", 'a "b" \\ \u2028.', "l1\nl2", "[x], {y}")]
    path = tmp_path / f"own{suffix}"
    data = layout([json.dumps(row, ensure_ascii=False) for row in rows]).encode()
    path.write_bytes(gzip.compress(data) if suffix.endswith(".gz") else data)
    assert answers(path) == [(row["answer"],) for row in rows]
    assert answers(path, limit=2) == [("Ulm",), ("東京 😀",)]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 11, 64])
def test_json_is_the_same_wherever_its_chunks_end(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnenv.questions.files._CHUNK", size)
    rows = [
        {"question": "q", "answer": cell, "extra": [None, True, False, -1.5e-7, {}]}
        for cell in ("Ulm", '\ud83d\ude00é\\"', 12.25, ["a", "b"], 1e300, "x" * 500)
    ]
    expected = [("Ulm",), ('\U0001f600é\\"',), ("12.25",), ("a", "b"), ("1e+300",), ("x" * 500,)]
    for name, text in (("a.jsonl", lines(*rows)), ("b.json", json.dumps(rows)), ("c.json", json.dumps(rows, indent=2))):
        path = tmp_path / name
        path.write_text(text)
        assert answers(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (lines(ULM) + '{"question": "q", "answer": "Bonn"\n', r"at row 2 \(Expecting ',' delimiter at the end"),
        (lines(ULM) + '{"question": "q", "answer": "Bonn\n' + lines(ULM), r"at row 2 \(Invalid control character"),
        (lines(ULM, ULM) + "not json\n", r"at row 3 \(Expecting value at 'not json"),
        (lines(ULM) + "7\n", "at row 2 .a row is an object with a key for each column, got '7'"),
        ('["question", "answer"]\n["q", "Ulm"]\n', "at row 1 .a row is an object"),
        (f"[{json.dumps(ULM)}", r"at row 2 \(.*the end of the file"),
        (f"[{json.dumps(ULM)} {json.dumps(ULM)}]", "at row 2 .a comma is missing"),
        (f"[{json.dumps(ULM)},]", "at row 2 .Expecting value"),
        (f"[{json.dumps(ULM)}] x", "something stands after the array: 'x'"),
        ('{"question": "q", "answer": ' + "[" * 100_000, "at row 1"),
        ('{"question": "q", "answer": "a", "answer": "b"}', "row 1: 'answer' is there twice; keep one"),
        ('{"question": {"0": "q"}, "answer": {"0": "a"}}', "row 1: 'question' must be text"),
        ('{"data": [{"question": "q", "answer": "a"}]}', r"no column 'question', it has \['data'\]"),
    ],
)
def test_broken_json_is_refused_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    for suffix in (".json", ".jsonl"):
        path = tmp_path / f"own{suffix}"
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as caught:
            load_questions(path)
        assert str(path) in str(caught.value)


def test_a_key_twice_matters_only_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "q", "answer": "Ulm", "id": 1, "id": 2}')
    assert answers(path) == [("Ulm",)]
    csv = tmp_path / "own.csv"
    csv.write_text("id,question,answer,id\n1,q,Ulm,2\n")
    assert answers(csv) == [("Ulm",)]
    csv.write_text("question,answer,answer\nq,Ulm,Bonn\n")
    with pytest.raises(ValueError, match="row 1: 'answer' is there twice"):
        load_questions(csv)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("question,answer\nq,Ulm\n", [("Ulm",)]),
        ("question,answer\r\nq,Ulm\r\nr,Bonn\r\n", [("Ulm",), ("Bonn",)]),
        ("question,answer\rq,Ulm\rr,Bonn\r", [("Ulm",), ("Bonn",)]),
        ("\ufeffquestion,answer\nq,Ulm", [("Ulm",)]),
        ('\ufeff"question","answer"\n"q","Ulm"', [("Ulm",)]),
        ("\n\nquestion,answer\n\nq,Ulm\n\n  \n\nr,Bonn\n\n", [("Ulm",), ("Bonn",)]),
        (",question,answer\n0,q,Ulm\n1,r,Bonn\n", [("Ulm",), ("Bonn",)]),
        ("__index_level_0__,question,answer\n4,q,Ulm\n", [("Ulm",)]),
        (" question , answer\nq,Ulm\n", [("Ulm",)]),
        ('question,answer,note\nq,Ulm,"a, ""b""\nc"\n', [("Ulm",)]),
        ("question,answer,note\nq,Ulm\nr,Bonn,n\n", [("Ulm",), ("Bonn",)]),
        ('question,answer\nq,"a, b\nc"\n', [("a, b\nc",)]),
        ("question,answer\nq,5\" disk\n", [('5" disk',)]),
        ("question,answer,context\nq,Ulm," + "c" * 200_000 + "\n", [("Ulm",)]),
        ("question,answer\nq,True\nr,None\ns,NaN\n", [("True",), ("None",), ("NaN",)]),
        ("question,answer\nq,0012\nr,1e5\n", [("0012",), ("1e5",)]),
    ],
)  # fmt: skip
def test_layouts_of_csv(tmp_path: Path, text: str, expected: list[tuple[str, ...]]) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(text.encode())
    assert answers(path) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("question,answer\nq,Ulm, Germany\n", "at row 1 .the row has more fields than its header"),
        ("question,answer\nq,Ulm\nr,a,b\n", "at row 2 .the row has more fields"),
        ('question,answer\nq,"Ulm\nr,Bonn\n', "at row 1 .unexpected end of data"),
        ('question,answer\nq,"Ulm" an der Donau\n', "at row 1 .*',' expected"),
        ("question,answer\nq\n", "row 1: 'answer' holds no answer"),
        ("question,answer\nq,Ulm\n,Bonn\n", "row 2: 'question' must be text"),
        ("question;answer\nq;Ulm\n", r"no column 'question', it has \['question;answer'\]"),
    ],
)
def test_broken_csv_is_refused_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_questions(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "row"), [("own.csv", b"q,Z\xfcrich,\xfc"), ("own.jsonl", b'{"question":"q","answer":"Z\xfcrich"}')]
)
def test_a_file_that_is_no_utf8_is_refused_with_row_and_column(tmp_path: Path, name: str, row: bytes) -> None:
    path = tmp_path / name
    path.write_bytes((b"question,answer,note\n" if name.endswith("csv") else b"") + row + b"\n")
    with pytest.raises(ValueError, match=r"row 1: 'answer' holds what is no character.*save the file as UTF-8"):
        load_questions(path)
    path.write_bytes("question,answer\nq,Ulm\n".encode("utf-16"))
    with pytest.raises(ValueError, match="it is UTF-16; save it as UTF-8"):
        load_questions(path)


def test_a_column_nobody_asked_for_may_hold_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_bytes(b"question,answer,note\nq,Ulm,\xfc\n")
    assert answers(path) == [("Ulm",)]


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(lines(ULM).encode() * 50, mtime=0)[:-9], b"\x1f\x8b\x08" + b"x" * 40],
    ids=["empty", "no gzip", "cut", "broken"],
)
def test_a_broken_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "own.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"own\.jsonl\.gz (cannot be read as JSON|holds no rows)"):
        load_questions(path)


def endless(head: bytes, row: bytes, path: Path, megabytes: int) -> Path:
    with path.open("wb") as file:
        file.write(head)
        for _ in range(megabytes * (1 << 20) // len(row)):
            file.write(row)
        file.write(b'{"broken')
    return path


@pytest.mark.parametrize(
    ("name", "head", "row"),
    [
        ("own.jsonl", b"", b'{"question": "q", "answer": "Ulm", "note": "' + b"n" * 4000 + b'"}\n'),
        ("own.json", b"[", b'{"question": "q", "answer": "Ulm", "note": "' + b"n" * 4000 + b'"},\n'),
        ("own.csv", b"question,answer,note\n", b"q,Ulm," + b"n" * 4000 + b"\n"),
    ],
)
def test_a_limit_stops_the_reader_and_rows_are_not_kept(tmp_path: Path, name: str, head: bytes, row: bytes) -> None:
    path = endless(head, row, tmp_path / name, 24)
    tracemalloc.start()
    assert len(load_questions(path, limit=3_000)) == 3_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 << 20
