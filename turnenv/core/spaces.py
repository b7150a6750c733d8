"""A text space that holds any Unicode string, which `gymnasium.spaces.Text` cannot."""

from __future__ import annotations

import string
from typing import Any, NoReturn

import numpy as np
from gymnasium.error import CustomSpaceError
from gymnasium.spaces import Text
from gymnasium.spaces.utils import flatdim, flatten_space
from gymnasium.vector.utils import create_shared_memory
from numpy.typing import NDArray

_SAMPLE_LENGTH = 64


class UnicodeText(Text):
    """Any string that can be encoded as UTF-8, of `min_length` to `max_length` characters.

    `Text` refuses characters outside its charset, and a charset of all Unicode takes seconds and 100 MB to build.
    Samples are printable ASCII of at most 64 characters, or of `min_length` if that is more.

    Args:
        max_length: longest string, in characters.
        min_length: shortest string, in characters.
        seed: seeds `sample`.
    """

    def __init__(
        self, max_length: int = 1 << 30, *, min_length: int = 0, seed: int | np.random.Generator | None = None
    ) -> None:
        super().__init__(max_length, min_length=min_length, charset=string.printable, seed=seed)

    def contains(self, x: Any) -> bool:
        """True for a string of legal length without lone surrogates, which UTF-8 cannot encode."""
        if not isinstance(x, str) or not self.min_length <= len(x) <= self.max_length:
            return False
        return x.isascii() or not any("\ud800" <= character <= "\udfff" for character in x)

    def sample(
        self,
        mask: tuple[int | None, NDArray[np.int8] | None] | None = None,
        probability: tuple[int | None, NDArray[np.float64] | None] | None = None,
    ) -> str:
        """A random printable string; `mask` and `probability` are those of `Text`."""
        if mask is None and probability is None:
            longest = max(self.min_length, min(self.max_length, _SAMPLE_LENGTH))
            mask = (int(self.np_random.integers(self.min_length, longest + 1)), None)
        return super().sample(mask=mask, probability=probability)

    @property
    def is_np_flattenable(self) -> bool:
        """False: a string has no fixed-size array form."""
        return False

    def __repr__(self) -> str:
        return f"UnicodeText({self.min_length}, {self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and (self.min_length, self.max_length) == (
            other.min_length,
            other.max_length,
        )

    __hash__ = None  # type: ignore[assignment]


@create_shared_memory.register(UnicodeText)
def _refuse_shared_memory(space: UnicodeText, n: int = 1, ctx: Any = None) -> NoReturn:
    raise CustomSpaceError(
        "text cannot go through shared memory (Gymnasium would return '000…'): "
        "pass vector_kwargs={'shared_memory': False} to gym.make_vec, or use the default vectorization_mode"
    )


@flatdim.register(UnicodeText)
@flatten_space.register(UnicodeText)
def _refuse_flattening(space: UnicodeText) -> NoReturn:
    # Gymnasium would allocate an array of max_length cells, which fills the memory.
    raise CustomSpaceError("text has no array form of fixed size: leave out the wrapper that flattens observations")
