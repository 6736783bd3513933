"""Norms of vectors and matrices, and ``torch.linalg``'s forms of products and parts, which take axes by keyword."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...arguments import Dims, axes_of, axis_of, floating, integer, nonempty, publish, reads_numbers, reduced_of
from ...creation import arange
from ...precision import wide_inside
from ...rules import elementwise as e, reductions, shapes
from .. import diagonals
from ..elementwise import cast, pow, where
from ..reductions import amax, amin, p_norm, sum
from ..shapes import movedim
from . import products
from .decompositions import matrices, svdvals
from .systems import identity_like, inv, slogdet

if TYPE_CHECKING:
    from ...tensor import Tensor

__all__ = [
    "cond", "cross", "diagonal", "matrix_norm", "norm", "vander", "vecdot", "vector_norm",
]  # fmt: skip


@reads_numbers
def vector_norm(x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """:func:`adjoint.norm` of floating-point numbers: (sum of abs(x)^ord)^(1/ord) over ``dim``, computed in ``dtype``."""
    x = floating("vector_norm", x if dtype is None else cast(x, dtype))
    axes = reduced_of("vector_norm", x, dim, None)
    if ord in (float("inf"), float("-inf")):
        nonempty("vector_norm", x, axes)
    return p_norm(x, ord, axes, keepdim)


@reads_numbers
@wide_inside
def matrix_norm(
    A: Tensor, ord: float | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """A norm of the matrices in the two axes ``dim``.

    Args:
        A: (..., m, n), floating-point.
        ord: ``"fro"``, the root of the sum of squares; ``"nuc"``, the sum of the singular values; 2 and -2, the largest and
            the smallest of these; inf and -inf, the largest and the smallest sum of absolute values of a row; 1 and -1,
            of a column.
        dim: the two axes.

    Equal extremes share the gradient. Raises ``ValueError`` on another ``ord``, or where ``dim`` names one axis twice.
    """
    A = floating("matrix_norm", A if dtype is None else cast(A, dtype))
    rows, columns = (axis_of("matrix_norm", i, A.ndim) for i in dim)
    if rows == columns:
        raise ValueError(f"matrix_norm: a matrix has two axes, and dim = {tuple(dim)} names one")
    if ord == "fro" or (ord in ("nuc", 1, 2, float("inf")) and not A.shape[rows] * A.shape[columns]):  # of no elements, 0
        return p_norm(A, 2, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        s = svdvals(movedim(A, (rows, columns), (-2, -1)))
        total = sum(s, -1) if ord == "nuc" else amax(s, -1) if ord == 2 else amin(s, -1)
    elif ord in (1, -1, float("inf"), -float("inf")):
        along, across = (rows, columns) if ord in (1, -1) else (columns, rows)
        sums = sum(e.abs(A), along, keepdim=True)
        total = shapes.squeeze((amax if float(ord) > 0 else amin)(sums, across, keepdim=True), axis=(along, across))
    else:
        raise ValueError(f"matrix_norm: ord is 'fro', 'nuc', inf, -inf, 1, -1, 2 or -2, not {ord!r}")
    shape = tuple(1 if i in (rows, columns) else n for i, n in enumerate(A.shape))
    return shapes.reshape(total, shape=shape) if keepdim else total


def norm(A: Tensor, ord: Any = None, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """:func:`matrix_norm` over two axes, :func:`vector_norm` over one, or over any where ``ord`` is None (the 2-norm).

    Raises ``ValueError`` where ``dim`` does not fit ``ord``.
    """
    axes = axes_of("norm", A, dim, None)
    if axes == ():
        raise ValueError("norm: dim is one axis, two, or None for all, not ()")
    if ord is None:
        return vector_norm(A, 2, axes, keepdim, dtype=dtype)
    if axes is None and A.ndim > 2:
        raise ValueError(f"norm: of order {ord} of a vector or a matrix, not of shape {A.shape}; say along which axes with dim")
    axes = tuple(range(A.ndim)) if axes is None else (axes,) if isinstance(axes, int) else axes
    if len(axes) == 2:
        return matrix_norm(A, ord, axes, keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise ValueError(f"norm: of order {ord!r} over two axes, not {len(axes)}")
    return vector_norm(A, ord, axes, keepdim, dtype=dtype)


@reads_numbers
def cond(A: Tensor, p: float | str | None = None) -> Tensor:
    """How much larger an error in b is relative to the solution of A x = b: norm(A) norm(A^-1) in the norm ``p``.

    With None and 2 the largest singular value over the smallest, with -2 the inverse of this, for matrices of any shape; else
    the matrices are square, and inf stands for singular ones.
    """
    A = matrices("cond", A, square=p not in (None, 2, -2))
    if p in (None, 2, -2):
        s = svdvals(A)
        largest, smallest = amax(s, -1), amin(s, -1)
        return smallest / largest if p == -2 else largest / smallest
    singular = slogdet(A.detach()).sign == 0
    regular = where(singular[..., None, None], identity_like(A), A)
    return where(singular, float("inf"), matrix_norm(A, p) * matrix_norm(inv(regular), p))


# --- products and parts ------------------------------------------------------------------------------------------------------


@wide_inside
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of the products of the elements of ``x`` and ``y`` along ``dim``, other axes broadcast."""
    products = e.multiply(x, y)
    return reductions.sum(products, axis=axes_of("vecdot", products, integer("vecdot", "dim", dim), None))


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross product of vectors of three elements along ``dim``, other axes broadcast."""
    return products.cross(input, other, integer("cross", "dim", dim))


@reads_numbers
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """:func:`adjoint.diagonal` of the matrices in the last two axes.

    Args:
        A: (..., m, n).
        offset: how far above the main diagonal.
        dim1, dim2: the axes of the matrices.
    """
    return diagonals.diagonal(A, offset, dim1, dim2)


@reads_numbers
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers 0 to N - 1 of each element, along a new last axis; N is the length of the last where None.

    Raises ``ValueError`` on a 0-d tensor.
    """
    if not x.ndim:
        raise ValueError("vander: takes at least 1 axis, not a 0-d tensor")
    return pow(shapes.expand_dims(x, axis=-1), arange(x.shape[-1] if N is None else N, device=x.backend))


publish(globals())
