"""``torch.special``: the error and gamma functions' families, logarithms that keep their limits; offered as ``ad.special``."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

from ...backends.special import polynomial
from ..arguments import NUMBERS, in_floats, publish, reads_numbers, tensor_of
from ..rules import elementwise as e, special as s
from .activations import log_softmax, softmax
from .elementwise import clamp, filled_like, pow, round, where
from .reductions import logsumexp

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "digamma", "entr", "erf", "erfc", "erfinv", "exp2", "expit", "expm1", "gammaln", "lgamma", "log1p", "log_ndtr",
    "log_softmax", "logaddexp2", "logit", "logsumexp", "multigammaln", "mvlgamma", "ndtr", "polygamma", "psi", "round", "sinc",
    "softmax", "xlog1py", "xlogy",
]  # fmt: skip

PI, SQRT_HALF, LOG_2 = 3.141592653589793, 0.7071067811865476, 0.6931471805599453
#: of sin(z) / z in z^2, exact to float64 for z up to 1/2
_SINC = (1.0, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880, -1 / 39916800, 1 / 6227020800)
expit = e.sigmoid
erf, expm1, log1p = e.erf, e.expm1, e.log1p
erfc, erfinv, entr, log_ndtr = s.erfc, s.erfinv, s.entr, s.log_ndtr
lgamma = gammaln = s.lgamma


def exp2(x: Any) -> Tensor:
    """2^x."""
    return pow(2.0, x)


@reads_numbers
def logit(x: Tensor, eps: float | None = None) -> Tensor:
    """log(x / (1 - x)), the inverse of the sigmoid; NaN outside [0, 1], unless ``eps`` limits x to [eps, 1 - eps]."""
    return s.logit(x if eps is None else clamp(x, eps, 1.0 - eps))


def sinc(x: Tensor) -> Tensor:
    """sin(pi x) / (pi x), and 1 at 0. Its derivatives of every order hold at and near 0 too."""
    z = e.multiply(x, PI)
    near = e.abs(z) < 0.5
    series = polynomial(_SINC, e.square(where(near, z, 0.0)))
    far = where(near, 1.0, z)
    return where(near, series, e.sin(far) / far)


def ndtr(x: Tensor) -> Tensor:
    """How much of the standard normal distribution lies below x, to the last digits in the lower tail too."""
    return 0.5 * s.erfc(e.multiply(x, -SQRT_HALF))


def xlogy(x: Any, other: Any) -> Tensor:
    """x log(other); 0 where x is 0, whatever ``other`` but NaN."""
    return _times_log(e.log, 0.0, x, other)


def xlog1py(x: Any, other: Any) -> Tensor:
    """x log(1 + other); 0 where x is 0, whatever ``other`` but NaN."""
    return _times_log(e.log1p, -1.0, x, other)


def _times_log(log: Any, least: float, x: Any, other: Any) -> Tensor:
    x, other = in_floats("xlogy", x, other)
    if type(x) in NUMBERS:
        other = tensor_of("xlogy", other)
        x = filled_like(other, x)
    elif type(other) in NUMBERS:
        x = tensor_of("xlogy", x)
        other = filled_like(x, other)
    infinite = e.logical_or(other <= least, other == float("inf"))  # there log has no finite value for 0 to multiply
    none = e.logical_and(x == 0, infinite)
    return where(none, 0.0, e.multiply(x, log(where(none, 1.0, other))))


def logaddexp2(x: Tensor, other: Tensor) -> Tensor:
    """log2(2^x + 2^other), without overflow."""
    x, other = in_floats("logaddexp2", x, other)
    return e.logaddexp(e.multiply(x, LOG_2), e.multiply(other, LOG_2)) / LOG_2


@reads_numbers
def polygamma(n: int, x: Any) -> Tensor:
    """The derivative of order n + 1 of :func:`lgamma`, for n from 0 to 170.

    At the poles, the integers <= 0, it is infinite with the sign of (-1)^(n+1); for n = 0 it is as :func:`digamma`.
    Raises ``ValueError`` on another n.

    >>> import adjoint as ad
    >>> ad.polygamma(1, ad.tensor([1.0, 0.5]))
    tensor([1.6449, 4.9348])
    """
    if not 0 <= n <= 170:
        raise ValueError(f"polygamma: n is the order of a derivative, from 0 to 170, not {n}")
    return s.polygamma(x, n=n)


def digamma(x: Any) -> Tensor:
    """The derivative of :func:`lgamma`; NaN at -1, -2, …, at 0 infinite with the sign opposite to the zero's."""
    return s.polygamma(x, n=0)


psi = digamma


@reads_numbers
def multigammaln(x: Tensor, p: int) -> Tensor:
    """log of the multivariate gamma function of dimension ``p``: p (p - 1) / 4 log(pi) + the sum of lgamma(x - i / 2), i < p.

    Raises ``ValueError`` on a ``p`` below 1.
    """
    if p < 1:
        raise ValueError(f"mvlgamma: p is a number of dimensions, at least 1, not {p}")
    total = s.lgamma(x)
    for i in range(1, p):
        total = total + s.lgamma(x - 0.5 * i)
    return total + 0.25 * p * (p - 1) * log(PI)


mvlgamma = multigammaln


publish(globals())
