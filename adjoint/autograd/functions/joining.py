"""Joining tensors to larger ones, repeating and cutting: what NumPy has beyond ``concat``, ``stack`` and ``split``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..arguments import cut_along, index_at, integer, integers, publish, reads_numbers, sizes_of, tensor_of, with_axis
from ..creation import arange, zeros
from ..rules import elementwise as e, indexing, shapes
from .indexing import getitem
from .reductions import cumsum
from .shapes import broadcast_to, concat, movedim, repeat, stack, transpose, unsqueeze
from .sorting import searchsorted

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes", "broadcast_tensors", "cartesian_prod",
    "column_stack", "dsplit", "dstack", "hsplit", "hstack", "kron", "meshgrid", "repeat_interleave", "tensor_split", "tile",
    "unfold", "vsplit", "vstack",
]  # fmt: skip

Tensors = tuple["Tensor", ...]


def _each(function: Any, tensors: tuple[Any, ...]) -> Any:
    """Of one tensor the function's result; of several, or a list of them, a tuple of their results."""
    if len(tensors) == 1 and not isinstance(tensors[0], (list, tuple)):
        return function(tensors[0])
    return tuple(function(x) for x in listed(tensors))


def listed(tensors: tuple[Any, ...]) -> Sequence[Any]:
    return tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least one axis."""
    return _each(lambda x: x if x.ndim else unsqueeze(x, 0), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two axes; a vector becomes a row."""
    return _each(lambda x: x if x.ndim > 1 else shapes.reshape(x, shape=(1, -1) if x.numel() else (1, 0)), tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three axes; a vector becomes (1, n, 1), a matrix (m, n, 1)."""
    return _each(lambda x: x if x.ndim > 2 else unsqueeze(atleast_2d(x), 2), tensors)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined along the second axis, vectors along their first."""
    return concat(atleast_1d(list(tensors)), 0 if tensors and tensors[0].ndim < 2 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined along the first axis, vectors as rows."""
    return concat(atleast_2d(list(tensors)), 0)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined along the third axis."""
    return concat(atleast_3d(list(tensors)), 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Joined along the second axis, vectors as columns."""
    return concat([x if x.ndim > 1 else shapes.reshape(x, shape=(x.numel(), 1)) for x in tensors], 1)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices (vectors as rows) along the diagonal, zeros elsewhere. Raises ``ValueError`` on more than two axes."""
    blocks = [atleast_2d(tensor_of("block_diag", x)) for x in tensors]
    for block in blocks:
        if block.ndim > 2:
            raise ValueError(f"block_diag: takes at most 2 axes, not shape {block.shape}")
    width, before, bands = sum(block.shape[1] for block in blocks), 0, []
    for block in blocks:
        rows, n = block.shape
        left, right = (zeros(rows, m, dtype=block.dtype, device=block.backend) for m in (before, width - before - n))
        bands.append(concat([left, block, right], 1))
        before += n
    return concat(bands, 0)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that these broadcast to. Raises ``ValueError`` where two lengths differ and neither is 1."""
    sized = [sizes_of("broadcast_shapes", (shape,), "a shape") for shape in shapes]
    ndim = max((len(shape) for shape in sized), default=0)
    result = []
    for lengths in zip(*((1,) * (ndim - len(shape)) + shape for shape in sized), strict=True):
        several = {n for n in lengths if n != 1}
        if len(several) > 1:
            raise ValueError(f"broadcast_shapes: {' and '.join(map(str, sized))} do not broadcast")
        result.append(several.pop() if several else 1)
    return tuple(result)


def broadcast_tensors(*tensors: Any) -> Tensors:
    """Each tensor broadcast to the shape they all broadcast to."""
    every = listed(tensors)
    shape = broadcast_shapes(*(x.shape for x in every))
    return tuple(broadcast_to(x, shape) for x in every)


def meshgrid(*tensors: Any, indexing: str = "ij") -> Tensors:
    """Each vector along an axis of its own of a common grid; with ``indexing="xy"`` the first two axes are exchanged.

    Raises ``ValueError`` on another ``indexing``, and on tensors that are no vectors.
    """
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing is 'ij' or 'xy', not {indexing!r}")
    every = listed(tensors)
    if any(x.ndim > 1 for x in every):
        raise ValueError(f"meshgrid: takes vectors, not shapes {' and '.join(str(x.shape) for x in every)}")
    shape = tuple(x.numel() for x in every)
    own = (shapes.reshape(x, shape=tuple(n if i == k else 1 for k, n in enumerate(shape))) for i, x in enumerate(every))
    grids = tuple(shapes.broadcast_to(x, shape=shape) for x in own)
    return tuple(transpose(x, 0, 1) for x in grids) if indexing == "xy" and len(shape) > 1 else grids


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All combinations of an element of each vector, a row each, the last changing fastest; of one vector, itself.

    Raises ``ValueError`` on tensors that are no vectors.

    >>> import adjoint as ad
    >>> ad.cartesian_prod(ad.tensor([1, 2]), ad.tensor([3, 4]))
    tensor([[1, 3],
            [1, 4],
            [2, 3],
            [2, 4]])
    """
    for x in tensors:
        if x.ndim != 1:
            raise ValueError(f"cartesian_prod: takes vectors, not a tensor of shape {x.shape}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([shapes.reshape(x, shape=(-1,)) for x in meshgrid(*tensors, indexing="ij")], 1)


def kron(x: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: ``other`` times each element of ``x``, as blocks. The one of fewer axes gets more in front."""
    ndim = max(x.ndim, other.ndim)
    a, b = ((1,) * (ndim - y.ndim) + y.shape for y in (x, other))
    spread = shapes.reshape(x, shape=tuple(m for n in a for m in (n, 1)))
    blocks = shapes.reshape(other, shape=tuple(m for n in b for m in (1, n)))
    return shapes.reshape(e.multiply(spread, blocks), shape=tuple(m * n for m, n in zip(a, b, strict=True)))


def tile(x: Tensor, *dims: Any) -> Tensor:
    """Repeated ``dims`` times along the last axes; more than there are make new ones in front."""
    times = sizes_of("tile", dims, "dims")
    return repeat(x, (*(1,) * (x.ndim - len(times)), *times))


@reads_numbers
def repeat_interleave(
    x: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each slice along ``dim`` repeated.

    Args:
        x: the tensor; without ``repeats``, it is the repeats of the indices 0, 1, 2, …: (2, 1) gives 0, 0, 1.
        repeats: an integer, or a vector with one for each slice.
        dim: the axis; where None, the flattened tensor.
        output_size: the sum of the repeats, which is then not read from the device.

    Raises ``ValueError`` on negative repeats, or a vector of another length.
    """
    if repeats is None:
        x, repeats = arange(x.numel(), device=x.backend), x
    if dim is None:
        x, dim = shapes.reshape(x, shape=(-1,)), 0
    along = cut_along("repeat_interleave", x, dim)
    n = x.shape[along]
    of_each: Any = repeats
    if not hasattr(of_each, "_node") or of_each.numel() == 1:
        each = integer("repeat_interleave", "repeats", of_each.reshape(()) if hasattr(of_each, "_node") else of_each)
        if each < 0:
            raise ValueError(f"repeat_interleave: repeats must be at least 0, not {each}")
        shape = (*x.shape[: along + 1], each, *x.shape[along + 1 :])
        spread = shapes.broadcast_to(unsqueeze(x, along + 1), shape=shape)
        return shapes.reshape(spread, shape=(*x.shape[:along], n * each, *x.shape[along + 1 :]))
    if of_each.shape != (n,):
        raise ValueError(f"repeat_interleave: repeats of shape {of_each.shape} for the {n} slices along axis {dim}")
    stops = cumsum(of_each, 0)
    total = output_size if output_size is not None else int(stops[-1]) if n else 0
    index = searchsorted(stops, arange(total, device=x.backend), right=True)
    return getitem(x, index_at(along, index))


# --- cutting -----------------------------------------------------------------------------------------------------------------


def tensor_split(x: Tensor, indices_or_sections: int | Sequence[int], dim: int = 0) -> Tensors:
    """Pieces along ``dim``, cut before the ``indices_or_sections``, or as many as these, the first ones longer by one if uneven."""
    return _cut("tensor_split", x, integers("tensor_split", "indices_or_sections", indices_or_sections), dim)


def _cut(name: str, x: Tensor, sections: int | tuple[int, ...], dim: int) -> Tensors:
    along = cut_along(name, x, dim)
    n = x.shape[along]
    if isinstance(sections, int):
        if sections < 1:
            raise ValueError(f"{name}: the number of sections must be at least 1 (got {sections})")
        each, longer = divmod(n, sections)
        cuts = [i * each + min(i, longer) for i in range(1, sections)]
    else:
        cuts = [*sections]
    return tuple(indexing.getitem(x, index=index_at(along, slice(a, b))) for a, b in zip([0, *cuts], [*cuts, n], strict=True))


def _split_evenly(name: str, x: Tensor, indices_or_sections: int | Sequence[int], dim: int, ndim: int) -> Tensors:
    if x.ndim < ndim:
        raise ValueError(f"{name}: takes at least {ndim} axes, not shape {x.shape}")
    sections = integers(name, "indices_or_sections", indices_or_sections)
    if isinstance(sections, int) and (sections < 1 or x.shape[dim] % sections):
        raise ValueError(f"{name}: axis {dim} of shape {x.shape} does not divide into {sections}")
    return _cut(name, x, sections, dim)


def hsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> Tensors:
    """Cut along the second axis, a vector along its first: into ``indices_or_sections`` equal sections, or before these indices.

    Raises ``ValueError`` where the axis does not divide.
    """
    return _split_evenly("hsplit", x, indices_or_sections, min(x.ndim - 1, 1), 1)


def vsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> Tensors:
    """Cut along the first axis: into ``indices_or_sections`` equal sections, or before these indices.

    Raises ``ValueError`` where the axis does not divide.
    """
    return _split_evenly("vsplit", x, indices_or_sections, 0, 2)


def dsplit(x: Tensor, indices_or_sections: int | Sequence[int]) -> Tensors:
    """Cut along the third axis: into ``indices_or_sections`` equal sections, or before these indices.

    Raises ``ValueError`` where the axis does not divide.
    """
    return _split_evenly("dsplit", x, indices_or_sections, 2, 3)


@reads_numbers
def unfold(x: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of ``size`` along axis ``dimension``, ``step`` apart, along a new last axis: a view that cannot be written to.

    Raises ``ValueError`` where no window fits or ``step`` is below 1.
    """
    rows, along = with_axis("unfold", x, dimension)
    if not 0 <= size <= rows.shape[along] or step < 1:
        raise ValueError(f"unfold: no windows of {size}, {step} apart, along axis {dimension} of shape {x.shape}")
    last = movedim(rows, along, -1)
    windows = shapes.sliding_windows(last, window=(size,), stride=(step,), dilation=(1,))
    return movedim(windows, -2, along) if x.ndim else windows[0]


publish(globals())
