"""The primitives behind the normalizations, and their derivatives: centring, the root mean square, and both in one."""

from __future__ import annotations

from math import prod
from typing import Any

from ...backends import Array
from ..primitive import primitive
from .declare import Axes
from .reductions import count, reduced_axes

FIRST: Any = (..., slice(0, 1))  #: the index of the first element of each row


def _centred(xp: Any, x: Any, axis: Axes) -> tuple[Any, int]:
    """x less its mean over ``axis``, and how many elements a mean is of.

    The first element is taken off before, so that rounding is by the scale of the differences: what is constant becomes 0.
    """
    if axis == -1:
        first, n = FIRST, x.shape[-1] or 1
    else:
        over = reduced_axes(x.ndim, axis)
        first, n = tuple([slice(0, 1) if i in over else slice(None) for i in range(x.ndim)]), count(x.shape, axis) or 1
    centred = x - xp.getitem(x, first)
    centred -= xp.sum(centred, axis=axis, keepdims=True) / n
    return centred, n


def _less_mean(xp: Any, g: Any, axis: Axes) -> Any:
    return g - xp.sum(g, axis=axis, keepdims=True) / (count(g.shape, axis) or 1)


@primitive(floating=True, wide=True)
def centre(xp: Any, x: Array, *, axis: Axes) -> Array:
    """x less its mean over ``axis``; exactly 0 where x is constant."""
    return _centred(xp, x, axis)[0]


@primitive(floating=True, wide=True)
def root_mean_square(xp: Any, x: Array, *, axis: Axes, divisor: float, eps: float) -> Array:
    """sqrt(sum of x^2 / divisor + eps) over ``axis``, which stays at length one, at any scale. Where it is 0 its gradient is 0."""
    return xp.root_mean_square(x, axis=axis, divisor=divisor, eps=eps)


def _root_mean_square(xp: Any, g: Any, x: Any, axis: Axes, divisor: float, eps: float) -> Any:
    """Recomputes the output, so that users may write to it in place."""
    out = xp.root_mean_square(x, axis=axis, divisor=divisor, eps=eps)
    none = out == 0
    return x * (1.0 / xp.where(none, 1.0, out)) * xp.where(none, 0.0, g / divisor)  # in this order, which no scale overflows


centre.vjp(x=_less_mean)
root_mean_square.vjp(x=_root_mean_square)


def _with_inverse(xp: Any, x: Any, axis: Axes, eps: float) -> tuple[Any, Any]:
    """x less its mean over ``axis``, and 1 / deviation, by which that is to be multiplied to have variance 1."""
    centred, n = _centred(xp, x, axis)
    return centred, 1.0 / xp.root_mean_square(centred, axis=axis, divisor=n, eps=eps)


@primitive(floating=True, wide=True)
def standardize(xp: Any, x: Array, *, axis: Axes, eps: float) -> Array:
    """(x - mean) / sqrt(variance + eps), both taken over ``axis``, the variance with n as its divisor."""
    centred, inverse = _with_inverse(xp, x, axis, eps)
    return centred * inverse


def _without_mean_and_scale(xp: Any, g: Any, x: Any, axis: Axes, eps: float) -> Any:
    """(g - mean g - out mean(g out)) / deviation: the part of g that neither shifts nor scales the group.

    Recomputes the output, so that users may write to it in place.
    """
    centred, inverse = _with_inverse(xp, x, axis, eps)
    out = centred * inverse
    stretch = xp.sum(g * out, axis=axis, keepdims=True) / (count(x.shape, axis) or 1)
    return (_less_mean(xp, g, axis) - out * stretch) * inverse


standardize.vjp(x=_without_mean_and_scale)


def _rows(xp: Any, x: Any, n: int) -> Any:
    """The elements of ``x`` in rows of ``n``."""
    return xp.reshape(x, (prod(x.shape) // (n or 1), n))


@primitive(floating=True, wide=True)
def layer_norm(xp: Any, x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    """weight (x - mean) / sqrt(variance + eps) + bias over the last axes, which are those of the weight and the bias."""
    centred, inverse = _with_inverse(xp, _rows(xp, x, prod(weight.shape)), -1, eps)
    out = centred * inverse
    out *= xp.reshape(weight, (-1,))
    out += bias if isinstance(bias, float) else xp.reshape(bias, (-1,))
    return xp.reshape(out, x.shape)


def _layer_norm_backwards(xp: Any, g: Any, x: Any, weight: Any, eps: float) -> tuple[Any, Any, Any]:
    """By the input it is :func:`_without_mean_and_scale` of weight g, whose means are products of matrices with the weight."""
    n = prod(weight.shape)
    centred, inverse = _with_inverse(xp, _rows(xp, x, n), -1, eps)
    g, column = _rows(xp, g, n), xp.reshape(weight, (n, 1))
    product = g * centred
    by_x = g * xp.matrix_transpose(column)
    by_x -= xp.matmul(g, column) / n
    by_x -= centred * (xp.matmul(product, column) * inverse * (inverse / n))  # in this order, which no scale overflows
    by_x *= inverse
    by_weight = xp.matmul(xp.matrix_transpose(inverse), product)
    return xp.reshape(by_x, x.shape), xp.reshape(by_weight, weight.shape), xp.reshape(xp.sum(g, axis=0), weight.shape)


layer_norm.vjp(_layer_norm_backwards)
