"""Reading elements by index: ``x[…]``, gather and take, masks, and the indices of what is not 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ... import backends
from ...errors import BackendError, CaptureError
from ..arguments import NUMBERS, cut_along, index_at, integer, publish, shaped_like, with_axis
from ..creation import arange, full
from ..primitive import as_input
from ..rules import elementwise as e, indexing, reductions, shapes, sorting

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "argwhere", "gather", "index_put", "index_select", "nonzero", "select", "take", "take_along_dim",
]  # fmt: skip


def plain_index(x: Tensor, index: Any, whole: Any = (), at: int = 0) -> Any:
    """The index, part ``at`` of a ``whole`` one, with its tensors, lists and NumPy arrays as arrays on the device of ``x``."""
    if hasattr(index, "_node") and index.backend is x.backend and index._array.shape:
        if index.dtype.kind == "float":
            raise IndexError(f"indexing: an index is {index.dtype}; it must be integers or booleans")
        return index._array
    if isinstance(index, tuple):
        return tuple([plain_index(x, part, index, i) for i, part in enumerate(index)])
    if index is None or index is Ellipsis or isinstance(index, (int, slice)):
        return index
    if getattr(index, "shape", None) == () and getattr(index.dtype, "kind", "") in ("int", "uint", "i", "u"):
        try:
            return int(index)  # an integer of any type: the result is a view
        except CaptureError as error:  # its value may not be read: the result is a copy
            error.dismiss()
            return _place(x, index, whole, at)
    if hasattr(index, "_node"):
        if index.backend is not x.backend:
            raise backends_differ(x, index)
        return index._array
    owner = backends.of_array(index)
    host = backends.parse(index) if owner is None else owner.to_numpy(index)
    if host.size == 0 and owner is None:
        host = host.astype("int64")
    if host.dtype.kind == "f":
        raise IndexError(f"indexing: an index is {host.dtype}; it must be integers or booleans")
    return x.backend.asarray(host, copy=owner is not None)  # the caller may write to its array before backward reads it


def _place(x: Tensor, index: Tensor, whole: tuple[Any, ...], at: int) -> Any:
    """The array of a 0-d index that cannot be read, part ``at`` of a whole one. Raises ``IndexError`` where it is out of range."""
    if index.backend is not x.backend:
        raise backends_differ(x, index)
    last = any(part is Ellipsis for part in whole[:at])
    axis = -sum(map(_axes, whole[at:])) if last else sum(map(_axes, whole[:at]))
    n = x.shape[axis] if -x.ndim <= axis < x.ndim else 0
    array, backend = index._array, x.backend
    if not backend.truth(backend.xp.logical_and(array >= -n, array < n)):
        raise IndexError(f"index {backend.scalar_for_message(array)} is out of bounds for axis {axis} with size {n}")
    return array


def _axes(part: Any) -> int:
    """How many axes a part of an index takes; 0 of an ellipsis, which does not matter where it is counted from the other end."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if "bool" in str(getattr(part, "dtype", "")) else 1


def shown_index(index: Any) -> str:
    """The index for a message, with tensors by their shapes, since a recording must not read their values."""
    if isinstance(index, tuple):
        return ", ".join(map(shown_index, index))
    return f"tensor of shape {index.shape}" if hasattr(index, "_node") else repr(index)


def backends_differ(x: Tensor, index: Tensor) -> Exception:
    return BackendError(
        f"indexing: the tensor is on '{x.device}' ({x.backend.name}) and the index on '{index.device}' ({index.backend.name}); "
        "move one with .to(device)"
    )


def in_steps(index: Any) -> list[Any]:
    """The index in two steps, its integers and then its arrays, where it has both; else itself.

    PyTorch applies integers first. NumPy counts them among the arrays, which moves the arrays' axes to the front where a
    slice comes between.
    """
    parts = index if isinstance(index, tuple) else (index,)
    kinds = {type(part) for part in parts} - {slice, type(None), type(Ellipsis)}
    if kinds <= {int} or bool in kinds:
        return [index]
    first: list[Any] = []
    then: list[Any] = []
    ints = arrays = False
    for part in parts:
        if type(part) is int:
            first.append(part)
            ints = True
        elif not hasattr(part, "dtype"):
            first.append(part)
            then.append(part if part is Ellipsis else slice(None))
        elif part.shape == () and "bool" not in str(part.dtype):  # of _place
            first.append(part)
            ints = True
        else:
            first += [slice(None)] * (part.ndim if "bool" in str(part.dtype) else 1)
            then.append(part)
            arrays = True
    return [tuple(first), tuple(then)] if ints and arrays else [index]


def getitem(x: Tensor, index: Any) -> Tensor:
    """``x[index]``: slices and integers give a view; masks, integer arrays and lists a copy."""
    if not isinstance(index, tuple):
        return indexing.getitem.call(x, index=plain_index(x, index))
    for step in in_steps(plain_index(x, index)):
        x = indexing.getitem.call(x, index=step)
    return x


def tensor_like(x: Tensor, value: Any) -> Tensor:
    """``value`` as a tensor on the device of ``x``, a number in its dtype."""
    return full((), value, dtype=x.dtype, device=x.backend) if type(value) in NUMBERS else as_input("index_put", value)


def index_put(x: Tensor, index: Any, value: Any, accumulate: bool = False) -> Tensor:
    """A copy of ``x`` in which ``x[index]`` is ``value``.

    Args:
        x: the tensor.
        index: slices, integers, masks and integer tensors, as in ``x[index]``.
        value: a number or tensor, broadcast. Of repeated indices the last remains, and has the gradient.
        accumulate: add it there instead; repeated indices add up.
    """
    first, *then = in_steps(plain_index(x, index))
    if accumulate:
        picked = [x.detach()]
        for step in (first, *then):
            picked.append(indexing.getitem(picked[-1], index=step))
        total = shapes.broadcast_to(tensor_like(x, value), shape=picked[-1].shape)
        for step, before in zip((*then[::-1], first), picked[-2::-1], strict=True):
            total = indexing.scatter_add(total, index=step, shape=before.shape)
        return e.add(x, total)
    for step in then:
        value = indexing.index_put(indexing.getitem(x, index=first), value, index=step)
    return indexing.index_put(x, value, index=first)


