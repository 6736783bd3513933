"""The array-api-strict library on a device that is not the CPU: it refuses what is not in the standard, as a stand-in for a GPU.

Every implicit conversion to NumPy fails here as it does on CuPy, so code that passes on this backend keeps to the one idea.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from ..errors import BackendError
from . import special
from .base import Array, Index, RandomState
from .dtypes import ALL, DType
from .numpy import NumpyRandom, extent, scatter_add
from .numpy import getitem as numpy_getitem
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
    """The NumPy array inside a strict one, through tuples; anything else as it is."""
    if isinstance(part, tuple):
        return tuple(unwrap(p) for p in part)
    return part._array if isinstance(part, StrictArray) else part


StrictArray = type(strict.zeros(()))


def namespace() -> Namespace:
    def astype(x: Array, dtype: Any) -> Array:
        return strict.astype(x, dtype, copy=False)

    def getitem(x: Array, index: Index) -> Array:
        return wrap(numpy_getitem(unwrap(x), unwrap(index)))

    def setitem(x: Array, value: Array, index: Index) -> None:
        unwrap(x)[unwrap(index)] = unwrap(value)

    def add_at(x: Array, index: Index, shape: tuple[int, ...]) -> Array:
        return wrap(scatter_add(unwrap(x), unwrap(index), shape))

    functions = collect(strict, STANDARD)
    functions |= {name: partial(function, device=DEVICE) for name, function in collect(strict, CREATION).items()}
    functions |= {"astype": astype, "getitem": getitem, "setitem": setitem, "scatter_add": add_at}
    xp = Namespace(**functions, **constants({d.name: getattr(strict, d.name) for d in ALL if hasattr(strict, d.name)}))
    xp.erf, xp.index_put = partial(special.erf, xp), partial(special.index_put, xp)
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


class StrictBackend:
    """array-api-strict on its device "device1"."""

    name = "strict"
    device = "strict"
    array_types = (StrictArray,)

    def __init__(self) -> None:
        self.xp = namespace()
        self.dtypes = {getattr(strict, d.name): d for d in ALL if hasattr(strict, d.name)}

    def asarray(self, array: Any, dtype: DType | None = None, copy: bool = False) -> Array:
        if dtype is not None and not hasattr(strict, dtype.name):
            raise TypeError(f"strict: the standard has no {dtype}")
        moved = not isinstance(array, StrictArray)  # memory is not shared between devices
        return wrap(np.array(unwrap(array), None if dtype is None else dtype.name, copy=True if copy or moved else None))

    def to_numpy(self, array: Array) -> Any:
        return np.array(unwrap(array))

    def owner(self, array: Array) -> object:
        array = unwrap(array)
        while isinstance(array.base, np.ndarray):
            array = array.base
        return array

    def extent(self, array: Array) -> tuple[int, int]:
        return extent(unwrap(array).__array_interface__["data"][0], unwrap(array))

    def is_view(self, array: Array) -> bool:
        return unwrap(array).base is not None

    def random(self, seed: int) -> StrictRandom:
        return StrictRandom(seed)

    def device_count(self) -> int:
        return 1

    def synchronize(self) -> None:
        """The host computes, and is done when it returns."""

    def quiet(self) -> AbstractContextManager[Any]:
        return np.errstate(all="ignore")

    def memory(self) -> dict[str, int]:
        return {}


def create(index: int | None) -> StrictBackend:
    """The backend's factory; the library has one such device."""
    if index not in (None, 0):
        raise BackendError(f"strict: there is no device 'strict:{index}', only 'strict'")
    return StrictBackend()
