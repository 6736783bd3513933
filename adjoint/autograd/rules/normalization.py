"""The primitives behind the normalizations, and their derivatives."""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array
from ..primitive import primitive
from .reductions import Axes, count


def _centred(xp: Any, x: Any, axis: Axes, eps: float) -> tuple[Any, Any]:
    """``x`` less its mean over ``axis``, and what its deviation from that is divided by."""
    n = count(x.shape, axis) or 1
    centred = x - xp.sum(x, axis=axis, keepdims=True) / n
    return centred, xp.sqrt(xp.sum(centred * centred, axis=axis, keepdims=True) / n + eps)


@primitive(floating=True, wide=True)
def standardize(xp: Any, x: Array, *, axis: Axes, eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps), both taken over ``axis``, the variance with n as its divisor."""
    centred, deviation = _centred(xp, x, axis, eps)
    return centred / deviation


def _without_mean_and_scale(xp: Any, g: Any, x: Any, axis: Axes, eps: float) -> Any:
    """(g - mean g - out mean(g out)) / deviation: the part of g that neither shifts nor scales the group.

    The output is computed again rather than kept, so that it may be written to.
    """
    n = count(x.shape, axis) or 1
    centred, deviation = _centred(xp, x, axis, eps)
    out = centred / deviation
    shift = xp.sum(g, axis=axis, keepdims=True) / n
    stretch = xp.sum(g * out, axis=axis, keepdims=True) / n
    return (g - shift - out * stretch) / deviation


standardize.vjp(x=_without_mean_and_scale)


def _rows_centred(xp: Any, x: Any, n: int, eps: float) -> tuple[Any, Any]:
    """Rows of ``n`` of the elements of ``x``, each row less its mean; and what it is to be multiplied by, to have variance 1."""
    x = xp.reshape(x, (prod(x.shape) // n, n))
    centred = x - xp.sum(x, axis=-1, keepdims=True) / n
    return centred, 1.0 / xp.sqrt(xp.sum(centred * centred, axis=-1, keepdims=True) / n + eps)


@primitive(floating=True, wide=True)
def layer_norm(xp: Any, x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    """weight (x - mean) / sqrt(variance + eps) + bias over the last axes, which are those of the weight and the bias."""
    centred, inverse = _rows_centred(xp, x, prod(weight.shape), eps)
    out = centred * inverse
    out *= xp.reshape(weight, (-1,))
    out += bias if isinstance(bias, float) else xp.reshape(bias, (-1,))
    return xp.reshape(out, x.shape)


def _layer_norm_backwards(xp: Any, g: Any, x: Any, weight: Any, eps: float) -> tuple[Any, Any, Any]:
    """By the input it is :func:`_without_mean_and_scale` of weight g, whose means are products of matrices with the weight."""
    n = prod(weight.shape)
    centred, inverse = _rows_centred(xp, x, n, eps)
    g, column = xp.reshape(g, centred.shape), xp.reshape(weight, (n, 1))
    product = g * centred
    by_x = g * xp.matrix_transpose(column)
    by_x -= xp.matmul(g, column) / n
    by_x -= centred * (xp.matmul(product, column) * (inverse * inverse / n))
    by_x *= inverse
    by_weight = xp.matmul(xp.matrix_transpose(inverse), product)
    return xp.reshape(by_x, x.shape), xp.reshape(by_weight, weight.shape), xp.reshape(xp.sum(g, axis=0), weight.shape)


layer_norm.vjp(_layer_norm_backwards)
