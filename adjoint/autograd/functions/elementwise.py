"""Functions of each element by itself: the primitives under PyTorch's names, and what is composed of them."""

from __future__ import annotations

from builtins import abs as builtin_abs
from typing import TYPE_CHECKING, Any

from ... import backends
from ...backends import dtypes
from ..arguments import NUMBERS, Number, floating, in_floats, number, plain, publish, reads_numbers, tensor_of, widened
from ..creation import full, tensor
from ..primitive import as_input, astype
from ..rules import elementwise as e, reductions, shapes, special
from .indexing import nonzero

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "allclose", "arccos", "arccosh", "arcsin", "arcsinh",
    "arctan", "arctan2", "arctanh", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift",
    "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clamp", "clamp_max", "clamp_min", "clone",
    "copysign", "cos", "cosh", "deg2rad", "divide", "eq", "equal", "erf", "exp", "expm1", "float_power", "floor",
    "floor_divide", "fmax", "fmin", "fmod", "frac", "ge", "greater", "greater_equal", "gt", "heaviside", "hypot", "isclose",
    "isfinite", "isinf", "isnan", "ldexp", "le", "lerp", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "masked_fill", "maximum", "minimum", "multiply",
    "nan_to_num", "ne", "neg", "negative", "nextafter", "not_equal", "positive", "pow", "rad2deg", "reciprocal", "remainder",
    "round", "rsqrt", "rsub", "sgn", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
    "true_divide", "trunc", "where",
]  # fmt: skip

DEGREES = 57.29577951308232  #: in a radian
LARGEST = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}

# The primitives themselves.
multiply = e.multiply
true_divide, floor_divide, remainder = e.divide, e.floor_divide, e.remainder
neg = negative = e.negative
abs = absolute = e.abs
square, sqrt, maximum, minimum = e.square, e.sqrt, e.maximum, e.minimum
exp, expm1, log, log1p, log2, log10, logaddexp = e.exp, e.expm1, e.log, e.log1p, e.log2, e.log10, e.logaddexp
sigmoid, erf = e.sigmoid, e.erf
sin, cos, tan, asin, acos, atan, atan2 = e.sin, e.cos, e.tan, e.asin, e.acos, e.atan, e.atan2
sinh, cosh, tanh, asinh, acosh, atanh = e.sinh, e.cosh, e.tanh, e.asinh, e.acosh, e.atanh
sign = sgn = e.sign
floor, ceil, trunc = e.floor, e.ceil, e.trunc
copysign, fmod, hypot, nextafter = special.copysign, special.fmod, special.hypot, special.nextafter
eq, ne, lt, le, gt, ge = e.equal, e.not_equal, e.less, e.less_equal, e.greater, e.greater_equal
logical_and, logical_or, logical_xor, logical_not = e.logical_and, e.logical_or, e.logical_xor, e.logical_not
bitwise_and, bitwise_or, bitwise_xor, bitwise_not = e.bitwise_and, e.bitwise_or, e.bitwise_xor, e.bitwise_invert
bitwise_left_shift, bitwise_right_shift = e.bitwise_left_shift, e.bitwise_right_shift
isnan, isinf, isfinite = e.isnan, e.isinf, e.isfinite

# NumPy's names, which PyTorch has too.
arcsin, arccos, arctan, arctan2 = asin, acos, atan, atan2
arcsinh, arccosh, arctanh = asinh, acosh, atanh
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge

# --- arithmetic --------------------------------------------------------------------------------------------------------------


def _times(name: str, other: Any, alpha: Any) -> Any:
    alpha = number(name, "alpha", alpha)
    return other if alpha == 1 else e.multiply(other, alpha)


