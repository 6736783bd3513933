"""NVIDIA GPUs: CuPy's functions under the standard's names."""

from __future__ import annotations

import operator
import weakref
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from ...errors import BackendError
from ...lazy import LazyModule
from .. import special
from ..base import Array, Index, RandomState
from ..dtypes import ALL, DType
from ..factorizations import factorizations
from ..numpy.backend import extent
from ..special import is_basic, keeping_array
from ..standard import CREATION, REDUCTIONS, STANDARD, Namespace, collect, constants

try:
    import cupy as cp
except ImportError as error:
    raise BackendError(
        "the 'cupy' backend needs CuPy, which is not installed: pip install 'adjoint[cupy]' (CUDA 13) or 'adjoint[cupy12]'"
    ) from error
import numpy as np

emit: Any = LazyModule(".emit", __package__)  # imported with the first program

#: The dtype in which integers are added up, by the code of their own: CuPy can scatter few.
SCATTERED = {"q": np.dtype(np.uint64), "l": np.dtype(np.uint64)} | {code: np.dtype(np.int32) for code in "?bBhH"}

#: The arrays that sliding windows are views of, by the window's identity: CuPy's ``base`` does not tell.
_window_bases: dict[int, tuple[Any, Array]] = {}


def sliding_windows(x: Array, window: Any, stride: Any, dilation: Any) -> Array:
    windows = special.sliding_windows(cp.lib.stride_tricks.as_strided, x, window, stride, dilation)
    key = id(windows)
    _window_bases[key] = (weakref.ref(windows, lambda _: _window_bases.pop(key, None)), x)
    return windows


def shares(x: Array) -> bool:
    """Whether elements of ``x`` share memory: CuPy marks no array as read-only."""
    low, high = extent(0, x)
    spread = any(n > 1 and not step for n, step in zip(x.shape, x.strides, strict=True))
    return high - low < x.nbytes or bool(spread and x.size)


# --- where CuPy's function is not NumPy's -------------------------------------------------------------------------------------


def remainder(x: Array, y: Array) -> Array:
    """x - y floor(x / y), with the sign of y, as in NumPy; CuPy's own is NaN at inf."""
    left = cp.fmod(x, y)
    return cp.where(left == 0, cp.copysign(cp.zeros_like(left), y), cp.where((y < 0) != (left < 0), left + y, left))


def floored(x: Array, y: Array) -> Array:
    """floor(x / y), as in NumPy: CuPy's own is one too large where x / y is rounded up to an integer."""
    left = cp.fmod(x, y)
    times = (x - left) / y - ((left != 0) & ((y < 0) != (left < 0)))
    down = cp.floor(times)
    result = cp.where(times == 0, cp.copysign(cp.zeros_like(times), x / y), down + (times - down > 0.5))
    return cp.where(y == 0, x / y, result)


def of_floats(function: Any, otherwise: Any) -> Any:
    """A function of floats of one dtype; integers go to ``otherwise``."""

    def call(x: Any, y: Any) -> Array:
        like = x if isinstance(x, cp.ndarray) else y
        if like.dtype.kind != "f":
            return otherwise(x, y)
        wide = np.promote_types(like.dtype, np.float32)
        return function(*(cp.asarray(part, wide) for part in (x, y))).astype(like.dtype, copy=False)

    return call


def reduction(function: Any) -> Any:
    """A 0-d array may be reduced along axis 0 or -1, as by NumPy and PyTorch."""

    def call(x: Array, *, axis: Any = None, **kwargs: Any) -> Array:
        return function(x, axis=axis if x.shape or axis not in (0, -1, (0,), (-1,)) else None, **kwargs)

    return call


def with_sign(filled: Array, of: Any) -> Array:
    """``filled``, which CuPy filled with the number ``of``: with 0 instead of -0."""
    negative = isinstance(of, (float, np.floating, np.ndarray)) and not np.ndim(of) and not of and np.signbit(of)
    return cp.negative(filled) if negative and filled.dtype.kind == "f" else filled


# --- the namespace --------------------------------------------------------------------------------------------------------------


