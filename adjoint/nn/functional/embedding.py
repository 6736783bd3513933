"""Class numbers as vectors, one-hot or looked up in a table, and the bilinear map, as functions."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from ...autograd import Tensor, no_grad
from ...autograd import functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.creation import arange, tensor
from ...autograd.functions.indexing import check_range, ends
from ...autograd.precision import wide_inside
from ...autograd.rules import indexing


@reads_numbers
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at each class number and 0 elsewhere, int64, along a new last axis of ``num_classes`` (the largest number + 1).

    Raises ``TypeError`` where the numbers are no integers, ``ValueError`` where one is negative or too large for ``num_classes``.

    >>> import adjoint as ad
    >>> one_hot(ad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype.kind not in ("int", "uint"):
        raise TypeError(f"one_hot: takes class numbers, which are integers, not {tensor.dtype}")
    if tensor.numel() == 0:
        if num_classes < 1:
            raise ValueError("one_hot: there are no class numbers to tell how many classes there are; give num_classes")
    else:
        num_classes = tensor.max().item() + 1 if num_classes == -1 else num_classes
        if not tensor.backend.truth(tensor.backend.xp.are_indices(tensor._array, num_classes)):
            low, high = ends(tensor)
            raise ValueError(f"one_hot: a class number is from 0 to {num_classes - 1}, and there is {low if low < 0 else high}")
    return (tensor.unsqueeze(-1) == arange(num_classes, dtype=tensor.dtype, device=tensor.backend)).long()


@reads_numbers
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
) -> Tensor:
    """The rows of ``weight`` (V, D) that ``input`` names: integers of any shape (…) to (…, D).

    Args:
        input: row numbers from 0 to V - 1.
        weight: the table.
        padding_idx: a row that gets no gradient; a negative one counts from the end.
        max_norm: rows that are looked up are first scaled down to this norm, in ``weight`` itself, unseen by the graph.
        norm_type: the order of that norm.
        scale_grad_by_freq: divide a row's gradient by how often it is looked up.

    Raises ``IndexError`` on a row that is not there, ``TypeError`` on an input that is not of integers, ``ValueError`` on a
    ``padding_idx`` that is not there. PyTorch's ``sparse`` gradients are not offered.
    """
    padding_idx = _checked("embedding", input, weight, padding_idx)
    if max_norm is not None:
        _limit(weight, input, max_norm, norm_type)
    index = input._array
    picked = indexing.getitem(weight, index=index)
    if padding_idx is not None:
        picked = f.where(f.unsqueeze(input == padding_idx, -1), picked.detach(), picked)
    if scale_grad_by_freq:
        xp = input.backend.xp
        times = xp.scatter_add(xp.ones(input.shape, dtype=xp.int64), index, weight.shape[:1])
        often = f.reciprocal(Tensor(xp.getitem(times, index), input.backend).double()).to(picked.dtype)
        picked = picked.detach() + (picked - picked.detach()) * f.unsqueeze(often, -1)  # its value, and a part of its slope
    return picked


def row_of(name: str, padding_idx: int | None, rows: int) -> int | None:
    """``padding_idx`` counted from the start. Raises ``ValueError`` where it is none of the ``rows``."""
    if padding_idx is None:
        return None
    if not -rows <= padding_idx < rows:
        raise ValueError(f"{name}: padding_idx is {padding_idx}, and the table has {rows} rows")
    return padding_idx % rows


def _checked(name: str, input: Tensor, weight: Tensor, padding_idx: int | None) -> int | None:
    """The row of ``padding_idx`` counted from the start, once everything else has been found to fit."""
    if input.dtype.kind not in ("int", "uint"):
        raise TypeError(f"{name}: the input is {input.dtype}; row numbers are integers, convert it with .long()")
    if weight.ndim != 2:
        raise ValueError(f"{name}: the weight has shape {weight.shape}; it must be (rows, columns)")
    if input.backend is not weight.backend:
        raise f.backends_differ(weight, input)
    check_range(name, input, weight.shape[0])
    return row_of(name, padding_idx, weight.shape[0])


def _limit(weight: Tensor, input: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that ``input`` names down to a norm of ``max_norm``, in place."""
    with no_grad():
        rows = input.reshape(-1)  # what is there twice is written twice, and the same
        found = weight[rows]
        norms = f.norm(found, norm_type, 1, keepdim=True)
        weight[rows] = found * f.where(norms > max_norm, max_norm / (norms + 1e-7), 1.0)


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
    """The sum, mean or largest of each bag's rows of ``weight`` (V, D): to (B, D).

    Args:
        input: row numbers, one bag in each row of (B, N), or all bags one after another as (N,).
        weight: the table.
        offsets: where each bag of a vector starts, (B,) from 0 on; with ``include_last_offset`` also where the last one ends.
        mode: ``"sum"``, ``"mean"`` or ``"max"``. An empty bag gives 0.
        per_sample_weights: what each row is multiplied by, in the input's shape; with ``"sum"`` only.
        padding_idx: a row that counts nothing.

    The others are :func:`embedding`'s, and so are the errors; ``ValueError`` where the arguments do not fit each other.
    """
    name = "embedding_bag"
    padding_idx = _checked(name, input, weight, padding_idx)
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"{name}: mode is 'sum', 'mean' or 'max', not {mode!r}")
    if per_sample_weights is not None and (mode != "sum" or per_sample_weights.shape != input.shape):
        raise ValueError(f"{name}: per_sample_weights are for mode='sum', in the input's shape {input.shape}")
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
        place, inside = _places(name, offsets, input.numel(), include_last_offset)
        rows, counted = rows[place], counted[place] & inside
    return _pooled(rows, f.unsqueeze(counted, -1), mode)


