"""``SGD``: stochastic gradient descent, with momentum and Nesterov's."""

from __future__ import annotations

from typing import Any

from ..autograd.arguments import reads_numbers
from ..backends import Array
from .optimizer import Group, Optimizer, Params, objective

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent (Robbins and Monro, 1951), with momentum as in Sutskever et al. (2013).

    With ``g`` the gradient, plus ``weight_decay * p``::

        b = momentum * b + (1 - dampening) * g        (b = g at the first step)
        p = p - lr * b                                (nesterov: g + momentum * b instead of b; without momentum: g)

    Args:
        params: tensors, ``(name, tensor)`` pairs, or dicts of parameter groups.
        lr: the learning rate.
        momentum: the decay rate of the running direction; 0 for none.
        dampening: reduces the gradient's share of it.
        weight_decay: the coefficient of L2 regularization, 0 for none.
        nesterov: whether to use Nesterov's momentum; it needs a momentum above 0 and no dampening.
        maximize: whether to maximize the objective instead.

    Raises ``ValueError`` if a hyperparameter is out of range.

    >>> import adjoint as ad
    >>> p = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = SGD([p], lr=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    state_names = ("momentum_buffer",)
    counts_steps = False

    @reads_numbers
    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            {
                "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
                "maximize": maximize,
            },
        )  # fmt: skip

    def check(self, group: Group) -> None:
        self._require_not_negative(group, "lr", "momentum", "weight_decay")
        plain = not group["nesterov"] or (group["momentum"] > 0 and group["dampening"] == 0)
        self._require(group, "nesterov", plain, "used with a momentum above 0 and dampening 0")

    def kept(self, group: Group) -> tuple[str, ...]:
        return self.state_names if group["momentum"] else ()

    def numbers(self, group: Group, step: int) -> dict[str, Any]:
        return {name: group[name] for name in self.defaults} | {"first": step == 1}

    @staticmethod
    def update(
        xp: Any, p: Array, g: Array, *, momentum_buffer: Array = None, lr: float, momentum: float, dampening: float,
        weight_decay: float, nesterov: bool, maximize: bool, first: bool,
    ) -> tuple[Array, dict[str, Array]]:  # fmt: skip
        g = objective(p, g, weight_decay, maximize)
        if not momentum:
            return p - lr * g, {}
        b = g if first else momentum * momentum_buffer + (1 - dampening) * g
        return p - lr * (g + momentum * b if nesterov else b), {"momentum_buffer": b}
