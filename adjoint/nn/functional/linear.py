"""The linear and the bilinear map as functions."""

from __future__ import annotations

from math import prod

from ...autograd import Tensor, functions as f
from ...autograd.rules import linalg

__all__ = ["bilinear", "linear"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y = x weight^T + bias.

    Args:
        input: x, (…, in_features).
        weight: (out_features, in_features).
        bias: (out_features,), or None.

    Returns (…, out_features). Raises ``ValueError`` if the input's last axis is not in_features long, ``TypeError`` if it is not a
    tensor.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"linear: the input is a {type(input).__name__}; it takes tensors, ad.tensor(…) makes one")
    shape, of_weight = input._array.shape, weight._array.shape
    if not shape or shape[-1] != of_weight[-1]:
        raise ValueError(
            f"linear: the input has shape {shape} and the weight {of_weight} (out_features, in_features); the input's last axis "
            f"must have in_features={of_weight[-1]} elements"
        )
    return f.matmul(input, weight.mT) if bias is None else linalg.linear.call(input, weight, bias)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y_k = input1^T weight_k input2 + bias_k.

    Args:
        input1, input2: (…, in1) and (…, in2).
        weight: (out, in1, in2).
        bias: (out,), or None.

    Returns (…, out). Raises ``ValueError`` if the shapes do not match.
    """
    if weight.ndim != 3 or (*input1.shape[:-1], *weight.shape[1:]) != (*input2.shape[:-1], *input1.shape[-1:], *input2.shape[-1:]):
        raise ValueError(
            f"bilinear: shapes {input1.shape} and {input2.shape} do not fit the weight's {weight.shape}; they must be (…, in1), "
            "(…, in2) and (out, in1, in2)"
        )
    out, first, second = weight.shape
    lead = input1.shape[:-1]
    n = prod(lead)
    left = f.reshape(input1, n, first) @ f.reshape(f.movedim(weight, 0, 1), first, out * second)
    product = f.reshape(left, n, out, second) @ f.reshape(input2, n, second, 1)
    result = f.reshape(product, *lead, out)
    return result if bias is None else result + bias
