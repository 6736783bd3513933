"""Diagonals: reading them, writing them and what is built on them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from ..arguments import axis_of, reads_numbers
from ..creation import zeros
from ..rules import indexing, shapes
from .reductions import sum
from .shapes import sum_of

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "trace",
]  # fmt: skip


def _moved_last(name: str, ndim: int, dim1: int, dim2: int) -> tuple[int, ...]:
    a, b = axis_of(name, dim1, ndim, "dim1"), axis_of(name, dim2, ndim, "dim2")
    if a == b:
        raise ValueError(f"{name}: a diagonal lies between two axes, and dim1 = {dim1} and dim2 = {dim2} are the same")
    return (*(i for i in range(ndim) if i not in (a, b)), a, b)


@reads_numbers
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of matrices, as the last axis: a view, which can be written to.

    Args:
        x: the tensor.
        offset: how far above the main diagonal.
        dim1, dim2: the axes of the matrices.
    """
    return indexing.diagonal(shapes.permute_dims(x, axes=_moved_last("diagonal", x.ndim, dim1, dim2)), offset=offset)


@reads_numbers
def diagonal_scatter(x: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of ``x`` with ``src`` on a :func:`diagonal`.

    Args:
        x: the tensor.
        src: in the shape of the diagonal; raises ``ValueError`` on another.
        offset, dim1, dim2: as for :func:`diagonal`.
    """
    order = _moved_last("diagonal_scatter", x.ndim, dim1, dim2)
    rows = shapes.permute_dims(x, axes=order)
    m, n = rows.shape[-2:]
    flat = shapes.reshape(rows, shape=(*rows.shape[:-2], m * n))
    index = (..., indexing.flat_diagonal(m, n, offset))
    if flat[index].shape != src.shape:
        raise ValueError(f"diagonal_scatter: the diagonal has shape {flat[index].shape} and src {src.shape}; they must agree")
    filled = shapes.reshape(indexing.index_put(flat, src, index=index), shape=rows.shape)
    return shapes.permute_dims(filled, axes=shapes.inverse_permutation(order))


@reads_numbers
def diag_embed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last axis of ``x`` on a diagonal and zeros elsewhere.

    Args:
        x: (..., n); raises ``ValueError`` on a 0-d tensor.
        offset: how far above the main diagonal.
        dim1, dim2: the new axes of the matrices.
    """
    if not x.ndim:
        raise ValueError("diag_embed: takes at least 1 axis, not a 0-d tensor")
    n = x.shape[-1] + abs(offset)
    order = _moved_last("diag_embed", x.ndim + 1, dim1, dim2)
    flat = zeros(*x.shape[:-1], n * n, dtype=x.dtype, device=x.backend)
    filled = indexing.index_put(flat, x, index=(..., indexing.flat_diagonal(n, n, offset)))
    return shapes.permute_dims(shapes.reshape(filled, shape=(*x.shape[:-1], n, n)), axes=shapes.inverse_permutation(order))


@reads_numbers
def diag(x: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix, ``diagonal`` above the main one; of a vector, the matrix with it.

    Raises ``ValueError`` on more axes.
    """
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: takes a vector or a matrix, not shape {x.shape}")
    return diag_embed(x, diagonal) if x.ndim == 1 else _diagonal(x, diagonal)


_diagonal = diagonal  # the name of an argument of diag


@reads_numbers
def diagflat(x: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of ``x`` on the diagonal ``offset`` above the main one."""
    return diag_embed(shapes.reshape(x, shape=(-1,)), offset)


def trace(x: Tensor) -> Tensor:
    """The sum of a matrix's diagonal. Raises ``ValueError`` unless ``x`` is a matrix."""
    if x.ndim != 2:
        raise ValueError(f"trace: takes a matrix, not shape {x.shape}")
    return sum(diagonal(x))


@reads_numbers
def fill_diagonal(x: Tensor, value: float, wrap: bool = False) -> Tensor:
    """``x`` with ``value`` where all indices are equal; with ``wrap``, a tall matrix's diagonal starts again below its end."""
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise ValueError(f"fill_diagonal_: takes a matrix, or more axes of one length, not shape {x.shape}")
    step = sum_of([prod(x.shape[i + 1 :]) for i in range(x.ndim)])
    stop = x.numel() if wrap or x.ndim > 2 else min(x.numel(), x.shape[1] * x.shape[1])
    flat = indexing.index_put(shapes.reshape(x, shape=(-1,)), value, index=slice(0, stop, step))
    return shapes.reshape(flat, shape=x.shape)
