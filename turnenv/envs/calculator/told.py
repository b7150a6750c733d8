"""Which numbers a problem's text tells, however they are written: what it tells is not paid."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

from turnenv.actions.numbers import DECIMAL, ungrouped
from turnenv.envs.calculator.arithmetic import LONGEST

__all__ = ["told_numbers"]

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()
_SMALL = {name: value for value, name in enumerate([*_UNITS, "seventeen", "eighteen", "nineteen"])}
_TENS = {
    name: 10 * value for value, name in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)
}
_TIMES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_PARTS = {"half": Fraction(1, 2), "third": Fraction(1, 3), "quarter": Fraction(1, 4)}
_OTHERS = {"once": 1, "twice": 2, "thrice": 3, "double": 2, "triple": 3}
_WORD = re.compile(r"[a-z]+")
_TIMES_NAMES = "|".join(f"{name}s?" for name in _TIMES)

_DIGITS = re.compile(
    rf"(?P<minus>(?<![0-9])[-\u2212]\s?)?[$€£¥]?(?P<number>{DECIMAL})"
    rf"(?:\s?(?P<percent>%|percent\b|per cent\b)|[\s-](?P<times>{_TIMES_NAMES})\b)?"
)
_FRACTION = re.compile(
    r"(?:(?<![0-9/.])([0-9]{1,18})[\s-])?(?<![0-9/.])([0-9]{1,18})\s?[/\u2044]\s?([0-9]{1,18})(?![0-9/])"
)
# Spaces and dots between thousands and a comma before decimals, as much of the world writes them.
_SPACED = re.compile(r"(?<![0-9.,])[1-9][0-9]{0,2}(?:(?: [0-9]{3})+|(?:\.[0-9]{3})+)(?![0-9])")
_COMMA = re.compile(r"(?<![0-9.,])(?:0,[0-9]+|[0-9]+,(?:[0-9]{1,2}|[0-9]{4,}))(?![0-9,])")


def told_numbers(text: str) -> frozenset[Fraction]:
    """Every number that a text can be read to tell; where a notation has two readings, both.

    Digits of any script, grouped (`1,200`, `1 200`, `1.200`) or not, before any punctuation, with a sign or a currency;
    a percentage as itself and as a share; `3/4`, `2 1/2` and `½`; `1.5 million`; number words up to billions, and
    `dozen`, `half`, `twice`.
    """
    plain = _digits_of_ascii(text).casefold()
    return frozenset([*_in_digits(plain), *_in_words(plain)])


def _digits_of_ascii(text: str) -> str:
    if text.isascii():
        return text
    signs = []
    for sign in text:
        if not sign.isascii() and sign.isdecimal():
            sign = str(unicodedata.decimal(sign))
        elif not sign.isascii() and "VULGAR FRACTION" in unicodedata.name(sign, ""):
            sign = f" {unicodedata.normalize('NFKC', sign)}"
        signs.append(sign)
    return "".join(signs)


def _in_digits(text: str) -> Iterator[Fraction]:
    for found in _DIGITS.finditer(text):
        if len(found["number"]) > LONGEST:
            continue
        yield (value := Fraction(ungrouped(found["number"])))
        if found["minus"]:
            yield -value
        if found["percent"]:
            yield value / 100
        if found["times"]:
            yield value * _TIMES[found["times"].removesuffix("s")]
    for whole, above, below in _FRACTION.findall(text):
        if int(below):
            yield Fraction(int(above), int(below))
            yield int(whole or 0) + Fraction(int(above), int(below))
    for spaced in _SPACED.findall(text):
        yield Fraction(spaced.replace(" ", "").replace(".", ""))
    for comma in _COMMA.findall(text):
        yield Fraction(comma.replace(",", "."))


def _in_words(text: str) -> Iterator[Fraction]:
    words = _WORD.findall(text)
    at = 0
    while at < len(words):
        value, after = _number_of_words(words, at)
        if value is not None:
            yield value
        elif words[at] in _PARTS:
            yield _PARTS[words[at]]
            # Half a dozen, a quarter million.
            name = next((word for word in words[at + 1 : at + 3] if word != "a"), "").removesuffix("s")
            if name in _TIMES:
                yield _PARTS[words[at]] * _TIMES[name]
        elif words[at] in _OTHERS:
            yield Fraction(_OTHERS[words[at]])
        at = max(after, at + 1)


def _number_of_words(words: list[str], at: int) -> tuple[Fraction | None, int]:
    """The number whose words begin at a place, such as "two hundred and fifty", and the place after it."""
    total, part, begun, last = 0, 0, False, 0
    while at < len(words):
        word = words[at].removesuffix("s") if words[at].removesuffix("s") in _TIMES else words[at]
        joins = word == "and" and begun and last >= 100 and at + 1 < len(words) and words[at + 1] in _SMALL | _TENS
        if joins:
            at += 1
            continue
        if word in _SMALL and (not begun or last >= 100 or (last >= 20 and 0 < _SMALL[word] < 10)):
            part, last = part + _SMALL[word], _SMALL[word]
        elif word in _TENS and (not begun or last >= 100):
            part, last = part + _TENS[word], _TENS[word]
        elif word in _TIMES and _TIMES[word] >= 1000:
            total, part, last = total + (part or 1) * _TIMES[word], 0, _TIMES[word]
        elif word in _TIMES:
            part, last = (part or 1) * _TIMES[word], _TIMES[word]
        else:
            break
        begun, at = True, at + 1
    return (Fraction(total + part), at) if begun else (None, at)
