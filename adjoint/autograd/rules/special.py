"""Primitives of the normal distribution's family, of signs, remainders and lengths, and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ...backends import special as kernels
from ..primitive import primitive
from .elementwise import TWO_OVER_SQRT_PI, quotient_less
from .neural import SQRT_2_OVER_PI, SQRT_HALF

# --- signs, remainders, lengths ----------------------------------------------------------------------------------------------


@primitive(floating=True)
def copysign(xp: Any, x: Array, y: Array) -> Array:
    return xp.copysign(x, y)


@primitive
def fmod(xp: Any, x: Array, y: Array) -> Array:
    """What is left of x when y is taken off as often as it goes, with the sign of x."""
    left = xp.remainder(abs(x), abs(y))
    return xp.where(x < 0, -left, left)


@primitive(floating=True)
def hypot(xp: Any, x: Array, y: Array) -> Array:
    return xp.hypot(x, y)


@primitive(floating=True)
def nextafter(xp: Any, x: Array, y: Array) -> Array:
    """The number of the dtype next to x in the direction of y; y where they are equal."""
    return xp.nextafter(x, y)


copysign.vjp(x=lambda xp, g, out, x: g * (xp.sign(x) * xp.sign(out)), y=lambda xp, g: xp.zeros_like(g))
fmod.vjp(x=lambda g: g, y=quotient_less)
nextafter.vjp(x=lambda xp, g, x, y: xp.where(x == y, 0.0, g), y=lambda xp, g: xp.zeros_like(g))
hypot.vjp(x=lambda g, out, x: g * (x / out), y=lambda g, out, y: g * (y / out))

# --- the normal distribution -------------------------------------------------------------------------------------------------


@primitive(floating=True, wide=True)
def erfc(xp: Any, x: Array) -> Array:
    return kernels.erfc(xp, x)


@primitive(floating=True, wide=True)
def log_ndtr(xp: Any, x: Array) -> Array:
    """The logarithm of how much of the standard normal distribution lies below x, without underflow."""
    z = -SQRT_HALF * x
    low = z > SQRT_HALF
    tail = xp.where(low, z, 1.0)
    below = xp.log(0.5 * kernels.erfcx(xp, tail)) - tail * tail
    return xp.where(low, below, xp.log1p(-0.5 * kernels.erfc(xp, xp.where(low, -1.0, -z))))


@primitive(floating=True, wide=True)
def erfinv(xp: Any, x: Array) -> Array:
    return kernels.erfinv(xp, x)


@primitive(floating=True)
def logit(xp: Any, x: Array) -> Array:
    return xp.log(x / (1.0 - x))


@primitive(floating=True)
def entr(xp: Any, x: Array) -> Array:
    """-x log x; 0 at 0, and -inf below."""
    return xp.where(x < 0, -float("inf"), -x * xp.log(xp.where(x > 0, x, 1.0)))


def _logit_slope(xp: Any, g: Any, x: Any) -> Any:
    """g / (x (1 - x)), and NaN where x is no probability."""
    return xp.where(xp.logical_or(x < 0, x > 1), float("nan"), g / (x * (1.0 - x)))


entr.vjp(x=lambda xp, g, x: -g * (xp.log(x) + 1.0))
erfc.vjp(x=lambda xp, g, x: g * (-TWO_OVER_SQRT_PI * xp.exp(-x * x)))
log_ndtr.vjp(x=lambda xp, g, x: g * (SQRT_2_OVER_PI / kernels.erfcx(xp, -SQRT_HALF * x)))
erfinv.vjp(x=lambda xp, g, out: g * (xp.exp(out * out) / TWO_OVER_SQRT_PI))
logit.vjp(x=_logit_slope)
