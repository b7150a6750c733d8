"""Episodes in a notebook: the viewer in a frame of its own, which reaches neither the notebook nor the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from turnenv.groups import Group
from turnenv.report.columns import DEFAULT
from turnenv.report.page import page
from turnenv.report.plays import Run, plays_of_episodes, plays_of_groups
from turnenv.types import Episode

__all__ = ["Shown", "show"]


class Shown:
    """What a notebook displays; `html` is the whole page, for a file of its own.

    Args:
        html: of the page.
        height: of the frame, in pixels.
    """

    def __init__(self, html: str, height: int) -> None:
        self.html, self._height = html, height

    def _repr_html_(self) -> str:
        frame = (
            '<iframe srcdoc="{}" sandbox="allow-scripts" style="width:100%;height:{}px;border:0" title="{}"></iframe>'
        )
        return str(Markup(frame).format(self.html, self._height, "turnenv episodes"))

    def __repr__(self) -> str:
        return f"<{len(self.html):,} characters of HTML: the last value of a notebook's cell is shown>"


def show(
    episodes: Sequence[Episode] | Sequence[Group],
    *,
    estimators: Sequence[str] = DEFAULT,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    height: int = 720,
    max_mb: float = 15.0,
) -> Shown:
    """Show episodes in a notebook, turn by turn, with the credit that estimators give each turn.

    Episodes of one task and seed are a group, which estimators can compare.

    Args:
        episodes: as `collect` returns them, or recorded groups.
        estimators: names of estimators to choose from; those that need more than a group are left out.
        options: name → options of that estimator.
        height: of the frame, in pixels.
        max_mb: how large the page may become.

    Raises:
        ValueError: if no estimator has such a name, or there are no episodes.
    """
    if not episodes:
        raise ValueError("there are no episodes to show")
    groups = [each for each in episodes if isinstance(each, Group)]
    plays = plays_of_episodes([each for each in episodes if isinstance(each, Episode)])
    for group in groups:
        plays += plays_of_groups(Run(group.run or "run", group.run or "run", group.estimator), [group])
    chosen = [(name, (options or {}).get(name, {})) for name in estimators]
    return Shown(page("Episodes", plays, chosen, max_mb=max_mb).html, height)
