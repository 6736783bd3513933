"""Rectifier and softmax as functions of tensors; ``nn.functional`` has the other activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..arguments import publish, shaped_like, with_axis
from ..rules import activations

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "log_softmax", "relu", "relu_", "softmax",
]  # fmt: skip

relu = activations.relu


def relu_(x: Tensor) -> Tensor:
    """:func:`relu`, in place."""
    return x._write(relu(x), "relu_")


def softmax(x: Tensor, dim: int = -1, *, axis: int | None = None, dtype: Any = None) -> Tensor:
    """exp(x) over its sum along ``dim``."""
    rows, at = with_axis("softmax", x if dtype is None else x.to(dtype), dim if axis is None else axis)
    normalized: Tensor = activations.softmax.call(rows, axis=at)
    return normalized if rows is x else shaped_like(x, normalized)


def log_softmax(x: Tensor, dim: int = -1, *, axis: int | None = None, dtype: Any = None) -> Tensor:
    """x - log of the sum of exp(x) along ``dim``: the logarithm of :func:`softmax`, without underflow."""
    rows, at = with_axis("log_softmax", x if dtype is None else x.to(dtype), dim if axis is None else axis)
    normalized: Tensor = activations.log_softmax.call(rows, axis=at)
    return normalized if rows is x else shaped_like(x, normalized)


publish(globals())
