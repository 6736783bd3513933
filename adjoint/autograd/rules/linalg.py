"""Matrix products, factorizations, inverses and determinants, and their derivatives.

Factors are stacked in one array, as :class:`adjoint.backends.base.Extras` says, and so are their cotangents. Sources:
M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), for all but
the following; J. Townsend, "Differentiating the singular value decomposition" (2016); S. F. Walter and L. Lehmann,
"Algorithmic differentiation of linear algebra functions" (2010), for QR; I. Murray, "Differentiation of the Cholesky
decomposition" (2016); G. H. Golub and V. Pereyra, "The differentiation of pseudo-inverses" (1973).
"""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array
from ...errors import GraphError, LinAlgError
from ..primitive import primitive
from .declare import binary, unary

# --- products ----------------------------------------------------------------------------------------------------------------


def rows(xp: Any, x: Any) -> Any:
    """``x`` as a matrix: all leading axes as one."""
    return x if x.ndim == 2 else xp.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))


def by_matrix(xp: Any, x: Any, y: Any) -> Any:
    """The product of all of ``x`` with one matrix, in one piece, which is faster than one for each of the batch."""
    return xp.matmul(x, y) if x.ndim == 2 else xp.reshape(xp.matmul(rows(xp, x), y), (*x.shape[:-1], y.shape[-1]))


def _by_second(xp: Any, g: Any, x: Any, y_shape: tuple[int, ...]) -> Any:
    """x^T g, summed over the batch by the product itself where one matrix multiplies all of it."""
    if len(y_shape) == 2:
        x, g = rows(xp, x), rows(xp, g)
    return xp.matmul(xp.matrix_transpose(x), g)


matmul = binary(
    "matmul", "Products of matrices (..., n, k) and (..., k, m), batch axes broadcast.",
    x=lambda xp, g, y: xp.matmul(g, xp.matrix_transpose(y)), y=_by_second,
)  # fmt: skip
matrix_transpose = unary(
    "matrix_transpose", "The last two axes exchanged: a view.", views=True, x=lambda xp, g: xp.matrix_transpose(g)
)  # fmt: skip


@primitive
def linear(xp: Any, x: Array, weight: Array, bias: Array) -> Array:
    """x weight^T + bias: (..., in), (out, in), (out,) to (..., out)."""
    out = by_matrix(xp, x, xp.matrix_transpose(weight))
    out += bias
    return out


linear.vjp(
    x=lambda xp, g, weight: by_matrix(xp, g, weight),
    weight=lambda xp, g, x: xp.matmul(xp.matrix_transpose(rows(xp, g)), rows(xp, x)),
    bias=lambda g: g,
)

# --- factorizations ----------------------------------------------------------------------------------------------------------


def symmetric(xp: Any, x: Any) -> Any:
    """(x + x^T) / 2."""
    return 0.5 * (x + xp.matrix_transpose(x))


def identity_like(xp: Any, x: Any) -> Any:
    """Identity matrices in the shape of ``x``."""
    return xp.tril(xp.triu(xp.ones_like(x)))


def ratio(xp: Any, x: Any, y: Any) -> Any:
    """x / y, and 0 where both are: what does not depend on the rotation of equal eigenvalues' vectors gets no gradient by it."""
    neither = xp.logical_and(x == 0, y == 0)
    return x / xp.where(neither, 1.0, y)


def _differences(xp: Any, values: Any) -> Any:
    """values[j] - values[i] in row i and column j."""
    return xp.expand_dims(values, axis=-2) - xp.expand_dims(values, axis=-1)


def _skew(xp: Any, x: Any) -> Any:
    """x - x^T."""
    return x - xp.matrix_transpose(x)


@primitive(floating=True)
def cholesky(xp: Any, x: Array) -> Array:
    """L of x = L L^T, lower triangular; of the symmetric part of ``x``."""
    return xp.cholesky(symmetric(xp, x))


def _cholesky(xp: Any, g: Any, out: Any) -> Any:
    """The symmetric part of L^-T phi(L^T g) L^-1, where phi takes the lower triangle with half the diagonal."""
    t, mul = xp.matrix_transpose, xp.matmul
    inner = mul(t(out), g)
    halved = 0.5 * (xp.tril(inner) + xp.tril(inner, k=-1))
    return symmetric(xp, xp.solve(t(out), t(xp.solve(t(out), halved))))


cholesky.vjp(x=_cholesky)


@primitive(floating=True)
def eigh(xp: Any, x: Array) -> Array:
    """The eigenvalues in a row, ascending, and below it the eigenvectors in columns; of the symmetric part of ``x``."""
    return xp.eigh(symmetric(xp, x))


def split_eigh(factors: Any) -> tuple[Any, Any]:
    """Eigenvalues and eigenvectors."""
    return factors[..., 0, :], factors[..., 1:, :]


def _eigh(xp: Any, g: Any, out: Any) -> Any:
    """V (diag(g_w) + skew(V^T g_V) / (w_j - w_i) / 2) V^T."""
    t, mul, (values, v), (g_values, g_v) = xp.matrix_transpose, xp.matmul, split_eigh(out), split_eigh(g)
    rotation = 0.5 * ratio(xp, _skew(xp, mul(t(v), g_v)), _differences(xp, values))
    return mul(v * xp.expand_dims(g_values, axis=-2) + mul(v, rotation), t(v))


eigh.vjp(x=_eigh)


@primitive(floating=True)
def qr(xp: Any, x: Array, *, complete: bool = False) -> Array:
    """Q above R^T."""
    return xp.qr(x, complete)


