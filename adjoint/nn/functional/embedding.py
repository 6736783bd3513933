"""Rows of a table looked up by index, one by one or reduced by bags, as functions."""

from __future__ import annotations

from itertools import pairwise

from ...autograd import Tensor, functions as f, no_grad
from ...autograd.arguments import reads_numbers
from ...autograd.creation import arange, tensor
from ...autograd.functions.indexing import check_range
from ...autograd.precision import wide_inside
from ...autograd.rules import indexing

__all__ = ["embedding", "embedding_bag"]


@reads_numbers
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Tensor:
    """weight[input]: the rows of a table by their indices.

    Args:
        input: row indices from 0 to V - 1: integers of any shape (…).
        weight: the table, (V, D).
        padding_idx: a row that gets no gradient; negative counts from the end.
        max_norm: rows looked up are first scaled down to this norm, in ``weight`` itself and without recording it.
        norm_type: the order of that norm.
        scale_grad_by_freq: whether to divide a row's gradient by the number of its look-ups.

    Returns (…, D).

    Raises:
        IndexError: an index is not a row.
        TypeError: the input is not integers.
        ValueError: ``padding_idx`` is not a row.

    PyTorch's ``sparse`` gradients are not offered.
    """
    padding_idx = _check("embedding", input, weight, padding_idx)
    if max_norm is not None:
        _limit(weight, input, max_norm, norm_type)
    index = input._array
    rows = indexing.getitem(weight, index=index)
    if padding_idx is not None:
        rows = f.where(f.unsqueeze(input == padding_idx, -1), rows.detach(), rows)
    if scale_grad_by_freq:
        xp = input.backend.xp
        counts = xp.scatter_add(xp.ones(input.shape, dtype=xp.int64), index, weight.shape[:1])
        scale = f.reciprocal(Tensor(xp.getitem(counts, index), input.backend).double()).to(rows.dtype)
        rows = rows.detach() + (rows - rows.detach()) * f.unsqueeze(scale, -1)  # scales the gradient alone
    return rows


def row_of(name: str, padding_idx: int | None, rows: int) -> int | None:
    """``padding_idx`` counted from the start. Raises ``ValueError`` if it is not one of the ``rows``."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"{name}: padding_idx must be from {-rows} to {rows - 1}, not {padding_idx}: the table has {rows} rows")
    return padding_idx % rows


def _check(name: str, input: Tensor, weight: Tensor, padding_idx: int | None) -> int | None:
    """Raise unless the arguments match; returns ``padding_idx`` counted from the start."""
    if input.dtype.kind not in ("int", "uint"):
        raise TypeError(f"{name}: the input is {input.dtype}; row indices must be integers, convert it with .long()")
    if weight.ndim != 2:
        raise ValueError(f"{name}: the weight has shape {weight.shape}; it must be (rows, columns)")
    if input.backend is not weight.backend:
        raise f.backends_differ(weight, input)
    check_range(name, input, weight.shape[0])
    return row_of(name, padding_idx, weight.shape[0])


def _limit(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that ``input`` looks up down to a norm of ``max_norm``, in place."""
    with no_grad():
        index = input.reshape(-1)
        rows = weight[index]
        norms = f.norm(rows, norm_type, 1, keepdim=True)
        weight[index] = rows * f.where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)


@reads_numbers
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    *,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum over each bag of rows of a table.

    Args:
        input: row indices: one bag in each row of (B, N), or all bags concatenated, (N,).
        weight: the table, (V, D).
        offsets: where each bag of a vector starts, (B,), the first at 0; with ``include_last_offset`` also where the last one ends.
        max_norm: rows looked up are first scaled down to this norm, in ``weight`` itself and without recording it.
        norm_type: the order of that norm.
        scale_grad_by_freq: whether to divide a row's gradient by the number of its look-ups.
        mode: ``"sum"``, ``"mean"`` or ``"max"``. An empty bag gives 0.
        per_sample_weights: factors of the rows, of the input's shape; with ``"sum"`` only.
        include_last_offset: whether ``offsets`` ends with the end of the last bag.
        padding_idx: a row that does not count.

    Returns (B, D). Raises :func:`embedding`'s errors, and ``ValueError`` on arguments that do not match.
    """
    name = "embedding_bag"
    padding_idx = _check(name, input, weight, padding_idx)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{name}: mode must be 'sum', 'mean' or 'max', not {mode!r}")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        raise ValueError(f"{name}: per_sample_weights need mode='sum' and the input's shape {input.shape}")
    if (input.ndim, offsets is None) not in ((2, True), (1, False)):
        raise ValueError(
            f"{name}: the input has shape {input.shape} and offsets are {'not ' if offsets is None else ''}given; "
            "it must be (B, N) without offsets, or (N,) with offsets"
        )
    rows = embedding(input, weight, None, max_norm, norm_type, scale_grad_by_freq)
    if per_sample_weights is not None:
        rows = rows * f.unsqueeze(per_sample_weights, -1)
    counted = input != (-1 if padding_idx is None else padding_idx)
    if offsets is not None:
        positions, in_bag = _positions(name, offsets, input.numel(), include_last_offset)
        rows, counted = rows[positions], counted[positions] & in_bag
    return _reduce_bags(rows, f.unsqueeze(counted, -1), mode)


@wide_inside
def _reduce_bags(rows: Tensor, counted: Tensor, mode: str) -> Tensor:
    """Reduce each bag's counted rows, axis 1, to one."""
    if mode == "max" and counted.numel():
        return f.where(f.any(counted, 1), f.max(f.where(counted, rows, float("-inf")), 1).values, 0.0)
    total = f.sum(f.where(counted, rows, 0.0), 1)
    return total if mode != "mean" else total / f.clamp_min(f.sum(counted, 1), 1).to(total.dtype)


def _positions(name: str, offsets: Tensor, n: int, include_last_offset: bool) -> tuple[Tensor, Tensor]:
    """The positions of each bag's elements among the ``n`` of all bags, (B, longest bag), and which of them are in the bag."""
    bounds = offsets.tolist() + ([] if include_last_offset else [n])
    if not offsets.numel() or bounds[0] != 0 or bounds != sorted(bounds) or bounds[-1] > n:
        raise ValueError(f"{name}: offsets must increase from 0 to at most the input's length {n}, and they are {offsets.tolist()}")
    edges = tensor(bounds, device=offsets.backend)
    starts, lengths = f.unsqueeze(edges[:-1], 1), f.unsqueeze(edges[1:] - edges[:-1], 1)
    step = arange(max([b - a for a, b in pairwise(bounds)], default=0), device=offsets.backend)
    in_bag = step < lengths
    return f.where(in_bag, starts + step, 0), in_bag
