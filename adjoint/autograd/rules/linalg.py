"""Matrix products and their derivatives."""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array
from ..primitive import primitive


@primitive
def matmul(xp: Any, x: Array, y: Array) -> Array:
    """Product of matrices (..., n, k) and (..., k, m), batch axes broadcast. Vectors are made matrices by the caller."""
    return xp.matmul(x, y)


@primitive(views=True)
def matrix_transpose(xp: Any, x: Array) -> Array:
    return xp.matrix_transpose(x)


def rows(xp: Any, x: Any) -> Any:
    """All leading axes as one."""
    return x if x.ndim == 2 else xp.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def by_matrix(xp: Any, x: Any, y: Any) -> Any:
    """The product of all of ``x`` with one matrix, in one piece, which is quicker than one for each of the batch."""
    return xp.matmul(x, y) if x.ndim == 2 else xp.reshape(xp.matmul(rows(xp, x), y), (*x.shape[:-1], y.shape[-1]))


def _by_second(xp: Any, g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    """x^T g, summed over the batch in the product itself where all of it meets one matrix."""
    if len(y_shape) == 2:
        x, g = rows(xp, x), rows(xp, g)
    return xp.matmul(xp.matrix_transpose(x), g)


matmul.vjp(x=lambda xp, g, y: xp.matmul(g, xp.matrix_transpose(y)), y=_by_second)
matrix_transpose.vjp(x=lambda xp, g: xp.matrix_transpose(g))
