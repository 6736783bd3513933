"""Losses by Keras' names: functions of a model's output and the target, (N, ...) both, that return the loss of each sample, (N,).

Cross entropies with Keras' names take probabilities, of a model that ends with a softmax or a sigmoid; those with PyTorch's names
take logits. Where a function says nothing else, output and target have the same shape, and a sample's terms are averaged.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

from .. import nn
from ..autograd import Tensor
from ..autograd.functions import log, log1p
from ..backends.dtypes import float64
from ..nn import functional as F

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]

EPSILON = 1e-7  #: probabilities are clipped to [EPSILON, 1 - EPSILON], as in Keras


def average(values: Tensor) -> Tensor:
    """The mean over all axes but the first: (N, ...) to (N,)."""
    return values if values.ndim < 2 else values.flatten(1).mean(dim=1)


def without_column(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both without a last axis of length 1 that only one of them has, which would make (N, 1) and (N,) broadcast to (N, N)."""
    if tuple(output.shape) == (*target.shape, 1):
        return output.squeeze(-1), target
    if tuple(target.shape) == (*output.shape, 1):
        return output, target.squeeze(-1)
    return output, target


def matched(output: Tensor, target: Tensor) -> Tensor:
    """The target in the output's shape, up to a last axis of length 1, and dtype. Raises ``ValueError`` on other shapes."""
    if output.ndim == target.ndim + 1 and output.shape[-1] == 1:
        target = target.unsqueeze(-1)
    if output.ndim + 1 == target.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if output.shape != target.shape:
        raise ValueError(f"the model's output has the shape {tuple(output.shape)} and the target {tuple(target.shape)}")
    return target.to(output.dtype)


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """(output - target)^2."""
    return average((output - matched(output, target)).square())


def mean_absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """|output - target|."""
    return average((output - matched(output, target)).abs())


def mean_absolute_percentage_error(output: Tensor, target: Tensor) -> Tensor:
    """100 |output - target| / max(|target|, 1e-7)."""
    target = matched(output, target)
    return 100.0 * average((output - target).abs() / target.abs().clamp(min=EPSILON))


def mean_squared_logarithmic_error(output: Tensor, target: Tensor) -> Tensor:
    """(log(1 + output) - log(1 + target))^2; negative values count as 0."""
    ours, theirs = (log1p(x.clamp(min=0.0)) for x in (output, matched(output, target)))
    return average((ours - theirs).square())


def huber(output: Tensor, target: Tensor) -> Tensor:
    """e^2 / 2 for |e| <= 1, else |e| - 1/2, where e = output - target. Huber (1964)."""
    return average(F.huber_loss(output, matched(output, target), reduction="none"))


def log_cosh(output: Tensor, target: Tensor) -> Tensor:
    """log cosh(output - target)."""
    error = output - matched(output, target)
    return average(error + F.softplus(-2.0 * error) - 0.6931471805599453)


def _normalized(output: Tensor) -> Tensor:
    return (output / output.sum(dim=-1, keepdim=True)).clamp(EPSILON, 1.0 - EPSILON)


def categorical_crossentropy(output: Tensor, target: Tensor) -> Tensor:
    """-sum_c target_c log p_c for one-hot targets (N, C), where p = output / sum_c output_c."""
    target = matched(output, target)
    return average(-(target * log(_normalized(output))).sum(dim=-1))


def sparse_categorical_crossentropy(output: Tensor, target: Tensor) -> Tensor:
    """-log p_target for class numbers (N,) or (N, 1), where p = output / sum_c output_c for outputs (N, C)."""
    target = target.squeeze(-1) if target.ndim == output.ndim else target
    return average(-log(_normalized(output)).gather(-1, target.unsqueeze(-1)).squeeze(-1))


def binary_crossentropy(output: Tensor, target: Tensor) -> Tensor:
    """-target log p - (1 - target) log(1 - p), where p is the output."""
    target, p = matched(output, target), output.clamp(EPSILON, 1.0 - EPSILON)
    return average(-(target * log(p) + (1.0 - target) * log(1.0 - p)))


def kl_divergence(output: Tensor, target: Tensor) -> Tensor:
    """sum_c target_c log(target_c / output_c), both clipped to [1e-7, 1]. Kullback and Leibler (1951)."""
    target, output = (x.clamp(EPSILON, 1.0) for x in (matched(output, target), output))
    return average((target * log(target / output)).sum(dim=-1))


def poisson(output: Tensor, target: Tensor) -> Tensor:
    """output - target log output: the negative log-likelihood of counts, without its constant."""
    return average(output - matched(output, target) * log(output + EPSILON))


def _margins(output: Tensor, target: Tensor) -> Tensor:
    target = matched(output, target)
    return (1.0 - (target - (target == 0).to(output.dtype)) * output).clamp(min=0.0)


def hinge(output: Tensor, target: Tensor) -> Tensor:
    """max(1 - target output, 0) for targets of -1 and 1; 0 counts as -1."""
    return average(_margins(output, target))


