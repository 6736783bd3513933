"""Samples of factorizations, inverses and determinants: of matrices with singular values well apart and well away from 0.

The signs of vectors in factors are LAPACK's, which may turn where an element on its way is near 0. So those matrices are drawn by
number from a few that do not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from .drawing import ANY, Sample, array, sample

BATCHES = st.sampled_from([(), (2,), (2, 1)])
SIDES = st.integers(1, 3)


def well_conditioned(draw: Any, batch: tuple[int, ...], m: int, n: int, symmetric: bool = False) -> Any:
    """Matrices with singular values 1, 2, …, half of them negative eigenvalues where symmetric."""
    rng = np.random.default_rng(draw(st.sampled_from([0, 1, 3, 4, 5, 6])))  # 2 has such an element
    k = min(m, n)
    u, v = (np.linalg.qr(rng.uniform(0.3, 1.0, (*batch, size, k)) + np.eye(size, k))[0] for size in (m, n))
    if symmetric:
        return (u * (np.arange(1, k + 1) * (-1.0) ** np.arange(k))) @ u.mT
    return (u * np.arange(k, 0, -1.0)) @ v.mT


def stacked(*parts: Any) -> Any:
    return np.concatenate([part[..., None, :] if part.ndim == parts[-1].ndim - 1 else part for part in parts], -2)


@sample("cholesky")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n, n, symmetric=True)
    x = x @ x + 0.5 * np.eye(n)
    return Sample([x], {}, np.linalg.cholesky(x))


@sample("eigh")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n, n, symmetric=True)
    return Sample([x], {}, stacked(*np.linalg.eigh(x)))


@sample("qr")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n + draw(st.integers(0, 1)), n)
    q, r = np.linalg.qr(x)
    return Sample([x], {}, stacked(q, r.mT))


@sample("svd")
def _(draw: Any) -> Sample:
    x = well_conditioned(draw, draw(BATCHES), draw(SIDES), draw(SIDES))
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    return Sample([x], {}, stacked(u, s, vt.mT))


@sample("inv")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n, n)
    return Sample([x], {}, np.linalg.inv(x))


@sample("pinv")
def _(draw: Any) -> Sample:
    x = well_conditioned(draw, draw(BATCHES), draw(SIDES), draw(SIDES))
    return Sample([x], {"atol": 0.0, "rtol": 1e-12}, np.linalg.pinv(x))


@sample("solve")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n, n)
    y = array(draw, (*draw(BATCHES), n, draw(st.integers(0, 2))), ANY)
    return Sample([x, y], {}, np.linalg.solve(x, y))


@sample("det")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n, n)
    return Sample([x], {}, np.linalg.det(x))


@sample("slogdet")
def _(draw: Any) -> Sample:
    n = draw(SIDES)
    x = well_conditioned(draw, draw(BATCHES), n, n)
    return Sample([x], {}, np.stack(np.linalg.slogdet(x), -1))
