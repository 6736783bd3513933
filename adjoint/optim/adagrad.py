"""``Adagrad``: gradients divided by the root of the sum of their squares."""

from __future__ import annotations

from typing import Any

from ..autograd.arguments import reads_numbers
from ..backends import Array
from .optimizer import Group, Optimizer, Params, objective

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adaptive subgradient descent (Duchi, Hazan and Singer, 2011).

    With ``g`` the gradient, plus ``weight_decay * p``, at step ``t``::

        s = s + g**2
        p = p - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + eps)

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of parameter groups.
        lr: the learning rate.
        lr_decay: how fast the learning rate decays with the number of steps.
        weight_decay: the coefficient of L2 regularization, 0 for none.
        initial_accumulator_value: ``s`` before the first step, at least 0.
        eps: added to the denominator.
        maximize: whether to maximize the objective instead.

    Raises ``ValueError`` if a hyperparameter is out of range.
    """

    state_names = ("sum",)
    state_from_the_start = True

    @reads_numbers
    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps,
                "initial_accumulator_value": initial_accumulator_value, "maximize": maximize,
            },
        )  # fmt: skip

    def check(self, group: Group) -> None:
        self._require_not_negative(group, "lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")

    def initial(self, group: Group) -> float:
        return float(group["initial_accumulator_value"])

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        return {
            "step_size": group["lr"] / (1 + (step - 1) * group["lr_decay"]), "weight_decay": group["weight_decay"],
            "eps": group["eps"], "maximize": group["maximize"],
        }  # fmt: skip

    @staticmethod
    def update(
        xp: Any, p: Array, g: Array, *, sum: Array, step_size: float, weight_decay: float, eps: float, maximize: bool
    ) -> tuple[Array, dict[str, Array]]:
        g = objective(p, g, weight_decay, maximize)
        s = sum + g * g
        return p - step_size * g / (xp.sqrt(s) + eps), {"sum": s}
