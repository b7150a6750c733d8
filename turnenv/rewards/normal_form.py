"""The normal form in which answers are compared: SQuAD's, without losing what distinguishes answers.

SQuAD's `normalize_answer` (evaluate-v1.1, Rajpurkar et al. 2016) lowers the case, deletes ASCII punctuation, drops
the words "a", "an" and "the", and leaves single spaces. These are all the deviations from it:

| kind | rule | equal | different |
|---|---|---|---|
| case | casefolded | Straße, STRASSE | |
| Unicode | NFKC, composed | ﬁ, fi; Zürich, Zürich | Zürich, Zurich |
| digits | of any script are ASCII | ５, ٥, 5 | 2, 5 |
| invisible | zero-width, soft hyphen, directions, byte order mark: deleted | Ul​m, Ulm | |
| punctuation | of any script: deleted as ASCII's | «Nord», Nord; O’Neill, ONeill | |
| beside 東 | beside a script without spaces: a space | 北京。, 北京 | |
| dashes | en dash, minus, hyphens are "-"; the long dash is a space | Jean–Pierre, Jean-Pierre | |
| punctuation alone | is the answer | "!!!", "!!!" | "!", "?" |
| articles | a text's last word stays, whatever it is | A, a.; the A, A | A, An; Hepatitis A, Hepatitis |
| C++, C# | + and # stay behind a letter or digit | C++, c++. | C, C++, C#; 18, 18+ |
| A- | - stays behind one or two letters at a word's end | A-, a− | A, A-, A+ |
| minus | stays before a number | −5, -5 | 5, -5 |
| comparisons | < > <= >= stay before a number | ≥5, >=5 | 5, <5, >5 |
| between digits | one sign stays, but a dash and several signs are a space | 1914–18, 1914 18 | 3:30, 330; 3/4, 34 |
| powers | ² behind a digit is ^2 | 10², 10^2 | 10², 102 |
| groups | commas, ' and narrow spaces that group digits: deleted | 1,000, 1'000, 1000 | 1,5, 15 |
| decimals | .5 is 0.5; zeros at the end are dropped | 5, 5.0, 5.00 | 15, 1.5 |
| versions | a number behind a word keeps its zeros | Python 3.10, python 3.10 | Python 3.1, Python 3.10 |
| fractions | ½ is 1/2; those in lowest terms with a finite decimal are it | ½, 1/2, 0.5; 1½, 1.5 | 3/4, 6/8 |
| scales | hundred to trillion multiply the number before | 1.5 million, 1,500,000 | 1.5 million, 15 million |

Two articles at the end: the last one stays, and its own repetitions ("The The" is not "The"). A "the" behind a comma
or in parentheses ends no name: "Bahamas, The" is "The Bahamas".

As in SQuAD's script, $ and % are deleted (50% is 50, and not "50 percent"), € and £ are not; AT&T is ATT, .NET is NET;
+49 is 49; number words are words ("five" is not 5), and 007 is not 7. What can be read in two ways equals only itself:
1,5 is neither 15 nor 1.5, 1.000.000 is no million, 12/05/1990 no other date. 1.000 is 1, and a lone 3.10 is 3.1.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache

from turnenv.rewards.folding import fold
from turnenv.rewards.numerals import by_value, scaled, ungrouped
from turnenv.rewards.words import UNSPACED

__all__ = ["ARTICLES", "normalise", "with_articles"]

ARTICLES = frozenset(("a", "an", "the"))
_LONGEST_KEPT = 4_000
_SIGN = r"[!-/:-@\[-`{-~]"
_SIGNS = re.compile(f"{_SIGN}+")
_CURRENCIES = "€£¥₹₩₽₺₴₦₪"
#: Signs of which something may stay; all others are deleted, unless beside a script without spaces.
_TELLING = re.compile(rf"{_SIGN}+(?=[\d{_CURRENCIES}])|[+#]{_SIGN}*|-{_SIGN}*(?= |$)")
_DELETED = dict.fromkeys(map(ord, string.punctuation))
#: Bahamas, The.
_INVERTED = re.compile(r"(?<=[^\W_])(?:, | \()the\W*$")
_BEFORE_NUMBER = re.compile(r"[^<>=.\-]*([<>]=?)?[^<>=.\-]*(-?)[^<>=.\-]*(\.?)")
_NAME_SIGNS = re.compile(r"[+#]+")
_SHORT_WORD = re.compile(r"(?<!\S)[a-z]{1,2}$")
_EXPONENT = re.compile(r"\de$")


def normalise(text: str) -> str:
    """The normal form of a text: words between single spaces, as the module's table has it. Idempotent."""
    return _remembered(text) if len(text) <= _LONGEST_KEPT else _normalise(text)


