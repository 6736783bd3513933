"""Elementwise arithmetic composed of the primitives: sums of products, mixtures, choices that pass NaN by, closeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...backends import dtypes
from ..arguments import NUMBERS, Number, floating, in_floats, reads_numbers, tensor_of
from ..primitive import as_input
from ..rules import elementwise as e
from ..rules import reductions
from .elementwise import any_floating, cast, isfinite, isnan, pow, subtract, where

if TYPE_CHECKING:
    from ..tensor import Tensor

DEGREES = 57.29577951308232  #: in a radian
LARGEST = {"float16": 65504.0, "float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}


@reads_numbers
def addcmul(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """x + value tensor1 tensor2."""
    product = e.multiply(tensor1, tensor2)
    return e.add(x, product if value == 1 else e.multiply(product, value))


@reads_numbers
def addcdiv(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """x + value tensor1 / tensor2. Raises ``TypeError`` where both of these are integers."""
    if not any_floating(tensor1, tensor2):
        raise TypeError("addcdiv: divides floating-point tensors, not integers; convert with .float() first")
    quotient = e.divide(tensor1, tensor2)
    return e.add(x, quotient if value == 1 else e.multiply(quotient, value))


def heaviside(x: Tensor, values: Any) -> Tensor:
    """1 where x is above 0, ``values`` where it is 0, else 0; no gradient. Raises ``TypeError`` where the dtypes differ."""
    values = as_input("heaviside", values)
    if type(values) in NUMBERS:
        return where(x == 0, values, (x > 0).to(x.dtype))
    if x.dtype is not values.dtype:
        raise TypeError(f"heaviside: x is {x.dtype} and values {values.dtype}; they must agree")
    return where(x == 0, values.detach(), (x > 0).to(x.dtype))


@reads_numbers
def rsub(x: Any, other: Any, *, alpha: Number = 1) -> Tensor:
    """other - alpha x."""
    return subtract(other, x, alpha=alpha)


def positive(x: Tensor) -> Tensor:
    """x itself. Raises ``TypeError`` on booleans."""
    if tensor_of("positive", x).dtype is dtypes.bool_:
        raise TypeError("positive: takes numbers, not booleans")
    return x


@reads_numbers
def lerp(x: Tensor, end: Tensor, weight: Number | Tensor) -> Tensor:
    """x + weight (end - x): from x at weight 0 to exactly ``end`` at weight 1."""
    way = e.subtract(end, floating("lerp", x))
    if type(weight) in NUMBERS:
        return e.add(x, e.multiply(way, weight)) if -0.5 < weight < 0.5 else e.subtract(end, e.multiply(way, 1.0 - weight))
    near = e.less(e.abs(weight), 0.5)
    return where(near, e.add(x, e.multiply(weight, way)), e.subtract(end, e.multiply(way, 1.0 - weight)))


def frac(x: Tensor) -> Tensor:
    """x without its whole part: x - trunc x."""
    return e.subtract(floating("frac", x), e.trunc(x))


def ldexp(x: Tensor, other: Tensor) -> Tensor:
    """x 2^other."""
    x, other = in_floats("ldexp", x, other)
    return e.multiply(x, pow(2.0, other))


def float_power(x: Any, exponent: Any) -> Tensor:
    """x to the power ``exponent``, in float64. Numbers are taken as either, but not as both."""
    pair = [as_input("float_power", part) for part in (x, exponent)]
    return pow(*(float(part) if type(part) in NUMBERS else cast(part, dtypes.float64) for part in pair))


def deg2rad(x: Tensor) -> Tensor:
    """Degrees as radians."""
    return e.multiply(x, 1.0 / DEGREES)


def rad2deg(x: Tensor) -> Tensor:
    """Radians as degrees."""
    return e.multiply(x, DEGREES)


def fmax(x: Tensor, other: Tensor) -> Tensor:
    """The larger of each pair; of a number and NaN the number. Of equals the gradient goes to ``x``."""
    return where(e.logical_or(e.greater_equal(x, other), isnan(other)), x, other)


def fmin(x: Tensor, other: Tensor) -> Tensor:
    """The smaller of each pair; of a number and NaN the number. Of equals the gradient goes to ``x``."""
    return where(e.logical_or(e.less_equal(x, other), isnan(other)), x, other)


@reads_numbers
def nan_to_num(x: Tensor, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """``nan`` for NaN, and for the infinities ``posinf`` and ``neginf``, where None the dtype's largest and lowest numbers.

    The derivative is 0 where something was replaced.
    """
    if x.dtype.kind != "float":
        return x
    largest = LARGEST[x.dtype.name]
    x = where(e.equal(x, float("inf")), largest if posinf is None else posinf, x)
    x = where(e.equal(x, -float("inf")), -largest if neginf is None else neginf, x)
    return where(isnan(x), nan, x)


@reads_numbers
def isclose(x: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether abs(x - other) <= atol + rtol abs(other), each of its own; infinities are close to themselves only.

    Raises ``TypeError`` where the dtypes differ, ``ValueError`` on negative tolerances.
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
    """Whether all elements are close, in the sense of :func:`isclose`."""
    return bool(reductions.all(isclose(x, other, rtol, atol, equal_nan)))


def equal(x: Tensor, other: Tensor) -> bool:
    """Whether the two have one shape and the same elements; NaN equals nothing."""
    return x.shape == other.shape and bool(reductions.all(e.equal(x, other)))
