"""Unicode: the many ways to write one character become one."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

__all__ = ["fold"]

#: Signs that NFKC would make a space with an accent, or letters.
_EARLY = str.maketrans({**dict.fromkeys("´΄´᾽᾿῾", "'"), **dict.fromkeys("™℠®")})
_SIGNS = {
    **dict.fromkeys("ʹʺʻʼʽʾʿˈ", "'"),
    **dict.fromkeys("—―⸺⸻་፡", " "),
    **dict.fromkeys("−", "-"),
    **dict.fromkeys("⁄∕", "/"),
    **dict.fromkeys("≤⩽", "<="),
    **dict.fromkeys("≥⩾", ">="),
    "٪": "%",
    "٫": ".",
    "٬": ",",
    "‰": "‰",
    "‱": "‱",
    "§": "§",
}
"""What becomes of signs where their category does not decide."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_POWER = re.compile(r"(?<=\d)(?=[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻])(?<![⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻])")
_FRACTION = re.compile(r"(?<=\d)(?=[¼-¾⅐-⅞↉])")
_GROUPS = re.compile("(?<!\\d)[1-9]\\d{0,2}(?:[\u00a0\u2007\u2009\u202f]\\d{3})+(?!\\d)")
_GAP = re.compile("[\u00a0\u2007\u2009\u202f]")


def fold(text: str) -> str:
    """Case, compatibility forms and typographic signs folded away; punctuation, articles and numbers stay.

    Titles and search queries are compared in this form. NFKC of the casefolded text; what is invisible (zero-width,
    soft hyphen, directions, byte order mark) is gone; quotes and primes are `'`, dashes and the minus `-`, the long
    dash a space, other punctuation outside ASCII `'`; digits of any script are ASCII; white space is single spaces.
    Diacritics stay: "Zürich" is not "Zurich".
    """
    if text.isascii():
        return " ".join(text.lower().split())
    text = _INVISIBLE.sub("", text)
    text = _POWER.sub("^", text)
    text = _FRACTION.sub(" ", text)
    text = _GROUPS.sub(lambda group: _GAP.sub(",", group[0]), text)
    text = unicodedata.normalize("NFKC", text.translate(_EARLY)).casefold()
    text = unicodedata.normalize("NFKC", text).translate(_signs())
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


@cache
def _signs() -> dict[int, str]:
    """Code of a sign or digit outside ASCII -> what it becomes."""
    signs: dict[int, str] = {}
    for code in range(128, 0x20000):
        sign = chr(code)
        category = unicodedata.category(sign)
        if sign.isdecimal():
            signs[code] = str(unicodedata.decimal(sign))
        elif category[0] == "P":
            signs[code] = "-" if category == "Pd" else "'"
    return {**signs, **{ord(sign): plain for sign, plain in _SIGNS.items()}}
