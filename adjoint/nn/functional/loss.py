"""Losses of numbers, distributions and margins as functions; those of classes are in ``cross_entropy``.

Every loss takes ``reduction``: ``"mean"``, ``"sum"``, or ``"none"`` for the losses of all elements.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi
from typing import Any

from ...autograd import Tensor, functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.creation import arange, full_like
from ...autograd.functions.indexing import check_range
from ...autograd.precision import wide_inside
from ...autograd.rules import losses as rules, normalization, reductions
from .activation import softplus
from .distance import pairwise_distance

__all__ = [
    "cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "huber_loss", "kl_div", "l1_loss",
    "margin_ranking_loss", "mse_loss", "multi_margin_loss", "multilabel_margin_loss", "poisson_nll_loss", "smooth_l1_loss",
    "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss",
]  # fmt: skip


def check_elementwise(name: str, input: Tensor, target: Tensor, reduction: str) -> None:
    """Raise unless both are floating-point tensors of one shape and ``reduction`` is valid.

    Args:
        name: the loss's name, for messages.
        input, target: the loss's tensors.
        reduction: the loss's reduction.
    """
    check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: the input has shape {input.shape} and the target {target.shape}; they must be equal (a target of shape (N,) "
            "and an input of shape (N, 1) would broadcast by accident). Use .reshape or .squeeze"
        )
    for what, x in (("input", input), ("target", target)):
        if x.dtype.kind != "float":
            raise TypeError(f"{name}: the {what} is {x.dtype}; it must be floating-point, convert it with .float()")


def check_reduction(name: str, reduction: str) -> None:
    """Raise ``ValueError`` unless ``reduction`` is ``"none"``, ``"mean"`` or ``"sum"``."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{name}: reduction must be 'none', 'mean' or 'sum', not {reduction!r}")


def reduce(losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """The losses, multiplied by ``weight`` unless it is None, or their mean or sum, by ``reduction``."""
    if weight is not None:
        losses = losses * weight
    if reduction == "none":
        return losses
    return reductions.mean(losses) if reduction == "mean" else reductions.sum(losses)


# --- regression --------------------------------------------------------------------------------------------------------------


@wide_inside
def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """The mean squared error: weight (input - target)^2, averaged.

    Args:
        input, target: floating-point, of one shape.
        weight: broadcasts to the input's shape; all 1 if None.

    Returns a 0-d tensor, or the input's shape for ``"none"``. Raises ``ValueError`` if the shapes differ (PyTorch broadcasts, and
    warns), ``TypeError`` on integers.
    """
    check_elementwise("mse_loss", input, target, reduction)
    if weight is None and reduction != "none":
        n = input.numel() if reduction == "mean" else 1
        return rules.squared_error.call(input, target, scale=1.0 / n if n else float("nan"))
    return reduce(f.square(input - target), weight, reduction)


@wide_inside
def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """The mean absolute error: weight abs(input - target), averaged.

    Args:
        input, target: floating-point, of one shape.
        weight: broadcasts to the input's shape; all 1 if None.

    Returns and raises as :func:`mse_loss` does.
    """
    check_elementwise("l1_loss", input, target, reduction)
    return reduce(f.abs(input - target), weight, reduction)


def _quadratic_then_linear(error: Tensor, bound: float) -> Tensor:
    """e^2 / 2 where abs(e) <= bound, else bound (abs(e) - bound / 2)."""
    limited = f.clamp(error, -bound, bound)
    return limited * (error - 0.5 * limited)


@reads_numbers
@wide_inside
def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None) -> Tensor:
    """e^2 / 2 where abs(e) <= ``delta``, else ``delta`` (abs(e) - ``delta`` / 2), e = input - target, averaged. Huber (1964).

    Args:
        input, target: floating-point, of one shape.
        delta: the error beyond which the loss is linear, above 0.
        weight: broadcasts to the input's shape; all 1 if None.

    Returns and raises as :func:`mse_loss` does, and ``ValueError`` if ``delta`` is not above 0.
    """
    check_elementwise("huber_loss", input, target, reduction)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta must be above 0, not {delta}")
    return reduce(_quadratic_then_linear(input - target, delta), weight, reduction)


