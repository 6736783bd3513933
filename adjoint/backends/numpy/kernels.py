"""NumPy's kernels that differ from its function of the standard's name, for eager calls and replays."""

from __future__ import annotations

import math
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
from numpy import ndarray

from .. import special
from ..base import Array, Index
from ..dtypes import ALL
from ..factorizations import factorizations
from ..special import is_basic, keeping_array
from ..standard import BINARY, CREATION, OLD_NAMES, STANDARD, UNARY, Namespace, collect, constants
from . import threads
from .threads import dot, run_parallel

_BY_NAME = {name: getattr(np, name, None) or getattr(np, OLD_NAMES.get(name, name), None) for name in [*UNARY, *BINARY, "positive"]}
UFUNCS: dict[str, Any] = {name: function for name, function in _BY_NAME.items() if isinstance(function, np.ufunc)}
#: The ufunc whose reduction each is. That of ``sum`` is in :func:`add_up`.
REDUCTIONS = {"sum": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum, "all": np.logical_and, "any": np.logical_or}


def astype(x: Array, dtype: Any) -> Array:
    return x.astype(dtype, copy=False)


def contiguous(x: Array) -> Array:
    return np.asarray(x, order="C") if x.ndim else x


def getitem(x: Array, index: Index) -> Array:
    picked = x[index]
    if isinstance(picked, np.ndarray) or not isinstance(x, np.ndarray):
        return picked
    return x[(*index, ...) if isinstance(index, tuple) else (index, ...)]  # a view of the element instead of its value


def setitem(x: Array, value: Array, index: Index) -> None:
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts):  # NumPy writes in order if all are contiguous
        index = parts = tuple([np.asarray(part, order="C") if isinstance(part, np.ndarray) else part for part in parts])
        value = np.asarray(value, order="C")
    x[keeping_array(index)] = value


def diagonal(x: Array, offset: int) -> Array:
    view = np.diagonal(x, offset, -2, -1)
    view.flags.writeable = x.flags.writeable
    return view


def power(x: Array, y: Array) -> Array:
    """``x ** y``; 0-d arrays are taken as scalars, for which NumPy rounds differently than for arrays."""
    if type(x) is ndarray and not x.ndim:
        x = x[()]
    if type(y) is ndarray and not y.ndim:
        y = y[()]
    return x**y


