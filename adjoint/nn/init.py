"""Initial values, written in place: PyTorch's ``torch.nn.init``.

Every function returns the tensor it filled; the random ones draw from ``generator``, or the default one of the tensor's device.
"""

from __future__ import annotations

import math
from typing import Any

from ..autograd import Tensor, no_grad
from ..autograd import functions as f
from ..autograd.arguments import reads_numbers
from ..autograd.creation import eye
from ..autograd.random import Generator, rand, randn

_GAINS = {
    "linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
}  # fmt: skip


@reads_numbers
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What a layer's standard deviation is multiplied by so that signals keep their size through ``nonlinearity``.

    ``param`` is the negative slope of ``"leaky_relu"``, 0.01 where not given. Raises ``ValueError`` on an unknown name.

    >>> calculate_gain("leaky_relu", 1.0)
    1.0
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity '{nonlinearity}': use one of {', '.join(_GAINS)}, leaky_relu")
    return _GAINS[nonlinearity]


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    """Fan-in and fan-out of a weight (out, in, …): how many inputs reach an output, how many outputs an input."""
    if tensor.ndim < 2:
        raise ValueError(f"{name}: takes a weight of at least 2 axes (out, in, …), not shape {tensor.shape}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _fill(tensor: Tensor, values: Any) -> Tensor:
    with no_grad():
        return tensor.copy_(values)


def _rand(tensor: Tensor, generator: Generator | None) -> Tensor:
    return rand(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.backend)


@reads_numbers
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Evenly from [a, b)."""
    return _fill(tensor, _rand(tensor, generator) * (b - a) + a)


@reads_numbers
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """From the normal distribution."""
    return _fill(tensor, randn(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.backend) * std + mean)


@reads_numbers
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Generator | None = None
) -> Tensor:
    """From the normal distribution cut off outside [a, b].

    Drawn evenly where the density counts (twelve deviations from its highest point) and accepted in its proportion: Robert,
    "Simulation of truncated normal variables" (1995). Raises ``ValueError`` where a is not below b, or ``std`` not above 0.
    """
    if not a < b or std <= 0:
        raise ValueError(f"trunc_normal_: a must be below b and std above 0, not a={a}, b={b}, std={std}")
    peak = min(max(mean, a), b)
    low, high = max(a, peak - 12 * std), min(b, peak + 12 * std)
    kept: list[Tensor] = []
    missing = tensor.numel()
    while missing > 0:
        drawn, even = rand(2, 4 * missing, generator=generator, dtype=tensor.dtype, device=tensor.backend)
        drawn = drawn * (high - low) + low
        accepted = drawn[even < f.exp(((peak - mean) ** 2 - f.square(drawn - mean)) / (2 * std**2))]
        kept.append(accepted[:missing])
        missing -= kept[-1].shape[0]
    return _fill(tensor, f.concat(kept).reshape(tensor.shape)) if kept else tensor


@reads_numbers
def constant_(tensor: Tensor, val: float) -> Tensor:
    """``val`` everywhere."""
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return _fill(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return _fill(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Ones on the diagonal, zeros elsewhere. Raises ``ValueError`` unless there are two axes."""
    if tensor.ndim != 2:
        raise ValueError(f"eye_: takes a matrix, not shape {tensor.shape}")
    return _fill(tensor, eye(*tensor.shape, dtype=tensor.dtype, device=tensor.backend))


@reads_numbers
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Evenly within ±gain sqrt(6 / (fan_in + fan_out)). Glorot and Bengio (2010)."""
    bound = gain * math.sqrt(6 / max(1, sum(_fans("xavier_uniform_", tensor))))
    return uniform_(tensor, -bound, bound, generator)


@reads_numbers
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Normal with deviation gain sqrt(2 / (fan_in + fan_out)). Glorot and Bengio (2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / max(1, sum(_fans("xavier_normal_", tensor)))), generator)


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode is 'fan_in' or 'fan_out', not {mode!r}")
    fan = _fans(name, tensor)[mode == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(max(1, fan))


@reads_numbers
def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Evenly within ±gain sqrt(3 / fan), ``a`` being the slope of a leaky ReLU that follows. He et al. (2015)."""
    bound = math.sqrt(3) * _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


@reads_numbers
def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Generator | None = None
) -> Tensor:
    """Normal with deviation gain / sqrt(fan), ``a`` being the slope of a leaky ReLU that follows. He et al. (2015)."""
    return normal_(tensor, 0.0, _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity), generator)


@reads_numbers
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """A random matrix with orthonormal rows or columns, whichever are fewer, times ``gain``; later axes count as columns.

    Gram-Schmidt, each step twice, on a normal matrix, which makes every rotation equally likely. Saxe et al. (2014).
    Raises ``ValueError`` on fewer than two axes.
    """
    if tensor.ndim < 2:
        raise ValueError(f"orthogonal_: takes at least 2 axes, not shape {tensor.shape}")
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    few, many = sorted((rows, columns))
    if not few:
        return tensor
    drawn = randn(few, many, generator=generator, dtype=tensor.dtype, device=tensor.backend)
    with no_grad():
        for i in range(few):
            before, row = drawn[:i], drawn[i]
            for _ in range(2):
                row = row - (before @ row) @ before
            drawn[i] = row / f.norm(row)
        return tensor.copy_(gain * (drawn if rows <= columns else drawn.mT).reshape(tensor.shape))
