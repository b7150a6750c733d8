"""Reads a dataset of the Hugging Face hub, which `datasets` downloads once and caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turnenv.extras import needs
from turnenv.questions.cells import Table

__all__ = ["HubDataset", "hub_table"]


@dataclass(frozen=True)
class HubDataset:
    """A dataset of the hub.

    Attributes:
        name: its usual name, for messages.
        path: its repository.
        config: its configuration.
        splits: the splits whose rows have answers.
        instead: what to pass if it cannot be loaded, such as "questions='atlas'".
    """

    name: str
    path: str
    config: str
    splits: tuple[str, ...]
    instead: str


def hub_table(dataset: HubDataset, split: str, columns: Sequence[str]) -> Table:
    """The rows of a split, or of a part such as "train[:100]", with these columns.

    Raises:
        ValueError: if there is no such split with answers, or the part is written wrongly.
        ImportError: if `datasets` is not installed.
        ConnectionError: if the dataset can neither be downloaded nor found in the local cache, or the hub's reply is
            malformed.
    """
    known = " or ".join(map(repr, dataset.splits))
    for part in split.split("+"):
        if part.strip().partition("[")[0] not in dataset.splits:
            raise ValueError(f"{dataset.name} has no answers for the split {split!r}; use {known}")
    with needs("datasets", f"{dataset.name} of the Hugging Face hub"):
        import datasets
    try:
        datasets.ReadInstruction.from_spec(split)
    except (ValueError, AssertionError) as error:
        raise ValueError(f"cannot read the split {split!r} ({error}); write it as in 'train[:100]'") from error
    try:
        data = datasets.load_dataset(dataset.path, dataset.config, split=split).select_columns(list(columns))
    except Exception as error:
        # A hub that disconnects or sends malformed replies, and the clients below `datasets`, raise errors of any kind.
        message = (
            f"{dataset.name} ({dataset.path}, {dataset.config}) cannot be loaded: {type(error).__name__}: {error}. "
            "Connect to the Hugging Face hub once, so that it is cached (HF_HUB_OFFLINE=1 then uses the cache), or "
            f"take {dataset.instead} or a file of your own"
        )
        raise ConnectionError(" ".join(message.split())) from error
    return Table(f"{dataset.path}, split {split!r}", data)
