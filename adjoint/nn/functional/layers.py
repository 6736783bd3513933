"""The linear layer, and distances and lengths of vectors, as functions."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import axes_of, integer, reads_numbers, reduced_of
from ...autograd.precision import wide_inside
from ...autograd.rules import linalg


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input weight^T + bias: (..., in), (out, in), (out,) to (..., out).

    Raises ``ValueError`` where the input's last axis is not of length in.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"linear: the input is a {type(input).__name__}; it takes tensors, ad.tensor(…) makes one")
    shape, of_weight = input._array.shape, weight._array.shape
    if not shape or shape[-1] != of_weight[-1]:
        raise ValueError(
            f"linear: the input has shape {shape} and the weight {of_weight} (out_features, in_features); the input's last axis "
            f"must have in_features={of_weight[-1]} elements"
        )
    return f.matmul(input, weight.mT) if bias is None else linalg.linear.call(input, weight, bias)


@reads_numbers
@wide_inside
def normalize(input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] | None = 1, eps: float = 1e-12) -> Tensor:
    """x / max(norm of x, ``eps``), the p-norm along ``dim``."""
    return input * f.reciprocal(f.clamp_min(f.norm(input, p, reduced_of("normalize", input, dim, None), keepdim=True), eps))


@reads_numbers
@wide_inside
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 x2 / (max(length of x1, ``eps``) max(length of x2, ``eps``)) along ``dim``: the cosine of the angle between the two."""
    if x1.shape != x2.shape:
        x1, x2 = f.broadcast_tensors(x1, x2)
    along = axes_of("cosine_similarity", x1, integer("cosine_similarity", "dim", dim), None)
    first, second = (x * f.reciprocal(f.clamp_min(f.norm(x, 2, along, keepdim=True), eps)) for x in (x1, x2))
    return f.sum(first * second, along)


@reads_numbers
@wide_inside
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + ``eps`` along the last axis: (N, D) and (N, D) to (N,)."""
    return f.norm(x1 - x2 + eps, p, -1, keepdim)
