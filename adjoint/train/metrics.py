"""Metrics by Keras' names: numbers about all samples since a reset, the same however the samples came in batches.

Shapes, for N samples: one output a sample, (N,) or (N, 1), against targets (N,) or (N, 1), of which those above 1/2 are positive;
or outputs (N, C) for C classes against class numbers (N,) or (N, 1), or against one-hot targets (N, C), whose largest entry is the
class. Axes between the first and the last, such as time, are more samples of the same weight. Sums are kept in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ..autograd import Tensor, no_grad
from ..autograd.creation import arange, ones
from ..autograd.functions import bincount, concat, cumsum, sigmoid, softmax, stack, unique
from ..backends.dtypes import float64
from . import losses
from .names import found

FORMS = {
    "single": "one output a sample, with targets (N,) or (N, 1)",
    "alike": "targets of the output's shape",
    "one-hot": "outputs and one-hot targets (N, C)",
    "numbers": "outputs (N, C) with class numbers (N,) or (N, 1)",
}


class Metric:
    """A number about samples that come in batches. A subclass has a ``name`` and these three methods.

    ``reset`` is called by ``__init__``, and by ``fit`` and ``evaluate`` before the first batch of each pass.

    >>> import adjoint as ad
    >>> accuracy = Accuracy()
    >>> accuracy.update(ad.tensor([0.9, 0.2]), ad.tensor([1, 1]))
    >>> accuracy.update(ad.tensor([0.7]), ad.tensor([1]))
    >>> round(accuracy.result(), 3)
    0.667
    """

    name = "metric"  #: under which it is reported
    ignored: int | None = None  #: a class number that stands for none: such samples do not count
    forms: tuple[str, ...] = ("single", "one-hot", "numbers")  #: the shapes it takes, of ``FORMS``

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        raise NotImplementedError(f"{type(self).__name__} has no reset")

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Take in a batch; each sample counts as ``weight``, (N,), says. ``ValueError`` where shapes do not fit."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def result(self) -> float:
        """The number for all samples so far; NaN where there are none."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def state_dict(self) -> dict[str, Any]:
        """What it has of the samples so far, for a checkpoint inside an epoch: all its attributes but functions."""
        return {name: value for name, value in vars(self).items() if not callable(value)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        vars(self).update(state)


# --- what they share -------------------------------------------------------------------------------------------------------------


def bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without a last axis of length 1, unless that is the only one."""
    return shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape


def weights(metric: Metric, weight: Tensor | None, n: int) -> Tensor | None:
    """The weights of ``n`` samples in float64, if there are any."""
    if weight is None:
        return None
    if tuple(weight.shape) != (n,):
        raise ValueError(f"{metric.name}: the weights have the shape {tuple(weight.shape)}, and there are {n} samples: give {(n,)}")
    return weight.detach().to(float64)


def counted(weight: Tensor | None, like: Tensor) -> Tensor:
    """The weights, 1 for each sample where there are none, on the device of ``like``."""
    return ones(len(like), dtype=float64, device=like.backend) if weight is None else weight


def arranged(metric: Metric, output: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Samples in a row: float64 scores (M,) or (M, C), targets (M,) or one-hot (M, C), and float64 weights (M,) if there are any.

    Raises ``ValueError`` where the shapes are none of the metric's forms, or a class number is not one of the output's.
    """
    shape, other = tuple(output.shape), tuple(target.shape)
    classes = shape[-1] if len(shape) > 1 else 1
    fits = {
        "single": classes == 1 and bare(shape) == bare(other),
        "alike": bare(shape) == bare(other),
        "one-hot": classes > 1 and shape == other,
        "numbers": classes > 1 and bare(shape[:-1]) == bare(other),
    }
    form = next((form for form in metric.forms if shape and fits[form]), None)
    if form is None:
        takes = "; or ".join(FORMS[form] for form in metric.forms)
        raise ValueError(f"{metric.name}: the output has the shape {shape} and the target {other}; it takes {takes}")
    scores = in_a_row(output.detach().to(float64), (-1, classes) if form in ("one-hot", "numbers") else (-1,))
    target = in_a_row(target.detach(), (-1, classes) if form == "one-hot" else (-1,))
    n = shape[0]
    by = weights(metric, weight, n)
    if by is not None and len(scores) != n:
        by = by.repeat_interleave(len(scores) // max(n, 1))
    if form == "numbers":
        target = target.long()
        fit = all_below(target, classes)
        if metric.ignored is not None and (not fit or 0 <= metric.ignored < classes):
            kept = target != metric.ignored
            target, by = target * kept, counted(by, target) * kept
            fit = all_below(target, classes)
        if not fit:
            least, most = int(target.min()), int(target.max())
            raise ValueError(f"{metric.name}: class numbers from {least} to {most}, and the output is for 0 to {classes - 1}")
    return scores, target, by


def in_a_row(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.ndim == len(shape) else x.reshape(*shape)


def all_below(numbers: Tensor, n: int) -> bool:
    """Whether all of them are from 0 to n - 1."""
    return not numbers.numel() or numbers.backend.truth(numbers.backend.xp.are_indices(numbers._array, n))


def refuse_many_hot(metric: Metric, output: Tensor, target: Tensor) -> None:
    """Raise ``ValueError`` where a metric would take the largest of several labels that do not exclude each other for the class."""
    several = output.ndim == target.ndim > 1 and output.shape[-1] == target.shape[-1] > 1
    if several and "one-hot" in metric.forms and not losses.is_one_hot(target):
        raise ValueError(
            f"{metric.name}: the targets {tuple(target.shape)} are not one-hot, as rows add up to more than 1; for labels that do "
            "not exclude each other there is binary_accuracy"
        )


def true_classes(scores: Tensor, target: Tensor) -> Tensor:
    """The class number of each sample, (M,): for single outputs whether the target is above 1/2."""
    if scores.ndim == 1:
        return (target.to(float64) > 0.5).long()
    return target.argmax(dim=-1) if target.ndim > 1 else target


def decided(scores: Tensor, threshold: float, from_logits: bool) -> Tensor:
    """The class of the largest score; for single outputs whether it is above the threshold, or for logits above that's logit."""
    if scores.ndim > 1:
        return scores.argmax(dim=-1)
    return (scores > (math.log(threshold / (1.0 - threshold)) if from_logits else threshold)).long()


def quotient(a: float, b: float, otherwise: float = 0.0) -> float:
    return a / b if b else otherwise


class Mean(Metric):
    """The mean of a number for each sample, sum of w v / sum of w. A subclass says in ``values`` which."""

    values: Callable[..., Tensor]  #: of what :func:`arranged` gives of outputs and targets, the numbers (M,)

    def reset(self) -> None:
        self.total: Any = 0.0
        self.count: Any = 0.0

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arranged(self, output, target, weight)
        self.add(self.values(scores, target).to(float64), weight)

    def add(self, values: Tensor, weight: Tensor | None) -> None:
        total, count = (values.sum(), len(values)) if weight is None else ((values * weight).sum(), weight.sum())
        self.total, self.count = self.total + total, self.count + count

    def result(self) -> float:
        return quotient(float(self.total), float(self.count), math.nan)


# --- decisions -------------------------------------------------------------------------------------------------------------------


class Accuracy(Mean):
    """The share of samples whose class is decided rightly: by the largest output, or for single outputs by the threshold.

    ``threshold`` is a probability; with ``from_logits`` the outputs are compared with its logit, 0 for 1/2.
    """

    name = "accuracy"

    def __init__(self, threshold: float = 0.5, from_logits: bool = False) -> None:
        self.threshold, self.from_logits = threshold, from_logits
        super().__init__()

    def values(self, scores: Tensor, target: Tensor) -> Tensor:
        return decided(scores, self.threshold, self.from_logits) == true_classes(scores, target)


class BinaryAccuracy(Accuracy):
    """The share of outputs on the right side of the threshold: of one output a sample, or of several that are not exclusive."""

    name, forms = "binary_accuracy", ("alike",)


class CategoricalAccuracy(Accuracy):
    """:class:`Accuracy` for outputs and one-hot targets (N, C)."""

    name, forms = "categorical_accuracy", ("one-hot",)


class SparseCategoricalAccuracy(Accuracy):
    """:class:`Accuracy` for outputs (N, C) and class numbers (N,) or (N, 1)."""

    name, forms = "sparse_categorical_accuracy", ("numbers",)


class TopKCategoricalAccuracy(Mean):
    """The share of samples whose class is among those of the ``k`` largest outputs, (N, C); of equals, the first is the larger."""

    name, forms = "top_k_categorical_accuracy", ("one-hot", "numbers")

    def __init__(self, k: int = 5) -> None:
        if k < 1:
            raise ValueError(f"{self.name}: k is a number of classes, from 1, not {k!r}")
        self.k = k
        super().__init__()

    def values(self, scores: Tensor, target: Tensor) -> Tensor:
        classes = scores.shape[-1]
        truth = true_classes(scores, target).unsqueeze(-1)
        own = scores.gather(-1, truth)
        beaten = (scores < own) | ((scores == own) & (arange(classes, device=scores.backend) > truth))  # none, by NaN
        return beaten.sum(dim=-1) >= classes - self.k


class Counting(Metric):
    """A ratio of a class's counts: how often it was decided rightly, decided, and true, each sample counted by its weight.

    For single outputs the ratio is that of the positive class. For several classes ``average`` is a word of scikit-learn:
    "macro" is the mean of all classes' ratios, "weighted" that mean by how often they are true, and "micro" the ratio of the sums
    of counts. A ratio whose denominator is 0 is 0 (``zero_division=0``), and a class that is neither true nor decided for any
    sample does not count in the mean; :class:`ConfusionMatrix` has what is needed class by class.
    """

    ratio: Callable[..., float]  #: of the counts of a class: right, chosen, true

    def __init__(self, average: str = "macro", threshold: float = 0.5, from_logits: bool = False) -> None:
        if average not in ("macro", "micro", "weighted"):
            raise ValueError(f"{self.name}: average is 'macro', 'micro' or 'weighted', not {average!r}")
        self.average, self.threshold, self.from_logits = average, threshold, from_logits
        super().__init__()

    def reset(self) -> None:
        self.counts: Tensor | None = None

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, by = arranged(self, output, target, weight)
        by = counted(by, scores)
        truth, chosen = true_classes(scores, target), decided(scores, self.threshold, self.from_logits)
        self.single = scores.ndim == 1
        classes = 2 if self.single else scores.shape[1]
        right = by * (truth == chosen).to(float64)
        counts = stack([bincount(numbers, w, classes) for numbers, w in ((truth, right), (chosen, by), (truth, by))])
        self.counts = counts if self.counts is None else self.counts + counts

    def result(self) -> float:
        if self.counts is None:
            return math.nan
        if self.single:
            return self.ratio(*self.counts[:, 1].tolist())
        if self.average == "micro":
            return self.ratio(*self.counts.sum(dim=1).tolist())
        present = [counts for counts in self.counts.T.tolist() if counts[1] or counts[2]]
        shares = [counts[2] if self.average == "weighted" else 1.0 for counts in present]
        return quotient(sum(share * self.ratio(*counts) for share, counts in zip(shares, present, strict=True)), sum(shares))


class Precision(Counting):
    """The share of right ones among the samples decided for a class: right / chosen. Averages as in :class:`Counting`."""

    name, ratio = "precision", staticmethod(lambda right, chosen, true: quotient(right, chosen))


class Recall(Counting):
    """The share of a class's samples that are decided for it: right / true. Averages as in :class:`Counting`."""

    name, ratio = "recall", staticmethod(lambda right, chosen, true: quotient(right, true))


class F1Score(Counting):
    """The harmonic mean of precision and recall, 2 right / (chosen + true). Averages as in :class:`Counting`.

    van Rijsbergen (1979).
    """

    name, ratio = "f1_score", staticmethod(lambda right, chosen, true: quotient(2.0 * right, chosen + true))


class ConfusionMatrix(Metric):
    """How often samples of class i (row) were decided for class j (column), a list of rows; with weights, the sums of them.

    Single outputs are of 2 classes. It is not one number, so ``compile`` refuses it: update it with what ``predict`` gives.

    >>> import adjoint as ad
    >>> matrix = ConfusionMatrix(2)
    >>> matrix.update(ad.tensor([0.9, 0.2, 0.7]), ad.tensor([1, 1, 0]))
    >>> matrix.result()
    [[0.0, 1.0], [1.0, 1.0]]
    """

    name = "confusion_matrix"

    def __init__(self, classes: int, threshold: float = 0.5, from_logits: bool = False) -> None:
        if classes < 2:
            raise ValueError(f"{self.name}: classes is their number, from 2, not {classes!r}")
        self.classes, self.threshold, self.from_logits = classes, threshold, from_logits
        super().__init__()

    def reset(self) -> None:
        self.counts: Tensor | None = None

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arranged(self, output, target, weight)
        classes = 2 if scores.ndim == 1 else scores.shape[1]
        if classes != self.classes:
            raise ValueError(f"{self.name}: made for {self.classes} classes, and the output {tuple(output.shape)} has {classes}")
        places = true_classes(scores, target) * classes + decided(scores, self.threshold, self.from_logits)
        counts = bincount(places, counted(weight, scores), classes**2).reshape(classes, classes)
        self.counts = counts if self.counts is None else self.counts + counts

    def result(self) -> list[list[float]]:  # type: ignore[override]
        """The counts of all samples so far, zeros where there are none."""
        return [[0.0] * self.classes] * self.classes if self.counts is None else self.counts.tolist()


# --- probabilities ---------------------------------------------------------------------------------------------------------------


class AUC(Metric):
    """The area under the ROC curve: how probably a positive has a larger score than a negative, where equals count half.

    Exact, by the ranks of all scores, which it keeps (Mann and Whitney, 1947). For several classes it is the mean of each one's
    area against the rest (with ``from_logits``, of the softmax), without those that all samples or none belong to. NaN where that
    leaves none, and where a score is NaN.
    """

    name = "auc"

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits
        super().__init__()

    def reset(self) -> None:
        self.batches: list[tuple[Tensor, Tensor, Tensor]] = []

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arranged(self, output, target, weight)
        truth, weight = true_classes(scores, target), counted(weight, scores)
        self.batches.append((softmax(scores, dim=-1) if self.from_logits and scores.ndim > 1 else scores, truth, weight))

    def result(self) -> float:
        if not self.batches:
            return math.nan
        scores, truth, weight = (concat(parts) for parts in zip(*self.batches, strict=True))
        if bool(scores.isnan().any()):
            return math.nan
        columns = [(scores, 1)] if scores.ndim == 1 else [(scores[:, c], c) for c in range(scores.shape[1])]
        areas = [area(column, truth == c, weight) for column, c in columns]
        defined = [a for a in areas if not math.isnan(a)]
        return quotient(sum(defined), len(defined), math.nan)


def area(scores: Tensor, positive: Tensor, weight: Tensor) -> float:
    """The share of pairs of a positive and a negative, by both weights, that the scores order so, ties by half; NaN of no pairs."""
    places = unique(scores, return_inverse=True)[1]
    ups, downs = (bincount(places, weight * of.to(float64)) for of in (positive, ~positive))
    below = cumsum(downs, 0) - 0.5 * downs
    return quotient(float((ups * below).sum()), float(ups.sum() * downs.sum()), math.nan)


class LogLoss(Mean):
    """-log p of the true class, the mean; p is clipped to 1e-7 and 1 - 1e-7, and of several classes divided by its sum first.

    Targets between 0 and 1, single or in place of one-hot ones, are probabilities: -sum of target log p. With ``from_logits``, p
    is the sigmoid of a single output, or the softmax of several.
    """

    name = "log_loss"

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = from_logits
        super().__init__()

    def values(self, scores: Tensor, target: Tensor) -> Tensor:
        if scores.ndim == 1:
            return losses.binary_crossentropy(sigmoid(scores) if self.from_logits else scores, target)
        p = softmax(scores, dim=-1) if self.from_logits else scores
        return (losses.sparse_categorical_crossentropy if target.ndim == 1 else losses.categorical_crossentropy)(p, target)


# --- distances -------------------------------------------------------------------------------------------------------------------


class MeanSquaredError(Mean):
    """(output - target)^2, the mean of all; the two are of the same shape."""

    name, forms = "mean_squared_error", ("alike",)
    values = staticmethod(losses.mean_squared_error)


class RootMeanSquaredError(MeanSquaredError):
    """The square root of :class:`MeanSquaredError`, of all outputs together, as in Keras."""

    name = "root_mean_squared_error"

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(Mean):
    """|output - target|, the mean of all; the two are of the same shape."""

    name, forms = "mean_absolute_error", ("alike",)
    values = staticmethod(losses.mean_absolute_error)


class R2Score(Metric):
    """1 - sum of w (target - output)^2 / sum of w (target - mean)^2, the share of variance explained; of several outputs, the mean.

    As in scikit-learn it is 1 or 0, by whether all is predicted exactly, where the targets are constant, and NaN for one sample.
    Targets are taken less the first one, and the batches' means and squared deviations merged, so that no digits are lost to a
    large mean (Chan, Golub and LeVeque, 1983).
    """

    name, forms = "r2_score", ("alike",)

    def reset(self) -> None:
        self.samples, self.count = 0, 0.0
        self.first: Any = None
        self.mean: Any = 0.0
        self.residual: Any = 0.0
        self.spread: Any = 0.0

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        outputs = math.prod(output.shape[1:])
        scores, target, by = arranged(self, output, target, weight)
        scores, target, w = (x.to(float64).reshape(-1, outputs) for x in (scores, target, counted(by, scores)))
        added = float(w[:, 0].sum())
        if not added:
            return
        self.first = target[0].clone() if self.first is None else self.first
        moved = target - self.first
        mean = (w * moved).sum(dim=0) / added
        gap, total = mean - self.mean, self.count + added
        self.spread = self.spread + (w * (moved - mean).square()).sum(dim=0) + gap.square() * (self.count * added / total)
        self.residual = self.residual + (w * (target - scores).square()).sum(dim=0)
        self.mean, self.count, self.samples = self.mean + gap * (added / total), total, self.samples + len(target)

    def result(self) -> float:
        if self.samples < 2:
            return math.nan
        pairs = zip(self.residual.tolist(), self.spread.tolist(), strict=True)
        scores = [1.0 - r / s if s else float(not r) for r, s in pairs]
        return sum(scores) / len(scores)


# --- by name, or a function ------------------------------------------------------------------------------------------------------


class Averaged(Mean):
    """The mean over samples of what a function of output and target gives: a number for each sample, or one for the batch.

    One for the batch counts as often as the batch has samples, whatever their weights.
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Any]) -> None:
        self.function, self.name = function, getattr(function, "__name__", type(function).__name__)
        super().__init__()

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        n = target.shape[0]
        with no_grad():
            value = self.function(*losses.without_column(output, target))
        if not isinstance(value, Tensor) or not value.ndim:
            value, weight = ones(n, dtype=float64, device=target.backend) * float(value), None
        values = losses.each(value.to(float64))
        if tuple(values.shape) != (n,):
            raise ValueError(f"{self.name}: gave numbers of the shape {tuple(value.shape)} for {n} samples")
        self.add(values, weights(self, weight, n))


NAMED: list[type[Metric]] = [
    Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy, Precision, Recall, F1Score,
    AUC, LogLoss, MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, R2Score,
]  # fmt: skip
SHORT: dict[str, type[Metric]] = {
    "acc": Accuracy, "mse": MeanSquaredError, "rmse": RootMeanSquaredError, "mae": MeanAbsoluteError, "f1": F1Score, "r2": R2Score,
}  # fmt: skip
METRICS: dict[str, Callable[[], Metric]] = {**{made.name: made for made in NAMED}, **SHORT}


def metric(given: Any, loss: Any) -> Metric:
    """What ``compile`` was given as a :class:`Metric`: a name of :data:`METRICS`, one itself, or a function of output and target.

    By name it takes logits (``from_logits``) where the loss does, and decides where the loss does, at 0 for a hinge. Raises
    ``ValueError`` on an unknown name, with the nearest one, and ``TypeError`` on what is none of these, or gives no single number.
    """
    if isinstance(given, str):
        made = found("metric", given, METRICS)()
        made.name = given
        if hasattr(made, "from_logits"):
            made.from_logits = losses.takes_logits(loss)
        if hasattr(made, "threshold") and not losses.takes_logits(loss):
            made.threshold = losses.decides_at(loss)
        made.ignored = losses.ignored_by(loss)
        return made
    if isinstance(given, ConfusionMatrix):
        raise TypeError("a ConfusionMatrix is not one number, as metrics in logs are; update it yourself with what predict gives")
    if isinstance(given, Metric):
        given.ignored = given.ignored if given.ignored is not None else losses.ignored_by(loss)
        return given
    if callable(given) and not isinstance(given, type):
        return Averaged(given)
    raise TypeError(f"a metric is a name, a Metric object, or a function of output and target, not {given!r}")
