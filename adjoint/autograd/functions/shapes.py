"""Functions that rearrange, join, cut and repeat."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod as _prod
from typing import TYPE_CHECKING, Any

from ..rules import linalg, reductions, shapes
from .arguments import Dims, axes_of, axis_of, index_at, sizes_of, tensor_of

if TYPE_CHECKING:
    from ..tensor import Tensor


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The same elements in row-major order in another shape; one length may be -1. Shares memory where it can."""
    return shapes.reshape(x, shape=sizes_of(shape))


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
    first, last = axis_of("flatten", start_dim, x.ndim), axis_of("flatten", end_dim, x.ndim)
    if first > last:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return shapes.reshape(x, shape=(*x.shape[:first], _prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def permute(x: Tensor, *dims: Any) -> Tensor:
    """The axes in the order ``dims``."""
    return shapes.permute_dims(x, axes=sizes_of(dims))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Axes ``dim0`` and ``dim1`` exchanged."""
    order = list(range(x.ndim or 1))  # a 0-d tensor takes axis 0 too, as in PyTorch
    a, b = axis_of("transpose", dim0, len(order)), axis_of("transpose", dim1, len(order))
    order[a], order[b] = b, a
    return shapes.permute_dims(x, axes=tuple(order[: x.ndim]))


def movedim(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Axis ``source`` moved to ``destination``, the others in order; or several, each to its own."""
    sources, destinations = ((dims,) if isinstance(dims, int) else dims for dims in (source, destination))
    moved = {axis_of("movedim", b, x.ndim): axis_of("movedim", a, x.ndim) for a, b in zip(sources, destinations, strict=True)}
    if not len(sources) == len(moved) == len(set(moved.values())):
        raise ValueError(f"movedim: axes {source} to {destination} name one twice")
    rest = iter(i for i in range(x.ndim) if i not in moved.values())
    return shapes.permute_dims(x, axes=tuple(moved[i] if i in moved else next(rest) for i in range(x.ndim)))


def t(x: Tensor) -> Tensor:
    """A matrix transposed; fewer axes as they are. Raises ``ValueError`` on more than two axes."""
    if x.ndim > 2:
        raise ValueError(f"t: takes at most 2 axes, not {x.ndim}; use .mT or .transpose(dim0, dim1)")
    return x if x.ndim < 2 else linalg.matrix_transpose(x)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """A new axis of length one at ``dim``."""
    return shapes.expand_dims(x, axis=axis_of("unsqueeze", dim, x.ndim + 1))


def squeeze(x: Tensor, dim: Dims = None, *, axis: Dims = None) -> Tensor:
    """Without those axes of ``dim`` (of all) that have length one."""
    axes = reductions.reduced_axes(x.ndim, axes_of(dim, axis))
    return shapes.squeeze(x, axis=tuple(a for a in axes if x.shape[a] == 1))


def expand(x: Tensor, *sizes: Any) -> Tensor:
    """Axes of length one repeated to ``sizes`` without copying; -1 keeps a length."""
    wanted = sizes_of(sizes)
    lead = len(wanted) - x.ndim
    shape = tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(wanted))
    return shapes.broadcast_to(x, shape=shape)


def expand_as(x: Tensor, other: Tensor) -> Tensor:
    """:func:`expand` to the shape of ``other``."""
    return expand(x, other.shape)


def view_as(x: Tensor, other: Tensor) -> Tensor:
    """:func:`view` in the shape of ``other``."""
    return view(x, other.shape)


def ravel(x: Tensor) -> Tensor:
    """All elements in row-major order, as a vector."""
    return shapes.reshape(x, shape=(-1,))


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """``x`` repeated along missing axes and axes of length one, without copying."""
    return shapes.broadcast_to(x, shape=tuple(shape))


def flip(x: Tensor, *dims: Any) -> Tensor:
    """In reverse order along ``dims``."""
    return shapes.flip(x, axis=sizes_of(dims))


def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Shifted along ``dims``, what falls off coming in at the other end."""
    return shapes.roll(x, shift=tuple(shifts) if isinstance(shifts, list) else shifts, axis=axes_of(dims, None))


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
    times = sizes_of(sizes)
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
    arrays = [tensor_of("stack", x) for x in tensors]
    found = dict.fromkeys(x.shape for x in arrays)
    if len(found) > 1:
        raise ValueError(f"stack: every tensor must have the same shape, not {' and '.join(map(str, found))}")
    along = dim if axis is None else axis
    return shapes.concat(*(unsqueeze(x, along) for x in arrays), axis=along)


def split(x: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along ``dim``: of that size each, the last one smaller, or of the given sizes."""
    along = axis_of("split", dim, x.ndim)
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
    parts, start = [], 0
    for size in sizes:
        parts.append(slice(start, start + size))
        start += size
    return _pieces(x, along, parts, [part.stop for part in parts])


#: So many pieces are taken from a tensor itself.
FEW_PIECES = 8


def _pieces(x: Tensor, along: int, parts: Sequence[int | slice], ends: Sequence[int], offset: int = 0) -> tuple[Tensor, ...]:
    """The ``parts`` of ``x`` along an axis, which follow one another and end before ``ends``; all are counted from ``offset``.

    Many are taken from halves, and these from theirs: the cotangent of a piece is placed among zeros in the shape of what it was
    taken from, which for n pieces costs log n times that of ``x``, and not n times.
    """
    if len(parts) <= FEW_PIECES or not x._requires_grad:
        moved = (slice(part.start - offset, part.stop - offset) if isinstance(part, slice) else part - offset for part in parts)
        return tuple(shapes.getitem(x, index=index_at(along, part)) for part in moved)
    middle = len(parts) // 2
    end = ends[middle - 1]
    first, second = narrow(x, along, 0, end - offset), narrow(x, along, end - offset, ends[-1] - end)
    return _pieces(first, along, parts[:middle], ends[:middle], offset) + _pieces(second, along, parts[middle:], ends[middle:], end)


def sum_of(numbers: Sequence[int]) -> int:
    """Python's own sum, which this module's name hides."""
    total = 0
    for number in numbers:
        total += number
    return total


def chunk(x: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most ``chunks`` pieces of equal size along ``dim``, the last one smaller."""
    n = x.shape[axis_of("chunk", dim, x.ndim)]
    return split(x, -(-n // chunks) or 1, dim)


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """``length`` elements along ``dim`` from ``start``."""
    along = axis_of("narrow", dim, x.ndim)
    start = start + x.shape[along] if start < 0 else start
    if not 0 <= start <= start + length <= x.shape[along]:
        raise IndexError(f"narrow: {length} elements from {start} do not fit into axis {dim} of shape {x.shape}")
    return shapes.getitem(x, index=index_at(along, slice(start, start + length)))


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along ``dim``, without that axis."""
    along = axis_of("unbind", dim, x.ndim)
    every = range(x.shape[along])
    return _pieces(x, along, every, range(1, len(every) + 1))
