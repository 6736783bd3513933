"""The primitive behind the normalizations, and its derivative."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..graph import wide
from ..primitive import primitive
from .reductions import Axes, count


def _centred(xp: Any, x: Any, axis: Axes, eps: float) -> tuple[Any, Any]:
    """``x`` less its mean over ``axis``, and what its deviation from that is divided by, both in float32 at least."""
    x, n = wide(xp, x), count(x.shape, axis) or 1
    centred = x - xp.sum(x, axis=axis, keepdims=True) / n
    return centred, xp.sqrt(xp.sum(centred * centred, axis=axis, keepdims=True) / n + eps)


@primitive(floating=True)
def standardize(xp: Any, x: Array, *, axis: Axes, eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps), both taken over ``axis``, the variance with n as its divisor."""
    centred, deviation = _centred(xp, x, axis, eps)
    return xp.astype(centred / deviation, x.dtype)


def _without_mean_and_scale(xp: Any, g: Any, x: Any, axis: Axes, eps: float) -> Any:
    """(g - mean g - out mean(g out)) / deviation: the part of g that neither shifts nor scales the group.

    The output is computed again rather than kept, so that it may be written to.
    """
    g, n = wide(xp, g), count(x.shape, axis) or 1
    centred, deviation = _centred(xp, x, axis, eps)
    out = centred / deviation
    shift = xp.sum(g, axis=axis, keepdims=True) / n
    stretch = xp.sum(g * out, axis=axis, keepdims=True) / n
    return (g - shift - out * stretch) / deviation


standardize.vjp(x=_without_mean_and_scale)
