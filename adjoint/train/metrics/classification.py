"""Metrics of classifications: accuracies, precision and recall, the confusion matrix, AUC and log loss."""

from __future__ import annotations

import math
from collections.abc import Callable

from ...autograd import Tensor
from ...autograd.creation import arange
from ...autograd.functions import bincount, concat, cumsum, sigmoid, softmax, stack, unique
from ...backends.dtypes import float64
from .. import losses
from .base import Mean, Metric, arrange, quotient, weights_or_ones

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "CategoricalAccuracy", "ClassRatio", "ConfusionMatrix", "F1Score", "LogLoss", "Precision",
    "Recall", "SparseCategoricalAccuracy", "TopKCategoricalAccuracy",
]  # fmt: skip


def true_classes(scores: Tensor, target: Tensor) -> Tensor:
    """The true class numbers, (M,); for single outputs whether the target is above 1/2."""
    if scores.ndim == 1:
        return (target.to(float64) > 0.5).long()
    return target.argmax(dim=-1) if target.ndim > 1 else target


def predicted_classes(scores: Tensor, threshold: float, from_logits: bool) -> Tensor:
    """The predicted class numbers, (M,): of the largest score, or for single outputs whether they are above the threshold.

    The threshold is a probability; with ``from_logits`` scores are compared with its logit.
    """
    if scores.ndim > 1:
        return scores.argmax(dim=-1)
    return (scores > (math.log(threshold / (1.0 - threshold)) if from_logits else threshold)).long()


def refuse_multi_hot(metric: Metric, output: Tensor, target: Tensor) -> None:
    """Raise ``ValueError`` where a metric would take the largest of several labels that occur together for the class."""
    several = output.ndim == target.ndim > 1 and output.shape[-1] == target.shape[-1] > 1
    if several and "one-hot" in metric.forms and not losses.is_one_hot(target):
        raise ValueError(
            f"{metric.name}: the targets {tuple(target.shape)} are not one-hot, as rows add up to more than 1; for labels that "
            "occur together use binary_accuracy"
        )


class Accuracy(Mean):
    """The fraction of samples whose predicted class is the true one.

    The predicted class is that of the largest output, or for single outputs whether they are above the threshold.

    Args:
        threshold: a probability.
        from_logits: whether single outputs are logits, to be compared with log(threshold / (1 - threshold)).
    """

    name = "accuracy"

    def __init__(self, threshold: float = 0.5, from_logits: bool = False) -> None:
        self.threshold, self.from_logits = threshold, from_logits
        super().__init__()

    def values(self, scores: Tensor, target: Tensor) -> Tensor:
        """Whether each score predicts its ``target``, bool (M,)."""
        return predicted_classes(scores, self.threshold, self.from_logits) == true_classes(scores, target)


class BinaryAccuracy(Accuracy):
    """The fraction of outputs on the right side of the threshold: single ones, or several for labels that may occur together.

    Its arguments are those of :class:`Accuracy`.
    """

    name, forms = "binary_accuracy", ("alike",)


class CategoricalAccuracy(Accuracy):
    """:class:`Accuracy` for outputs and one-hot targets (N, C)."""

    name, forms = "categorical_accuracy", ("one-hot",)


class SparseCategoricalAccuracy(Accuracy):
    """:class:`Accuracy` for outputs (N, C) and class numbers (N,) or (N, 1)."""

    name, forms = "sparse_categorical_accuracy", ("numbers",)


class TopKCategoricalAccuracy(Mean):
    """The fraction of samples whose class has one of the ``k`` largest of outputs (N, C); of equal ones, the first is larger.

    Raises ``ValueError`` where k < 1.
    """

    name, forms = "top_k_categorical_accuracy", ("one-hot", "numbers")

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"{self.name}: k must be >= 1, not {k!r}")
        self.k = k
        super().__init__()

    def values(self, scores: Tensor, target: Tensor) -> Tensor:
        """Whether the class in ``target`` is among the top k, bool (M,)."""
        classes = scores.shape[-1]
        truth = true_classes(scores, target).unsqueeze(-1)
        own = scores.gather(-1, truth)
        smaller = (scores < own) | ((scores == own) & (arange(classes, device=scores.backend) > truth))  # none where own is NaN
        return smaller.sum(dim=-1) >= classes - self.k


