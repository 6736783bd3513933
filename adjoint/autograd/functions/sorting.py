"""Sorting, and what is computed by it: ranks, medians, modes, quantiles, insertion points, unique values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...backends import dtypes
from ..arguments import NUMBERS, Dims, cut_along, floating, number, publish, reads_numbers, shaped_like, with_axis
from ..creation import arange, full
from ..primitive import as_input
from ..rules import elementwise as e, shapes, sorting
from .elementwise import where
from .indexing import along_axis, ends, getitem, index_put
from .reductions import ValuesIndices, all, any, argmax, cumsum, mean, picked, sum
from .shapes import concat, flatten, movedim, narrow, squeeze, unbind, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "argsort", "bucketize", "isin", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile",
    "searchsorted", "sort", "topk", "unique", "unique_consecutive",
]  # fmt: skip

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _ordered(name: str, x: Tensor, dim: int, descending: bool = False) -> tuple[Tensor, Tensor, int]:
    """``x`` with an axis to sort along, the order that sorts it, and that axis counted from 0."""
    rows, at = with_axis(name, x, dim)
    comparable = rows.to(dtypes.uint8) if rows.dtype is dtypes.bool_ else rows
    return rows, sorting.argsort(comparable, axis=at, descending=descending), at


def argsort(x: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True) -> Tensor:
    """The indices that sort ``x``; NaN counts as the largest.

    Args:
        x: the tensor.
        dim: the axis.
        descending: largest first.
        stable: sorting is always stable.
    """
    return shaped_like(x, _ordered("argsort", x, dim, descending)[1])


def sort(x: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True) -> ValuesIndices:
    """``x`` sorted, and the indices that sort it; NaN counts as the largest.

    Args:
        x: the tensor.
        dim: the axis.
        descending: largest first.
        stable: sorting is always stable.

    >>> import adjoint as ad
    >>> values, indices = ad.sort(ad.tensor([2.0, 3.0, 1.0]))
    >>> values, indices
    (tensor([1., 2., 3.]), tensor([2, 0, 1]))
    """
    rows, order, at = _ordered("sort", x, dim, descending)
    return picked(rows, order, at, x)


def msort(x: Tensor) -> Tensor:
    """``x`` sorted along its first axis."""
    return sort(x, 0).values


@reads_numbers
def topk(x: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The largest or smallest elements in order, and their indices.

    Args:
        x: the tensor.
        k: how many; raises ``ValueError`` where out of range.
        dim: the axis.
        largest: the largest, else the smallest.
        sorted: they are always in order.
    """
    rows, order, at = _ordered("topk", x, dim, largest)
    if not 0 <= k <= rows.shape[at]:
        raise ValueError(f"topk: k = {k} of the {rows.shape[at]} elements along axis {dim} of shape {x.shape}")
    if not x.ndim:  # of which PyTorch gives the element for k = 0 too
        k = 1
    return picked(rows, narrow(order, at, 0, k), at, x)


