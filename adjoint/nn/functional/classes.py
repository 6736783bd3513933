"""Losses over classes, as functions."""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.functions.indexing import ends
from ...autograd.precision import wide_inside
from ...autograd.rules import activations, indexing, reductions
from ...autograd.rules import losses as rules
from ...errors import BackendError
from .losses import check_reduction, reduced


@reads_numbers
@wide_inside
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-weight[target] input[target] of log-probabilities, averaged by weight.

    Shapes and errors are those of :func:`cross_entropy` with class indices.
    """
    rows, index, _, scale, none = _by_rows("nll_loss", input, target, weight, ignore_index, reduction)
    return _shaped(_weighted(indexing.getitem(rows, index=index), scale), target, reduction, none)


@reads_numbers
@wide_inside
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy of logits: -log softmax(input)[target], averaged by weight.

    Args:
        input: logits of shape (C,), (N, C) or (N, C, d1, …).
        target: class indices, integers of shape (), (N,) or (N, d1, …); or probabilities in the shape and kind of the input.
        weight: a weight for each class, of shape (C,).
        ignore_index: targets of this class index count nothing, nor in the average.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        label_smoothing: this much of the target is spread evenly over all classes. Szegedy et al. (2016).

    Raises:
        IndexError: a class index is not from 0 to C - 1, nor ``ignore_index``.
        ValueError: shapes do not fit, or ``label_smoothing`` is not within [0, 1].
        TypeError: logits of integers, or indices of booleans.

    >>> import adjoint as ad
    >>> cross_entropy(ad.tensor([[0.0, 0.0], [0.0, 100.0]]), ad.tensor([0, 1]))
    tensor(0.3466)
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is from 0 to 1, not {label_smoothing}")
    if target.dtype.kind == "float":
        return _of_probabilities(input, target, weight, reduction, label_smoothing)
    rows, index, each, scale, none = _by_rows("cross_entropy", input, target, weight, ignore_index, reduction)
    if label_smoothing == 0.0:
        losses = rules.cross_entropy.call(rows, scale, index=index, total=reduction != "none")
        return _shaped(losses, target, reduction, none)
    rows = activations.log_softmax(rows, axis=1)
    everywhere = _weighted(reductions.sum(rows if weight is None else rows * weight, axis=1), each)
    own = _weighted(indexing.getitem(rows, index=index), scale)
    return _shaped((1.0 - label_smoothing) * own + label_smoothing / rows.shape[1] * everywhere, target, reduction, none)


def _class_axis(name: str, input: Tensor, weight: Tensor | None, reduction: str) -> int:
    """Which axis of the input has the classes."""
    check_reduction(name, reduction)
    if input.dtype.kind != "float":
        raise TypeError(f"{name}: the input is {input.dtype}; it must be floating-point, convert it with .float()")
    if not input.ndim:
        raise ValueError(f"{name}: the input is 0-d; it must have shape (C,), (N, C) or (N, C, d1, …)")
    axis = min(1, input.ndim - 1)
    classes = input.shape[axis]
    if weight is not None and weight.shape != (classes,):
        raise ValueError(f"{name}: the weight has shape {weight.shape}; it must have one element for each of the {classes} classes")
    return axis


def _by_rows(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Any, Any, Any, Any]:
    """The input as rows of classes, what picks each row's own, each row's part in the result, before and after weighting, and
    whether a mean is of nothing, every row being ignored (a 0-d tensor, or False).
    """
    axis = _class_axis(name, input, weight, reduction)
    classes, backend = input.shape[axis], input.backend
    if target.dtype.kind not in ("int", "uint"):
        raise TypeError(f"{name}: the target is {target.dtype}; class indices are integers, convert it with .long()")
    if target.shape != input.shape[:axis] + input.shape[axis + 1 :]:
        raise ValueError(
            f"{name}: the input has shape {input.shape} and the target of class indices {target.shape}; it must be "
            f"{input.shape[:axis] + input.shape[axis + 1 :]}, the input's without the classes' axis {axis}"
        )
    if target.backend is not backend:
        raise BackendError(
            f"{name}: the input is on '{input.device}' and the target on '{target.device}'; move one with .to(device)"
        )
    rows = input if input.ndim == 2 else f.reshape(f.movedim(input, axis, -1), -1, classes)
    xp, own = backend.xp, backend.xp.reshape(target._array, (-1,))
    each: Any = 1.0
    if _check_classes(name, target, classes, ignore_index):
        kept = own != ignore_index
        own, each = xp.where(kept, own, 0), Tensor(xp.astype(kept, input._array.dtype), backend)
    scale = each if weight is None else f.getitem(weight.detach().to(input.dtype), Tensor(own, backend)) * each
    none: Any = False
    if reduction == "mean":
        factor: Any = 1.0 / target.numel() if target.numel() else float("nan")
        if isinstance(scale, Tensor):
            total = f.sum(scale)
            factor = 1.0 / f.where(total == 0, float("nan"), total)
            if isinstance(each, Tensor):
                none = f.sum(each) == 0
                factor = f.where(none, 0.0, factor)
        each, scale = each * factor, scale * factor
    return rows, (xp.arange(rows.shape[0]), own), each, scale, none


def _check_classes(name: str, target: Tensor, classes: int, ignore_index: int) -> bool:
    """Raise ``IndexError`` on a target that is neither a class nor ignored. Returns whether some may be ignored."""
    backend, array = target.backend, target._array
    xp, a_class = backend.xp, 0 <= ignore_index < classes
    if not target.numel():
        return False
    if backend.truth(xp.are_indices(array, classes)):
        return a_class
    if not a_class:
        array = xp.where(array == ignore_index, 0, array)
        if backend.truth(xp.are_indices(array, classes)):
            return True
    low, high = ends(Tensor(array, backend))
    raise IndexError(
        f"{name}: a target is class {low if low < 0 else high}, and the input has {classes} classes, 0 to {classes - 1} "
        f"(ignore_index is {ignore_index})"
    )


def _weighted(log_probabilities: Tensor, scale: Any) -> Tensor:
    """-scale log p; 0 where the scale is, infinite or not."""
    if isinstance(scale, Tensor):
        log_probabilities = f.where(scale == 0, 0.0, log_probabilities)
    return -scale * log_probabilities


def _shaped(losses: Tensor, target: Tensor, reduction: str, none: Any) -> Tensor:
    """The rows' losses in the target's shape, or their sum. The mean of none is NaN, as in PyTorch, and its gradient 0."""
    if reduction == "none":
        return losses if losses.shape == target.shape else f.reshape(losses, target.shape)
    total = losses if not losses.ndim else reductions.sum(losses)
    if isinstance(none, Tensor):
        total = total + f.where(none, float("nan"), 0.0)
    return total + float("nan") if reduction == "mean" and not target.numel() else total


def _of_probabilities(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float) -> Tensor:
    axis = _class_axis("cross_entropy", input, weight, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"cross_entropy: the input has shape {input.shape} and the floating-point target {target.shape}; a target of "
            "probabilities has the input's shape, and one of class indices is of integers, convert it with .long()"
        )
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        target = target * f.reshape(weight, (classes,) + (1,) * (input.ndim - 1 - axis))
    return reduced(-reductions.sum(target * activations.log_softmax(input, axis=axis), axis=axis), None, reduction)
