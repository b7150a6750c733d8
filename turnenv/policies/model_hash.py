"""Which model a name stands for: a hash of a folder's content, or the revision of a model on the hub."""

from __future__ import annotations

import re
from difflib import get_close_matches
from hashlib import file_digest, sha256
from pathlib import Path

_FILES = ("*.safetensors", "*.bin", "*.json", "*.jinja", "*.txt", "*.model")
_CONFIGURATIONS = ("config.json", "adapter_config.json")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_TIMEOUT = 3.0


def hash_model(model: str) -> str:
    """What a model is: `sha256:…` over a folder's weights, configuration and tokenizer, or `hub:` and the revision.

    No model is loaded. Without a connection, the revision of a hub's model is the one stored on this machine.

    Raises:
        ValueError: if it is neither a folder with a model nor a model of the hub's; or if it may be one, but the hub
            cannot be reached and nothing of it is stored here.
    """
    folder = Path(model)
    if folder.is_dir():
        return _hash_folder(folder)
    if not _HUB_NAME.fullmatch(model) or folder.exists() or ("/" in model and folder.parent.is_dir()):
        near = [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
        close = get_close_matches(folder.name, near, n=1)
        hint = f"; did you mean {folder.with_name(close[0])}?" if close else ""
        raise ValueError(f"--model {model}: there is no such folder{hint}")
    return f"hub:{_revision(model)}"


def _hash_folder(folder: Path) -> str:
    if not any((folder / name).is_file() for name in _CONFIGURATIONS):
        raise ValueError(f"--model {folder}: the folder holds no model (no {_CONFIGURATIONS[0]})")
    digest = sha256()
    for path in sorted({path for pattern in _FILES for path in folder.glob(pattern)}):
        with path.open("rb") as file:
            digest.update(path.name.encode() + file_digest(file, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _revision(model: str) -> str:
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    stored = try_to_load_from_cache(model, _CONFIGURATIONS[0])
    try:
        return str(HfApi().model_info(model, timeout=_TIMEOUT).sha)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ValueError(f"--model {model}: neither a folder here nor a model on the hub that you may read") from error
    # What a failed connection raises depends on the HTTP library that the client of this version uses.
    except Exception as error:
        if isinstance(stored, str):
            return Path(stored).parent.name
        raise ValueError(
            f"--model {model}: there is no such folder, and the hub cannot be reached to look for it there"
        ) from error