def split_qr(factors: Any, rows: int) -> tuple[Any, Any]:
    """Q, of that many rows, and R^T."""
    return factors[..., :rows, :], factors[..., rows:, :]


def _qr(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...], complete: bool) -> Any:
    """(g_Q + Q M) R^-T, where M is symmetric with the lower triangle of R g_R^T - g_Q^T Q."""
    m, n = x_shape[-2:]
    if complete and m > n:
        raise GraphError(
            f"qr: mode='complete' has no derivative for matrices of more rows than columns ({m} and {n}), since the additional "
            "columns of Q are not determined; use mode='reduced'"
        )
    t, mul, (q, r_t), (g_q, g_r_t) = xp.matrix_transpose, xp.matmul, split_qr(out, m), split_qr(g, m)
    inner = mul(t(r_t), xp.tril(g_r_t)) - mul(t(g_q), q)
    mirrored = xp.tril(inner) + t(xp.tril(inner, k=-1))
    return t(xp.solve(t(r_t), t(g_q + mul(q, mirrored))))


qr.vjp(x=_qr)


@primitive(floating=True)
def svd(xp: Any, x: Array) -> Array:
    """U above the singular values, descending, above V."""
    return xp.svd(x)


def split_svd(factors: Any, rows: int) -> tuple[Any, Any, Any]:
    """U, of that many rows, the singular values and V."""
    return factors[..., :rows, :], factors[..., rows, :], factors[..., rows + 1 :, :]


def _svd(xp: Any, g: Any, out: Any, x_shape: tuple[int, ...]) -> Any:
    """U (diag(g_S) + (skew(U^T g_U) / D) S + S (skew(V^T g_V) / D)) V^T, D = s_j^2 - s_i^2, and the parts of g_U and g_V that are
    orthogonal to U and V, over S."""
    m, n = x_shape[-2:]
    t, mul, (u, s, v), (g_u, g_s, g_v) = xp.matrix_transpose, xp.matmul, split_svd(out, m), split_svd(g, m)
    row, column = xp.expand_dims(s, axis=-2), xp.expand_dims(s, axis=-1)
    differences = (row - column) * (row + column)
    inner_u, inner_v = mul(t(u), g_u), mul(t(v), g_v)
    core = ratio(xp, _skew(xp, inner_u), differences) * row + column * ratio(xp, _skew(xp, inner_v), differences)
    left = u * xp.expand_dims(g_s, axis=-2) + mul(u, core)
    if m > n:
        left = left + ratio(xp, g_u - mul(u, inner_u), row)
    total = mul(left, t(v))
    return total + mul(u, t(ratio(xp, g_v - mul(v, inner_v), row))) if n > m else total


svd.vjp(x=_svd)

# --- inverses ----------------------------------------------------------------------------------------------------------------


def _inv(xp: Any, g: Any, out: Any) -> Any:
    """-x^-T g x^-T."""
    t, mul = xp.matrix_transpose, xp.matmul
    return -mul(t(out), mul(g, t(out)))


def _solve(xp: Any, g: Any, out: Any, x: Any) -> tuple[Any, Any]:
    """By y: x^-T g; by x: minus this times z^T."""
    g_y = xp.solve(xp.matrix_transpose(x), g)
    return -xp.matmul(g_y, xp.matrix_transpose(out)), g_y


inv = unary("inv", "The inverse of square matrices.", floating=True, x=_inv)
solve = binary("solve", "The matrix z of x z = y, batch axes broadcast.", floating=True, joint=_solve)


@primitive(floating=True)
def pinv(xp: Any, x: Array, *, atol: float, rtol: float) -> Array:
    """The pseudoinverse, singular values up to ``atol`` or ``rtol`` times the largest taken as 0."""
    u, s, v = split_svd(xp.svd(x), x.shape[-2])
    nonzero = s > xp.maximum(rtol * xp.getitem(s, (..., slice(0, 1))), atol)
    inverted = xp.where(nonzero, 1.0 / xp.where(nonzero, s, 1.0), 0.0)
    return xp.matmul(v * xp.expand_dims(inverted, axis=-2), xp.matrix_transpose(u))


def _pinv(xp: Any, g: Any, out: Any, x: Any) -> Any:
    """For changes of ``x`` that leave its rank unchanged (Golub and Pereyra, 1973)."""
    t, mul = xp.matrix_transpose, xp.matmul
    by_columns, by_rows = mul(t(g), mul(out, t(out))), mul(mul(t(out), out), t(g))
    projected = by_columns - mul(x, mul(out, by_columns)) + by_rows - mul(mul(by_rows, out), x)
    return projected - mul(t(out), mul(g, t(out)))


pinv.vjp(x=_pinv)

# --- determinants ------------------------------------------------------------------------------------------------------------


def each_matrix(xp: Any, numbers: Any) -> Any:
    """One number a matrix, to broadcast against the matrices."""
    return xp.expand_dims(xp.expand_dims(numbers, axis=-1), axis=-1)


slogdet = unary(
    "slogdet", "The sign of the determinant and the logarithm of its absolute value, side by side.", floating=True,
    x=lambda xp, g, x: each_matrix(xp, g[..., 1]) * xp.matrix_transpose(xp.inv(x)),
)  # fmt: skip


@primitive(floating=True)
def det(xp: Any, x: Array) -> Array:
    """The determinant of square matrices."""
    sign_and_log = xp.slogdet(x)
    return sign_and_log[..., 0] * xp.exp(sign_and_log[..., 1])


def _refuse_second_derivatives(xp: Any, s: Any) -> None:
    """Singular vectors that belong to two singular values of 0 are determined up to a rotation: no second derivative."""
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
