"""PyTorch's functions of tensors, in terms of the primitives. ``Tensor`` has most of them as methods.

Wherever PyTorch says ``dim`` and ``keepdim``, NumPy's ``axis`` and ``keepdims`` are taken too.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod as _prod
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import backends
from ..backends import dtypes
from ..errors import BackendError
from .primitive import as_input, astype
from .rules import elementwise as e
from .rules import linalg, neural, reductions, shapes

if TYPE_CHECKING:
    from .tensor import Tensor

Number = bool | int | float
Dims = int | Sequence[int] | None

# --- elementwise: the primitives themselves ----------------------------------------------------------------------------------

multiply = e.multiply
divide, floor_divide, remainder = e.divide, e.floor_divide, e.remainder
neg = negative = e.negative
abs = absolute = e.abs
square, sqrt, maximum, minimum = e.square, e.sqrt, e.maximum, e.minimum
exp, expm1, log, log1p, log2, log10, logaddexp = e.exp, e.expm1, e.log, e.log1p, e.log2, e.log10, e.logaddexp
sigmoid, erf = e.sigmoid, e.erf
sin, cos, tan, asin, acos, atan, atan2 = e.sin, e.cos, e.tan, e.asin, e.acos, e.atan, e.atan2
sinh, cosh, tanh, asinh, acosh, atanh = e.sinh, e.cosh, e.tanh, e.asinh, e.acosh, e.atanh
sign, floor, ceil, round, trunc = e.sign, e.floor, e.ceil, e.round, e.trunc
eq, ne, lt, le, gt, ge = e.equal, e.not_equal, e.less, e.less_equal, e.greater, e.greater_equal
logical_and, logical_or, logical_xor, logical_not = e.logical_and, e.logical_or, e.logical_xor, e.logical_not
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = e.bitwise_and, e.bitwise_or, e.bitwise_xor, e.bitwise_invert
isnan, isinf, isfinite = e.isnan, e.isinf, e.isfinite
relu = neural.relu


def add(x: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """x + alpha other, broadcast."""
    return e.add(x, other if alpha == 1 else e.multiply(other, alpha))


def subtract(x: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """x - alpha other, broadcast."""
    return e.subtract(x, other if alpha == 1 else e.multiply(other, alpha))


def pow(x: Any, exponent: Any) -> Tensor:
    """x to the power ``exponent``, elementwise; its derivative by x at exponent 0 is 0, at x = 0 too.

    >>> import adjoint as ad
    >>> ad.pow(ad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    if type(exponent) in (int, float):
        if exponent == 2:
            return e.square(x)
        if exponent == 0.5:
            return e.sqrt(x)
    elif type(x) in (int, float):  # the rules read the base as an array
        exponent = as_input("pow", exponent)
        x = _filled_like(exponent, x)
    return e.pow(x, exponent)


def _filled_like(x: Tensor, value: Number) -> Tensor:
    """``value`` as a 0-d tensor on the device of ``x`` in the dtype the two promote to."""
    from .creation import full

    dtype = x.dtype if x.dtype.kind == "float" or type(value) is int else dtypes.float32
    return full((), value, dtype=dtype, device=x.backend)


def reciprocal(x: Any) -> Tensor:
    """1 / x."""
    return e.divide(1.0, x)


def rsqrt(x: Any) -> Tensor:
    """1 / sqrt(x)."""
    return e.divide(1.0, e.sqrt(x))


def clamp(x: Tensor, min: Number | Tensor | None = None, max: Number | Tensor | None = None) -> Tensor:
    """x limited to [min, max]; the derivative is 1 inside and on the bounds, 0 outside. Bounds may be tensors.

    Raises ``ValueError`` where neither bound is given.
    """
    if min is None and max is None:
        raise ValueError("clamp: give min, max or both")
    if (min is None or type(min) in _NUMBERS) and (max is None or type(max) in _NUMBERS):
        if x.dtype.kind != "float" and float in (type(min), type(max)):
            x = cast(x, dtypes.float32)
        return e.clip(x, min=min, max=max)
    if min is not None:
        x = where(x < min, min, x)
    return x if max is None else where(x > max, max, x)


_NUMBERS = (int, float, bool)


def where(condition: Any, x: Any, y: Any) -> Tensor:
    """x where ``condition`` holds, else y, broadcast; no gradient reaches the one not taken.

    Raises ``TypeError`` where the condition is not boolean.
    """
    condition = as_input("where", condition)
    if condition is True or condition is False:
        from .creation import full

        known = [v.backend for v in (x, y) if hasattr(v, "_node")]
        condition = full((), condition, device=known[0] if known else None)
    if getattr(condition, "dtype", dtypes.bool_) is not dtypes.bool_:
        raise TypeError(f"where: the condition is {condition.dtype}; compare it with something to get a boolean one")
    if type(x) in _NUMBERS and type(y) in _NUMBERS:
        from .creation import tensor

        x = tensor(x, device=condition.backend)
    return e.where(condition, x, y)


# --- reductions --------------------------------------------------------------------------------------------------------------


def _axes(dim: Dims, axis: Dims) -> Any:
    """The one of PyTorch's and NumPy's arguments that was given, as an int, a tuple or None."""
    chosen = dim if axis is None else axis
    return chosen if chosen is None or isinstance(chosen, int) else tuple(chosen)


def _tensor(name: str, x: Any) -> Tensor:
    """``x`` as a tensor. Raises ``TypeError`` on a Python number, which has no shape to work on."""
    x = as_input(name, x)
    if type(x) in _NUMBERS:
        raise TypeError(f"{name}: takes tensors, not the number {x}; ad.tensor({x}) makes one")
    return x


def _floating(name: str, x: Tensor) -> Tensor:
    if x.dtype.kind != "float":
        raise TypeError(f"{name}: takes floating-point tensors, not {x.dtype}; convert with .float() first")
    return x


def _widened(x: Tensor) -> Tensor:
    """Integers and booleans in int64, the dtype that sums and products of them have."""
    return x if x.dtype.kind == "float" else cast(x, dtypes.int64)


def _nonempty(name: str, x: Tensor, axis: Any) -> None:
    if reductions.count(x.shape, axis) == 0:
        raise ValueError(f"{name}: there is no element to choose from in shape {x.shape} along axis {axis}")


def sum(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """The sum over ``dim`` (all axes where None); of integers and booleans in int64.

    >>> import adjoint as ad
    >>> ad.sum(ad.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    x = _tensor("sum", x)
    return reductions.sum(_widened(x) if dtype is None else x.to(dtype), axis=_axes(dim, axis), keepdims=keepdim or keepdims)


def mean(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """The mean over ``dim`` (all axes where None). Raises ``TypeError`` on integers, as PyTorch does."""
    x = _tensor("mean", x)
    x = _floating("mean", x if dtype is None else x.to(dtype))
    return reductions.mean(x, axis=_axes(dim, axis), keepdims=keepdim or keepdims)


def var(
    x: Tensor, dim: Dims = None, correction: float = 1, keepdim: bool = False, *, unbiased: bool | None = None,
    axis: Dims = None, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """Variance: the sum of squared distances from the mean over (n - correction)."""
    if isinstance(dim, bool):  # var(unbiased), as PyTorch has it
        dim, unbiased = None, dim
    axes, x = _axes(dim, axis), _floating("var", x)
    n = reductions.count(x.shape, axes)
    correction = correction if unbiased is None else int(unbiased)
    distance = x - reductions.mean(x, axis=axes, keepdims=True)
    total = reductions.sum(e.square(distance), axis=axes, keepdims=keepdim or keepdims)
    return total / (n - correction) if n > correction else total * float("inf")


def std(
    x: Tensor, dim: Dims = None, correction: float = 1, keepdim: bool = False, *, unbiased: bool | None = None,
    axis: Dims = None, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """Standard deviation, the square root of :func:`var`; where it is 0 its gradient is 0."""
    variance = var(x, dim, correction, keepdim, unbiased=unbiased, axis=axis, keepdims=keepdims)
    none = variance == 0
    return where(none, 0.0, e.sqrt(where(none, 1.0, variance)))


def prod(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The product over one axis, or over all. Multiplied pairwise, so that derivatives of every order hold at zeros too."""
    along = dim if axis is None else axis
    keep = keepdim or keepdims
    x = _widened(x)
    shape = x.shape
    if along is None or not shape:
        reductions.reduced_axes(len(shape), along)
        rows = shapes.reshape(x, shape=(-1,))
        kept: tuple[int, ...] = (1,) * len(shape) if keep else ()
    else:
        along = _dim("prod", along, x.ndim)
        rows = movedim(x, along, 0)
        kept = tuple(1 if i == along else n for i, n in enumerate(shape) if keep or i != along)
    n = rows.shape[0]
    if n == 0:
        from .creation import ones

        return ones(kept, dtype=x.dtype, device=x.backend)
    while n > 1:
        half, odd = divmod(n, 2)
        pairs = e.multiply(rows[:half], rows[half : 2 * half])
        rows, n = (concat([pairs, rows[2 * half :]]), half + 1) if odd else (pairs, half)
    return shapes.reshape(rows, shape=kept)


def amax(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The largest value over ``dim``; ties share the gradient evenly. Raises ``ValueError`` over no elements."""
    axes = _axes(dim, axis)
    _nonempty("amax", x, axes)
    return reductions.max(x, axis=axes, keepdims=keepdim or keepdims)


def amin(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The smallest value over ``dim``; ties share the gradient evenly. Raises ``ValueError`` over no elements."""
    axes = _axes(dim, axis)
    _nonempty("amin", x, axes)
    return reductions.min(x, axis=axes, keepdims=keepdim or keepdims)


class ValuesIndices(NamedTuple):
    """What ``max`` and ``min`` along an axis return."""

    values: Tensor
    indices: Tensor


def _extreme(whole: Any, pairwise: Any, arg: Any, x: Tensor, dim: Any, keepdim: bool) -> Any:
    if dim is None:
        return whole(x)
    if not isinstance(dim, int):
        return pairwise(x, dim)
    if x.ndim == 0:
        return ValuesIndices(whole(x, dim), arg(x, dim))
    indices = arg(x, dim, True)
    values = _along(x, indices, dim % x.ndim)
    if keepdim:
        return ValuesIndices(values, indices)
    return ValuesIndices(shapes.squeeze(values, axis=dim), shapes.squeeze(indices, axis=dim))


def max(x: Tensor, dim: Any = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The largest value of all; along ``dim``, the largest and where they are; against another tensor, the larger of each pair.

    >>> import adjoint as ad
    >>> values, indices = ad.max(ad.tensor([[1.0, 3.0], [5.0, 2.0]]), dim=1)
    >>> values, indices
    (tensor([3., 5.]), tensor([1, 0]))
    """
    return _extreme(amax, maximum, argmax, x, dim if axis is None else axis, keepdim or keepdims)


def min(x: Tensor, dim: Any = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The smallest value of all; along ``dim``, the smallest and where; against another tensor, the smaller of each pair."""
    return _extreme(amin, minimum, argmin, x, dim if axis is None else axis, keepdim or keepdims)


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
    """Where the largest value is along ``dim``, or in the flattened tensor; the first of equals."""
    along = dim if axis is None else axis
    _nonempty("argmax", x, along)
    return reductions.argmax(x, axis=along, keepdims=keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
    """Where the smallest value is along ``dim``, or in the flattened tensor; the first of equals."""
    along = dim if axis is None else axis
    _nonempty("argmin", x, along)
    return reductions.argmin(x, axis=along, keepdims=keepdim)


def all(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None) -> Tensor:
    """Whether every element over ``dim`` is true (not 0)."""
    return reductions.all(x, axis=_axes(dim, axis), keepdims=keepdim)


def any(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None) -> Tensor:
    """Whether some element over ``dim`` is true (not 0)."""
    return reductions.any(x, axis=_axes(dim, axis), keepdims=keepdim)


def cumsum(x: Tensor, dim: int = -1, *, axis: int | None = None) -> Tensor:
    """The running sum along ``dim``."""
    along = dim if axis is None else axis
    if x.ndim == 0:
        return squeeze(cumsum(unsqueeze(x, 0), along), 0)
    return reductions.cumulative_sum(_widened(x), axis=along)


def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log of the sum of exp(x) over ``dim``, without overflow."""
    axes = _axes(dim, None)
    x = _tensor("logsumexp", x)
    if reductions.count(x.shape, axes) == 0:
        return e.log(sum(x, axes, keepdim))  # log 0
    top = amax(x, axes, True).detach()
    top = where(isfinite(top), top, 0.0)
    total = e.log(reductions.sum(e.exp(x - top), axis=axes, keepdims=True)) + top
    return total if keepdim else shapes.squeeze(total, axis=reductions.reduced_axes(x.ndim, axes))


def softmax(x: Tensor, dim: int = -1, *, axis: int | None = None, dtype: Any = None) -> Tensor:
    """exp(x) over its sum along ``dim``."""
    return neural.softmax(x if dtype is None else x.to(dtype), axis=dim if axis is None else axis)


def log_softmax(x: Tensor, dim: int = -1, *, axis: int | None = None, dtype: Any = None) -> Tensor:
    """x - log of the sum of exp(x) along ``dim``: the logarithm of :func:`softmax`, without underflow."""
    return neural.log_softmax(x if dtype is None else x.to(dtype), axis=dim if axis is None else axis)


def norm(x: Tensor, p: float = 2, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """(sum of abs(x)^p)^(1/p) over ``dim``; the largest abs(x) where p is inf, the smallest where it
    is -inf, how many are not 0 where it is 0. At 0 the gradient is 0."""
    axes, size = _axes(dim, None), e.abs(x)
    if p == float("inf"):
        return amax(size, axes, keepdim)
    if p == float("-inf"):
        return amin(size, axes, keepdim)
    if p == 0:
        return reductions.sum((x != 0).to(x.dtype), axis=axes, keepdims=keepdim)
    if p == 1:
        return reductions.sum(size, axis=axes, keepdims=keepdim)
    total = reductions.sum(pow(x, 2) if p == 2 else pow(size, p), axis=axes, keepdims=keepdim)
    none = total == 0
    return where(none, 0.0, pow(where(none, 1.0, total), 1 / p))


# --- shapes ------------------------------------------------------------------------------------------------------------------


def _dim(name: str, dim: int, ndim: int) -> int:
    """``dim`` counted from 0. Raises ``IndexError`` where there is no such axis."""
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name}: there is no axis {dim} in {ndim} axes")
    return dim % ndim


def _sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(size[0]) if len(size) == 1 and not hasattr(size[0], "__index__") else size


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The same elements in row-major order in another shape; one length may be -1. Shares memory where it can."""
    return shapes.reshape(x, shape=_sizes(shape))


def view(x: Tensor, *shape: Any) -> Tensor:
    """:func:`reshape` that always shares memory. Raises ``ValueError`` where the layout in memory does not allow it."""
    result = reshape(x, *shape)
    backend = x.backend
    if result.numel() and backend.owner(result._array) is not backend.owner(x._array):
        raise ValueError(f"view: shape {x.shape} in its layout in memory has no view of shape {result.shape}; use .reshape")
    return result


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from ``start_dim`` to ``end_dim`` as one."""
    if x.ndim == 0:
        return shapes.reshape(x, shape=(1,))
    first, last = _dim("flatten", start_dim, x.ndim), _dim("flatten", end_dim, x.ndim)
    if first > last:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return shapes.reshape(x, shape=(*x.shape[:first], _prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def permute(x: Tensor, *dims: Any) -> Tensor:
    """The axes in the order ``dims``."""
    return shapes.permute_dims(x, axes=_sizes(dims))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Axes ``dim0`` and ``dim1`` exchanged."""
    order = list(range(x.ndim))
    a, b = _dim("transpose", dim0, x.ndim), _dim("transpose", dim1, x.ndim)
    order[a], order[b] = b, a
    return shapes.permute_dims(x, axes=tuple(order))


def movedim(x: Tensor, source: int, destination: int) -> Tensor:
    """Axis ``source`` moved to ``destination``, the others in order."""
    a, b = _dim("movedim", source, x.ndim), _dim("movedim", destination, x.ndim)
    order = [i for i in range(x.ndim) if i != a]
    order.insert(b, a)
    return shapes.permute_dims(x, axes=tuple(order))


def t(x: Tensor) -> Tensor:
    """A matrix transposed; fewer axes as they are. Raises ``ValueError`` on more than two axes."""
    if x.ndim > 2:
        raise ValueError(f"t: takes at most 2 axes, not {x.ndim}; use .mT or .transpose(dim0, dim1)")
    return x if x.ndim < 2 else linalg.matrix_transpose(x)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """A new axis of length one at ``dim``."""
    return shapes.expand_dims(x, axis=_dim("unsqueeze", dim, x.ndim + 1))


def squeeze(x: Tensor, dim: Dims = None, *, axis: Dims = None) -> Tensor:
    """Without those axes of ``dim`` (of all) that have length one."""
    axes = reductions.reduced_axes(x.ndim, _axes(dim, axis))
    return shapes.squeeze(x, axis=tuple(a for a in axes if x.shape[a] == 1))


def expand(x: Tensor, *sizes: Any) -> Tensor:
    """Axes of length one repeated to ``sizes`` without copying; -1 keeps a length."""
    wanted = _sizes(sizes)
    lead = len(wanted) - x.ndim
    shape = tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(wanted))
    return shapes.broadcast_to(x, shape=shape)


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """``x`` repeated along missing axes and axes of length one, without copying."""
    return shapes.broadcast_to(x, shape=tuple(shape))


def flip(x: Tensor, *dims: Any) -> Tensor:
    """In reverse order along ``dims``."""
    return shapes.flip(x, axis=_sizes(dims))


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Shifted along ``dims``, what falls off coming in at the other end."""
    return shapes.roll(x, shift=tuple(shifts) if isinstance(shifts, list) else shifts, axis=_axes(dims, None))


def _matrix(name: str, x: Tensor) -> Tensor:
    if x.ndim < 2:
        raise ValueError(f"{name}: takes matrices, of at least 2 axes, not shape {x.shape}")
    return x


def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle, up to and with the given diagonal; zeros above."""
    return shapes.tril(_matrix("tril", x), k=diagonal)


def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle, from the given diagonal on; zeros below."""
    return shapes.triu(_matrix("triu", x), k=diagonal)


def repeat(x: Tensor, *sizes: Any) -> Tensor:
    """Tiled ``sizes`` times along each axis, new axes first."""
    times = _sizes(sizes)
    if len(times) < x.ndim:
        raise ValueError(f"repeat: {len(times)} sizes for {x.ndim} axes; give one an axis")
    shape = (1,) * (len(times) - x.ndim) + x.shape
    paired = shapes.reshape(x, shape=tuple(m for n in shape for m in (1, n)))
    spread = shapes.broadcast_to(paired, shape=tuple(m for k, n in zip(times, shape, strict=True) for m in (k, n)))
    return shapes.reshape(spread, shape=tuple(k * n for k, n in zip(times, shape, strict=True)))


def concat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors joined along an axis they have. Raises ``ValueError`` on an empty list, or where other axes differ."""
    if not tensors:
        raise ValueError("concat: the list of tensors is empty")
    return shapes.concat(*tensors, axis=dim if axis is None else axis)


def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    if not tensors:
        raise ValueError("stack: the list of tensors is empty")
    arrays = [_tensor("stack", x) for x in tensors]
    found = dict.fromkeys(x.shape for x in arrays)
    if len(found) > 1:
        raise ValueError(f"stack: every tensor must have the same shape, not {' and '.join(map(str, found))}")
    along = dim if axis is None else axis
    return shapes.concat(*(unsqueeze(x, along) for x in arrays), axis=along)


def split(x: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along ``dim``: of that size each, the last one smaller, or of the given sizes."""
    along = _dim("split", dim, x.ndim)
    n = x.shape[along]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size <= 0:
            raise ValueError(f"split: a piece has at least one element, not {size}")
        sizes = [size] * (n // size) + ([n % size] if n % size or n == 0 else [])
    else:
        sizes = list(split_size_or_sections)
        if sum_of(sizes) != n:
            raise ValueError(f"split: the sizes {sizes} add up to {sum_of(sizes)}, and axis {dim} has {n}")
    pieces, start = [], 0
    for size in sizes:
        pieces.append(narrow(x, along, start, size))
        start += size
    return tuple(pieces)


def sum_of(numbers: Sequence[int]) -> int:
    """Python's own sum, which this module's name hides."""
    total = 0
    for number in numbers:
        total += number
    return total


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` pieces of equal size along ``dim``, the last one smaller."""
    n = x.shape[_dim("chunk", dim, x.ndim)]
    return split(x, -(-n // chunks) or 1, dim)


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``length`` elements along ``dim`` from ``start``."""
    along = _dim("narrow", dim, x.ndim)
    start = start + x.shape[along] if start < 0 else start
    if not 0 <= start <= start + length <= x.shape[along]:
        raise IndexError(f"narrow: {length} elements from {start} do not fit into axis {dim} of shape {x.shape}")
    return shapes.getitem(x, index=(*(slice(None),) * along, slice(start, start + length)))


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along ``dim``, without that axis."""
    along = _dim("unbind", dim, x.ndim)
    return tuple(shapes.getitem(x, index=(*(slice(None),) * along, i)) for i in range(x.shape[along]))


# --- indexing ----------------------------------------------------------------------------------------------------------------


def _plain_index(x: Tensor, index: Any) -> Any:
    """The index with its tensors, lists and NumPy arrays as arrays on the device of ``x``."""
    if isinstance(index, tuple):
        return tuple(_plain_index(x, part) for part in index)
    if index is None or index is Ellipsis or isinstance(index, (int, slice)):
        return index
    if getattr(index, "shape", None) == () and "int" in str(index.dtype):
        return int(index)  # a whole number, whatever holds it: the result is a view
    if hasattr(index, "_node"):  # a Tensor
        if index.backend is not x.backend:
            raise backends_differ(x, index)
        if index.dtype.kind == "float":
            raise IndexError(f"indexing: an index is {index.dtype}; it must be integers or booleans")
        return index._array
    found = backends.of_array(index)
    host = backends.parse(index) if found is None else found.to_numpy(index)
    if host.size == 0 and found is None:
        host = host.astype("int64")
    if host.dtype.kind == "f":
        raise IndexError(f"indexing: an index is {host.dtype}; it must be integers or booleans")
    return x.backend.asarray(host, copy=found is not None)  # the caller may write to its array before backward reads it


def backends_differ(x: Tensor, index: Tensor) -> Exception:
    return BackendError(
        f"indexing: the tensor is on '{x.device}' ({x.backend.name}) and the index on '{index.device}' ({index.backend.name}); "
        "move one with .to(device)"
    )


def in_steps(index: Any) -> list[Any]:
    """The index as one that whole numbers are taken with, then one of its arrays, where it has both; else itself.

    PyTorch takes whole numbers first. NumPy counts them among the arrays, which moves the arrays' axes to the front where a
    slice comes between.
    """
    parts = index if isinstance(index, tuple) else (index,)
    kinds = {type(part) for part in parts} - {slice, type(None), type(Ellipsis)}
    if int not in kinds or len(kinds) == 1 or bool in kinds:
        return [index]
    first: list[Any] = []
    for part in parts:
        if hasattr(part, "dtype"):
            first += [slice(None)] * (part.ndim if "bool" in str(part.dtype) else 1)
        else:
            first.append(part)
    then = (slice(None) if part is None or isinstance(part, slice) else part for part in parts if type(part) is not int)
    return [tuple(first), tuple(then)]


def getitem(x: Tensor, index: Any) -> Tensor:
    """``x[index]``: slices and whole numbers give a view; masks, integer arrays and lists a copy."""
    for step in in_steps(_plain_index(x, index)):
        x = shapes.getitem(x, index=step)
    return x


def index_put(x: Tensor, index: Any, value: Any) -> Tensor:
    """A copy of ``x`` in which ``x[index]`` is ``value``, broadcast."""
    first, *then = in_steps(_plain_index(x, index))
    for step in then:
        value = shapes.index_put(shapes.getitem(x, index=first), value, index=step)
    return shapes.index_put(x, value, index=first)


def take_along_dim(x: Tensor, indices: Tensor, dim: int) -> Tensor:
    """``out[..., i, ...] = x[..., indices[..., i, ...], ...]`` along ``dim``; the other axes alike or broadcast."""
    along = _dim("take_along_dim", dim, x.ndim)
    if indices.ndim != x.ndim:
        raise ValueError(f"take_along_dim: the indices have {indices.ndim} axes and the tensor {x.ndim}")
    _check_range("take_along_dim", indices, x.shape[along])
    return _along(x, indices, along)


def _check_range(name: str, indices: Tensor, n: int) -> None:
    """Raise ``IndexError`` where an index is not from 0 to n - 1: none counts from the end here."""
    if indices.numel():
        low, high = amin(indices).item(), amax(indices).item()
        if low < 0 or high >= n:
            raise IndexError(f"{name}: the indices are from {low} to {high}, and there are {n} elements, 0 to {n - 1}")


def _along(x: Tensor, indices: Tensor, along: int) -> Tensor:
    from .creation import arange

    mesh: list[Any] = []
    for i, n in enumerate(x.shape):
        if i == along:
            mesh.append(indices)
        else:
            mesh.append(arange(n, device=x.backend).reshape(tuple(n if j == i else 1 for j in range(x.ndim))))
    return getitem(x, tuple(mesh))


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """:func:`take_along_dim` over the leading part of the other axes that ``index`` covers."""
    along = _dim("gather", dim, x.ndim)
    covered = tuple(slice(None) if i == along else slice(0, n) for i, n in enumerate(index.shape))
    return take_along_dim(getitem(x, covered), index, along)


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of ``x`` along ``dim`` that the 1-d ``index`` names."""
    along = _dim("index_select", dim, x.ndim)
    _check_range("index_select", index, x.shape[along])
    return getitem(x, (*(slice(None),) * along, index))


def masked_fill(x: Tensor, mask: Any, value: Any) -> Tensor:
    """``value`` where ``mask`` holds, else ``x``."""
    return where(mask, value, x)


# --- matrices ----------------------------------------------------------------------------------------------------------------


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product, as ``@``: vectors with vectors give a number, matrices may have batch axes that broadcast.

    Raises ``ValueError`` where the inner lengths differ or one of the two is 0-d.

    >>> import adjoint as ad
    >>> ad.matmul(ad.ones(2, 3), ad.ones(3))
    tensor([3., 3.])
    """
    x, y = as_input("matmul", x), as_input("matmul", y)
    shape_x, shape_y = getattr(x, "shape", ()), getattr(y, "shape", ())
    if not shape_x or not shape_y:
        raise ValueError(f"matmul: shapes {shape_x} and {shape_y}: both need at least one axis; use * to scale")
    columns, rows = shape_x[-1], shape_y[-2 if len(shape_y) > 1 else 0]
    if columns != rows:
        raise ValueError(f"matmul: shapes {shape_x} and {shape_y} do not match: {columns} columns against {rows} rows")
    if len(shape_x) > 1 and len(shape_y) > 1:
        return linalg.matmul(x, y)
    if len(shape_x) == 1 and len(shape_y) == 1:
        return reductions.sum(e.multiply(x, y))
    if len(shape_x) == 1:
        return shapes.squeeze(linalg.matmul(shapes.expand_dims(x, axis=0), y), axis=-2)
    return shapes.squeeze(linalg.matmul(x, shapes.expand_dims(y, axis=1)), axis=-1)


def _of_axes(name: str, x: Tensor, y: Tensor, of_x: int, of_y: int) -> Tensor:
    if x.ndim != of_x or y.ndim != of_y:
        raise ValueError(f"{name}: takes tensors of {of_x} and {of_y} axes, not of shapes {x.shape} and {y.shape}; use matmul")
    return matmul(x, y)


def mm(x: Tensor, y: Tensor) -> Tensor:
    """The product of two matrices."""
    return _of_axes("mm", x, y, 2, 2)


def mv(x: Tensor, y: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return _of_axes("mv", x, y, 2, 1)


def bmm(x: Tensor, y: Tensor) -> Tensor:
    """The products of two stacks of matrices."""
    return _of_axes("bmm", x, y, 3, 3)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    return _of_axes("dot", x, y, 1, 1)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """The matrix x_i y_j."""
    return e.multiply(shapes.expand_dims(x, axis=1), y)


# --- dtype and copies --------------------------------------------------------------------------------------------------------


def cast(x: Tensor, dtype: Any) -> Tensor:
    """``x`` in another dtype; itself where it has it. Gradients pass between floating-point dtypes."""
    wanted = backends.as_dtype(dtype)
    if wanted is x.dtype:
        return x
    if not hasattr(x.backend.xp, wanted.name):
        raise TypeError(f"cast: the backend '{x.backend.name}' has no {wanted}")
    if wanted.kind != "float":
        x = x.detach()
    return astype(x, dtype=getattr(x.backend.xp, wanted.name))


def clone(x: Tensor) -> Tensor:
    """A copy, through which the gradient passes."""
    return shapes.copy(x)
