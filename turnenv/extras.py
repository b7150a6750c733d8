"""Names the extra that installs a missing package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs"]


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """A context in which packages of an extra are imported.

    Args:
        extra: an extra of turnenv, such as "train".
        what: who needs the packages, such as "GemEnv"; the message begins with it.

    Raises:
        ModuleNotFoundError: a package is not installed; the message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{what} needs {error.name}, which is not installed: pip install 'turnenv[{extra}]'"
        raise ModuleNotFoundError(message, name=error.name) from error
