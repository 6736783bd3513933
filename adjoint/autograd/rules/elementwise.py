"""Elementwise primitives and their derivatives: arithmetic, powers, exponentials, trigonometry, rounding, comparison, choice.

A derivative that is zero almost everywhere (of ``floor``, ``sign``, …) is zero; at a kink it is PyTorch's choice.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ...backends import Array
from ..primitive import on, primitive

TWO_OVER_SQRT_PI = 1.1283791670955126
LOG_2, LOG_10 = 0.6931471805599453, 2.302585092994046

# --- arithmetic --------------------------------------------------------------------------------------------------------------


@primitive
def add(xp: Any, x: Array, y: Array) -> Array:
    return x + y


@primitive
def subtract(xp: Any, x: Array, y: Array) -> Array:
    return x - y


@primitive
def multiply(xp: Any, x: Array, y: Array) -> Array:
    return x * y


@primitive(floating=True)
def divide(xp: Any, x: Array, y: Array) -> Array:
    return x / y


@primitive
def floor_divide(xp: Any, x: Array, y: Array) -> Array:
    return xp.floor_divide(x, y)


@primitive
def remainder(xp: Any, x: Array, y: Array) -> Array:
    return xp.remainder(x, y)


@primitive
def negative(xp: Any, x: Array) -> Array:
    return -x


@primitive
def abs(xp: Any, x: Array) -> Array:
    return xp.abs(x)


@primitive
def square(xp: Any, x: Array) -> Array:
    return x * x


@primitive
def pow(xp: Any, x: Array, y: Array) -> Array:
    return xp.pow(x, y)


@primitive
def maximum(xp: Any, x: Array, y: Array) -> Array:
    return xp.maximum(x, y)


@primitive
def minimum(xp: Any, x: Array, y: Array) -> Array:
    return xp.minimum(x, y)


@primitive
def clip(xp: Any, x: Array, *, min: float | None, max: float | None) -> Array:
    if min is not None:
        x = xp.maximum(x, min)
    return x if max is None else xp.minimum(x, max)


def _within(xp: Any, g: Any, x: Any, min: float | None, max: float | None) -> Any:
    if min is not None:
        g = xp.where(x >= min, g, 0.0)
    return g if max is None else xp.where(x <= max, g, 0.0)


def _power_by_base(xp: Any, g: Any, x: Any, y: Any) -> Any:
    """g y x^(y-1), and 0 where y is 0, at x = 0 and NaN too; x is replaced there alone: the derivative by y holds elsewhere."""
    if type(y) in (int, float):
        return g * (y * xp.pow(x, y - 1)) if y != 0 else xp.zeros_like(g)
    undefined = xp.logical_and(xp.logical_not(xp.abs(x) > 0), y == 0)
    return g * y * xp.pow(xp.where(undefined, 1.0, x), y - 1)


def _power_by_exponent(xp: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    """g x^y log x, and 0 where x is 0 and y is not negative, as the limit has it."""
    zero = xp.logical_and(x == 0, y >= 0)
    return xp.where(zero, 0.0, g * out * xp.log(xp.where(zero, 1.0, x)))


def quotient_less(xp: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    """-g times the integer quotient that belongs to the remainder ``out``; x / y may round to the next integer."""
    less = out - x
    quotient = xp.where(less == y, 1.0, xp.round(less / y))
    return g * xp.where(less == less, quotient, -(x / y))  # without a remainder: by 0, or of infinity


add.vjp(x=lambda g: g, y=lambda g: g)
subtract.vjp(x=lambda g: g, y=lambda g: -g)
multiply.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)
divide.vjp(x=lambda g, y: g / y, y=lambda g, x, y: -g * (x / y) / y)
remainder.vjp(x=lambda g: g, y=quotient_less)
negative.vjp(x=lambda g: -g)
abs.vjp(x=lambda xp, g, x: g * xp.sign(x))
square.vjp(x=lambda g, x: g * (2.0 * x))
pow.vjp(x=_power_by_base, y=_power_by_exponent)
maximum.vjp(
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0.0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0.0, g)),
)
minimum.vjp(
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0.0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0.0, g)),
)
clip.vjp(x=_within)

# --- exponentials and logarithms ---------------------------------------------------------------------------------------------


@primitive(floating=True)
def exp(xp: Any, x: Array) -> Array:
    return xp.exp(x)


@primitive(floating=True)
def expm1(xp: Any, x: Array) -> Array:
    return xp.expm1(x)


@primitive(floating=True)
def log(xp: Any, x: Array) -> Array:
    return xp.log(x)


@primitive(floating=True)
def log1p(xp: Any, x: Array) -> Array:
    return xp.log1p(x)


@primitive(floating=True)
def log2(xp: Any, x: Array) -> Array:
    return xp.log2(x)


@primitive(floating=True)
def log10(xp: Any, x: Array) -> Array:
    return xp.log10(x)


@primitive(floating=True)
def logaddexp(xp: Any, x: Array, y: Array) -> Array:
    return xp.logaddexp(x, y)


@primitive(floating=True)
def sqrt(xp: Any, x: Array) -> Array:
    return xp.sqrt(x)


@primitive(floating=True)
def sigmoid(xp: Any, x: Array) -> Array:
    return xp.sigmoid(x)


@primitive(floating=True)
def erf(xp: Any, x: Array) -> Array:
    return xp.erf(x)


def shares(xp: Any, x: Any) -> tuple[Any, Any]:
    """The sigmoids of x and of -x by the one of -abs(x), so that both, and their derivatives, keep their digits near 0."""
    above = xp.astype(x >= 0, x.dtype)
    sign = 1.0 - 2.0 * above  # chosen without a branch, and with a derivative at 0
    signed = sign * xp.sigmoid(sign * x)
    return above + signed, 1.0 - above - signed


def _logaddexp(xp: Any, g: Any, x: Any, y: Any) -> tuple[Any, Any]:
    of_x, of_y = shares(xp, x - y)
    return g * of_x, g * of_y


exp.vjp(x=lambda g, out: g * out)
expm1.vjp(x=lambda xp, g, x: g * xp.exp(x))
log.vjp(x=lambda g, x: g / x)
log1p.vjp(x=lambda g, x: g / (1.0 + x))
log2.vjp(x=lambda g, x: g / (LOG_2 * x))
log10.vjp(x=lambda g, x: g / (LOG_10 * x))
logaddexp.vjp(_logaddexp)
sqrt.vjp(x=lambda g, out: g / (2.0 * out))
sigmoid.vjp(x=lambda g, out: g * (out * (1.0 - out)))
erf.vjp(x=lambda xp, g, x: g * (TWO_OVER_SQRT_PI * xp.exp(-x * x)))

# --- trigonometry ------------------------------------------------------------------------------------------------------------


@primitive(floating=True)
def sin(xp: Any, x: Array) -> Array:
    return xp.sin(x)


@primitive(floating=True)
def cos(xp: Any, x: Array) -> Array:
    return xp.cos(x)


@primitive(floating=True)
def tan(xp: Any, x: Array) -> Array:
    return xp.tan(x)


@primitive(floating=True)
def asin(xp: Any, x: Array) -> Array:
    return xp.asin(x)


@primitive(floating=True)
def acos(xp: Any, x: Array) -> Array:
    return xp.acos(x)


@primitive(floating=True)
def atan(xp: Any, x: Array) -> Array:
    return xp.atan(x)


@primitive(floating=True)
def atan2(xp: Any, x: Array, y: Array) -> Array:
    return xp.atan2(x, y)


@primitive(floating=True)
def sinh(xp: Any, x: Array) -> Array:
    return xp.sinh(x)


@primitive(floating=True)
def cosh(xp: Any, x: Array) -> Array:
    return xp.cosh(x)


@primitive(floating=True)
def tanh(xp: Any, x: Array) -> Array:
    return xp.tanh(x)


@primitive(floating=True)
def asinh(xp: Any, x: Array) -> Array:
    return xp.asinh(x)


@primitive(floating=True)
def acosh(xp: Any, x: Array) -> Array:
    return xp.acosh(x)


@primitive(floating=True)
def atanh(xp: Any, x: Array) -> Array:
    return xp.atanh(x)


@primitive(floating=True)
def atan2_slope(xp: Any, x: Array, y: Array) -> Array:
    """x / (x^2 + y^2) without a square that overflows or underflows; 0 where both are 0, as in PyTorch."""
    none = xp.logical_and(x == 0, y == 0)
    return xp.where(none, 0.0, 1.0 / (x + y * (y / x)))


def _atan2_slope_by_x(xp: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    other = on(xp, atan2_slope)(y, x)
    return g * ((other - out) * (other + out))


def _asinh(xp: Any, g: Any, x: Any) -> Any:
    """g / sqrt(1 + x^2), and g / abs(x) where x^2 overflows."""
    square = x * x
    return g / xp.where(square == inf, xp.abs(x), xp.sqrt(1.0 + square))


sin.vjp(x=lambda xp, g, x: g * xp.cos(x))
cos.vjp(x=lambda xp, g, x: -g * xp.sin(x))
tan.vjp(x=lambda g, out: g * (1.0 + out * out))
asin.vjp(x=lambda xp, g, x: g / xp.sqrt((1.0 - x) * (1.0 + x)))
acos.vjp(x=lambda xp, g, x: -g / xp.sqrt((1.0 - x) * (1.0 + x)))
atan.vjp(x=lambda g, x: g / (1.0 + x * x))
atan2.vjp(
    x=lambda xp, g, x, y: g * on(xp, atan2_slope)(y, x),
    y=lambda xp, g, x, y: -g * on(xp, atan2_slope)(x, y),
)
atan2_slope.vjp(x=_atan2_slope_by_x, y=lambda xp, g, out, x, y: g * (-2.0 * out * on(xp, atan2_slope)(y, x)))
sinh.vjp(x=lambda xp, g, x: g * xp.cosh(x))
cosh.vjp(x=lambda xp, g, x: g * xp.sinh(x))
tanh.vjp(x=lambda g, out: g * (1.0 - out * out))
asinh.vjp(x=_asinh)
acosh.vjp(x=lambda xp, g, x: g / (xp.sqrt(x - 1.0) * xp.sqrt(x + 1.0)))
atanh.vjp(x=lambda g, x: g / ((1.0 - x) * (1.0 + x)))

# --- rounding: flat almost everywhere ----------------------------------------------------------------------------------------


@primitive
def sign(xp: Any, x: Array) -> Array:
    return xp.sign(x)


@primitive
def floor(xp: Any, x: Array) -> Array:
    return xp.floor(x)


@primitive
def ceil(xp: Any, x: Array) -> Array:
    return xp.ceil(x)


@primitive
def round(xp: Any, x: Array) -> Array:
    return xp.round(x)


@primitive
def trunc(xp: Any, x: Array) -> Array:
    return xp.trunc(x)


for flat in (sign, floor, ceil, round, trunc, floor_divide):
    flat.vjp(x=lambda xp, g: xp.zeros_like(g))
floor_divide.vjp(y=lambda xp, g: xp.zeros_like(g))

# --- choice ------------------------------------------------------------------------------------------------------------------


@primitive(promotes=("x", "y"))
def where(xp: Any, condition: Array, x: Array, y: Array) -> Array:
    return xp.where(condition, x, y)


where.vjp(
    x=lambda xp, g, condition: xp.where(condition, g, 0.0),
    y=lambda xp, g, condition: xp.where(condition, 0.0, g),
)

# --- comparison and logic: no derivative -------------------------------------------------------------------------------------


@primitive(differentiable=False)
def equal(xp: Any, x: Array, y: Array) -> Array:
    return xp.equal(x, y)


@primitive(differentiable=False)
def not_equal(xp: Any, x: Array, y: Array) -> Array:
    return xp.not_equal(x, y)


@primitive(differentiable=False)
def less(xp: Any, x: Array, y: Array) -> Array:
    return xp.less(x, y)


@primitive(differentiable=False)
def less_equal(xp: Any, x: Array, y: Array) -> Array:
    return xp.less_equal(x, y)


@primitive(differentiable=False)
def greater(xp: Any, x: Array, y: Array) -> Array:
    return xp.greater(x, y)


@primitive(differentiable=False)
def greater_equal(xp: Any, x: Array, y: Array) -> Array:
    return xp.greater_equal(x, y)


def truth(xp: Any, x: Array) -> Array:
    """Whether each element is not 0, or whether a Python number is not."""
    return xp.astype(x, xp.bool) if hasattr(x, "dtype") else bool(x)


@primitive(differentiable=False)
def logical_and(xp: Any, x: Array, y: Array) -> Array:
    return xp.logical_and(truth(xp, x), truth(xp, y))


@primitive(differentiable=False)
def logical_or(xp: Any, x: Array, y: Array) -> Array:
    return xp.logical_or(truth(xp, x), truth(xp, y))


@primitive(differentiable=False)
def logical_xor(xp: Any, x: Array, y: Array) -> Array:
    return xp.logical_xor(truth(xp, x), truth(xp, y))


@primitive(differentiable=False)
def logical_not(xp: Any, x: Array) -> Array:
    return xp.logical_not(xp.astype(x, xp.bool))


@primitive(differentiable=False)
def bitwise_and(xp: Any, x: Array, y: Array) -> Array:
    return xp.bitwise_and(x, y)


@primitive(differentiable=False)
def bitwise_or(xp: Any, x: Array, y: Array) -> Array:
    return xp.bitwise_or(x, y)


@primitive(differentiable=False)
def bitwise_xor(xp: Any, x: Array, y: Array) -> Array:
    return xp.bitwise_xor(x, y)


@primitive(differentiable=False)
def bitwise_left_shift(xp: Any, x: Array, y: Array) -> Array:
    return xp.bitwise_left_shift(x, y)


@primitive(differentiable=False)
def bitwise_right_shift(xp: Any, x: Array, y: Array) -> Array:
    return xp.bitwise_right_shift(x, y)


@primitive(differentiable=False)
def bitwise_invert(xp: Any, x: Array) -> Array:
    return xp.bitwise_invert(x)


@primitive(floating=True, differentiable=False)
def isnan(xp: Any, x: Array) -> Array:
    return xp.isnan(x)


@primitive(floating=True, differentiable=False)
def isinf(xp: Any, x: Array) -> Array:
    return xp.isinf(x)


@primitive(floating=True, differentiable=False)
def isfinite(xp: Any, x: Array) -> Array:
    return xp.isfinite(x)
