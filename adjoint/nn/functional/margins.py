"""Losses of margins, distances and distributions, as functions; ``target`` is 1 or -1 where a margin is named."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.creation import arange, full_like
from ...autograd.functions.indexing import check_range
from ...autograd.precision import wide_inside
from ...autograd.rules import normalization
from .activations import softplus
from .layers import pairwise_distance
from .losses import binary_cross_entropy_with_logits, check_reduction, checked, l1_loss, reduced


@reads_numbers
@wide_inside
def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """e^2 / (2 beta) where abs(e) < ``beta``, else abs(e) - ``beta`` / 2, e = input - target, averaged. Girshick (2015).

    Raises ``ValueError`` where the shapes differ or ``beta`` is below 0.
    """
    checked("smooth_l1_loss", input, target, reduction)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta is 0 or more, not {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    error = input - target
    limited = f.clamp(error, -beta, beta)
    return reduced(limited * (error - 0.5 * limited) / beta, None, reduction)


@wide_inside
def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target (log target - input), the input being log-probabilities; with ``log_target`` the target is too.

    ``reduction="batchmean"`` divides the sum by the first axis's length, as the divergence is defined.
    """
    checked("kl_div", input, target, "sum" if reduction == "batchmean" else reduction)
    losses = f.exp(target) * (target - input) if log_target else f.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return reduced(losses, None, "sum") / (input.shape[0] if input.ndim else 1)
    return reduced(losses, None, reduction)


@reads_numbers
@wide_inside
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
) -> Tensor:
    """exp(input) - target input, averaged; without ``log_input`` input - target log(input + ``eps``).

    ``full`` adds Stirling's approximation of log target! where the target is above 1.
    """
    checked("poisson_nll_loss", input, target, reduction)
    losses = f.exp(input) - target * input if log_input else input - target * f.log(input + eps)
    if full:
        many = f.where(target > 1, target, 1.0)
        losses = losses + f.where(target > 1, many * f.log(many) - many + 0.5 * f.log(2 * pi * many), 0.0)
    return reduced(losses, None, reduction)


@reads_numbers
@wide_inside
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """(log var + (input - target)^2 / var) / 2, averaged, ``var`` being a number, or of the input's shape with or without its
    last axis; it counts as no less than ``eps``, its derivative as if it were not limited. ``full`` adds log(2 pi) / 2.

    Raises ``ValueError`` on a variance below 0 or of another shape.
    """
    checked("gaussian_nll_loss", input, target, reduction)
    if not isinstance(var, Tensor):
        var = full_like(input, float(var))
    if var.numel() and var.backend.truth(f.any(var.detach() < 0)._array):
        raise ValueError("gaussian_nll_loss: a variance is below 0")
    if var.shape != input.shape:
        var = f.unsqueeze(var, -1) if var.shape == input.shape[:-1] else var
        if var.ndim != input.ndim or any(n not in (1, m) for n, m in zip(var.shape, input.shape, strict=True)):
            raise ValueError(f"gaussian_nll_loss: the variance has shape {var.shape}, which does not fit the input's {input.shape}")
    var = var + (f.clamp_min(var.detach(), eps) - var.detach())
    error = input - target
    losses = 0.5 * (f.log(var) + error * (error / var))
    return reduced(losses + 0.5 * log(2 * pi) if full else losses, None, reduction)


