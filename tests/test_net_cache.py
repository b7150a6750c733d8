"""AnswerCache: what is put comes back, from any thread, and each failure is the caller's kind of error."""

import multiprocessing
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from turnenv.net.cache import AnswerCache

VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
TEXT = st.text(st.characters(exclude_categories=("Cs",)))


class MendableError(Exception):
    pass


@pytest.fixture
def cache(tmp_path):
    return AnswerCache(tmp_path / "deep" / "answers.sqlite3", MendableError)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=TEXT, value=VALUES)
def test_what_is_put_comes_back(cache, key, value):
    cache.put(key, value)
    assert cache.get(key) == value


def test_an_unknown_key_is_none_and_the_last_value_stays(cache):
    assert cache.get("k") is None
    cache.put("k", 1)
    cache.put("k", [2])
    assert cache.get("k") == [2]


def test_threads_and_processes_write_at_once(cache):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cache.put, map(str, range(40)), range(40)))
    child = multiprocessing.get_context("spawn").Process(target=cache.put, args=("child", True))
    child.start()
    child.join()
    assert [cache.get(str(number)) for number in range(40)] == list(range(40))
    assert cache.get("child") is True


@pytest.mark.parametrize("broken", ["no database", "a folder", "no JSON"])
def test_a_broken_file_is_the_callers_error(tmp_path, broken):
    path = tmp_path / "answers.sqlite3"
    if broken == "no database":
        path.write_bytes(b"nothing of the kind" * 100)
    elif broken == "a folder":
        path.mkdir()
    else:
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
            db.execute("INSERT INTO answers VALUES ('k', '{')")
        db.close()
    with pytest.raises(MendableError, match="delete it, or set another cache_dir"):
        AnswerCache(path, MendableError).get("k")
