"""Statistics composed of sums: moments together, without NaN, counts, covariance, distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...backends import dtypes
from ..arguments import Dims, axes_of, floating, integer, nonempty, publish, reads_numbers, reduced_of, sizes_of
from ..creation import ones, zeros
from ..precision import wide_inside
from ..rules import elementwise as e, normalization, reductions, shapes
from .elementwise import clamp, where
from .linalg.products import matmul
from .reductions import amax, amin, corrected, mean, p_norm, std, sum, var
from .scattering import index_add
from .shapes import t, transpose, unsqueeze

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "aminmax", "bincount", "cdist", "corrcoef", "count_nonzero", "cov", "dist", "nanmean", "nansum", "std_mean", "sum_to_size",
    "var_mean",
]  # fmt: skip


class MinMax(NamedTuple):
    """What :func:`aminmax` returns."""

    min: Tensor
    max: Tensor


def aminmax(x: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """The smallest and the largest value over ``dim``; ties share the gradient evenly."""
    axes = None if dim is None else axes_of("aminmax", x, integer("aminmax", "dim", dim), None)
    nonempty("aminmax", x, axes)
    return MinMax(amin(x, axes, keepdim), amax(x, axes, keepdim))


def nansum(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over ``dim`` of the elements that are not NaN."""
    return sum(where(x != x, 0, x), reduced_of("nansum", x, dim, None), keepdim, dtype=dtype)


