"""Statistics that are composed of sums: moments together, without NaN, covariance, distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..rules import elementwise as e
from ..rules import reductions, shapes
from .arguments import Dims, floating, sizes_of
from .elementwise import clamp, where
from .matrices import matmul
from .reductions import amax, amin, mean, norm, std, sum, var
from .shapes import t, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor


class MinMax(NamedTuple):
    """What :func:`aminmax` returns."""

    min: Tensor
    max: Tensor


def aminmax(x: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest value over ``dim``; ties share the gradient evenly."""
    return MinMax(amin(x, dim, keepdim), amax(x, dim, keepdim))


def nansum(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of the elements that are not NaN."""
    return sum(where(x != x, 0, x), dim, keepdim, dtype=dtype)


def nanmean(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of the elements that are not NaN; NaN where there is none."""
    x = floating("nanmean", x if dtype is None else x.to(dtype))
    n = sum(x == x, dim, keepdim).to(x.dtype)
    none = n == 0
    return where(none, float("nan"), nansum(x, dim, keepdim) / where(none, 1.0, n))


def count_nonzero(x: Tensor, dim: Dims = None) -> Tensor:
    """How many elements over ``dim`` are not 0, in int64."""
    return sum(x != 0, dim)


def var_mean(x: Tensor, dim: Dims = None, correction: float = 1, keepdim: bool = False, *, unbiased: bool | None = None) -> Any:
    """:func:`var` and :func:`mean` over ``dim``."""
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return var(x, dim, correction, keepdim, unbiased=unbiased), mean(x, dim, keepdim)


def std_mean(x: Tensor, dim: Dims = None, correction: float = 1, keepdim: bool = False, *, unbiased: bool | None = None) -> Any:
    """:func:`std` and :func:`mean` over ``dim``."""
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return std(x, dim, correction, keepdim, unbiased=unbiased), mean(x, dim, keepdim)


def cov(x: Tensor, *, correction: float = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariance of the variables in the rows of ``x``, of which each column is an observation.

    ``fweights`` says how often each observation was made, ``aweights`` how much it weighs. A vector is one variable.
    """
    if x.ndim > 2:
        raise ValueError(f"cov: takes at most 2 axes, not shape {x.shape}")
    rows = shapes.reshape(x, shape=(1, -1)) if x.ndim < 2 else x
    n = rows.shape[1]
    weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    if weights is None:
        total: Any = n
        centred = rows - sum(rows, 1, True) / n
        weighted = centred
    else:
        total = sum(weights)
        centred = rows - sum(rows * weights, 1, True) / total
        weighted = centred * weights
    freedom = total - correction
    if aweights is not None and correction:
        freedom = total - correction * sum(weights * aweights) / total
    return shapes.squeeze(matmul(weighted, t(centred)) / freedom, axis=(0, 1) if x.ndim < 2 else ())


def corrcoef(x: Tensor) -> Tensor:
    """The correlation coefficients of the variables in the rows of ``x``: :func:`cov` over both standard deviations."""
    covariance = cov(x)
    if not covariance.ndim:
        return covariance / covariance
    n = covariance.shape[0]
    deviation = e.sqrt(shapes.reshape(covariance, shape=(-1,))[:: n + 1])
    return clamp(covariance / unsqueeze(deviation, 1) / deviation, -1.0, 1.0)


def dist(x: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of x - other, broadcast."""
    return norm(x - other, p)


def sum_to_size(x: Tensor, *size: Any) -> Tensor:
    """``x`` summed over what broadcasting from ``size`` to its shape would repeat."""
    wanted = sizes_of(size)
    lead = x.ndim - len(wanted)
    if lead < 0 or any(m not in (1, n) for m, n in zip(wanted, x.shape[lead:], strict=True)):
        raise ValueError(f"sum_to_size: shape {wanted} does not broadcast to {x.shape}")
    axes = tuple(i for i in range(x.ndim) if i < lead or (wanted[i - lead] == 1 and x.shape[i] != 1))
    return shapes.reshape(reductions.sum(x, axis=axes), shape=wanted) if axes else x