@reads_numbers
@wide_inside
def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """e^2 / (2 beta) where abs(e) < ``beta``, else abs(e) - ``beta`` / 2, e = input - target, averaged. Girshick (2015).

    Args:
        input, target: floating-point, of one shape.
        beta: the error beyond which the loss is linear; at 0 it is :func:`l1_loss`.

    Returns and raises as :func:`mse_loss` does, and ``ValueError`` if ``beta`` is below 0.
    """
    check_elementwise("smooth_l1_loss", input, target, reduction)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta must be at least 0, not {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return reduce(_quadratic_then_linear(input - target, beta) / beta, None, reduction)


# --- distributions -----------------------------------------------------------------------------------------------------------


@wide_inside
def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: bool = False) -> Tensor:
    """The Kullback-Leibler divergence: target (log target - input).

    Args:
        input: log-probabilities.
        target: probabilities, or log-probabilities with ``log_target``, of the input's shape.
        reduction: ``"none"``, ``"mean"``, ``"sum"``, or ``"batchmean"``, the sum divided by the first axis's length, which is the
            divergence's definition.
        log_target: whether the target is log-probabilities.

    Returns and raises as :func:`mse_loss` does.
    """
    check_elementwise("kl_div", input, target, "sum" if reduction == "batchmean" else reduction)
    losses = f.exp(target) * (target - input) if log_target else f.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return reduce(losses, None, "sum") / (input.shape[0] if input.ndim else 1)
    return reduce(losses, None, reduction)


@reads_numbers
@wide_inside
def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean"
) -> Tensor:
    """Negative log likelihood of a Poisson distribution: exp(input) - target input, averaged.

    Args:
        input: the logarithm of the rate, or the rate without ``log_input``: then the loss is input - target log(input + ``eps``).
        target: counts, floating-point, of the input's shape.
        log_input: whether the input is a logarithm.
        full: whether to add Stirling's approximation of log target! where the target is above 1.
        eps: added to a rate before its logarithm is taken.

    Returns and raises as :func:`mse_loss` does.
    """
    check_elementwise("poisson_nll_loss", input, target, reduction)
    losses = f.exp(input) - target * input if log_input else input - target * f.log(input + eps)
    if full:
        large = f.where(target > 1, target, 1.0)
        losses = losses + f.where(target > 1, large * f.log(large) - large + 0.5 * f.log(2 * pi * large), 0.0)
    return reduce(losses, None, reduction)


@reads_numbers
@wide_inside
def gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Negative log likelihood of a normal distribution: (log var + (input - target)^2 / var) / 2, averaged.

    Args:
        input: the means.
        target: of the input's shape.
        var: the variances: a number, or a tensor of the input's shape, of that with a last axis of length 1, or without it.
        full: whether to add the constant log(2 pi) / 2.
        eps: the least variance; the gradient ignores this bound.

    Returns and raises as :func:`mse_loss` does, and ``ValueError`` on a variance below 0 or of another shape.
    """
    check_elementwise("gaussian_nll_loss", input, target, reduction)
    if not isinstance(var, Tensor):
        var = full_like(input, float(var))
    if var.numel() and var.backend.truth(f.any(var.detach() < 0)._array):
        raise ValueError("gaussian_nll_loss: a variance is below 0; pass variances of at least 0, for instance exp of an output")
    if var.shape != input.shape:
        var = f.unsqueeze(var, -1) if var.shape == input.shape[:-1] else var
        if var.ndim != input.ndim or any(n not in (1, m) for n, m in zip(var.shape, input.shape, strict=True)):
            raise ValueError(f"gaussian_nll_loss: the variance has shape {var.shape}, which does not fit the input's {input.shape}")
    var = var + (f.clamp_min(var.detach(), eps) - var.detach())
    error = input - target
    losses = 0.5 * (f.log(var) + error * (error / var))
    return reduce(losses + 0.5 * log(2 * pi) if full else losses, None, reduction)


# --- margins; a target is 1 or -1 --------------------------------------------------------------------------------------------


@wide_inside
def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target input)), averaged, without overflow.

    Args:
        input: scores.
        target: 1 or -1, floating-point, of the input's shape.

    Returns and raises as :func:`mse_loss` does.
    """
    check_elementwise("soft_margin_loss", input, target, reduction)
    return reduce(softplus(-target * input, 1.0, float("inf")), None, reduction)


@reads_numbers
@wide_inside
def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean") -> Tensor:
    """The input where the target is 1; max(0, ``margin`` - input) where it is -1; averaged.

    Args:
        input: distances.
        target: 1 or -1; broadcasts with the input.
        margin: the distance beyond which pairs of target -1 cost nothing.
    """
    check_reduction("hinge_embedding_loss", reduction)
    negative = f.where(target != 1, f.clamp_min(margin - input, 0), 0.0)
    return reduce(negative + f.where(target != -1, input, 0.0), None, reduction)


