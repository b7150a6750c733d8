"""Reads a topic from its two files: a table of facts (`facts/*.csv`) and a file of phrasings (`topics/*.toml`)."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

TOPICS = (
    "animals",
    "books",
    "composers",
    "countries",
    "elements",
    "films",
    "monuments",
    "mountains",
    "music",
    "olympics",
    "painters",
    "paintings",
    "programming_languages",
    "rivers",
    "scientists",
    "space",
    "us_states",
    "writers",
)

_NAMING_COLUMNS = ("title", "name", "asked")


@dataclass(frozen=True)
class Row:
    """One entity and its facts.

    Attributes:
        title: unique in the whole atlas.
        name: what running text calls the entity ("the Nile").
        asked: what a question calls the entity; unlike `name`, it is unambiguous ("the planet Mercury").
        cells: column -> the canonical value and its aliases; without empty cells.
    """

    title: str
    name: str
    asked: str
    cells: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Relation:
    """One column of a table, and how it is put into words.

    Attributes:
        name: the name of the column.
        sentences: phrasings of the fact; an article uses one.
        questions: phrasings of the question; empty if articles state the fact but no question asks for it.
        links: topics whose articles a value may be about.
    """

    name: str
    sentences: tuple[str, ...]
    questions: tuple[str, ...]
    links: tuple[str, ...]


@dataclass(frozen=True)
class Topic:
    """One table with its phrasings.

    Attributes:
        name: one of `TOPICS`.
        intros: phrasings of an article's first sentence; one whose fields are all filled in is used.
        relations: the columns.
        rows: the entities, in the file's order.
    """

    name: str
    intros: tuple[str, ...]
    relations: tuple[Relation, ...]
    rows: tuple[Row, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """Read every topic from the package's data, in the order of `TOPICS`."""
    return tuple(_read_topic(name) for name in TOPICS)


def _read_topic(name: str) -> Topic:
    here = files("turnenv.atlas")
    phrasings = tomllib.loads((here / "topics" / f"{name}.toml").read_text(encoding="utf-8"))
    table = (here / "facts" / f"{name}.csv").read_text(encoding="utf-8")
    relations = tuple(_relation(column, entry) for column, entry in phrasings["relations"].items())
    return Topic(name, tuple(phrasings["intros"]), relations, tuple(_rows(table)))


def _relation(column: str, entry: dict[str, Any]) -> Relation:
    """Turn the phrasings of one column into a Relation."""
    return Relation(column, tuple(entry["sentences"]), tuple(entry.get("questions", ())), tuple(entry.get("links", ())))


def _rows(table: str) -> Iterator[Row]:
    """Read a table: semicolons separate fields, bars separate a value and its aliases."""
    for record in csv.DictReader(table.splitlines(), delimiter=";", strict=True):
        title = record["title"]
        name = record["name"] or title
        cells = {
            column: tuple(cell.split("|")) for column, cell in record.items() if cell and column not in _NAMING_COLUMNS
        }
        yield Row(title, name, record["asked"] or name, cells)
