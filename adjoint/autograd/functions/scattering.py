"""Writing elements by index into a copy: scatter and its like, by mask and by flat index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...backends import dtypes
from ..arguments import cut_along, index_at, number, publish, reads_numbers, shaped_like, tensor_of, with_axis
from ..creation import arange, ones_like
from ..precision import wide_inside
from ..rules import elementwise as e, indexing, shapes, sorting
from .elementwise import cast, clone, where
from .indexing import check_range, getitem, index_put, mesh, plain_index, slice_at, slices_of, tensor_like
from .joining import broadcast_tensors
from .shapes import concat

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "fill", "index_add", "index_copy", "index_fill", "masked_scatter", "masked_select", "scatter", "scatter_add",
    "scatter_reduce", "select_scatter", "slice_scatter",
]  # fmt: skip


def _added(x: Tensor, index: tuple[Any, ...], source: Tensor) -> Tensor:
    """``x`` with ``source`` added at an index of arrays and slices, repeated indices adding up."""
    return e.add(x, indexing.scatter_add(source, index=plain_index(x, index), shape=x.shape))


def _slices(name: str, x: Tensor, dim: int, index: Tensor, source: Tensor) -> tuple[Tensor, tuple[Any, ...], Tensor]:
    """``x`` with an axis, the index of its slices along ``dim`` that the vector ``index`` names, and a slice for each."""
    rows, along, places = slices_of(name, x, dim, index)
    if not source.ndim and rows.ndim == 1:
        source = shapes.reshape(source, shape=(1,))
    n = places.shape[0]
    if source.shape != (*rows.shape[:along], n, *rows.shape[along + 1 :]):
        raise ValueError(
            f"{name}: a source of shape {source.shape} for {n} slices along axis {dim} of shape {x.shape}; it must have this shape "
            f"with {n} along that axis"
        )
    return rows, index_at(along, places), source


@reads_numbers
def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """``x`` with alpha times each slice of ``source`` added to the slice that ``index`` names; repeated indices add up.

    Args:
        x: the tensor.
        dim: the axis.
        index: a vector of n integers.
        source: the shape of ``x``, with n along ``dim``; raises ``ValueError`` on another.
        alpha: the factor.
    """
    if source.ndim != x.ndim:
        raise ValueError(f"index_add: a source of shape {source.shape} for shape {x.shape}; they must have as many axes")
    rows, slices, source = _slices("index_add", x, dim, index, source)
    return shaped_like(x, _added(rows, slices, source if alpha == 1 else source * alpha))


def index_copy(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """``x`` with slices replaced by those of ``source``.

    Args:
        x: the tensor.
        dim: the axis.
        index: a vector of n integers, the slices.
        source: the shape of ``x``, with n along ``dim``; raises ``ValueError`` on another.
    """
    rows, slices, source = _slices("index_copy", x, dim, index, source)
    return shaped_like(x, index_put(rows, slices, source))


def index_fill(x: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """``x`` with ``value`` in some slices.

    Args:
        x: the tensor.
        dim: the axis.
        index: a vector of integers, the slices.
        value: a number or 0-d tensor.
    """
    rows, along, places = slices_of("index_fill", x, dim, index)
    return shaped_like(x, index_put(rows, index_at(along, places), value))


def fill(x: Tensor, value: Any) -> Tensor:
    """``value``, a number or a 0-d tensor, in every element of a tensor like ``x``; its gradient is the sum."""
    return index_put(x, ..., value)


def select_scatter(x: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of ``x`` with ``src`` in place of one slice.

    Args:
        x: the tensor.
        src: in the shape of the slice.
        dim, index: the axis and the slice along it.
    """
    return _replaced("select_scatter", x, src, slice_at("select_scatter", x, dim, index))


