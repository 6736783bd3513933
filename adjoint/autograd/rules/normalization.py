"""The primitives behind the normalizations, and their derivatives."""

from __future__ import annotations

from math import prod
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


def _rows_normalized(xp: Any, x: Any, n: int, eps: float) -> tuple[Any, Any]:
    """Rows of ``n`` of the elements of ``x``, each row less its mean and over its deviation; and one over that deviation."""
    x = wide(xp, xp.reshape(x, (prod(x.shape) // n, n)))
    centred = x - xp.sum(x, axis=-1, keepdims=True) / n
    inverse = 1.0 / xp.sqrt(xp.sum(centred * centred, axis=-1, keepdims=True) / n + eps)
    return centred * inverse, inverse


@primitive(floating=True)
def layer_norm(xp: Any, x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    """weight (x - mean) / sqrt(variance + eps) + bias over the last axes, which are those of the weight and the bias."""
    out, _ = _rows_normalized(xp, x, prod(weight.shape), eps)
    out *= xp.reshape(weight, (-1,))
    out += bias if isinstance(bias, float) else xp.reshape(bias, (-1,))
    return xp.astype(xp.reshape(out, x.shape), x.dtype)


def _layer_norm_backwards(xp: Any, g: Any, x: Any, weight: Any, eps: float) -> tuple[Any, Any, Any]:
    """Of the input :func:`_without_mean_and_scale` of weight g, whose means are products of a matrix with the weight."""
    n = prod(weight.shape)
    normalized, inverse = _rows_normalized(xp, x, n, eps)
    g = wide(xp, xp.reshape(g, normalized.shape))
    by_row = wide(xp, xp.reshape(weight, (n, 1)))
    product = g * normalized
    shift, stretch = xp.matmul(g, by_row) / n, xp.matmul(product, by_row) / n
    by_x = g * xp.matrix_transpose(by_row)
    by_x -= shift
    by_x -= normalized * stretch
    by_x *= inverse
    by_weight, by_bias = (xp.reshape(xp.sum(each, axis=0), weight.shape) for each in (product, g))
    return xp.reshape(by_x, x.shape), by_weight, by_bias


layer_norm.vjp(_layer_norm_backwards)