def reduction(ufunc: Any) -> Any:
    """The reduction by ``ufunc`` with the standard's signature, without the Python layers of ``np.max`` and others."""

    def reduce(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
        return ufunc.reduce(x, axis, None, None, keepdims)

    return reduce


#: The most elements that a product with ones sums, along a row and over rows: it does not sum pairwise, so more would lose digits
#: (as they do when NumPy itself adds rows).
LONGEST_ROW, MOST_ROWS = 1024, 1 << 14
plain_sum: Any = np.add.reduce
largest, smallest = np.maximum.reduce, np.minimum.reduce
_ones: dict[Any, Array] = {}


def ones(n: int, dtype: Any) -> Array:
    """A read-only vector of ones."""
    vector = _ones.get((n, dtype))
    if vector is None:
        if len(_ones) > 100:
            _ones.clear()
        vector = _ones[n, dtype] = np.ones(n, dtype)
    return vector


def as_product(x: Array, axis: Any) -> tuple[Array, Array] | None:
    """Two factors whose product is the sum of floats over a short last axis or over leading axes; else None."""
    ndim = x.ndim
    if axis is None or ndim < 2 or not x.size or x.dtype not in BITS or not x.flags.c_contiguous:
        return None
    axes = (axis,) if isinstance(axis, int) else axis
    if len(axes) == 1 and axes[0] in (-1, ndim - 1) and x.shape[-1] <= LONGEST_ROW:
        return x if ndim == 2 else x.reshape(-1, x.shape[-1]), ones(x.shape[-1], x.dtype)
    if axes and axes == tuple(range(len(axes))) and len(axes) < ndim:
        rows = x if ndim == 2 else x.reshape(-1, math.prod(x.shape[len(axes) :]))
        if len(rows) <= (LONGEST_ROW if rows.shape[1] == 1 else MOST_ROWS):
            return ones(len(rows), x.dtype), rows
    return None


def axes_of(ndim: int, axis: Any) -> tuple[int, ...]:
    """The axes that ``axis`` names (all if it is None), counted from 0."""
    return tuple(range(ndim)) if axis is None else tuple([a % ndim for a in ((axis,) if isinstance(axis, int) else axis)])


def add_up(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    """``np.sum``; for short axes as a product with ones by BLAS, in a fifth of the time."""
    factors = as_product(x, axis)
    if factors is None:
        return plain_sum(x, axis, None, None, keepdims)
    total = dot(*factors)
    if x.ndim == 2:
        return total if not keepdims else total.reshape((-1, 1) if factors[0] is x else (1, -1))
    axes = axes_of(x.ndim, axis)
    return total.reshape([1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes])


#: Below this sum, squares may have underflowed; an ``eps`` above :data:`NEGLIGIBLE` makes that irrelevant.
SMALLEST_SUM = {np.dtype(np.float32): 2.0**-100, np.dtype(np.float64): 2.0**-960}
NEGLIGIBLE = 1e-20


def sum_of_squares(x: Array, axis: Any) -> Array:
    """The sum of x^2 over ``axis``, which stays at length one; over last axes or rows without an array of squares."""
    ndim = x.ndim
    rest: tuple[int, ...] = ()
    if axis == -1 or axis is None:
        first = 0 if axis is None else ndim - 1
    else:
        axes = axes_of(ndim, axis)
        first = ndim
        while first - 1 in axes:
            first -= 1
        rest = tuple(a for a in axes if a < first)
    if first == ndim or not x.flags.c_contiguous:
        if ndim == 2 and rest == (0,) and (factors := as_product(x, axis)) and factors[1] is x:
            return np.einsum("ij,ij->j", x, x)[None]
        return add_up(x * x, axis=axis, keepdims=True)
    shape = x.shape[:first]
    rows = x if first == ndim - 1 else x.reshape(*shape, math.prod(x.shape[first:]))
    total = np.vecdot(rows, rows).reshape(shape + (1,) * (ndim - first))
    return plain_sum(total, rest, None, None, True) if rest else total


def root_mean_square(otherwise: Any, x: Array, *, axis: Any, divisor: float, eps: float) -> Array:
    """sqrt(sum of x^2 / divisor + eps); groups whose sum leaves the dtype's range are computed by ``otherwise``."""
    total = np.asarray(sum_of_squares(x, axis))
    low = 0.0 if eps > NEGLIGIBLE else SMALLEST_SUM[x.dtype]
    if total.size == 1:
        is_in_range = low <= total.item() < math.inf
    else:
        is_in_range = not total.size or bool(largest(total, None) < math.inf and (not low or smallest(total, None) >= low))
    is_lost: Any = None if is_in_range else ~((total >= low) & (total < math.inf))
    recomputed = None if is_in_range else otherwise(_groups(x, axis, is_lost), axis=-1, divisor=divisor, eps=eps)
    if divisor != 1:
        total /= divisor
    if eps:
        total += eps
    root = np.sqrt(total, total)
    if recomputed is not None:
        root[is_lost] = recomputed.reshape(-1)
    return root


def _groups(x: Array, axis: Any, chosen: Array) -> Array:
    """The chosen groups of a reduction over ``axis``, as rows: each is reduced to one number."""
    reduced = axes_of(x.ndim, axis)
    others = [i for i in range(x.ndim) if i not in reduced]
    groups = x.transpose(*others, *reduced)[chosen.reshape([x.shape[i] for i in others])]
    return groups.reshape(len(groups), -1)


def matmul(x: Array, y: Array) -> Array:
    """``np.matmul``; two matrices by ``dot``, which reaches BLAS faster and handles single columns well.

    A matrix of one element is left to ``np.matmul``: ``dot`` scales by it, and gives 0 for 0 times infinity or NaN.
    """
    return dot(x, y) if by_dot(x, y) else threads.matmul(x, y)


def by_dot(x: Any, y: Any) -> bool:
    """Whether the product of two arrays is computed by ``dot``."""
    return bool(x.ndim == y.ndim == 2 and x.dtype in BITS and x.dtype == y.dtype and x.size > 1 and y.size > 1)


BITS = {np.dtype(np.float32): np.dtype(np.int32), np.dtype(np.float64): np.dtype(np.int64)}


def where(condition: Array, x: Array, y: Array) -> Array:
    """``np.where``; between an array and 0.0 as the product of the array's bits with the condition.

    That has no branches, and takes a sixth of the time where the condition is unpredictable.
    """
    if type(condition) is np.bool_:
        scalar, other = (y, x) if type(x) is float else (x, y)
        if type(other) is float and isinstance(scalar, np.floating):
            return type(scalar)(x if condition else y)
    masked = masked_operand(x, y)
    if masked is None:
        return np.where(condition, x, y)
    return np.multiply(masked.view(BITS[masked.dtype]), condition if masked is x else ~condition).view(masked.dtype)


def masked_operand(x: Any, y: Any) -> Any:
    """The operand that ``where`` replaces by 0.0, which is the other one, if its bits may be multiplied; else None."""
    zero, masked = (x, y) if type(x) is float else (y, x)
    return masked if type(zero) is float and str(zero) == "0.0" and getattr(masked, "dtype", None) in BITS else None


#: NumPy's private ufunc: it compares with a single number, NaN included, in a third of the time of ``np.maximum``.
clip: Any = getattr(getattr(getattr(np, "_core", None), "umath", None), "clip", None)


def is_limit(x: Array, y: Any) -> bool:
    """Whether ``clip`` computes the maximum of ``x`` and ``y``: an array of floats and a number."""
    return type(y) in (int, float) and type(x) is np.ndarray and x.dtype in BITS and y == y and clip is not None


def maximum(x: Array, y: Array) -> Array:
    """``np.maximum``; with a single number by ``clip``."""
    if is_limit(x, y):
        return clip(x, y, math.inf)
    if isinstance(x, np.floating) and type(y) is int:
        return type(x)(y) if x < y else x
    return np.maximum(x, y)


def keeping_integers(function: Any) -> Any:
    """``floor``, ``ceil`` or ``trunc``, which convert integers to floats in NumPy before 2.1."""

    def rounded(x: Array) -> Array:
        return function(x) if x.dtype.kind == "f" else x

    return rounded


def scatter_add(x: Array, index: Index, shape: tuple[int, ...]) -> Array:
    result = np.zeros(shape, x.dtype)
    if is_basic(index):
        result[index] = x
    elif is_rows(index) and x.ndim > index.ndim and x.shape == index.shape + shape[1:]:
        add_rows(result, index.reshape(-1), x.reshape(index.size, *shape[1:]))
    else:
        np.add.at(result, index, x)
    return result


UNSIGNED = {np.dtype(f"i{n}"): np.dtype(f"u{n}") for n in (1, 2, 4, 8)}


def are_indices(x: Array, n: int) -> Array:
    """By one reduction: as an unsigned integer, a negative one is larger than any index."""
    unsigned = UNSIGNED.get(x.dtype)
    return np.maximum.reduce(x if unsigned is None else x.view(unsigned), None) < n


def is_rows(index: Index) -> bool:
    """Whether ``index`` is an array of integers, not empty, that indexes the first axis."""
    return isinstance(index, np.ndarray) and index.dtype.kind in "iu" and index.size > 0


def add_rows(result: Array, index: Array, rows: Array) -> None:
    """``np.add.at(result, index, rows)`` on zeros, in a fifth of the time: sorting brings the rows of one index together."""
    index = index.astype(np.int64, copy=False)
    index = np.where(index < 0, index + len(result), index)
    order = index.argsort(kind="stable")
    ordered = index[order]
    if ordered[0] < 0 or ordered[-1] >= len(result):
        raise IndexError(f"an index is out of the range of {len(result)} rows")
    first = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1))
    result[ordered[first]] = np.add.reduceat(rows[order], first, 0)


