"""The CPU: NumPy's random numbers, transfers and memory, and the namespace of its kernels."""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from ...errors import BackendError
from ...lazy import LazyModule
from ..base import Array, RandomState
from ..dtypes import ALL, DType, uint64
from .kernels import namespace

emit: Any = LazyModule(".emit", __package__)  # imported with the first program

#: Bytes of freed memory, and bytes of an array, up to which the C library keeps memory for the next arrays.
KEPT, KEPT_ARRAY = 256 << 20, 16 << 20


def keep_memory() -> None:
    """Have the GNU C library keep up to :data:`KEPT` bytes that were freed at the end of its heap.

    A step frees all its results at its end; mapping that memory again, page by page, takes a third of an eager step of a medium
    model. Arrays above :data:`KEPT_ARRAY` are still mapped one by one, and unmapped. The environment's own settings (``MALLOC_…``,
    ``GLIBC_TUNABLES``) take precedence; other C libraries are left as they are.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        mallopt(-1, KEPT)  # M_TRIM_THRESHOLD
        mallopt(-3, KEPT_ARRAY)  # M_MMAP_THRESHOLD, which it would move up otherwise


class NumpyRandom(RandomState):
    """NumPy's PCG64 stream."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._draw(self._generator.random, shape, dtype)

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._draw(self._generator.standard_normal, shape, dtype)

    def _draw(self, draw: Any, shape: tuple[int, ...], dtype: Any) -> Array:
        """Draw float32 or float64, and convert."""
        drawn = draw(shape, np.float64 if dtype == np.float64 else np.float32)
        return np.asarray(drawn, dtype)

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        return np.asarray(self._generator.integers(low, high, shape, np.int64))

    def permutation(self, n: int) -> Array:
        return self._generator.permutation(n)

    def get_state(self) -> dict[str, Any]:
        return dict(self._generator.bit_generator.state)

    def set_state(self, state: dict[str, Any]) -> None:
        self._generator.bit_generator.state = state


def extent(address: int, array: Array) -> tuple[int, int]:
    """The addresses of an array's lowest byte and of the byte after its highest, from that of its first element."""
    if not array.size:
        return address, address
    steps = [(n - 1) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    low, high = (address + sum(step for step in steps if (step < 0) == down) for down in (True, False))
    return low, high + array.itemsize


class NumpyBackend:
    """NumPy on the CPU."""

    name = "numpy"
    device = "cpu"
    array_types: tuple[type, ...] = (np.ndarray, np.generic)

    def __init__(self) -> None:
        self.xp = namespace()
        self.dtypes = {np.dtype(dtype.name): dtype for dtype in ALL}

    def asarray(self, array: Any, dtype: DType | None = None, copy: bool = False) -> Array:
        result = np.array(array, None if dtype is None else dtype.name, copy=True if copy else None)
        return result[()] if copy and not result.shape else result  # NumPy's scalars are faster than 0-d arrays

    def to_numpy(self, array: Array) -> Any:
        return np.asarray(array)

    def owner(self, array: Array) -> object:
        behind = array
        while (behind := getattr(behind, "base", None)) is not None:
            if isinstance(behind, np.ndarray):  # and no helper of NumPy's in between
                array = behind
        return array

    def extent(self, array: Array) -> tuple[int, int]:
        return extent(array.__array_interface__["data"][0], array)

    def is_view(self, array: Array) -> bool:
        return getattr(array, "base", None) is not None

    def truth(self, condition: Array) -> bool:
        return bool(condition)

    def compile(self, program: Any, numbers: Any) -> Any:
        return emit.Replay(program, numbers)

    def scalar_for_message(self, array: Array) -> Any:
        return self.to_numpy(array).item()

    def random(self, seed: int) -> RandomState:
        return NumpyRandom(seed)

    def device_count(self) -> int:
        return 1

    def synchronize(self) -> None:
        """Nothing: NumPy is synchronous."""

    def suppress_warnings(self) -> AbstractContextManager[Any]:
        return np.errstate(all="ignore")

    def memory(self) -> dict[str, int]:
        return {}


def parse(data: Any, dtype: DType | None = None) -> Any:
    """``data``, nested lists or an array-like, as a NumPy array; ``dtype`` only decides how mixed large integers are read.

    Raises ``ValueError`` on ragged lists, ``TypeError`` on objects.
    """
    try:
        array = np.asarray(data)
        if dtype is uint64 and array.dtype.kind == "f":  # NumPy reads integers above and below 2^63, mixed, as floats
            array = np.asarray(data, np.uint64)
    except ValueError as error:
        raise ValueError(f"tensor: the nested lists are ragged, every row must have the same length ({error})") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"tensor: cannot hold {type(data).__name__} values of dtype {array.dtype}; numbers and booleans only")
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def seed_global(seed: int) -> None:
    """Seed NumPy's global generator with ``seed``; this library never draws from it."""
    np.random.seed(seed)


def create(index: int | None) -> NumpyBackend:
    """The backend's factory; the CPU has one device."""
    keep_memory()
    if index not in (None, 0):
        raise BackendError(f"numpy: there is no device 'cpu:{index}', only 'cpu'")
    return NumpyBackend()
