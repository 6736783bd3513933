"""Matrices as products of simpler ones: Cholesky, QR, eigenvalues and singular values, as ``torch.linalg`` has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...arguments import tensor_of
from ...creation import zeros
from ...rules import linalg, shapes
from ..shapes import concat
from .products import matmul

if TYPE_CHECKING:
    from ...tensor import Tensor

__all__ = [
    "cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals",
]  # fmt: skip


class QR(NamedTuple):
    """What :func:`qr` returns."""

    Q: Tensor
    R: Tensor


class Eigh(NamedTuple):
    """What :func:`eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class SVD(NamedTuple):
    """What :func:`svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def matrices(name: str, x: Any, square: bool = False) -> Tensor:
    """``x``, if it can be factored. Raises ``ValueError`` on another shape, ``TypeError`` on another dtype."""
    x = tensor_of(name, x)
    if x.ndim < 2:
        raise ValueError(f"{name}: takes matrices, of at least 2 axes, not shape {x.shape}")
    if square and x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name}: takes square matrices, not shape {x.shape}")
    if x.dtype.name not in ("float32", "float64"):
        raise TypeError(f"{name}: takes float32 or float64, not {x.dtype}; convert with .float() first")
    return x


def mirrored(x: Tensor, upper: bool = False) -> Tensor:
    """The symmetric matrix whose lower or upper triangle ``x`` has. The gradient is the symmetric one, as if ``x`` were it."""
    triangle, beyond = (shapes.triu(x), shapes.triu(x, k=1)) if upper else (shapes.tril(x), shapes.tril(x, k=-1))
    return x + (triangle + linalg.matrix_transpose(beyond) - x).detach()


def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """The lower triangular L of A = L L^T, or with ``upper`` L^T, for symmetric, positive definite ``A`` of shape (..., n, n).

    Only the lower triangle of ``A`` is read; the gradient is symmetric. Raises ``LinAlgError`` where ``A`` is not positive
    definite. Murray (2016).

    >>> import adjoint as ad
    >>> ad.linalg.cholesky(ad.tensor([[4.0, 2.0], [2.0, 10.0]]))
    tensor([[2., 0.],
            [1., 3.]])
    """
    lower = linalg.cholesky(mirrored(matrices("cholesky", A, square=True)))
    return linalg.matrix_transpose(lower) if upper else lower


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Q, of orthonormal columns, and the upper triangular R of A = Q R, for ``A`` of shape (..., m, n).

    Args:
        mode: ``"reduced"``: Q has min(m, n) columns; ``"complete"``: it has m, and no derivative where m > n; ``"r"``: Q is
            left out, an empty tensor. Raises ``ValueError`` on another.

    The derivative is for independent columns, the first min(m, n) of them. Walter and Lehmann (2010); for m < n H.-J. Liao et
    al., "Differentiable programming tensor networks" (2019).
    """
    A = matrices("qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: mode is 'reduced', 'complete' or 'r', not {mode!r}")
    m, n = A.shape[-2:]
    q, r_transposed = linalg.split_qr(linalg.qr(A[..., :m], complete=mode == "complete"), m)
    r = linalg.matrix_transpose(r_transposed)
    if n > m:  # the other columns in the basis that the first have given
        r = concat([r, matmul(linalg.matrix_transpose(q), A[..., m:])], -1)
    return QR(empty_like(A) if mode == "r" else q, r)


def empty_like(x: Tensor, dtype: Any = None) -> Tensor:
    """An empty tensor, for a result that was not requested."""
    return zeros(0, dtype=dtype or x.dtype, device=x.backend)


def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """The eigenvalues of symmetric matrices, rising, and the eigenvectors in columns: A = V diag(w) V^T.

    Args:
        UPLO: the triangle of ``A`` that is read, ``"L"`` or ``"U"``; raises ``ValueError`` on another. The gradient is symmetric.

    The vectors' signs are not determined, nor which vectors span the space of equal eigenvalues: what depends on these has no
    derivative, and gets inf or NaN. The first derivatives of the eigenvalues hold throughout. Giles (2008).
    """
    if UPLO not in ("L", "U"):
        raise ValueError(f"eigh: UPLO is 'L' or 'U', not {UPLO!r}")
    return Eigh(*linalg.split_eigh(linalg.eigh(mirrored(matrices("eigh", A, square=True), UPLO == "U"))))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of :func:`eigh`."""
    return eigh(A, UPLO).eigenvalues


def svd(A: Tensor, full_matrices: bool = True) -> SVD:
    """U, the singular values S, falling, and V^T of A = U diag(S) V^T, for ``A`` of shape (..., m, n).

    Args:
        full_matrices: U and V^T are square, the vectors beyond the first min(m, n) without a gradient, as they are any that
            complete the others; or else they have those min(m, n) only.

    The vectors' signs are not determined, nor which vectors span the space of equal singular values: what depends on these
    has no derivative, and gets inf or NaN. The first derivatives of S hold throughout. Townsend (2016).
    """
    A = matrices("svd", A)
    u, s, v = linalg.split_svd(linalg.svd(A), A.shape[-2])
    if full_matrices:
        u, v = _completed(u), _completed(v)
    return SVD(u, s, linalg.matrix_transpose(v))


def _completed(columns: Tensor) -> Tensor:
    """Orthonormal columns, and as many more as make the matrix square."""
    m, k = columns.shape[-2:]
    return columns if m == k else concat([columns, qr(columns.detach(), "complete").Q[..., k:]], -1)


def svdvals(A: Tensor) -> Tensor:
    """The singular values of :func:`svd`."""
    return svd(A, full_matrices=False).S
