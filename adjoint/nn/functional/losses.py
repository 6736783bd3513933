"""Losses between an input and a target of one shape, as functions."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.functions.indexing import ends
from ...autograd.precision import wide_inside
from ...autograd.rules import losses as rules
from ...autograd.rules import reductions


def checked(name: str, input: Tensor, target: Tensor, reduction: str) -> None:
    """Raise unless both are floating-point tensors of one shape, and the reduction is one."""
    check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: the input has shape {input.shape} and the target {target.shape}; they must be the same (nothing is "
            "broadcast: a target of shape (N,) against (N, 1) would pair every element with every other). Use .reshape or .squeeze"
        )
    for what, x in (("input", input), ("target", target)):
        if x.dtype.kind != "float":
            raise TypeError(f"{name}: the {what} is {x.dtype}; it must be floating-point, convert it with .float()")


def check_reduction(name: str, reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{name}: reduction is 'none', 'mean' or 'sum', not {reduction!r}")


def reduced(losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is not None:
        losses = losses * weight
    if reduction == "none":
        return losses
    return reductions.mean(losses) if reduction == "mean" else reductions.sum(losses)


@wide_inside
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target)^2, averaged.

    Unlike PyTorch, which broadcasts with a warning, this raises ``ValueError`` where the shapes differ; ``TypeError`` on
    integers.
    """
    checked("mse_loss", input, target, reduction)
    if weight is None and reduction != "none":
        n = input.numel() if reduction == "mean" else 1
        return rules.squared_error.call(input, target, scale=1.0 / n if n else float("nan"))
    return reduced(f.square(input - target), weight, reduction)


@wide_inside
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """abs(input - target), averaged. Shapes must be the same, as for :func:`mse_loss`."""
    checked("l1_loss", input, target, reduction)
    return reduced(f.abs(input - target), weight, reduction)


@reads_numbers
@wide_inside
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None) -> Tensor:
    """e^2 / 2 where abs(e) <= delta, else delta (abs(e) - delta / 2), e = input - target, averaged. Huber (1964).

    Shapes must be the same, as for :func:`mse_loss`. Raises ``ValueError`` where ``delta`` is not above 0.
    """
    checked("huber_loss", input, target, reduction)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta is above 0, not {delta}")
    error = input - target
    limited = f.clamp(error, -delta, delta)
    return reduced(limited * (error - 0.5 * limited), weight, reduction)


@wide_inside
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """-target log(input) - (1 - target) log(1 - input), averaged, ``input`` being probabilities; logarithms end at -100.

    ``weight`` broadcasts against the elements. Raises ``ValueError`` where shapes differ or an input is not within [0, 1].
    """
    checked("binary_cross_entropy", input, target, reduction)
    backend, x = input.backend, input._array
    if input.numel() and not backend.truth(backend.xp.all(backend.xp.logical_and(x >= 0, x <= 1))):
        low, high = ends(input.detach())
        raise ValueError(
            f"binary_cross_entropy: the input is from {low} to {high}, and probabilities are from 0 to 1; apply sigmoid, or "
            "use binary_cross_entropy_with_logits"
        )
    return reduced(rules.binary_cross_entropy(input, target), weight, reduction)


@wide_inside
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
) -> Tensor:
    """:func:`binary_cross_entropy` of sigmoid(input), without overflow; ``pos_weight`` multiplies the term of target 1.

    ``weight`` and ``pos_weight`` broadcast against the elements. Raises ``ValueError`` where the shapes differ.
    """
    name = "binary_cross_entropy_with_logits"
    checked(name, input, target, reduction)
    return reduced(
        rules.binary_cross_entropy_with_logits(input, target, 1.0 if pos_weight is None else pos_weight), weight, reduction
    )
