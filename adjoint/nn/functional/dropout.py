"""Dropping elements or whole channels at random, as functions; the numbers are drawn from the device's default generator."""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor
from ...autograd.arguments import number, reads_numbers
from ...autograd.random import default_generator
from .activation import in_place_if

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]

SELU_AT_MINUS_INFINITY = -1.7580993408473766


def check_probability(name: str, p: float) -> None:
    """Raise ``ValueError`` unless ``p`` is from 0 to 1."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: the probability p must be from 0 to 1, not {p}")


def _keep_mask(input: Tensor, p: float, shape: tuple[int, ...]) -> Any:
    """An array that is 0 with probability ``p``, else 1, in the input's dtype."""
    backend, dtype = input.backend, input._array.dtype
    return backend.xp.astype(default_generator(backend).stream.uniform(shape, dtype) >= p, dtype)


def _drop(input: Tensor, p: float, shape: tuple[int, ...], inplace: bool, name: str) -> Tensor:
    """The input times a mask of ``shape`` that is 0 with probability ``p``, else 1 / (1 - p)."""
    mask = _keep_mask(input, p, shape) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))
    return in_place_if(inplace, input, input * Tensor(mask, input.backend), name)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element is 0 with probability ``p``, else divided by 1 - p. Srivastava et al., "Dropout" (2014).

    Args:
        input: of any shape.
        p: the probability, from 0 to 1.
        training: if False, the input is returned.

    Raises ``ValueError`` if ``p`` is not within [0, 1].
    """
    if type(p) is not float:
        p = number("dropout", "p", p)
    check_probability("dropout", p)
    if not training or p == 0.0:
        return input
    return _drop(input, p, input.shape, inplace, "dropout_")


def _drop_channels(name: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: int | None) -> Tensor:
    """Drop slices along the first two axes, or along the first if the input has ``unbatched`` axes."""
    check_probability(name, p)
    if input.ndim < 2:
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (N, C, …)")
    if not training or p == 0.0:
        return input
    lead = 1 if input.ndim == unbatched else 2
    return _drop(input, p, input.shape[:lead] + (1,) * (input.ndim - lead), inplace, f"{name}_")


@reads_numbers
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel of (N, C, L) or (C, L) is 0 with probability ``p``, else divided by 1 - p. Tompson et al. (2015).

    Arguments and errors are :func:`dropout`'s; raises ``ValueError`` also if the input has one axis.
    """
    return _drop_channels("dropout1d", input, p, training, inplace, 2)


@reads_numbers
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel of (N, C, H, W) is 0 with probability ``p``, else divided by 1 - p. Tompson et al. (2015).

    Arguments and errors are :func:`dropout`'s; raises ``ValueError`` also if the input has one axis.
    """
    return _drop_channels("dropout2d", input, p, training, inplace, None)


@reads_numbers
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel of (N, C, D, H, W) or (C, D, H, W) is 0 with probability ``p``, else divided by 1 - p. Tompson et al. (2015).

    Arguments and errors are :func:`dropout`'s; raises ``ValueError`` also if the input has one axis.
    """
    return _drop_channels("dropout3d", input, p, training, inplace, 4)


@reads_numbers
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Each element is SELU's lower limit with probability ``p``, then all are scaled and shifted to preserve mean 0 and variance 1.

    Klambauer et al., "Self-Normalizing Neural Networks" (2017).

    Args:
        input: of any shape.
        p: the probability, from 0 to 1.
        training: if False, the input is returned.

    Raises ``ValueError`` if ``p`` is not within [0, 1].
    """
    return _drop_to_lower_limit("alpha_dropout", input, p, training, inplace, input.shape)


@reads_numbers
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """:func:`alpha_dropout` of whole channels. Arguments and errors are the same."""
    channels = input.shape[:2] + (1,) * (input.ndim - 2)
    return _drop_to_lower_limit("feature_alpha_dropout", input, p, training, inplace, channels)


def _drop_to_lower_limit(name: str, input: Tensor, p: float, training: bool, inplace: bool, shape: tuple[int, ...]) -> Tensor:
    check_probability(name, p)
    if not training or p == 0.0:
        return input
    mask, low = _keep_mask(input, p, shape), SELU_AT_MINUS_INFINITY
    scale = 0.0 if p == 1.0 else ((1.0 - p) * (1.0 + p * low * low)) ** -0.5
    shift = scale * low * ((1.0 - mask) - p)
    return in_place_if(inplace, input, input * Tensor(scale * mask, input.backend) + Tensor(shift, input.backend), f"{name}_")