def take_along_dim(x: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """``out[..., i, ...] = x[..., indices[..., i, ...], ...]`` along ``dim``; the other axes alike or broadcast.

    Negative indices count from the end. Where ``dim`` is None, the elements of the flattened ``x`` at the flattened indices.
    """
    if dim is None:
        x, indices, dim = (*(shapes.reshape(y, shape=(-1,)) for y in (x, indices)), 0)
    cut_along("take_along_dim", x, dim)
    return _taken("take_along_dim", x, indices, dim, from_end=True)


def _taken(name: str, x: Tensor, indices: Tensor, dim: int, from_end: bool = False) -> Tensor:
    rows, along = with_axis(name, x, dim)
    places = indices if indices.ndim else shapes.reshape(indices, shape=(1,))
    if places.ndim != rows.ndim:
        raise ValueError(f"{name}: the indices have {indices.ndim} axes and the tensor {x.ndim}; they must agree")
    check_range(name, places, rows.shape[along], from_end)
    return shaped_like(indices, along_axis(rows, places, along))


def check_range(name: str, indices: Tensor, n: int, from_end: bool = False) -> None:
    """Raise ``IndexError`` where an index is not from 0 to n - 1, or -n to n - 1 where they may count ``from_end``."""
    backend, xp = indices.backend, indices.backend.xp
    if not indices.numel() or backend.truth(xp.are_indices(indices._array, n)):
        return
    if from_end and backend.truth(xp.are_indices(xp.astype(indices._array, xp.int64) + n, 2 * n)):
        return
    low, high = ends(indices)
    raise IndexError(f"{name}: the indices are from {low} to {high}, and there are {n} elements, {-n * from_end} to {n - 1}")


def ends(x: Tensor) -> tuple[Any, Any]:
    """The smallest and the largest element, for a message."""
    return x.backend.scalar_for_message(reductions.min(x)._array), x.backend.scalar_for_message(reductions.max(x)._array)


def mesh(shape: tuple[int, ...], indices: Tensor, along: int) -> tuple[Tensor, ...]:
    """The index that is ``indices`` along one axis, and each place's own along the others of ``shape``."""
    return tuple(
        indices if i == along else arange(n, device=indices.backend).reshape(tuple(n if j == i else 1 for j in range(len(shape))))
        for i, n in enumerate(shape)
    )


def along_axis(x: Tensor, indices: Tensor, along: int) -> Tensor:
    return getitem(x, mesh(x.shape, indices, along))


def gather(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """:func:`take_along_dim` over the leading part of the other axes that ``index`` covers; none counts from the end."""
    rows, along = with_axis("gather", x, dim)
    if not index.numel():  # of as many axes or not, as in PyTorch
        return shapes.reshape(rows, shape=(-1,))[:0].reshape(index.shape)
    covered = tuple(slice(None) if i == along else slice(0, n) for i, n in enumerate(index.shape))
    return _taken("gather", getitem(rows, covered), index, along)


def index_select(x: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices of ``x`` along ``dim`` that the 1-d ``index`` names.

    Raises ``IndexError`` where an index is out of range, ``ValueError`` where ``index`` is no vector.
    """
    rows, along, places = slices_of("index_select", x, dim, index)
    if not x.ndim and places.numel() != 1:
        raise ValueError(f"index_select: a 0-d tensor has one element, and the index has {places.numel()}")
    return shaped_like(x, getitem(rows, index_at(along, places)))


def slices_of(name: str, x: Tensor, dim: int, index: Tensor) -> tuple[Tensor, int, Tensor]:
    """``x`` and the axis ``dim`` of it as :func:`with_axis` has them, and the vector of the slices' indices along it."""
    rows, along = with_axis(name, x, dim)
    if index.ndim > 1:
        raise ValueError(f"{name}: the index is a vector, not of shape {index.shape}")
    places = shapes.reshape(index, shape=(-1,))
    check_range(name, places, rows.shape[along])
    return rows, along, places


def select(x: Tensor, dim: int, index: int) -> Tensor:
    """Slice ``index`` along ``dim``, without that axis."""
    return indexing.getitem(x, index=slice_at("select", x, dim, index))


def slice_at(name: str, x: Tensor, dim: int, index: int) -> tuple[Any, ...]:
    along, at = cut_along(name, x, dim), integer(name, "index", index)
    n = x.shape[along]
    if not -n <= at < n:
        raise IndexError(f"{name}: there is no slice {at} along axis {dim} of shape {x.shape}")
    return index_at(along, at)


def take(x: Tensor, index: Tensor) -> Tensor:
    """The elements of the flattened ``x`` at ``index``, in its shape."""
    return getitem(shapes.reshape(x, shape=(-1,)), (index,))


def nonzero(x: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not 0, a row each; ``as_tuple``, a vector for each axis, to index with."""
    rows = argwhere(shapes.reshape(x, shape=(1,)) if as_tuple and not x.ndim else x)
    return tuple(rows[:, i] for i in range(rows.shape[1])) if as_tuple else rows


def argwhere(x: Tensor) -> Tensor:
    """The indices of the elements that are not 0, a row each."""
    if x.ndim:
        return sorting.argwhere(x)
    return sorting.argwhere(shapes.reshape(x, shape=(1,)))[:, :0]


publish(globals())
