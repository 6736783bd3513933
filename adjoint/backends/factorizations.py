"""The standard's ``linalg`` extension as kernels of one output: the factors of a matrix are stacked in one array.

Each works on the matrices in the last two axes, of float32 or float64. A matrix that has no such factors raises
:class:`~adjoint.errors.LinAlgError`; CuPy, which would have to wait for the GPU to know, gives NaN or numbers without meaning
instead, unless ``cupyx.errstate(linalg="raise")`` asks it to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.linalg import LinAlgError as Failure  # CuPy and array-api-strict raise it too

from ..errors import LinAlgError

_SINGULAR = "a matrix is singular; add a small multiple of the identity to it, or use linalg.lstsq or linalg.pinv"
_DIVERGED = "the iteration did not converge"
_NOT_FINITE = "there is inf or NaN among the elements; look for them with isfinite"
_INDEFINITE = "a matrix is not positive definite; add a small multiple of the identity to it, or use linalg.eigh"


def _explained(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """``function``, its failures raised as ours."""

    def kernel(*arrays: Any) -> Any:
        try:
            return function(*arrays)
        except Failure as error:
            raise LinAlgError(what) from error

    return kernel


def finite(xp: Any, x: Any) -> None:
    """Raise ``LinAlgError`` on inf and NaN, with which LAPACK's iterations never end or give finite numbers without meaning."""
    if not bool(xp.all(xp.isfinite(x))):
        raise LinAlgError(_NOT_FINITE)


def factorizations(xp: Any, linalg: Any, check: Callable[[Any, Any], None] = finite) -> dict[str, Callable[..., Any]]:
    """The kernels by name, from a library's namespace and its ``linalg``. What each returns is in ``Extras``.

    ``check(xp, x)`` comes before what is found by iteration.
    """

    def stacked(*parts: Any) -> Any:
        return xp.concat(list(parts), axis=-2)

    def eigh(x: Any) -> Any:
        check(xp, x)
        values, vectors = linalg.eigh(x)
        return stacked(xp.expand_dims(values, axis=-2), vectors)

    def qr(x: Any, complete: bool = False) -> Any:
        q, r = linalg.qr(x, mode="complete" if complete else "reduced")
        return stacked(q, xp.matrix_transpose(r))

    def slogdet(x: Any) -> Any:
        return xp.stack(list(linalg.slogdet(x)), axis=-1)

    def svd(x: Any) -> Any:
        check(xp, x)
        u, s, vt = linalg.svd(x, full_matrices=False)
        return stacked(u, xp.expand_dims(s, axis=-2), xp.matrix_transpose(vt))

    return {
        "cholesky": _explained(linalg.cholesky, _INDEFINITE),
        "eigh": _explained(eigh, _DIVERGED),
        "inv": _explained(linalg.inv, _SINGULAR),
        "qr": qr,
        "slogdet": slogdet,
        "solve": _explained(linalg.solve, _SINGULAR),
        "svd": _explained(svd, _DIVERGED),
    }