@reads_numbers
def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The ``k``-th smallest along ``dim``, counted from 1, and its index. Raises ``ValueError`` where ``k`` is out of range."""
    rows, order, at = _ordered("kthvalue", x, dim)
    if not 1 <= k <= rows.shape[at]:
        raise ValueError(f"kthvalue: k = {k} of the {rows.shape[at]} elements along axis {dim} of shape {x.shape}")
    return picked(rows, narrow(order, at, k - 1, 1), at, x, keepdim)


def _middle(name: str, x: Tensor, dim: int | None, keepdim: bool, skip_nan: bool) -> Any:
    if dim is None:
        return _middle_of_all(name, x, skip_nan)
    rows, order, along = _ordered(name, x, dim)
    n = rows.shape[along]
    if not n:
        raise ValueError(f"{name}: there is no element to choose from in shape {x.shape} along axis {dim}")
    numbers = sum(rows == rows, along, True)  # they come before the NaNs
    if skip_nan:
        at = e.maximum(e.floor_divide(numbers - 1, 2), 0)
    else:
        at = where(numbers == n, (n - 1) // 2, numbers)
    return picked(rows, along_axis(order, at, along), along, x, keepdim)


def _middle_of_all(name: str, x: Tensor, skip_nan: bool) -> Tensor:
    if not x.numel():
        return mean(floating(name, x))
    flat = shapes.reshape(x, shape=(-1,))
    value = _middle(name, flat.detach(), 0, False, skip_nan).values
    if not x.requires_grad:
        return value
    equal = (flat.detach() == value) | ((value != value) & (flat.detach() != flat.detach()))
    shared = sum(where(equal, flat / sum(equal), 0.0))  # equals share the gradient
    return where(e.isfinite(shared), value + (shared - shared.detach()), shared)  # the value exact, where it is a number


def median(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
    """The middle value, the lower one of two; along ``dim``, also where it stands. NaN where there is one.

    Over all elements, those equal to the median share the gradient evenly.
    """
    return _middle("median", x, dim if axis is None else axis, keepdim, False)


def nanmedian(x: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None) -> Any:
    """:func:`median` of the elements that are not NaN."""
    return _middle("nanmedian", x, dim if axis is None else axis, keepdim, True)


def _positions(like: Tensor, along: int) -> Tensor:
    """0, 1, 2, … along the axis, in the shape of ``like``."""
    n, ndim = like.shape[along], like.ndim
    numbers = arange(n, device=like.backend).reshape(tuple(n if i == along else 1 for i in range(ndim)))
    return shapes.broadcast_to(numbers, shape=like.shape)


def mode(x: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """The most frequent value along ``dim``, the smallest of several, and its last index. Raises ``ValueError`` on no elements."""
    rows, order, along = _ordered("mode", x, dim)
    n = rows.shape[along]
    if not n:
        raise ValueError(f"mode: there is no element to choose from in shape {x.shape} along axis {dim}")
    values = along_axis(rows.detach(), order, along)
    starts = narrow(values, along, 1, n - 1) != narrow(values, along, 0, n - 1)
    starts = concat([narrow(values == values, along, 0, 1), starts], along)
    at = _positions(values, along)
    begun = movedim(where(starts, at, 0), along, 0)
    run = at - movedim(along_axis(begun, sorting.cumulative_argmax(begun), 0), 0, along)  # how many equals come before
    return picked(rows, along_axis(order, argmax(run, along, True), along), along, x, keepdim)


def _quantile(name: str, x: Tensor, q: Any, dim: Dims, keepdim: bool, interpolation: str, skip_nan: bool) -> Tensor:
    x = floating(name, x)
    if interpolation not in INTERPOLATIONS:
        raise ValueError(f"{name}: interpolation is one of {', '.join(INTERPOLATIONS)}, not {interpolation!r}")
    q = as_input(name, q if getattr(q, "shape", None) != () or hasattr(q, "_node") else number(name, "q", q))
    q = full((), q, dtype=x.dtype, device=x.backend) if type(q) in NUMBERS else q
    if q.ndim > 1:
        raise ValueError(f"{name}: q is a number or a vector, not of shape {q.shape}")
    if q.dtype is not x.dtype:
        raise TypeError(f"{name}: q is {q.dtype} and the tensor {x.dtype}; they must agree")
    if not q.backend.truth(all((q >= 0) & (q <= 1))._array):
        raise ValueError(f"{name}: q is from 0 to 1, not {' to '.join(map(str, ends(q)))}")
    if dim is None:
        rows, shape = shapes.reshape(x, shape=(-1,)), (1,) * x.ndim
    else:
        rows, along = with_axis(name, x, dim)  # type: ignore[arg-type]
        rows = movedim(rows, along, -1)
        shape = tuple(1 if i == along else n for i, n in enumerate(x.shape))
    n = rows.shape[-1]
    if not n:
        raise ValueError(f"{name}: there is no element to choose from in shape {x.shape} along axis {dim}")
    values = along_axis(rows, sorting.argsort(rows, axis=-1), rows.ndim - 1)
    numbers = sum(rows == rows, -1, True)
    points = shapes.reshape(q, shape=(-1,))
    if skip_nan:
        ranks = points * e.maximum(numbers - 1, 0).to(x.dtype)
    else:
        ranks = where(numbers == n, points * (n - 1), float(n - 1))  # a NaN comes last
    if interpolation == "lower":
        ranks = e.floor(ranks)
    elif interpolation == "higher":
        ranks = e.ceil(ranks)
    elif interpolation == "nearest":
        ranks = e.round(ranks)
    below = e.floor(ranks).detach()
    low = along_axis(values, below.to(dtypes.int64), rows.ndim - 1)
    if interpolation in ("linear", "midpoint"):
        high = along_axis(values, e.ceil(ranks).to(dtypes.int64), rows.ndim - 1)
        weight = 0.5 if interpolation == "midpoint" else ranks - below
        low = low + weight * (high - low)
    values = movedim(low, -1, 0)
    return shapes.reshape(values, shape=(*q.shape, *(shape if keepdim else rows.shape[:-1])))


def quantile(x: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """The value below which a fraction ``q`` of the elements lies. NaN where there is one.

    Args:
        x: a floating-point tensor.
        q: from 0 to 1, a number or a vector, which gives a new first axis.
        dim: the axis; where None, the flattened tensor.
        interpolation: between two elements: ``"linear"``, ``"lower"``, ``"higher"``, ``"midpoint"`` or ``"nearest"``.

    Raises ``ValueError`` on other arguments or no elements, ``TypeError`` where q is of another dtype.
    """
    return _quantile("quantile", x, q, dim, keepdim, interpolation, False)


def nanquantile(x: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear") -> Tensor:
    """:func:`quantile` of the elements that are not NaN.

    Args:
        x, q, dim, interpolation: as for :func:`quantile`.
    """
    return _quantile("nanquantile", x, q, dim, keepdim, interpolation, True)


def searchsorted(
    sorted_sequence: Tensor,
    input: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """The index at which each value would be inserted into a sorted sequence: before its equals, or after them.

    Args:
        sorted_sequence: a vector, or rows that match those of ``input``: all axes but the last agree.
        input: the values, a tensor or number.
        out_int32: return int32, else int64.
        right, side: after equals with ``right`` or ``side="right"``.
        sorter: the indices that sort the sequence (see :func:`argsort`), which then need not be sorted.

    Raises ``ValueError`` where the shapes do not match, or on another ``side``.
    """
    if side not in (None, "left", "right"):
        raise ValueError(f"searchsorted: side is 'left' or 'right', not {side!r}")
    behind = right or side == "right"
    values = full((), input, device=sorted_sequence.backend) if type(input) in NUMBERS else as_input("searchsorted", input)
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape:
            raise ValueError(f"searchsorted: a sorter of {sorter.shape} for a sequence of {sorted_sequence.shape}; they must agree")
        sorted_sequence = along_axis(sorted_sequence, sorter, sorted_sequence.ndim - 1)
    if sorted_sequence.ndim == 1:
        index = sorting.searchsorted(sorted_sequence, values, side="right" if behind else "left")
    elif sorted_sequence.shape[:-1] != values.shape[:-1]:
        raise ValueError(
            f"searchsorted: rows of {sorted_sequence.shape} for values of {values.shape}; all axes but the last must agree"
        )
    else:
        rows, each = unsqueeze(sorted_sequence, -2), unsqueeze(values, -1)
        index = sum(rows <= each if behind else rows < each, -1)
    return index.to(dtypes.int32 if out_int32 else dtypes.int64)


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The interval between sorted boundaries that each value lies in.

    Args:
        input: a tensor or number.
        boundaries: a sorted vector; raises ``ValueError`` on another shape.
        out_int32: return int32, else int64.
        right: intervals include their lower boundary, else their upper one.
    """
    if boundaries.ndim != 1:
        raise ValueError(f"bucketize: the boundaries are a vector, not of shape {boundaries.shape}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def in_order(rows: Tensor) -> Tensor:
    """The order that sorts a vector, or the rows of a matrix by their first difference."""
    if rows.ndim == 1:
        return _ordered("unique", rows, 0)[1]
    order = as_they_stand(rows)
    for column in reversed(unbind(rows, 1)):
        order = getitem(order, argsort(getitem(column, order)))
    return order


def as_they_stand(rows: Tensor) -> Tensor:
    """The order that leaves the rows in their places."""
    return arange(rows.shape[0], device=rows.backend)


def firsts(rows: Tensor, order: Tensor) -> Tensor:
    """Which of the rows, in that order, differ from the one before."""
    ordered = getitem(rows, order)
    differ = ordered[1:] != ordered[:-1]
    return concat([(order == order)[:1], any(differ, 1) if rows.ndim > 1 else differ])


def unique(
    x: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The distinct values in order; with a flag also each element's index among them, and how often each occurs.

    Args:
        x: the tensor.
        sorted: they are always in order.
        return_inverse, return_counts: return these too.
        dim: distinct slices along this axis, in the order of their first difference.

    >>> import adjoint as ad
    >>> ad.unique(ad.tensor([3, 1, 3, 2]), return_counts=True)
    (tensor([1, 2, 3]), tensor([1, 1, 2]))
    """
    return _runs("unique", in_order, x, return_inverse, return_counts, dim)


def unique_consecutive(x: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """The first of each run of equals; with a flag also each element's run, and the length of each.

    Args:
        x: the tensor.
        return_inverse, return_counts: return these too.
        dim: runs of equal slices along this axis.

    >>> import adjoint as ad
    >>> ad.unique_consecutive(ad.tensor([1, 1, 2, 1]), return_counts=True)
    (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    return _runs("unique_consecutive", as_they_stand, x, return_inverse, return_counts, dim)


def _runs(name: str, order_of: Any, x: Tensor, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    """The first of each run of equals in the order that ``order_of`` gives, each element's run, and how long each is."""
    x = x.detach()
    along = None if dim is None else cut_along(name, x, dim)
    slices = shapes.reshape(x, shape=(-1,)) if along is None else movedim(x, along, 0)
    n = slices.shape[0]
    rows = flatten(slices, 1) if slices.ndim > 1 else slices
    order = order_of(rows)
    new = firsts(rows, order)
    values = getitem(getitem(slices, order), new)
    results = [values if along is None else movedim(values, 0, along)]
    if return_inverse:
        results.append(shapes.reshape(index_put(order, order, cumsum(new, 0) - 1), shape=x.shape if along is None else (n,)))
    if return_counts:
        starts = sorting.argwhere(new)
        ends = concat([squeeze(starts, 1), full((1,), n, dtype=dtypes.int64, device=x.backend)])
        results.append(ends[1:] - ends[:-1])
    return results[0] if len(results) == 1 else tuple(results)


def isin(elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each element is among the test elements; NaN never is.

    Args:
        elements, test_elements: tensors or numbers.
        assume_unique: ignored; for PyTorch's signature.
        invert: whether each is not.
    """
    elements, tests = as_input("isin", elements), as_input("isin", test_elements)
    if type(tests) in NUMBERS:
        result = elements == tests
    elif type(elements) in NUMBERS:
        result = any(tests == elements)
    elif not tests.numel():
        result = e.less(elements, elements)
    else:
        tests = sort(shapes.reshape(tests, shape=(-1,))).values
        at = e.minimum(searchsorted(tests, elements), tests.shape[0] - 1)
        result = getitem(tests, at) == elements
    return e.logical_not(result) if invert else result


publish(globals())
