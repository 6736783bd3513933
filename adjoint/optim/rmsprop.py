"""``RMSprop``: gradients divided by the root of the running mean of their squares."""

from __future__ import annotations

from typing import Any

from ..autograd.arguments import reads_numbers
from ..backends import Array
from .optimizer import Group, Optimizer, Params, objective

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop (Tieleman and Hinton, 2012, lecture 6.5), optionally centered as in Graves (2013).

    With ``g`` the gradient, plus ``weight_decay * p``::

        s = alpha * s + (1 - alpha) * g**2
        a = alpha * a + (1 - alpha) * g               (centered; otherwise a = 0)
        b = momentum * b + g / (sqrt(s - a**2) + eps)
        p = p - lr * b

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of parameter groups.
        lr: the learning rate.
        alpha: the decay rate of the running means.
        eps: added to the denominator.
        weight_decay: the coefficient of L2 regularization, 0 for none.
        momentum: the decay rate of the running direction; 0 for none.
        centered: whether to divide by the gradient's standard deviation instead of its root mean square.
        maximize: whether to maximize the objective instead.

    Raises ``ValueError`` if a hyperparameter is out of range.
    """

    state_names = ("square_avg", "grad_avg", "momentum_buffer")

    @reads_numbers
    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay, "momentum": momentum, "centered": centered,
                "maximize": maximize,
            },
        )  # fmt: skip

    def check(self, group: Group) -> None:
        self._require_not_negative(group, "lr", "alpha", "eps", "weight_decay", "momentum")

    def kept(self, group: Group) -> tuple[str, ...]:
        used = {"square_avg": True, "grad_avg": group["centered"], "momentum_buffer": group["momentum"] > 0}
        return tuple(name for name in self.state_names if used[name])

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        return {name: group[name] for name in self.defaults if name != "centered"}

    @staticmethod
    def update(
        xp: Any, p: Array, g: Array, *, square_avg: Array, grad_avg: Array = None, momentum_buffer: Array = None, lr: float,
        alpha: float, eps: float, weight_decay: float, momentum: float, maximize: bool,
    ) -> tuple[Array, dict[str, Array]]:  # fmt: skip
        g = objective(p, g, weight_decay, maximize)
        s = variance = alpha * square_avg + (1 - alpha) * g * g
        state = {"square_avg": s}
        if grad_avg is not None:
            a = state["grad_avg"] = alpha * grad_avg + (1 - alpha) * g
            variance = xp.maximum(s - a * a, xp.zeros_like(s))  # rounding can leave it just below 0
        b = g / (xp.sqrt(variance) + eps)
        if momentum_buffer is not None:
            b = state["momentum_buffer"] = momentum * momentum_buffer + b
        return p - lr * b, state
