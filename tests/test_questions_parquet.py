"""Parquet: types, indices of pandas, metadata of `datasets`, batches."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from turnenv.envs.calculator.problems import load_word_problems
from turnenv.questions import load_questions

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def answers(path: Path, **options: Any) -> list[tuple[str, ...]]:
    return [item.answers for item in load_questions(path, **options)]


def test_a_shuffled_frame_keeps_its_order_in_every_format(tmp_path: Path) -> None:
    pandas, datasets = pytest.importorskip("pandas"), pytest.importorskip("datasets")
    frame = pandas.DataFrame({"question": [f"Question {n}?" for n in range(6)], "answer": list("uvwxyz")})
    frame = frame.iloc[[4, 0, 3, 1, 5, 2]]
    frame.to_parquet(tmp_path / "a.parquet")
    frame.set_index("question").reset_index().to_parquet(tmp_path / "b.parquet")
    frame.to_csv(tmp_path / "a.csv")
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_json(tmp_path / "a.json", orient="records")
    table = datasets.Dataset.from_pandas(frame)
    table.to_parquet(str(tmp_path / "c.parquet"))
    table.to_json(str(tmp_path / "c.jsonl"))
    table.to_csv(str(tmp_path / "c.csv"))
    for path in tmp_path.iterdir():
        assert answers(path) == [(letter,) for letter in "yuxvzw"], path


def test_a_frame_whose_index_is_the_question(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"question": ["q"], "answer": ["Ulm"]}).set_index("question")
    frame.to_parquet(tmp_path / "own.parquet")
    assert answers(tmp_path / "own.parquet") == [("Ulm",)]


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        ([0.1, 2.5], "float32", [("0.1",), ("2.5",)]),
        ([[0.1], [0.2, 1984.0]], "list<float32>", [("0.1",), ("0.2", "1984.0")]),
        ([0.5], "float16", [("0.5",)]),
        ([0.1, 1e22], "float64", [("0.1",), ("1e+22",)]),
        ([2**64 - 1], "uint64", [("18446744073709551615",)]),
        (["2.50", "1000.00"], "decimal128", [("2.50",), ("1000.00",)]),
        (["Ulm", "Ulm"], "dictionary", [("Ulm",), ("Ulm",)]),
        (["Ulm"], "large_string", [("Ulm",)]),
        ([["Ulm", "Ulma"]], "large_list", [("Ulm", "Ulma")]),
        ([20_000], "date32", [("2024-10-04",)]),
    ],
)
def test_types_of_parquet(tmp_path: Path, cells: list[Any], kind: str, expected: list[tuple[str, ...]]) -> None:
    kinds = {
        "float32": pa.float32(), "list<float32>": pa.list_(pa.float32()), "float16": pa.float16(),
        "float64": pa.float64(),
        "uint64": pa.uint64(), "large_string": pa.large_string(), "large_list": pa.large_list(pa.string()),
        "date32": pa.date32(),
    }  # fmt: skip
    if kind == "decimal128":
        column = pa.array(cells).cast(pa.decimal128(10, 2))
    else:
        column = pa.array(cells).dictionary_encode() if kind == "dictionary" else pa.array(cells, kinds[kind])
    table = pa.table({"question": ["q"] * len(cells), "answer": column, "odd": [b"\xff"] * len(cells)})
    pq.write_table(table, tmp_path / "own.parquet")
    assert answers(tmp_path / "own.parquet") == expected


def test_parquet_refuses_with_row_and_column(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    for column, what in ((pa.array([1.0, float("nan")]), "got nan"), (pa.array([b"a", b"\xff"]), "row 1.*got b'a'")):
        pq.write_table(pa.table({"question": ["q", "r"], "answer": column}), path)
        with pytest.raises(ValueError, match=rf"own\.parquet, row [12]: 'answer' must hold text, {what}|{what}"):
            load_questions(path)
    pq.write_table(
        pa.Table.from_arrays([pa.array(["q"]), pa.array(["a"]), pa.array(["b"])], ["question", "answer", "answer"]),
        path,
    )
    with pytest.raises(ValueError, match="row 1: 'answer' is there twice"):
        load_questions(path)
    pq.write_table(pa.table({"query": ["q"], "gold": ["a"]}), path)
    with pytest.raises(ValueError, match=r"no column 'question', it has \['query', 'gold'\]"):
        load_questions(path)
    pq.write_table(pa.table({"question": pa.array([], pa.string()), "answer": pa.array([], pa.string())}), path)
    with pytest.raises(ValueError, match="holds no rows"):
        load_questions(path)


def test_parquet_is_read_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    rows = 20_000
    table = pa.table({"question": ["q"] * rows, "answer": ["Ulm"] * rows, "note": [str(n) * 200 for n in range(rows)]})
    pq.write_table(table, path, row_group_size=1_000)
    assert len(load_questions(path, limit=10)) == 10
    assert len(load_questions(path)) == rows


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet", ".csv.gz"])
def test_word_problems_come_from_every_format(tmp_path: Path, suffix: str) -> None:
    row = {"question": "What is 3 times 4, plus 1?", "answer": "3*4 = <<3*4=12>>12, <<12+1=13>>13\n#### 13"}
    path = tmp_path / f"sums{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([row]), path)
    elif ".csv" in suffix:
        text = 'id,question,answer\n1,"{question}","{answer}"\n'.format(**row)
        path.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    else:
        path.write_text(json.dumps([row]) if suffix == ".json" else json.dumps(row))
    (problem,) = load_word_problems(path)
    assert (problem.text, problem.answer) == (row["question"], 13)
    assert [quantity.values[0] for quantity in problem.quantities] == [12, 13]
