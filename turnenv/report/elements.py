"""Paragraphs, lists, tables and commands of a report, as escaped HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import Markup

_TABLE = (
    '<div class="wide" tabindex="0" role="region" aria-label="{}"><table class="{}">'
    "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
)


def paragraph(text: str, kind: str = "") -> Markup:
    """A paragraph; what stands between `backticks` is code."""
    return Markup("<p{}>{}</p>").format(Markup(' class="{}"').format(kind) if kind else "", coded(text))


def coded(text: str) -> Markup:
    """Text in which what stands between `backticks` is code."""
    parts = text.split("`")
    marked = [
        Markup("<code>{}</code>").format(part) if place % 2 else Markup.escape(part) for place, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def bullets(lines: Sequence[str]) -> Markup:
    """A list."""
    return Markup('<ul class="note-list">{}</ul>').format(
        Markup("").join(Markup("<li>{}</li>").format(coded(each)) for each in lines)
    )


def table(header: Sequence[str], lines: Sequence[Sequence[str]], *, label: str, numbers: bool = True) -> Markup:
    """A table whose first column names its lines; a cell between `**` is bold.

    Args:
        header: the titles of the columns.
        lines: of cells.
        label: what the table is, for those who cannot see it.
        numbers: align all columns but the first to the right.
    """
    titles = Markup("").join(Markup('<th scope="col">{}</th>').format(title) for title in header)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(map(_cell, range(len(line)), line))) for line in lines
    )
    return Markup(_TABLE).format(label, "numbers" if numbers else "plain", titles, body)


def command_box(text: str) -> Markup:
    """A command with a button that copies it."""
    box = '<div class="command"><pre><code>{}</code></pre><button type="button" data-copy>copy</button></div>'
    return Markup(box).format(text)


def charts(drawn: Sequence[Markup]) -> Markup:
    """Charts beside each other."""
    return Markup('<div class="charts">{}</div>').format(_each("{}", drawn))


def title(text: str) -> Markup:
    """The heading of a page, in which no word breaks at its hyphen."""
    return Markup("<h1>{}</h1>").format(unbroken(text))


def unbroken(text: str) -> str:
    """The text with hyphens that do not break a line."""
    return text.replace("-", "\u2011")


def _each(pattern: str, parts: Iterable[str]) -> Markup:
    return Markup("").join(Markup(pattern).format(part) for part in parts)


def _cell(place: int, text: str) -> Markup:
    if place == 0:
        return Markup('<th scope="row">{}</th>').format(text.strip("*"))
    bold, shown = text.startswith("**"), text.strip("*")
    if shown[:1] == "-" and shown[1:2].isdigit():
        shown = f"−{shown[1:]}"
    return Markup('<td class="bold">{}</td>' if bold else "<td>{}</td>").format(shown)
