"""Losses as fused primitives, and their derivatives."""

from __future__ import annotations

from typing import Any

from ...backends import Array, Index
from ..primitive import primitive
from .elementwise import sigmoids

LOG_FLOOR = -100.0  #: what binary cross entropy takes for the logarithm of 0, as PyTorch does


@primitive(floating=True, wide=True)
def squared_error(xp: Any, x: Array, y: Array, *, scale: float) -> Array:
    """scale times the sum of (x - y)^2."""
    error = x - y
    return scale * xp.sum(error * error)


squared_error.vjp(
    x=lambda g, x, y, scale: (2.0 * scale * g) * (x - y),
    y=lambda g, x, y, scale: (2.0 * scale * g) * (y - x),
)


@primitive(promotes=False, keeps=True, wide=True)
def cross_entropy(xp: Any, x: Array, scale: Array, *, index: Index, total: bool) -> Any:
    """scale (log sum exp x - x[index]) for each row of logits (N, C), summed where ``total``.

    ``index`` is the pair of arrays that picks each row's own class. A row of scale 0 does not contribute, infinite or not. Keeps
    the exponentials, their sums and the unscaled losses.
    """
    shifted = x - xp.max(x, axis=1, keepdims=True)
    weights = xp.exp(shifted)
    sums = xp.sum(weights, axis=1, keepdims=True)
    each = xp.log(xp.reshape(sums, x.shape[:1])) - xp.getitem(shifted, index)
    losses = scale * (each if type(scale) is float else xp.where(scale == 0, 0.0, each))
    return xp.sum(losses) if total else losses, (weights, sums, each)


def _softmax_minus_one_hot(xp: Any, g: Any, kept: Any, scale: Any, index: Index, wanted: tuple[str, ...]) -> Any:
    """By x: g scale (softmax(x) - one_hot(class)); by scale: g times the unscaled loss."""
    weights, sums, losses = kept
    distance = weights / sums
    distance = xp.index_put(distance, xp.getitem(distance, index) - 1.0, index)
    each = scale * g
    return distance * (xp.expand_dims(each, axis=1) if each.ndim else each), g * losses if "scale" in wanted else None


cross_entropy.vjp(_softmax_minus_one_hot)


def _clamped_log(xp: Any, x: Any) -> Any:
    """max(log x, -100)."""
    none = x <= 0  # NaN is not, and stays
    return xp.where(none, LOG_FLOOR, xp.maximum(xp.log(xp.where(none, 1.0, x)), LOG_FLOOR))


def _clamped_log_of_complement(xp: Any, x: Any) -> Any:
    """max(log(1 - x), -100), exact for small x."""
    none = x >= 1
    return xp.where(none, LOG_FLOOR, xp.maximum(xp.log1p(xp.where(none, 0.0, -x)), LOG_FLOOR))


@primitive(floating=True)
def binary_cross_entropy(xp: Any, x: Array, y: Array) -> Array:
    """-y log x - (1 - y) log(1 - x), no logarithm below -100."""
    return (y - 1.0) * _clamped_log_of_complement(xp, x) - y * _clamped_log(xp, x)


binary_cross_entropy.vjp(
    x=lambda xp, g, x, y: g * (x - y) / xp.maximum(x * (1.0 - x), 1e-12),
    y=lambda xp, g, x: g * (_clamped_log_of_complement(xp, x) - _clamped_log(xp, x)),
)


@primitive(floating=True)
def binary_cross_entropy_with_logits(xp: Any, x: Array, y: Array, positive: Array) -> Array:
    """-positive y log p - (1 - y) log(1 - p) where p = sigmoid x, without overflow or cancellation."""
    less, more = 1.0 - y, positive * y
    return (less + more) * xp.log1p(xp.exp(-xp.abs(x))) + less * xp.maximum(x, 0.0) + more * xp.maximum(-x, 0.0)


def _minus_log_sigmoid(xp: Any, x: Any) -> Any:
    """-log sigmoid x, smooth at 0 in its derivatives too."""
    return xp.logaddexp(-x, 0.0)


def _by_logits(xp: Any, g: Any, x: Any, y: Any, positive: Any) -> Any:
    """g ((1 - y) p - positive y (1 - p))."""
    p, complement = sigmoids(xp, x)
    return g * ((1.0 - y) * p - positive * y * complement)


binary_cross_entropy_with_logits.vjp(
    x=_by_logits,
    y=lambda xp, g, x, positive: g * ((positive - 1.0) * _minus_log_sigmoid(xp, x) - x),
    positive=lambda xp, g, x, y: g * (y * _minus_log_sigmoid(xp, x)),
)
