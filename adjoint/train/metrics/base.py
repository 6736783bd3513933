"""The base classes of metrics, and how a batch's outputs, targets and weights are arranged into rows.

Shapes, for N samples: single outputs (N,) or (N, 1) with targets (N,) or (N, 1), which are positive above 1/2; or outputs (N, C) of
C classes with class numbers (N,) or (N, 1), or with one-hot targets (N, C). Axes in between, such as time, are more samples of the
same weight. Sums are float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from ...autograd import Tensor, no_grad
from ...autograd.creation import ones
from ...backends.dtypes import float64
from .. import losses

__all__ = ["FunctionMetric", "Mean", "Metric"]

FORMS = {
    "single": "single outputs with targets (N,) or (N, 1)",
    "alike": "targets of the output's shape",
    "one-hot": "outputs and one-hot targets (N, C)",
    "numbers": "outputs (N, C) with class numbers (N,) or (N, 1)",
}


class Metric:
    """A value about samples that come in batches, the same whatever the batches. A subclass has a ``name`` and these methods.

    ``reset`` is called by ``__init__``, and by ``fit`` and ``evaluate`` before the first batch of each pass.

    >>> import adjoint as ad
    >>> from adjoint.train.metrics import Accuracy
    >>> accuracy = Accuracy()
    >>> accuracy.update(ad.tensor([0.9, 0.2]), ad.tensor([1, 1]))
    >>> accuracy.update(ad.tensor([0.7]), ad.tensor([1]))
    >>> round(accuracy.result(), 3)
    0.667
    """

    name = "metric"  #: its name in the logs
    ignored: int | None = None  #: the class number of samples to ignore
    forms: tuple[str, ...] = ("single", "one-hot", "numbers")  #: the shapes it takes, of ``FORMS``

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        raise NotImplementedError(f"{type(self).__name__} has no reset")

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        """Add a batch.

        Args:
            output: the model's output, (N, ...).
            target: in a shape that the module's docstring lists.
            weight: of each sample, (N,); 1 by default.

        Raises ``ValueError`` where the shapes do not fit.
        """
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def result(self) -> float:
        """The value for all samples since the reset; NaN where there are none."""
        raise NotImplementedError(f"{type(self).__name__} has no result")

    def state_dict(self) -> dict[str, Any]:
        """The state to save in a checkpoint inside an epoch: all attributes except functions."""
        return {name: value for name, value in vars(self).items() if not callable(value)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        vars(self).update(state)


class Mean(Metric):
    """The weighted mean of a value per sample, sum_i(w_i v_i) / sum_i(w_i). A subclass defines ``values``."""

    values: Callable[..., Tensor]  #: v, (M,), of the outputs and targets that :func:`arrange` returns

    def reset(self) -> None:
        self.total: Any = 0.0
        self.count: Any = 0.0

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        scores, target, weight = arrange(self, output, target, weight)
        self.add(self.values(scores, target).to(float64), weight)

    def add(self, values: Tensor, weight: Tensor | None) -> None:
        """Add the ``values`` of M samples, (M,), each with its ``weight``, (M,) or None."""
        total, count = (values.sum(), len(values)) if weight is None else ((values * weight).sum(), weight.sum())
        self.total, self.count = self.total + total, self.count + count

    def result(self) -> float:
        return quotient(float(self.total), float(self.count), math.nan)


class FunctionMetric(Mean):
    """The mean of what a function of output and target returns: a value per sample, or one for the batch.

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
        values = losses.average(value.to(float64))
        if tuple(values.shape) != (n,):
            raise ValueError(f"{self.name}: returned numbers of the shape {tuple(value.shape)} for {n} samples")
        self.add(values, _checked_weights(self, weight, n))


def quotient(a: float, b: float, otherwise: float = 0.0) -> float:
    """a / b, or ``otherwise`` where b is 0."""
    return a / b if b else otherwise


def weights_or_ones(weight: Tensor | None, like: Tensor) -> Tensor:
    """The weights, or ones for the M samples of ``like``, on its device."""
    return ones(len(like), dtype=float64, device=like.backend) if weight is None else weight


def arrange(metric: Metric, output: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """A batch as M rows: float64 scores (M,) or (M, C); targets (M,), or one-hot (M, C); float64 weights (M,) or None.

    Raises ``ValueError`` on shapes that are none of the metric's ``forms``, and on class numbers that are not below C.
    """
    shape, target_shape = tuple(output.shape), tuple(target.shape)
    classes = shape[-1] if len(shape) > 1 else 1
    fits = {
        "single": classes == 1 and _bare(shape) == _bare(target_shape),
        "alike": _bare(shape) == _bare(target_shape),
        "one-hot": classes > 1 and shape == target_shape,
        "numbers": classes > 1 and _bare(shape[:-1]) == _bare(target_shape),
    }
    form = next((form for form in metric.forms if shape and fits[form]), None)
    if form is None:
        expected = "; or ".join(FORMS[form] for form in metric.forms)
        raise ValueError(f"{metric.name}: the output has the shape {shape} and the target {target_shape}; it takes {expected}")
    scores = _reshaped(output.detach().to(float64), (-1, classes) if form in ("one-hot", "numbers") else (-1,))
    target = _reshaped(target.detach(), (-1, classes) if form == "one-hot" else (-1,))
    n = shape[0]
    weight = _checked_weights(metric, weight, n)
    if weight is not None and len(scores) != n:
        weight = weight.repeat_interleave(len(scores) // max(n, 1))
    if form == "numbers":
        target = target.long()
        valid = _are_below(target, classes)
        if metric.ignored is not None and (not valid or 0 <= metric.ignored < classes):
            counted = target != metric.ignored
            target, weight = target * counted, weights_or_ones(weight, target) * counted
            valid = _are_below(target, classes)
        if not valid:
            least, most = int(target.min()), int(target.max())
            raise ValueError(f"{metric.name}: class numbers from {least} to {most}, and the output is for 0 to {classes - 1}")
    return scores, target, weight


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape without a last axis of length 1, unless that is the only one."""
    return shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape


def _reshaped(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x.ndim == len(shape) else x.reshape(*shape)


def _checked_weights(metric: Metric, weight: Tensor | None, n: int) -> Tensor | None:
    if weight is None:
        return None
    if tuple(weight.shape) != (n,):
        raise ValueError(f"{metric.name}: the weights have the shape {tuple(weight.shape)}, and there are {n} samples: give {(n,)}")
    return weight.detach().to(float64)


def _are_below(numbers: Tensor, n: int) -> bool:
    """Whether all are from 0 to n - 1."""
    return not numbers.numel() or numbers.backend.truth(numbers.backend.xp.are_indices(numbers._array, n))
