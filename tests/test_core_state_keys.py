"""The key of a state keeps its contract: equal states, equal keys; different states, different keys."""

import math
import subprocess
import sys
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from turnenv.core import state_keys
from turnenv.core.state_keys import hash_state

BIG = 2**53


class Place(NamedTuple):
    x: int
    y: int


@dataclass(frozen=True)
class Point:
    x: Any
    y: Any = 0


@dataclass
class Spot:
    x: Any
    y: Any = 0
    note: str = field(default="", compare=False)


class Colour(Enum):
    RED = 1
    BLUE = 2


class Shade(Enum):
    RED = 1


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    RED = "red"


class Rights(Flag):
    READ = 1
    WRITE = 2


class Same(str):
    __slots__ = ()


NUMBERS = (
    st.booleans()
    | st.integers()
    | st.integers(-3, 3)
    | st.sampled_from([BIG, BIG + 1, float(BIG), -BIG - 1, 0.5, -0.0, 0.1, 1e300, math.inf, -math.inf])
    | st.floats(allow_nan=False)
    | st.fractions(max_denominator=8)
    | st.decimals(allow_nan=False, allow_infinity=True, places=2)
    | st.complex_numbers(allow_nan=False, allow_infinity=False)
    | st.sampled_from(Level)
)
NUMPY_NUMBERS = (
    st.floats(width=32).map(np.float32)
    | st.floats(width=16).map(np.float16)
    | st.floats().map(np.float64)
    | st.integers(-128, 127).map(np.int8)
    | st.integers(0, 2**64 - 1).map(np.uint64)
    | st.sampled_from([BIG, BIG + 1]).map(np.int64)
    | st.booleans().map(np.bool_)
    | st.complex_numbers(width=64, allow_nan=False).map(np.complex64)
)
TEXTS = st.text(st.characters(), max_size=3) | st.sampled_from(["1", "\ud800", "None", *Word]) | st.just(Same("1"))
LEAVES = (
    NUMBERS
    | TEXTS
    | st.binary(max_size=2)
    | st.binary(max_size=2).map(bytearray)
    | st.none()
    | st.sampled_from([*Colour, *Shade, *Rights, Rights.READ | Rights.WRITE, ...])
    | st.builds(range, st.integers(0, 3), st.integers(0, 3), st.integers(1, 3))
)
HASHABLE = st.recursive(NUMBERS | TEXTS | st.none(), lambda inner: st.tuples(inner, inner), max_leaves=3)


def nested(inner):
    lists = st.lists(inner, max_size=3)
    return (
        lists
        | lists.map(tuple)
        | lists.map(deque)
        | st.tuples(inner, inner).map(lambda pair: Place(*pair))
        | st.dictionaries(HASHABLE, inner, max_size=3)
        | st.dictionaries(HASHABLE, inner, max_size=2).map(MappingProxyType)
        | st.builds(Point, inner, inner)
        | st.builds(Spot, inner, inner)
        | st.builds(lambda left, right: SimpleNamespace(left=left, right=right), inner, inner)
    )


VALUES = st.recursive(LEAVES, nested, max_leaves=6)
SMALL = st.recursive(
    st.sampled_from([0, 1, True, 1.0, Fraction(1), "1", b"1", None, 0.5, Decimal("0.5"), Colour.RED, ""]),
    nested,
    max_leaves=4,
)


@given(st.tuples(SMALL, SMALL) | st.tuples(VALUES, VALUES))
@settings(max_examples=400)
@example((BIG + 1, float(BIG)))
@example((..., ("...",)))
@example((None, "None"))
@example(((None, "none"), [None]))
@example(([], ()))
@example((Place(1, 2), (1, 2)))
def test_keys_are_equal_where_the_states_are(pair):
    left, right = pair
    assert (hash_state(left) == hash_state(right)) == bool(left == right)


@given(NUMPY_NUMBERS, NUMBERS | NUMPY_NUMBERS)
def test_numpys_numbers_are_the_numbers_that_they_hold(left, right):
    # numpy's own `==` rounds: np.uint64(2**53 + 1) == float(2**53).
    bare = right.item() if isinstance(right, np.generic) else right
    assert hash_state([left]) == hash_state([left.item()])
    assert (hash_state(left) == hash_state(right)) == (left.item() == bare or (left != left and bare != bare))


