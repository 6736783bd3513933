"""Primitives that copy, reshape, repeat, join and move arrays, and their derivatives: each one's adjoint reverses it."""

from __future__ import annotations

from typing import Any

from ...backends import Array, Backend
from ..precision import wide
from ..primitive import primitive
from .declare import Axes

Shape = tuple[int, ...]

# --- copies ------------------------------------------------------------------------------------------------------------------


@primitive(views=True)
def alias(xp: Any, x: Array) -> Array:
    """x itself, as a node of its own."""
    return x


@primitive
def copy(xp: Any, x: Array) -> Array:
    """x in memory of its own."""
    return xp.asarray(x, copy=True)


@primitive
def contiguous(xp: Any, x: Array) -> Array:
    """x with its elements in row-major order in memory."""
    return xp.contiguous(x)


for unchanged in (alias, copy, contiguous):
    unchanged.vjp(x=lambda g: g)


@primitive(moves=True)
def transfer(xp: Any, x: Array, *, source: Backend, target: Backend) -> Array:
    """x, which is on ``source``, as an array of ``target``: the one primitive whose output is not on its input's device."""
    return target.asarray(source.to_numpy(x))


def _back(xp: Any, g: Any, source: Backend, target: Backend) -> Any:
    """g on ``source``."""
    if hasattr(g, "backend"):  # a Tensor: the move back is recorded
        return transfer(g, source=target, target=source)
    return source.asarray(target.to_numpy(g))


transfer.vjp(x=_back)

# --- shapes ------------------------------------------------------------------------------------------------------------------


@primitive(views=True)
def reshape(xp: Any, x: Array, *, shape: Shape) -> Array:
    """The elements in row-major order in another shape; a view where the layout in memory allows it."""
    return xp.reshape(x, shape)


reshape.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))


@primitive(views=True)
def expand_dims(xp: Any, x: Array, *, axis: int) -> Array:
    """A new axis of length one at ``axis``: a view."""
    return xp.expand_dims(x, axis=axis)


expand_dims.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))


@primitive(views=True)
def squeeze(xp: Any, x: Array, *, axis: Axes) -> Array:
    """x without ``axis``, of length one: a view."""
    return x if axis == () else xp.squeeze(x, axis=axis)  # not the same memory under another name, which would be no view of it


squeeze.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))


@primitive(views=True)
def broadcast_to(xp: Any, x: Array, *, shape: Shape) -> Array:
    """x repeated along missing axes and axes of length one: a view."""
    return xp.broadcast_to(x, shape)


broadcast_to.vjp(x=lambda g: g)

# --- order -------------------------------------------------------------------------------------------------------------------


def inverse_permutation(axes: Shape) -> Shape:
    """The order of axes that undoes ``axes``."""
    return tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@primitive(views=True)
def permute_dims(xp: Any, x: Array, *, axes: Shape) -> Array:
    """The axes in the order ``axes``: a view."""
    return xp.permute_dims(x, axes)


permute_dims.vjp(x=lambda xp, g, axes: xp.permute_dims(g, inverse_permutation(axes)))


@primitive
def flip(xp: Any, x: Array, *, axis: Axes = None) -> Array:
    """x in reverse order along ``axis``, a copy as in PyTorch."""
    return xp.asarray(xp.flip(x, axis=axis), copy=True)


flip.vjp(x=lambda xp, g, axis: xp.flip(g, axis=axis))


def negated(shift: Any) -> Any:
    """The shift, or each of several, in the other direction."""
    return tuple(-s for s in shift) if isinstance(shift, tuple) else -shift


@primitive
def roll(xp: Any, x: Array, *, shift: Any, axis: Axes = None) -> Array:
    """x shifted along ``axis``, elements past the end entering at the start."""
    return xp.roll(x, shift, axis=axis)


roll.vjp(x=lambda xp, g, shift, axis: xp.roll(g, negated(shift), axis=axis))

# --- windows -----------------------------------------------------------------------------------------------------------------


@primitive(views=True)
def sliding_windows(xp: Any, x: Array, *, window: Shape, stride: Shape, dilation: Shape) -> Array:
    """Every window along the last axes: (…, *size) to (…, *count, *window), a view."""
    return xp.sliding_windows(x, window, stride, dilation)


@primitive(wide=True)
def overlap_add(xp: Any, x: Array, *, shape: Shape, stride: Shape, dilation: Shape) -> Array:
    """Windows added up at their positions in an array of ``shape``: the adjoint of :func:`sliding_windows`."""
    return xp.overlap_add(x, shape, stride, dilation)


sliding_windows.vjp(x=lambda xp, g, x_shape, stride, dilation: xp.overlap_add(wide(xp, g), x_shape, stride, dilation))
overlap_add.vjp(x=lambda xp, g, x_shape, stride, dilation: xp.sliding_windows(g, x_shape[-len(stride) :], stride, dilation))

# --- parts and joins ---------------------------------------------------------------------------------------------------------


@primitive
def tril(xp: Any, x: Array, *, k: int = 0) -> Array:
    """The lower triangles of matrices, up to diagonal ``k``; zeros above."""
    return xp.tril(x, k=k)


tril.vjp(x=lambda xp, g, k: xp.tril(g, k=k))


@primitive
def triu(xp: Any, x: Array, *, k: int = 0) -> Array:
    """The upper triangles of matrices, from diagonal ``k`` on; zeros below."""
    return xp.triu(x, k=k)


triu.vjp(x=lambda xp, g, k: xp.triu(g, k=k))


@primitive
def concat(xp: Any, *arrays: Array, axis: int = 0) -> Array:
    """The arrays joined along ``axis``."""
    return xp.concat(list(arrays), axis=axis)


def _split_like(g: Any, arrays_shapes: tuple[Shape, ...], axis: int) -> tuple[Any, ...]:
    """g cut along ``axis`` into pieces of the arrays' lengths."""
    before = (slice(None),) * (axis % g.ndim)
    pieces, start = [], 0
    for shape in arrays_shapes:
        stop = start + shape[axis]
        pieces.append(g[(*before, slice(start, stop), ...)])
        start = stop
    return tuple(pieces)


concat.vjp(_split_like)
