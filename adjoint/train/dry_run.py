"""The dry run before a training: model, loss, labels and metrics are checked on two samples, without side effects."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from .. import nn
from ..autograd import Tensor, no_grad
from ..autograd.random import fork_rng
from . import losses
from .compiled import Compiled
from .data_adapter import Arrays, eval_mode, forward
from .metrics.classification import refuse_multi_hot


def dry_run(model: nn.Module, compiled: Compiled, data: Any, name: str) -> None:
    """Check all labels of arrays, named ``name`` in messages, and run model, loss and metrics on the first two samples.

    Other data, data without y, and models with a ``train_step`` of their own are not checked. Raises ``ValueError`` or
    ``TypeError`` where model, loss, labels or metrics do not fit together.
    """
    if not isinstance(data, Arrays) or data.y is None or type(model).train_step is not nn.Module.train_step:
        return
    if expected := losses.expected_targets(compiled.loss, data.y):
        raise ValueError(f"fit: {name} has numbers from {data.y.min().item():g} to {data.y.max().item():g}, and {expected}")
    try:
        with eval_mode(model), no_grad(), fork_rng():
            few = data[:2]
            output = forward(model, few.x if len(few.x) > 1 else few.x[0])
            if isinstance(output, Tensor) and losses.takes_class_numbers(compiled.loss, data.y):
                axis = -1 if compiled.loss is losses.sparse_categorical_crossentropy else 1
                classes = output.shape[axis] if output.ndim > 1 else 1
                _check_labels(data.y, classes, name, losses.ignored_by(compiled.loss))
            compiled.loss_of(output, few.y, few.weight)  # type: ignore[arg-type]
            for metric in deepcopy(compiled.metrics):
                metric.reset()  # it may hold the samples of another fit
                metric.update(output, few.y, few.weight)  # type: ignore[arg-type]
                refuse_multi_hot(metric, output, data.y)
    except (ValueError, TypeError) as error:
        error.add_note(f"(tried on the first {min(2, len(data))} of {len(data)} samples)")
        raise


def _check_labels(y: Tensor, classes: int, name: str, ignored: int | None) -> None:
    if y.dtype.kind not in ("int", "uint"):
        raise TypeError(f"fit: {name} has dtype {y.dtype}, but the loss takes class numbers, which are integers; use y.long()")
    y = y if ignored is None else y[y != ignored]
    least, most = (int(y.min().item()), int(y.max().item())) if y.numel() else (0, 0)
    if least < 0 or most >= classes:
        raise ValueError(
            f"fit: {name} has class numbers from {least} to {most}, and the model has {classes} outputs, 0 to {classes - 1}"
        )
