"""Where words begin and end, in scripts that put spaces between them and in those that do not."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["UNSPACED", "padded_words", "whole_words"]

_SCRIPTS = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u1950-\u19df\u1a20-\u1aad"
    "\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua980-\ua9c0\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
#: A character of a script without spaces between words: Thai, Lao, Myanmar, Khmer, Han, Kana and their like.
UNSPACED = re.compile(f"[{_SCRIPTS}]")
_SCALES = "十百千万萬億亿兆"
_GAP = re.compile(f"(?<=[{_SCRIPTS}]) (?=[{_SCRIPTS}])")


def padded_words(form: str) -> str:
    """A normal form between spaces, in which every word does stand between spaces.

    Where a script does not separate words, each character with its marks is a word, and a space that stood there is
    one, too. A numeral stays with the digits before it: 5 is no word of 5億.
    """
    if form.isascii() or not UNSPACED.search(form):
        return f" {form} "
    pieces: list[str] = []
    before = ""
    for sign in _GAP.sub(" _ ", form):
        if before and _bounded(before, sign):
            pieces.append(" ")
        pieces.append(sign)
        before = sign
    return f" {' '.join(''.join(pieces).split())} "


def whole_words(text: str, limit: int) -> str:
    """The whole words among a text's first `limit` characters; the text itself if it is no longer than that."""
    if len(text) <= limit:
        return text
    end = limit
    while end and not (_breaks(text[end]) or _breaks(text[end - 1]) or _bounded(text[end - 1], text[end])):
        end -= 1
    return text[:end].rstrip()


def _breaks(sign: str) -> bool:
    return sign.isspace() and sign not in "\u00a0\u2007\u2009\u202f"


def _bounded(before: str, after: str) -> bool:
    """True if a word may end between two characters that are no spaces."""
    if unicodedata.category(after)[0] == "M" or (after in _SCALES and before.isdigit()):
        return False
    return bool(UNSPACED.match(before) or UNSPACED.match(after))
