"""Inverses, systems of equations, determinants and powers of matrices, as ``torch.linalg`` has them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ....backends import dtypes
from ...arguments import number, reads_numbers, tensor_of
from ...creation import eye
from ...primitive import as_input
from ...rules import elementwise as e, linalg, reductions, shapes
from ..reductions import sum
from ..shapes import movedim
from .decompositions import empty_like, matrices, mirrored, svdvals
from .products import matmul

if TYPE_CHECKING:
    from ...tensor import Tensor

    Tolerance: TypeAlias = float | Tensor | None

__all__ = [
    "LeastSquares", "SignAndLog",
    "cholesky_solve", "det", "inv", "lstsq", "matrix_power", "matrix_rank", "pinv", "slogdet", "solve", "solve_triangular",
    "tensorinv", "tensorsolve",
]  # fmt: skip


class SignAndLog(NamedTuple):
    """Result of :func:`slogdet`."""

    sign: Tensor
    logabsdet: Tensor


class LeastSquares(NamedTuple):
    """Result of :func:`lstsq`."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def inv(A: Tensor) -> Tensor:
    """The inverse of square matrices. Raises ``LinAlgError`` where there is none."""
    return linalg.inv(matrices("inv", A, square=True))


def pinv(A: Tensor, rcond: Tolerance = None, *, atol: Tolerance = None, rtol: Tolerance = None, hermitian: bool = False) -> Tensor:
    """The Moore-Penrose pseudoinverse: singular values up to max(atol, rtol times the largest) count as 0.

    Args:
        rtol, atol: numbers, or tensors with one for each matrix. Where neither is given, ``rtol`` is max(m, n) times the dtype's
            precision; beside ``atol`` it is 0.
        rcond: ``rtol`` by its older name.
        hermitian: the matrices are symmetric; only their lower triangle is read.

    The derivative is for changes that leave the rank as it is; singular values may be equal. Golub and Pereyra (1973).
    """
    A = matrices("pinv", A, square=hermitian)
    atol, rtol = _tolerances("pinv", A, atol, rcond if rtol is None else rtol)
    return linalg.pinv(mirrored(A) if hermitian else A, atol=atol, rtol=rtol)


def _tolerances(name: str, A: Tensor, atol: Tolerance, rtol: Tolerance) -> tuple[Any, Any]:
    """``atol`` and ``rtol``, defaults filled in: numbers, or arrays that broadcast against rows of singular values."""
    absolute = _tolerance(name, A, 0.0 if atol is None else atol)
    if rtol is None:
        has_atol = hasattr(absolute, "shape") or absolute != 0.0
        rtol = 0.0 if has_atol else max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps
    return absolute, _tolerance(name, A, rtol)


def _tolerance(name: str, A: Tensor, value: Any) -> Any:
    if not getattr(value, "shape", ()):
        return float(number(name, "a tolerance", value))
    return shapes.expand_dims(as_input("linalg", value).detach().to(A.dtype), axis=-1)._array


def matrix_rank(
    A: Tensor, tol: Tolerance = None, *, atol: Tolerance = None, rtol: Tolerance = None, hermitian: bool = False
) -> Tensor:
    """The number of singular values above max(atol, rtol times the largest), in int64.

    Args:
        A: (..., m, n).
        tol: ``atol`` by its older name, with ``rtol`` 0.
        atol, rtol, hermitian: as for :func:`pinv`.
    """
    A = matrices("matrix_rank", A.detach(), square=hermitian)
    atol, rtol = _tolerances("matrix_rank", A, atol, rtol) if tol is None else (_tolerance("matrix_rank", A, tol), 0.0)
    s = svdvals(mirrored(A) if hermitian else A)
    return sum(s > e.maximum(e.multiply(s[..., :1], rtol), atol), -1)