def with_articles(text: str) -> str:
    """The words of a text between single spaces, its articles among them, its numbers ungrouped."""
    folded = fold(text)
    inverted = "the" in folded[-6:]
    words = _without_signs(_INVERTED.sub("", folded) if inverted else folded)
    # A mark may stand behind a letter now that the sign between them is gone.
    words = " ".join(words.split()) if words.isascii() else fold(words)
    return ungrouped(words) or folded


def _normalise(text: str) -> str:
    return by_value(scaled(_without_articles(with_articles(text))), in_names=False)


_remembered = lru_cache(maxsize=1 << 12)(_normalise)


def _without_articles(text: str) -> str:
    words = text.split(" ")
    end = len(words)
    if words[-1] in ARTICLES:
        while end and words[end - 1] == words[-1]:
            end -= 1
    return " ".join([word for word in words[:end] if word not in ARTICLES] + words[end:])


def _without_signs(text: str) -> str:
    if not text.isascii() and UNSPACED.search(text):
        return _SIGNS.sub(_kept, text)
    pieces: list[str] = []
    end = 0
    for found in _TELLING.finditer(text):
        pieces += (text[end : found.start()].translate(_DELETED), _kept(found))
        end = found.end()
    pieces.append(text[end:].translate(_DELETED))
    return "".join(pieces)


def _kept(found: re.Match[str]) -> str:
    """What stays of a run of ASCII punctuation, by what stands around it."""
    signs, text, (start, end) = found[0], found.string, found.span()
    before, after = text[start - 1 : start] or " ", text[end : end + 1] or " "
    if _digit(before) and _digit(after):
        return _between_digits(signs)
    if before == " " or before in _CURRENCIES:
        return _before_number(signs, text[end : end + 2])
    if before.isalnum() and (name := _in_name(signs, text[max(0, start - 3) : start], after)) is not None:
        return name
    return " " if UNSPACED.match(before) or UNSPACED.match(after) else ""


def _digit(sign: str) -> bool:
    return "0" <= sign <= "9"


def _between_digits(signs: str) -> str:
    return signs if (len(signs) == 1 and signs != "-") or signs == "^-" else " "


def _before_number(signs: str, following: str) -> str:
    """The comparison, the minus and the decimal point of a number at the start of a word."""
    number = _digit(following[:1])
    if not number and not (following[:1] in _CURRENCIES and _digit(following[1:])):
        return " " if UNSPACED.match(following) else ""
    parts = _BEFORE_NUMBER.fullmatch(signs)
    return f"{parts[1] or ''}{parts[2]}{'0.' if parts[3] and number else ''}" if parts else ""


def _in_name(signs: str, before: str, after: str) -> str | None:
    """What belongs to the word or number before: C++, A-, 1e-6; None if nothing does."""
    if signs[0] == "-" and _digit(after) and _EXPONENT.search(before):
        return "-"
    if name := _NAME_SIGNS.match(signs):
        return name[0]
    return "-" if signs[0] == "-" and after == " " and _SHORT_WORD.search(before) else None