class ClassRatio(Metric):
    """A ratio of true positives, predicted positives and actual positives, which are sums of the samples' weights.

    For single outputs it is that of the positive class. Where the denominator is 0 it is 0 (scikit-learn's ``zero_division=0``).
    Averages leave out classes without predicted and actual positives.

    Args:
        average: for several classes, ``"macro"``: the mean of the classes' ratios; ``"weighted"``: the mean weighted by actual
            positives; ``"micro"``: the ratio of the sums over classes.
        threshold: of single outputs, a probability.
        from_logits: whether single outputs are logits.

    Raises ``ValueError`` on another average.
    """

    _ratio: Callable[..., float]  #: of a class's true, predicted and actual positives

    def __init__(self, average: str = "macro", threshold: float = 0.5, from_logits: bool = False) -> None:
        if average not in ("macro", "micro", "weighted"):
            raise ValueError(f"{self.name}: average is 'macro', 'micro' or 'weighted', not {average!r}")
        self.average, self.threshold, self.from_logits = average, threshold, from_logits
        super().__init__()

    def reset(self) -> None:
        self.counts: Tensor | None = None

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arrange(self, output, target, weight)
        weight = weights_or_ones(weight, scores)
        truth, predicted = true_classes(scores, target), predicted_classes(scores, self.threshold, self.from_logits)
        self.single = scores.ndim == 1
        classes = 2 if self.single else scores.shape[1]
        hits = weight * (truth == predicted).to(float64)
        counts = stack([bincount(numbers, w, classes) for numbers, w in ((truth, hits), (predicted, weight), (truth, weight))])
        self.counts = counts if self.counts is None else self.counts + counts

    def result(self) -> float:
        if self.counts is None:
            return math.nan
        if self.single:
            return self._ratio(*self.counts[:, 1].tolist())
        if self.average == "micro":
            return self._ratio(*self.counts.sum(dim=1).tolist())
        present = [counts for counts in self.counts.T.tolist() if counts[1] or counts[2]]
        weights = [counts[2] if self.average == "weighted" else 1.0 for counts in present]
        return quotient(sum(w * self._ratio(*counts) for w, counts in zip(weights, present, strict=True)), sum(weights))


class Precision(ClassRatio):
    """True positives / predicted positives, averaged as in :class:`ClassRatio`."""

    name, _ratio = "precision", staticmethod(lambda hits, predicted, actual: quotient(hits, predicted))


class Recall(ClassRatio):
    """True positives / actual positives, averaged as in :class:`ClassRatio`."""

    name, _ratio = "recall", staticmethod(lambda hits, predicted, actual: quotient(hits, actual))


class F1Score(ClassRatio):
    """2 true positives / (predicted + actual positives), averaged as in :class:`ClassRatio`. van Rijsbergen (1979)."""

    name, _ratio = "f1_score", staticmethod(lambda hits, predicted, actual: quotient(2.0 * hits, predicted + actual))