def identity_like(like: Tensor) -> Tensor:
    return eye(like.shape[-1], dtype=like.dtype, device=like.backend)


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """The X of A X = B, or with ``left=False`` of X A = B, for square ``A``; batch axes broadcast.

    ``B`` is read as vectors where it has one axis, or the shape of ``A`` without its last axis. Raises ``LinAlgError``
    where ``A`` is singular, ``ValueError`` where the shapes do not match.

    >>> import adjoint as ad
    >>> ad.linalg.solve(ad.tensor([[2.0, 0.0], [1.0, 4.0]]), ad.tensor([2.0, 9.0]))
    tensor([1., 2.])
    """
    A, B = matrices("solve", A, square=True), tensor_of("solve", B)
    vectors = B.ndim == 1 or B.shape == A.shape[:-1]
    if vectors and not left:
        raise ValueError(f"solve: X A = B takes matrices B, not vectors of shape {B.shape}; use .unsqueeze(-2)")
    rows = shapes.expand_dims(B, axis=-1) if vectors else matrices("solve", B)
    if A.shape[-1] != rows.shape[-2 if left else -1]:
        raise ValueError(f"solve: shapes {A.shape} and {B.shape} do not match for {'A X = B' if left else 'X A = B'}")
    if not left:
        return linalg.matrix_transpose(linalg.solve(linalg.matrix_transpose(A), linalg.matrix_transpose(rows)))
    x = linalg.solve(A, rows)
    return shapes.squeeze(x, axis=-1) if vectors else x


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """The X of A X = B for triangular ``A``; batch axes broadcast.

    Args:
        A: (..., n, n); the other triangle is not read.
        B: (..., n, k).
        upper: A is upper triangular, else lower.
        left: solve A X = B, else X A = B.
        unitriangular: the diagonal is not read, and taken as ones.

    Uses :func:`solve`, since NumPy has no triangular solver: n^3 / 3 multiplications more than needed, and where the diagonal has a
    0, ``LinAlgError`` instead of inf. Raises ``ValueError`` where the shapes do not match.
    """
    A, B = matrices("solve_triangular", A, square=True), matrices("solve_triangular", B)
    inside = 1 if unitriangular else 0
    triangle = shapes.triu(A, k=inside) if upper else shapes.tril(A, k=-inside)
    if unitriangular:
        triangle = triangle + identity_like(A)
    if A.shape[-1] != B.shape[-2 if left else -1]:
        raise ValueError(f"solve_triangular: shapes {A.shape} and {B.shape} do not match")
    return solve(triangle, B, left=left) if B.ndim != A.ndim - 1 else solve(triangle, shapes.expand_dims(B, axis=0), left=left)


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """The X of A X = B where A = L L^T, or with ``upper`` A = L^T L, ``L`` being what :func:`cholesky` returned."""
    lower = linalg.matrix_transpose(L) if upper else L
    once = solve_triangular(lower, B, upper=False)
    return solve_triangular(linalg.matrix_transpose(lower), once, upper=True)


@reads_numbers
def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> LeastSquares:
    """The X for which the sum of (A X - B)^2 is least; of several, the X of least norm.

    Args:
        A: (..., m, n).
        B: (..., m, k), or vectors (..., m).
        rcond: singular values up to this fraction of the largest count as 0; where None, max(m, n) times the precision.
        driver: PyTorch's name of a LAPACK driver. All give the same; with ``"gelsd"`` and ``"gelss"`` the singular values are
            returned, and with ``"gels"`` the rank is not.

    Returns:
        The solution, by :func:`pinv`; the residual sums of squares, (..., k), where m > n and all ranks are n, else empty;
        the ranks; the singular values. The last two have no derivative.

    Raises ``ValueError`` where the shapes do not match, or on another driver.
    """
    A, B = matrices("lstsq", A), tensor_of("lstsq", B)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ValueError(f"lstsq: driver is 'gels', 'gelsy', 'gelsd', 'gelss' or None, not {driver!r}")
    vectors = B.ndim == 1 or B.shape == A.shape[:-1]
    columns = shapes.expand_dims(B, axis=-1) if vectors else matrices("lstsq", B)
    m, n = A.shape[-2:]
    if columns.shape[-2] != m:
        raise ValueError(f"lstsq: shapes {A.shape} and {B.shape} do not match: {m} rows against {columns.shape[-2]}")
    x = matmul(pinv(A, rtol=rcond), columns)
    s = svdvals(A.detach())
    rank = matrix_rank(A, rtol=rcond)
    left = empty_like(A)
    if m > n and A.backend.truth(reductions.all(rank == n)._array):
        left = sum(e.square(matmul(A, x) - columns), -2)
    return LeastSquares(
        shapes.squeeze(x, axis=-1) if vectors else x,
        left,
        empty_like(A, dtypes.int64) if driver == "gels" else rank,
        s if driver in ("gelsd", "gelss") else empty_like(A),
    )


