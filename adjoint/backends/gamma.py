"""The gamma function's family, written against the standard: its logarithm, and the derivatives of that.

Sources, by formula number: M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions" (1964), chapters 6 and 23. The
asymptotic series are entered after a shift by the recurrence, as in J. M. Bernardo, "Algorithm AS 103: psi (digamma) function",
Applied Statistics 25 (1976), 315-317; below 0, the formulas of reflection serve.
"""

from __future__ import annotations

from math import factorial, log, pi
from typing import Any

from .special import polynomial

HALF_LOG_2_PI = 0.5 * log(2.0 * pi)
EULER = 0.5772156649015329
#: The Bernoulli numbers of index 2, 4, 6, …
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138)
_STIRLING = tuple(b / (2 * j * (2 * j - 1)) for j, b in enumerate(BERNOULLI[:8], 1))  # 6.1.41
_DIGAMMA = tuple(b / (2 * j) for j, b in enumerate(BERNOULLI[:8], 1))  # 6.3.18
ALL_WHOLE = -9e15  #: from here down every float64 is an integer


def hurwitz_zeta(s: int, x: Any) -> Any:
    """The sum over k = 0, 1, 2, … of (x + k)^-s, for positive x and integer s >= 2: Euler and Maclaurin's, 23.1.30."""
    n = 9 + s // 3
    w = x + float(n)
    total = w ** (1 - s) / (s - 1) + 0.5 * w**-s
    scale, power = float(s), w ** (-s - 1)
    for j, b in enumerate(BERNOULLI, 1):
        scale /= 2 * j
        total = total + b * scale * power
        scale *= (s + 2 * j - 1) * (s + 2 * j) / (2 * j + 1)
        power = power / w / w
    for k in reversed(range(n)):
        total = total + (x + float(k)) ** -s
    return total


#: Of lgamma(2 + t) / t in t, 6.1.33, exact to float64 for t between -1/2 and 1/2.
_NEAR_TWO = (1.0 - EULER, *((-1) ** k * hurwitz_zeta(k, 2.0) / k for k in range(2, 27)))


def _angle(xp: Any, x: Any) -> Any:
    """pi times the distance of x from the nearest integer, without rounding x; for x down to -inf."""
    x = xp.maximum(x, ALL_WHOLE)
    return pi * (x - xp.round(x))


def lgamma(xp: Any, x: Any) -> Any:
    """log of the size of the gamma function: infinite at 0, -1, -2, …"""
    reflected = x < 0.5
    z = xp.where(reflected, 1.0 - x, x)
    far = z >= 8.0
    w = xp.where(far, z, 8.0)
    beyond = (w - 0.5) * (xp.log(w) - 1.0) + polynomial(_STIRLING, xp.square(1.0 / w)) / w + (HALF_LOG_2_PI - 0.5)
    w = xp.where(far, 2.0, z)
    short = w < 1.5
    t = xp.where(short, w - 1.0, w - 2.0)  # how far from 2 it is after steps of 1
    product = xp.ones_like(w)
    for _ in range(6):
        above = t > 0.5
        product = product * xp.where(above, t + 1.0, 1.0)
        t = xp.where(above, t - 1.0, t)
    value = t * polynomial(_NEAR_TWO, t) + xp.log(product) - xp.log(xp.where(short, w, 1.0))
    value = xp.where(far, beyond, value)
    sine = xp.abs(xp.sin(_angle(xp, xp.where(reflected, x, 0.5))))  # 6.1.17
    pole = sine == 0.0
    return xp.where(pole, float("inf"), xp.where(reflected, log(pi) - xp.log(xp.where(pole, 1.0, sine)) - value, value))


def polygamma(xp: Any, x: Any, *, n: int) -> Any:
    """The derivative of order n + 1 of :func:`lgamma`.

    At the poles, the integers up to 0, it is infinite with the sign of (-1)^(n+1); but of order 1, the digamma function, it is
    NaN at the negative ones and has the sign opposite to that of 0 there.
    """
    reflected = x < 0.0
    z = xp.where(reflected, 1.0 - x, x)
    sign = -1.0 if n % 2 == 0 else 1.0
    value = _digamma(xp, z) if n == 0 else (sign * factorial(n)) * hurwitz_zeta(n + 1, z)
    angle = _angle(xp, xp.where(reflected, x, 0.5))
    pole = angle == 0.0
    angle = xp.where(pole, 0.5 * pi, angle)
    slope = factorial(n) * pi ** (n + 1) * polynomial(_slopes_of_cotangent(n), xp.cos(angle) / xp.sin(angle))
    at_pole = float("nan") if n == 0 else sign * float("inf")
    return xp.where(pole, at_pole, xp.where(reflected, -sign * value - slope, value))  # 6.4.7


def _digamma(xp: Any, z: Any) -> Any:
    """The derivative of :func:`lgamma` for z of at least 0."""
    far = z >= 10.0
    w = xp.where(far, z, z + 10.0)
    t = xp.square(1.0 / w)
    value = xp.log(w) - 0.5 / w - t * polynomial(_DIGAMMA, t)
    near = xp.where(far, 1.0, z)
    shift = 1.0 / near
    for k in range(1, 10):
        shift = shift + 1.0 / (near + float(k))
    return xp.where(far, value, value - shift)


def _slopes_of_cotangent(n: int) -> tuple[float, ...]:
    """The derivative of order n of cot x over n!, as the coefficients of a polynomial in cot x, by rising power."""
    coefficients = [0.0, 1.0]
    for k in range(1, n + 1):  # the derivative of cot x is -1 - cot^2 x
        slope = [i * c / k for i, c in enumerate(coefficients)][1:]
        coefficients = [-a - b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope], strict=True)]
    return tuple(coefficients)