class ConfusionMatrix(Metric):
    """The number of samples of class i (row) predicted as class j (column), a list of rows; with weights, their sums.

    It is not a single number, so ``compile`` refuses it: update it with what ``predict`` returns.

    Args:
        classes: their number, 2 for single outputs.
        threshold: of single outputs, a probability.
        from_logits: whether single outputs are logits.

    Raises ``ValueError`` where there are fewer than 2 classes, and in ``update`` where the output has others.

    >>> import adjoint as ad
    >>> matrix = ConfusionMatrix(2)
    >>> matrix.update(ad.tensor([0.9, 0.2, 0.7]), ad.tensor([1, 1, 0]))
    >>> matrix.result()
    [[0.0, 1.0], [1.0, 1.0]]
    """

    name = "confusion_matrix"

    def __init__(self, classes: int, threshold: float = 0.5, from_logits: bool = False) -> None:
        if classes < 2:
            raise ValueError(f"{self.name}: classes must be >= 2, not {classes!r}")
        self.classes, self.threshold, self.from_logits = classes, threshold, from_logits
        super().__init__()

    def reset(self) -> None:
        self.counts: Tensor | None = None

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arrange(self, output, target, weight)
        classes = 2 if scores.ndim == 1 else scores.shape[1]
        if classes != self.classes:
            raise ValueError(f"{self.name}: made for {self.classes} classes, and the output {tuple(output.shape)} has {classes}")
        places = true_classes(scores, target) * classes + predicted_classes(scores, self.threshold, self.from_logits)
        counts = bincount(places, weights_or_ones(weight, scores), classes**2).reshape(classes, classes)
        self.counts = counts if self.counts is None else self.counts + counts

    def result(self) -> list[list[float]]:  # type: ignore[override]
        """The counts of all samples since the reset."""
        return [[0.0] * self.classes] * self.classes if self.counts is None else self.counts.tolist()


class AUC(Metric):
    """The area under the ROC curve: the probability that a positive has a larger score than a negative; ties count half.

    It is exact, by the ranks of all scores, which are kept (Mann and Whitney, 1947). For several classes it is the mean of the
    areas of each class against the rest, without classes of all samples or of none. NaN where none is left or a score is NaN.

    Args:
        from_logits: whether to rank the softmax of several outputs.
    """

    name = "auc"

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits
        super().__init__()

    def reset(self) -> None:
        self.batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arrange(self, output, target, weight)
        truth, weight = true_classes(scores, target), weights_or_ones(weight, scores)
        self.batches.append((softmax(scores, dim=-1) if self.from_logits and scores.ndim > 1 else scores, truth, weight))

    def result(self) -> float:
        if not self.batches:
            return math.nan
        scores, truth, weight = (concat(parts) for parts in zip(*self.batches, strict=True))
        if bool(scores.isnan().any()):
            return math.nan
        columns = [(scores, 1)] if scores.ndim == 1 else [(scores[:, c], c) for c in range(scores.shape[1])]
        areas = [_area(column, truth == c, weight) for column, c in columns]
        defined = [a for a in areas if not math.isnan(a)]
        return quotient(sum(defined), len(defined), math.nan)


def _area(scores: Tensor, positive: Tensor, weight: Tensor) -> float:
    """The weighted fraction of pairs of a positive and a negative in which the positive scores higher; NaN without pairs."""
    ranks = unique(scores, return_inverse=True)[1]
    positives, negatives = (bincount(ranks, weight * part.to(float64)) for part in (positive, ~positive))
    below = cumsum(negatives, 0) - 0.5 * negatives
    return quotient(float((positives * below).sum()), float(positives.sum() * negatives.sum()), math.nan)


class LogLoss(Mean):
    """The mean of -sum_c target_c log p_c, -log p of the true class; targets may be probabilities.

    p is normalized to the sum 1 and clipped to [1e-7, 1 - 1e-7].

    Args:
        from_logits: whether p is the sigmoid of a single output or the softmax of several, rather than the outputs themselves.
    """

    name = "log_loss"

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits
        super().__init__()

    def values(self, scores: Tensor, target: Tensor) -> Tensor:
        """The loss of each sample for its ``target``, (M,)."""
        if scores.ndim == 1:
            return losses.binary_crossentropy(sigmoid(scores) if self.from_logits else scores, target)
        p = softmax(scores, dim=-1) if self.from_logits else scores
        return (losses.sparse_categorical_crossentropy if target.ndim == 1 else losses.categorical_crossentropy)(p, target)
