"""Arithmetic: exact, bounded, and deaf to anything but arithmetic."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnenv.envs.calculator.arithmetic import (
    LONGEST,
    ExpressionError,
    as_written,
    evaluate,
    has_operation,
    read_number,
)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("(1+2)*3", 9),
        ("-2 ** 2", -4),
        ("2^10", 1024),
        ("2 ** -2", Fraction(1, 4)),
        ("1/3 + 1/6", Fraction(1, 2)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("1,250 × 2 ÷ 4 − 5", 620),
        ("1,250,000 + 1", 1250001),
        (" 7 ", 7),
        ("+7 - -3", 10),
        ("12\n* 3", 36),
        ("4.35*100", 435),
        ("9007199254740993.0+0", 9007199254740993),
        ("123456789012345678.5*2", 246913578024691357),
        ("0.1000000000000000055511151231257827*1", Fraction("0.1000000000000000055511151231257827")),
        ("5–3", 2),
        ("1,250.50 + 1", Fraction("1251.5")),
        (".5 + 1.", Fraction(3, 2)),
    ],
)
def test_values(expression, value):
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "()",
        "1 +",
        "1 / 0",
        "0 ** -1",
        "2 ** 0.5",
        "2 ** 999999999",
        "9 ** 9 ** 9",
        "(((9**9)**9)**9)",
        "9" * 199,
        "1 +" * 300 + "1",
        "(" * 199,
        "__import__('os')",
        "1 if 1 else 2",
        "1e999",
        "1j",
        "True",
        "0x10",
        "5 // 2",
        "5 % 2",
        "2(3)",
        "1, 2",
        "x + 1",
        "(1).real",
        "٣ + 1",
        "007",
        "\x00",
        "1\\\n+1",
        "1;2",
        "1)+(2",
        "1,2,500+1",
        "1234,567+1",
        "0,500+1",
    ],
)
def test_anything_else_is_refused(expression):
    with pytest.raises(ExpressionError):
        evaluate(expression)


numbers = st.integers(0, 10**6).map(str) | st.decimals(0, 999, places=2).map(str)
sums = st.recursive(
    numbers, lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner), max_leaves=8
)


@given(sums)
def test_agrees_with_python_on_fractions(expression):
    if len(expression) <= LONGEST:
        quoted = "".join(
            f"Fraction('{part}')" if part[0].isdigit() else part
            for part in expression.replace("(", " ( ").replace(")", " ) ").split()
        )
        assert evaluate(expression) == eval(quoted, {"Fraction": Fraction})


@given(st.text(alphabet="0123456789+-*/.() ^,", max_size=LONGEST + 20))
def test_never_anything_but_a_value_or_a_refusal(text):
    try:
        value = evaluate(text)
    except ExpressionError:
        return
    assert max(value.numerator.bit_length(), value.denominator.bit_length()) <= 256


@given(st.fractions(max_denominator=10**6))
def test_what_is_written_reads_back(value):
    assert read_number(as_written(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        (" -42. ", -42),
        ("$1,250.50", Fraction("1250.5")),
        ("−$3", -3),
        ("7/3", Fraction(7, 3)),
        ("-7 / 2", Fraction(-7, 2)),
        ("75%", 75),
        (".5", Fraction(1, 2)),
    ],
)
def test_numbers(text, value):
    assert read_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42 or 43",
        "42, 43",
        "42 apples",
        "1/0",
        "about 7",
        "4 2",
        "--1",
        "٤٢",
        "4²",
        "9" * 300,
        "1e3",
        "inf",
        "1,2",
        "50,0",
        "0,500",
        "1234,567",
    ],
)
def test_no_numbers(text):
    assert read_number(text) is None


@pytest.mark.parametrize(("expression", "combines"), [("7", False), ("(-7)", False), ("+7", False), ("7 + 0", True)])
def test_operations(expression, combines):
    assert has_operation(expression) is combines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3", "3"),
        ("-5/2", "-2.5"),
        ("1/3", "1/3"),
        ("1/1000000", "0.000001"),
        ("1/10000000", "0.0000001"),
        ("1/1000000000000", "0.000000000001"),
        ("1/10000000000000", "1/10000000000000"),
        ("-1/4096", "-0.000244140625"),
        ("1/8192", "1/8192"),
    ],
)
def test_written(value, text):
    assert as_written(Fraction(value)) == text
