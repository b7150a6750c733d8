"""A file that is written whole or not at all."""

from pathlib import Path

import pytest

from turnenv.atomic import replacing


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text("old")
    path.with_name(".rows.json.partial").write_text("half")
    with pytest.raises(UnicodeEncodeError), replacing(path) as partial:
        partial.write_text("whole\udfff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_kill_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    with replacing(path) as partial:
        partial.write_text("new")
        left = partial
    left.write_text("what a killed process wrote of it")
    with replacing(path) as partial:
        partial.write_text("newer")
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("rows.json", "newer")]


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "rows.json"):
        pass
