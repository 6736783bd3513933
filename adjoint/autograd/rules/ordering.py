"""Primitives that tell where elements stand in order. They have no derivative: what is picked by them has."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..primitive import primitive


@primitive(differentiable=False)
def argsort(xp: Any, x: Array, *, axis: int = -1, descending: bool = False) -> Array:
    """The order that sorts along ``axis``, equals in the order they stand in; NaN counts as the largest."""
    return xp.argsort(x, axis=axis, descending=descending)


@primitive(differentiable=False)
def cumulative_argmax(xp: Any, x: Array, *, least: bool = False) -> Array:
    """Where the largest (or ``least``) so far stands along the first axis, the latest of equals; a NaN outdoes any number.

    By doubling: after the step of length s each place knows of the 2 s up to it (Hillis and Steele, 1986).
    """
    n = x.shape[0]
    at = xp.broadcast_to(xp.reshape(xp.arange(n, dtype=xp.int64), (n, *(1,) * (x.ndim - 1))), x.shape)
    step = 1
    while step < n:
        earlier, later = x[:-step, ...], x[step:, ...]
        outdone = earlier < later if least else earlier > later
        outdone = outdone | ((earlier != earlier) & (later == later))
        x = xp.concat([x[:step, ...], xp.where(outdone, earlier, later)], axis=0)
        at = xp.concat([at[:step, ...], xp.where(outdone, at[:-step, ...], at[step:, ...])], axis=0)
        step *= 2
    return at


@primitive(differentiable=False)
def argwhere(xp: Any, x: Array) -> Array:
    """The indices of the elements that are not 0, a row each."""
    return xp.stack(xp.nonzero(x), axis=1)


@primitive(differentiable=False)
def searchsorted(xp: Any, x: Array, values: Array, *, side: str = "left") -> Array:
    """Where in the sorted vector ``x`` each value would go, before its equals or behind them."""
    return xp.searchsorted(x, values, side=side)
