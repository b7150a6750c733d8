"""The 64-bit key of a state: equal states, equal keys, in every process and in every version of Python."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from hashlib import blake2b
from itertools import chain
from marshal import dumps
from operator import is_
from struct import Struct
from types import NoneType, SimpleNamespace
from typing import Any, NoReturn

import numpy as np

# Keys are cached, because the members of a group pass through the same states.
_KEPT: dict[object, int] = {}
_MOST_KEPT, _LONGEST_KEPT = 1 << 13, 512  # entries; bytes
_SIGNED = Struct("<q").unpack
_CONSTANTS = frozenset({int, str, bytes, NoneType, bool, float})
# The plain form is nested tuples of these; a tuple that starts with `...` stands for any other value.
_FLAT = frozenset({int, str, bytes, NoneType})


def hash_state(key: object) -> int:
    """A signed 64-bit hash of a state's key: equal keys have equal hashes, different keys different ones.

    Two keys are equal if `==` says so: numbers by value (1, 1.0, True and numpy's scalars), tuples and lists by type
    and order, mappings by their items in any order, dataclasses by type and compared fields, enums by type and member
    unless they are strings or numbers. Arrays are equal if their shapes and values are, whatever their dtypes, and one
    NaN is equal to another. An object of any other type is compared by its type and `repr`.

    Raises:
        TypeError: if the key holds a set, an object with the default `repr`, numpy's dates or an array of dates or
            records, or is nested too deeply; the message says where.
    """
    try:
        kept = _KEPT.get(key)
    except TypeError:  # it is not hashable
        return _digest(_checked(key))[0]
    return _keep(key) if kept is None else kept


def _keep(key: object) -> int:
    plain = _checked(key)
    digest, length = _digest(plain)
    if length <= _LONGEST_KEPT and (plain is key or _is_constant(key)):
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = digest
    return digest


def _is_constant(key: object) -> bool:
    """False if the key can change in place."""
    if type(key) is not tuple:
        return type(key) in _CONSTANTS
    return _CONSTANTS.issuperset(map(type, key)) or all(map(_is_constant, key))


def _digest(plain: object) -> tuple[int, int]:
    data = _marshalled(plain)
    return _SIGNED(blake2b(data, digest_size=8).digest())[0], len(data)


def _marshalled(plain: object) -> bytes:
    """Before version 3 of the format the bytes depend on the value alone, not on which objects are shared."""
    return dumps(plain, 2)  # type: ignore[arg-type]


def _checked(key: object) -> Any:
    try:
        return _plain(key)
    except RecursionError:
        raise TypeError("state_key() is nested too deeply, or holds itself: return a tuple of what matters") from None
    except _NoPlainFormError as error:
        raise TypeError(f"state_key(){_where(key)} {error}") from None


class _NoPlainFormError(TypeError):
    """A part of a key has no plain form."""


def _where(value: Any) -> str:
    """Where in a key the part is that has no plain form, as a Python expression such as `[0].name`."""
    for step, part in _parts(value):
        try:
            _plain(part)
        except _NoPlainFormError:
            return f"{step}{_where(part)}"
    return ""


def _parts(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, (tuple, list, deque)):
        return ((f"[{at}]", part) for at, part in enumerate(value))
    if isinstance(value, Mapping):
        keys = ((".keys()", key) for key in value)
        return chain(keys, ((f"[{key!r}]", part) for key, part in value.items()))
    if is_dataclass(value) and not isinstance(value, type):
        return ((f".{field.name}", getattr(value, field.name)) for field in fields(value) if field.compare)
    return ((f".{name}", part) for name, part in vars(value).items()) if isinstance(value, SimpleNamespace) else ()


def _plain(value: Any) -> Any:
    """Equal for equal values, different for different ones, and the same bytes from `marshal` everywhere."""
    kind = type(value)
    return value if kind in _FLAT else _EXACT.get(kind, _other)(value)


def _tuple(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if _FLAT.issuperset(map(type, value)):
        return value
    plain = tuple([_tuple(part) if type(part) is tuple else _plain(part) for part in value])
    return value if all(map(is_, plain, value)) else plain


def _list(value: list[Any]) -> Any:
    return ..., "list", *map(_plain, value)


def _deque(value: deque[Any]) -> Any:
    return ..., "deque", *map(_plain, value)


def _number(value: Any) -> Any:
    """An int where the number is whole, else its lowest terms."""
    try:
        over, under = value.as_integer_ratio()
    except ValueError:
        return ..., "nan"
    except OverflowError:
        return ..., "inf", 1 if value > 0 else -1
    return over if under == 1 else (..., "ratio", over, under)


def _complex(value: Any) -> Any:
    real, imaginary = _number(value.real), _number(value.imag)
    return real if imaginary == 0 else (..., "complex", real, imaginary)


def _mapping(value: Mapping[Any, Any]) -> Any:
    # A Counter compares a count of 0 equal to a missing one.
    items = [item for item in value.items() if item[1]] if isinstance(value, Counter) else value.items()
    # The keys are sorted by their bytes, since values of several types have no order.
    pairs = ((_marshalled(_plain(key)), _plain(item)) for key, item in items)
    return ..., "mapping", *sorted(pairs, key=lambda pair: pair[0])


def _array(value: Any) -> Any:
    if value.dtype.kind not in "biufcUSO":
        raise _NoPlainFormError(f"is an array of dtype {value.dtype}: return numbers or strings")
    # `flat` keeps a long double's digits, which `tolist` rounds.
    return (..., "array", value.shape, *map(_plain, value.flat)) if value.ndim else _plain(value[()])


def _range(value: range) -> Any:
    return ..., "range", len(value), *value[:1], *([value.step] if len(value) > 1 else [])


def _enum(value: Enum) -> Any:
    return ..., "enum", _type_name(value), value.value if isinstance(value, Flag) else value.name


def _namespace(value: SimpleNamespace) -> Any:
    return ..., "namespace", _mapping(vars(value))


def _dataclass(value: Any) -> Any:
    compared = (getattr(value, field.name) for field in fields(value) if field.compare)
    return ..., "dataclass", _type_name(value), *map(_plain, compared)


def _set(value: Any) -> NoReturn:
    raise _NoPlainFormError(f"is a {type(value).__name__}, whose order varies: return tuple(sorted(…)) of it")


def _numpy_other(value: Any) -> NoReturn:
    raise _NoPlainFormError(f"is a numpy.{type(value).__name__}: return a number or a string")


def _object(value: Any) -> Any:
    text = repr(value)
    if f"{id(value):x}" in text.lower():
        name, fix = type(value).__name__, "return its fields as a tuple, or make it a dataclass"
        raise _NoPlainFormError(f"is a {name}, whose repr is its address, not its value: {fix}")
    return ..., "repr", _type_name(value), text


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


_EXACT: Mapping[type, Callable[[Any], Any]] = {tuple: _tuple, bool: int, float: _number, list: _list, dict: _mapping}
_KINDS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (np.timedelta64, _numpy_other),  # to numpy it is an integer
    ((int, np.integer, np.bool_), int),
    (str, str.__str__),
    ((float, np.floating, Fraction, Decimal), _number),
    ((complex, np.complexfloating), _complex),
    ((bytes, bytearray, memoryview), bytes),
    (tuple, lambda value: _tuple(tuple(value))),
    (list, _list),
    (deque, _deque),
    (Mapping, _mapping),
    (np.ndarray, _array),
    (Enum, _enum),
    (range, _range),
    (SimpleNamespace, _namespace),
    (Set, _set),
    (np.generic, _numpy_other),
    (object, _object),
)


def _other(value: Any) -> Any:
    """The plain form of a value whose type is not one of the common ones."""
    if is_dataclass(value) and not isinstance(value, type):
        return _dataclass(value)
    return next(plain for kinds, plain in _KINDS if isinstance(value, kinds))(value)
