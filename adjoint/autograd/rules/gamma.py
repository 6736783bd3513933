"""Primitives of the gamma function's family and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ...backends import gamma as kernels
from ..primitive import on, primitive


@primitive(floating=True, wide=True)
def lgamma(xp: Any, x: Array) -> Array:
    return kernels.lgamma(xp, x)


@primitive(floating=True, wide=True)
def polygamma(xp: Any, x: Array, *, n: int) -> Array:
    return kernels.polygamma(xp, x, n=n)


lgamma.vjp(x=lambda xp, g, x: g * on(xp, polygamma)(x, n=0))
polygamma.vjp(x=lambda xp, g, x, n: g * on(xp, polygamma)(x, n=n + 1))
