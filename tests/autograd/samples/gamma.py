"""Samples of the gamma function's family."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
from hypothesis import strategies as st

from .drawing import SMALL, Sample, array, sample

#: Far from the poles, which are 0 and the negative whole numbers; and where one series takes over from another.
NEAR = st.one_of(st.floats(1.5, 3), st.builds(lambda whole, rest: whole + rest, st.integers(-2, -1), st.floats(0.4, 0.6)))
FAR = st.floats(7, 11)


def psi(n: int, x: Any) -> Any:
    """SciPy's polygamma, which is not defined below 0, continued there by the recurrence."""
    value = np.zeros_like(x)
    while (x < 0).any():
        value = value + np.where(x < 0, (-1.0) ** (n + 1) * scipy.special.factorial(n) / x ** (n + 1), 0.0)
        x = np.where(x < 0, x + 1, x)
    return value + (scipy.special.polygamma(n, x) if x.size else x)


@sample("lgamma")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL), draw(st.sampled_from([NEAR, FAR])))
    return Sample([x], {}, scipy.special.gammaln(x))


@sample("polygamma")
def _(draw: Any) -> Sample:
    x, n = array(draw, draw(SMALL), draw(st.sampled_from([NEAR, FAR]))), draw(st.integers(0, 2))
    return Sample([x], {"n": n}, psi(n, x))
