"""Functions of ``Extras`` written against the standard, and what is asked of an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

# W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23 (1969), 631-637.
# Numerators and denominators by rising power, for |x| up to 0.46875 (erf), up to 4 and beyond (erfc); float64 throughout.
_NEAR = (
    (3.20937758913846947e03, 3.77485237685302021e02, 1.13864154151050156e02, 3.16112374387056560e00, 1.85777706184603153e-1),
    (2.84423683343917062e03, 1.28261652607737228e03, 2.44024637934444173e02, 2.36012909523441209e01, 1.0),
)
_MIDDLE = (
    (
        1.23033935479799725e03, 2.05107837782607147e03, 1.71204761263407058e03, 8.81952221241769090e02, 2.98635138197400131e02,
        6.61191906371416295e01, 8.88314979438837594e00, 5.64188496988670089e-1, 2.15311535474403846e-8,
    ),
    (
        1.23033935480374942e03, 3.43936767414372164e03, 4.36261909014324716e03, 3.29079923573345963e03, 1.62138957456669019e03,
        5.37181101862009858e02, 1.17693950891312499e02, 1.57449261107098347e01, 1.0,
    ),
)  # fmt: skip
_FAR = (
    (-6.58749161529837803e-4, -1.60837851487422766e-2, -1.25781726111229246e-1, -3.60344899949804439e-1, -3.05326634961232344e-1,
     -1.63153871373020978e-2),
    (2.33520497626869185e-3, 6.05183413124413191e-2, 5.27905102951428412e-1, 1.87295284992346725e00, 2.56852019228982242e00, 1.0),
)  # fmt: skip
_ONE_OVER_SQRT_PI = 0.5641895835477563

# Of float32, erf x = tanh(x p(x^2)) and the normal distribution function is sigmoid(x q(x^2)), after E. Page, "Approximations to
# the cumulative normal function and its inverse for use on a pocket calculator", Applied Statistics 26 (1977), 75-76. The
# polynomials, by rising power, have the smallest largest error: p relative in erf, up to 4.1, q absolute in the function, up to
# 5.8; beyond these both results have reached their limit.
_ERF_SINGLE = (
    1.12837918, 0.102772152, -0.000206583745, -0.000595441894, 6.94403379e-05, 1.27093764e-06, -1.27474792e-06, 1.54164135e-07,
    -8.3269556e-09, 1.74753164e-10,
)  # fmt: skip
_NORMAL_SINGLE = (
    1.59576988, 0.0726661692, -6.51895271e-05, -0.000110612691, 7.92956003e-06, -2.64533137e-07, 3.51253566e-09,
)  # fmt: skip


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], t: Any) -> Any:
    numerator, denominator = (polynomial(coefficients, t) for coefficients in table)
    return numerator / denominator


def polynomial(coefficients: tuple[float, ...], t: Any) -> Any:
    """Horner's scheme, the coefficients by rising power."""
    value = t * coefficients[-1]
    value += coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        value *= t
        value += coefficient
    return value


def _scaled_tail(xp: Any, size: Any) -> Any:
    """exp(size^2) erfc(size) for sizes of at least 0.46875."""
    far_x = xp.maximum(size, xp.full_like(size, 4.0))
    t = 1.0 / far_x / far_x
    far = (_ONE_OVER_SQRT_PI + t * _ratio(_FAR, t)) / far_x
    return xp.where(size > 4.0, far, _ratio(_MIDDLE, xp.minimum(size, xp.full_like(size, 4.0))))


def _near(xp: Any, x: Any) -> Any:
    """erf x for sizes up to 0.46875."""
    return x * _ratio(_NEAR, xp.minimum(x * x, xp.full_like(x, 0.25)))


