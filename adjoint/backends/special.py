"""Functions that no library has under one name, written against the standard."""

from __future__ import annotations

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


def _ratio(table: tuple[tuple[float, ...], tuple[float, ...]], t: Any) -> Any:
    numerator, denominator = (polynomial(coefficients, t) for coefficients in table)
    return numerator / denominator


def polynomial(coefficients: tuple[float, ...], t: Any) -> Any:
    """Horner's scheme, the coefficients by rising power."""
    value = t * coefficients[-1] + coefficients[-2]
    for coefficient in coefficients[-3::-1]:
        value = value * t + coefficient
    return value


def erf(xp: Any, x: Any) -> Any:
    """The error function to within two units of float64's last place; Cody (1969)."""
    size = xp.abs(x)
    near = x * _ratio(_NEAR, xp.minimum(x * x, xp.full_like(x, 0.25)))
    middle_x = xp.minimum(size, xp.full_like(x, 4.0))
    middle = 1.0 - xp.exp(-middle_x * middle_x) * _ratio(_MIDDLE, middle_x)
    far_x = xp.minimum(xp.maximum(size, xp.full_like(x, 4.0)), xp.full_like(x, 6.0))
    t = 1.0 / (far_x * far_x)
    far = 1.0 - xp.exp(-far_x * far_x) * (_ONE_OVER_SQRT_PI + t * _ratio(_FAR, t)) / far_x
    tail = xp.where(size > 4.0, far, middle)
    return xp.where(size <= 0.46875, near, xp.where(x < 0.0, -tail, tail))


def index_put(xp: Any, x: Any, value: Any, index: Any) -> Any:
    """A copy of ``x`` with ``x[index]`` replaced by ``value``, broadcast."""
    result = xp.asarray(x, copy=True)
    xp.setitem(result, value, index)
    return result