def namespace() -> Namespace:
    from cupyx.scipy.special import erf

    def astype(x: Array, dtype: Any) -> Array:
        return x.astype(dtype, copy=False)

    def contiguous(x: Array) -> Array:
        return cp.asarray(x, order="C")

    def getitem(x: Array, index: Index) -> Array:
        return x[index]

    def setitem(x: Array, value: Array, index: Index) -> None:
        if shares(x):
            raise ValueError("several elements share memory")
        if getattr(value, "size", 1) > 1 and special.may_repeat(index):
            value = last_values(x, value, index)
        x[keeping_array(index)] = value

    def last_values(x: Array, value: Array, index: Index) -> Array:
        """``value`` for ``x[index]``, each element replaced by the last one for its place, since CuPy writes in any order."""
        places, count = special.places(xp, x.shape, index)
        long = [axis for axis, n in enumerate(places.shape) if n > 1]
        shape = x[index].shape
        last = cp.full(count, -1, np.int32)  # the signed integers for which CuPy has maximum.at
        cp.maximum.at(last, places.reshape(-1), cp.arange(places.size, dtype=np.int32))
        lead, end = (long[0], long[-1] + 1) if long else (0, 0)
        spread = cp.broadcast_to(value.reshape(value.shape[max(value.ndim - len(shape), 0) :]), shape)
        spread = spread.reshape(*shape[:lead], places.size, *shape[end:])
        return cp.take(spread, last[places.reshape(-1)], axis=lead).reshape(shape)

    def diagonal(x: Array, offset: int) -> Array:
        return cp.diagonal(x, offset, -2, -1)

    def scatter_add(x: Array, index: Index, shape: tuple[int, ...]) -> Array:
        result = cp.zeros(shape, x.dtype)
        if is_basic(index):
            result[index] = x
        else:
            kind = SCATTERED.get(x.dtype.char)
            if kind is None:
                cp.add.at(result, index, x)
            elif kind.itemsize == x.dtype.itemsize:  # in two's complement the sums are the same bits
                cp.add.at(result.view(kind), index, x.view(kind))
            else:
                wide = result.astype(kind)
                cp.add.at(wide, index, x.astype(kind))
                result = wide.astype(x.dtype)
        return result

    functions = collect(cp, STANDARD + CREATION)
    functions |= {name: reduction(functions[name]) for name in REDUCTIONS if name != "cumulative_sum"}
    functions |= {
        "floor_divide": of_floats(floored, cp.floor_divide),
        "remainder": of_floats(remainder, cp.remainder),
        "full": lambda shape, fill_value, **kwargs: with_sign(cp.full(shape, fill_value, **kwargs), fill_value),
        "full_like": lambda x, fill_value, **kwargs: with_sign(cp.full_like(x, fill_value, **kwargs), fill_value),
        "pow": operator.pow,
        "astype": astype,
        "contiguous": contiguous,
        "getitem": getitem,
        "setitem": setitem,
        "scatter_add": scatter_add,
        "diagonal": diagonal,
        "erf": lambda x: erf(x).astype(x.dtype, copy=False),
    }
    xp = Namespace(**functions, **constants({dtype.name: np.dtype(dtype.name) for dtype in ALL}))
    xp.are_indices = partial(special.are_indices, xp)
    xp.index_put, xp.argsort = partial(special.index_put, xp), partial(special.argsort, cp.argsort, xp)  # CuPy's is stable
    xp.last_writes = partial(special.last_writes, xp)
    xp.normal_cdf, xp.sigmoid = partial(special.normal_cdf_by_erf, xp), partial(special.sigmoid, xp)
    xp.root_mean_square = partial(special.root_mean_square, xp)
    vars(xp).update(factorizations(xp, cp.linalg, lambda xp, x: None))  # a check would wait for the GPU
    solve = xp.solve

    def solve_broadcast(x: Array, y: Array) -> Array:  # CuPy's takes the same batch axes only
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
        if not y.size:
            return cp.empty((*batch, *y.shape[-2:]), np.result_type(x, y))
        return solve(*(cp.broadcast_to(a, batch + a.shape[-2:]) for a in (x, y)))

    xp.solve = solve_broadcast
    xp.block_bytes = 1 << 28  # enough to keep a GPU busy, and little of its memory
    xp.run_parallel = special.run_parallel
    xp.sliding_windows = sliding_windows
    xp.overlap_add = partial(special.overlap_add, xp)
    return xp


