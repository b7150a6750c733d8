"""One self-contained HTML file: a report with charts, and a viewer of episodes turn by turn with their credit.

`show` is imported when it is first used, so that commands that need no page do not wait for what makes one.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from turnenv.report.notebook import show

__all__ = ["show"]


def __getattr__(name: str) -> Any:
    """Import `show` when it is first used (PEP 562)."""
    if name != "show":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from turnenv.report.notebook import show

    return show
