"""Says which extra brings a package that is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs"]


@contextmanager
def needs(extra: str, what: str) -> Iterator[None]:
    """Import packages of an extra in this context.

    Args:
        extra: an extra of turnenv, such as "train".
        what: needs the packages; the message begins with it.

    Raises:
        ModuleNotFoundError: a package is not installed; the message says what to install.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        message = f"{what} needs {error.name}, which is not installed: pip install 'turnenv[{extra}]'"
        raise ModuleNotFoundError(message, name=error.name) from error
