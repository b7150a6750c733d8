"""Any rows, written by json, csv, pandas, datasets or pyarrow, come out as they went in, or row and column are named.

A slow test writes 10,000 files (one minute on an idle core).
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import itertools
import json
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnenv.questions import HopQuestion, load_multihop_questions
from turnenv.rewards import fold

datasets = pytest.importorskip("datasets")
pandas = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

Rows = list[dict[str, Any]]
#: A writer, whether it writes CSV, and the suffixes of what it writes.
WRITERS: dict[str, tuple[Callable[[Rows, Path], None], tuple[str, ...]]] = {}


def writer(*suffixes: str) -> Callable[[Callable[[Rows, Path], None]], Callable[[Rows, Path], None]]:
    def register(write: Callable[[Rows, Path], None]) -> Callable[[Rows, Path], None]:
        WRITERS[write.__name__] = write, suffixes
        return write

    return register


def columns_of(rows: Rows) -> list[str]:
    return list(dict.fromkeys(itertools.chain.from_iterable(rows)))


@writer(".jsonl", ".json", ".jsonl.gz", ".json.gz")
def by_json(rows: Rows, path: Path) -> None:
    if ".jsonl" in path.name:
        text = "".join(json.dumps(row, ensure_ascii=len(rows) % 2 == 0) + "\n" for row in rows)
    else:
        text = json.dumps(rows, indent=[None, 2][len(rows) % 2])
    data = text.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@writer(".csv", ".csv.gz")
def by_csv(rows: Rows, path: Path) -> None:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", newline="", encoding="utf-8-sig" if len(rows) % 2 else "utf-8") as file:  # type: ignore[operator]
        table = csv.DictWriter(file, columns_of(rows), lineterminator="\r\n" if len(rows) % 3 else "\n")
        table.writeheader()
        for row in rows:
            table.writerow({key: as_text(cell) for key, cell in row.items()})


def as_text(cell: Any) -> Any:
    return json.dumps(cell) if isinstance(cell, list | dict) else cell


@writer(".csv", ".parquet", ".jsonl", ".json")
def by_pandas(rows: Rows, path: Path) -> None:
    frame = pandas.DataFrame(rows)
    if len(rows) % 2:
        frame = frame.iloc[::-1].iloc[::-1].set_axis(range(7, 7 + len(rows)))
    write_frame(frame, path)


def write_frame(frame: Any, path: Path) -> None:
    if path.suffix == ".csv":
        for column in frame.columns:
            if any(isinstance(cell, list | dict) for cell in frame[column]):
                frame[column] = frame[column].map(as_text)
        frame.to_csv(path)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_json(path, orient="records", lines=path.suffix == ".jsonl")


@writer(".parquet", ".jsonl", ".csv")
def by_datasets(rows: Rows, path: Path) -> None:
    table = datasets.Dataset.from_list(rows)
    {".parquet": table.to_parquet, ".jsonl": table.to_json, ".csv": table.to_csv}[path.suffix](str(path))


@writer(".parquet")
def by_pyarrow(rows: Rows, path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=1 + len(rows) % 3)


# What is written, and what must come out of it: a tuple of texts, or None for a refusal.

plain = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
#: Texts that some reader or other takes for something else.
telling = st.sampled_from(
    ["007", "1984", "2.50", "1e5", "NA", "nan", "None", "null", "true", "1969-07-20", "[sic", "a, b", 'a "b"', "a\nb",
     "a\r\nb", "a\rb", " x ", "=1+1", "-", "'", "#N/A", "1,000", "\u2028", "é", "e\u0301", "東京", "😀", "\ufeff",
     "a;b", "\\n"]
)  # fmt: skip
texts = st.one_of(plain, telling)
whole = st.integers(-(2**63), 2**63 - 1)
floats = st.one_of(st.integers(-1000, 1000).map(lambda n: n / 8), st.sampled_from([0.1, 1e22, 1e-7, 1984.0, -0.5]))
odd = st.sampled_from(
    [None, True, False, float("nan"), float("inf"), [], [["a"]], {"name": "a"}, [True], ["a", {"b": 1}]]
)
answers = st.one_of(texts, texts, st.lists(texts, min_size=1, max_size=3), whole, floats, odd)
records = st.builds(lambda value, others: {"value": value, "aliases": others}, texts, st.lists(texts, max_size=2))
titles = st.lists(texts.filter(lambda text: text.strip()), min_size=1, max_size=3)
extras = st.one_of(st.none(), st.booleans(), whole, texts, st.floats(), st.lists(whole, max_size=2))


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Some rows: of one kind of answer, as typed writers need them, or of any."""
    kinds = [
        texts,
        st.lists(texts, min_size=1, max_size=3),
        whole,
        floats,
        records,
        answers,
        st.none() | whole,
        st.none() | texts,
    ]
    kind = draw(st.sampled_from(kinds))
    fact = draw(st.sampled_from(["titles", "record", "pairs"]))
    rows: Rows = []
    for number in range(draw(st.integers(1, 4))):
        names = draw(titles)
        row: dict[str, Any] = {"question": draw(texts.filter(lambda text: text.strip())), "answer": draw(kind)}
        if fact == "titles":
            row["titles"] = names
        elif fact == "record":
            row["supporting_facts"] = {"title": names, "sent_id": list(range(len(names)))}
        else:
            row["supporting_facts"] = [[name, number] for name in names]
        row["extra"] = draw(extras)
        rows.append(row)
    return rows


