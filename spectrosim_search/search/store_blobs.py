"""Arrays as one blob: a small header, the raw values, zlib around both. Nothing is ever unpickled.

An NPZ archive costs a directory entry and a checksum for each array; a replicate has a dozen small arrays and a study
thousands of replicates, so this layout is several times faster to read and smaller.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import RunError

__all__ = ["pack", "unpack"]

_MAGIC = b"SSA1"
_KINDS = frozenset("bifu")  # bool, signed, float, unsigned: what may be stored


def pack(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the arrays as bytes. Raises TypeError for anything but booleans, integers and floats."""
    header: list[tuple[str, str, tuple[int, ...]]] = []
    body: list[bytes] = []
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"array '{name}' has values of type {array.dtype}")
        little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
        header.append((name, little.dtype.str, array.shape))
        body.append(little.tobytes())
    head = json.dumps(header).encode()
    return zlib.compress(b"".join([_MAGIC, struct.pack("<I", len(head)), head, *body]), 4)


def unpack(blob: bytes) -> dict[str, NDArray[np.generic]]:
    """Return what :func:`pack` was given (read-only arrays). Raises RunError where the bytes are damaged."""
    try:
        raw = zlib.decompress(blob)
        if raw[:4] != _MAGIC:
            raise ValueError("unknown layout")
        (length,) = struct.unpack_from("<I", raw, 4)
        start = 8 + length
        out: dict[str, NDArray[np.generic]] = {}
        for name, text, shape in json.loads(raw[8:start]):
            dtype = np.dtype(text)
            if dtype.kind not in _KINDS:
                raise ValueError(f"values of type {text}")
            count = int(np.prod(shape, dtype=np.int64))
            out[name] = np.frombuffer(raw, dtype, count, start).reshape(shape)
            start += count * dtype.itemsize
    except (zlib.error, ValueError, struct.error) as error:
        raise RunError(f"stored arrays are damaged ({error}); restore the database from a copy") from error
    return out