@reads_numbers
def slice_scatter(x: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """A copy of ``x`` with ``src`` in place of ``start:end:step`` along ``dim``.

    Args:
        x: the tensor.
        src: in the shape of that part.
        dim: the axis.
        start, end, step: the slice.
    """
    return _replaced("slice_scatter", x, src, index_at(cut_along("slice_scatter", x, dim), slice(start, end, step)))


def _replaced(name: str, x: Tensor, src: Tensor, index: tuple[Any, ...]) -> Tensor:
    place = x.detach()[index].shape
    if src.shape != place:
        raise ValueError(f"{name}: the place has shape {place} and src {src.shape}; they must agree")
    return indexing.index_put(x, src, index=index)


# --- an index for each element -----------------------------------------------------------------------------------------------


def _places(name: str, x: Tensor, along: int, index: Tensor) -> tuple[Any, ...]:
    """The index of one element for each of ``index``: that along an axis, its own along the other axes."""
    shape = x.shape
    if index.ndim != x.ndim or any(m > n for i, (m, n) in enumerate(zip(index.shape, shape, strict=True)) if i != along):
        raise ValueError(f"{name}: an index of shape {index.shape} does not fit into shape {shape} beside axis {along}")
    check_range(name, index, shape[along])
    return mesh(index.shape, index, along)


def _covered(name: str, src: Tensor, index: Tensor) -> Tensor:
    """The leading part of ``src`` that ``index`` covers."""
    if src.ndim != index.ndim or any(m > n for m, n in zip(index.shape, src.shape, strict=True)):
        raise ValueError(f"{name}: an index of shape {index.shape} for a src of shape {src.shape}, which must cover it")
    return indexing.getitem(src, index=tuple(slice(0, n) for n in index.shape))


def _vector(x: Tensor) -> Tensor:
    return x if x.ndim else shapes.reshape(x, shape=(1,))


def _nothing(x: Tensor, ndim: int) -> Tensor:
    return shapes.reshape(shapes.reshape(x, shape=(-1,))[:0], shape=(0,) * ndim)


def _scattered(name: str, x: Tensor, dim: int, index: Tensor, src: Any, reduce: str | None, include_self: bool = True) -> Tensor:
    """``x`` combined with a number or the elements of ``src`` at places along ``dim``; an empty index leaves it as it is."""
    rows, along = with_axis(name, x, dim)
    if index.numel():
        index, src = _vector(index), _vector(src) if hasattr(src, "_node") else src
    else:  # of as many axes or not, as in PyTorch
        index, src = (_nothing(y, rows.ndim) if hasattr(y, "_node") else y for y in (index, src))
    places = _places(name, rows, along, index)
    if hasattr(src, "_node"):
        src = _covered(name, src, index)
    elif reduce is not None:
        src = shapes.broadcast_to(tensor_like(x, src), shape=index.shape)
    return shaped_like(x, _combined(rows, places, src, reduce, include_self))


def scatter(x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """``x`` with each element of ``src`` at the position that ``index`` names along ``dim``.

    Args:
        x: the tensor.
        dim: the axis.
        index: integers of as many axes as ``x``.
        src: a tensor that covers ``index``, or a number.
        value: the number, by keyword.
        reduce: ``"add"`` or ``"multiply"`` combines with what is there; raises ``ValueError`` on another. Where None, of repeated
            indices the last remains, and it alone has a gradient.
    """
    if reduce not in (None, "add", "multiply"):
        raise ValueError(f"scatter: reduce is 'add' or 'multiply', not {reduce!r}")
    if not hasattr(src, "_node"):
        src = number("scatter", "value", value if src is None else src)
    return _scattered("scatter", x, dim, index, src, {None: None, "add": "sum", "multiply": "prod"}[reduce])


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """``x`` with each element of ``src`` added at the position that ``index`` names along ``dim``.

    Args:
        x: the tensor.
        dim: the axis.
        index: integers of as many axes as ``x``.
        src: a tensor that covers ``index``.
    """
    return _scattered("scatter_add", x, dim, index, tensor_of("scatter_add", src), "sum")


@wide_inside
def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """``x`` reduced with the elements of ``src`` whose ``index`` along ``dim`` names the same position.

    Args:
        x: the tensor.
        dim: the axis.
        index: integers of as many axes as ``x``.
        src: a tensor that covers ``index``.
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``; equal extremes share the gradient.
        include_self: whether the elements of ``x`` count where an index points.

    Raises ``ValueError`` on another ``reduce``, or where the shapes do not match.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ValueError(f"scatter_reduce: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', not {reduce!r}")
    return _scattered("scatter_reduce", x, dim, index, tensor_of("scatter_reduce", src), reduce, include_self)


def _combined(x: Tensor, places: tuple[Any, ...], src: Any, reduce: str | None, include_self: bool) -> Tensor:
    if reduce is None:
        return index_put(x, places, src)
    if reduce in ("sum", "mean"):
        base = x if include_self else index_put(x, places, 0)
        total = _added(base, places, src)
        if reduce == "sum":
            return total
        one = ones_like(src.detach())
        counts = _added(ones_like(x.detach()) if include_self else ones_like(x.detach()) * 0, places, one)
        counts = e.maximum(counts, 1)
        return total / counts if x.dtype.kind == "float" else e.floor_divide(total, counts)
    if reduce == "prod":
        start = x if include_self else index_put(x, places, 1)
        return _segments(start, places, src, e.multiply)
    combine = e.maximum if reduce == "amax" else e.minimum
    start = x.detach()
    if not include_self:  # any one of the elements that come to a place
        start = index_put(start, places, src.detach())
    best = _segments(start, places, src.detach(), combine)
    if not (x.requires_grad or src.requires_grad):
        return best
    own = (x.detach() == best) if include_self else index_put(x.detach() == x.detach(), places, False)
    theirs = src.detach() == getitem(best, places)
    ties = _added(own.to(x.dtype), places, theirs.to(x.dtype))
    shared = _added(where(own, x, 0.0), places, where(theirs, src, 0.0)) / e.maximum(ties, 1.0)
    return best + where(e.isfinite(shared), shared - shared.detach(), 0.0)  # the value exact, the gradient that of the mean of ties


def _segments(x: Tensor, places: tuple[Any, ...], src: Tensor, combine: Any) -> Tensor:
    """``x`` combined with all elements of ``src`` that come to its places, by a scan over the elements sorted by place.

    The scan doubles its reach from step to step and stops at the border of a place (Blelloch, 1990).
    """
    numbers = shapes.reshape(arange(x.numel(), device=x.backend), shape=x.shape)
    place = shapes.reshape(getitem(numbers, places), shape=(-1,))
    order = sorting.argsort(place)
    place, values = place[order], getitem(shapes.reshape(src, shape=(-1,)), order)
    n, step = place.shape[0], 1
    while step < n:
        together = place[step:] == place[:-step]
        values = concat([values[:step], where(together, combine(values[step:], values[:-step]), values[step:])])
        step *= 2
    last = index_put(place == place, slice(0, max(n - 1, 0)), place[1:] != place[:-1])
    flat, place = shapes.reshape(x, shape=(-1,)), place[last]
    return shapes.reshape(index_put(flat, place, combine(getitem(flat, place), values[last])), shape=x.shape)


# --- by mask, and by flat index ----------------------------------------------------------------------------------------------


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` holds, as a vector; the two broadcast."""
    x, mask = _broadcast(x, mask)
    return getitem(x, mask)


def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """``x`` with the elements of ``source``, in order, where ``mask`` holds; the two broadcast.

    Raises ``ValueError`` where ``source`` has fewer elements than the mask selects.
    """
    x, mask = _broadcast(x, mask)
    numbers = shapes.reshape(mask, shape=(-1,)).cumsum(0)
    if x.numel() and not x.backend.truth((numbers[-1] <= source.numel())._array):
        count = x.backend.scalar_for_message(numbers[-1]._array)
        raise ValueError(f"masked_scatter: the mask holds {count} times, and source has {source.numel()} elements")
    if not x.numel() or not source.numel():
        return clone(x)
    places = e.minimum(e.maximum(numbers - 1, 0), source.numel() - 1)  # where the mask does not hold, any
    spread = shapes.reshape(getitem(shapes.reshape(source, shape=(-1,)), places), shape=x.shape)
    return where(mask, cast(spread, x.dtype), x)


def _broadcast(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    if mask.dtype is not dtypes.bool_:
        raise TypeError(f"a mask is boolean, not {mask.dtype}")
    x, mask = broadcast_tensors(x, mask)
    return x, mask


def put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """``x`` with elements replaced by index into the flattened tensor.

    Args:
        x: the tensor.
        index: integers.
        source: as many elements; raises ``ValueError`` on another number.
        accumulate: add them instead.
    """
    if index.numel() != source.numel():
        raise ValueError(f"put: {index.numel()} indices for {source.numel()} elements")
    flat, places = shapes.reshape(x, shape=(-1,)), (shapes.reshape(index, shape=(-1,)),)
    return shapes.reshape(index_put(flat, places, shapes.reshape(source, shape=(-1,)), accumulate), shape=x.shape)


publish(globals())
