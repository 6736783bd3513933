"""Metrics of regressions: mean squared and absolute errors, and R²."""

from __future__ import annotations

import math
from typing import Any

from ...autograd import Tensor
from ...backends.dtypes import float64
from .. import losses
from .base import Mean, Metric, arrange, weights_or_ones

__all__ = ["MeanAbsoluteError", "MeanSquaredError", "R2Score", "RootMeanSquaredError"]


class MeanSquaredError(Mean):
    """The mean of (output - target)^2, for targets of the output's shape."""

    name, forms = "mean_squared_error", ("alike",)
    values = staticmethod(losses.mean_squared_error)


class RootMeanSquaredError(MeanSquaredError):
    """The square root of :class:`MeanSquaredError` over all outputs together, as in Keras."""

    name = "root_mean_squared_error"

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(Mean):
    """The mean of |output - target|, for targets of the output's shape."""

    name, forms = "mean_absolute_error", ("alike",)
    values = staticmethod(losses.mean_absolute_error)


class R2Score(Metric):
    """1 - sum_i w_i (target_i - output_i)^2 / sum_i w_i (target_i - mean)^2; for several outputs the mean of theirs.

    As in scikit-learn, constant targets give 1 where they are predicted exactly, else 0, and a single sample gives NaN. Batches are
    merged by their means and squared deviations, which stays precise where the mean is large (Chan, Golub and LeVeque, 1983).
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
        scores, target, weight = arrange(self, output, target, weight)
        scores, target, w = (x.to(float64).reshape(-1, outputs) for x in (scores, target, weights_or_ones(weight, scores)))
        added = float(w[:, 0].sum())
        if not added:
            return
        self.first = target[0].clone() if self.first is None else self.first
        shifted = target - self.first
        mean = (w * shifted).sum(dim=0) / added
        change, total = mean - self.mean, self.count + added
        self.spread = self.spread + (w * (shifted - mean).square()).sum(dim=0) + change.square() * (self.count * added / total)
        self.residual = self.residual + (w * (target - scores).square()).sum(dim=0)
        self.mean, self.count, self.samples = self.mean + change * (added / total), total, self.samples + len(target)

    def result(self) -> float:
        if self.samples < 2:
            return math.nan
        pairs = zip(self.residual.tolist(), self.spread.tolist(), strict=True)
        scores = [1.0 - r / s if s else float(not r) for r, s in pairs]
        return sum(scores) / len(scores)
