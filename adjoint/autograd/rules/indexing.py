"""Primitives that read and write elements by index, and their derivatives: each one's adjoint writes or reads at the same index."""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array, Backend, Index
from ...backends.special import may_repeat
from ..precision import wide
from ..primitive import primitive
from ..versions import Steps, View
from .shapes import Shape


@primitive(views=True)
def getitem(xp: Any, x: Array, *, index: Index) -> Array:
    """x[index], a view where the index is of slices and integers alone."""
    return xp.getitem(x, index)


getitem.vjp(x=lambda xp, g, x_shape, index: xp.scatter_add(wide(xp, g), index, x_shape))


@primitive(wide=True)
def scatter_add(xp: Any, x: Array, *, index: Index, shape: Shape) -> Array:
    """Zeros of ``shape`` with x added at ``index``; repeated indices add up."""
    return xp.scatter_add(x, index, shape)


scatter_add.vjp(x=lambda xp, g, index: xp.getitem(g, index))


@primitive
def index_put(xp: Any, x: Array, value: Array, *, index: Index) -> Array:
    """A copy of x with ``value`` at ``index``; of repeated indices the last counts."""
    return xp.index_put(x, value, index)


def _of_written(xp: Any, g: Any, index: Index) -> Any:
    """g[index], and 0 for the values that a later one at the same index overwrote."""
    picked = xp.getitem(g, index)
    return xp.where(xp.last_writes(g, index), picked, 0.0) if may_repeat(index) else picked


index_put.vjp(x=lambda xp, g, index: xp.index_put(g, 0.0, index), value=_of_written)


@primitive(differentiable=False, promotes=False)
def last_writes(xp: Any, x: Array, *, index: Index) -> Array:
    """For each element of x[index], whether no later one has the same index; booleans that broadcast to it."""
    return xp.last_writes(x, index)


# --- diagonals ---------------------------------------------------------------------------------------------------------------


@primitive(views=True)
def diagonal(xp: Any, x: Array, *, offset: int = 0) -> Array:
    """The diagonal ``offset`` above the main one of the matrices in the last two axes: a view."""
    return xp.diagonal(x, offset)


def flat_diagonal(m: int, n: int, offset: int) -> slice:
    """The index of a diagonal of an m x n matrix in the flattened matrix."""
    length = max(min(m + min(offset, 0), n - max(offset, 0)), 0)
    start = max(offset, 0) + max(-offset, 0) * n if length else 0
    return slice(start, start + length * (n + 1), n + 1)


def _on_diagonal(xp: Any, g: Any, x_shape: Shape, offset: int) -> Any:
    """Zeros with g on the diagonal."""
    m, n = x_shape[-2:]
    return xp.reshape(xp.scatter_add(g, (..., flat_diagonal(m, n, offset)), (*x_shape[:-2], m * n)), x_shape)


diagonal.vjp(x=_on_diagonal)

# --- writing through views ---------------------------------------------------------------------------------------------------


def apply_steps(xp: Any, x: Any, steps: Steps) -> Any:
    """The view of ``x`` that these view operations make."""
    for step, params in steps:
        x = step.kernel(xp, x, **params)
    return x


def _written(xp: Any, x: Any, value: Any, steps: Steps, backend: Backend) -> Any:
    """By the elements' positions, since in another layout the same steps may make a copy."""
    if len(steps) == 1 and "index" in steps[0][1]:
        return xp.index_put(x, value, steps[0][1]["index"])
    n = prod(x.shape)
    positions = apply_steps(backend.xp, backend.xp.reshape(backend.xp.arange(n), x.shape), steps)
    return xp.reshape(xp.index_put(xp.reshape(x, (n,)), value, (positions,)), x.shape)


@primitive
def write_through(xp: Any, x: Array, value: Array, *, steps: Steps, backend: Backend) -> Array:
    """A copy of x in which the view of it that the steps make holds ``value``."""
    return _written(xp, x, value, steps, backend)


View.write_through = write_through
write_through.vjp(
    x=lambda xp, g, steps, backend: _written(xp, g, 0.0, steps, backend),
    value=lambda xp, g, steps: apply_steps(xp, g, steps),
)
