"""Activations as layers; output shapes are the input's. Sources and errors: see the functions in :mod:`adjoint.nn.functional`."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import full
from . import functional
from .layer import FunctionLayer
from .module import Module
from .parameter import Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip

# --- without parameters ------------------------------------------------------------------------------------------------------


class _Plain(FunctionLayer):
    def forward(self, input: Tensor) -> Tensor:
        return self._function(input)


class Sigmoid(_Plain):
    """1 / (1 + exp(-x))."""

    _function = staticmethod(functional.sigmoid)


class Tanh(_Plain):
    """The hyperbolic tangent."""

    _function = staticmethod(functional.tanh)


class Tanhshrink(_Plain):
    """x - tanh x."""

    _function = staticmethod(functional.tanhshrink)


class Softsign(_Plain):
    """x / (1 + abs(x))."""

    _function = staticmethod(functional.softsign)


class LogSigmoid(_Plain):
    """log sigmoid x, without underflow."""

    _function = staticmethod(functional.logsigmoid)


# --- in place on request -----------------------------------------------------------------------------------------------------


class _InPlace(FunctionLayer):
    _arguments = ("inplace",)

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.inplace)


class ReLU(_InPlace):
    """max(x, 0); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.relu)


class ReLU6(_InPlace):
    """min(max(x, 0), 6); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.relu6)


class SiLU(_InPlace):
    """x sigmoid(x); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.silu)


class Hardsigmoid(_InPlace):
    """min(max(x / 6 + 1/2, 0), 1); ``inplace`` overwrites the input."""

    _function, _shown = staticmethod(functional.hardsigmoid), ()


class Hardswish(_InPlace):
    """x times :class:`Hardsigmoid` of x; ``inplace`` overwrites the input."""

    _function, _shown = staticmethod(functional.hardswish), ()


class SELU(_InPlace):
    """1.0507 x where x > 0, else 1.0507 * 1.6733 (exp x - 1); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.selu)


class Mish(_InPlace):
    """x tanh(log(1 + exp x)); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.mish)


# --- with parameters ---------------------------------------------------------------------------------------------------------


class LeakyReLU(FunctionLayer):
    """x where x > 0, else ``negative_slope`` x; ``inplace`` overwrites the input."""

    _function, _arguments = staticmethod(functional.leaky_relu), ("negative_slope", "inplace")

    @reads_numbers
    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope, self.inplace = negative_slope, inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.negative_slope, self.inplace)


class _Alpha(FunctionLayer):
    _arguments = ("alpha", "inplace")

    @reads_numbers
    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha, self.inplace = alpha, inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.alpha, self.inplace)


class ELU(_Alpha):
    """x where x > 0, else ``alpha`` (exp x - 1); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.elu)


class CELU(_Alpha):
    """x where x > 0, else ``alpha`` (exp(x / ``alpha``) - 1); ``inplace`` overwrites the input."""

    _function = staticmethod(functional.celu)


class GELU(FunctionLayer):
    """x times the standard normal distribution function of x; ``approximate`` is ``"none"`` or ``"tanh"``."""

    _function, _arguments = staticmethod(functional.gelu), ("approximate",)

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.approximate)


class Softplus(FunctionLayer):
    """log(1 + exp(``beta`` x)) / ``beta``; x itself where ``beta`` x > ``threshold``."""

    _function, _arguments = staticmethod(functional.softplus), ("beta", "threshold")

    @reads_numbers
    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold


class Threshold(FunctionLayer):
    """x where x > ``threshold``, else ``value``.

    Args:
        threshold: the bound.
        value: replaces every x up to the bound.
    """

    _function, _arguments = staticmethod(functional.threshold), ("threshold", "value", "inplace")

    @reads_numbers
    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value, self.inplace = threshold, value, inplace


class Hardtanh(FunctionLayer):
    """min(max(x, ``min_val``), ``max_val``).

    Args:
        min_val, max_val: the bounds, -1 and 1 by default.
    """

    _function, _arguments = staticmethod(functional.hardtanh), ("min_val", "max_val", "inplace")

    @reads_numbers
    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val, self.inplace = min_val, max_val, inplace


class _Shrink(FunctionLayer):
    _arguments = ("lambd",)

    @reads_numbers
    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def extra_repr(self) -> str:
        return str(self.lambd)


class Hardshrink(_Shrink):
    """x where abs(x) > ``lambd``, else 0."""

    _function = staticmethod(functional.hardshrink)


class Softshrink(_Shrink):
    """sign(x) max(abs(x) - ``lambd``, 0)."""

    _function = staticmethod(functional.softshrink)


class _AlongDim(FunctionLayer):
    _arguments = ("dim",)

    @reads_numbers
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.dim)


class Softmax(_AlongDim):
    """exp(x_i) / sum_j exp(x_j) along ``dim``."""

    _function = staticmethod(functional.softmax)


class LogSoftmax(_AlongDim):
    """The logarithm of :class:`Softmax` along ``dim``."""

    _function = staticmethod(functional.log_softmax)


class Softmin(_AlongDim):
    """:class:`Softmax` of -x along ``dim``."""

    _function = staticmethod(functional.softmin)


class GLU(FunctionLayer):
    """a sigmoid(b), where a and b are the input's halves along ``dim``."""

    _function, _arguments = staticmethod(functional.glu), ("dim",)

    @reads_numbers
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim


class PReLU(Module):
    """x where x > 0, else ``weight`` x, with a trainable weight.

    Args:
        num_parameters: the weight's length: 1 for all elements, or the number of channels, axis 1.
        init: the weight's initial value.
        device: where the weight is.
        dtype: the weight's dtype.
    """

    @reads_numbers
    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.weight = Parameter(full((num_parameters,), float(init), device=device, dtype=dtype))

    def forward(self, input: Tensor) -> Tensor:
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
