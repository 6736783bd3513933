"""``METRICS``: the metrics by name, and how ``compile`` makes a metric of what it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import losses
from ..registry import lookup
from .base import FunctionMetric, Metric
from .classification import (
    AUC,
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    ConfusionMatrix,
    F1Score,
    LogLoss,
    Precision,
    Recall,
    SparseCategoricalAccuracy,
    TopKCategoricalAccuracy,
)  # fmt: skip
from .regression import MeanAbsoluteError, MeanSquaredError, R2Score, RootMeanSquaredError

__all__ = ["METRICS", "as_metric"]

#: The metrics by name.
METRICS: dict[str, Callable[[], Metric]] = {
    **{
        metric.name: metric
        for metric in (
            Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy, Precision, Recall,
            F1Score, AUC, LogLoss, MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError, R2Score,
        )
    },
    "acc": Accuracy, "mse": MeanSquaredError, "rmse": RootMeanSquaredError, "mae": MeanAbsoluteError, "f1": F1Score, "r2": R2Score,
}  # fmt: skip


def as_metric(metric: Any, loss: Any) -> Metric:
    """A metric of ``compile`` as a :class:`Metric`.

    By name, ``from_logits``, the threshold and the ignored class are those of the loss.

    Args:
        metric: a name of :data:`METRICS`, a metric, or a function of output and target.
        loss: the loss it is compiled with.

    Raises ``ValueError`` on an unknown name, and ``TypeError`` on other objects, or a metric of more than one number.
    """
    if isinstance(metric, str):
        named = lookup("metric", metric, METRICS)()
        named.name = metric
        if hasattr(named, "from_logits"):
            named.from_logits = losses.takes_logits(loss)
        if hasattr(named, "threshold") and not losses.takes_logits(loss):
            named.threshold = losses.decides_at(loss)
        named.ignored = losses.ignored_by(loss)
        return named
    if isinstance(metric, ConfusionMatrix):
        raise TypeError("a ConfusionMatrix is not one number, as logs need; update it yourself with what predict returns")
    if isinstance(metric, Metric):
        metric.ignored = metric.ignored if metric.ignored is not None else losses.ignored_by(loss)
        return metric
    if callable(metric) and not isinstance(metric, type):
        return FunctionMetric(metric)
    raise TypeError(f"a metric is a name, a Metric object, or a function of output and target, not {metric!r}")
