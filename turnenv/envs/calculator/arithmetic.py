"""Exact arithmetic on untrusted strings: bounded, and without `eval`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction

from turnenv.actions.numbers import ungrouped

LONGEST = 200
"""The most characters of an expression or a number."""

_MOST_BITS = 256
_LARGEST_EXPONENT = 64
_MOST_PLACES = 12
_SPELLINGS = str.maketrans(
    {"×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "∕": "/", "⁄": "/", "^": "**", "\n": " ", "\t": " "}
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-")
)
_SIGNS = re.compile(r"[0-9.+\-*/() ]*")
_NUMBER = re.compile(r"[$€£]?\s*([+-]?)\s*[$€£]?\s*([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:\s*/\s*([0-9]+))?\s*%?\.?")
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ExpressionError(ValueError):
    """The expression cannot be computed; the message says why, and the agent reads it."""


def evaluate(expression: str, names: Mapping[str, Fraction] | None = None) -> Fraction:
    """The exact value of an expression of numbers, + - * / ** and parentheses.

    `×`, `·`, `÷`, `^`, every dash as a minus and commas between thousands are understood. A decimal is exactly what its
    digits say, never the nearest float.

    Args:
        expression: at most `LONGEST` characters.
        names: the values of names that the expression may use; None allows no name.

    Raises:
        ExpressionError: if it is too long, has other characters, divides by zero, or a value needs over 256 bits.
    """
    return _value(*_parse(expression, names is not None), names or {})


def has_operation(expression: str) -> bool:
    """True if an expression combines at least two numbers.

    Raises:
        ExpressionError: if it cannot be read.
    """
    return any(isinstance(node, ast.BinOp) for node in ast.walk(_parse(expression, False)[0]))


def as_written(value: Fraction) -> str:
    """Write a value exactly: as a whole number, a decimal of up to 12 places, or else a fraction such as `1/3`."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**_MOST_PLACES
    if scaled.denominator != 1:
        return str(value)
    whole, rest = divmod(abs(scaled.numerator), 10**_MOST_PLACES)
    return f"{'-' if value < 0 else ''}{whole}.{rest:0{_MOST_PLACES}d}".rstrip("0")


def read_number(text: str) -> Fraction | None:
    """Read a number (`-3`, `1,250`, `$2.50`, `7/3`); None if the string is anything else."""
    if len(text) > LONGEST:
        return None
    found = _NUMBER.fullmatch(ungrouped(text.strip().translate(_SPELLINGS)))
    if found is None or (found[3] and int(found[3]) == 0):
        return None
    value = Fraction(found[2]) / int(found[3] or 1)
    return -value if found[1] == "-" else value


def _parse(expression: str, named: bool) -> tuple[ast.expr, str]:
    """The expression's tree, and the text that its positions count in."""
    if len(expression) > LONGEST:
        raise ExpressionError(f"the expression is longer than {LONGEST} characters")
    plain = ungrouped(expression.translate(_SPELLINGS)).strip()
    if not named and not _SIGNS.fullmatch(plain):
        raise ExpressionError("an expression holds only numbers, + - * / ** and parentheses")
    try:
        return ast.parse(plain, mode="eval").body, plain
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"cannot read the expression {expression.strip()[:60]!r}") from None


def _value(node: ast.expr, source: str, names: Mapping[str, Fraction]) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            # The digits that were written: a float holds 15 to 17 of them.
            value = Fraction(source[node.col_offset : node.end_col_offset])
        case ast.Name(id=name) if name in names:
            value = names[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = -_value(operand, source, names)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            value = _value(operand, source, names)
        case ast.BinOp(left=left, op=op, right=right):
            value = _combine(op, _value(left, source, names), _value(right, source, names))
        case _:
            raise ExpressionError(f"{source.strip()[:60]!r} is not made of numbers, + - * / ** and parentheses alone")
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise ExpressionError("the numbers get too large")
    return value


def _combine(op: ast.operator, left: Fraction, right: Fraction) -> Fraction:
    if isinstance(op, ast.Pow):
        return _power(left, right)
    if type(op) not in _OPERATORS:
        raise ExpressionError("the operators are + - * / **")
    if isinstance(op, ast.Div) and right == 0:
        raise ExpressionError("division by zero")
    return _OPERATORS[type(op)](left, right)


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > _LARGEST_EXPONENT:
        raise ExpressionError(f"an exponent is a whole number up to {_LARGEST_EXPONENT}")
    if base == 0 and exponent < 0:
        raise ExpressionError("division by zero")
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if bits * abs(exponent.numerator) > 2 * _MOST_BITS:
        raise ExpressionError("the numbers get too large")
    return Fraction(base**exponent.numerator)
