"""Clipping gradients, all by their common norm or each element by its size."""

from __future__ import annotations

from collections.abc import Iterable

from ..autograd import Tensor, no_grad
from ..autograd import functions as f
from ..autograd.creation import tensor


def _with_gradient(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    every = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in every if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scale all gradients, in place, by ``min(1, max_norm / (norm + 1e-6))``; Pascanu, Mikolov and Bengio (2013).

    Args:
        parameters: the tensors whose ``grad`` is clipped; those without one are passed over.
        max_norm: the largest norm left.
        norm_type: the order of the norm of all gradients as one vector; ``inf`` for the largest absolute value.
        error_if_nonfinite: raise ``RuntimeError`` where that norm is NaN or infinite, before any gradient is changed.

    Returns the norm as it was, a 0-d tensor.
    """
    gradients, order = _with_gradient(parameters), float(norm_type)
    if not gradients:
        return tensor(0.0)
    home = gradients[0].backend
    with no_grad(), home.quiet():
        total = f.norm(f.stack([f.norm(g, order).to(device=home) for g in gradients]), order)
        if error_if_nonfinite and not bool(f.isfinite(total)):
            raise RuntimeError(
                f"clip_grad_norm_: the gradients' norm of order {order} is {total.item()}, by which they can not be scaled; "
                "error_if_nonfinite=False scales them all the same"
            )
        factor = f.clamp(max_norm / (total + 1e-6), max=1.0)
        for g in gradients:
            g.mul_(factor.to(device=g.backend))
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Clamp every element of every gradient, in place, to the range from ``-clip_value`` to ``clip_value``."""
    with no_grad():
        for g in _with_gradient(parameters):
            g.clamp_(-float(clip_value), float(clip_value))