def erf(xp: Any, x: Any) -> Any:
    """The error function to within two units of float64's last place, by Cody (1969), or four of float32's, by one tanh.

    Float16 is computed in float32. In float32 the square may overflow, on the way to 1.
    """
    if x.dtype == getattr(xp, "float16", None):
        return xp.astype(erf(xp, xp.astype(x, xp.float32)), x.dtype)
    if x.dtype == xp.float32:
        inner = polynomial(_ERF_SINGLE, x * x)
        inner *= x
        return xp.tanh(inner)
    size = xp.minimum(xp.abs(x), xp.full_like(x, 6.0))
    tail = 1.0 - xp.exp(-size * size) * _scaled_tail(xp, size)
    return xp.where(size <= 0.46875, _near(xp, x), xp.where(x < 0.0, -tail, tail))


def sigmoid(xp: Any, x: Any) -> Any:
    """1 / (1 + exp(-x)), where the exponential may overflow, on the way to 0. Float16 is computed in float32."""
    if x.dtype == getattr(xp, "float16", None):
        return xp.astype(sigmoid(xp, xp.astype(x, xp.float32)), x.dtype)
    odds = xp.exp(-x)
    odds += 1.0
    return 1.0 / odds


def normal_cdf_by_erf(xp: Any, x: Any) -> Any:
    """How much of the standard normal distribution lies below x."""
    return 0.5 + 0.5 * xp.erf(_SQRT_HALF * x)


def normal_cdf(xp: Any, x: Any) -> Any:
    """How much of the standard normal distribution lies below x, to within 1.2e-7 of float32, which is by one exponential.

    Float16 is computed in float32.
    """
    if x.dtype == getattr(xp, "float16", None):
        return xp.astype(normal_cdf(xp, xp.astype(x, xp.float32)), x.dtype)
    if x.dtype != xp.float32:
        return normal_cdf_by_erf(xp, x)
    inner = polynomial(_NORMAL_SINGLE, x * x)
    inner *= x
    return xp.sigmoid(inner)


def erfc(xp: Any, x: Any) -> Any:
    """1 - erf x, to a few units of the last place in the tail too; Cody (1969)."""
    size = xp.minimum(xp.abs(x), xp.full_like(x, 30.0))
    head = xp.trunc(16.0 * size) / 16.0  # its square is exact, so that the exponential keeps its digits
    tail = xp.exp(-head * head) * xp.exp(-(size - head) * (size + head)) * _scaled_tail(xp, size)
    return xp.where(size <= 0.46875, 1.0 - _near(xp, x), xp.where(x < 0.0, 2.0 - tail, tail))


def erfcx(xp: Any, x: Any) -> Any:
    """exp(x^2) erfc x, without overflow for large x; Cody (1969)."""
    size = xp.abs(x)
    tail = _scaled_tail(xp, size)
    low = xp.maximum(xp.minimum(x, xp.zeros_like(x)), xp.full_like(x, -26.0))  # its square's exponential is near the largest number
    near_x = xp.where(size <= 0.46875, x, xp.zeros_like(x))
    near = xp.exp(near_x * near_x) * (1.0 - _near(xp, near_x))
    return xp.where(size <= 0.46875, near, xp.where(x < 0.0, 2.0 * xp.exp(low * low) - tail, tail))


# M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988), 477-484.
# Numerators and denominators by rising power: in the middle, towards the ends, and at the ends; float64 throughout.
_CENTRAL = (
    (
        3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
        4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3,
    ),
    (
        1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
        3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3,
    ),
)  # fmt: skip
_OUTER = (
    (
        1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
        1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4,
    ),
    (
        1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
        1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9,
    ),
)  # fmt: skip
_EXTREME = (
    (
        6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
        2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7,
    ),
    (
        1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
        1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15,
    ),
)  # fmt: skip
_SQRT_HALF = 0.7071067811865476


