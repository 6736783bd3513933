"""Counting: how often numbers occur, and all the ways to choose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...backends import dtypes
from ..arguments import axis_of, reads_numbers
from ..rules import shapes
from .indexing import getitem
from .joining import meshgrid
from .reductions import any, cumsum
from .scattering import index_add
from .shapes import concat, flatten, movedim, stack

if TYPE_CHECKING:
    from ..tensor import Tensor


@reads_numbers
def bincount(x: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 to the largest occurs in the vector ``x``, or the sum of its ``weights``.

    Counts are int64; sums float32 of such weights, else float64. With ``minlength``, numbers up to it are counted at least.

    Raises ``TypeError`` where ``x`` is not of whole numbers, and ``ValueError`` where it is not a vector, has negative numbers,
    or ``weights`` is of another shape.

    >>> import adjoint as ad
    >>> ad.bincount(ad.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
    """
    from ..creation import ones, zeros

    if x.dtype.kind not in ("int", "uint"):
        raise TypeError(f"bincount: counts whole numbers, not {x.dtype}")
    if x.ndim != 1 or (weights is not None and weights.shape != x.shape):
        given = "" if weights is None else f" and weights of shape {weights.shape}"
        raise ValueError(f"bincount: takes a vector, and weights like it, not one of shape {x.shape}{given}")
    if minlength < 0:
        raise ValueError(f"bincount: minlength is a length, from 0, not {minlength}")
    places = x.to(dtypes.int64)
    if places.numel() and int(places.min()) < 0:
        raise ValueError(f"bincount: counts numbers from 0, and the least is {int(places.min())}")
    length = max(int(places.max()) + 1 if places.numel() else 0, minlength)
    if weights is None:
        each = ones(x.shape, dtype=dtypes.int64, device=x.backend)
    else:
        each = weights if weights.dtype is dtypes.float32 else weights.to(dtypes.float64)
    return index_add(zeros(length, dtype=each.dtype, device=x.backend), 0, places, each)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """All the ways to choose an element of each vector, a row each, the last changing fastest; of one vector, itself.

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
