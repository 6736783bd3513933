"""Activations as functions."""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import axis_of, cut_along, number, reads_numbers
from ...autograd.random import rand
from ...autograd.rules import activations
from ...backends.dtypes import float64

INF = float("inf")
SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def returned(result: Tensor, input: Tensor, inplace: bool, name: str) -> Tensor:
    return input._write(result, name) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return input._write(activations.relu(input), "relu_") if inplace else activations.relu.call(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``negative_slope`` x. Maas et al. (2013)."""
    if type(negative_slope) is not float:
        negative_slope = number("leaky_relu", "negative_slope", negative_slope)
    return returned(activations.leaky_relu(input, negative_slope=negative_slope), input, inplace, "leaky_relu_")


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha`` (exp x - 1). Clevert et al. (2016)."""
    if type(alpha) is not float:
        alpha = number("elu", "alpha", alpha)
    return returned(activations.elu(input, alpha=alpha), input, inplace, "elu_")


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the standard normal distribution function of x; with ``approximate="tanh"`` by the tanh formula.

    Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016). Raises ``ValueError`` on another ``approximate``.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return input * (activations.normal_cdf(input) if approximate == "none" else activations.normal_cdf_tanh(input))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Elfwing et al. (2018)."""
    return returned(input * f.sigmoid(input), input, inplace, "silu_")


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return f.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return f.tanh(input)


@reads_numbers
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above ``threshold``."""
    return activations.softplus(input, beta=beta, threshold=threshold)


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """exp(x) over its sum along ``dim``, which must be given."""
    return f.softmax(input, given("softmax", dim), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """The logarithm of :func:`softmax` along ``dim``, which must be given."""
    return f.log_softmax(input, given("log_softmax", dim), dtype=dtype)


def given(name: str, dim: int | None) -> int:
    if dim is None:
        raise ValueError(f"{name}: say along which axis, dim=1 for logits of shape (N, C) (PyTorch guesses, and warns)")
    return dim


@reads_numbers
def gumbel_softmax(logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((logits + G) / tau) over ``dim``, G = -log(-log U) of each element its own, U even on (0, 1).

    Where ``hard``, 1 at the largest and 0 elsewhere, with the gradient of what it was before. Drawn from the default generator of
    the device; ``eps`` means nothing, as in PyTorch. Jang, Gu and Poole (2017), Maddison, Mnih and Teh (2017).

    Raises ``ValueError`` where ``tau`` is not above 0.
    """
    if tau <= 0:
        raise ValueError(f"gumbel_softmax: tau is a temperature above 0, not {tau}")
    drawn = f.clamp(rand(logits.shape, dtype=float64, device=logits.backend), 1e-300)
    soft = softmax((logits - (-drawn.log()).log().to(logits.dtype)) / tau, dim)
    if not hard:
        return soft
    chosen = f.scatter(soft.detach() * 0, dim, soft.detach().argmax(dim, keepdim=True), 1.0)
    return chosen - soft.detach() + soft


def softmin(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """:func:`softmax` of -x along ``dim``, which must be given."""
    return f.softmax(-input, axis_of("softmin", given("softmin", dim), input.ndim), dtype=dtype)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """x limited to [0, 6]. Krizhevsky (2010)."""
    return hardtanh(input, 0.0, 6.0, inplace)


@reads_numbers
def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x limited to [``min_val``, ``max_val``]; on these the derivative is 0. Raises ``ValueError`` where they cross."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is at most max_val, not {min_val} and {max_val}")
    result = f.where(input <= min_val, min_val, f.where(input >= max_val, max_val, input))
    return returned(result, input, inplace, "hardtanh_")


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2 limited to [0, 1]. Howard et al. (2019)."""
    return returned(hardtanh(input + 3.0, 0.0, 6.0) / 6.0, input, inplace, "hardsigmoid_")


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x times :func:`hardsigmoid` of x. Howard et al., "Searching for MobileNetV3" (2019)."""
    inner = input * (f.clamp(input, -3.0, 3.0) + 3.0) / 6.0  # no product of infinities, whose derivative is NaN
    result = f.where(input <= -3.0, 0.0, f.where(input >= 3.0, input, inner))
    return returned(result, input, inplace, "hardswish_")


@reads_numbers
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x where abs(x) > ``lambd``, else 0."""
    return f.where(f.abs(input) <= lambd, 0.0, input)


@reads_numbers
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """x moved towards 0 by ``lambd``, as far as 0. Raises ``ValueError`` where ``lambd`` is below 0."""
    if lambd < 0:
        raise ValueError(f"softshrink: lambd is 0 or more, not {lambd}")
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
    """x where it is above ``threshold``, else ``value``."""
    return returned(f.where(input <= threshold, value, input), input, inplace, "threshold_")


@reads_numbers
def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha`` (exp(x / ``alpha``) - 1). Barron (2017). Raises ``ValueError`` where ``alpha`` is 0."""
    if alpha == 0:
        raise ValueError("celu: alpha can not be 0")
    below = alpha * f.expm1(f.where(input > 0, 0.0, input) / alpha)
    return returned(f.where(input > 0, input, below), input, inplace, "celu_")


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 times x where x > 0, else 1.6733 (exp x - 1), which keeps mean 0 and variance 1. Klambauer et al. (2017)."""
    return returned(SELU_SCALE * activations.elu(input, alpha=SELU_ALPHA), input, inplace, "selu_")


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(log(1 + exp x)). Misra (2019)."""
    return returned(input * f.tanh(softplus(input, 1.0, INF)), input, inplace, "mish_")


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a sigmoid(b) of the input's two halves a and b along ``dim``. Dauphin et al. (2017). Raises ``ValueError`` on odd lengths."""
    dim = cut_along("glu", input, dim)
    half, odd = divmod(input.shape[dim], 2)
    if odd:
        raise ValueError(f"glu: shape {input.shape} can not be halved along axis {dim}")
    return f.narrow(input, dim, 0, half) * f.sigmoid(f.narrow(input, dim, half, half))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else ``weight`` x, the weight being one number or one for each channel, axis 1. He et al. (2015).

    Raises ``ValueError`` where the weight has another length than the channels.
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.numel() not in (1, channels):
        raise ValueError(
            f"prelu: the weight has {weight.numel()} elements; the input of shape {input.shape} has {channels} channels"
        )
    slope = f.reshape(weight, (-1,) + (1,) * (input.ndim - 2)) if input.ndim > 1 else f.reshape(weight, ())
    return f.where(input > 0, input, slope * input)
