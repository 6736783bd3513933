"""Matrix products and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..primitive import primitive


@primitive
def matmul(xp: Any, x: Array, y: Array) -> Array:
    """Product of matrices (..., n, k) and (..., k, m), batch axes broadcast. Vectors are made matrices by the caller."""
    return xp.matmul(x, y)


@primitive
def matrix_transpose(xp: Any, x: Array) -> Array:
    return xp.matrix_transpose(x)


matmul.vjp(
    x=lambda xp, g, y: xp.matmul(g, xp.matrix_transpose(y)),
    y=lambda xp, g, x: xp.matmul(xp.matrix_transpose(x), g),
)
matrix_transpose.vjp(x=lambda xp, g: xp.matrix_transpose(g))
