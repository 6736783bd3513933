"""Diagonals, what is built on them, and the few products and turns of axes beside them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from ..arguments import axis_of, cut_along, reads_numbers
from ..rules import elementwise as e
from ..rules import indexing, shapes
from .elementwise import pow
from .reductions import sum
from .shapes import flip, roll, sum_of, transpose, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor


def _moved_last(name: str, ndim: int, dim1: int, dim2: int) -> tuple[int, ...]:
    a, b = axis_of(name, dim1, ndim, "dim1"), axis_of(name, dim2, ndim, "dim2")
    if a == b:
        raise ValueError(f"{name}: a diagonal lies between two axes, and dim1 = {dim1} and dim2 = {dim2} are the same")
    return (*(i for i in range(ndim) if i not in (a, b)), a, b)


@reads_numbers
def diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the matrices that axes ``dim1`` and ``dim2`` span, as the last axis; ``offset`` above the main one.

    It is a view, which can be written to.
    """
    return indexing.diagonal(shapes.permute_dims(x, axes=_moved_last("diagonal", x.ndim, dim1, dim2)), offset=offset)


@reads_numbers
def diagonal_scatter(x: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of ``x`` with ``src`` on that :func:`diagonal`."""
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
    """Matrices, between the new axes ``dim1`` and ``dim2``, with the last axis of ``x`` on a diagonal and zeros elsewhere."""
    from ..creation import zeros

    if not x.ndim:
        raise ValueError("diag_embed: takes at least 1 axis, not a 0-d tensor")
    n = x.shape[-1] + abs(offset)
    order = _moved_last("diag_embed", x.ndim + 1, dim1, dim2)
    flat = zeros(*x.shape[:-1], n * n, dtype=x.dtype, device=x.backend)
    filled = indexing.index_put(flat, x, index=(..., indexing.flat_diagonal(n, n, offset)))
    return shapes.permute_dims(shapes.reshape(filled, shape=(*x.shape[:-1], n, n)), axes=shapes.inverse_permutation(order))


@reads_numbers
def diag(x: Tensor, diagonal: int = 0) -> Tensor:
    """The diagonal of a matrix; of a vector, the matrix that has it on the diagonal."""
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: takes a vector or a matrix, not shape {x.shape}")
    return diag_embed(x, diagonal) if x.ndim == 1 else _diagonal(x, diagonal)


_diagonal = diagonal  # the name of an argument of diag


@reads_numbers
def diagflat(x: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of ``x`` on a diagonal."""
    return diag_embed(shapes.reshape(x, shape=(-1,)), offset)


def trace(x: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if x.ndim != 2:
        raise ValueError(f"trace: takes a matrix, not shape {x.shape}")
    return sum(diagonal(x))


def adjoint(x: Tensor) -> Tensor:
    """The conjugate transpose of the last two axes; of real numbers, the transpose."""
    return transpose(x, -2, -1)


@reads_numbers
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers N - 1 to 0 of each element of a vector in a row, or with ``increasing`` 0 to N - 1; N is its length where None."""
    from ..creation import arange

    if x.ndim != 1:
        raise ValueError(f"vander: takes a vector, not shape {x.shape}")
    exponents = arange(x.shape[0] if N is None else N, device=x.backend)
    return pow(unsqueeze(x, -1), exponents if increasing else flip(exponents, 0))


def cross(x: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of three elements along ``dim``; where None, the first axis of that length."""
    if x.ndim != other.ndim:
        raise ValueError(f"cross: shapes {x.shape} and {other.shape} have different numbers of axes")
    if dim is None:
        dim = next((i for i, n in enumerate(x.shape) if n == 3), 0)
    along = cut_along("cross", x, dim)
    if x.shape[along] != 3 or other.shape[along] != 3:
        raise ValueError(f"cross: axis {dim} of shapes {x.shape} and {other.shape} has three elements in both")
    ahead, behind = ([roll(y, shift, along) for y in (x, other)] for shift in (-1, 1))
    return e.multiply(ahead[0], behind[1]) - e.multiply(behind[0], ahead[1])


def fliplr(x: Tensor) -> Tensor:
    """The second axis reversed."""
    if x.ndim < 2:
        raise ValueError(f"fliplr: takes at least 2 axes, not shape {x.shape}")
    return flip(x, 1)


def flipud(x: Tensor) -> Tensor:
    """The first axis reversed."""
    if x.ndim < 1:
        raise ValueError("flipud: takes at least 1 axis, not a 0-d tensor")
    return flip(x, 0)


@reads_numbers
def rot90(x: Tensor, k: int = 1, dims: Any = (0, 1)) -> Tensor:
    """Turned ``k`` times by 90 degrees in the plane of two axes, from the first to the second."""
    if x.ndim < 2:
        raise ValueError(f"rot90: takes at least 2 axes, not shape {x.shape}")
    a, b = (axis_of("rot90", i, x.ndim, "dims") for i in dims)
    if a == b:
        raise ValueError(f"rot90: dims {tuple(dims)} must be two different axes")
    if k % 4 == 2:
        return flip(x, (a, b))
    if k % 2:
        return transpose(flip(x, b), a, b) if k % 4 == 1 else flip(transpose(x, a, b), b)
    return x.clone()


@reads_numbers
def fill_diagonal(x: Tensor, value: float, wrap: bool = False) -> Tensor:
    """``x`` with ``value`` where all indices are equal; with ``wrap``, a tall matrix's diagonal starts again below its end."""
    if x.ndim < 2 or (x.ndim > 2 and len(set(x.shape)) > 1):
        raise ValueError(f"fill_diagonal_: takes a matrix, or more axes of one length, not shape {x.shape}")
    step = sum_of([prod(x.shape[i + 1 :]) for i in range(x.ndim)])
    stop = x.numel() if wrap or x.ndim > 2 else min(x.numel(), x.shape[1] * x.shape[1])
    flat = indexing.index_put(shapes.reshape(x, shape=(-1,)), value, index=slice(0, stop, step))
    return shapes.reshape(flat, shape=x.shape)
