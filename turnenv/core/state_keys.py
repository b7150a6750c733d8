"""The 64-bit key of a state: the same in every process."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from marshal import dumps as marshalled
from struct import Struct

_MARSHAL_VERSION = 2
_LONGEST_KEPT = 512
_SIGNED = Struct("<q").unpack


def hash_state(key: object) -> int:
    """A signed 64-bit hash of a state's key: equal keys, equal hashes, in every process (`hash` of a str is not so).

    What `marshal` cannot write (dataclasses, fractions) is hashed by its `repr`.
    """
    try:
        # Before version 3 the bytes depend on the value alone, not on which objects are shared.
        data = marshalled(key, _MARSHAL_VERSION)  # type: ignore[arg-type]
    except ValueError:
        data = repr(key).encode("utf-8", "surrogatepass")
    return _digest(data) if len(data) <= _LONGEST_KEPT else _digest.__wrapped__(data)


@lru_cache(maxsize=1 << 13)
def _digest(data: bytes) -> int:
    """Kept, as the members of a group come through the same states."""
    digest: int = _SIGNED(blake2b(data, digest_size=8).digest())[0]
    return digest
