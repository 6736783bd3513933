"""Functions that rearrange, split, repeat and join along axes that are there."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from ..arguments import (
    Dims,
    also,
    axes_of,
    axis_of,
    cut_along,
    index_at,
    integer,
    integers,
    publish,
    reads_numbers,
    sizes_of,
    tensor_of,
)
from ..rules import indexing, linalg, reductions, shapes

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "adjoint", "broadcast_to", "chunk", "concat", "expand", "expand_as", "flatten", "flip", "fliplr", "flipud", "movedim",
    "narrow", "permute", "ravel", "repeat", "reshape", "roll", "rot90", "split", "split_with_sizes", "squeeze", "stack", "t",
    "transpose", "tril", "triu", "unbind", "unflatten", "unsqueeze", "view", "view_as",
]  # fmt: skip


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The same elements in row-major order in another shape; one length may be -1. Shares memory where it can."""
    return shapes.reshape.call(x, shape=sizes_of("reshape", shape))


def view(x: Tensor, *shape: Any) -> Tensor:
    """:func:`reshape` that always shares memory. Raises ``ValueError`` where the layout in memory does not allow it."""
    result = reshape(x, *shape)
    backend = x.backend
    if result.numel() and backend.owner(result._array) is not backend.owner(x._array):
        raise ValueError(f"view: shape {x.shape} in its layout in memory has no view of shape {result.shape}; use .reshape")
    return result


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The axes from ``start_dim`` to ``end_dim`` as one. Raises ``ValueError`` where they are in the wrong order."""
    first, last = axis_of("flatten", start_dim, x.ndim, "start_dim"), axis_of("flatten", end_dim, x.ndim, "end_dim")
    if first > last:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    return shapes.reshape(x, shape=(*x.shape[:first], prod(x.shape[first : last + 1]), *x.shape[last + 1 :]))


def ravel(x: Tensor) -> Tensor:
    """All elements in row-major order, as a vector."""
    return shapes.reshape(x, shape=(-1,))


def unflatten(x: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Axis ``dim`` as several of the given ``sizes``, of which one may be -1. Raises ``ValueError`` where it does not divide."""
    along, sizes = cut_along("unflatten", x, dim), sizes_of("unflatten", (sizes,), "sizes")
    n, others = x.shape[along], prod(size for size in sizes if size != -1)
    lengths = tuple(n // others if size == -1 and others else size for size in sizes)
    if prod(lengths) != n:
        raise ValueError(f"unflatten: axis {dim} of shape {x.shape} does not divide into {tuple(sizes)}")
    return shapes.reshape(x, shape=(*x.shape[:along], *lengths, *x.shape[along + 1 :]))


def view_as(x: Tensor, other: Tensor) -> Tensor:
    """:func:`view` in the shape of ``other``."""
    return view(x, other.shape)


def unsqueeze(x: Tensor, dim: int) -> Tensor:
    """A new axis of length one at ``dim``."""
    return shapes.expand_dims(x, axis=axis_of("unsqueeze", dim, x.ndim + 1))


def squeeze(x: Tensor, dim: Dims = None, *, axis: Dims = None) -> Tensor:
    """Without those axes of ``dim`` (of all) that have length one."""
    axes = reductions.reduced_axes(x.ndim, axes_of("squeeze", x, dim, axis))
    return shapes.squeeze.call(x, axis=tuple(a for a in axes if x.shape[a] == 1))


def expand(x: Tensor, *sizes: Any) -> Tensor:
    """Axes of length one repeated to ``sizes`` without copying; -1 keeps a length."""
    lengths = sizes_of("expand", sizes)
    lead = len(lengths) - x.ndim
    shape = tuple(x.shape[i - lead] if n == -1 and i >= lead else n for i, n in enumerate(lengths))
    return shapes.broadcast_to(x, shape=shape)


def expand_as(x: Tensor, other: Tensor) -> Tensor:
    """:func:`expand` to the shape of ``other``."""
    return expand(x, other.shape)


def broadcast_to(x: Tensor, shape: Sequence[int]) -> Tensor:
    """``x`` repeated along missing axes and axes of length one, without copying."""
    return shapes.broadcast_to(x, shape=sizes_of("broadcast_to", (shape,)))


def repeat(x: Tensor, *sizes: Any) -> Tensor:
    """Tiled ``sizes`` times along each axis, new axes first. Raises ``ValueError`` where there are fewer sizes than axes."""
    times = sizes_of("repeat", sizes, "sizes")
    if len(times) < x.ndim:
        raise ValueError(f"repeat: {len(times)} sizes for {x.ndim} axes; give one an axis")
    shape = (1,) * (len(times) - x.ndim) + x.shape
    paired = shapes.reshape(x, shape=tuple(m for n in shape for m in (1, n)))
    spread = shapes.broadcast_to(paired, shape=tuple(m for k, n in zip(times, shape, strict=True) for m in (k, n)))
    return shapes.reshape(spread, shape=tuple(k * n for k, n in zip(times, shape, strict=True)))


# --- order -------------------------------------------------------------------------------------------------------------------


def permute(x: Tensor, *dims: Any) -> Tensor:
    """The axes in the order ``dims``."""
    return shapes.permute_dims.call(x, axes=sizes_of("permute", dims, "dims"))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """Axes ``dim0`` and ``dim1`` exchanged."""
    order = list(range(x.ndim))
    a, b = axis_of("transpose", dim0, x.ndim, "dim0"), axis_of("transpose", dim1, x.ndim, "dim1")
    if order:
        order[a], order[b] = b, a
    return shapes.permute_dims(x, axes=tuple(order))


def movedim(x: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Axis ``source`` moved to ``destination``, the others in order; or several, each to its own.

    Raises ``ValueError`` where they are not as many, or one is named twice.
    """
    axes = integers("movedim", "source", source), integers("movedim", "destination", destination)
    sources, destinations = ((dims,) if isinstance(dims, int) else dims for dims in axes)
    moved = {axis_of("movedim", b, x.ndim): axis_of("movedim", a, x.ndim) for a, b in zip(sources, destinations, strict=False)}
    if not len(sources) == len(destinations) == len(moved) == len(set(moved.values())):
        raise ValueError(f"movedim: source {axes[0]} and destination {axes[1]} must be as many axes, each named once")
    rest = iter(i for i in range(x.ndim) if i not in moved.values())
    return shapes.permute_dims(x, axes=tuple(moved[i] if i in moved else next(rest) for i in range(x.ndim)))


def t(x: Tensor) -> Tensor:
    """A matrix transposed; fewer axes as they are. Raises ``ValueError`` on more than two axes."""
    if x.ndim > 2:
        raise ValueError(f"t: takes at most 2 axes, not {x.ndim}; use .mT or .transpose(dim0, dim1)")
    return x if x.ndim < 2 else linalg.matrix_transpose(x)


def adjoint(x: Tensor) -> Tensor:
    """The conjugate transpose of the last two axes; of real numbers, the transpose."""
    return transpose(x, -2, -1)


@also(dims="axis")
def flip(x: Tensor, *axes: Any, dims: Dims = None) -> Tensor:
    """In reverse order along ``dims``, given as numbers, one sequence, or by keyword. Raises ``TypeError`` unless given once."""
    if (dims is None) is (not axes):
        raise TypeError("flip: give the axes once, x.flip(0, 1) or x.flip(dims=(0, 1))")
    chosen = axes_of("flip", x, sizes_of("flip", axes, "dims") if dims is None else dims, None)
    return shapes.copy(x) if chosen is None or chosen == () else shapes.flip.call(x, axis=chosen)


def fliplr(x: Tensor) -> Tensor:
    """The second axis reversed. Raises ``ValueError`` where there is none."""
    if x.ndim < 2:
        raise ValueError(f"fliplr: takes at least 2 axes, not shape {x.shape}")
    return flip(x, 1)


def flipud(x: Tensor) -> Tensor:
    """The first axis reversed. Raises ``ValueError`` on a 0-d tensor."""
    if x.ndim < 1:
        raise ValueError("flipud: takes at least 1 axis, not a 0-d tensor")
    return flip(x, 0)


@reads_numbers
def rot90(x: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Rotated ``k`` times by 90 degrees in the plane of the two axes ``dims``, from the first to the second.

    Raises ``ValueError`` where there are no two axes.
    """
    if x.ndim < 2:
        raise ValueError(f"rot90: takes at least 2 axes, not shape {x.shape}")
    a, b = (axis_of("rot90", i, x.ndim, "dims") for i in dims)
    if a == b:
        raise ValueError(f"rot90: dims {tuple(dims)} must be two different axes")
    if k % 4 == 2:
        return flip(x, (a, b))
    if k % 2:
        return transpose(flip(x, b), a, b) if k % 4 == 1 else flip(transpose(x, a, b), b)
    return x.clone()


@also(shifts="shift", dims="axis")
def roll(x: Tensor, shifts: Any, dims: Any = None) -> Tensor:
    """Shifted along ``dims``, elements past the end entering at the start; along several, each by its own of ``shifts``.

    Raises ``ValueError`` where there are not as many shifts as axes.
    """
    shift = sizes_of("roll", (shifts,), "shifts")
    if dims is None:
        return shapes.roll.call(x, shift=shift[0] if len(shift) == 1 else shift, axis=None)
    axes = sizes_of("roll", (dims,), "dims")
    if not axes or len(shift) != len(axes):
        raise ValueError(f"roll: give as many shifts as dims, and at least one, not {shift} and {axes}")
    return shapes.roll.call(x, shift=shift, axis=tuple([cut_along("roll", x, a) for a in axes]))


def _matrix(name: str, x: Tensor) -> Tensor:
    if x.ndim < 2:
        raise ValueError(f"{name}: takes matrices, of at least 2 axes, not shape {x.shape}")
    return x


@also(diagonal="k")
@reads_numbers
def tril(x: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle, up to and with the given diagonal; zeros above."""
    return shapes.tril(_matrix("tril", x), k=diagonal)


@also(diagonal="k")
@reads_numbers
def triu(x: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle, from the given diagonal on; zeros below."""
    return shapes.triu(_matrix("triu", x), k=diagonal)


# --- joins and parts ---------------------------------------------------------------------------------------------------------


def concat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors joined along axis ``dim``, which they have; empty vectors among tensors of more axes are ignored, as in PyTorch.

    Raises ``ValueError`` on an empty list, or where other axes differ.
    """
    if not tensors:
        raise ValueError("concat: the list of tensors is empty")
    along = dim if axis is None else axis
    if type(along) is not int:
        along = integer("concat", "dim", along)
    try:
        return shapes.concat(*tensors, axis=along)
    except (ValueError, IndexError):
        others = [x for x in tensors if getattr(x, "shape", ()) != (0,)]  # PyTorch leaves empty vectors out
        if not 0 < len(others) < len(tensors):
            raise
        return shapes.concat(*others, axis=along)


def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors of one shape joined along a new axis ``dim``. Raises ``ValueError`` on an empty list, or where shapes differ."""
    if not tensors:
        raise ValueError("stack: the list of tensors is empty")
    arrays = [tensor_of("stack", x) for x in tensors]
    different = dict.fromkeys(x.shape for x in arrays)
    if len(different) > 1:
        raise ValueError(f"stack: every tensor must have the same shape, not {' and '.join(map(str, different))}")
    along = axis_of("stack", dim if axis is None else axis, arrays[0].ndim + 1)
    return shapes.concat(*(shapes.expand_dims(x, axis=along) for x in arrays), axis=along)


def split(x: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along ``dim``: of size ``split_size_or_sections``, the last one smaller, or of these sizes.

    Raises ``ValueError`` where they do not add up to the axis.
    """
    return _split("split", x, integers("split", "split_size_or_sections", split_size_or_sections), dim)


def _split(name: str, x: Tensor, sections: int | tuple[int, ...], dim: int) -> tuple[Tensor, ...]:
    along = cut_along(name, x, dim)
    n = x.shape[along]
    if isinstance(sections, int):
        if sections <= 0:
            raise ValueError(f"{name}: the size of a piece must be at least 1 (got {sections})")
        sizes = [sections] * (n // sections) + ([n % sections] if n % sections or n == 0 else [])
    else:
        sizes = list(sections)
        if sum_of(sizes) != n or min(sizes, default=0) < 0:
            raise ValueError(f"{name}: the sizes {sizes} add up to {sum_of(sizes)}, and axis {dim} has {n}")
    parts, start = [], 0
    for size in sizes:
        parts.append(slice(start, start + size))
        start += size
    return _pieces(x, along, parts, [part.stop for part in parts])


def split_with_sizes(x: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of ``split_sizes`` along ``dim``. Raises ``ValueError`` where they do not add up to the axis."""
    return _split("split_with_sizes", x, sizes_of("split_with_sizes", (split_sizes,), "split_sizes"), dim)


#: So many pieces are taken from a tensor itself.
FEW_PIECES = 8


def _pieces(x: Tensor, along: int, parts: Sequence[int | slice], ends: Sequence[int], offset: int = 0) -> tuple[Tensor, ...]:
    """The ``parts`` of ``x`` along an axis, which follow one another and end before ``ends``; all are counted from ``offset``.

    Many are taken from halves, and these from theirs: the cotangent of a piece is placed among zeros in the shape of what it was
    taken from, which for n pieces costs log n times that of ``x``, and not n times.
    """
    if len(parts) <= FEW_PIECES or not x._requires_grad:
        moved = (slice(part.start - offset, part.stop - offset) if isinstance(part, slice) else part - offset for part in parts)
        return tuple(indexing.getitem(x, index=index_at(along, part)) for part in moved)
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
    """At most ``chunks`` pieces of equal size along ``dim``, the last one smaller.

    Raises ``ValueError`` where ``chunks`` is below 1.
    """
    chunks = integer("chunk", "chunks", chunks)
    if chunks < 1:
        raise ValueError(f"chunk: chunks must be at least 1, not {chunks}")
    n = x.shape[cut_along("chunk", x, dim)]
    return _split("chunk", x, -(-n // chunks) if n else (0,) * chunks, dim)


def narrow(x: Tensor, dim: int, start: int, length: int) -> Tensor:
    """A slice: a view.

    Args:
        x: the tensor.
        dim: the axis.
        start, length: the first element, from the end where negative, and how many; raises ``IndexError`` where they do not fit.
    """
    along = cut_along("narrow", x, dim)
    if type(start) is not int or type(length) is not int:
        start, length = integer("narrow", "start", start), integer("narrow", "length", length)
    start = start + x.shape[along] if start < 0 else start
    if not 0 <= start <= start + length <= x.shape[along]:
        raise IndexError(f"narrow: {length} elements from {start} do not fit into axis {dim} of shape {x.shape}")
    return indexing.getitem.call(x, index=index_at(along, slice(start, start + length)))


def unbind(x: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """The slices along ``dim``, without that axis."""
    along = cut_along("unbind", x, dim)
    every = range(x.shape[along])
    return _pieces(x, along, every, range(1, len(every) + 1))


publish(globals())
