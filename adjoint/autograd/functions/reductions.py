"""Functions that reduce or accumulate along axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..rules import elementwise as e
from ..rules import neural, reductions, shapes
from .arguments import Dims, axes_of, axis_of, floating, nonempty, reduced_of, tensor_of, wide_inside, widened
from .elementwise import cast, isfinite, maximum, minimum, pow, where
from .indexing import along_axis
from .shapes import concat, movedim, squeeze, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor


def sum(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """The sum over ``dim`` (all axes where None); of integers and booleans in int64.

    >>> import adjoint as ad
    >>> ad.sum(ad.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    x = tensor_of("sum", x)
    if dtype is None:
        return reductions.sum(widened(x), axis=reduced_of(dim, axis), keepdims=keepdim or keepdims)
    total = reductions.sum(widened(x.to(dtype)), axis=reduced_of(dim, axis), keepdims=keepdim or keepdims)
    return cast(total, dtype)


def mean(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """The mean over ``dim`` (all axes where None). Raises ``TypeError`` on integers, as PyTorch does."""
    x = tensor_of("mean", x)
    x = floating("mean", x if dtype is None else x.to(dtype))
    return reductions.mean(x, axis=reduced_of(dim, axis), keepdims=keepdim or keepdims)


@wide_inside
def var(
    x: Tensor, dim: Dims = None, correction: float = 1, keepdim: bool = False, *, unbiased: bool | None = None,
    axis: Dims = None, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """Variance: the sum of squared distances from the mean over (n - correction)."""
    if isinstance(dim, bool):  # var(unbiased), as PyTorch has it
        dim, unbiased = None, dim
    axes, x = reduced_of(dim, axis), floating("var", x)
    n = reductions.count(x.shape, axes)
    correction = correction if unbiased is None else int(unbiased)
    distance = x - reductions.mean(x, axis=axes, keepdims=True)
    total = reductions.sum(e.square(distance), axis=axes, keepdims=keepdim or keepdims)
    return total / (n - correction) if n > correction else total * float("inf")


@wide_inside
def std(
    x: Tensor, dim: Dims = None, correction: float = 1, keepdim: bool = False, *, unbiased: bool | None = None,
    axis: Dims = None, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """Standard deviation, the square root of :func:`var`; where it is 0 its gradient is 0."""
    variance = var(x, dim, correction, keepdim, unbiased=unbiased, axis=axis, keepdims=keepdims)
    none = variance == 0
    return where(none, 0.0, e.sqrt(where(none, 1.0, variance)))


@wide_inside
def prod(
    x: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None, axis: int | None = None, keepdims: bool = False
) -> Tensor:
    """The product over one axis, or over all. Multiplied pairwise, so that derivatives of every order hold at zeros too."""
    along = dim if axis is None else axis
    keep = keepdim or keepdims
    x = widened(x) if dtype is None else x.to(dtype)
    shape = x.shape
    if along is None or not shape:
        reductions.reduced_axes(len(shape), along)
        rows = shapes.reshape(x, shape=(-1,))
        kept: tuple[int, ...] = (1,) * len(shape) if keep else ()
    else:
        along = axis_of("prod", along, x.ndim)
        rows = movedim(x, along, 0)
        kept = tuple(1 if i == along else n for i, n in enumerate(shape) if keep or i != along)
    n = rows.shape[0]
    if n == 0:
        from ..creation import ones

        return ones(kept, dtype=x.dtype, device=x.backend)
    while n > 1:
        half, odd = divmod(n, 2)
        pairs = e.multiply(rows[:half], rows[half : 2 * half])
        rows, n = (concat([pairs, rows[2 * half :]]), half + 1) if odd else (pairs, half)
    return shapes.reshape(rows, shape=kept)


def amax(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The largest value over ``dim``; ties share the gradient evenly. Raises ``ValueError`` over no elements."""
    axes = reduced_of(dim, axis)
    nonempty("amax", x, axes)
    return reductions.max(x, axis=axes, keepdims=keepdim or keepdims)


def amin(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The smallest value over ``dim``; ties share the gradient evenly. Raises ``ValueError`` over no elements."""
    axes = reduced_of(dim, axis)
    nonempty("amin", x, axes)
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
    values = along_axis(x, indices, dim % x.ndim)
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
    nonempty("argmax", x, along)
    return reductions.argmax(x, axis=along, keepdims=keepdim)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Tensor:
    """Where the smallest value is along ``dim``, or in the flattened tensor; the first of equals."""
    along = dim if axis is None else axis
    nonempty("argmin", x, along)
    return reductions.argmin(x, axis=along, keepdims=keepdim)


def all(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None) -> Tensor:
    """Whether every element over ``dim`` is true (not 0)."""
    return reductions.all(x, axis=axes_of(dim, axis), keepdims=keepdim)


def any(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None) -> Tensor:
    """Whether some element over ``dim`` is true (not 0)."""
    return reductions.any(x, axis=axes_of(dim, axis), keepdims=keepdim)


def cumsum(x: Tensor, dim: int = -1, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """The running sum along ``dim``; of integers and booleans in int64."""
    along = dim if axis is None else axis
    x = x if dtype is None else x.to(dtype)
    if x.ndim == 0:
        return squeeze(cumsum(unsqueeze(x, 0), along), 0)
    total = reductions.cumulative_sum(widened(x), axis=along)
    return total if dtype is None else cast(total, dtype)


@wide_inside
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log of the sum of exp(x) over ``dim``, without overflow."""
    axes = reduced_of(dim, None)
    x = tensor_of("logsumexp", x)
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


@wide_inside
def norm(x: Tensor, p: float | str = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """(sum of abs(x)^p)^(1/p) over ``dim``; the largest abs(x) where p is inf, the smallest where it is -inf, how many are
    not 0 where it is 0. ``"fro"`` is 2, and ``"nuc"`` the sum of the singular values of matrices. At 0 the gradient is 0."""
    x, axes = x if dtype is None else x.to(dtype), reduced_of(dim, None)
    if p == "nuc":
        from .linalg import matrix_norm

        return matrix_norm(x, "nuc", (-2, -1) if axes is None else axes, keepdim)
    p, size = 2.0 if p == "fro" else float(p), e.abs(x)
    if p == float("inf"):
        return amax(size, axes, keepdim)
    if p == float("-inf"):
        return amin(size, axes, keepdim)
    if p == 0:
        return reductions.sum(e.sign(size), axis=axes, keepdims=keepdim)
    if p == 1:
        return reductions.sum(size, axis=axes, keepdims=keepdim)
    if p == 2:
        powers = e.square(x)
    elif p > 1:
        powers = pow(size, p)
    else:  # steep at 0, where the gradient is to be 0
        zero = size == 0
        powers = where(zero, 0.0 if p > 0 else float("inf"), pow(where(zero, 1.0, size), p))
    total = reductions.sum(powers, axis=axes, keepdims=keepdim)
    none = total == 0
    return where(none, 0.0, pow(where(none, 1.0, total), 1 / p))
