"""``Adam``, ``AdamW`` and ``Adamax``: steps scaled by running moments of the gradient. The update is :meth:`Adam.update`."""

from __future__ import annotations

from typing import Any

from ..autograd.arguments import reads_numbers
from ..backends import Array
from .optimizer import Group, Optimizer, Params, objective

__all__ = ["Adam", "AdamW", "Adamax"]


class _Moments(Optimizer):
    """The valid ranges of the Adam family's hyperparameters."""

    def check(self, group: Group) -> None:
        self._require_not_negative(group, "lr", "eps", "weight_decay")
        self._require(group, "betas", len(group["betas"]) == 2 and all(0 <= beta < 1 for beta in group["betas"]), "two in [0, 1)")


class Adam(_Moments):
    """Adaptive moment estimation (Kingma and Ba, 2015).

    With ``g`` the gradient, plus ``weight_decay * p``, at step ``t``::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        p = p - lr * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + eps)

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of parameter groups.
        lr: the learning rate.
        betas: the decay rates of the running means of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: the coefficient of L2 regularization, 0 for none.
        amsgrad: whether to divide by the largest ``v`` so far instead of ``v`` (Reddi, Kale and Kumar, 2018).
        maximize: whether to maximize the objective instead.
        decoupled_weight_decay: whether to shrink the parameters themselves, as :class:`AdamW` does.

    Raises ``ValueError`` if a hyperparameter is out of range.
    """

    state_names = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    @reads_numbers
    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad, "maximize": maximize,
                "decoupled_weight_decay": decoupled_weight_decay,
            },
        )  # fmt: skip

    def kept(self, group: Group) -> tuple[str, ...]:
        return self.state_names if group["amsgrad"] else self.state_names[:2]

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        lr, weight_decay, (beta1, beta2) = group["lr"], group["weight_decay"], group["betas"]
        decoupled = group["decoupled_weight_decay"]
        return {
            "beta1": beta1, "beta2": beta2, "eps": group["eps"],
            "step_size": lr / (1 - beta1**step), "correction": (1 - beta2**step) ** 0.5,
            "shrink": 1 - lr * weight_decay if decoupled else 1.0, "weight_decay": 0.0 if decoupled else weight_decay,
            "maximize": group["maximize"],
        }  # fmt: skip

    @staticmethod
    def update(
        xp: Any, p: Array, g: Array, *, exp_avg: Array, exp_avg_sq: Array, max_exp_avg_sq: Array = None, beta1: float,
        beta2: float, eps: float, step_size: float, correction: float, shrink: float, weight_decay: float, maximize: bool,
    ) -> tuple[Array, dict[str, Array]]:  # fmt: skip
        g = objective(p, g, weight_decay, maximize)
        m = beta1 * exp_avg + (1 - beta1) * g
        v = beta2 * exp_avg_sq + (1 - beta2) * g * g
        state = {"exp_avg": m, "exp_avg_sq": v}
        if max_exp_avg_sq is not None:
            v = state["max_exp_avg_sq"] = xp.maximum(max_exp_avg_sq, v)
        p = p if shrink == 1 else shrink * p
        return p - (step_size * correction) * m / (
            xp.sqrt(v) + correction * eps
        ), state  # one pass less than the docstring's formula


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): ``p`` shrinks by ``1 - lr * weight_decay`` at each step.

    Arguments are :class:`Adam`'s; ``weight_decay`` is 0.01 by default.
    """

    @reads_numbers
    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize, decoupled_weight_decay=True)


class Adamax(_Moments):
    """Adam with the infinity norm (Kingma and Ba, 2015, section 7.1).

    With ``g`` the gradient, plus ``weight_decay * p``, at step ``t``::

        m = beta1 * m + (1 - beta1) * g
        u = max(beta2 * u, abs(g) + eps)
        p = p - lr / (1 - beta1**t) * m / u

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of parameter groups.
        lr: the learning rate.
        betas: the decay rates of the running mean and of the running maximum.
        eps: added to the gradient's absolute value.
        weight_decay: the coefficient of L2 regularization, 0 for none.
        maximize: whether to maximize the objective instead.

    Raises ``ValueError`` if a hyperparameter is out of range.
    """

    state_names = ("exp_avg", "exp_inf")

    @reads_numbers
    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "maximize": maximize})

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        beta1, beta2 = group["betas"]
        return {
            "beta1": beta1, "beta2": beta2, "eps": group["eps"], "step_size": group["lr"] / (1 - beta1**step),
            "weight_decay": group["weight_decay"], "maximize": group["maximize"],
        }  # fmt: skip

    @staticmethod
    def update(
        xp: Any, p: Array, g: Array, *, exp_avg: Array, exp_inf: Array, beta1: float, beta2: float, eps: float,
        step_size: float, weight_decay: float, maximize: bool,
    ) -> tuple[Array, dict[str, Array]]:  # fmt: skip
        g = objective(p, g, weight_decay, maximize)
        m = beta1 * exp_avg + (1 - beta1) * g
        u = xp.maximum(beta2 * exp_inf, xp.abs(g) + eps)
        return p - step_size * m / u, {"exp_avg": m, "exp_inf": u}
