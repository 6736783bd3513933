"""Linear and bilinear layers, and layers that only reshape: ``Linear``, ``Bilinear``, ``Identity``, ``Flatten``, ``Unflatten``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd import Tensor, functions as f
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty
from . import functional, init
from .layer import FunctionLayer
from .module import Module
from .parameter import Parameter

__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    """y = x weight^T + bias: (…, in_features) to (…, out_features).

    Weight and bias start uniform within ±1/sqrt(in_features), as in PyTorch.

    Args:
        in_features: the number of input features.
        out_features: the number of output features.
        bias: whether there is a bias.

    Attributes:
        weight: (out_features, in_features).
        bias: (out_features,), or None.

    >>> Linear(2, 3)
    Linear(in_features=2, out_features=3, bias=True)
    """

    @reads_numbers
    def __init__(self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(1, self.in_features))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_k = input1^T weight_k input2 + bias_k: (…, in1_features) and (…, in2_features) to (…, out_features).

    Weight and bias start uniform within ±1/sqrt(in1_features), as in PyTorch.

    Args:
        in1_features, in2_features: the number of features of each input.
        out_features: the number of output features.
        bias: whether there is a bias.

    Attributes:
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,), or None.

    Raises ``ValueError`` if ``in1_features`` is not above 0.
    """

    @reads_numbers
    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features must be above 0, not {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values again."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Identity(Module):
    """Returns its input; the constructor ignores all arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Flatten(FunctionLayer):
    """Join the axes from ``start_dim`` to ``end_dim``: (N, d1, d2, …) to (N, d1 d2 …) by default."""

    _function, _arguments = staticmethod(f.flatten), ("start_dim", "end_dim")

    @reads_numbers
    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim


class Unflatten(FunctionLayer):
    """Split axis ``dim`` into axes of the lengths ``unflattened_size``, one of which may be -1."""

    _function, _arguments = staticmethod(f.unflatten), ("dim", "unflattened_size")

    @reads_numbers
    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)
