"""Writing elements by index into a copy: scatter and its like, by mask and by flat place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...backends import dtypes
from ..rules import elementwise as e
from ..rules import ordering, shapes
from .arguments import NUMBERS, axis_of, index_at, wide_inside
from .elementwise import where
from .indexing import check_range, getitem, index_put, mesh, plain_index
from .shapes import concat

if TYPE_CHECKING:
    from ..tensor import Tensor


def _slices(name: str, x: Tensor, dim: int, index: Tensor) -> tuple[Any, ...]:
    """The index of the slices along ``dim`` that the vector ``index`` names."""
    along = axis_of(name, dim, x.ndim)
    if index.ndim > 1:
        raise ValueError(f"{name}: the index is a vector, not of shape {index.shape}")
    check_range(name, index, x.shape[along])
    return index_at(along, shapes.reshape(index, shape=(-1,)))


def _added(x: Tensor, index: tuple[Any, ...], source: Tensor) -> Tensor:
    """``x`` with ``source`` added at an index of arrays and slices, repeated indices adding up."""
    return e.add(x, shapes.scatter_add(source, index=plain_index(x, index), shape=x.shape))


def index_add(x: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """``x`` with alpha times each slice of ``source`` along ``dim`` added to the slice that ``index`` names."""
    return _added(x, _slices("index_add", x, dim, index), source if alpha == 1 else source * alpha)


def index_copy(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """``x`` with the slices along ``dim`` that ``index`` names replaced by those of ``source``."""
    return index_put(x, _slices("index_copy", x, dim, index), source)


def index_fill(x: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """``x`` with ``value`` in the slices along ``dim`` that ``index`` names."""
    return index_put(x, index_at(axis_of("index_fill", dim, x.ndim), index), value)


def fill(x: Tensor, value: Any) -> Tensor:
    """``value``, a number or a 0-d tensor, in every element of a tensor like ``x``; its gradient is the sum."""
    return index_put(x, ..., value)


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """Slice ``index`` along ``dim``, without that axis."""
    along = axis_of("select", dim, x.ndim)
    return shapes.getitem(x, index=index_at(along, int(index)))


def select_scatter(x: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of ``x`` with ``src`` in place of slice ``index`` along ``dim``."""
    return _replaced("select_scatter", x, src, index_at(axis_of("select_scatter", dim, x.ndim), int(index)))


