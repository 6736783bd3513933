"""Dropping elements or whole channels at random, as functions."""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor
from ...autograd.arguments import number, reads_numbers
from ...autograd.random import default_generator
from .activations import returned

SELU_AT_MINUS_INFINITY = -1.7580993408473766


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability ``p``, else divided by 1 - p; the input itself where not ``training``.

    Drawn from the default generator of the input's device. Srivastava et al., "Dropout" (2014).

    Raises ``ValueError`` where ``p`` is not within [0, 1].
    """
    if type(p) is not float:
        p = number("dropout", "p", p)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p is a probability from 0 to 1, not {p}")
    if not training or p == 0.0:
        return input
    kept = _kept(input, p, input.shape) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))
    return returned(input * Tensor(kept, input.backend), input, inplace, "dropout_")


def _kept(input: Tensor, p: float, shape: tuple[int, ...]) -> Any:
    """An array of 0 with probability ``p``, else 1."""
    backend, dtype = input.backend, input._array.dtype
    return backend.xp.astype(default_generator(backend).stream.uniform(shape, dtype) >= p, dtype)


def _by_channel(name: str, input: Tensor, p: float, training: bool, inplace: bool, unbatched: int | None) -> Tensor:
    """Whole channels 0 with probability ``p``: slices of the first two axes, or of the first where there are ``unbatched`` axes."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: p is a probability from 0 to 1, not {p}")
    if input.ndim < 2:
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (N, C, …)")
    if not training or p == 0.0:
        return input
    lead = 1 if input.ndim == unbatched else 2
    kept = _kept(input, p, input.shape[:lead] + (1,) * (input.ndim - lead)) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))
    return returned(input * Tensor(kept, input.backend), input, inplace, f"{name}_")


@reads_numbers
def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel of (N, C, L) or (C, L) 0 with probability ``p``, else divided by 1 - p. Tompson et al. (2015)."""
    return _by_channel("dropout1d", input, p, training, inplace, 2)


@reads_numbers
def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel of (N, C, H, W) or (N, C, L) 0 with probability ``p``, else divided by 1 - p. Tompson et al. (2015)."""
    return _by_channel("dropout2d", input, p, training, inplace, None)


@reads_numbers
def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each channel of (N, C, D, H, W) or (C, D, H, W) 0 with probability ``p``, else divided by 1 - p. Tompson et al. (2015)."""
    return _by_channel("dropout3d", input, p, training, inplace, 4)


@reads_numbers
def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Each element at SELU's lower limit with probability ``p``, then scaled and shifted so that mean 0 and variance 1 stay.

    Klambauer et al., "Self-Normalizing Neural Networks" (2017). Raises ``ValueError`` where ``p`` is not within [0, 1].
    """
    return _to_lower_limit("alpha_dropout", input, p, training, inplace, input.shape)


@reads_numbers
def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """:func:`alpha_dropout` of whole channels of (N, C, …)."""
    return _to_lower_limit("feature_alpha_dropout", input, p, training, inplace, input.shape[:2] + (1,) * (input.ndim - 2))


def _to_lower_limit(name: str, input: Tensor, p: float, training: bool, inplace: bool, shape: tuple[int, ...]) -> Tensor:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{name}: p is a probability from 0 to 1, not {p}")
    if not training or p == 0.0:
        return input
    kept, low = _kept(input, p, shape), SELU_AT_MINUS_INFINITY
    scale = 0.0 if p == 1.0 else ((1.0 - p) * (1.0 + p * low * low)) ** -0.5
    shift = scale * low * ((1.0 - kept) - p)
    return returned(input * Tensor(scale * kept, input.backend) + Tensor(shift, input.backend), input, inplace, f"{name}_")