def erfinv(xp: Any, x: Any) -> Any:
    """Where the error function is x: infinite at 1 and -1, NaN beyond; Wichura (1988)."""
    size, limit = xp.abs(x), xp.full_like(x, 0.85)
    central = 0.5 * x * _ratio(_CENTRAL, 0.180625 - 0.25 * xp.square(xp.minimum(size, limit)))
    outer_size = xp.where(size < 1.0, xp.maximum(size, limit), limit)
    r = xp.sqrt(-xp.log(0.5 * (1.0 - outer_size)))
    outer = xp.where(r > 5.0, _ratio(_EXTREME, r - 5.0), _ratio(_OUTER, r - 1.6))
    outer = xp.where(size < 1.0, outer, xp.where(size == 1.0, float("inf"), xp.full_like(x, float("nan"))))
    return _SQRT_HALF * xp.where(size <= 0.85, central, xp.where(x < 0.0, -outer, outer))


def root_mean_square(xp: Any, x: Any, *, axis: Any, divisor: float, eps: float) -> Any:
    """sqrt(sum of x^2 / divisor + eps) at any scale: float32 is squared in float64, and float64 scaled by its largest size."""
    if x.dtype == xp.float32:
        wide = xp.astype(x, xp.float64)
        return xp.astype(xp.sqrt(xp.sum(wide * wide, axis=axis, keepdims=True) / divisor + eps), x.dtype)
    if 0 in x.shape:
        return xp.sqrt(xp.sum(x, axis=axis, keepdims=True) + eps)
    top = xp.maximum(xp.max(xp.abs(x), axis=axis, keepdims=True), eps**0.5)
    top = xp.where(xp.logical_and(top > 0, top < float("inf")), top, 1.0)
    scaled = x / top
    return xp.sqrt(xp.sum(scaled * scaled, axis=axis, keepdims=True) / divisor + eps / top / top) * top


def are_indices(xp: Any, x: Any, n: int) -> Any:
    """Whether every integer in ``x`` is from 0 to n - 1."""
    x = xp.astype(x, xp.int64)  # n may be more than a smaller dtype holds
    return xp.all(xp.logical_and(x >= 0, x < n))


def index_put(xp: Any, x: Any, value: Any, index: Any) -> Any:
    """A copy of ``x`` with ``x[index]`` replaced by ``value``, broadcast."""
    result = xp.asarray(x, copy=True)
    xp.setitem(result, value, index)
    return result


def is_basic(index: Any) -> bool:
    """Whether indexing by ``index`` gives a view, without repetitions: it has integers, slices, ``None`` and ``...`` only."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None or part is Ellipsis or (isinstance(part, (int, slice)) and not isinstance(part, bool)) for part in parts
    )


def keeping_array(index: Any) -> Any:
    """The same index, which picks a 0-d array instead of a scalar."""
    parts = index if isinstance(index, tuple) else (index,)
    return parts if any(part is Ellipsis for part in parts) else (*parts, ...)


def is_mask(part: Any) -> bool:
    """Whether a part of an index is an array of booleans."""
    if not hasattr(part, "dtype"):
        return False
    return bool(part.dtype.kind == "b") if hasattr(part.dtype, "kind") else "bool" in str(part.dtype)


def may_repeat(index: Any) -> bool:
    """Whether an index may pick an element more than once: it has an array of several integers."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(hasattr(part, "dtype") and part.size > 1 and not is_mask(part) for part in parts)


def places(xp: Any, shape: tuple[int, ...], index: Any) -> tuple[Any, int]:
    """For each element of ``x[index]``, the number of the place that the index's arrays pick, and how many places there are.

    Axes that slices pick have length one, so that the numbers broadcast to the elements of ``x[index]``.
    """
    parts = index if isinstance(index, tuple) else (index,)
    axes = [part.ndim if is_mask(part) else 0 if part is None or part is ... or type(part) is bool else 1 for part in parts]
    picks: list[Any] = []
    lengths: list[int] = []
    for part, n in zip(parts, axes, strict=True):
        if part is Ellipsis or isinstance(part, slice):
            n = len(shape) - sum(axes) if part is Ellipsis else 1
            picks += [slice(None)] * n
            lengths += [1] * n
        else:
            picks.append(part)
            lengths += shape[len(lengths) : len(lengths) + n]
    lengths += [1] * (len(shape) - len(lengths))
    count = prod(lengths)
    return xp.getitem(xp.reshape(xp.arange(count), tuple(lengths)), tuple(picks)), count