def slice_scatter(x: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Tensor:
    """A copy of ``x`` with ``src`` in place of ``start:end:step`` along ``dim``."""
    return _replaced("slice_scatter", x, src, index_at(axis_of("slice_scatter", dim, x.ndim), slice(start, end, step)))


def _replaced(name: str, x: Tensor, src: Tensor, index: tuple[Any, ...]) -> Tensor:
    place = x.detach()[index].shape
    if src.shape != place:
        raise ValueError(f"{name}: the place has shape {place} and src {src.shape}; they must agree")
    return shapes.index_put(x, src, index=index)


# --- an index for each element -----------------------------------------------------------------------------------------------


def _places(name: str, x: Tensor, dim: int, index: Tensor) -> tuple[Any, ...]:
    """The index of one element for each of ``index``: that along ``dim``, its own along the other axes."""
    along = axis_of(name, dim, x.ndim)
    if index.ndim != x.ndim or any(m > n for i, (m, n) in enumerate(zip(index.shape, x.shape, strict=True)) if i != along):
        raise ValueError(f"{name}: an index of shape {index.shape} does not fit into shape {x.shape} beside axis {dim}")
    check_range(name, index, x.shape[along])
    return mesh(index.shape, index, along)


def _covered(name: str, src: Tensor, index: Tensor) -> Tensor:
    """The leading part of ``src`` that ``index`` covers."""
    if src.ndim != index.ndim or any(m > n for m, n in zip(index.shape, src.shape, strict=True)):
        raise ValueError(f"{name}: an index of shape {index.shape} for a src of shape {src.shape}, which must cover it")
    return shapes.getitem(src, index=tuple(slice(0, n) for n in index.shape))


def scatter(x: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """``x`` with each element of ``src``, or the number ``value``, at the place its ``index`` names along ``dim``.

    ``reduce`` "add" or "multiply" combines it with what is there. Where an index is repeated without, one of the elements is
    left; which of them is not said.
    """
    if src is None or type(src) in NUMBERS:
        from ..creation import full

        number = value if src is None else src
        if reduce is None:
            return index_put(x, _places("scatter", x, dim, index), number)
        src = full(index.shape, number, dtype=x.dtype, device=x.backend)
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise ValueError(f"scatter: reduce is 'add' or 'multiply', not {reduce!r}")
        return scatter_reduce(x, dim, index, src, "sum" if reduce == "add" else "prod")
    return index_put(x, _places("scatter", x, dim, index), _covered("scatter", src, index))


def scatter_add(x: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """``x`` with each element of ``src`` added at the place its ``index`` names along ``dim``."""
    return _added(x, _places("scatter_add", x, dim, index), _covered("scatter_add", src, index))


@wide_inside
def scatter_reduce(x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """``x`` reduced with the elements of ``src`` whose ``index`` along ``dim`` names the same place.

    ``reduce`` is "sum", "prod", "mean", "amax" or "amin"; equal extremes share the gradient evenly. Without ``include_self``
    what is in ``x`` counts only where no index points.
    """
    from ..creation import ones_like

    places = _places("scatter_reduce", x, dim, index)
    src = _covered("scatter_reduce", src, index)
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
    if reduce not in ("amax", "amin"):
        raise ValueError(f"scatter_reduce: reduce is 'sum', 'prod', 'mean', 'amax' or 'amin', not {reduce!r}")
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
    from ..creation import arange

    numbers = shapes.reshape(arange(x.numel(), device=x.backend), shape=x.shape)
    place = shapes.reshape(getitem(numbers, places), shape=(-1,))
    order = ordering.argsort(place)
    place, values = place[order], getitem(shapes.reshape(src, shape=(-1,)), order)
    n, step = place.shape[0], 1
    while step < n:
        together = place[step:] == place[:-step]
        values = concat([values[:step], where(together, combine(values[step:], values[:-step]), values[step:])])
        step *= 2
    last = index_put(place == place, slice(0, max(n - 1, 0)), place[1:] != place[:-1])
    flat, place = shapes.reshape(x, shape=(-1,)), place[last]
    return shapes.reshape(index_put(flat, place, combine(getitem(flat, place), values[last])), shape=x.shape)


# --- masked, and flat --------------------------------------------------------------------------------------------------------


def masked_select(x: Tensor, mask: Tensor) -> Tensor:
    """The elements where ``mask`` holds, as a vector; the two broadcast."""
    x, mask = _broadcast(x, mask)
    return getitem(x, mask)


def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """``x`` with the first elements of ``source``, in order, where ``mask`` holds; the two broadcast."""
    x, mask = _broadcast(x, mask)
    count = int(mask.sum())
    if count > source.numel():
        raise ValueError(f"masked_scatter: the mask holds {count} times, and source has {source.numel()} elements")
    return index_put(x, mask, shapes.reshape(source, shape=(-1,))[:count])


def _broadcast(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    from .joining import broadcast_tensors

    if mask.dtype is not dtypes.bool_:
        raise TypeError(f"a mask is boolean, not {mask.dtype}")
    found, spread = broadcast_tensors(x, mask)
    return found, spread


def nonzero(x: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0, a row each; ``as_tuple``, a vector for each axis, to index with."""
    rows = argwhere(shapes.reshape(x, shape=(1,)) if as_tuple and not x.ndim else x)
    return tuple(rows[:, i] for i in range(rows.shape[1])) if as_tuple else rows


def argwhere(x: Tensor) -> Tensor:
    """The indices of the elements that are not 0, a row each."""
    if x.ndim:
        return ordering.argwhere(x)
    return ordering.argwhere(shapes.reshape(x, shape=(1,)))[:, :0]


def take(x: Tensor, index: Tensor) -> Tensor:
    """The elements of the flattened ``x`` at ``index``, in its shape."""
    return getitem(shapes.reshape(x, shape=(-1,)), (index,))


def put(x: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """``x`` with the elements of ``source`` at the places ``index`` of the flattened tensor; added there, with ``accumulate``."""
    if index.numel() != source.numel():
        raise ValueError(f"put: {index.numel()} indices for {source.numel()} elements")
    flat, places = shapes.reshape(x, shape=(-1,)), (shapes.reshape(index, shape=(-1,)),)
    return shapes.reshape(index_put(flat, places, shapes.reshape(source, shape=(-1,)), accumulate), shape=x.shape)
