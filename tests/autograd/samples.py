"""For every primitive: how to draw inputs and parameters for it away from its kinks, and what its value must be.

``SAMPLES[name]`` is a strategy of :class:`Sample`. The tests walk the registry and look each primitive up here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import scipy.special
from hypothesis import strategies as st

import adjoint as ad
from adjoint.testing.strategies import broadcastable_shapes, floats_away_from, shapes


@dataclass
class Sample:
    inputs: list[Any]
    params: dict[str, Any] = field(default_factory=dict)
    value: Any = None  #: what NumPy or SciPy computes of them


SAMPLES: dict[str, st.SearchStrategy[Sample]] = {}
ANY = st.floats(-3, 3, width=32)
SMALL = shapes(max_dims=3, max_side=3)


def array(draw: Any, shape: tuple[int, ...], elements: Any = ANY, dtype: Any = np.float64) -> Any:
    drawn = draw(st.lists(elements, min_size=prod(shape), max_size=prod(shape)))
    return np.array(drawn, dtype).reshape(shape)


def distinct(draw: Any, shape: tuple[int, ...]) -> Any:
    """Numbers at least half apart, in random order."""
    return np.array(draw(st.permutations(range(prod(shape)))), np.float64).reshape(shape) * 0.5 - 1


@st.composite
def laid_out(draw: Any, values: Any) -> ad.Tensor:
    """The values as a tensor, some of them in memory that is transposed, strided, reversed or spread out."""
    how = draw(st.sampled_from(["plain", "transposed", "strided", "reversed", "offset"]))
    if values.ndim == 0 or how == "plain":
        return ad.tensor(values)
    if how == "transposed":
        return ad.tensor(np.ascontiguousarray(values.T)).permute(*reversed(range(values.ndim)))
    if how == "strided":
        return ad.tensor(np.repeat(values, 2, axis=-1))[..., ::2]
    if how == "reversed":
        return ad.tensor(np.ascontiguousarray(values[::-1]))[::-1]
    return ad.tensor(np.concatenate([values[:0], np.ones((1, *values.shape[1:]), values.dtype), values]))[1:]


def sample(name: str) -> Callable[[Any], Any]:
    def add(build: Any) -> Any:
        assert name not in SAMPLES
        SAMPLES[name] = st.composite(build)()
        return build

    return add


# --- elementwise ---------------------------------------------------------------------------------------------------------------


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


OFF_ZERO = floats_away_from([0.0])
FAR_FROM_ZERO = floats_away_from([0.0], 0.5)
OFF_WHOLE = st.builds(lambda whole, rest: whole + rest, st.integers(-3, 2), st.floats(0.3, 0.7))
OFF_HALF_TOO = floats_away_from([k / 2 for k in range(-6, 7)])
POSITIVE = st.floats(0.3, 3)
NEAR_QUARTER = st.builds(lambda whole, rest: whole + 0.25 + rest, st.integers(-2, 2), st.floats(-0.1, 0.1))
NEAR_THREE_QUARTERS = NEAR_QUARTER.map(lambda v: v + 0.5)
BOOLS, SMALL_INTS = st.booleans(), st.integers(-3, 3)

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
binary("divide", ANY, FAR_FROM_ZERO)
binary("floor_divide", OFF_WHOLE, st.sampled_from([1.0, -1.0, 2.0, -2.0]))
binary("remainder", OFF_WHOLE, st.sampled_from([1.0, -1.0, 2.0, -2.0]))
binary("pow", POSITIVE, ANY, np.power)
binary("maximum", NEAR_QUARTER, NEAR_THREE_QUARTERS)
binary("minimum", NEAR_QUARTER, NEAR_THREE_QUARTERS)
binary("atan2", FAR_FROM_ZERO, FAR_FROM_ZERO, np.arctan2)
binary("logaddexp")
binary("copysign", OFF_ZERO, OFF_ZERO)
binary("fmod", OFF_WHOLE, st.sampled_from([1.0, -1.0]))
binary("hypot", FAR_FROM_ZERO, FAR_FROM_ZERO)


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


# --- reductions ----------------------------------------------------------------------------------------------------------------


def an_axis(draw: Any, ndim: int) -> int:
    return draw(st.integers(-ndim, ndim - 1))


def some_axes(draw: Any, ndim: int) -> Any:
    """None, one axis or several, counted from either end."""
    if ndim == 0:
        return None
    several = st.lists(st.integers(0, ndim - 1), unique=True, min_size=1).map(
        lambda axes: tuple(a - ndim if i % 2 else a for i, a in enumerate(axes))
    )
    return draw(st.one_of(st.none(), st.integers(-ndim, ndim - 1), several))


def reduction(name: str, make: Any, min_side: int = 1, one_axis: bool = False) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        shape = draw(shapes(max_dims=3, min_side=min_side, max_side=3))
        axis = (an_axis(draw, len(shape)) if shape and draw(BOOLS) else None) if one_axis else some_axes(draw, len(shape))
        x = make(draw, shape)
        params = {"axis": axis, "keepdims": draw(BOOLS)}
        return Sample([x], params, getattr(np, name)(x, **params))


reduction("sum", array, min_side=0)
reduction("mean", array)
reduction("max", distinct)
reduction("min", distinct)
reduction("argmax", distinct, one_axis=True)
reduction("argmin", distinct, one_axis=True)
reduction("all", lambda draw, shape: array(draw, shape, SMALL_INTS), min_side=0)
reduction("any", lambda draw, shape: array(draw, shape, SMALL_INTS), min_side=0)

WITH_AXES = shapes(min_dims=1, max_dims=3, max_side=3)


@sample("cumulative_sum")
def _(draw: Any) -> Sample:
    x = array(draw, draw(WITH_AXES))
    axis = an_axis(draw, x.ndim)
    return Sample([x], {"axis": axis}, np.cumsum(x, axis))


@sample("argsort")
def _(draw: Any) -> Sample:
    x = array(draw, draw(WITH_AXES), SMALL_INTS)
    axis, descending = an_axis(draw, x.ndim), draw(BOOLS)
    return Sample([x], {"axis": axis, "descending": descending}, np.argsort(-x if descending else x, axis, kind="stable"))


@sample("cumulative_argmax")
def _(draw: Any) -> Sample:
    x, least = array(draw, draw(WITH_AXES), SMALL_INTS), draw(BOOLS)
    best = (np.minimum if least else np.maximum).accumulate(x)
    at = np.arange(len(x)).reshape((-1, *(1,) * (x.ndim - 1)))
    return Sample([x], {"least": least}, np.maximum.accumulate(np.where(x == best, at, 0)))


@sample("argwhere")
def _(draw: Any) -> Sample:
    x = array(draw, draw(WITH_AXES), SMALL_INTS)
    return Sample([x], {}, np.argwhere(x))


@sample("searchsorted")
def _(draw: Any) -> Sample:
    x, values = np.sort(array(draw, draw(shapes(1, 1, max_side=4)), SMALL_INTS)), array(draw, draw(SMALL), SMALL_INTS)
    side = draw(st.sampled_from(["left", "right"]))
    return Sample([x, values], {"side": side}, np.searchsorted(x, values, side))


# --- shapes --------------------------------------------------------------------------------------------------------------------


@sample("alias")
@sample("copy")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    return Sample([x], {}, x)


@sample("astype")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    return Sample([x], {"dtype": ad.backends.default().xp.float64}, x)


@sample("transfer")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    here = ad.backends.default()
    there = ad.backends.get("strict" if here.name == "numpy" else "numpy")
    return Sample([x], {"source": here, "target": there}, x)


@sample("reshape")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    shape = draw(st.sampled_from([x.shape[::-1], (x.size,), (1, x.size), (x.size, 1, 1), x.shape]))
    return Sample([x], {"shape": shape}, x.reshape(shape))


@sample("permute_dims")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axes = tuple(a - x.ndim if draw(BOOLS) else a for a in draw(st.permutations(range(x.ndim))))
    return Sample([x], {"axes": axes}, x.transpose(axes) if axes else x)


@sample("matrix_transpose")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3)))
    return Sample([x], {}, np.swapaxes(x, -1, -2))


@sample("broadcast_to")
def _(draw: Any) -> Sample:
    a, b = draw(broadcastable_shapes(2, 3, 0, 3))
    x, shape = array(draw, a), np.broadcast_shapes(a, b)
    return Sample([x], {"shape": shape}, np.broadcast_to(x, shape))


@sample("expand_dims")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axis = an_axis(draw, x.ndim + 1)
    return Sample([x], {"axis": axis}, np.expand_dims(x, axis))


@sample("squeeze")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(max_dims=4, max_side=2)))
    axis = tuple(i for i, n in enumerate(x.shape) if n == 1 and draw(BOOLS))
    return Sample([x], {"axis": axis}, np.squeeze(x, axis))


@sample("flip")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axis = some_axes(draw, x.ndim)
    return Sample([x], {"axis": axis}, np.flip(x, axis))


@sample("roll")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axis = some_axes(draw, x.ndim)
    shift = tuple(draw(SMALL_INTS) for _ in axis) if isinstance(axis, tuple) else draw(SMALL_INTS)
    return Sample([x], {"shift": shift, "axis": axis}, np.roll(x, shift, axis))


@sample("tril")
def _(draw: Any) -> Sample:
    x, k = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3))), draw(SMALL_INTS)
    return Sample([x], {"k": k}, np.tril(x, k))


@sample("triu")
def _(draw: Any) -> Sample:
    x, k = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3))), draw(SMALL_INTS)
    return Sample([x], {"k": k}, np.triu(x, k))


@sample("concat")
def _(draw: Any) -> Sample:
    shape = draw(WITH_AXES)
    axis = an_axis(draw, len(shape))
    at = axis % len(shape)
    arrays = [array(draw, (*shape[:at], n, *shape[at + 1 :])) for n in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))]
    return Sample(arrays, {"axis": axis}, np.concatenate(arrays, axis))


# --- indexing ------------------------------------------------------------------------------------------------------------------


@st.composite
def indices(draw: Any, shape: tuple[int, ...], advanced: bool = True, backwards: bool = True) -> Any:
    """An index into an array of ``shape``: whole numbers, slices, None, an ellipsis, integer arrays that broadcast, a mask."""
    parts: list[Any] = []
    together = draw(shapes(max_dims=2, max_side=3))  # the shape that this index's integer arrays broadcast to
    axis, stop = 0, draw(st.integers(0, len(shape)))
    while axis < stop:
        n = shape[axis]
        kinds = ["slice", "whole", *(["numbers", "mask"] if advanced else [])]
        kind = draw(st.sampled_from([kind for kind in kinds if n or kind in ("slice", "mask")]))
        if kind == "slice":
            step = draw(st.sampled_from([None, 1, 2, *([-1, -2] if backwards else [])]))
            a, b = sorted(draw(st.tuples(st.integers(-n, n), st.integers(-n, n))))
            parts.append(slice(b, a, step) if step and step < 0 else slice(draw(st.sampled_from([None, a])), b, step))
        elif kind == "whole":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "numbers":
            parts.append(array(draw, together, st.integers(-n, n - 1), np.int64))
        else:  # exactly as many chosen as the integer arrays are long, so that they go together
            if together and together[-1] <= n and len(together) == 1:
                mask = np.zeros(n, np.bool_)
                mask[draw(st.permutations(range(n)))[: together[0]]] = True
                parts.append(mask)
            else:
                parts.append(slice(None))
        axis += 1
    if draw(BOOLS):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(BOOLS):
        left_out = [i for i in range(len(parts) + 1) if i == len(parts)]
        parts.insert(left_out[0], Ellipsis)
    return parts[0] if len(parts) == 1 and draw(BOOLS) else tuple(parts)


def on_backend(index: Any) -> Any:
    """The index with its arrays on the default backend, as primitives take it."""
    if isinstance(index, tuple):
        return tuple(on_backend(part) for part in index)
    return ad.backends.default().asarray(index) if isinstance(index, np.ndarray) else index


@sample("getitem")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    index = draw(indices(x.shape))
    return Sample([x], {"index": on_backend(index)}, x[index])


@sample("scatter_add")
def _(draw: Any) -> Sample:
    shape = draw(SMALL)
    index = draw(indices(shape))
    x = array(draw, np.zeros(shape)[index].shape)
    value = np.zeros(shape)
    np.add.at(value, index, x)
    return Sample([x], {"index": on_backend(index), "shape": shape}, value)


@sample("index_put")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    index = draw(indices(x.shape, advanced=False))
    target = x[index].shape
    kept = target[draw(st.integers(0, len(target))) :]
    shape = tuple(1 if draw(BOOLS) else n for n in kept)
    value, result = array(draw, shape), x.copy()
    result[index] = value
    return Sample([x, value], {"index": on_backend(index)}, result)


# --- matrices and networks -----------------------------------------------------------------------------------------------------


@sample("matmul")
def _(draw: Any) -> Sample:
    n, k, m = draw(st.tuples(*[st.integers(0, 3)] * 3))
    a, b = draw(broadcastable_shapes(2, 2, 0, 2))
    x, y = array(draw, (*a, n, k)), array(draw, (*b, k, m))
    return Sample([x, y], {}, x @ y)


@sample("linear")
def _(draw: Any) -> Sample:
    lead, n, m = draw(shapes(max_dims=2, max_side=3)), draw(st.integers(0, 3)), draw(st.integers(0, 3))
    x, weight, bias = array(draw, (*lead, n)), array(draw, (m, n)), array(draw, (m,))
    return Sample([x, weight, bias], {}, x @ weight.T + bias)


@sample("softmax")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)))
    axis = an_axis(draw, x.ndim)
    return Sample([x], {"axis": axis}, scipy.special.softmax(x, axis))


@sample("log_softmax")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)))
    axis = an_axis(draw, x.ndim)
    return Sample([x], {"axis": axis}, scipy.special.log_softmax(x, axis))


def activation(name: str, elements: Any, reference: Any, **params: Any) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        x = array(draw, draw(SMALL), elements)
        return Sample([x], params, reference(x))


activation("leaky_relu", OFF_ZERO, lambda x: np.where(x > 0, x, 0.1 * x), negative_slope=0.1)
activation("elu", OFF_ZERO, lambda x: np.where(x > 0, x, 1.5 * np.expm1(x)), alpha=1.5)
activation("softplus", floats_away_from([2.0]), lambda x: np.where(x > 2, x, np.log1p(np.exp(2 * x)) / 2), beta=2.0, threshold=4.0)
activation("normal_cdf", ANY, scipy.special.ndtr)
activation("normal_cdf_tanh", ANY, lambda x: (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2)


@sample("cross_entropy")
def _(draw: Any) -> Sample:
    n, classes, total = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(BOOLS)
    x = array(draw, (n, classes))
    scale = array(draw, (n,), st.sampled_from([0.0, 0.5, 1.0]), np.float32)  # float32: it has no rule
    rows, labels = np.arange(n), array(draw, (n,), st.integers(0, classes - 1), np.int64)
    losses = -scale * scipy.special.log_softmax(x, 1)[rows, labels]
    params = {"index": on_backend((rows, labels)), "total": total}
    return Sample([x, scale], params, losses.sum() if total else losses)


@sample("squared_error")
def _(draw: Any) -> Sample:
    a, b = draw(broadcastable_shapes(2, 2, 0, 3))
    x, y = array(draw, a), array(draw, b)
    return Sample([x, y], {"scale": 0.5}, 0.5 * np.sum((x - y) ** 2))


@sample("binary_cross_entropy")
def _(draw: Any) -> Sample:
    a, b = draw(broadcastable_shapes(2, 2, 0, 3))
    x, y = array(draw, a, st.floats(0.1, 0.9)), array(draw, b, st.floats(0, 1))
    return Sample([x, y], {}, -scipy.special.xlogy(y, x) - scipy.special.xlog1py(1 - y, -x))


@sample("binary_cross_entropy_with_logits")
def _(draw: Any) -> Sample:
    a, b, c = draw(broadcastable_shapes(3, 2, 0, 3))
    x, y, positive = array(draw, a), array(draw, b, st.floats(0, 1)), array(draw, c, POSITIVE)
    value = positive * y * np.logaddexp(0, -x) + (1 - y) * np.logaddexp(0, x)
    return Sample([x, y, positive], {}, value)
