"""Losses by Keras' names: functions of a model's output and the target that give a number for each sample.

Classes come as probabilities, of a model that ends with a softmax or a sigmoid, as in Keras; those whose name is PyTorch's take
logits.
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

SMALLEST = 1e-7  #: probabilities are taken for at least that, and for at most 1 less that, as in Keras


def each(values: Tensor) -> Tensor:
    """The mean of all that belongs to a sample: (N, …) to (N,)."""
    return values if values.ndim < 2 else values.flatten(1).mean(dim=1)


def without_column(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both without a last axis of length 1 that only one of them has: else a function would pair each with each."""
    if tuple(output.shape) == (*target.shape, 1):
        return output.squeeze(-1), target
    if tuple(target.shape) == (*output.shape, 1):
        return output, target.squeeze(-1)
    return output, target


def alike(output: Tensor, target: Tensor) -> Tensor:
    """The target in the output's form and dtype; ``ValueError`` where its shape is another one."""
    if output.ndim == target.ndim + 1 and output.shape[-1] == 1:
        target = target.unsqueeze(-1)
    if output.ndim + 1 == target.ndim and target.shape[-1] == 1:
        target = target.squeeze(-1)
    if output.shape != target.shape:
        raise ValueError(f"the model's output has the shape {tuple(output.shape)} and the target {tuple(target.shape)}")
    return target.to(output.dtype)


def mean_squared_error(output: Tensor, target: Tensor) -> Tensor:
    """(output - target)^2, the mean of a sample's."""
    return each((output - alike(output, target)).square())


def mean_absolute_error(output: Tensor, target: Tensor) -> Tensor:
    """|output - target|, the mean of a sample's."""
    return each((output - alike(output, target)).abs())


def mean_absolute_percentage_error(output: Tensor, target: Tensor) -> Tensor:
    """100 |output - target| / |target|, the mean of a sample's; targets nearer to 0 than 1e-7 are taken for that."""
    target = alike(output, target)
    return 100.0 * each((output - target).abs() / target.abs().clamp(min=SMALLEST))


def mean_squared_logarithmic_error(output: Tensor, target: Tensor) -> Tensor:
    """(log(1 + output) - log(1 + target))^2, negative ones taken for 0; the mean of a sample's."""
    ours, theirs = (log1p(x.clamp(min=0.0)) for x in (output, alike(output, target)))
    return each((ours - theirs).square())


def huber(output: Tensor, target: Tensor) -> Tensor:
    """e^2 / 2 where the error e is at most 1, and |e| - 1/2 beyond; the mean of a sample's. Huber (1964)."""
    return each(F.huber_loss(output, alike(output, target), reduction="none"))


def log_cosh(output: Tensor, target: Tensor) -> Tensor:
    """log cosh(output - target), the mean of a sample's."""
    error = output - alike(output, target)
    return each(error + F.softplus(-2.0 * error) - 0.6931471805599453)


def categorical_crossentropy(output: Tensor, target: Tensor) -> Tensor:
    """-sum of target log p for one-hot targets: p is the output over its sum, (N, C)."""
    target = alike(output, target)
    p = (output / output.sum(dim=-1, keepdim=True)).clamp(SMALLEST, 1.0 - SMALLEST)
    return each(-(target * log(p)).sum(dim=-1))


def sparse_categorical_crossentropy(output: Tensor, target: Tensor) -> Tensor:
    """-log p of the target's class, for class numbers: (N, C) and (N,) to (N,)."""
    target = target.squeeze(-1) if target.ndim == output.ndim else target
    p = (output / output.sum(dim=-1, keepdim=True)).clamp(SMALLEST, 1.0 - SMALLEST)
    return each(-log(p).gather(-1, target.unsqueeze(-1)).squeeze(-1))


def binary_crossentropy(output: Tensor, target: Tensor) -> Tensor:
    """-target log p - (1 - target) log(1 - p), the mean of a sample's."""
    target, p = alike(output, target), output.clamp(SMALLEST, 1.0 - SMALLEST)
    return each(-(target * log(p) + (1.0 - target) * log(1.0 - p)))


def kl_divergence(output: Tensor, target: Tensor) -> Tensor:
    """sum of target log(target / output), both at least 1e-7. Kullback and Leibler (1951)."""
    target, output = (x.clamp(SMALLEST, 1.0) for x in (alike(output, target), output))
    return each((target * log(target / output)).sum(dim=-1))


def poisson(output: Tensor, target: Tensor) -> Tensor:
    """output - target log output, the mean of a sample's: the likelihood of counts but for a constant."""
    return each(output - alike(output, target) * log(output + SMALLEST))


def hinge(output: Tensor, target: Tensor) -> Tensor:
    """max(1 - target output, 0) for targets of -1 and 1 (0 counts as -1), the mean of a sample's."""
    target = alike(output, target)
    return each((1.0 - (target + (target == 0).to(output.dtype) * -1.0) * output).clamp(min=0.0))