def squared_hinge(output: Tensor, target: Tensor) -> Tensor:
    """max(1 - target output, 0)^2 for targets of -1 and 1; 0 counts as -1."""
    return average(_margins(output, target).square())


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """-log softmax(output)_target for logits (N, C) and class numbers (N,) or (N, 1), or probabilities (N, C), as in PyTorch."""
    target = target.squeeze(-1) if target.ndim == output.ndim > 1 and target.shape[-1] == 1 < output.shape[-1] else target
    return average(F.cross_entropy(output, target, reduction="none"))


def binary_cross_entropy_with_logits(output: Tensor, target: Tensor) -> Tensor:
    """-target log p - (1 - target) log(1 - p), where p = sigmoid(output), as in PyTorch."""
    return average(F.binary_cross_entropy_with_logits(output, matched(output, target), reduction="none"))


#: The losses by name.
LOSSES: dict[str, Loss] = {
    **{
        loss.__name__: loss
        for loss in (
            mean_squared_error, mean_absolute_error, mean_absolute_percentage_error, mean_squared_logarithmic_error, huber,
            log_cosh, categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy, kl_divergence, poisson,
            hinge, squared_hinge, cross_entropy, binary_cross_entropy_with_logits,
        )
    },
    "mse": mean_squared_error, "mae": mean_absolute_error, "mape": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
}  # fmt: skip


def per_sample(loss: Any) -> Loss:
    """The loss as a function that returns a value per sample, (N,). Raises ``ValueError``, here or when called, if it has none."""
    if loss in LOSSES.values():
        return loss
    if getattr(loss, "reduction", None) is None:
        return lambda output, target: _checked_values(loss, output, target)
    if loss.reduction not in ("mean", "none") or getattr(loss, "weight", None) is not None:
        what = f"reduction={loss.reduction!r}" if loss.reduction == "sum" else "weights of its own"
        raise ValueError(f"fit: weights of samples do not go with a loss that has {what}; remove one of them")
    single = copy.copy(loss)
    single.reduction = "none"
    return lambda output, target: average(single(output, target))


def _checked_values(loss: Any, output: Tensor, target: Tensor) -> Tensor:
    values = loss(output, target)
    if not values.ndim:
        raise ValueError(
            f"fit: weights of samples need the loss of each sample, and {loss!r} returns one number for a batch; give a loss by "
            "name, a module with reduction, or a function that returns a number for each sample"
        )
    return average(values)


# --- what is known of a loss -----------------------------------------------------------------------------------------------------


def takes_class_numbers(loss: Any, target: Tensor) -> bool:
    """Whether the loss takes a class number per sample, rather than a target per output."""
    if loss is sparse_categorical_crossentropy or isinstance(loss, nn.NLLLoss):
        return True
    if loss is cross_entropy:
        return target.ndim < 2 or target.shape[-1] == 1
    return (isinstance(loss, nn.CrossEntropyLoss) or loss is F.cross_entropy) and target.ndim < 2


def is_binary(loss: Any) -> bool:
    """Whether each output is the probability or the logit of a binary label of its own."""
    binary = (binary_crossentropy, binary_cross_entropy_with_logits, F.binary_cross_entropy, F.binary_cross_entropy_with_logits)
    return loss in binary or isinstance(loss, (nn.BCELoss, nn.BCEWithLogitsLoss))


def takes_logits(loss: Any) -> bool:
    """Whether the loss takes logits rather than probabilities; log p counts as logits, as softmax(log p) = p."""
    logits = (cross_entropy, binary_cross_entropy_with_logits, F.cross_entropy, F.binary_cross_entropy_with_logits, F.nll_loss)
    return loss in logits or isinstance(loss, (nn.CrossEntropyLoss, nn.BCEWithLogitsLoss, nn.NLLLoss))


def decides_at(loss: Any) -> float:
    """The threshold of a single output for the second of two classes: 0 for logits and hinges, 1/2 for probabilities."""
    return 0.0 if takes_logits(loss) or loss in (hinge, squared_hinge) else 0.5


def ignored_by(loss: Any) -> int | None:
    """The class number of samples that the loss ignores; None where it ignores none."""
    if loss in (cross_entropy, F.cross_entropy, F.nll_loss):
        return -100
    return getattr(loss, "ignore_index", None)


def expected_targets(loss: Any, target: Tensor) -> str:
    """What the loss expects, where the targets are something else, as the end of a message; "" where they fit, or are classes."""
    if is_binary(loss) and not bool(((target >= 0) & (target <= 1)).all().item()):
        return "a binary loss takes 0 and 1, or probabilities"
    if loss in (hinge, squared_hinge) and not bool(((target == -1) | (target == 0) | (target == 1)).all().item()):
        return "a hinge takes -1 and 1, or 0 and 1"
    if loss is categorical_crossentropy and not is_one_hot(target):
        return "the loss takes one-hot rows, or probabilities, which add up to 1"
    return ""


def is_one_hot(target: Tensor) -> bool:
    """Whether rows have no negative value and sums of at most 1: one-hot, probabilities, or zeros, which cost nothing."""
    return bool(((target >= 0).all() & (target.to(float64).sum(dim=-1) < 1.02).all()).item())
