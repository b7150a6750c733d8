r"""Numbers as people write them in a text: grouped, signed, with a decimal point; read exactly, or not at all.

    37   -5   −5   1,000   12,345,678   1 000 (no-break or thin space)   1_000   1'000   37.0   2.50   .5

A comma groups three digits and is never a decimal comma; the first group holds one to three digits and no leading zero.
`1e3`, `74/2` and `37½` are each one number, but not a whole number as people write them. Digits are ASCII's.
"""

from __future__ import annotations

import re

__all__ = ["DECIMAL", "WRITTEN", "last_number", "ungrouped", "whole"]

MOST_DIGITS = 18
"""Digits of a whole number at most."""

_SEPARATORS = (",", "_", "'", "\u2019", "\u00a0", "\u2009", "\u202f")
_GROUPS = "|".join(rf"(?:{separator}[0-9]{{3}})+" for separator in _SEPARATORS)
_GROUPED = rf"[1-9][0-9]{{0,2}}(?=[{''.join(_SEPARATORS)}][0-9]{{3}})(?:{_GROUPS})(?![0-9])"

DECIMAL = rf"(?:(?:{_GROUPED}|[0-9]+)(?:\.[0-9]+)?|(?<![\w.])\.[0-9]+)"
"""A pattern, without groups, of a number without a sign."""

WRITTEN = rf"(?:(?<![0-9])[-+\u2212])?{DECIMAL}(?:[eE][-+]?[0-9]+|/[0-9]+|[\u00bc-\u00be\u2150-\u215e])?"
"""A pattern, without groups, of all that is one number; a sign right after a digit is none, as in 10-20."""

_NUMBER = re.compile(WRITTEN)
# Digits that nothing beside them can change, the last ones of a text: found from its end.
_PLAIN_LAST = re.compile(
    rf"(?s).*(?<![0-9.eE/+\-\u2212{''.join(_SEPARATORS)}])([0-9]++)(?![\u00bc-\u00be\u2150-\u215e])[^0-9]*+\Z"
)
_WHOLE = re.compile(rf"([-+\u2212]?)((?:{_GROUPED}|[0-9]+))(?:\.0+)?")
_GROUPING = re.compile(rf"(?<![0-9.,]){_GROUPED}(?!,?[0-9])")
_PLAIN = str.maketrans(dict.fromkeys(_SEPARATORS))


def last_number(text: str) -> str | None:
    """The last number of a text as it is written, or None."""
    if plain := _PLAIN_LAST.match(text):
        return plain[1]
    found = _NUMBER.findall(text)
    return found[-1] if found else None


def whole(written: str) -> int | None:
    """The whole number that is written, `37.0` among them, or None for another or one of over `MOST_DIGITS` digits."""
    if written.isascii() and written.isdigit() and len(written) <= MOST_DIGITS:
        return int(written)
    found = _WHOLE.fullmatch(written)
    if found is None or len(digits := found[2].translate(_PLAIN)) > MOST_DIGITS:
        return None
    return -int(digits) if found[1] in ("-", "\u2212") and found[1] else int(digits)


def ungrouped(text: str) -> str:
    """A text whose grouped numbers are written without separators; `1,2,500` and `1234,567` stay as they are."""
    return _GROUPING.sub(lambda found: found[0].translate(_PLAIN), text)
