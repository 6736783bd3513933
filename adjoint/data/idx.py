"""``read_idx``: the IDX format of MNIST's files, a header of sizes and then the elements, big-endian."""

from __future__ import annotations

import math
import os
import sys
import zlib
from array import array
from typing import Any

from ..autograd import Tensor
from ..autograd.creation import tensor
from ..errors import FileFormatError
from ..lazy import LazyModule

__all__ = ["read_idx"]

gzip: Any = LazyModule("gzip", None)

#: By the format's code of an element type: the type code of Python's ``array``, and the dtype.
_TYPES: dict[int, tuple[Any, str]] = {
    0x08: ("B", "uint8"), 0x09: ("b", "int8"), 0x0B: ("h", "int16"), 0x0C: ("i", "int32"), 0x0D: ("f", "float32"),
    0x0E: ("d", "float64"),
}  # fmt: skip


def read_idx(path: str | os.PathLike[str], *, device: Any = None) -> Tensor:
    """Read the tensor in an IDX file, gzipped or not.

    Args:
        path: the file.
        device: of the result; the default one by default.

    Raises :class:`FileFormatError` where the file is of another format, truncated, corrupt or too long, and ``FileNotFoundError``
    where there is none.
    """
    data = _read(path)
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise FileFormatError(f"{os.fspath(path)}: not an IDX file; it begins with the bytes {data[:4].hex(' ')}")
    if data[3] > 64:
        raise FileFormatError(f"{os.fspath(path)}: {data[3]} axes, but a tensor has at most 64")
    code, dtype = _TYPES[data[2]]
    begin = 4 + 4 * data[3]
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, begin, 4))
    item = memoryview(b"").cast(code).itemsize
    expected = begin + item * math.prod(shape)
    if len(data) != expected:
        what = "truncated" if len(data) < expected else "too long"
        raise FileFormatError(f"{os.fspath(path)}: {what}: {len(data)} bytes where shape {shape} of {dtype} needs {expected}")
    elements = memoryview(data)[begin:]
    if item > 1 and sys.byteorder == "little":
        swapped = array(code, elements.tobytes())
        swapped.byteswap()
        elements = memoryview(swapped).cast("B")
    return tensor(elements.cast(code), dtype=dtype, device=device).reshape(shape)


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        data = file.read()
    if not data.startswith(b"\x1f\x8b"):
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise FileFormatError(f"{os.fspath(path)}: the gzip file is truncated or corrupt ({error})") from None