def written(cell: Any) -> str | None:
    if (
        isinstance(cell, bool)
        or not isinstance(cell, str | int | float)
        or (cell != cell)
        or cell in (math.inf, -math.inf)
    ):
        return None
    return str(cell).strip()


def expected_answers(cell: Any) -> tuple[str, ...] | None:
    if isinstance(cell, dict) and "value" in cell:
        cell = [cell["value"], *cell["aliases"]]
    items = [written(item) for item in cell if item is not None] if isinstance(cell, list) else [written(cell)]
    kept = tuple(dict.fromkeys(item for item in items if item))
    return kept if kept and None not in items else None


def same(told: Sequence[str], expected: Sequence[str], any_digits: bool) -> bool:
    """Texts are equal; pandas, datasets and pyarrow may make floats of a column of numbers before they write it."""
    if tuple(told) == tuple(expected):
        return True
    return any_digits and len(told) == len(expected) and all(map(as_floats, told, expected))


def as_floats(told: str, expected: str) -> bool:
    with contextlib.suppress(ValueError):
        return told == expected or float(told) == float(expected)
    return False


REFUSED = re.compile(r"own[a-z.]+, row (\d+): '(question|answer|titles|supporting_facts)' ")


def outcome(rows: Rows, name: str, suffix: str, folder: Path) -> str:
    """Write a file and read it: "equal", "refused" where it should be, or "unwritable" by this writer."""
    path = folder / f"own{suffix}"
    try:
        WRITERS[name][0](rows, path)
    except (ValueError, TypeError, OverflowError, pa.ArrowException, datasets.exceptions.DatasetsError):
        return "unwritable"
    try:
        told = load_multihop_questions(path)
    except ValueError as error:
        message = str(error)
    else:
        assert len(told) == len(rows)
        for item, row in zip(told, rows, strict=True):
            compare(item, row, name, suffix)
        return "equal"
    found = REFUSED.search(message)
    assert found, (name, suffix, message)
    no_json = name == "by_datasets" and suffix == ".csv" and "is no JSON" in message
    if not no_json:
        answer = rows[int(found[1]) - 1]["answer"]
        assert found[2] == "answer", (name, suffix, rows, message)
        assert expected_answers(answer) is None or is_packed(answer, suffix), (name, suffix, rows, message)
    return "refused"


def compare(item: HopQuestion, row: dict[str, Any], name: str, suffix: str) -> None:
    """One question is what its row says."""
    facts = row.get("titles") or row["supporting_facts"]
    names = facts["title"] if isinstance(facts, dict) else [f[0] if isinstance(f, list) else f for f in facts]
    expected = expected_answers(row["answer"])
    assert item.question == row["question"].strip(), (name, suffix, row)
    distinct: dict[str, str] = {}
    for title in map(str.strip, names):
        distinct.setdefault(fold(title), title)
    assert item.titles == tuple(distinct.values()), (name, suffix, row)
    if is_packed(row["answer"], suffix) or (expected is None and suffix.startswith(".csv")):
        return  # CSV has no null, no true and no number, only texts.
    assert expected is not None, (name, suffix, row, item.answers)
    assert same(item.answers, expected, name not in ("by_json", "by_csv")), (name, suffix, row, item.answers)


def is_packed(cell: Any, suffix: str) -> bool:
    """A text that is read as a list of texts in CSV."""
    return suffix.startswith(".csv") and isinstance(cell, str) and ("|" in cell or cell.strip()[:1] in ("[", "{"))


def play(files: int, folder: Path) -> Counter[str]:
    ways = [(name, suffix) for name, (_, suffixes) in WRITERS.items() for suffix in suffixes]
    outcomes: Counter[str] = Counter()

    @settings(max_examples=max(1, files // len(ways)), database=None, suppress_health_check=list(HealthCheck))
    @given(tables())
    def any_table(rows: Rows) -> None:
        outcomes.update(outcome(rows, name, suffix, folder) for name, suffix in ways)

    any_table()
    return outcomes


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where files are written; pandas' warning about the format of dates is none of ours."""
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path
    datasets.enable_progress_bars()


def test_every_format_gives_back_what_was_written(folder: Path) -> None:
    assert play(420, folder)["equal"] > 60


@pytest.mark.slow
def test_ten_thousand_files_give_back_what_was_written(folder: Path) -> None:
    outcomes = play(13_500, folder)
    assert outcomes["equal"] + outcomes["refused"] >= 10_000
