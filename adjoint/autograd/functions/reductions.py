"""Functions that reduce along axes: sums, means, variances, extremes, norms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..arguments import (
    Dims,
    axes_of,
    floating,
    integer,
    nonempty,
    number,
    publish,
    reduced_of,
    shaped_like,
    tensor_of,
    widened,
    with_axis,
)
from ..precision import wide_inside
from ..rules import elementwise as e, normalization, reductions, shapes
from .elementwise import cast, isfinite, maximum, minimum, pow, where
from .indexing import along_axis
from .shapes import concat, movedim

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "cumsum", "logsumexp", "max", "mean", "min", "prod", "std", "sum", "var",
]  # fmt: skip


def sum(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """The sum over ``dim`` (all axes where None); of integers and booleans in int64.

    >>> import adjoint as ad
    >>> ad.sum(ad.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    x = tensor_of("sum", x)
    axes = reduced_of("sum", x, dim, axis)
    if dtype is None:
        return reductions.sum.call(widened(x), axis=axes, keepdims=keepdim or keepdims)
    total = reductions.sum(widened(x.to(dtype)), axis=axes, keepdims=keepdim or keepdims)
    return cast(total, dtype)


def mean(
    x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None, axis: Dims = None, keepdims: bool = False
) -> Tensor:
    """The mean over ``dim`` (all axes where None). Raises ``TypeError`` on integers, as PyTorch does."""
    x = tensor_of("mean", x)
    x = floating("mean", x if dtype is None else x.to(dtype))
    return reductions.mean.call(x, axis=reduced_of("mean", x, dim, axis), keepdims=keepdim or keepdims)


@wide_inside
def var(
    x: Tensor, dim: Dims = None, correction: float | None = None, keepdim: bool = False, *, unbiased: bool | None = None,
    axis: Dims = None, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """The sum of squared distances from the mean over (n - correction).

    Args:
        x: a floating-point tensor.
        dim: one axis or several; None is all.
        correction: 1 where None.
        unbiased: a correction of 1 or 0 by its older name. Raises ``ValueError`` where both are given.
    """
    if isinstance(dim, bool):  # var(unbiased), as PyTorch has it
        dim, unbiased = None, dim
    axes, x = reduced_of("var", x, dim, axis), floating("var", x)
    n = reductions.count(x.shape, axes)
    correction = corrected("var", correction, unbiased)
    centred = normalization.centre.call(x, axis=axes)
    total = reductions.sum(e.square(centred), axis=axes, keepdims=keepdim or keepdims)
    return total / (n - correction) if n > correction else total * float("inf")


@wide_inside
def std(
    x: Tensor, dim: Dims = None, correction: float | None = None, keepdim: bool = False, *, unbiased: bool | None = None,
    axis: Dims = None, keepdims: bool = False,
) -> Tensor:  # fmt: skip
    """Standard deviation, the square root of :func:`var`, at any scale; where it is 0 its gradient is 0.

    Args:
        x, dim, correction, unbiased: as for :func:`var`.
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    axes, x = reduced_of("std", x, dim, axis), floating("std", x)
    correction = corrected("std", correction, unbiased)
    freedom = reductions.count(x.shape, axes) - correction
    if freedom <= 0:
        return e.sqrt(var(x, axes, correction, keepdim or keepdims))
    return _length(normalization.centre.call(x, axis=axes), axes, keepdim or keepdims, freedom)


def _length(x: Tensor, axes: Any, keepdim: bool, divisor: float = 1.0) -> Tensor:
    """sqrt(sum of x^2 / divisor) over the axes, at any scale."""
    length = normalization.root_mean_square.call(x, axis=axes, divisor=divisor, eps=0.0)
    return length if keepdim else shapes.squeeze(length, axis=reductions.reduced_axes(x.ndim, axes))


def corrected(name: str, correction: float | None, unbiased: bool | None) -> float:
    """What is taken off the number of elements that a variance divides by."""
    if correction is not None and unbiased is not None:
        raise ValueError(f"{name}: give correction={correction} or unbiased={unbiased}, not both")
    return int(unbiased) if unbiased is not None else 1 if correction is None else number(name, "correction", correction)


@wide_inside
def prod(
    x: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None, axis: int | None = None, keepdims: bool = False
) -> Tensor:
    """The product over one axis ``dim``, or over all. Multiplied pairwise, so that derivatives of every order hold at zeros too."""
    dim = dim if axis is None else axis
    keep = keepdim or keepdims
    x = widened(x) if dtype is None else x.to(dtype)
    shape = x.shape
    if dim is None:
        rows = shapes.reshape(x, shape=(-1,))
        result_shape: tuple[int, ...] = (1,) * len(shape) if keep else ()
    else:
        x, at = with_axis("prod", x, dim)
        rows = movedim(x, at, 0)
        result_shape = tuple(1 if i == at else n for i, n in enumerate(shape) if keep or i != at)
    n = rows.shape[0]
    if n == 0:
        return shapes.reshape(e.add(reductions.sum(rows, axis=0), 1), shape=result_shape)
    while n > 1:
        half, odd = divmod(n, 2)
        pairs = e.multiply(rows[:half], rows[half : 2 * half])
        rows, n = (concat([pairs, rows[2 * half :]]), half + 1) if odd else (pairs, half)
    return shapes.reshape(rows, shape=result_shape)


def amax(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The largest value over ``dim``; ties share the gradient evenly. Raises ``ValueError`` over no elements."""
    axes = reduced_of("amax", x, dim, axis)
    nonempty("amax", x, axes)
    return reductions.max(x, axis=axes, keepdims=keepdim or keepdims)


def amin(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """The smallest value over ``dim``; ties share the gradient evenly. Raises ``ValueError`` over no elements."""
    axes = reduced_of("amin", x, dim, axis)
    nonempty("amin", x, axes)
    return reductions.min(x, axis=axes, keepdims=keepdim or keepdims)


class ValuesIndices(NamedTuple):
    """What ``max`` and ``min`` along an axis return."""

    values: Tensor
    indices: Tensor


def _extreme(name: str, whole: Any, pairwise: Any, arg: Any, x: Tensor, dim: Any, keepdim: bool) -> Any:
    if dim is None:
        return whole(x)
    if hasattr(dim, "_node"):
        return pairwise(x, dim)
    rows, at = with_axis(name, x, dim)
    nonempty(name, rows, at)
    indices = arg(rows, axis=at, keepdims=True)
    return picked(rows, indices, at, x, keepdim)


def picked(rows: Tensor, indices: Tensor, at: int, x: Tensor, keepdim: bool = True) -> ValuesIndices:
    """The values at ``indices`` along axis ``at`` of ``rows``, which :func:`with_axis` returned for ``x``, and the indices."""
    values = along_axis(rows, indices, at)
    if keepdim and x.ndim:
        return ValuesIndices(values, indices)
    return ValuesIndices(shapes.squeeze(values, axis=at), shapes.squeeze(indices, axis=at))


def max(x: Tensor, dim: Any = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The largest value of all; along ``dim``, the largest and where they are; against another tensor, the larger of each pair.

    >>> import adjoint as ad
    >>> values, indices = ad.max(ad.tensor([[1.0, 3.0], [5.0, 2.0]]), dim=1)
    >>> values, indices
    (tensor([3., 5.]), tensor([1, 0]))
    """
    return _extreme(
        "max", amax, maximum, reductions.argmax, x, dim if axis is None else integer("max", "axis", axis), keepdim or keepdims
    )


def min(x: Tensor, dim: Any = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The smallest value of all; along ``dim``, the smallest and where; against another tensor, the smaller of each pair."""
    return _extreme(
        "min", amin, minimum, reductions.argmin, x, dim if axis is None else integer("min", "axis", axis), keepdim or keepdims
    )


def argmax(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest value is along ``dim``, or in the flattened tensor; the first of equals."""
    return _place("argmax", reductions.argmax, x, dim if axis is None else axis, keepdim or keepdims)


def argmin(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest value is along ``dim``, or in the flattened tensor; the first of equals."""
    return _place("argmin", reductions.argmin, x, dim if axis is None else axis, keepdim or keepdims)


def _place(name: str, arg: Any, x: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    rows, at = (x, None) if dim is None else with_axis(name, x, dim)
    nonempty(name, rows, at)
    place: Tensor = arg.call(rows, axis=at, keepdims=keepdim)
    return place if rows is x else shaped_like(x, place)


def all(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """Whether every element over ``dim`` is true (not 0)."""
    return reductions.all(x, axis=axes_of("all", x, dim, axis), keepdims=keepdim or keepdims)


def any(x: Tensor, dim: Dims = None, keepdim: bool = False, *, axis: Dims = None, keepdims: bool = False) -> Tensor:
    """Whether some element over ``dim`` is true (not 0)."""
    return reductions.any(x, axis=axes_of("any", x, dim, axis), keepdims=keepdim or keepdims)


def cumsum(x: Tensor, dim: int = -1, *, dtype: Any = None, axis: int | None = None) -> Tensor:
    """The running sum along ``dim``; of integers and booleans in int64."""
    rows, at = with_axis("cumsum", x if dtype is None else x.to(dtype), dim if axis is None else axis)
    total = reductions.cumulative_sum.call(widened(rows), axis=at)
    total = total if rows is x else shaped_like(x, total)
    return total if dtype is None else cast(total, dtype)


@wide_inside
def logsumexp(x: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log of the sum of exp(x) over ``dim``, without overflow."""
    x = tensor_of("logsumexp", x)
    axes = reduced_of("logsumexp", x, dim, None)
    if reductions.count(x.shape, axes) == 0:
        return e.log(sum(x, axes, keepdim))  # log 0
    top = amax(x, axes, True).detach()
    top = where(isfinite(top), top, 0.0)
    total = e.log(reductions.sum(e.exp(x - top), axis=axes, keepdims=True)) + top
    return total if keepdim else shapes.squeeze(total, axis=reductions.reduced_axes(x.ndim, axes))


@wide_inside
def p_norm(x: Tensor, p: float, axes: Any, keepdim: bool) -> Tensor:
    """(sum of abs(x)^p)^(1/p) over the axes, at any scale; at 0 its gradient is 0."""
    if p == 2:
        return _length(x, axes, keepdim)
    p, size = float(p), e.abs(x)
    if p in (float("inf"), float("-inf")):
        nonempty("norm", x, axes)
    if p == float("inf"):
        return amax(size, axes, keepdim)
    if p == float("-inf"):
        return amin(size, axes, keepdim)
    if p == 0:
        return reductions.sum(e.sign(size), axis=axes, keepdims=keepdim)
    if p == 1:
        return reductions.sum(size, axis=axes, keepdims=keepdim)
    if reductions.count(x.shape, axes):  # powers of what is 1 at most
        unit = (amax if p > 0 else amin)(size.detach(), axes, True)
        unit = where(e.logical_and(unit > 0, isfinite(unit)), unit, 1.0)
    else:
        unit = reductions.sum(size, axis=axes, keepdims=True) + 1.0
    size = e.divide(size, unit)
    if p > 1:
        powers = pow(size, p)
    else:  # steep at 0, where the gradient is to be 0
        zero = size == 0
        powers = where(zero, 0.0 if p > 0 else float("inf"), pow(where(zero, 1.0, size), p))
    total = reductions.sum(powers, axis=axes, keepdims=True)
    none = total == 0
    length = e.multiply(where(none, 0.0, pow(where(none, 1.0, total), 1 / p)), unit)
    return length if keepdim else shapes.squeeze(length, axis=reductions.reduced_axes(x.ndim, axes))


publish(globals())
