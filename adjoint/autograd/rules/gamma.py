"""Primitives of the gamma function's family and their derivatives."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...backends import Array
from ...backends import gamma as kernels
from ..graph import wide
from ..primitive import primitive


@primitive(floating=True)
def lgamma(xp: Any, x: Array) -> Array:
    return xp.astype(kernels.lgamma(xp, wide(xp, x)), x.dtype)


@primitive(floating=True)
def polygamma(xp: Any, x: Array, *, n: int) -> Array:
    return xp.astype(kernels.polygamma(xp, wide(xp, x), n=n), x.dtype)


def _polygamma(xp: Any, x: Any, n: int) -> Any:
    """On Tensors the primitive, which has a derivative of its own; on arrays its kernel."""
    return getattr(xp, "polygamma", partial(polygamma.kernel, xp))(x, n=n)


lgamma.vjp(x=lambda xp, g, x: g * _polygamma(xp, x, 0))
polygamma.vjp(x=lambda xp, g, x, n: g * _polygamma(xp, x, n + 1))
