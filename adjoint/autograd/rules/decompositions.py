"""Primitives that factor or invert matrices, and their derivatives.

Factors are stacked in one array, as :class:`adjoint.backends.base.Extras` says, and so are their cotangents. Sources:
M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), for all but
the following; J. Townsend, "Differentiating the singular value decomposition" (2016); S. F. Walter and L. Lehmann,
"Algorithmic differentiation of linear algebra functions" (2010), for QR; I. Murray, "Differentiation of the Cholesky
decomposition" (2016); G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses" (1973).
"""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ...errors import GraphError, LinAlgError
from ..primitive import primitive


def symmetric(xp: Any, x: Any) -> Any:
    return 0.5 * (x + xp.matrix_transpose(x))


def identity_like(xp: Any, x: Any) -> Any:
    return xp.tril(xp.triu(xp.ones_like(x)))


def ratio(xp: Any, x: Any, y: Any) -> Any:
    """x / y, and 0 where both are: where nothing depends on how equal eigenvalues' vectors turn, it does not matter."""
    neither = xp.logical_and(x == 0, y == 0)
    return x / xp.where(neither, 1.0, y)


# --- factors -----------------------------------------------------------------------------------------------------------------


@primitive(floating=True)
def cholesky(xp: Any, x: Array) -> Array:
    """L of x = L L^T, lower triangular; of the symmetric part of ``x``."""
    return xp.cholesky(symmetric(xp, x))


@primitive(floating=True)
def eigh(xp: Any, x: Array) -> Array:
    """The eigenvalues in a row, rising, and below it the eigenvectors in columns; of the symmetric part of ``x``."""
    return xp.eigh(symmetric(xp, x))


@primitive(floating=True)
def qr(xp: Any, x: Array, *, complete: bool = False) -> Array:
    """Q above R^T."""
    return xp.qr(x, complete)


@primitive(floating=True)
def svd(xp: Any, x: Array) -> Array:
    """U above the singular values, falling, above V."""
    return xp.svd(x)


