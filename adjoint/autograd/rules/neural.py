"""Fused primitives that neural networks spend their time in, and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..primitive import primitive


@primitive
def linear(xp: Any, x: Array, weight: Array, bias: Array) -> Array:
    """x weight^T + bias: (..., in), (out, in), (out,) to (..., out)."""
    return xp.matmul(x, xp.matrix_transpose(weight)) + bias


@primitive
def relu(xp: Any, x: Array) -> Array:
    return xp.maximum(x, 0)


@primitive(floating=True)
def softmax(xp: Any, x: Array, *, axis: int) -> Array:
    weights = xp.exp(x - xp.max(x, axis=axis, keepdims=True))
    return weights / xp.sum(weights, axis=axis, keepdims=True)


@primitive(floating=True)
def log_softmax(xp: Any, x: Array, *, axis: int) -> Array:
    shifted = x - xp.max(x, axis=axis, keepdims=True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


def _rows(xp: Any, x: Any) -> Any:
    """All leading axes as one."""
    return x if x.ndim == 2 else xp.reshape(x, (-1, x.shape[-1]))


linear.vjp(
    x=lambda xp, g, weight: xp.matmul(g, weight),
    weight=lambda xp, g, x: xp.matmul(xp.matrix_transpose(_rows(xp, g)), _rows(xp, x)),
    bias=lambda g: g,
)
relu.vjp(x=lambda xp, g, out: xp.where(out > 0, g, 0.0))
softmax.vjp(x=lambda xp, g, out, axis: out * (g - xp.sum(g * out, axis=axis, keepdims=True)))
log_softmax.vjp(x=lambda xp, g, out, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))
