"""Elementwise primitives and their derivatives: arithmetic, powers, exponentials, trigonometry, rounding, comparison, choice.

All broadcast their inputs. A derivative that is zero almost everywhere (of ``floor``, ``sign``, …) is zero; at a kink it is
PyTorch's choice.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ...backends import Array
from ..primitive import on, primitive
from .declare import binary, unary

TWO_OVER_SQRT_PI = 1.1283791670955126
LOG_2, LOG_10 = 0.6931471805599453, 2.302585092994046

# --- arithmetic --------------------------------------------------------------------------------------------------------------


def zero(xp: Any, g: Any) -> Any:
    """0."""
    return xp.zeros_like(g)


@primitive
def add(xp: Any, x: Array, y: Array) -> Array:
    """x + y."""
    return x + y


add.vjp(x=lambda g: g, y=lambda g: g)


@primitive
def subtract(xp: Any, x: Array, y: Array) -> Array:
    """x - y."""
    return x - y


subtract.vjp(x=lambda g: g, y=lambda g: -g)


@primitive
def multiply(xp: Any, x: Array, y: Array) -> Array:
    """x y, elementwise."""
    return x * y


multiply.vjp(x=lambda g, y: g * y, y=lambda g, x: g * x)


@primitive(floating=True)
def divide(xp: Any, x: Array, y: Array) -> Array:
    """x / y; integers are divided as float32."""
    return x / y


divide.vjp(x=lambda g, y: g / y, y=lambda g, x, y: -g * (x / y) / y)


def minus_quotient(xp: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    """-g times the integer quotient that belongs to the remainder ``out``; x / y may round to the next integer."""
    less = out - x
    quotient = xp.where(less == y, 1.0, xp.round(less / y))
    return g * xp.where(less == less, quotient, -(x / y))  # without a remainder: by 0, or of infinity


floor_divide = binary("floor_divide", "The largest integer up to x / y; the derivative is 0.", x=zero, y=zero)
remainder = binary("remainder", "x - y floor(x / y), which has the sign of y.", x=lambda g: g, y=minus_quotient)


@primitive
def negative(xp: Any, x: Array) -> Array:
    """-x."""
    return -x


negative.vjp(x=lambda g: -g)

abs = unary("abs", "The absolute value of x; its derivative at 0 is 0.", x=lambda xp, g, x: g * xp.sign(x))


@primitive
def square(xp: Any, x: Array) -> Array:
    """x^2."""
    return x * x


square.vjp(x=lambda g, x: g * (2.0 * x))


def _power_by_base(xp: Any, g: Any, x: Any, y: Any) -> Any:
    """g y x^(y-1), and 0 where y is 0, at x = 0 and NaN too; x is replaced there alone: the derivative by y holds elsewhere."""
    if type(y) in (int, float):
        return g * (y * xp.pow(x, y - 1)) if y != 0 else xp.zeros_like(g)
    undefined = xp.logical_and(xp.logical_not(xp.abs(x) > 0), y == 0)
    return g * y * xp.pow(xp.where(undefined, 1.0, x), y - 1)


def _power_by_exponent(xp: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    """g x^y log x, and the limit 0 where x is 0 and y is not negative."""
    limit = xp.logical_and(x == 0, y >= 0)
    return xp.where(limit, 0.0, g * out * xp.log(xp.where(limit, 1.0, x)))


pow = binary("pow", "x to the power y.", x=_power_by_base, y=_power_by_exponent)

maximum = binary(
    "maximum", "The larger of x and y, NaN where one is; equals share the gradient.",
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0.0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0.0, g)),
)  # fmt: skip
minimum = binary(
    "minimum", "The smaller of x and y, NaN where one is; equals share the gradient.",
    x=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x > y, 0.0, g)),
    y=lambda xp, g, x, y: xp.where(x == y, g / 2, xp.where(x < y, 0.0, g)),
)  # fmt: skip


@primitive
def clip(xp: Any, x: Array, *, min: float | None, max: float | None) -> Array:
    """x limited to [min, max]; None sets no limit."""
    if min is not None:
        x = xp.maximum(x, min)
    return x if max is None else xp.minimum(x, max)


def _within(xp: Any, g: Any, x: Any, min: float | None, max: float | None) -> Any:
    """g where min <= x <= max, else 0."""
    if min is not None:
        g = xp.where(x >= min, g, 0.0)
    return g if max is None else xp.where(x <= max, g, 0.0)


clip.vjp(x=_within)

# --- exponentials and logarithms ---------------------------------------------------------------------------------------------

exp = unary("exp", "e^x; integers become float32.", floating=True, x=lambda g, out: g * out)
expm1 = unary("expm1", "e^x - 1, exact for small x.", floating=True, x=lambda xp, g, x: g * xp.exp(x))
log = unary("log", "The natural logarithm of x; integers become float32.", floating=True, x=lambda g, x: g / x)
log1p = unary("log1p", "log(1 + x), exact for small x.", floating=True, x=lambda g, x: g / (1.0 + x))
log2 = unary("log2", "The logarithm of x to base 2.", floating=True, x=lambda g, x: g / (LOG_2 * x))
log10 = unary("log10", "The logarithm of x to base 10.", floating=True, x=lambda g, x: g / (LOG_10 * x))
sqrt = unary("sqrt", "The square root of x, NaN below 0.", floating=True, x=lambda g, out: g / (2.0 * out))
sigmoid = unary("sigmoid", "1 / (1 + e^-x).", floating=True, x=lambda g, out: g * (out * (1.0 - out)))
erf = unary(
    "erf", "The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.", floating=True,
    x=lambda xp, g, x: g * (TWO_OVER_SQRT_PI * xp.exp(-x * x)),
)  # fmt: skip


def sigmoids(xp: Any, x: Any) -> tuple[Any, Any]:
    """The sigmoids of x and of -x by the one of -abs(x), so that both, and their derivatives, keep their digits near 0."""
    above = xp.astype(x >= 0, x.dtype)
    sign = 1.0 - 2.0 * above  # chosen without a branch, and with a derivative at 0
    signed = sign * xp.sigmoid(sign * x)
    return above + signed, 1.0 - above - signed


def _logaddexp(xp: Any, g: Any, x: Any, y: Any) -> tuple[Any, Any]:
    of_x, of_y = sigmoids(xp, x - y)
    return g * of_x, g * of_y


logaddexp = binary("logaddexp", "log(e^x + e^y), without overflow.", floating=True, joint=_logaddexp)

# --- trigonometry ------------------------------------------------------------------------------------------------------------


def _asinh(xp: Any, g: Any, x: Any) -> Any:
    """g / sqrt(1 + x^2), and g / abs(x) where x^2 overflows."""
    square = x * x
    return g / xp.where(square == inf, xp.abs(x), xp.sqrt(1.0 + square))


sin = unary("sin", "The sine of x, in radians.", floating=True, x=lambda xp, g, x: g * xp.cos(x))
cos = unary("cos", "The cosine of x, in radians.", floating=True, x=lambda xp, g, x: -g * xp.sin(x))
tan = unary("tan", "The tangent of x, in radians.", floating=True, x=lambda g, out: g * (1.0 + out * out))
asin = unary(
    "asin", "The arcsine of x, in radians; NaN outside [-1, 1].", floating=True,
    x=lambda xp, g, x: g / xp.sqrt((1.0 - x) * (1.0 + x)),
)  # fmt: skip
acos = unary(
    "acos", "The arccosine of x, in radians; NaN outside [-1, 1].", floating=True,
    x=lambda xp, g, x: -g / xp.sqrt((1.0 - x) * (1.0 + x)),
)  # fmt: skip
atan = unary("atan", "The arctangent of x, in radians.", floating=True, x=lambda g, x: g / (1.0 + x * x))
sinh = unary("sinh", "(e^x - e^-x) / 2.", floating=True, x=lambda xp, g, x: g * xp.cosh(x))
cosh = unary("cosh", "(e^x + e^-x) / 2.", floating=True, x=lambda xp, g, x: g * xp.sinh(x))
tanh = unary("tanh", "sinh(x) / cosh(x).", floating=True, x=lambda g, out: g * (1.0 - out * out))
asinh = unary("asinh", "The inverse of sinh.", floating=True, x=_asinh)
acosh = unary(
    "acosh", "The inverse of cosh, at least 0; NaN below 1.", floating=True,
    x=lambda xp, g, x: g / (xp.sqrt(x - 1.0) * xp.sqrt(x + 1.0)),
)  # fmt: skip
atanh = unary(
    "atanh", "The inverse of tanh; NaN outside [-1, 1].", floating=True, x=lambda xp, g, x: g / ((1.0 - x) * (1.0 + x))
)  # fmt: skip


@primitive(floating=True)
def atan2_slope(xp: Any, x: Array, y: Array) -> Array:
    """x / (x^2 + y^2) without a square that overflows or underflows; 0 where both are 0, as in PyTorch."""
    none = xp.logical_and(x == 0, y == 0)
    return xp.where(none, 0.0, 1.0 / (x + y * (y / x)))


def _atan2_slope_by_x(xp: Any, g: Any, out: Any, x: Any, y: Any) -> Any:
    """g (other - out) (other + out), where other = y / (x^2 + y^2)."""
    other = on(xp, atan2_slope)(y, x)
    return g * ((other - out) * (other + out))


atan2_slope.vjp(x=_atan2_slope_by_x, y=lambda xp, g, out, x, y: g * (-2.0 * out * on(xp, atan2_slope)(y, x)))
atan2 = binary(
    "atan2", "The angle of the point (y, x) from the first axis, from -pi to pi.", floating=True,
    x=lambda xp, g, x, y: g * on(xp, atan2_slope)(y, x),
    y=lambda xp, g, x, y: -g * on(xp, atan2_slope)(x, y),
)  # fmt: skip

# --- rounding: flat almost everywhere ----------------------------------------------------------------------------------------

sign = unary("sign", "1 where x > 0, -1 where x < 0, 0 at 0; the derivative is 0.", x=zero)
floor = unary("floor", "The largest integer up to x; the derivative is 0.", x=zero)
ceil = unary("ceil", "The smallest integer from x on; the derivative is 0.", x=zero)
round = unary("round", "The nearest integer, of two the even one; the derivative is 0.", x=zero)
trunc = unary("trunc", "x rounded towards 0; the derivative is 0.", x=zero)

# --- choice ------------------------------------------------------------------------------------------------------------------


@primitive(promotes=("x", "y"))
def where(xp: Any, condition: Array, x: Array, y: Array) -> Array:
    """x where ``condition`` holds, else y."""
    return xp.where(condition, x, y)


where.vjp(
    x=lambda xp, g, condition: xp.where(condition, g, 0.0),
    y=lambda xp, g, condition: xp.where(condition, 0.0, g),
)

# --- comparison and logic: no derivative -------------------------------------------------------------------------------------

equal = binary("equal", "Whether x = y; NaN equals nothing.", differentiable=False)
not_equal = binary("not_equal", "Whether x and y differ; NaN differs from everything.", differentiable=False)
less = binary("less", "Whether x < y; False for NaN.", differentiable=False)
less_equal = binary("less_equal", "Whether x <= y; False for NaN.", differentiable=False)
greater = binary("greater", "Whether x > y; False for NaN.", differentiable=False)
greater_equal = binary("greater_equal", "Whether x >= y; False for NaN.", differentiable=False)


def truth(xp: Any, x: Array) -> Array:
    """Whether each element, or a Python number, is not 0."""
    return xp.astype(x, xp.bool) if hasattr(x, "dtype") else bool(x)


@primitive(differentiable=False)
def logical_and(xp: Any, x: Array, y: Array) -> Array:
    """Whether x and y are both true (not 0)."""
    return xp.logical_and(truth(xp, x), truth(xp, y))


@primitive(differentiable=False)
def logical_or(xp: Any, x: Array, y: Array) -> Array:
    """Whether x or y is true (not 0), or both are."""
    return xp.logical_or(truth(xp, x), truth(xp, y))


@primitive(differentiable=False)
def logical_xor(xp: Any, x: Array, y: Array) -> Array:
    """Whether exactly one of x and y is true (not 0)."""
    return xp.logical_xor(truth(xp, x), truth(xp, y))


@primitive(differentiable=False)
def logical_not(xp: Any, x: Array) -> Array:
    """Whether x is 0."""
    return xp.logical_not(xp.astype(x, xp.bool))


bitwise_and = binary("bitwise_and", "The bits that are set in both integers x and y.", differentiable=False)
bitwise_or = binary("bitwise_or", "The bits that are set in x or y, or in both.", differentiable=False)
bitwise_xor = binary("bitwise_xor", "The bits that are set in exactly one of x and y.", differentiable=False)
bitwise_invert = unary("bitwise_invert", "The bits that are not set in x.", differentiable=False)
bitwise_left_shift = binary("bitwise_left_shift", "x 2^y, of integers.", differentiable=False)
bitwise_right_shift = binary("bitwise_right_shift", "The largest integer up to x / 2^y, of integers.", differentiable=False)

isnan = unary("isnan", "Whether x is NaN.", floating=True, differentiable=False)
isinf = unary("isinf", "Whether x is inf or -inf.", floating=True, differentiable=False)
isfinite = unary("isfinite", "Whether x is neither infinite nor NaN.", floating=True, differentiable=False)