@wide_inside
def nanmean(x: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over ``dim`` of the elements that are not NaN; NaN where there is none."""
    x = floating("nanmean", x if dtype is None else x.to(dtype))
    axes = reduced_of("nanmean", x, dim, None)
    n = sum(x == x, axes, keepdim).to(x.dtype)
    none = n == 0
    return where(none, float("nan"), nansum(x, axes, keepdim) / where(none, 1.0, n))


def count_nonzero(x: Tensor, dim: Dims = None) -> Tensor:
    """How many elements over ``dim`` are not 0, in int64."""
    return sum(x != 0, reduced_of("count_nonzero", x, dim, None))


def var_mean(
    x: Tensor, dim: Dims = None, correction: float | None = None, keepdim: bool = False, *, unbiased: bool | None = None
) -> Any:
    """:func:`var` and :func:`mean` over ``dim``.

    Args:
        x, dim, correction, unbiased: as for :func:`var`.
    """
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    axes = reduced_of("var_mean", x, dim, None)
    return var(x, axes, corrected("var_mean", correction, unbiased), keepdim), mean(x, axes, keepdim)


def std_mean(
    x: Tensor, dim: Dims = None, correction: float | None = None, keepdim: bool = False, *, unbiased: bool | None = None
) -> Any:
    """:func:`std` and :func:`mean` over ``dim``.

    Args:
        x, dim, correction, unbiased: as for :func:`var`.
    """
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    axes = reduced_of("std_mean", x, dim, None)
    return std(x, axes, corrected("std_mean", correction, unbiased), keepdim), mean(x, axes, keepdim)


@reads_numbers
@wide_inside
def cov(x: Tensor, *, correction: float = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Tensor:
    """The covariance of the variables in the rows of ``x``, of which each column is an observation. A vector is one variable.

    Args:
        x: (variables, observations); raises ``ValueError`` on more axes.
        correction: subtracted from the number of observations.
        fweights: how often each observation occurred.
        aweights: the weight of each.
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
    freedom = clamp(freedom, 0) if hasattr(freedom, "_node") else max(freedom, 0)
    covariance = matmul(weighted, t(centred)) / freedom
    return shapes.squeeze(covariance, axis=(0, 1)) if rows.shape[0] == 1 else covariance


@wide_inside
def corrcoef(x: Tensor) -> Tensor:
    """The correlation coefficients of the variables in the rows of ``x``: :func:`cov` over both standard deviations.

    Raises ``ValueError`` on more than two axes.
    """
    if x.ndim > 2:
        raise ValueError(f"corrcoef: takes at most 2 axes, not shape {x.shape}")
    rows = shapes.reshape(x, shape=(1, -1)) if x.ndim < 2 else x
    if not rows.shape[1]:
        return cov(x)
    centred = normalization.centre(rows, axis=1)
    units = centred / p_norm(centred, 2, 1, True)
    return clamp(shapes.squeeze(matmul(units, t(units)), axis=(0, 1) if rows.shape[0] == 1 else ()), -1.0, 1.0)


@reads_numbers
@wide_inside
def dist(x: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of x - other, broadcast."""
    return p_norm(x - other, p, None, False)


@reads_numbers
@wide_inside
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norms of the differences of all pairs of rows: (..., n, k) and (..., m, k) to (..., n, m), batch axes broadcast.

    Args:
        x1, x2: the rows.
        p: of the norm, at least 0.
        compute_mode: by default all differences are kept in memory, n m k numbers, and close points lose no digits.
            ``"use_mm_for_euclid_dist"`` computes x^2 + y^2 - 2 x y by a matrix product of n m numbers, where p is 2.

    At equal points the gradient is 0. Raises ``ValueError`` on other shapes, modes, or a negative p.
    """
    modes = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
    if compute_mode not in modes:
        raise ValueError(f"cdist: compute_mode is one of {', '.join(map(repr, modes))}, not {compute_mode!r}")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ValueError(f"cdist: takes rows of one length, in at least 2 axes, not shapes {x1.shape} and {x2.shape}")
    if p < 0:
        raise ValueError(f"cdist: p is 0 or more, not {p}")
    x1, x2 = floating("cdist", x1), floating("cdist", x2)
    if p != 2 or compute_mode != modes[1]:
        return p_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1, False)
    lengths = unsqueeze(sum(e.square(x1), -1), -1) + unsqueeze(sum(e.square(x2), -1), -2)
    squared = clamp(lengths - 2.0 * matmul(x1, transpose(x2, -2, -1)), 0.0)
    none = squared == 0
    return where(none, 0.0, e.sqrt(where(none, 1.0, squared)))


def sum_to_size(x: Tensor, *size: Any) -> Tensor:
    """``x`` summed over the axes that broadcasting from ``size`` would repeat.

    Raises ``ValueError`` where it does not broadcast.
    """
    shape = sizes_of("sum_to_size", size)
    lead = x.ndim - len(shape)
    if lead < 0 or any(m not in (1, n) for m, n in zip(shape, x.shape[lead:], strict=True)):
        raise ValueError(f"sum_to_size: shape {shape} does not broadcast to {x.shape}")
    axes = tuple(i for i in range(x.ndim) if i < lead or (shape[i - lead] == 1 and x.shape[i] != 1))
    return shapes.reshape(reductions.sum(x, axis=axes), shape=shape) if axes else x


@reads_numbers
def bincount(x: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each integer from 0 to the largest occurs in the vector ``x``, or the sum of its ``weights``.

    Counts are int64; sums float32 for such weights, else float64. The result has at least ``minlength`` elements.

    Raises ``TypeError`` where ``x`` is not of integers, and ``ValueError`` where it is not a vector, has negative numbers,
    or ``weights`` is of another shape.

    >>> import adjoint as ad
    >>> ad.bincount(ad.tensor([1, 3, 1]))
    tensor([0, 2, 0, 1])
    """
    if x.dtype.kind not in ("int", "uint"):
        raise TypeError(f"bincount: requires integers, not {x.dtype}")
    if x.ndim != 1 or (weights is not None and weights.shape != x.shape):
        and_weights = "" if weights is None else f" and weights of shape {weights.shape}"
        raise ValueError(f"bincount: takes a vector, and weights like it, not one of shape {x.shape}{and_weights}")
    if minlength < 0:
        raise ValueError(f"bincount: minlength is a length, from 0, not {minlength}")
    places = x.to(dtypes.int64)
    if places.numel() and int(places.min()) < 0:
        raise ValueError(f"bincount: counts numbers from 0, and the least is {int(places.min())}")
    length = max(int(places.max()) + 1 if places.numel() else 0, minlength)
    if weights is None:
        each = ones(x.shape, dtype=dtypes.int64, device=x.backend)
    else:
        each = weights if weights.dtype is dtypes.float32 else weights.to(dtypes.float64)
    return index_add(zeros(length, dtype=each.dtype, device=x.backend), 0, places, each)


publish(globals())
