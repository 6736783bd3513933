"""Fused primitives that neural networks spend their time in, and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array, Index
from ..primitive import primitive
from .elementwise import shares
from .linalg import by_matrix, rows

SQRT_HALF = 0.7071067811865476
ONE_OVER_SQRT_2PI = 0.3989422804014327
SQRT_2_OVER_PI = 0.7978845608028654
LOG_FLOOR = -100.0  #: what binary cross entropy takes for the logarithm of 0, as PyTorch does

# --- layers ------------------------------------------------------------------------------------------------------------------


@primitive
def linear(xp: Any, x: Array, weight: Array, bias: Array) -> Array:
    """x weight^T + bias: (..., in), (out, in), (out,) to (..., out)."""
    out = by_matrix(xp, x, xp.matrix_transpose(weight))
    out += bias
    return out


linear.vjp(
    x=lambda xp, g, weight: by_matrix(xp, g, weight),
    weight=lambda xp, g, x: xp.matmul(xp.matrix_transpose(rows(xp, g)), rows(xp, x)),
    bias=lambda g: g,
)

# --- activations -------------------------------------------------------------------------------------------------------------


@primitive
def relu(xp: Any, x: Array) -> Array:
    return xp.maximum(x, 0)


@primitive(floating=True)
def leaky_relu(xp: Any, x: Array, *, negative_slope: float) -> Array:
    return xp.where(x > 0, x, negative_slope * x)


@primitive(floating=True)
def elu(xp: Any, x: Array, *, alpha: float) -> Array:
    return xp.where(x > 0, x, alpha * xp.expm1(xp.minimum(x, 0.0)))


@primitive(floating=True)
def softplus(xp: Any, x: Array, *, beta: float, threshold: float) -> Array:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above ``threshold``."""
    scaled = beta * x
    return xp.where(scaled > threshold, x, (xp.log1p(xp.exp(-xp.abs(scaled))) + xp.maximum(scaled, 0.0)) / beta)


@primitive(floating=True)
def normal_cdf(xp: Any, x: Array) -> Array:
    """How much of the standard normal distribution lies below x."""
    return xp.normal_cdf(x)


@primitive(floating=True)
def normal_cdf_tanh(xp: Any, x: Array) -> Array:
    """:func:`normal_cdf` to within 3e-4, without the error function."""
    inner = x * x
    inner *= 2.0 * SQRT_2_OVER_PI * 0.044715
    inner += 2.0 * SQRT_2_OVER_PI
    inner *= x
    return xp.sigmoid(inner)


@primitive(floating=True, wide=True)
def softmax(xp: Any, x: Array, *, axis: int) -> Array:
    weights = xp.exp(x - xp.max(x, axis=axis, keepdims=True)) if x.size else x
    return weights / xp.sum(weights, axis=axis, keepdims=True)


