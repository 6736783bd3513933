"""L1 and L2 regularization: l1 sum |w| + l2 sum w^2 of a layer's weights, which ``fit`` adds to its loss."""

from __future__ import annotations

from typing import Any, TypeVar

from .. import nn
from ..autograd import Tensor

M = TypeVar("M", bound=nn.Module)


def penalized(layer: M, *, l1: float = 0.0, l2: float = 0.0, biases: bool = False) -> M:
    """Regularize a layer's weights by l1 sum |w| + l2 sum w^2 (Tikhonov, 1943; Tibshirani, 1996), and return the layer.

    ``fit`` adds that to its loss; in your own loop, add :func:`penalty`. Keras calls it ``kernel_regularizer``. It differs from an
    optimizer's weight decay, except for plain SGD, where l2 = weight_decay / 2.

    Args:
        layer: a module, of which all parameters count.
        l1: the coefficient of sum |w|.
        l2: the coefficient of sum w^2.
        biases: whether to include parameters of one axis: biases and the scales of normalizations.

    Raises ``ValueError`` on a negative or infinite coefficient.

    >>> from adjoint import nn, train
    >>> layer = train.penalized(nn.Linear(4, 3), l2=0.01)
    >>> bool((train.penalty(layer) - 0.01 * layer.weight.square().sum()).abs() < 1e-7)
    True
    """
    for name, coefficient in (("l1", l1), ("l2", l2)):
        if not 0.0 <= coefficient < float("inf"):
            raise ValueError(f"penalized: {name} must be finite and >= 0, not {coefficient}")
    layer._penalty = (float(l1), float(l2), bool(biases))
    return layer


def penalty(model: nn.Module) -> Any:
    """The regularization of all :func:`penalized` parts of ``model``: a 0-d tensor, or 0.0 where there are none."""
    total: Any = 0.0
    for part in model.modules():
        if (coefficients := vars(part).get("_penalty")) is None:
            continue
        l1, l2, biases = coefficients
        for p in part.parameters():
            if p.ndim > 1 or biases:
                if l1:
                    total = total + l1 * p.abs().sum()
                if l2:
                    total = total + l2 * p.square().sum()
    return total


def with_penalty(loss: Tensor, model: nn.Module) -> Tensor:
    """loss + :func:`penalty`; where there is none the loss itself, without an operation."""
    extra = penalty(model)
    return loss + extra if isinstance(extra, Tensor) else loss
