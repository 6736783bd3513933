"""Initialization of tensors in place: PyTorch's ``torch.nn.init``.

Every function fills its first argument and returns it; random ones draw from ``generator``, the device's default one if None.
"""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor, functions as f, no_grad
from ..autograd.arguments import reads_numbers
from ..autograd.creation import eye
from ..autograd.random import Generator, rand, randn

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
}  # fmt: skip


@reads_numbers
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor of the standard deviation that preserves the variance of signals through ``nonlinearity``.

    ``param`` is the negative slope of ``"leaky_relu"``, 0.01 if None. Raises ``ValueError`` on an unknown name.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; use one of {', '.join(_GAINS)}, leaky_relu")
    return _GAINS[nonlinearity]


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, …): the inputs that reach an output, and the outputs that an input reaches."""
    if tensor.ndim < 2:
        raise ValueError(f"{name}: the weight must have at least 2 axes (out, in, …), not shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fill(tensor: Tensor, values: Any) -> Tensor:
    with no_grad():
        return tensor.copy_(values)


def _rand(tensor: Tensor, generator: Generator | None) -> Tensor:
    return rand(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.backend)


@reads_numbers
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers uniform on [``a``, ``b``)."""
    return _fill(tensor, _rand(tensor, generator) * (b - a) + a)


@reads_numbers
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of the given ``mean`` and standard deviation ``std``."""
    return _fill(tensor, randn(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.backend) * std + mean)


@reads_numbers
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers truncated to [``a``, ``b``]. Robert, "Simulation of truncated normal variables" (1995).

    Candidates are uniform where the density counts, within twelve deviations of its maximum, and accepted in proportion to it.

    Args:
        tensor: the tensor to fill.
        mean, std: of the distribution before it is truncated.
        a, b: the bounds.

    Raises ``ValueError`` if ``a`` is not below ``b``, or ``std`` not above 0.
    """
    if not a < b or std <= 0:
        raise ValueError(f"trunc_normal_: a must be below b and std above 0, not a={a}, b={b}, std={std}")
    peak = min(max(mean, a), b)
    low, high = max(a, peak - 12 * std), min(b, peak + 12 * std)
    parts: list[Tensor] = []
    missing = tensor.numel()
    while missing > 0:
        candidates, uniform = rand(2, 4 * missing, generator=generator, dtype=tensor.dtype, device=tensor.backend)
        candidates = candidates * (high - low) + low
        accepted = candidates[uniform < f.exp(((peak - mean) ** 2 - f.square(candidates - mean)) / (2 * std**2))]
        parts.append(accepted[:missing])
        missing -= parts[-1].shape[0]
    return _fill(tensor, f.concat(parts).reshape(tensor.shape)) if parts else tensor


@reads_numbers
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with ``val``."""
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones."""
    return _fill(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros."""
    return _fill(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill with the identity matrix. Raises ``ValueError`` unless there are two axes."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: the tensor must be a matrix, not of shape {tensor.shape}")
    return _fill(tensor, eye(*tensor.shape, dtype=tensor.dtype, device=tensor.backend))


@reads_numbers
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with numbers uniform within ±``gain`` sqrt(6 / (fan_in + fan_out)). Glorot and Bengio (2010)."""
    bound = gain * math.sqrt(6 / max(1, sum(_fans("xavier_uniform_", tensor))))
    return uniform_(tensor, -bound, bound, generator)


@reads_numbers
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal numbers of standard deviation ``gain`` sqrt(2 / (fan_in + fan_out)). Glorot and Bengio (2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(1, sum(_fans("xavier_normal_", tensor)))), generator)


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode must be 'fan_in' or 'fan_out', not {mode!r}")
    fan = _fans(name, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fan))


@reads_numbers
def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Fill with numbers uniform within ±gain sqrt(3 / fan). He et al. (2015).

    Args:
        tensor: a weight (out, in, …).
        a: the negative slope of a leaky ReLU that follows.
        mode: ``"fan_in"`` preserves the variance forward, ``"fan_out"`` backward.
        nonlinearity: a name for :func:`calculate_gain`.

    Raises ``ValueError`` on another mode or nonlinearity, and on fewer than two axes.
    """
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@reads_numbers
def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Fill with normal numbers of standard deviation gain / sqrt(fan). He et al. (2015).

    Args:
        tensor: a weight (out, in, …).
        a: the negative slope of a leaky ReLU that follows.
        mode: ``"fan_in"`` preserves the variance forward, ``"fan_out"`` backward.
        nonlinearity: a name for :func:`calculate_gain`.

    Raises ``ValueError`` on another mode or nonlinearity, and on fewer than two axes.
    """
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


@reads_numbers
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with a random matrix of orthonormal rows or columns, whichever are fewer, times ``gain``. Saxe et al. (2014).

    Axes after the first count as columns. Gram-Schmidt, twice for each row, on a normal matrix, so that every rotation is equally
    likely. Raises ``ValueError`` on fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: the tensor must have at least 2 axes, not shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    few, many = sorted((rows, columns))
    if not few:
        return tensor
    matrix = randn(few, many, generator=generator, dtype=tensor.dtype, device=tensor.backend)
    with no_grad():
        for i in range(few):
            before, row = matrix[:i], matrix[i]
            for _ in range(2):
                row = row - (before @ row) @ before
            matrix[i] = row / f.norm(row)
        return tensor.copy_(gain * (matrix if rows <= columns else matrix.mT).reshape(tensor.shape))
