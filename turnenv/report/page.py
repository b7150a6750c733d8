"""The page: one HTML file with its style, script, charts and episodes, which asks the network for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from turnenv.atomic import replacing
from turnenv.report.packing import Methods, Packed, pack
from turnenv.report.plays import Play
from turnenv.report.redaction import Redactor
from turnenv.report.visible import visible
from turnenv.version import __version__

MEGABYTE = 1_000_000
_OF_THE_PAGE = 1.2
"""Megabytes reserved for all but the episodes: style, script, charts, index."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report.

    Attributes:
        id: the anchor.
        title: in the contents and as the heading; "" for a part without one.
        body: HTML, escaped.
    """

    id: str
    title: str
    body: Markup


class Page(NamedTuple):
    """A page, and what became of the episodes."""

    html: str
    packed: Packed

    def write(self, path: Path) -> None:
        """Write it in one move, so that a reader sees the old or the new one; makes the folder if there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial:
            partial.write_bytes(self.html.encode("utf-8", "backslashreplace"))


def page(
    title: str,
    plays: Sequence[Play],
    methods: Methods = (),
    sections: Sequence[Section] = (),
    *,
    max_mb: float = 15.0,
    redactor: Redactor | None = None,
) -> Page:
    """Make a page; equal inputs give equal bytes.

    Args:
        title: of the page.
        plays: the episodes of the viewer; the page has none without them.
        methods: estimators, with their options, whose advantages the viewer shows.
        sections: of the report; without them the page opens with the list of episodes.
        max_mb: how large the page may become; what does not fit is left out, and the page says so.
        redactor: of the episodes' texts; the page says how much it replaced.
    """
    room = max(0, int((max_mb - _OF_THE_PAGE) * MEGABYTE))
    shown = None if redactor is None else redactor.plays(plays)
    packed = pack(plays, methods, title=visible(title), room=room, opens_episodes=not sections, shown=shown)
    script = _script()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    text = (
        _templates()
        .get_template("page.html")
        .render(
            title=title,
            version=__version__,
            style=Markup(_asset("page.css")),
            script=Markup(script),
            digest=digest,
            sections=sections,
            packed=packed,
            redacted=None if redactor is None else redactor.count,
        )
    )
    return Page(text, packed)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("turnenv.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _script() -> str:
    names = sorted(
        entry.name for entry in files("turnenv.report").joinpath("assets").iterdir() if entry.name.endswith(".js")
    )
    return "'use strict';\n(() => {\n" + "\n".join(_asset(name) for name in names) + "\n})();\n"


@cache
def _asset(name: str) -> str:
    return files("turnenv.report").joinpath("assets", name).read_text(encoding="utf-8")
