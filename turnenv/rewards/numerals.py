"""Numbers in a folded text: one way to write each, and what two of them must share to be equal."""

from __future__ import annotations

import re
from math import gcd

__all__ = ["by_value", "opens_with_number", "scaled", "ungrouped"]

_GROUPED = re.compile(
    r"(?<![\d.,'])(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3}|[1-9]\d{0,2}(?:'\d{3})+)(?![,']?\d)"
)
_PLUS = re.compile(r"(?<=\de)\+(?=\d)")
_NUMBER = r"(?P<whole>0|[1-9]\d*)(?:\.(?P<part>\d+))?(?: (?P<over>[1-9]\d{0,8})/(?P<under>[1-9]\d{0,8}))?"
_FRACTION = r"(?P<top>[1-9]\d{0,8})/(?P<bottom>[1-9]\d{0,8})"
_VALUE = re.compile(rf"(?<!\S)(?P<signs>[^\w\s]*)(?:{_NUMBER}|{_FRACTION})(?!\S)")
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_SCALED = re.compile(rf"{_VALUE.pattern}(?P<scales>(?: (?:{'|'.join(_SCALES)}))+)(?!\S)")


def ungrouped(text: str) -> str:
    """1,000 and 12,34,567 and 1'000 without their separators, 1e+6 without its plus.

    1,5 and 1.000,5 can be read in two ways and stay.
    """
    if "e+" in text:
        text = _PLUS.sub("", text)
    if "," not in text and "'" not in text:
        return text
    return _GROUPED.sub(lambda found: found[0].replace(",", "").replace("'", ""), text)


def scaled(text: str) -> str:
    """1.5 million written out as 1500000."""
    return _SCALED.sub(_written_out, text) if "llion" in text or "hundred" in text or "thousand" in text else text


def by_value(text: str, *, in_names: bool) -> str:
    """Each number as the shortest one of its value: 5.00 is 5, 0.50 and 1/2 are 0.5, 1 1/2 is 1.5, -0 is 0.

    A fraction that can be cut down (6/8) or has no finite decimal (1/3, 9/11) stays: it may be a metre or a date.

    Args:
        text: a folded text without punctuation.
        in_names: also where the number stands behind a word, and may be the version of something (Python 3.10).
    """
    if "." not in text and "/" not in text and "-0" not in text:
        return text

    def shortest(found: re.Match[str]) -> str:
        end = max(0, found.start() - 1)
        named = any(map(str.isalpha, text[text.rfind(" ", 0, end) + 1 : end]))
        return found[0] if named and not in_names else _shortest(found)

    return _VALUE.sub(shortest, text)


def opens_with_number(form: str) -> bool:
    """True if the first word of a normal form is a number."""
    return _VALUE.match(form) is not None


def _shortest(found: re.Match[str]) -> str:
    signs, parts = found["signs"], _decimal(found)
    if parts is None:
        return found[0]
    whole, part = parts
    signs = signs.replace("-", "") if whole == "0" and not part else signs
    return f"{signs}{whole}.{part}" if part else f"{signs}{whole}"


def _written_out(found: re.Match[str]) -> str:
    parts = _decimal(found)
    if parts is None:
        return found[0]
    whole, part = parts
    zeros = sum(_SCALES[scale] for scale in found["scales"].split())
    part = part.ljust(zeros, "0")
    whole, part = f"{whole}{part[:zeros]}".lstrip("0") or "0", part[zeros:]
    return f"{found['signs']}{whole}.{part}" if part else f"{found['signs']}{whole}"


def _decimal(found: re.Match[str]) -> tuple[str, str] | None:
    """The digits before and behind the decimal point, without zeros at their end; None where it has no finite form."""
    if found["top"]:
        return _fraction(0, int(found["top"]), int(found["bottom"]))
    part = (found["part"] or "").rstrip("0")
    if not found["over"]:
        return found["whole"], part
    if part or int(found["over"]) >= int(found["under"]) or len(found["whole"]) > 3:
        return None
    return _fraction(int(found["whole"]), int(found["over"]), int(found["under"]))


def _fraction(whole: int, over: int, under: int) -> tuple[str, str] | None:
    """`whole` and over/under as decimal digits, if the fraction is in lowest terms and no whole number."""
    if under == 1 or gcd(over, under) > 1 or 10**30 % under:
        return None
    digits = over * 10**30 // under
    return str(whole + digits // 10**30), f"{digits % 10**30:030}".rstrip("0")
