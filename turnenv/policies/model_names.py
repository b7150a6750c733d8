"""Is there a model of that name? Answered from the disk alone, before a library that could load it is imported."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
_DESCRIPTIONS = ("config.json", "adapter_config.json")


def check_model_name(name: str) -> None:
    """Check that a model is a folder that holds one, or may be an id of the Hugging Face hub.

    A name of two parts whose first part is a folder here (`agents/nan`) means a folder.

    Raises:
        ValueError: if the folder is not there or holds no model; the message names the nearest one that does.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not _holds_a_model(folder):
            raise ValueError(f"the folder {name} holds no model: it has no config.json")
        return
    parent_is_here = len(folder.parts) > 1 and folder.parent.is_dir()
    if _HUB_ID.fullmatch(name) and not parent_is_here:
        return
    near = _near(folder) if parent_is_here else []
    hint = f"did you mean {' or '.join(near)}?" if near else "pass a folder with a config.json, or an id of the hub"
    raise ValueError(f"there is no model in {name}; {hint}")


def _near(folder: Path) -> list[str]:
    models = {path.name: str(path) for path in folder.parent.iterdir() if path.is_dir() and _holds_a_model(path)}
    return [models[name] for name in get_close_matches(folder.name, models, n=2)]


def _holds_a_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _DESCRIPTIONS)
