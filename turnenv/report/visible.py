"""Text that people are shown: what cannot be seen or acts on a terminal is escaped, what is counted has its plural."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    r"""The text with characters that act on a terminal or cannot be seen escaped, as `\x1b`; lines and tabs stay."""
    return text if text.isascii() and text.isprintable() else "".join(map(_visible, text))


def counted(number: int, noun: str) -> str:
    """Such as `1 episode` and `2,000 episodes`."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return character
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
