"""Samples of the primitives that work element by element."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from hypothesis import strategies as st

from adjoint.testing.strategies import broadcastable_shapes

from .drawing import (
    ANY,
    BOOLS,
    FAR_FROM_ZERO,
    NEAR_QUARTER,
    NEAR_THREE_QUARTERS,
    OFF_HALF_TOO,
    OFF_WHOLE,
    OFF_ZERO,
    POSITIVE,
    SMALL,
    SMALL_INTS,
    Sample,
    array,
    sample,
)


def unary(name: str, elements: Any = ANY, reference: Any = None, dtype: Any = np.float64) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        x = array(draw, draw(SMALL), elements, dtype)
        return Sample([x], {}, (reference or getattr(np, name))(x))


def binary(name: str, first: Any = ANY, second: Any = ANY, reference: Any = None, dtype: Any = np.float64) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        a, b = draw(broadcastable_shapes(2, 3, 0, 3))
        x, y = array(draw, a, first, dtype), array(draw, b, second, dtype)
        return Sample([x, y], {}, (reference or getattr(np, name))(x, y))


for name in "exp expm1 sin cos atan sinh cosh tanh asinh negative square".split():
    unary(name, reference={"atan": np.arctan, "asinh": np.arcsinh}.get(name))
for name in "log log2 log10 sqrt".split():
    unary(name, POSITIVE)
for name in "asin acos atanh".split():
    unary(name, st.floats(-0.8, 0.8), {"asin": np.arcsin, "acos": np.arccos, "atanh": np.arctanh}[name])
for name in "floor ceil trunc".split():
    unary(name, OFF_WHOLE)
unary("round", OFF_HALF_TOO)
unary("sign", OFF_ZERO)
unary("abs", OFF_ZERO)
unary("relu", OFF_ZERO, lambda x: np.maximum(x, 0))
unary("tan", st.floats(-1.2, 1.2))
unary("log1p", st.floats(-0.6, 3))
unary("acosh", st.floats(1.3, 4), np.arccosh)
unary("sigmoid", reference=scipy.special.expit)
unary("erf", reference=scipy.special.erf)
unary("erfc", reference=scipy.special.erfc)
unary("log_ndtr", reference=scipy.special.log_ndtr)
unary("erfinv", st.floats(-0.95, 0.95), scipy.special.erfinv)
unary("logit", st.floats(0.05, 0.95), scipy.special.logit)
unary("entr", POSITIVE, scipy.special.entr)
for name in "isnan isinf isfinite".split():
    unary(name, st.sampled_from([0.0, -1.5, np.inf, -np.inf, np.nan]))
unary("logical_not", BOOLS, dtype=np.bool_)
unary("bitwise_invert", SMALL_INTS, np.invert, np.int64)

for name in "add subtract multiply".split():
    binary(name)
for name in "equal not_equal less less_equal greater greater_equal".split():
    binary(name, SMALL_INTS, SMALL_INTS)
for name in "logical_and logical_or logical_xor".split():
    binary(name, SMALL_INTS, SMALL_INTS, dtype=np.int64)
for name in "bitwise_and bitwise_or bitwise_xor".split():
    binary(name, SMALL_INTS, SMALL_INTS, dtype=np.int64)
for name in "bitwise_left_shift bitwise_right_shift".split():
    binary(name, SMALL_INTS, st.integers(0, 3), getattr(np, name), np.int64)
binary("divide", ANY, FAR_FROM_ZERO)
binary("floor_divide", OFF_WHOLE, st.sampled_from([1.0, -1.0, 2.0, -2.0]))
binary("remainder", OFF_WHOLE, st.sampled_from([1.0, -1.0, 2.0, -2.0]))
binary("pow", POSITIVE, ANY, np.power)
binary("maximum", NEAR_QUARTER, NEAR_THREE_QUARTERS)
binary("minimum", NEAR_QUARTER, NEAR_THREE_QUARTERS)
binary("atan2", FAR_FROM_ZERO, FAR_FROM_ZERO, np.arctan2)
binary("atan2_slope", FAR_FROM_ZERO, FAR_FROM_ZERO, lambda x, y: x / (x * x + y * y))
binary("logaddexp")
binary("copysign", OFF_ZERO, OFF_ZERO)
binary("fmod", OFF_WHOLE, st.sampled_from([1.0, -1.0]))
binary("hypot", FAR_FROM_ZERO, FAR_FROM_ZERO)
binary("nextafter", NEAR_QUARTER, NEAR_THREE_QUARTERS)


@sample("clip")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL), OFF_WHOLE)
    low, high = draw(st.sampled_from([(None, 1), (-1, None), (-1, 2.0), (0.0, 0.0), (2, -2)]))
    bounded = x if low is None else np.maximum(x, low)
    return Sample([x], {"min": low, "max": high}, bounded if high is None else np.minimum(bounded, high))


@sample("where")
def _(draw: Any) -> Sample:
    c, a, b = draw(broadcastable_shapes(3, 3, 0, 3))
    condition, x, y = array(draw, c, BOOLS, np.bool_), array(draw, a), array(draw, b)
    return Sample([condition, x, y], {}, np.where(condition, x, y))
