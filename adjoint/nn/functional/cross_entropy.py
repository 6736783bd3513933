"""Cross entropies of classes as functions: of logits, log-probabilities and probabilities, of one class and of several.

``reduction`` is ``"mean"``, ``"sum"``, or ``"none"`` for the losses of all elements.
"""

from __future__ import annotations

from typing import Any

from ...autograd import Tensor, functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.functions.indexing import ends
from ...autograd.precision import wide_inside
from ...autograd.rules import activations, indexing, losses as rules, reductions
from ...errors import BackendError
from .loss import check_elementwise, check_reduction, reduce

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "multilabel_soft_margin_loss", "nll_loss",
]  # fmt: skip


@reads_numbers
@wide_inside
def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-weight[target] input[target], averaged by weight.

    Args:
        input: log-probabilities, (C,), (N, C) or (N, C, d1, …).
        target: class indices, integers of shape (), (N,) or (N, d1, …).
        weight: a weight for each class, (C,); all 1 if None.
        ignore_index: targets of this class index count neither in the sum nor in the mean.

    Returns and raises as :func:`cross_entropy` does.
    """
    rows, index, _, scale, all_ignored = _rows("nll_loss", input, target, weight, ignore_index, reduction)
    return _reduce_rows(_weighted(indexing.getitem(rows, index=index), scale), target, reduction, all_ignored)


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
        input: logits, (C,), (N, C) or (N, C, d1, …).
        target: class indices, integers of shape (), (N,) or (N, d1, …); or probabilities of the input's shape and dtype.
        weight: a weight for each class, (C,); all 1 if None.
        ignore_index: targets of this class index count neither in the sum nor in the mean.
        label_smoothing: the part of the target that is spread evenly over all classes. Szegedy et al. (2016).

    Returns a 0-d tensor, or the indices' shape for ``"none"``.

    Raises:
        IndexError: a class index is neither from 0 to C - 1 nor ``ignore_index``.
        ValueError: shapes do not match, or ``label_smoothing`` is not within [0, 1].
        TypeError: the logits are integers, or the indices booleans.

    >>> import adjoint as ad
    >>> cross_entropy(ad.tensor([[0.0, 0.0], [0.0, 100.0]]), ad.tensor([0, 1]))
    tensor(0.3466)
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing must be from 0 to 1, not {label_smoothing}")
    if target.dtype.kind == "float":
        return _of_probabilities(input, target, weight, reduction, label_smoothing)
    rows, index, each, scale, all_ignored = _rows("cross_entropy", input, target, weight, ignore_index, reduction)
    if label_smoothing == 0.0:
        losses = rules.cross_entropy.call(rows, scale, index=index, total=reduction != "none")
        return _reduce_rows(losses, target, reduction, all_ignored)
    rows = activations.log_softmax(rows, axis=1)
    uniform = _weighted(reductions.sum(rows if weight is None else rows * weight, axis=1), each)
    own = _weighted(indexing.getitem(rows, index=index), scale)
    return _reduce_rows((1.0 - label_smoothing) * own + label_smoothing / rows.shape[1] * uniform, target, reduction, all_ignored)


def _class_axis(name: str, input: Tensor, weight: Tensor | None, reduction: str) -> int:
    """The axis of the classes in the input."""
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


def _rows(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Any, Any, Any, Any]:
    """The input as rows (N, C), and for each row: the index of its target, its factor without and with the class's weight.

    Last, whether every row is ignored, so that a mean has no elements: a 0-d tensor, or False.
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
        counts = own != ignore_index
        own, each = xp.where(counts, own, 0), Tensor(xp.astype(counts, input._array.dtype), backend)
    scale = each if weight is None else f.getitem(weight.detach().to(input.dtype), Tensor(own, backend)) * each
    all_ignored: Any = False
    if reduction == "mean":
        factor: Any = 1.0 / target.numel() if target.numel() else float("nan")
        if isinstance(scale, Tensor):
            total = f.sum(scale)
            factor = 1.0 / f.where(total == 0, float("nan"), total)
            if isinstance(each, Tensor):
                all_ignored = f.sum(each) == 0
                factor = f.where(all_ignored, 0.0, factor)
        each, scale = each * factor, scale * factor
    return rows, (xp.arange(rows.shape[0]), own), each, scale, all_ignored


def _check_classes(name: str, target: Tensor, classes: int, ignore_index: int) -> bool:
    """Raise ``IndexError`` on a target that is neither a class nor ignored. Returns whether some targets may be ignored."""
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
    """-scale log p, and 0 where the scale is 0, even for p = 0."""
    if isinstance(scale, Tensor):
        log_probabilities = f.where(scale == 0, 0.0, log_probabilities)
    return -scale * log_probabilities


def _reduce_rows(losses: Tensor, target: Tensor, reduction: str, all_ignored: Any) -> Tensor:
    """The rows' losses in the target's shape, or their sum. The mean of no elements is NaN, as in PyTorch, and its gradient 0."""
    if reduction == "none":
        return losses if losses.shape == target.shape else f.reshape(losses, target.shape)
    total = losses if not losses.ndim else reductions.sum(losses)
    if isinstance(all_ignored, Tensor):
        total = total + f.where(all_ignored, float("nan"), 0.0)
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
    return reduce(-reductions.sum(target * activations.log_softmax(input, axis=axis), axis=axis), None, reduction)


# --- classes that do not exclude each other ----------------------------------------------------------------------------------


@wide_inside
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """weight (-target log(input) - (1 - target) log(1 - input)), averaged; logarithms are at least -100, as in PyTorch.

    Args:
        input: probabilities.
        target: probabilities of the input's shape.
        weight: broadcasts to the input's shape; all 1 if None.

    Raises ``ValueError`` if the shapes differ or an input is not within [0, 1], ``TypeError`` on integers.
    """
    check_elementwise("binary_cross_entropy", input, target, reduction)
    backend, x = input.backend, input._array
    if input.numel() and not backend.truth(backend.xp.all(backend.xp.logical_and(x >= 0, x <= 1))):
        low, high = ends(input.detach())
        raise ValueError(
            f"binary_cross_entropy: probabilities must be from 0 to 1, and the input is from {low} to {high}; apply sigmoid, or "
            "use binary_cross_entropy_with_logits"
        )
    return reduce(rules.binary_cross_entropy(input, target), weight, reduction)


@wide_inside
def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
) -> Tensor:
    """:func:`binary_cross_entropy` of sigmoid(input), without overflow.

    Args:
        input: logits.
        target: probabilities of the input's shape.
        weight: broadcasts to the input's shape; all 1 if None.
        pos_weight: broadcasts to the input's shape, and multiplies the term -target log(input); all 1 if None.

    Raises ``ValueError`` if the shapes differ, ``TypeError`` on integers.
    """
    check_elementwise("binary_cross_entropy_with_logits", input, target, reduction)
    positive = 1.0 if pos_weight is None else pos_weight
    return reduce(rules.binary_cross_entropy_with_logits(input, target, positive), weight, reduction)


@wide_inside
def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """:func:`binary_cross_entropy_with_logits` of each class, averaged over the classes, then over the samples.

    Args:
        input: logits, (N, C) or (C,).
        target: 0 or 1, floating-point, of the input's shape.
        weight: a weight for each class, (C,); all 1 if None.

    Raises ``ValueError`` if the shapes differ, ``TypeError`` on integers.
    """
    check_elementwise("multilabel_soft_margin_loss", input, target, reduction)
    return reduce(f.mean(binary_cross_entropy_with_logits(input, target, weight, reduction="none"), -1), None, reduction)
