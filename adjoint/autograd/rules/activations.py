"""Activations, softmax and attention weights as fused primitives, and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array
from ..primitive import primitive
from .declare import unary
from .special import SQRT_2_OVER_PI

ONE_OVER_SQRT_2PI = 0.3989422804014327


@primitive
def relu(xp: Any, x: Array) -> Array:
    """max(x, 0); its derivative at 0 is 0."""
    return xp.maximum(x, 0)


relu.vjp(x=lambda xp, g, out: xp.where(out <= 0, 0.0, g))


@primitive(floating=True)
def leaky_relu(xp: Any, x: Array, *, negative_slope: float) -> Array:
    """x where x > 0, else negative_slope x."""
    return xp.where(x > 0, x, negative_slope * x)


leaky_relu.vjp(x=lambda xp, g, x, negative_slope: xp.where(x > 0, g, negative_slope * g))


@primitive(floating=True)
def elu(xp: Any, x: Array, *, alpha: float) -> Array:
    """x where x > 0, else alpha (e^x - 1)."""
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0.0)))


elu.vjp(x=lambda xp, g, x, alpha: xp.where(x > 0, g, g * (alpha * xp.exp(xp.minimum(x, 0.0)))))


@primitive(floating=True)
def softplus(xp: Any, x: Array, *, beta: float, threshold: float) -> Array:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above ``threshold``."""
    scaled = beta * x
    return xp.where(scaled > threshold, x, (xp.log1p(xp.exp(-xp.abs(scaled))) + xp.maximum(scaled, 0.0)) / beta)


softplus.vjp(x=lambda xp, g, out, x, beta, threshold: xp.where(beta * x > threshold, g, -g * xp.expm1(-beta * out)))

# --- the normal distribution, for GELU ---------------------------------------------------------------------------------------


def _normal_density(xp: Any, g: Any, x: Any) -> Any:
    """g exp(-x^2 / 2) / sqrt(2 pi)."""
    half = x * x
    half *= -0.5
    result = ONE_OVER_SQRT_2PI * g
    result *= xp.exp(half)
    return result


normal_cdf = unary("normal_cdf", "The standard normal distribution function at x.", floating=True, x=_normal_density)


@primitive(floating=True)
def normal_cdf_tanh(xp: Any, x: Array) -> Array:
    """:func:`normal_cdf` to within 3e-4, without the error function."""
    inner = x * x
    inner *= 2.0 * SQRT_2_OVER_PI * 0.044715
    inner += 2.0 * SQRT_2_OVER_PI
    inner *= x
    return xp.sigmoid(inner)


def _normal_density_tanh(g: Any, out: Any, x: Any) -> Any:
    """g (2 sqrt(2 / pi) (1 + 0.134145 x^2)) out (1 - out)."""
    slope = x * x
    slope *= 2.0 * SQRT_2_OVER_PI * 0.134145
    slope += 2.0 * SQRT_2_OVER_PI
    slope *= g
    slope *= out
    slope *= 1.0 - out
    return slope


normal_cdf_tanh.vjp(x=_normal_density_tanh)

# --- softmax -----------------------------------------------------------------------------------------------------------------


@primitive(floating=True, wide=True)
def softmax(xp: Any, x: Array, *, axis: int) -> Array:
    """exp(x) / sum of exp(x) along ``axis``, without overflow."""
    weights = xp.exp(x - xp.max(x, axis=axis, keepdims=True)) if x.size else x
    return weights / xp.sum(weights, axis=axis, keepdims=True)


softmax.vjp(x=lambda xp, g, out, axis: out * (g - xp.sum(g * out, axis=axis, keepdims=True)))


@primitive(floating=True, wide=True)
def log_softmax(xp: Any, x: Array, *, axis: int) -> Array:
    """x - log of the sum of exp(x) along ``axis``, without overflow or underflow."""
    shifted = x - xp.max(x, axis=axis, keepdims=True) if x.size else x
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


log_softmax.vjp(x=lambda xp, g, out, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))


@primitive(floating=True, wide=True)
def attention_weights(xp: Any, query: Array, key: Array, mask: Array, *, scale: float, causal: bool) -> Array:
    """softmax(scale query key^T + mask) over the keys: (..., L, E), (..., S, E), (..., L, S) or 0.0 to (..., L, S).

    Where ``causal``, query i attends to the keys 0 to i. A query that the mask excludes from every key has weights of 0.
    """
    scores = xp.matmul(query * scale, xp.matrix_transpose(key))
    if causal:
        scores += xp.triu(xp.full(scores.shape[-2:], -float("inf"), dtype=scores.dtype), k=1)
    masked = not isinstance(mask, float)
    if masked:
        scores = scores + mask
    top = xp.max(scores, axis=-1, keepdims=True)
    scores -= xp.where(top == -float("inf"), 0.0, top) if masked else top
    weights = xp.exp(scores)
    total = xp.sum(weights, axis=-1, keepdims=True)
    weights /= xp.where(total == 0, 1.0, total) if masked else total
    return weights


def _attention_weights(xp: Any, g: Any, out: Any, query: Any, key: Any, scale: float) -> tuple[Any, Any, Any]:
    """As softmax by the scores; by query: scale times this times key; by key: scale times its transpose times query."""
    by_scores = g * out
    by_scores -= out * xp.sum(by_scores, axis=-1, keepdims=True)
    by_query = xp.matmul(by_scores, key)
    by_query *= scale
    by_key = xp.matmul(xp.matrix_transpose(by_scores), query)
    by_key *= scale
    return by_query, by_key, by_scores


attention_weights.vjp(_attention_weights)
