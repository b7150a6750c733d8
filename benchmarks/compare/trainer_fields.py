"""The names of TurnGRPOConfig's fields, read from the sources: importing TRL to check a command line takes seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_SOURCES = (
    ("turnenv", "training/config.py", "TurnGRPOConfig"),
    ("trl", "trainer/grpo_config.py", "GRPOConfig"),
    ("trl", "trainer/base_config.py", "_BaseConfig"),
    ("transformers", "training_args.py", "TrainingArguments"),
)
"""Package, file and class, each the base of the one before."""


def trainer_fields() -> tuple[str, ...]:
    """Every field that may be given; sorted."""
    return tuple(sorted({name for source in _SOURCES for name in _fields(*source)}))


def _fields(package: str, file: str, name: str) -> Iterator[str]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"training needs {package}: pip install 'turnenv[train]'")
    tree = ast.parse(Path(spec.origin).parent.joinpath(file).read_text(encoding="utf-8"))
    (found,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    for node in found.body:
        if isinstance(node, ast.AnnAssign) and "ClassVar" not in ast.unparse(node.annotation):
            yield ast.unparse(node.target)