def last_writes(xp: Any, x: Any, index: Any) -> Any:
    """For each element of ``x[index]``, whether no later one lies at the same place; booleans that broadcast to it."""
    where, count = places(xp, x.shape, index)
    flat, numbers = xp.reshape(where, (-1,)), xp.arange(where.size)
    last = xp.zeros((count,), dtype=numbers.dtype)
    xp.setitem(last, numbers, (flat,))
    return xp.reshape(xp.getitem(last, (flat,)) == numbers, where.shape)


def argsort(ascending: Any, xp: Any, x: Any, *, axis: int = -1, descending: bool = False) -> Any:
    """The order that sorts ``x`` along ``axis``, equals in the order they stand in, from a stable ``ascending(x, axis=axis)``."""
    if not descending:
        return ascending(x, axis=axis)
    return x.shape[axis] - 1 - xp.flip(ascending(xp.flip(x, axis=axis), axis=axis), axis=axis)  # reversed twice, ties stay put


def sliding_windows(as_strided: Any, x: Any, window: Any, stride: Any, dilation: Any) -> Any:
    """Every window along the last axes, a view by an ``as_strided(x, shape, strides)``."""
    lead = x.ndim - len(window)
    sizes, steps = x.shape[lead:], x.strides[lead:]
    count = ((n - d * (w - 1) - 1) // s + 1 for n, w, s, d in zip(sizes, window, stride, dilation, strict=True))
    to_next = (t * s for t, s in zip(steps, stride, strict=True))
    within = (t * d for t, d in zip(steps, dilation, strict=True))
    return as_strided(x, (*x.shape[:lead], *count, *window), (*x.strides[:lead], *to_next, *within))


def overlap_add(xp: Any, x: Any, shape: Any, stride: Any, dilation: Any) -> Any:
    """Windows added up where they stood, an element of every window at a time.

    Where windows begin at every element it goes along one axis after another: what is added then lies in long runs in memory.
    """
    last, axes = len(shape), len(stride)
    lead, step = last - axes, 1 if all(s == 1 for s in stride) else axes
    for axis in range(lead, last, step):
        count, window, others = x.shape[axis : axis + step], x.shape[last : last + step], x.shape[last + step :]
        along = list(zip(count, stride[axis - lead :], dilation[axis - lead :], strict=False))
        size = (*shape[: axis + step], *x.shape[axis + step : last])
        # the axes of the windows that are left come first in memory, as those of a convolution's columns do
        result = xp.zeros((*size[:lead], *others, *size[lead:]), dtype=x.dtype)
        outer = len(others)
        result = xp.permute_dims(result, (*range(lead), *range(lead + outer, last + outer), *range(lead, lead + outer)))
        for offset in product(*map(range, window)):
            at = (slice(o * d, o * d + s * (n - 1) + 1, s) for o, (n, s, d) in zip(offset, along, strict=True))
            taken = xp.getitem(result, (*(slice(None),) * axis, *at))
            taken += xp.getitem(x, (*(slice(None),) * last, *offset))
        x = result
    return x


def split_in_half(parts: Sequence[Any]) -> list[Sequence[Any]]:
    """The first half and the second half; one list if there are fewer than two parts."""
    half = (len(parts) + 1) // 2
    return [parts[:half], parts[half:]] if len(parts) > 1 else [parts]


def run_parallel(function: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """``xp.run_parallel`` on a single thread."""
    return [function(some) for some in split_in_half(parts)]