def _drawable(dtype: Any) -> Any:
    """The dtype, float32 or float64, that is drawn and then converted to ``dtype``."""
    return np.float64 if dtype == np.float64 else np.float32


class CupyRandom(RandomState):
    """CuPy's XORWOW stream."""

    def __init__(self, seed: int) -> None:
        self._seed, self._drawn = seed, 0

    def _next(self) -> Any:
        """Each draw has a stream of its own, numbered: so the position is two numbers, and can be saved."""
        self._drawn += 1
        return cp.random.Generator(cp.random.XORWOW([self._seed, self._drawn]))

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._next().random(shape, _drawable(dtype)).astype(dtype, copy=False)

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        return self._next().standard_normal(shape, _drawable(dtype)).astype(dtype, copy=False)

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        return self._next().integers(low, high, size=shape, dtype=np.int64)

    def permutation(self, n: int) -> Array:
        return cp.argsort(self.uniform((n,), np.float64)).astype(np.int64)

    def get_state(self) -> dict[str, Any]:
        return {"seed": self._seed, "drawn": self._drawn}

    def set_state(self, state: dict[str, Any]) -> None:
        self._seed, self._drawn = state["seed"], state["drawn"]


class CupyBackend:
    """CuPy on one GPU, the one that is current when it is chosen."""

    name = "cupy"
    array_types = (cp.ndarray,)

    def __init__(self, index: int) -> None:
        self.device = f"cuda:{index}"
        self._device = cp.cuda.Device(index)
        self._device.use()
        self.xp = namespace()
        self.dtypes = {np.dtype(dtype.name): dtype for dtype in ALL}

    def asarray(self, array: Any, dtype: DType | None = None, copy: bool = False) -> Array:
        return with_sign(cp.array(array, None if dtype is None else dtype.name, copy=True if copy else None), array)

    def to_numpy(self, array: Array) -> Any:
        return cp.asnumpy(array)

    def owner(self, array: Array) -> object:
        while array.base is not None or id(array) in _window_bases:
            array = array.base if array.base is not None else _window_bases[id(array)][1]
        return array

    def extent(self, array: Array) -> tuple[int, int]:
        return extent(array.data.ptr, array)

    def is_view(self, array: Array) -> bool:
        return array.base is not None or id(array) in _window_bases

    def truth(self, condition: Array) -> bool:
        return bool(condition)

    def compile(self, program: Any, numbers: Any) -> Any:
        return emit.compile(program, numbers)

    def scalar_for_message(self, array: Array) -> Any:
        return array.item()

    def random(self, seed: int) -> CupyRandom:
        return CupyRandom(seed)

    def device_count(self) -> int:
        return int(cp.cuda.runtime.getDeviceCount())

    def synchronize(self) -> None:
        cp.cuda.get_current_stream().synchronize()

    def suppress_warnings(self) -> AbstractContextManager[Any]:
        return nullcontext()  # CuPy never warns

    def memory(self) -> dict[str, int]:
        pool = cp.get_default_memory_pool()
        return {"used": pool.used_bytes(), "reserved": pool.total_bytes()}


def create(index: int | None) -> CupyBackend:
    """The backend's factory. Raises :class:`BackendError` where there is no GPU, or none of that number."""
    try:
        count = cp.cuda.runtime.getDeviceCount()
    except cp.cuda.runtime.CUDARuntimeError as error:
        raise BackendError(f"the 'cupy' backend: CuPy {cp.__version__} is installed but finds no GPU ({error})") from error
    if index is not None and index >= count:
        raise BackendError(f"there is no device 'cuda:{index}': CuPy finds {count} GPU(s), numbered from 0")
    return CupyBackend(cp.cuda.Device().id if index is None else index)
