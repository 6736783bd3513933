"""Primitives that rearrange, repeat, join or pick elements, and their derivatives: each one's adjoint puts them back."""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array, Backend, Index
from ...backends.special import may_repeat
from ..precision import wide
from ..primitive import primitive
from ..versions import Steps, View
from .reductions import Axes

Shape = tuple[int, ...]


@primitive(views=True)
def alias(xp: Any, x: Array) -> Array:
    """``x`` itself, as a node of its own."""
    return x


@primitive
def copy(xp: Any, x: Array) -> Array:
    return xp.asarray(x, copy=True)


@primitive
def contiguous(xp: Any, x: Array) -> Array:
    """``x`` with its elements in order in memory, row after row."""
    return xp.contiguous(x)


@primitive(views=True)
def reshape(xp: Any, x: Array, *, shape: Shape) -> Array:
    return xp.reshape(x, shape)


@primitive(views=True)
def permute_dims(xp: Any, x: Array, *, axes: Shape) -> Array:
    return xp.permute_dims(x, axes)


@primitive(views=True)
def broadcast_to(xp: Any, x: Array, *, shape: Shape) -> Array:
    return xp.broadcast_to(x, shape)


@primitive(views=True)
def expand_dims(xp: Any, x: Array, *, axis: int) -> Array:
    return xp.expand_dims(x, axis=axis)


@primitive(views=True)
def squeeze(xp: Any, x: Array, *, axis: Axes) -> Array:
    return x if axis == () else xp.squeeze(x, axis=axis)  # not the same memory under another name, which would be no view of it


@primitive
def flip(xp: Any, x: Array, *, axis: Axes = None) -> Array:
    return xp.asarray(xp.flip(x, axis=axis), copy=True)  # of its own, as in PyTorch


@primitive
def roll(xp: Any, x: Array, *, shift: Any, axis: Axes = None) -> Array:
    return xp.roll(x, shift, axis=axis)


@primitive
def tril(xp: Any, x: Array, *, k: int = 0) -> Array:
    return xp.tril(x, k=k)


@primitive
def triu(xp: Any, x: Array, *, k: int = 0) -> Array:
    return xp.triu(x, k=k)


@primitive
def concat(xp: Any, *arrays: Array, axis: int = 0) -> Array:
    return xp.concat(list(arrays), axis=axis)


@primitive(views=True)
def getitem(xp: Any, x: Array, *, index: Index) -> Array:
    return xp.getitem(x, index)


@primitive(views=True)
def diagonal(xp: Any, x: Array, *, offset: int = 0) -> Array:
    """The diagonal ``offset`` above the main one of the matrices in the last two axes."""
    return xp.diagonal(x, offset)


@primitive(wide=True)
def scatter_add(xp: Any, x: Array, *, index: Index, shape: Shape) -> Array:
    return xp.scatter_add(x, index, shape)


@primitive
def index_put(xp: Any, x: Array, value: Array, *, index: Index) -> Array:
    return xp.index_put(x, value, index)


@primitive(differentiable=False, promotes=False)
def last_writes(xp: Any, x: Array, *, index: Index) -> Array:
    """For each element of ``x[index]``, whether no later one lies at the same place; booleans that broadcast to it."""
    return xp.last_writes(x, index)


@primitive
def write_through(xp: Any, x: Array, value: Array, *, steps: Steps, backend: Backend) -> Array:
    """A copy of x in which the view of it that the steps lead to holds ``value``."""
    return _placed(xp, x, value, steps, backend)


View.write_through = write_through


def through(xp: Any, x: Any, steps: Steps) -> Any:
    """The view of ``x`` that the steps lead to."""
    for step, params in steps:
        x = step.kernel(xp, x, **params)
    return x


def _placed(xp: Any, x: Any, value: Any, steps: Steps, backend: Backend) -> Any:
    """By the elements' positions, since in another layout the same steps may lead to a copy."""
    if len(steps) == 1 and "index" in steps[0][1]:
        return xp.index_put(x, value, steps[0][1]["index"])
    n = prod(x.shape)
    positions = through(backend.xp, backend.xp.reshape(backend.xp.arange(n), x.shape), steps)
    placed = xp.index_put(xp.reshape(x, (n,)), value, (positions,))
    return xp.reshape(placed, x.shape)


def flat_diagonal(m: int, n: int, offset: int) -> slice:
    """Where a diagonal of m x n lies in the flattened matrix."""
    length = max(min(m + min(offset, 0), n - max(offset, 0)), 0)
    start = max(offset, 0) + max(-offset, 0) * n if length else 0
    return slice(start, start + length * (n + 1), n + 1)


def _on_diagonal(xp: Any, g: Any, x_shape: Shape, offset: int) -> Any:
    m, n = x_shape[-2:]
    return xp.reshape(xp.scatter_add(g, (..., flat_diagonal(m, n, offset)), (*x_shape[:-2], m * n)), x_shape)


def _split_like(g: Any, arrays_shapes: tuple[Shape, ...], axis: int) -> tuple[Any, ...]:
    """``g`` cut along ``axis`` into pieces as long as the arrays that were joined."""
    before = (slice(None),) * (axis % g.ndim)
    pieces, start = [], 0
    for shape in arrays_shapes:
        stop = start + shape[axis]
        pieces.append(g[(*before, slice(start, stop), ...)])
        start = stop
    return tuple(pieces)


def _of_written(xp: Any, g: Any, index: Index) -> Any:
    """The cotangent of values that were written: 0 for those that a later one replaced at the same place."""
    found = xp.getitem(g, index)
    return xp.where(xp.last_writes(g, index), found, 0.0) if may_repeat(index) else found


def inverse_permutation(axes: Shape) -> Shape:
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


def negated(shift: Any) -> Any:
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


alias.vjp(x=lambda g: g)
copy.vjp(x=lambda g: g)
contiguous.vjp(x=lambda g: g)
reshape.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
permute_dims.vjp(x=lambda xp, g, axes: xp.permute_dims(g, inverse_permutation(axes)))
broadcast_to.vjp(x=lambda g: g)
expand_dims.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
squeeze.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
flip.vjp(x=lambda xp, g, axis: xp.flip(g, axis=axis))
roll.vjp(x=lambda xp, g, shift, axis: xp.roll(g, negated(shift), axis=axis))
tril.vjp(x=lambda xp, g, k: xp.tril(g, k=k))
triu.vjp(x=lambda xp, g, k: xp.triu(g, k=k))
concat.vjp(_split_like)
getitem.vjp(x=lambda xp, g, x_shape, index: xp.scatter_add(wide(xp, g), index, x_shape))
diagonal.vjp(x=_on_diagonal)
scatter_add.vjp(x=lambda xp, g, index: xp.getitem(g, index))
index_put.vjp(
    x=lambda xp, g, index: xp.index_put(g, 0.0, index),
    value=_of_written,
)
write_through.vjp(
    x=lambda xp, g, steps, backend: _placed(xp, g, 0.0, steps, backend),
    value=lambda xp, g, steps: through(xp, g, steps),
)