@reads_numbers
@wide_inside
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean") -> Tensor:
    """max(0, ``margin`` - target (input1 - input2)), averaged.

    Args:
        input1, input2: scores, whose shapes broadcast.
        target: 1 where input1 should be the larger, -1 where input2 should.
        margin: by how much it should be larger.
    """
    check_reduction("margin_ranking_loss", reduction)
    return reduce(f.clamp_min(-target * (input1 - input2) + margin, 0), None, reduction)


@reads_numbers
@wide_inside
def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, *, reduction: str = "mean") -> Tensor:
    """1 - cos where the target is 1, max(0, cos - ``margin``) where it is -1, averaged.

    Args:
        input1, input2: (N, D) or (D,): vectors along the last axis.
        target: 1 or -1, (N,) or ().
        margin: the cosine up to which pairs of target -1 cost nothing.
    """
    check_reduction("cosine_embedding_loss", reduction)
    first, second = (x / normalization.root_mean_square(x, axis=-1, divisor=1.0, eps=1e-12) for x in (input1, input2))
    cosine = f.sum(first * second, -1)
    negative = f.where(target == -1, f.clamp_min(cosine - margin, 0), 0.0)
    return reduce(f.where(target == 1, 1.0 - cosine, negative), None, reduction)


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
    """:func:`triplet_margin_with_distance_loss` by the p-norm. Balntas et al. (2016).

    Args:
        anchor, positive, negative: (N, D) or (D,).
        margin: by how much the positive must be nearer to the anchor than the negative, above 0.
        p: the norm's order.
        eps: added to each difference.
        swap: whether the nearer of anchor and positive to the negative counts.
    """

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
    """max(0, ``margin`` + d(anchor, positive) - d(anchor, negative)), averaged.

    Args:
        anchor, positive, negative: (N, D) or (D,).
        distance_function: d, of two tensors; :func:`pairwise_distance` if None.
        margin: by how much the positive must be nearer, above 0.
        swap: whether the nearer of anchor and positive to the negative counts.

    Raises ``ValueError`` if ``margin`` is not above 0.
    """
    check_reduction("triplet_margin_loss", reduction)
    if margin <= 0:
        raise ValueError(f"triplet_margin_loss: margin must be above 0, not {margin}")
    distance = pairwise_distance if distance_function is None else distance_function
    to_negative = distance(anchor, negative)
    if swap:
        to_negative = f.minimum(to_negative, distance(positive, negative))
    return reduce(f.clamp_min(margin + distance(anchor, positive) - to_negative, 0), None, reduction)


# --- margins between classes -------------------------------------------------------------------------------------------------


@reads_numbers
@wide_inside
def multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """weight[y] sum_i max(0, ``margin`` - x[y] + x[i])^``p`` / C over the classes i other than the target y; averaged.

    Args:
        input: scores x, (N, C) or (C,).
        target: class indices, (N,) or ().
        p: the exponent, 1 or 2.
        margin: the margin.
        weight: a weight for each class, (C,); all 1 if None.

    Raises ``IndexError`` on an index that is not a class, ``ValueError`` on shapes that do not match and on another ``p``.
    """
    check_reduction("multi_margin_loss", reduction)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, not {p}")
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
    return reduce(f.reshape(f.sum(f.where(others, losses, 0.0), 1) / classes, target.shape), None, reduction)


@wide_inside
def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """sum of max(0, 1 - x[y] + x[i]) / C over the targets y and the classes i that are not targets; averaged.

    Args:
        input: scores x, (N, C) or (C,).
        target: of the input's shape; a row's targets are its class indices before the first -1.

    Raises ``IndexError`` on an index that is not a class, ``ValueError`` if the shapes differ.
    """
    check_reduction("multilabel_margin_loss", reduction)
    if input.shape != target.shape or input.ndim not in (1, 2):
        raise ValueError(
            f"multilabel_margin_loss: the input has shape {input.shape} and the target {target.shape}; both must be (N, C) or (C,)"
        )
    classes = input.shape[-1]
    check_range("multilabel_margin_loss", f.where(target == -1, 0, target), classes)
    rows, targets = f.reshape(input, -1, classes), f.reshape(target, -1, classes)
    listed = f.unsqueeze(f.cumsum(targets < 0, 1) == 0, 2)
    targets = f.clamp_min(targets, 0)
    others = ~f.any(listed & (f.unsqueeze(targets, 2) == arange(classes, device=input.backend)), 1, keepdim=True)
    margins = 1.0 - f.unsqueeze(f.take_along_dim(rows, targets, 1), 2) + f.unsqueeze(rows, 1)
    losses = f.sum(f.where(listed & others, f.clamp_min(margins, 0), 0.0), (1, 2)) / classes
    return reduce(f.reshape(losses, input.shape[:-1]), None, reduction)
