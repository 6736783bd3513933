"""Products of matrices and vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..primitive import as_input
from ..rules import elementwise as e
from ..rules import linalg, reductions, shapes

if TYPE_CHECKING:
    from ..tensor import Tensor


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product, as ``@``: vectors with vectors give a number, matrices may have batch axes that broadcast.

    Raises ``ValueError`` where the inner lengths differ or one of the two is 0-d.

    >>> import adjoint as ad
    >>> ad.matmul(ad.ones(2, 3), ad.ones(3))
    tensor([3., 3.])
    """
    x, y = as_input("matmul", x), as_input("matmul", y)
    shape_x, shape_y = getattr(x, "shape", ()), getattr(y, "shape", ())
    if not shape_x or not shape_y:
        raise ValueError(f"matmul: shapes {shape_x} and {shape_y}: both need at least one axis; use * to scale")
    columns, rows = shape_x[-1], shape_y[-2 if len(shape_y) > 1 else 0]
    if columns != rows:
        raise ValueError(f"matmul: shapes {shape_x} and {shape_y} do not match: {columns} columns against {rows} rows")
    if len(shape_x) > 1 and len(shape_y) > 1:
        return linalg.matmul(x, y)
    if len(shape_x) == 1 and len(shape_y) == 1:
        return reductions.sum(e.multiply(x, y))
    if len(shape_x) == 1:
        return shapes.squeeze(linalg.matmul(shapes.expand_dims(x, axis=0), y), axis=-2)
    return shapes.squeeze(linalg.matmul(x, shapes.expand_dims(y, axis=1)), axis=-1)


def _of_axes(name: str, x: Tensor, y: Tensor, of_x: int, of_y: int) -> Tensor:
    if x.ndim != of_x or y.ndim != of_y:
        raise ValueError(f"{name}: takes tensors of {of_x} and {of_y} axes, not of shapes {x.shape} and {y.shape}; use matmul")
    return matmul(x, y)


def mm(x: Tensor, y: Tensor) -> Tensor:
    """The product of two matrices."""
    return _of_axes("mm", x, y, 2, 2)


def mv(x: Tensor, y: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return _of_axes("mv", x, y, 2, 1)


def bmm(x: Tensor, y: Tensor) -> Tensor:
    """The products of two stacks of matrices."""
    return _of_axes("bmm", x, y, 3, 3)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    return _of_axes("dot", x, y, 1, 1)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """The matrix x_i y_j."""
    return e.multiply(shapes.expand_dims(x, axis=1), y)