@wide_inside
def _pooled(rows: Tensor, some: Tensor, mode: str) -> Tensor:
    """The rows of each bag, axis 1, that count, as one."""
    if mode == "max" and some.numel():
        return f.where(f.any(some, 1), f.max(f.where(some, rows, float("-inf")), 1).values, 0.0)
    total = f.sum(f.where(some, rows, 0.0), 1)
    return total if mode != "mean" else total / f.clamp_min(f.sum(some, 1), 1).to(total.dtype)


def _places(name: str, offsets: Tensor, n: int, include_last_offset: bool) -> tuple[Tensor, Tensor]:
    """For bags that lie one after another among ``n`` elements: where each one's are, (B, longest), and which of these count."""
    bounds = offsets.tolist() + ([] if include_last_offset else [n])
    if not offsets.numel() or bounds[0] != 0 or bounds != sorted(bounds) or bounds[-1] > n:
        raise ValueError(f"{name}: the offsets {offsets.tolist()} must go up from 0 to at most the input's length {n}")
    edges = tensor(bounds, device=offsets.backend)
    starts, lengths = f.unsqueeze(edges[:-1], 1), f.unsqueeze(edges[1:] - edges[:-1], 1)
    step = arange(max([b - a for a, b in pairwise(bounds)], default=0), device=offsets.backend)
    counted = step < lengths
    return f.where(counted, starts + step, 0), counted


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1^T weight_k input2 + bias_k for each k: (…, in1), (…, in2), (out, in1, in2), (out,) to (…, out).

    Raises ``ValueError`` where the shapes do not fit.
    """
    if weight.ndim != 3 or (*input1.shape[:-1], *weight.shape[1:]) != (*input2.shape[:-1], *input1.shape[-1:], *input2.shape[-1:]):
        raise ValueError(
            f"bilinear: shapes {input1.shape} and {input2.shape} do not fit the weight's {weight.shape}; they must be (…, in1), "
            "(…, in2) and (out, in1, in2)"
        )
    out, first, second = weight.shape
    lead = input1.shape[:-1]
    n = prod(lead)
    left = f.reshape(input1, n, first) @ f.reshape(f.movedim(weight, 0, 1), first, out * second)
    product = f.reshape(left, n, out, second) @ f.reshape(input2, n, second, 1)
    result = f.reshape(product, *lead, out)
    return result if bias is None else result + bias
