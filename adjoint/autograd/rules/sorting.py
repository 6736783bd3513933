"""Primitives that return positions in sorted order. They have no derivative; the elements that they index have one."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..primitive import primitive


@primitive(differentiable=False)
def argsort(xp: Any, x: Array, *, axis: int = -1, descending: bool = False) -> Array:
    """The indices that sort along ``axis``, stable; NaN counts as the largest."""
    return xp.argsort(x, axis=axis, descending=descending)


@primitive(differentiable=False)
def cumulative_argmax(xp: Any, x: Array, *, least: bool = False) -> Array:
    """The index of the running maximum (minimum where ``least``) along the first axis, the last of equals; NaN exceeds any number.

    A scan by doubling: after the step of length s each element covers the 2 s up to it (Hillis and Steele, 1986).
    """
    n = x.shape[0]
    index = xp.broadcast_to(xp.reshape(xp.arange(n, dtype=xp.int64), (n, *(1,) * (x.ndim - 1))), x.shape)
    step = 1
    while step < n:
        earlier, later = x[:-step, ...], x[step:, ...]
        exceeds = earlier < later if least else earlier > later
        exceeds = exceeds | ((earlier != earlier) & (later == later))
        x = xp.concat([x[:step, ...], xp.where(exceeds, earlier, later)], axis=0)
        index = xp.concat([index[:step, ...], xp.where(exceeds, index[:-step, ...], index[step:, ...])], axis=0)
        step *= 2
    return index


@primitive(differentiable=False)
def argwhere(xp: Any, x: Array) -> Array:
    """The indices of the elements that are not 0, a row each."""
    return xp.stack(xp.nonzero(x), axis=1)


@primitive(differentiable=False)
def searchsorted(xp: Any, x: Array, values: Array, *, side: str = "left") -> Array:
    """The index at which each value belongs in the sorted vector ``x``: before its equals, or after (``"right"``)."""
    return xp.searchsorted(x, values, side=side)