def add(x: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """x + alpha other, broadcast."""
    return e.add(x, _times("add", other, alpha))


def subtract(x: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """x - alpha other, broadcast."""
    return e.subtract(x, _times("sub", other, alpha))


@reads_numbers
def rsub(x: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """other - alpha x."""
    return subtract(other, x, alpha=alpha)


def divide(x: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """x / other, broadcast; with ``rounding_mode`` rounded to integers ``"trunc"`` (towards 0) or ``"floor"`` (downwards).

    Rounded quotients of integers are integers; the derivative of rounded ones is 0. Raises ``ValueError`` on another
    ``rounding_mode``.
    """
    if rounding_mode is None:
        return e.divide(x, other)
    if rounding_mode == "floor":
        return e.floor_divide(x, other)
    if rounding_mode != "trunc":
        raise ValueError(f"div: rounding_mode is None, 'trunc' or 'floor', not {rounding_mode!r}")
    if any_floating(x, other):
        return e.trunc(e.divide(x, other))
    down = e.floor_divide(x, other)  # of integers, exact; one too low where the signs differ and there is a remainder
    left = e.subtract(x, e.multiply(down, other))
    return e.where(e.logical_and(e.not_equal(left, 0), e.less(down, 0)), e.add(down, 1), down)


def any_floating(*values: Any) -> bool:
    """Whether some of these tensors and numbers is floating-point."""
    return any(type(v) is float or (hasattr(v, "dtype") and v.dtype.kind == "float") for v in values)


def reciprocal(x: Any) -> Tensor:
    """1 / x."""
    return e.divide(1.0, x)


@reads_numbers
def addcmul(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """x + value tensor1 tensor2, broadcast.

    Args:
        x: the tensor added to.
        tensor1, tensor2: the factors.
        value: a number that scales their product.
    """
    product = e.multiply(tensor1, tensor2)
    return e.add(x, product if value == 1 else e.multiply(product, value))


@reads_numbers
def addcdiv(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """x + value tensor1 / tensor2, broadcast.

    Args:
        x: the tensor added to.
        tensor1, tensor2: dividend and divisor; raises ``TypeError`` where both are integers.
        value: the factor.
    """
    if not any_floating(tensor1, tensor2):
        raise TypeError("addcdiv: divides floating-point tensors, not integers; convert with .float() first")
    quotient = e.divide(tensor1, tensor2)
    return e.add(x, quotient if value == 1 else e.multiply(quotient, value))


@reads_numbers
def lerp(x: Tensor, end: Tensor, weight: Number | Tensor) -> Tensor:
    """x + weight (end - x): from x at weight 0 to exactly ``end`` at weight 1."""
    way = e.subtract(end, floating("lerp", x))
    if type(weight) in NUMBERS:
        return e.add(x, e.multiply(way, weight)) if -0.5 < weight < 0.5 else e.subtract(end, e.multiply(way, 1.0 - weight))
    near = e.less(e.abs(weight), 0.5)
    return where(near, e.add(x, e.multiply(weight, way)), e.subtract(end, e.multiply(way, 1.0 - weight)))


def positive(x: Tensor) -> Tensor:
    """x itself. Raises ``TypeError`` on booleans."""
    if tensor_of("positive", x).dtype is dtypes.bool_:
        raise TypeError("positive: takes numbers, not booleans")
    return x


def heaviside(x: Tensor, values: Any) -> Tensor:
    """1 where x is above 0, ``values`` where it is 0, else 0; no gradient. Raises ``TypeError`` where the dtypes differ."""
    values = as_input("heaviside", values)
    if type(values) in NUMBERS:
        return where(x == 0, values, (x > 0).to(x.dtype))
    if x.dtype is not values.dtype:
        raise TypeError(f"heaviside: x is {x.dtype} and values {values.dtype}; they must agree")
    return where(x == 0, values.detach(), (x > 0).to(x.dtype))


# --- powers, rounding, angles ------------------------------------------------------------------------------------------------


def pow(x: Any, exponent: Any) -> Tensor:
    """x to the power ``exponent``, elementwise; its derivative by x at exponent 0 is 0, at x = 0 too.

    Raises ``ValueError`` where integers are raised to a negative integer power. Where that power is a tensor on a GPU, this is not
    checked, since it would synchronize; such elements are undefined.

    >>> import adjoint as ad
    >>> ad.pow(ad.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    x, exponent = (widened(v) if getattr(v, "dtype", None) is dtypes.bool_ else v for v in (x, exponent))
    if type(exponent) in (int, float):
        if type(exponent) is int and exponent < 0 and getattr(x, "dtype", None) is not None and x.dtype.kind in ("int", "uint"):
            raise ValueError(f"pow: a {x.dtype} has no fractions for the power {exponent}; convert it to floats first")
        if exponent == 2:
            return e.square(x)
        if exponent == 0.5:
            return e.sqrt(x)
    elif type(x) in (int, float):  # the rules read the base as an array
        exponent = as_input("pow", exponent)
        x = filled_like(exponent, x)
    return e.pow(x, exponent)


def filled_like(x: Tensor, value: Number) -> Tensor:
    """``value`` as a 0-d tensor on the device of ``x`` in the dtype the two promote to."""
    dtype = x.dtype if x.dtype.kind == "float" or type(value) is int else dtypes.float32
    return full((), value, dtype=dtype, device=x.backend)


def float_power(x: Any, exponent: Any) -> Tensor:
    """x to the power ``exponent``, in float64. Numbers are taken as either, but not as both."""
    pair = [as_input("float_power", part) for part in (x, exponent)]
    return pow(*(float(part) if type(part) in NUMBERS else cast(part, dtypes.float64) for part in pair))


def ldexp(x: Tensor, other: Tensor) -> Tensor:
    """x 2^other."""
    x, other = in_floats("ldexp", x, other)
    return e.multiply(x, pow(2.0, other))


def rsqrt(x: Any) -> Tensor:
    """1 / sqrt(x)."""
    return e.divide(1.0, e.sqrt(x))


@reads_numbers
def round(x: Tensor, *, decimals: int = 0) -> Tensor:
    """Rounded to ``decimals`` decimal places, ties to even; to tens, hundreds, … where ``decimals`` is negative."""
    if decimals == 0:
        return e.round(x)
    scale = 10.0 ** builtin_abs(decimals)
    if decimals < 0:
        return e.multiply(e.round(e.divide(x, scale)), scale)
    return e.divide(e.round(e.multiply(x, scale)), scale)


def frac(x: Tensor) -> Tensor:
    """x without its whole part: x - trunc x."""
    return e.subtract(floating("frac", x), e.trunc(x))


def deg2rad(x: Tensor) -> Tensor:
    """Degrees as radians."""
    return e.multiply(x, 1.0 / DEGREES)


def rad2deg(x: Tensor) -> Tensor:
    """Radians as degrees."""
    return e.multiply(x, DEGREES)


# --- limits and choice -------------------------------------------------------------------------------------------------------


def clamp(x: Tensor, min: Number | Tensor | None = None, max: Number | Tensor | None = None) -> Tensor:
    """x limited to [min, max]; the derivative is 1 inside and on the bounds, 0 outside. Bounds may be tensors; NaN gives NaN.

    Raises ``ValueError`` where neither bound is given.
    """
    if min is None and max is None:
        raise ValueError("clamp: give min, max or both")
    if (min is None or type(min) in NUMBERS) and (max is None or type(max) in NUMBERS):
        if x.dtype.kind != "float" and float in (type(min), type(max)):
            x = cast(x, dtypes.float32)
        return e.clip(x, min=min, max=max)
    low, high = (bound if hasattr(bound, "_node") else plain("clamp", "a bound", bound) for bound in (min, max))
    if low is not min or high is not max:
        return clamp(x, low, high)
    if min is not None:
        x = where(x < min, min, _unless_nan(x >= min, x, min))
    return x if max is None else where(x > max, max, _unless_nan(x <= max, x, max))


def _unless_nan(within: Tensor, x: Tensor, bound: Number | Tensor) -> Tensor:
    """x where it is ``within`` the bound, else x + bound as a constant, which is NaN where one of the two is."""
    return where(within, x, e.add(x, bound).detach()) if any_floating(x, bound) else x


def clamp_min(x: Tensor, min: Number | Tensor) -> Tensor:
    """x, but no less than ``min``."""
    return clamp(x, min)


def clamp_max(x: Tensor, max: Number | Tensor) -> Tensor:
    """x, but no more than ``max``."""
    return clamp(x, None, max)


def fmax(x: Tensor, other: Tensor) -> Tensor:
    """The larger of ``x`` and ``other``, broadcast; of a number and NaN the number. Equals give the gradient to ``x``."""
    return where(e.logical_or(e.greater_equal(x, other), isnan(other)), x, other)


def fmin(x: Tensor, other: Tensor) -> Tensor:
    """The smaller of ``x`` and ``other``, broadcast; of a number and NaN the number. Equals give the gradient to ``x``."""
    return where(e.logical_or(e.less_equal(x, other), isnan(other)), x, other)


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    """``x`` where ``condition`` holds, else ``y``, broadcast; the one not chosen gets a gradient of 0.

    Args:
        condition: a boolean tensor. Without x and y, the indices of its nonzero elements are returned, a vector for each axis.
        x, y: tensors or numbers.

    Raises ``TypeError`` where the condition is not boolean, or only one of x and y is given.

    >>> import adjoint as ad
    >>> ad.where(ad.tensor([[True, False], [False, True]]))
    (tensor([0, 1]), tensor([0, 1]))
    """
    condition = as_input("where", condition)
    if x is None and y is None:
        return nonzero(condition, as_tuple=True)
    if x is None or y is None:
        raise TypeError("where: takes a condition alone, or both what stands where it holds and what stands elsewhere")
    if condition is True or condition is False:
        devices = [v.backend for v in (x, y) if hasattr(v, "_node")]
        condition = full((), condition, device=devices[0] if devices else None)
    if getattr(condition, "dtype", dtypes.bool_) is not dtypes.bool_:
        raise TypeError(f"where: the condition is {condition.dtype}; compare it with something to get a boolean one")
    if type(x) in NUMBERS and type(y) in NUMBERS:
        x = tensor(x, device=condition.backend)
    return e.where(condition, x, y)


def masked_fill(x: Tensor, mask: Any, value: Any) -> Tensor:
    """``value`` where ``mask`` holds, else ``x``."""
    return where(mask, value, x)


@reads_numbers
def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """``x`` with NaN and infinities replaced; the derivative is 0 there.

    Args:
        x: a tensor; integers are returned unchanged.
        nan: replaces NaN.
        posinf, neginf: replace inf and -inf; where None, the dtype's largest and lowest numbers.
    """
    if x.dtype.kind != "float":
        return x
    largest = LARGEST[x.dtype.name]
    x = where(e.equal(x, float("inf")), largest if posinf is None else posinf, x)
    x = where(e.equal(x, -float("inf")), -largest if neginf is None else neginf, x)
    return where(isnan(x), nan, x)


# --- comparison --------------------------------------------------------------------------------------------------------------


@reads_numbers
def isclose(x: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether abs(x - other) <= atol + rtol abs(other), elementwise; infinities are close to equal ones only.

    Args:
        x, other: tensors of one dtype, broadcast; raises ``TypeError`` where the dtypes differ.
        rtol, atol: the relative and the absolute tolerance; raises ``ValueError`` where one is negative.
        equal_nan: NaN is close to NaN.
    """
    other = tensor_of("isclose", other)
    if x.dtype is not other.dtype:
        raise TypeError(f"isclose: compares tensors of one dtype, not {x.dtype} and {other.dtype}")
    if rtol < 0 or atol < 0:
        raise ValueError(f"isclose: tolerances are 0 or more, not rtol={rtol} and atol={atol}")
    same = e.equal(x, other)
    if x.dtype.kind == "float" and equal_nan:
        same = e.logical_or(same, e.logical_and(isnan(x), isnan(other)))
    if x.dtype.kind != "float":
        if rtol == atol == 0:
            return same
        x, other = cast(x, dtypes.float64), cast(other, dtypes.float64)
    x, other = x.detach(), other.detach()
    finite = e.logical_and(isfinite(x), isfinite(other))
    distance = e.abs(where(finite, x, 0.0) - where(finite, other, 0.0))
    return e.logical_or(same, e.logical_and(finite, distance <= atol + rtol * e.abs(other)))


@reads_numbers
def allclose(x: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close, in the sense of :func:`isclose`.

    Args:
        x, other: tensors of one dtype, broadcast.
        rtol, atol: the relative and the absolute tolerance.
        equal_nan: NaN is close to NaN.
    """
    return bool(reductions.all(isclose(x, other, rtol, atol, equal_nan)))


def equal(x: Tensor, other: Tensor) -> bool:
    """Whether ``x`` and ``other`` have one shape and the same elements; NaN equals nothing."""
    return x.shape == other.shape and bool(reductions.all(e.equal(x, other)))


# --- copies ------------------------------------------------------------------------------------------------------------------


def cast(x: Tensor, dtype: Any) -> Tensor:
    """``x`` in another dtype; itself where it has it. Gradients pass between floating-point dtypes."""
    target = backends.as_dtype(dtype)
    if target is x.dtype:
        return x
    if not hasattr(x.backend.xp, target.name):
        raise TypeError(f"cast: the backend '{x.backend.name}' has no {target}")
    if target.kind != "float":
        x = x.detach()
    return astype(x, dtype=getattr(x.backend.xp, target.name))


def clone(x: Tensor) -> Tensor:
    """A copy, through which the gradient passes."""
    return shapes.copy(x)


publish(globals())
