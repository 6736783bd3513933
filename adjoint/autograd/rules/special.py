"""Primitives of the error and gamma functions' families, of signs, remainders and lengths, and their derivatives."""

from __future__ import annotations

import builtins
from typing import Any

from ...backends import Array, gamma as gamma_kernels, special as kernels
from ..primitive import on, primitive
from .declare import binary
from .elementwise import TWO_OVER_SQRT_PI, minus_quotient, zero

SQRT_HALF = 0.7071067811865476
SQRT_2_OVER_PI = 0.7978845608028654

# --- signs, remainders, lengths ----------------------------------------------------------------------------------------------

copysign = binary(
    "copysign", "abs(x) with the sign of y, -0.0 being negative.", floating=True,
    x=lambda xp, g, out, x: g * (xp.sign(x) * xp.sign(out)), y=zero,
)  # fmt: skip
hypot = binary(
    "hypot", "sqrt(x^2 + y^2), without overflow.", floating=True,
    x=lambda g, out, x: g * (x / out), y=lambda g, out, y: g * (y / out),
)  # fmt: skip
nextafter = binary(
    "nextafter", "The number of the dtype next to x in the direction of y; y where they are equal.", floating=True,
    x=lambda xp, g, x, y: xp.where(x == y, 0.0, g), y=zero,
)  # fmt: skip


@primitive
def fmod(xp: Any, x: Array, y: Array) -> Array:
    """x - y trunc(x / y), which has the sign of x."""
    rest = xp.remainder(builtins.abs(x), builtins.abs(y))
    return xp.where(x < 0, -rest, rest)


fmod.vjp(x=lambda g: g, y=minus_quotient)

# --- the normal distribution -------------------------------------------------------------------------------------------------


@primitive(floating=True, wide=True)
def erfc(xp: Any, x: Array) -> Array:
    """1 - erf(x), exact in the upper tail too."""
    return kernels.erfc(xp, x)


erfc.vjp(x=lambda xp, g, x: g * (-TWO_OVER_SQRT_PI * xp.exp(-x * x)))


@primitive(floating=True, wide=True)
def erfinv(xp: Any, x: Array) -> Array:
    """The inverse of erf; NaN outside [-1, 1]."""
    return kernels.erfinv(xp, x)


erfinv.vjp(x=lambda xp, g, out: g * (xp.exp(out * out) / TWO_OVER_SQRT_PI))


@primitive(floating=True, wide=True)
def log_ndtr(xp: Any, x: Array) -> Array:
    """The logarithm of the standard normal distribution function at x, without underflow."""
    z = -SQRT_HALF * x
    low = z > SQRT_HALF
    tail = xp.where(low, z, 1.0)
    below = xp.log(0.5 * kernels.erfcx(xp, tail)) - tail * tail
    return xp.where(low, below, xp.log1p(-0.5 * kernels.erfc(xp, xp.where(low, -1.0, -z))))


log_ndtr.vjp(x=lambda xp, g, x: g * (SQRT_2_OVER_PI / kernels.erfcx(xp, -SQRT_HALF * x)))


@primitive(floating=True)
def logit(xp: Any, x: Array) -> Array:
    """log(x / (1 - x)), the inverse of the sigmoid."""
    return xp.log(x / (1.0 - x))


def _logit_slope(xp: Any, g: Any, x: Any) -> Any:
    """g / (x (1 - x)), and NaN where x is no probability."""
    return xp.where(xp.logical_or(x < 0, x > 1), float("nan"), g / (x * (1.0 - x)))


logit.vjp(x=_logit_slope)


@primitive(floating=True)
def entr(xp: Any, x: Array) -> Array:
    """-x log x; 0 at 0, and -inf below."""
    return xp.where(x < 0, -float("inf"), -x * xp.log(xp.where(x > 0, x, 1.0)))


entr.vjp(x=lambda xp, g, x: -g * (xp.log(x) + 1.0))

# --- the gamma function ------------------------------------------------------------------------------------------------------


@primitive(floating=True, wide=True)
def polygamma(xp: Any, x: Array, *, n: int) -> Array:
    """The derivative of order n + 1 of log(gamma(x)); for n = 0 the digamma function."""
    return gamma_kernels.polygamma(xp, x, n=n)


polygamma.vjp(x=lambda xp, g, x, n: g * on(xp, polygamma)(x, n=n + 1))


@primitive(floating=True, wide=True)
def lgamma(xp: Any, x: Array) -> Array:
    """log(abs(gamma(x))), infinite at the poles, the integers <= 0."""
    return gamma_kernels.lgamma(xp, x)


lgamma.vjp(x=lambda xp, g, x: g * on(xp, polygamma)(x, n=0))