def silently(function: Any) -> Any:
    """The function without warnings of overflow."""
    silent = np.errstate(over="ignore")(function)
    silent.__wrapped__ = getattr(function, "__wrapped__", function)
    return silent


def by_tiles(function: Any) -> Any:
    """An elementwise function that works on a large array tile by tile, on two threads."""

    def fill(x: Array, out: Array, parts: Any) -> None:
        for part in parts:
            out[part] = function(x[part])

    def whole(x: Array) -> Array:
        tiles = -(-x.nbytes // threads.TILE)
        if tiles < 4 or x.dtype not in BITS or not x.flags.c_contiguous:
            return function(x)
        out = np.empty_like(x)
        step = -(-x.size // (tiles + tiles % 2))
        parts = [slice(start, start + step) for start in range(0, x.size, step)]
        run_parallel(partial(fill, x.reshape(-1), out.reshape(-1)), parts)
        return out

    whole.__wrapped__ = function  # type: ignore[attr-defined]
    return whole


def namespace() -> Namespace:
    functions = collect(np, STANDARD + CREATION)
    functions |= {name: reduction(ufunc) for name, ufunc in REDUCTIONS.items() if name != "sum"}
    functions |= {name: keeping_integers(functions[name]) for name in ("floor", "ceil", "trunc")}
    functions |= {"sum": add_up, "matmul": matmul, "matrix_transpose": attrgetter("mT"), "where": where}
    functions |= {"maximum": maximum, "pow": power}
    functions |= {"astype": astype, "contiguous": contiguous, "diagonal": diagonal}
    functions |= {"getitem": getitem, "setitem": setitem, "scatter_add": scatter_add, "are_indices": are_indices}
    xp = Namespace(**functions, **constants({dtype.name: np.dtype(dtype.name) for dtype in ALL}))
    for name in ("erf", "normal_cdf", "sigmoid"):
        setattr(xp, name, silently(by_tiles(partial(getattr(special, name), xp))))
    xp.index_put, xp.last_writes = partial(special.index_put, xp), partial(special.last_writes, xp)
    xp.root_mean_square = silently(partial(root_mean_square, partial(special.root_mean_square, xp)))
    xp.argsort = partial(special.argsort, partial(np.argsort, kind="stable"), xp)
    vars(xp).update(factorizations(xp, np.linalg))
    xp.block_bytes, xp.run_parallel = 2 << 20, run_parallel  # fits into a core's cache
    as_strided = partial(np.lib.stride_tricks.as_strided, writeable=False)
    xp.sliding_windows, xp.overlap_add = partial(special.sliding_windows, as_strided), partial(special.overlap_add, xp)
    return xp