@given(VALUES)
def test_a_key_does_not_depend_on_what_was_asked_before(value):
    fresh = hash_state(value)
    state_keys._KEPT.clear()
    assert hash_state(value) == fresh


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1: "x", "1": 0}, {"1": False, 1.0: "x"}),
        (OrderedDict(a=1, b=2), {"b": 2, "a": 1}),
        (Counter("aab"), Counter({"b": 1, "a": 2, "c": 0})),
        ((1,), (1.0,)),
        ((1,), (True,)),
        ((0.0,), (-0.0,)),
        (math.nan, float("nan")),
        ((math.nan,), (np.float32("nan"),)),
        (np.float64(0.5), 0.5),
        (np.str_("a"), "a"),
        (memoryview(b"1"), b"1"),
        (np.longdouble(2) ** 63, 2**63),
        (10**40, Decimal(10) ** 40),
        (complex(3, 0), 3),
        (np.array([1, 2]), np.array([1.0, 2.0])),
        (np.array([True, False]), np.array([1, 0], dtype=object)),
        (np.array(["a", "bcd"])[:1], np.array(["a"])),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (np.array(5), 5),
        (Spot(1, note="a"), Spot(1.0, note="b")),
        (range(0, 4, 2), range(0, 3, 2)),
        (SimpleNamespace(a=1, b=2), SimpleNamespace(b=2, a=1)),
    ],
)
def test_equal_states_have_equal_keys(left, right):
    assert hash_state(left) == hash_state(right)
    assert hash_state([left]) == hash_state([right])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((1, "a"), (1, "b")),
        ((-1,), (-2,)),
        ((1,), ("1",)),
        ("1", b"1"),
        ([1], (1,)),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, (("a", 1),)),
        ({"a": {}}, {"a": []}),
        ([[1], 2], [[1, 2]]),
        ("é", "e\u0301"),
        ("\ud800", "\\ud800"),
        (BIG + 1, float(BIG)),
        (np.array([BIG + 1]), np.array([float(BIG)])),
        (np.longdouble(1) + np.finfo(np.longdouble).eps, 1.0),
        (np.arange(6).reshape(2, 3), np.arange(6).reshape(3, 2)),
        (np.zeros((0, 3)), np.zeros((3, 0))),
        (np.array([1, 2]), [1, 2]),
        (np.array(["1"]), np.array([1])),
        (np.arange(5000), np.where(np.arange(5000) == 2500, 0, np.arange(5000))),
        (Point(1), Spot(1)),
        (Point(1), (1, 0)),
        (Colour.RED, Shade.RED),
        (Colour.RED, Colour.BLUE),
        (Rights.READ, Rights.READ | Rights.WRITE),
        (datetime(2020, 1, 1), datetime(2020, 1, 2)),
        (math.nan, math.inf),
        (..., None),
        (range(3), [0, 1, 2]),
        (range(3), range(4)),
    ],
)
def test_different_states_have_different_keys(left, right):
    assert hash_state(left) != hash_state(right)
    assert hash_state((left,)) != hash_state((right,))


class Plain:
    pass


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ({1, 2}, r"state_key\(\) is a set, whose order varies: return tuple\(sorted\("),
        (("a", [frozenset()]), r"state_key\(\)\[1\]\[0\] is a frozenset"),
        ({"seen": {}.keys()}, r"state_key\(\)\['seen'\] is a dict_keys"),
        ({frozenset(): 1}, r"state_key\(\)\.keys\(\) is a frozenset"),
        (Point(1, Spot({1})), r"state_key\(\)\.y\.x is a set"),
        (deque([SimpleNamespace(bag={1})]), r"state_key\(\)\[0\]\.bag is a set"),
        (Plain(), r"state_key\(\) is a Plain, whose repr is its address.*tuple, or make it a dataclass"),
        (np.array([Plain()]), r"is a Plain"),
        ((len, lambda: 0), r"state_key\(\)\[1\] is a function"),
        (iter([1]), "is a list_iterator"),
        (np.datetime64("2020-01-01"), r"is a numpy.datetime64: return a number or a string"),
        ((np.timedelta64(1, "D"),), r"is a numpy.timedelta64"),
        ([np.array(["2020-01-01"], dtype="M8[D]")], r"state_key\(\)\[0\] is an array of dtype datetime64"),
    ],
)
def test_what_has_no_key_is_named(key, said):
    with pytest.raises(TypeError, match=said):
        hash_state(key)


def test_a_state_that_holds_itself_is_refused():
    state = []
    state.append(state)
    with pytest.raises(TypeError, match="holds itself"):
        hash_state(state)


def test_a_state_that_changes_in_place_gets_another_key():
    class Counted:
        def __init__(self):
            self.count = 0

        def __repr__(self):
            return f"Counted({self.count})"

    state = (Counted(), 1)
    before = hash_state(state)
    state[0].count = 1
    assert hash_state(state) != before


#: Recorded episodes hold keys, so that every version of Python, numpy and turnenv must make these.
PINNED = {
    "(3, 1, 50)": -4613517714296426186,
    "('Zürich', 3, None, (1.5, 'x'))": -6717737733142544671,
    "['\\ud800', True, b'x']": 5462765859169017429,
    "{'b': [1], 'a': {}}": 245625966755878565,
    "(2**70, -2**40, 0.1)": 8217086248366114089,
    "(math.nan, -math.inf, 1j)": -6623445650732193622,
}


@pytest.mark.parametrize("seed", ["1", "2"])
def test_keys_are_the_same_in_every_process_and_version(seed):
    keys = ", ".join(PINNED)
    code = f"import math\nfrom turnenv.core.state_keys import hash_state\nfor key in ({keys}): print(hash_state(key))"
    run = [sys.executable, "-c", code]
    printed = subprocess.run(run, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}).stdout
    assert [int(line) for line in printed.split()] == list(PINNED.values())


def test_a_number_of_many_digits_has_a_key():
    assert hash_state(10**5000) == hash_state(Fraction(10**5000)) != hash_state(10**5000 + 1)


def test_equal_states_have_equal_keys_whatever_objects_they_share():
    word = "".join(["amb", "er"])
    assert hash_state((word, word)) == hash_state(("amber", "".join(["am", "ber"])))


def test_a_long_state_has_a_key_like_any_other():
    assert hash_state("a" * 10_000) == hash_state("a" * 10_000) != hash_state("a" * 10_001)
    assert "a" * 10_000 not in state_keys._KEPT


def test_the_kept_keys_stay_few(monkeypatch):
    monkeypatch.setattr(state_keys, "_MOST_KEPT", 3)
    keys = [hash_state((number,)) for number in range(10)]
    assert len(state_keys._KEPT) <= 3
    assert [hash_state((number,)) for number in range(10)] == keys
