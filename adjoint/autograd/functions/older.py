"""What ``ad.linalg`` has too, under the names and in the forms that PyTorch's top level keeps from before."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..arguments import reads_numbers
from . import factorizations, linalg
from .elementwise import where
from .shapes import transpose

if TYPE_CHECKING:
    from ..tensor import Tensor


class SVD(NamedTuple):
    """What :func:`svd` returns."""

    U: Tensor
    S: Tensor
    V: Tensor


def svd(x: Tensor, some: bool = True, compute_uv: bool = True) -> SVD:
    """:func:`adjoint.linalg.svd`, with V, not its transpose: only min(m, n) columns of U and V where ``some``, and zeros for
    them without ``compute_uv``."""
    from ..creation import zeros

    if not compute_uv:
        m, n = x.shape[-2:]
        u, v = (zeros(*x.shape[:-2], k, k, dtype=x.dtype, device=x.backend) for k in (m, n))
        return SVD(u, factorizations.svdvals(x), v)
    u, s, vh = factorizations.svd(x, full_matrices=not some)
    return SVD(u, s, transpose(vh, -2, -1))


def qr(x: Tensor, some: bool = True) -> factorizations.QR:
    """:func:`adjoint.linalg.qr`, in its mode ``"reduced"`` where ``some``, else ``"complete"``."""
    return factorizations.qr(x, "reduced" if some else "complete")


def logdet(x: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where it is negative, -inf where it is 0."""
    sign, size = linalg.slogdet(x)
    return where(sign < 0, float("nan"), size)


@reads_numbers
def pinverse(x: Tensor, rcond: float = 1e-15) -> Tensor:
    """:func:`adjoint.linalg.pinv`, singular values up to ``rcond`` times the largest taken as 0."""
    return linalg.pinv(x, rtol=rcond)