@primitive(floating=True, wide=True)
def attention_weights(xp: Any, query: Array, key: Array, mask: Array, *, scale: float, causal: bool) -> Array:
    """softmax(scale query key^T + mask) over the keys: (..., L, E), (..., S, E), (..., L, S) or 0.0 to (..., L, S).

    Where ``causal``, query i meets the keys 0 to i. A query that the mask keeps from every key has weights of 0.
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


def _attention_weights_backwards(xp: Any, g: Any, out: Any, query: Any, key: Any, scale: float) -> tuple[Any, Any, Any]:
    by_scores = g * out
    by_scores -= out * xp.sum(by_scores, axis=-1, keepdims=True)
    by_query = xp.matmul(by_scores, key)
    by_query *= scale
    by_key = xp.matmul(xp.matrix_transpose(by_scores), query)
    by_key *= scale
    return by_query, by_key, by_scores


@primitive(floating=True, wide=True)
def log_softmax(xp: Any, x: Array, *, axis: int) -> Array:
    shifted = x - xp.max(x, axis=axis, keepdims=True) if x.size else x
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=axis, keepdims=True))


def _normal_density(xp: Any, g: Any, x: Any) -> Any:
    """g exp(-x^2 / 2) / sqrt(2 pi)."""
    half = x * x
    half *= -0.5
    result = ONE_OVER_SQRT_2PI * g
    result *= xp.exp(half)
    return result


def _normal_density_tanh(g: Any, out: Any, x: Any) -> Any:
    """g (2 sqrt(2 / pi) (1 + 0.134145 x^2)) out (1 - out)."""
    slope = x * x
    slope *= 2.0 * SQRT_2_OVER_PI * 0.134145
    slope += 2.0 * SQRT_2_OVER_PI
    slope *= g
    slope *= out
    slope *= 1.0 - out
    return slope


relu.vjp(x=lambda xp, g, out: xp.where(out <= 0, 0.0, g))
leaky_relu.vjp(x=lambda xp, g, x, negative_slope: xp.where(x > 0, g, negative_slope * g))
elu.vjp(x=lambda xp, g, x, alpha: xp.where(x > 0, g, g * (alpha * xp.exp(xp.minimum(x, 0.0)))))
softplus.vjp(x=lambda xp, g, out, x, beta, threshold: xp.where(beta * x > threshold, g, -g * xp.expm1(-beta * out)))
normal_cdf.vjp(x=_normal_density)
normal_cdf_tanh.vjp(x=_normal_density_tanh)
attention_weights.vjp(_attention_weights_backwards)
softmax.vjp(x=lambda xp, g, out, axis: out * (g - xp.sum(g * out, axis=axis, keepdims=True)))
log_softmax.vjp(x=lambda xp, g, out, axis: g - xp.exp(out) * xp.sum(g, axis=axis, keepdims=True))

# --- losses ------------------------------------------------------------------------------------------------------------------


@primitive(floating=True, wide=True)
def squared_error(xp: Any, x: Array, y: Array, *, scale: float) -> Array:
    """scale times the sum of (x - y)^2."""
    error = x - y
    return scale * xp.sum(error * error)


@primitive(promotes=False, keeps=True, wide=True)
def cross_entropy(xp: Any, x: Array, scale: Array, *, index: Index, total: bool) -> Any:
    """scale (log sum exp x - x[index]) for each row of logits (N, C), summed where ``total`` is asked for.

    ``index`` is the pair of arrays that picks each row's own class; a row of scale 0 counts nothing, infinite or not. Keeps the
    exponentials, their sums and the losses before they are scaled.
    """
    shifted = x - xp.max(x, axis=1, keepdims=True)
    weights = xp.exp(shifted)
    sums = xp.sum(weights, axis=1, keepdims=True)
    each = xp.log(xp.reshape(sums, x.shape[:1])) - xp.getitem(shifted, index)
    losses = scale * (each if type(scale) is float else xp.where(scale == 0, 0.0, each))
    return xp.sum(losses) if total else losses, (weights, sums, each)


def _softmax_less_one_hot(xp: Any, g: Any, kept: Any, scale: Any, index: Index, wanted: tuple[str, ...]) -> Any:
    weights, sums, losses = kept
    distance = weights / sums
    distance = xp.index_put(distance, xp.getitem(distance, index) - 1.0, index)
    each = scale * g
    return distance * (xp.expand_dims(each, axis=1) if each.ndim else each), g * losses if "scale" in wanted else None


def _clamped_log(xp: Any, x: Any) -> Any:
    none = x <= 0  # NaN is not, and stays
    return xp.where(none, LOG_FLOOR, xp.maximum(xp.log(xp.where(none, 1.0, x)), LOG_FLOOR))


def _clamped_log_of_rest(xp: Any, x: Any) -> Any:
    """The same of 1 - x, with the digits of a small x."""
    none = x >= 1
    return xp.where(none, LOG_FLOOR, xp.maximum(xp.log1p(xp.where(none, 0.0, -x)), LOG_FLOOR))


@primitive(floating=True)
def binary_cross_entropy(xp: Any, x: Array, y: Array) -> Array:
    """-y log x - (1 - y) log(1 - x), no logarithm below -100."""
    return (y - 1.0) * _clamped_log_of_rest(xp, x) - y * _clamped_log(xp, x)


@primitive(floating=True)
def binary_cross_entropy_with_logits(xp: Any, x: Array, y: Array, positive: Array) -> Array:
    """-positive y log p - (1 - y) log(1 - p) where p = sigmoid x, without overflow or cancellation."""
    less, more = 1.0 - y, positive * y
    return (less + more) * xp.log1p(xp.exp(-xp.abs(x))) + less * xp.maximum(x, 0.0) + more * xp.maximum(-x, 0.0)


def _surprise(xp: Any, x: Any) -> Any:
    """-log sigmoid x, smooth at 0 in its derivatives too."""
    return xp.logaddexp(-x, 0.0)


def _by_logits(xp: Any, g: Any, x: Any, y: Any, positive: Any) -> Any:
    p, rest = shares(xp, x)
    return g * ((1.0 - y) * p - positive * y * rest)


squared_error.vjp(
    x=lambda g, x, y, scale: (2.0 * scale * g) * (x - y),
    y=lambda g, x, y, scale: (2.0 * scale * g) * (y - x),
)
cross_entropy.vjp(_softmax_less_one_hot)
binary_cross_entropy.vjp(
    x=lambda xp, g, x, y: g * (x - y) / xp.maximum(x * (1.0 - x), 1e-12),
    y=lambda xp, g, x: g * (_clamped_log_of_rest(xp, x) - _clamped_log(xp, x)),
)
binary_cross_entropy_with_logits.vjp(
    x=_by_logits,
    y=lambda xp, g, x, positive: g * ((positive - 1.0) * _surprise(xp, x) - x),
    positive=lambda xp, g, x, y: g * (y * _surprise(xp, x)),
)