@reads_numbers
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the mapping from the axes of ``A`` from ``ind`` on to those before: tensordot(tensorinv(A), A, ind) is 1.

    Raises ``ValueError`` where the two hold different numbers of elements, or ``ind`` is below 1.
    """
    if ind < 1:
        raise ValueError(f"tensorinv: ind is 1 or more, not {ind}")
    to, of = A.shape[:ind], A.shape[ind:]
    if prod(to) != prod(of):
        raise ValueError(
            f"tensorinv: the axes of shape {A.shape} hold {prod(to)} numbers before {ind} and {prod(of)} from there on"
        )
    return shapes.reshape(inv(shapes.reshape(A, shape=(prod(to), -1))), shape=of + to)


def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """The X of tensordot(A, X, X.ndim) = B, the axes ``dims`` of ``A`` first moved to its end.

    Raises ``ValueError`` where there are not as many unknowns as equations.
    """
    if dims is not None:
        A = movedim(A, tuple(dims), tuple(range(-len(dims), 0)))
    of = A.shape[B.ndim :]
    if prod(of) != B.numel():
        raise ValueError(f"tensorsolve: {prod(of)} unknowns of shape {of} for the {B.numel()} equations of shape {B.shape}")
    square = shapes.reshape(A, shape=(B.numel(), prod(of)))
    return shapes.reshape(solve(square, shapes.reshape(B, shape=(-1,))), shape=of)


# --- determinants and powers -------------------------------------------------------------------------------------------------


def det(A: Tensor) -> Tensor:
    """The determinant of square matrices. Its derivative, the cofactors, holds for singular matrices too.

    Derivatives of higher order hold where there is an inverse, and the second where one singular value is 0 and no others are
    equal. Where several are 0, it raises ``LinAlgError``.
    """
    return linalg.det(matrices("det", A, square=True))


def slogdet(A: Tensor) -> SignAndLog:
    """The sign of the determinant, and the logarithm of its size, which for large matrices is in range where it is not.

    Of singular matrices 0 and -inf, which have no derivative: it raises ``LinAlgError``.
    """
    both = linalg.slogdet(matrices("slogdet", A, square=True))
    return SignAndLog(both[..., 0].detach(), both[..., 1])


@reads_numbers
def matrix_power(A: Tensor, n: int) -> Tensor:
    """A^n; the identity where ``n`` is 0, and a power of the inverse where it is negative.

    Raises ``ValueError`` unless ``A`` is square.
    """
    A = tensor_of("matrix_power", A)
    if A.ndim < 2 or A.shape[-1] != A.shape[-2]:
        raise ValueError(f"matrix_power: takes square matrices, not shape {A.shape}")
    if n == 0:
        return shapes.copy(shapes.broadcast_to(identity_like(A), shape=A.shape))
    if n < 0:
        return matrix_power(inv(A), -n)
    if n % 2:
        return A if n == 1 else linalg.matmul(matrix_power(A, n - 1), A)
    half = matrix_power(A, n // 2)
    return linalg.matmul(half, half)
