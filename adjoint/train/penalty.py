"""Penalties on a layer's weights: l1 sum |w| + l2 sum w^2, added to the loss by ``fit``."""

from __future__ import annotations

from typing import Any, TypeVar

from .. import nn
from ..autograd import Tensor

M = TypeVar("M", bound=nn.Module)


def penalized(layer: M, *, l1: float = 0.0, l2: float = 0.0, biases: bool = False) -> M:
    """The layer itself, whose weights now cost l1 sum |w| + l2 sum w^2 (Tikhonov, 1943; Tibshirani, 1996).

    ``fit`` adds that to its loss; a loop of one's own adds :func:`penalty`. It is what Keras calls ``kernel_regularizer``; weight
    decay in an optimizer is another thing, unless the optimizer is plain SGD, where l2 = weight_decay / 2.

    Args:
        layer: a module; the penalty is on its own parameters, and those of its parts.
        biases: whether parameters of one axis (biases, scales of normalizations) cost too.

    Raises ``ValueError`` on a negative or infinite factor.

    >>> from adjoint import nn, train
    >>> layer = train.penalized(nn.Linear(4, 3), l2=0.01)
    >>> bool((train.penalty(layer) - 0.01 * layer.weight.square().sum()).abs() < 1e-7)
    True
    """
    for name, factor in (("l1", l1), ("l2", l2)):
        if not 0.0 <= factor < float("inf"):
            raise ValueError(f"penalized: {name} is a number from 0, not {factor}")
    layer._penalty = (float(l1), float(l2), bool(biases))
    return layer


def penalty(model: nn.Module) -> Any:
    """What the weights of all :func:`penalized` parts of the model cost: a 0-d tensor, or 0.0 where there are none."""
    total: Any = 0.0
    for part in model.modules():
        held = vars(part).get("_penalty")
        if held is None:
            continue
        l1, l2, biases = held
        for p in part.parameters():
            if p.ndim > 1 or biases:
                if l1:
                    total = total + l1 * p.abs().sum()
                if l2:
                    total = total + l2 * p.square().sum()
    return total


def with_penalty(loss: Tensor, model: nn.Module) -> Tensor:
    """The loss and what the weights cost; the loss itself where they cost nothing, without an operation."""
    cost = penalty(model)
    return loss + cost if isinstance(cost, Tensor) else loss
