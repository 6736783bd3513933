"""Activations as functions; output shapes are the input's. ``inplace`` overwrites the input, and returns it."""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor, functions as f
from ...autograd.arguments import axis_of, cut_along, number, reads_numbers
from ...autograd.random import rand
from ...autograd.rules import activations
from ...backends.dtypes import float64

__all__ = [
    "celu", "elu", "gelu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "log_softmax", "logsigmoid", "mish", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softmin", "softplus",
    "softshrink", "softsign", "tanh", "tanhshrink", "threshold",
]  # fmt: skip

INF = float("inf")
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def in_place_if(inplace: bool, input: Tensor, result: Tensor, name: str) -> Tensor:
    """The result, written to the input if ``inplace``, by the operation ``name``."""
    return input._write(result, name) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return input._write(activations.relu(input), "relu_") if inplace else activations.relu.call(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``negative_slope`` x. Maas et al. (2013).

    Args:
        input: x, of any shape.
        negative_slope: the slope for x below 0.
    """
    if type(negative_slope) is not float:
        negative_slope = number("leaky_relu", "negative_slope", negative_slope)
    return in_place_if(inplace, input, activations.leaky_relu(input, negative_slope=negative_slope), "leaky_relu_")


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha`` (exp x - 1). Clevert et al. (2016).

    Args:
        input: x, of any shape.
        alpha: minus the limit for x towards -infinity.
    """
    if type(alpha) is not float:
        alpha = number("elu", "alpha", alpha)
    return in_place_if(inplace, input, activations.elu(input, alpha=alpha), "elu_")


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x), Phi being the standard normal distribution function; Hendrycks and Gimpel (2016).

    ``approximate="tanh"`` computes Phi as (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2. Raises ``ValueError`` unless it is
    that or ``"none"``.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return input * (activations.normal_cdf(input) if approximate == "none" else activations.normal_cdf_tanh(input))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Elfwing et al. (2018)."""
    return in_place_if(inplace, input, input * f.sigmoid(input), "silu_")


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return f.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return f.tanh(input)


@reads_numbers
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(``beta`` x)) / ``beta``; x itself where ``beta`` x > ``threshold``.

    Args:
        input: x, of any shape.
        beta: the sharpness.
        threshold: the bound beyond which the result is x, for speed and range.
    """
    return activations.softplus(input, beta=beta, threshold=threshold)


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """exp(x_i) / sum_j exp(x_j) along ``dim``.

    Args:
        input: x, of any shape.
        dim: the axis; it is required.
        dtype: the dtype to convert the input to first; its own if None.

    Raises ``ValueError`` if ``dim`` is None, where PyTorch guesses and warns.
    """
    return f.softmax(input, _required("softmax", dim), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """x_i - log sum_j exp(x_j) along ``dim``: the logarithm of :func:`softmax`.

    Args:
        input: x, of any shape.
        dim: the axis; it is required.
        dtype: the dtype to convert the input to first; its own if None.

    Raises ``ValueError`` if ``dim`` is None.
    """
    return f.log_softmax(input, _required("log_softmax", dim), dtype=dtype)


def _required(name: str, dim: int | None) -> int:
    if dim is None:
        raise ValueError(f"{name}: dim is required (PyTorch guesses, and warns); for logits of shape (N, C) pass dim=1")
    return dim


@reads_numbers
def gumbel_softmax(logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((logits + G) / ``tau``) along ``dim``; G = -log(-log U), U uniform on (0, 1) and independent for each element.

    Args:
        logits: of any shape.
        tau: the temperature, above 0.
        hard: whether to return one-hot vectors, with the gradient of the soft ones.
        eps: ignored, as in PyTorch.
        dim: the axis.

    U is drawn from the device's default generator. Jang, Gu and Poole (2017), Maddison, Mnih and Teh (2017). Raises ``ValueError``
    if ``tau`` is not above 0.
    """
    if tau <= 0:
        raise ValueError(f"gumbel_softmax: the temperature tau must be above 0, not {tau}")
    uniform = f.clamp(rand(logits.shape, dtype=float64, device=logits.backend), 1e-300)
    soft = softmax((logits - (-uniform.log()).log().to(logits.dtype)) / tau, dim)
    if not hard:
        return soft
    one_hot = f.scatter(soft.detach() * 0, dim, soft.detach().argmax(dim, keepdim=True), 1.0)
    return one_hot - soft.detach() + soft


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """:func:`softmax` of -x along ``dim``.

    Args:
        input: x, of any shape.
        dim: the axis; it is required.
        dtype: the dtype to convert to first; the input's own if None.
    """
    return f.softmax(-input, axis_of("softmin", _required("softmin", dim), input.ndim), dtype=dtype)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6). Krizhevsky (2010)."""
    return hardtanh(input, 0.0, 6.0, inplace)


@reads_numbers
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """min(max(x, ``min_val``), ``max_val``); the derivative at the bounds is 0.

    Args:
        input: x, of any shape.
        min_val, max_val: the bounds.

    Raises ``ValueError`` if ``min_val`` exceeds ``max_val``.
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val={min_val} must not exceed max_val={max_val}")
    result = f.where(input <= min_val, min_val, f.where(input >= max_val, max_val, input))
    return in_place_if(inplace, input, result, "hardtanh_")


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x / 6 + 1/2, 0), 1). Howard et al. (2019)."""
    return in_place_if(inplace, input, hardtanh(input + 3.0, 0.0, 6.0) / 6.0, "hardsigmoid_")


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x times :func:`hardsigmoid` of x. Howard et al., "Searching for MobileNetV3" (2019)."""
    inner = input * (f.clamp(input, -3.0, 3.0) + 3.0) / 6.0  # no product of infinities, whose derivative is NaN
    result = f.where(input <= -3.0, 0.0, f.where(input >= 3.0, input, inner))
    return in_place_if(inplace, input, result, "hardswish_")


@reads_numbers
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where abs(x) > ``lambd``, else 0."""
    return f.where(f.abs(input) <= lambd, 0.0, input)


@reads_numbers
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """sign(x) max(abs(x) - ``lambd``, 0). Raises ``ValueError`` if ``lambd`` is below 0."""
    if lambd < 0:
        raise ValueError(f"softshrink: lambd must be at least 0, not {lambd}")
    return f.where(input > lambd, input - lambd, f.where(input < -lambd, input + lambd, input * 0.0))


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh x."""
    return input - f.tanh(input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + abs(x))."""
    return input / (1.0 + f.abs(input))


def logsigmoid(input: Tensor) -> Tensor:
    """log sigmoid x, without underflow."""
    return -softplus(-input, 1.0, INF)


@reads_numbers
def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """x where x > ``threshold``, else ``value``.

    Args:
        input: x, of any shape.
        threshold: the bound.
        value: replaces every x up to the bound.
    """
    return in_place_if(inplace, input, f.where(input <= threshold, value, input), "threshold_")


@reads_numbers
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha`` (exp(x / ``alpha``) - 1). Barron (2017).

    Args:
        input: x, of any shape.
        alpha: minus the limit for x towards -infinity, not 0.

    Raises ``ValueError`` if ``alpha`` is 0.
    """
    if alpha == 0:
        raise ValueError("celu: alpha must not be 0")
    below = alpha * f.expm1(f.where(input > 0, 0.0, input) / alpha)
    return in_place_if(inplace, input, f.where(input > 0, input, below), "celu_")


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 x where x > 0, else 1.0507 * 1.6733 (exp x - 1), which preserves mean 0 and variance 1. Klambauer et al. (2017)."""
    return in_place_if(inplace, input, SELU_SCALE * activations.elu(input, alpha=SELU_ALPHA), "selu_")


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + exp x)). Misra (2019)."""
    return in_place_if(inplace, input, input * f.tanh(softplus(input, 1.0, INF)), "mish_")


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b), where a and b are the input's halves along ``dim``. Dauphin et al. (2017).

    Raises ``ValueError`` on an odd length.
    """
    dim = cut_along("glu", input, dim)
    half, odd = divmod(input.shape[dim], 2)
    if odd:
        raise ValueError(f"glu: shape {input.shape} cannot be halved along axis {dim}")
    return f.narrow(input, dim, 0, half) * f.sigmoid(f.narrow(input, dim, half, half))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else ``weight`` x. He et al. (2015).

    ``weight`` has one element, or one for each channel, axis 1. Raises ``ValueError`` on another length.
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.numel() not in (1, channels):
        raise ValueError(
            f"prelu: the weight has {weight.numel()} elements; the input of shape {input.shape} has {channels} channels"
        )
    slope = f.reshape(weight, (-1,) + (1,) * (input.ndim - 2)) if input.ndim > 1 else f.reshape(weight, ())
    return f.where(input > 0, input, slope * input)
