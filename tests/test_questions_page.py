"""The tables of turnenv/questions/README.md are true."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

import turnenv
from turnenv.questions import load_multihop_questions

PAGE = (Path(turnenv.__file__).parent / "questions" / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (JSON|CSV) \| `(.*)` \| (.+) \|$", PAGE.partition("`supporting_facts` | articles")[0], re.M)
FACTS = re.findall(r"^\| (JSON|CSV) \| `(.*)` \| (.+) \|$", PAGE.partition("`supporting_facts` | articles")[2], re.M)
CASES = [("answer", *row) for row in ROWS] + [("supporting_facts", *row) for row in FACTS]


def test_the_tables_are_found() -> None:
    assert (len(ROWS), len(FACTS)) == (22, 9)


@pytest.mark.parametrize(("column", "kind", "cell", "said"), CASES, ids=lambda text: text[:30])
def test_a_cell_is_read_as_the_page_says(tmp_path: Path, column: str, kind: str, cell: str, said: str) -> None:
    cell = cell.replace(r"\|", "|")
    other, filler = ("titles", "Red fox") if column == "answer" else ("answer", "Ulm")
    path = tmp_path / f"own.{kind.lower()}"
    if kind == "JSON":
        path.write_text(f'[{{"question": "q", "{other}": "{filler}", "{column}": {cell}}}]', encoding="utf-8")
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["question", other, column], ["q", filler, cell]])
    if said == "refused":
        with pytest.raises(ValueError, match=rf"own\.{kind.lower()}, row 1: '{column}' "):
            load_multihop_questions(path)
    else:
        (item,) = load_multihop_questions(path)
        assert (item.answers if column == "answer" else item.titles) == tuple(said.split(" · "))