def squared_hinge(output: Tensor, target: Tensor) -> Tensor:
    """The square of :func:`hinge`'s terms, the mean of a sample's."""
    target = alike(output, target)
    return each((1.0 - (target + (target == 0).to(output.dtype) * -1.0) * output).clamp(min=0.0).square())


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """PyTorch's: of logits (N, C) and class numbers, (N,) or (N, 1), or probabilities."""
    target = target.squeeze(-1) if target.ndim == output.ndim > 1 and target.shape[-1] == 1 < output.shape[-1] else target
    return each(F.cross_entropy(output, target, reduction="none"))


def binary_cross_entropy_with_logits(output: Tensor, target: Tensor) -> Tensor:
    """PyTorch's: of logits, the mean of a sample's."""
    return each(F.binary_cross_entropy_with_logits(output, alike(output, target), reduction="none"))


LOSSES: dict[str, Loss] = {
    "mse": mean_squared_error,
    "mean_squared_error": mean_squared_error,
    "mae": mean_absolute_error,
    "mean_absolute_error": mean_absolute_error,
    "mape": mean_absolute_percentage_error,
    "mean_absolute_percentage_error": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
    "mean_squared_logarithmic_error": mean_squared_logarithmic_error,
    "huber": huber,
    "log_cosh": log_cosh,
    "categorical_crossentropy": categorical_crossentropy,
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
    "kl_divergence": kl_divergence,
    "poisson": poisson,
    "hinge": hinge,
    "squared_hinge": squared_hinge,
    "cross_entropy": cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
}


def per_sample(loss: Any) -> Loss:
    """The loss of each sample, (N,), where ``loss`` can be had so; ``ValueError``, here or when called, where it can not."""
    if loss in LOSSES.values():
        return loss
    if getattr(loss, "reduction", None) is None:
        return lambda output, target: given_for_each(loss, output, target)
    if loss.reduction not in ("mean", "none") or getattr(loss, "weight", None) is not None:
        what = f"reduction={loss.reduction!r}" if loss.reduction == "sum" else "weights of its own"
        raise ValueError(f"fit: weights of samples do not go with a loss that has {what}; give the loss without, or no weights")
    single = copy.copy(loss)
    single.reduction = "none"
    return lambda output, target: each(single(output, target))


def given_for_each(loss: Any, output: Tensor, target: Tensor) -> Tensor:
    """What a function gives for each sample; ``ValueError`` where that is one number for all."""
    values = loss(output, target)
    if not values.ndim:
        raise ValueError(
            f"fit: weights of samples need the loss of each sample, and {loss!r} gives one number for a batch; give a loss by "
            "name, a module with reduction, or a function that gives a number for each sample"
        )
    return each(values)


def takes_class_numbers(loss: Any, target: Tensor) -> bool:
    """Whether the loss takes a class number a sample, rather than one target an output."""
    if loss is sparse_categorical_crossentropy or isinstance(loss, nn.NLLLoss):
        return True
    if loss is cross_entropy:
        return target.ndim < 2 or target.shape[-1] == 1
    return (isinstance(loss, nn.CrossEntropyLoss) or loss is F.cross_entropy) and target.ndim < 2


def is_binary(loss: Any) -> bool:
    """Whether each output is the probability, or the logit, of a yes or no of its own."""
    known = (binary_crossentropy, binary_cross_entropy_with_logits, F.binary_cross_entropy, F.binary_cross_entropy_with_logits)
    return loss in known or isinstance(loss, (nn.BCELoss, nn.BCEWithLogitsLoss))


def wrong_targets(loss: Any, target: Tensor) -> str:
    """What the loss takes, where the targets are something else; class numbers apart."""
    if is_binary(loss) and not bool(((target >= 0) & (target <= 1)).all().item()):
        return "a binary loss takes 0 and 1, or probabilities"
    if loss in (hinge, squared_hinge) and not bool(((target == -1) | (target == 0) | (target == 1)).all().item()):
        return "a hinge takes -1 and 1, or 0 and 1"
    if loss is categorical_crossentropy and not is_one_hot(target):
        return "the loss takes one-hot rows, or probabilities, which add up to 1"
    return ""


def is_one_hot(target: Tensor) -> bool:
    """Whether no row has something below 0, or adds up to more than 1: one-hot, probabilities, or zeros, which cost nothing."""
    return bool(((target >= 0).all() & (target.to(float64).sum(dim=-1) < 1.02).all()).item())


def ignored_by(loss: Any) -> int | None:
    """The class number of samples that the loss leaves out; None where it leaves out none."""
    if loss in (cross_entropy, F.cross_entropy, F.nll_loss):
        return -100
    return getattr(loss, "ignore_index", None)


def takes_logits(loss: Any) -> bool:
    """Whether the loss takes logits, rather than probabilities; log p counts as such, as softmax(log p) = p."""
    known = (cross_entropy, binary_cross_entropy_with_logits, F.cross_entropy, F.binary_cross_entropy_with_logits, F.nll_loss)
    return loss in known or isinstance(loss, (nn.CrossEntropyLoss, nn.BCEWithLogitsLoss, nn.NLLLoss))


def decides_at(loss: Any) -> float:
    """Above which single output the answer is the second of two classes: 0 for logits and hinges, 1/2 for probabilities."""
    return 0.0 if takes_logits(loss) or loss in (hinge, squared_hinge) else 0.5
