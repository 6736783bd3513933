"""Functions of ``ad.linalg`` and ``ad.special`` that PyTorch has at its top level too, some in an older form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..arguments import Dims, publish, reads_numbers, reduced_of
from ..creation import arange, zeros
from .elementwise import pow, where
from .linalg import decompositions, norms, systems
from .linalg.products import multi_dot
from .linalg.systems import cholesky_solve, det, matrix_power, slogdet
from .reductions import p_norm
from .shapes import flip, transpose, unsqueeze
from .special import digamma, erfc, erfinv, exp2, lgamma, logaddexp2, logit, mvlgamma, polygamma, sinc, xlogy

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "chain_matmul", "cholesky_solve", "det", "digamma", "erfc", "erfinv", "exp2", "lgamma", "logaddexp2", "logdet",
    "logit", "matrix_power", "mvlgamma", "norm", "pinverse", "polygamma", "qr", "sinc", "slogdet", "svd", "vander", "xlogy",
]  # fmt: skip


class SVD(NamedTuple):
    """What :func:`svd` returns."""

    U: Tensor
    S: Tensor
    V: Tensor


def svd(x: Tensor, some: bool = True, compute_uv: bool = True) -> SVD:
    """:func:`adjoint.linalg.svd`, with V, not its transpose: only min(m, n) columns of U and V where ``some``, and zeros for
    them without ``compute_uv``."""
    if not compute_uv:
        m, n = x.shape[-2:]
        u, v = (zeros(*x.shape[:-2], k, k, dtype=x.dtype, device=x.backend) for k in (m, n))
        return SVD(u, decompositions.svdvals(x), v)
    u, s, vh = decompositions.svd(x, full_matrices=not some)
    return SVD(u, s, transpose(vh, -2, -1))


def qr(x: Tensor, some: bool = True) -> decompositions.QR:
    """:func:`adjoint.linalg.qr`, in its mode ``"reduced"`` where ``some``, else ``"complete"``."""
    return decompositions.qr(x, "reduced" if some else "complete")


def logdet(x: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where it is negative, -inf where it is 0."""
    sign, size = slogdet(x)
    return where(sign < 0, float("nan"), size)


@reads_numbers
def pinverse(x: Tensor, rcond: float = 1e-15) -> Tensor:
    """:func:`adjoint.linalg.pinv`, singular values up to ``rcond`` times the largest taken as 0."""
    return systems.pinv(x, rtol=rcond)


@reads_numbers
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers N - 1 to 0 of each element of a vector in a row, or with ``increasing`` 0 to N - 1; N is its length where None.

    Raises ``ValueError`` on another shape.
    """
    if x.ndim != 1:
        raise ValueError(f"vander: takes a vector, not shape {x.shape}")
    exponents = arange(x.shape[0] if N is None else N, device=x.backend)
    return pow(unsqueeze(x, -1), exponents if increasing else flip(exponents, 0))


@reads_numbers
def norm(x: Tensor, p: float | str = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """(sum of abs(x)^p)^(1/p) over ``dim``; at 0 its gradient is 0.

    Args:
        x: the tensor.
        p: inf and -inf, the largest and the smallest abs(x); 0, the number of nonzero elements; ``"fro"``, 2; ``"nuc"``, the sum
            of the singular values of matrices.
        dim: one axis or several; None is all.
    """
    x, axes = x if dtype is None else x.to(dtype), reduced_of("norm", x, dim, None)
    if p == "nuc":
        return norms.matrix_norm(x, "nuc", (-2, -1) if axes is None else axes, keepdim)
    return p_norm(x, 2 if p == "fro" else float(p), axes, keepdim)


def chain_matmul(*matrices: Tensor) -> Tensor:
    """:func:`multi_dot` of matrices, or one matrix itself. Raises ``ValueError`` on other shapes."""
    if any(x.ndim != 2 for x in matrices):
        raise ValueError(f"chain_matmul: takes matrices, not shapes {[x.shape for x in matrices]}")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)


publish(globals())
