"""Lengths of vectors, and distances and angles between them, as functions."""

from __future__ import annotations

from ...autograd import Tensor, functions as f
from ...autograd.arguments import axes_of, integer, reads_numbers, reduced_of
from ...autograd.precision import wide_inside

__all__ = ["cosine_similarity", "normalize", "pairwise_distance"]


@reads_numbers
@wide_inside
def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] | None = 1, eps: float = 1e-12) -> Tensor:
    """x / max(norm of x, ``eps``), with the p-norm along ``dim``.

    Args:
        input: x, of any shape.
        p: the norm's order.
        dim: the axis or axes of the vectors; all if None.
        eps: the least norm to divide by.

    Returns a tensor of the input's shape.
    """
    return input * f.reciprocal(f.clamp_min(f.norm(input, p, reduced_of("normalize", input, dim, None), keepdim=True), eps))


@reads_numbers
@wide_inside
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """sum(x1 x2) / (max(length of x1, ``eps``) max(length of x2, ``eps``)) along ``dim``: the cosine of the angle.

    Args:
        x1, x2: tensors whose shapes broadcast.
        dim: the axis of the vectors.
        eps: the least length to divide by.

    Returns the broadcast shape without ``dim``.
    """
    if x1.shape != x2.shape:
        x1, x2 = f.broadcast_tensors(x1, x2)
    along = axes_of("cosine_similarity", x1, integer("cosine_similarity", "dim", dim), None)
    first, second = (x * f.reciprocal(f.clamp_min(f.norm(x, 2, along, keepdim=True), eps)) for x in (x1, x2))
    return f.sum(first * second, along)


@reads_numbers
@wide_inside
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + ``eps`` along the last axis.

    Args:
        x1, x2: (N, D), or shapes that broadcast.
        p: the norm's order.
        eps: added to each difference, so that the gradient of equal vectors is finite.
        keepdim: whether to keep the last axis, with length 1.

    Returns (N,), or (N, 1) with ``keepdim``.
    """
    return f.norm(x1 - x2 + eps, p, -1, keepdim)
