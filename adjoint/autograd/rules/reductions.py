"""Primitives that reduce or accumulate along axes, and their derivatives."""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array
from ..precision import wide
from ..primitive import primitive
from .declare import Axes, reduction


def reduced_axes(ndim: int, axis: Axes) -> tuple[int, ...]:
    """``axis`` as axes counted from 0. A 0-d array takes axis 0 too. Raises ``IndexError`` where there is no such axis."""
    if axis is None:
        return tuple(range(ndim))
    chosen = (axis,) if isinstance(axis, int) else axis
    for a in chosen:
        if not -ndim <= a < ndim and (ndim or a not in (0, -1)):
            raise IndexError(f"there is no axis {a} in {ndim} axes")
    return tuple(a % ndim for a in chosen) if ndim else ()


def keep(xp: Any, reduced: Any, shape: tuple[int, ...], axis: Axes, keepdims: bool) -> Any:
    """A reduction's result with the axes it lost put back at length one, to broadcast against the input's ``shape``."""
    if keepdims or axis is None:
        return reduced
    lost = reduced_axes(len(shape), axis)
    return xp.reshape(reduced, tuple(1 if i in lost else n for i, n in enumerate(shape)))


def count(shape: tuple[int, ...], axis: Axes) -> int:
    """How many elements go into one of the result's."""
    return prod(shape[a] for a in reduced_axes(len(shape), axis))


def _spread(xp: Any, g: Any, x_shape: tuple[int, ...], axis: Axes, keepdims: bool) -> Any:
    """g for every element."""
    return xp.broadcast_to(keep(xp, g, x_shape, axis, keepdims), x_shape)


def _shared_among_ties(xp: Any, g: Any, out: Any, x: Any, axis: Axes, keepdims: bool) -> Any:
    """g to each element that attains the extreme, in equal parts; NaN where the extreme is."""
    g = wide(xp, g)
    attains = xp.astype(x == keep(xp, out, x.shape, axis, keepdims), g.dtype)
    ties = xp.sum(attains, axis=axis, keepdims=True)
    return attains * (keep(xp, g, x.shape, axis, keepdims) / ties)


sum = reduction("sum", "The sum over ``axis``.", wide=True, x=_spread)
max = reduction("max", "The largest element over ``axis``; equals share the gradient.", x=_shared_among_ties)
min = reduction("min", "The smallest element over ``axis``; equals share the gradient.", x=_shared_among_ties)


@primitive(floating=True, wide=True)
def mean(xp: Any, x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    """The mean over ``axis``."""
    total, n = xp.sum(x, axis=axis, keepdims=keepdims), count(x.shape, axis)
    return total / n if n else total * xp.nan  # 0 / 0 would warn


mean.vjp(
    x=lambda xp, g, x_shape, axis, keepdims: xp.broadcast_to(
        keep(xp, g / (count(x_shape, axis) or 1), x_shape, axis, keepdims), x_shape
    )
)


@primitive(wide=True)
def cumulative_sum(xp: Any, x: Array, *, axis: int = -1) -> Array:
    """The running sum along ``axis``."""
    return xp.cumulative_sum(x, axis=axis)


cumulative_sum.vjp(x=lambda xp, g, axis: xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis))

# --- no derivative -----------------------------------------------------------------------------------------------------------

argmax = reduction("argmax", "The index of the largest element along ``axis``, the first of equals.", differentiable=False)
argmin = reduction("argmin", "The index of the smallest element along ``axis``, the first of equals.", differentiable=False)


@primitive(differentiable=False)
def all(xp: Any, x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    """Whether every element over ``axis`` is true (not 0)."""
    return xp.all(xp.astype(x, xp.bool), axis=axis, keepdims=keepdims)


@primitive(differentiable=False)
def any(xp: Any, x: Array, *, axis: Axes = None, keepdims: bool = False) -> Array:
    """Whether some element over ``axis`` is true (not 0)."""
    return xp.any(xp.astype(x, xp.bool), axis=axis, keepdims=keepdims)
