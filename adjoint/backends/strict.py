"""The array-api-strict library on a device that is not the CPU: it refuses what is not in the standard, as a stand-in for a GPU.

Every implicit conversion to NumPy fails here as it does on CuPy, so code that passes on this backend keeps to the one idea.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import numpy as np

from ..errors import BackendError
from ..replay.loop import Loop
from . import special
from .base import Array, Index, RandomState
from .dtypes import ALL, DType
from .factorizations import factorizations
from .numpy import kernels
from .numpy.backend import NumpyBackend, NumpyRandom
from .numpy.kernels import silently
from .standard import CREATION, STANDARD, Namespace, collect, constants

try:
    import array_api_strict as strict
except ImportError as error:
    raise BackendError("the 'strict' backend needs array-api-strict: pip install 'adjoint[test]'") from error

DEVICE = strict.Device("device1")


def wrap(array: Any) -> Array:
    """A strict array, on the device, over a NumPy array's memory."""
    return strict.asarray(np.asarray(array), device=DEVICE)


def unwrap(part: Any) -> Any:
    """The NumPy array inside a strict one, through tuples; numbers and slices as they are. Refuses what is still on the host."""
    if isinstance(part, tuple):
        return tuple(unwrap(p) for p in part)
    if isinstance(part, np.ndarray):
        raise TypeError("strict: a NumPy array was given where an array on the device is due; move it with asarray first")
    return part._array if isinstance(part, StrictArray) else part


StrictArray = type(strict.zeros(()))


def namespace() -> Namespace:
    def astype(x: Array, dtype: Any) -> Array:
        return strict.astype(x, dtype, copy=False)

    def contiguous(x: Array) -> Array:
        array = kernels.contiguous(unwrap(x))
        return x if array is unwrap(x) else wrap(array)

    def getitem(x: Array, index: Index) -> Array:
        return wrap(kernels.getitem(unwrap(x), unwrap(index)))

    def setitem(x: Array, value: Array, index: Index) -> None:
        kernels.setitem(unwrap(x), unwrap(value), unwrap(index))

    def diagonal(x: Array, offset: int) -> Array:
        return wrap(kernels.diagonal(unwrap(x), offset))

    def add_at(x: Array, index: Index, shape: tuple[int, ...]) -> Array:
        return wrap(kernels.scatter_add(unwrap(x), unwrap(index), shape))

    as_strided = partial(np.lib.stride_tricks.as_strided, writeable=False)

    def windows(x: Array, *how: tuple[int, ...]) -> Array:
        return wrap(special.sliding_windows(as_strided, unwrap(x), *how))

    functions = collect(strict, STANDARD)
    functions |= {name: partial(function, device=DEVICE) for name, function in collect(strict, CREATION).items()}
    functions |= {"pow": operator.pow, "astype": astype, "contiguous": contiguous, "diagonal": diagonal}
    functions |= {"getitem": getitem, "setitem": setitem, "scatter_add": add_at}
    xp = Namespace(**functions, **constants({d.name: getattr(strict, d.name) for d in ALL if hasattr(strict, d.name)}))
    xp.are_indices = partial(special.are_indices, xp)
    xp.erf, xp.normal_cdf = silently(partial(special.erf, xp)), silently(partial(special.normal_cdf, xp))
    xp.sigmoid = silently(partial(special.sigmoid, xp))
    xp.index_put, xp.last_writes = partial(special.index_put, xp), partial(special.last_writes, xp)
    xp.root_mean_square = silently(partial(special.root_mean_square, xp))
    vars(xp).update(factorizations(xp, strict.linalg))
    xp.block_bytes, xp.run_parallel = 1024, special.run_parallel  # so that there are several parts in the smallest test
    xp.sliding_windows, xp.overlap_add = windows, partial(special.overlap_add, xp)
    return xp


class StrictRandom(RandomState):
    """NumPy's stream, its numbers moved to the device."""

    def __init__(self, seed: int) -> None:
        self._on_host = NumpyRandom(seed)

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return wrap(self._on_host.uniform(shape, dtype._np_dtype))

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return wrap(self._on_host.normal(shape, dtype._np_dtype))

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        return wrap(self._on_host.integers(low, high, shape))

    def permutation(self, n: int) -> Array:
        return wrap(self._on_host.permutation(n))

    def get_state(self) -> dict[str, Any]:
        return self._on_host.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self._on_host.set_state(state)


class StrictBackend(NumpyBackend):
    """array-api-strict on its device "device1", whose memory and time are the host's after all."""

    name = "strict"
    device = "strict"
    array_types = (StrictArray,)

    def __init__(self) -> None:
        self.xp = namespace()
        self.dtypes = {getattr(strict, d.name): d for d in ALL if hasattr(strict, d.name)}

    def asarray(self, array: Any, dtype: DType | None = None, copy: bool = False) -> Array:
        if dtype is not None and not hasattr(strict, dtype.name):
            raise TypeError(f"strict: the standard has no {dtype}")
        if isinstance(array, StrictArray):
            return wrap(super().asarray(unwrap(array), dtype, copy))
        return wrap(super().asarray(array, dtype, True))  # memory is not shared between devices

    def to_numpy(self, array: Array) -> Any:
        return np.array(unwrap(array))

    def owner(self, array: Array) -> object:
        return super().owner(unwrap(array))

    def extent(self, array: Array) -> tuple[int, int]:
        return super().extent(unwrap(array))

    def is_view(self, array: Array) -> bool:
        return super().is_view(unwrap(array))

    def compile(self, program: Any, numbers: Any) -> Any:
        return Loop(program, numbers)

    def truth(self, condition: Array) -> bool:
        return bool(unwrap(condition))

    def random(self, seed: int) -> RandomState:
        return StrictRandom(seed)


def create(index: int | None) -> StrictBackend:
    """The backend's factory; the library has one such device."""
    if index not in (None, 0):
        raise BackendError(f"strict: there is no device 'strict:{index}', only 'strict'")
    return StrictBackend()