def split_eigh(factors: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors."""
    return factors[..., 0, :], factors[..., 1:, :]


def split_qr(factors: Any, rows: int) -> tuple[Any, Any]:
    """Q, of so many rows, and R^T."""
    return factors[..., :rows, :], factors[..., rows:, :]


def split_svd(factors: Any, rows: int) -> tuple[Any, Any, Any]:
    """U, of so many rows, the singular values and V."""
    return factors[..., :rows, :], factors[..., rows, :], factors[..., rows + 1 :, :]


def _gaps(xp: Any, values: Any) -> Any:
    """By how much the one of the column is above the one of the row."""
    return xp.expand_dims(values, axis=-2) - xp.expand_dims(values, axis=-1)


def _skew(xp: Any, x: Any) -> Any:
    return x - xp.matrix_transpose(x)


def _cholesky(xp: Any, g: Any, out: Any) -> Any:
    t, mul = xp.matrix_transpose, xp.matmul
    inner = mul(t(out), g)
    halved = 0.5 * (xp.tril(inner) + xp.tril(inner, k=-1))
    return symmetric(xp, xp.solve(t(out), t(xp.solve(t(out), halved))))


def _eigh(xp: Any, g: Any, out: Any) -> Any:
    t, mul, (values, v), (g_values, g_v) = xp.matrix_transpose, xp.matmul, split_eigh(out), split_eigh(g)
    turn = 0.5 * ratio(xp, _skew(xp, mul(t(v), g_v)), _gaps(xp, values))
    return mul(v * xp.expand_dims(g_values, axis=-2) + mul(v, turn), t(v))


def _qr(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...], complete: bool) -> Any:
    m, n = x_shape[-2:]
    if complete and m > n:
        raise GraphError(
            f"qr: with mode='complete' it has no derivative for matrices of more rows than columns ({m} and {n}), as the "
            "columns of Q beyond those of the matrix are any that complete it; use mode='reduced'"
        )
    t, mul, (q, r_t), (g_q, g_r_t) = xp.matrix_transpose, xp.matmul, split_qr(out, m), split_qr(g, m)
    inner = mul(t(r_t), xp.tril(g_r_t)) - mul(t(g_q), q)
    mirrored = xp.tril(inner) + t(xp.tril(inner, k=-1))
    return t(xp.solve(t(r_t), t(g_q + mul(q, mirrored))))


def _svd(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...]) -> Any:
    m, n = x_shape[-2:]
    t, mul, (u, s, v), (g_u, g_s, g_v) = xp.matrix_transpose, xp.matmul, split_svd(out, m), split_svd(g, m)
    row, column = xp.expand_dims(s, axis=-2), xp.expand_dims(s, axis=-1)
    gaps = (row - column) * (row + column)
    inner_u, inner_v = mul(t(u), g_u), mul(t(v), g_v)
    core = ratio(xp, _skew(xp, inner_u), gaps) * row + column * ratio(xp, _skew(xp, inner_v), gaps)
    left = u * xp.expand_dims(g_s, axis=-2) + mul(u, core)
    if m > n:  # what of U turns out of its own span
        left = left + ratio(xp, g_u - mul(u, inner_u), row)
    total = mul(left, t(v))
    return total + mul(u, t(ratio(xp, g_v - mul(v, inner_v), row))) if n > m else total


cholesky.vjp(x=_cholesky)
eigh.vjp(x=_eigh)
qr.vjp(x=_qr)
svd.vjp(x=_svd)

# --- inverses ----------------------------------------------------------------------------------------------------------------


@primitive(floating=True)
def inv(xp: Any, x: Array) -> Array:
    return xp.inv(x)


@primitive(floating=True)
def pinv(xp: Any, x: Array, *, atol: float, rtol: float) -> Array:
    """The pseudoinverse, singular values up to ``atol`` or ``rtol`` times the largest taken as 0."""
    u, s, v = split_svd(xp.svd(x), x.shape[-2])
    kept = s > xp.maximum(rtol * xp.getitem(s, (..., slice(0, 1))), atol)
    inverted = xp.where(kept, 1.0 / xp.where(kept, s, 1.0), 0.0)
    return xp.matmul(v * xp.expand_dims(inverted, axis=-2), xp.matrix_transpose(u))


@primitive(floating=True)
def solve(xp: Any, x: Array, y: Array) -> Array:
    """The matrix z of x z = y, batch axes broadcast."""
    return xp.solve(x, y)


def _inv(xp: Any, g: Any, out: Any) -> Any:
    t, mul = xp.matrix_transpose, xp.matmul
    return -mul(t(out), mul(g, t(out)))


def _pinv(xp: Any, g: Any, out: Any, x: Any) -> Any:
    """For changes of ``x`` that leave its rank as it is."""
    t, mul = xp.matrix_transpose, xp.matmul
    by_columns, by_rows = mul(t(g), mul(out, t(out))), mul(mul(t(out), out), t(g))
    outside = by_columns - mul(x, mul(out, by_columns)) + by_rows - mul(mul(by_rows, out), x)
    return outside - mul(t(out), mul(g, t(out)))


def _solve(xp: Any, g: Any, out: Any, x: Any) -> tuple[Any, Any]:
    g_y = xp.solve(xp.matrix_transpose(x), g)
    return -xp.matmul(g_y, xp.matrix_transpose(out)), g_y


inv.vjp(x=_inv)
pinv.vjp(x=_pinv)
solve.vjp(_solve)

# --- determinants ------------------------------------------------------------------------------------------------------------


@primitive(floating=True)
def det(xp: Any, x: Array) -> Array:
    sign_and_log = xp.slogdet(x)
    return sign_and_log[..., 0] * xp.exp(sign_and_log[..., 1])


@primitive(floating=True)
def slogdet(xp: Any, x: Array) -> Array:
    """The sign of the determinant and the logarithm of its size, side by side."""
    return xp.slogdet(x)


def each_matrix(xp: Any, numbers: Any) -> Any:
    """One number a matrix, to broadcast against the matrices."""
    return xp.expand_dims(xp.expand_dims(numbers, axis=-1), axis=-1)


def _refuse_second_derivatives(xp: Any, s: Any) -> None:
    """Through vectors that any rotation of them could replace, there is no second derivative."""
    if s.shape[-1] > 1 and s.numel() and s.backend.truth(xp.any(s[..., -2] <= 1e-12 * s[..., 0])._array):
        raise LinAlgError(
            "det: its second derivative is not offered at a matrix with two or more singular values of 0; the first derivative is"
        )


def _det(xp: Any, g: Any, out: Any, x: Any) -> Any:
    """The cofactors: det(x) x^-T; where x = U S V^T has no inverse, det(U V^T) U C V^T, with the product of all singular values
    but one's own in the diagonal C."""
    t, mul = xp.matrix_transpose, xp.matmul
    singular, identity = each_matrix(xp, out) == 0, identity_like(xp, x)
    of_regular = each_matrix(xp, out) * t(xp.inv(xp.where(singular, identity, x)))
    u, s, v = split_svd(xp.svd(xp.where(singular, x, identity)), x.shape[-2])
    if hasattr(s, "requires_grad"):
        _refuse_second_derivatives(xp, s)
    others = xp.prod(xp.where(identity == 1, 1.0, xp.expand_dims(s, axis=-2)), axis=-1)
    sign = xp.slogdet(mul(u, t(v)))[..., 0]
    of_singular = each_matrix(xp, sign) * mul(u * xp.expand_dims(others, axis=-2), t(v))
    return each_matrix(xp, g) * xp.where(singular, of_singular, of_regular)


det.vjp(x=_det)
slogdet.vjp(x=lambda xp, g, x: each_matrix(xp, g[..., 1]) * xp.matrix_transpose(xp.inv(x)))
