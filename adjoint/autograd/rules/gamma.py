"""Primitives of the gamma function's family and their derivatives."""

from __future__ import annotations

from functools import partial
from typing import Any

from ...backends import Array
from ...backends import gamma as kernels
from ..primitive import primitive


@primitive(floating=True, wide=True)
def lgamma(xp: Any, x: Array) -> Array:
    return kernels.lgamma(xp, x)


@primitive(floating=True, wide=True)
def polygamma(xp: Any, x: Array, *, n: int) -> Array:
    return kernels.polygamma(xp, x, n=n)


def _polygamma(xp: Any, x: Any, n: int) -> Any:
    """On Tensors the primitive, which has a derivative of its own; on arrays its kernel."""
    return getattr(xp, "polygamma", partial(polygamma.kernel, xp))(x, n=n)


lgamma.vjp(x=lambda xp, g, x: g * _polygamma(xp, x, 0))
polygamma.vjp(x=lambda xp, g, x, n: g * _polygamma(xp, x, n + 1))