@wide_inside
def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target input)), averaged, without overflow."""
    checked("soft_margin_loss", input, target, reduction)
    return reduced(softplus(-target * input, 1.0, float("inf")), None, reduction)


@reads_numbers
@wide_inside
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """The input, a distance, where the target is 1; max(0, ``margin`` - input) where it is -1; averaged."""
    check_reduction("hinge_embedding_loss", reduction)
    apart = f.where(target != 1, f.clamp_min(margin - input, 0), 0.0)
    return reduced(apart + f.where(target != -1, input, 0.0), None, reduction)


@reads_numbers
@wide_inside
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean") -> Tensor:
    """max(0, ``margin`` - target (input1 - input2)), averaged."""
    check_reduction("margin_ranking_loss", reduction)
    return reduced(f.clamp_min(-target * (input1 - input2) + margin, 0), None, reduction)


@reads_numbers
@wide_inside
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean") -> Tensor:
    """1 - cos where the target is 1, max(0, cos - ``margin``) where it is -1, averaged; vectors lie along the last axis."""
    check_reduction("cosine_embedding_loss", reduction)
    first, second = (x / normalization.root_mean_square(x, axis=-1, divisor=1.0, eps=1e-12) for x in (input1, input2))
    cosine = f.sum(first * second, -1)
    apart = f.where(target == -1, f.clamp_min(cosine - margin, 0), 0.0)
    return reduced(f.where(target == 1, 1.0 - cosine, apart), None, reduction)


@reads_numbers
@wide_inside
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    *,
    reduction: str = "mean",
) -> Tensor:
    """:func:`triplet_margin_with_distance_loss` by the p-norm. Balntas et al. (2016)."""

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


@reads_numbers
@wide_inside
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, ``margin`` + d(anchor, positive) - d(anchor, negative)), averaged; with ``swap`` the nearer of anchor and positive
    to the negative counts. Raises ``ValueError`` where ``margin`` is not above 0.
    """
    check_reduction("triplet_margin_loss", reduction)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: margin is above 0, not {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    far = distance(anchor, negative)
    if swap:
        far = f.minimum(far, distance(positive, negative))
    return reduced(f.clamp_min(margin + distance(anchor, positive) - far, 0), None, reduction)


@reads_numbers
@wide_inside
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """weight[y] sum of max(0, ``margin`` - x[y] + x[i])^``p`` over the classes i other than the target y, over C; averaged.

    Shapes are (N, C) and (N,), or (C,) and (). Raises ``IndexError`` on a class that is not there, ``ValueError`` on shapes that
    do not fit and on a ``p`` other than 1 and 2.
    """
    check_reduction("multi_margin_loss", reduction)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p is 1 or 2, not {p}")
    if input.ndim not in (1, 2) or target.ndim > 1 or target.numel() != input[..., :1].numel():
        raise ValueError(
            f"multi_margin_loss: the input has shape {input.shape} and the target {target.shape}; they must be (N, C) and (N,), or "
            "(C,) and ()"
        )
    classes = input.shape[-1]
    if weight is not None and weight.shape != (classes,):
        raise ValueError(f"multi_margin_loss: the weight has shape {weight.shape}; it must have one for each of {classes} classes")
    check_range("multi_margin_loss", target, classes)
    rows, own = f.reshape(input, -1, classes), f.reshape(target, -1, 1)
    losses = f.clamp_min(margin - f.take_along_dim(rows, own, 1) + rows, 0)
    losses = losses if p == 1 else f.square(losses)
    losses = losses if weight is None else losses * f.getitem(weight, own)
    others = own != arange(classes, device=input.backend)
    return reduced(f.reshape(f.sum(f.where(others, losses, 0.0), 1) / classes, target.shape), None, reduction)


@wide_inside
def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Sum of max(0, 1 - x[y] + x[i]) over the targets y and the classes i that are none, over C; averaged.

    Input and target are (N, C) or (C,); a row's targets are its class indices before the first -1. Raises ``IndexError`` on a
    class that is not there, ``ValueError`` where the shapes differ.
    """
    check_reduction("multilabel_margin_loss", reduction)
    if input.shape != target.shape or input.ndim not in (1, 2):
        raise ValueError(
            f"multilabel_margin_loss: the input has shape {input.shape} and the target {target.shape}; both must be (N, C) or (C,)"
        )
    classes = input.shape[-1]
    check_range("multilabel_margin_loss", f.where(target == -1, 0, target), classes)
    rows, targets = f.reshape(input, -1, classes), f.reshape(target, -1, classes)
    named = f.unsqueeze(f.cumsum(targets < 0, 1) == 0, 2)
    targets = f.clamp_min(targets, 0)
    others = ~f.any(named & (f.unsqueeze(targets, 2) == arange(classes, device=input.backend)), 1, keepdim=True)
    margins = 1.0 - f.unsqueeze(f.take_along_dim(rows, targets, 1), 2) + f.unsqueeze(rows, 1)
    losses = f.sum(f.where(named & others, f.clamp_min(margins, 0), 0.0), (1, 2)) / classes
    return reduced(f.reshape(losses, input.shape[:-1]), None, reduction)


@wide_inside
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """:func:`binary_cross_entropy_with_logits` of each class, averaged over the classes, the last axis; then averaged.

    ``weight`` has one number a class. Raises ``ValueError`` where the shapes differ.
    """
    checked("multilabel_soft_margin_loss", input, target, reduction)
    return reduced(f.mean(binary_cross_entropy_with_logits(input, target, weight, reduction="none"), -1), None, reduction)
