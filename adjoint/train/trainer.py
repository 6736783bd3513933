"""``fit``, ``evaluate`` and ``predict``: Keras' words, as methods of any module.

``fit`` is a loop over public pieces: a :class:`~adjoint.data.DataLoader`, the module's ``train_step``, metrics and callbacks. A
module that defines a ``train_step`` or ``test_step`` of its own has them called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from .. import nn
from ..autograd import Tensor, no_grad
from ..autograd.arguments import reads_numbers
from ..autograd.functions import concat
from ..capture import capture as captured
from . import losses
from .callbacks import CallbackList, progress
from .compiled import compiled_of, loss_of, set_attributes, threshold
from .data_adapter import (
    Batch,
    Batches,
    adapt,
    eval_mode,
    forward,
    from_arrays,
    is_dataset,
    modes_restored,
    training_and_validation,
)
from .dry_run import dry_run
from .history import History
from .metrics import Metric
from .regularization import with_penalty
from .training_state import TrainingState


def train_step(self: nn.Module, x: Any, y: Tensor, sample_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One optimizer step on a batch. A model may define its own.

    Args:
        x: the model's input, or a tuple of several, (N, ...) each.
        y: the targets.
        sample_weight: (N,).

    Returns:
        The loss, with the penalties, and the model's output, both detached.
    """
    compiled = compiled_of(self, "train_step")
    compiled.optimizer.zero_grad()
    output = forward(self, x)
    loss = with_penalty(compiled.loss_of(output, y, sample_weight), self)
    loss.backward()
    compiled.optimizer.step()
    return loss.detach(), output.detach()


def test_step(self: nn.Module, x: Any, y: Tensor, sample_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:  # noqa: PT028
    """The loss of a batch, with the penalties, and the model's output, without a step. A model may define its own.

    Args:
        x: the model's input, or a tuple of several, (N, ...) each.
        y: the targets.
        sample_weight: (N,).
    """
    with no_grad():
        output = forward(self, x)
        return with_penalty(compiled_of(self, "test_step").loss_of(output, y, sample_weight), self), output


@reads_numbers
def fit(
    self: nn.Module,
    x: Any,
    y: Any = None,
    *,
    epochs: int = 1,
    batch_size: int | None = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool = True,
    callbacks: Any = (),
    verbose: bool | int | str = "auto",
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    capture: bool = False,
) -> History:
    """Train the module for several epochs.

    Args:
        x: arrays, tensors or data frames whose first axes count the samples, a tuple of them for several inputs; or a dataset or a
            :class:`~adjoint.data.DataLoader` that gives (x, y) or (x, y, weight). Numbers are converted to the dtype of the model's
            parameters.
        y: the targets, where ``x`` is not a dataset or loader. Integers stay integers.
        epochs: the number of epochs, of which the first ``initial_epoch`` are skipped.
        batch_size: samples per step (32); a loader has its own.
        validation_split: the fraction of the samples, the last ones before any shuffling, to evaluate after each epoch instead of
            training on them.
        validation_data: (x, y) or (x, y, weight), a dataset or a loader to evaluate instead.
        shuffle: draw another order of the samples in each epoch.
        callbacks: one or several :class:`~adjoint.train.Callback` objects.
        verbose: 0 silent, 1 a bar, 2 a line per epoch; "auto" is a bar in a terminal or notebook, and lines elsewhere.
        class_weight: what to multiply a sample's loss with, by class number.
        sample_weight: what to multiply each sample's loss with, (N,).
        initial_epoch: the first epoch, counted from 0, of a resumed training.
        capture: record the step once and replay it (:func:`adjoint.capture`): same results, faster.

    Returns:
        The numbers of each epoch, also where Ctrl-C ended it (``history.interrupted``).

    Raises:
        RuntimeError: before :func:`compile`.
        ValueError: lengths that differ, NaN or infinity in the data, labels out of range, shapes that a metric does not take, an
            empty part, arguments out of range.
        TypeError: data that are no array of numbers, or labels that are not integers where class numbers are needed.

    Arrays, and a ``TensorDataset``, are validated before the first step, with a dry run on two samples, so that such an error
    leaves the weights unchanged. Samples of other datasets and of loaders are not.
    """
    compiled = compiled_of(self, "fit")
    _check_ranges(epochs, initial_epoch, batch_size, validation_split)
    training, validation = training_and_validation(self, x, y, validation_split, validation_data, class_weight, sample_weight)
    dry_run(self, compiled, training, "y")
    dry_run(self, compiled, validation, "the validation's y")
    train_batches = Batches(training, batch_size or 32, shuffle)
    test_batches = None if validation is None else Batches(validation, batch_size or 32)
    names = ["loss", *(metric.name for metric in compiled.metrics)]
    names += [f"val_{name}" for name in names] if test_batches else []
    steps = train_batches.steps
    params = {"epochs": epochs, "initial_epoch": initial_epoch, "steps": steps, "verbose": verbose, "metrics": names}
    history = History(params, getattr(self, "history", None), initial_epoch)
    callback_list = CallbackList(self, params, callbacks, progress(verbose))
    state = TrainingState.begin(self, train_batches.loader, initial_epoch, steps)
    set_attributes(self, history=history, callbacks=callback_list, _training_state=state)
    train_batch, test_batch = self.train_step, self.test_step
    if capture:
        train_batch, test_batch = captured(train_batch), captured(test_batch)
    self.stop_training = False
    try:
        with modes_restored(self), callback_list.training():
            for epoch in range(initial_epoch, epochs):
                callback_list.call("on_epoch_begin", epoch, {})
                self.train()
                logs = _train_epoch(self, train_batches, train_batch, callback_list, state)
                if test_batches:
                    measured = _evaluate("fit: validation_data", self, test_batches, test_batch, callback_list)
                    logs |= {f"val_{name}": value for name, value in measured.items()}
                history.append(epoch, logs)
                state.end_epoch()
                callback_list.call("on_epoch_end", epoch, logs)
                if self.stop_training:
                    break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        state.end()
    return history


def _check_ranges(epochs: int, initial_epoch: int, batch_size: int | None, validation_split: float) -> None:
    for name, value in (("epochs", epochs), ("batch_size", batch_size)):
        if value is not None and value < 1:
            raise ValueError(f"fit: {name} must be a positive integer, not {value}")
    if initial_epoch < 0:
        raise ValueError(f"fit: initial_epoch must be >= 0, not {initial_epoch}")
    if not 0.0 <= validation_split < 1.0:
        raise ValueError(f"fit: validation_split must be >= 0 and < 1, not {validation_split!r}")


class RunningMetrics:
    """The mean loss and the metrics of the batches of a pass so far."""

    def __init__(self, metrics: list[Metric]) -> None:
        self.metrics, self.total, self.count = metrics, 0.0, 0.0
        for metric in metrics:
            metric.reset()

    def update(self, step: Callable[..., Any], batch: Batch) -> float:
        """Call the step with a batch, and return its loss."""
        result = step(batch.x, batch.y) if batch.weight is None else step(batch.x, batch.y, batch.weight)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise TypeError(f"fit: a step returns the loss and the model's output, a tuple of two, not {result!r}")
        loss, output = result
        loss = float(loss.item() if isinstance(loss, Tensor) else loss)
        self.total, self.count = self.total + loss * len(batch), self.count + len(batch)
        for metric in self.metrics:
            metric.update(output, batch.y, batch.weight)
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total, "count": self.count, "metrics": [metric.state_dict() for metric in self.metrics]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.total, self.count = state["total"], state["count"]
        for metric, metric_state in zip(self.metrics, state["metrics"], strict=True):
            metric.load_state_dict(metric_state)

    def result(self, who: str) -> dict[str, float]:
        """Loss and metrics by name. Raises ``ValueError`` where there was no batch."""
        if not self.count:
            raise ValueError(f"{who}: the loader gave no batch; if it was used up by an earlier pass, give one that can restart")
        return {"loss": self.total / self.count} | {metric.name: metric.result() for metric in self.metrics}


def _train_epoch(
    model: nn.Module, batches: Batches, step: Callable[..., Any], callbacks: CallbackList, state: TrainingState
) -> dict[str, float]:
    """Train on the batches of an epoch, or on those that a checkpoint inside it has left; its loss and metrics."""
    running = RunningMetrics(compiled_of(model, "fit").metrics)
    feed = batches.on_device_of(model)
    state.begin_epoch(model, feed, running)
    for number, batch in enumerate(feed, state.batch):
        callbacks.call("on_train_batch_begin", number, {})
        loss = running.update(step, batch)
        state.batch = number + 1
        callbacks.call("on_train_batch_end", number, {"loss": loss, "size": len(batch)})
        if model.stop_training == "now":
            break
    return running.result("fit")


def _evaluate(who: str, model: nn.Module, batches: Batches, step: Callable[..., Any], callbacks: CallbackList) -> dict[str, float]:
    """Loss and metrics of all batches in ``eval()`` mode."""
    callbacks.call("on_test_begin", {})
    metrics, state = compiled_of(model, who).metrics, getattr(model, "_training_state", None)
    if state is not None and state.loader is not None:  # inside a training, whose metrics must not change
        metrics = deepcopy(metrics)
    running = RunningMetrics(metrics)
    with eval_mode(model):
        for batch in batches.on_device_of(model):
            running.update(step, batch)
    logs = running.result(who)
    callbacks.call("on_test_end", logs)
    return logs


@reads_numbers
def evaluate(
    self: nn.Module, x: Any, y: Any = None, *, batch_size: int = 32, sample_weight: Any = None, callbacks: Any = (),
    capture: bool = False,
) -> dict[str, float]:  # fmt: skip
    """Loss and metrics, by name, in ``eval()`` mode.

    Args:
        x: as in :func:`fit`.
        y: as in :func:`fit`.
        batch_size: samples per batch; a loader has its own.
        sample_weight: what to multiply each sample's loss with, (N,).
        callbacks: one or several, of which ``on_test_begin`` and ``on_test_end`` are called.
        capture: record the step once and replay it.

    Returns:
        ``"loss"`` and each metric.

    Raises what :func:`fit` raises.
    """
    compiled = compiled_of(self, "evaluate")
    data = adapt("evaluate", self, x, y, sample_weight)
    dry_run(self, compiled, data, "y")
    step = captured(self.test_step) if capture else self.test_step
    return _evaluate("evaluate", self, Batches(data, batch_size), step, CallbackList(self, {}, callbacks))


@reads_numbers
def predict(self: nn.Module, x: Any, *, batch_size: int = 32, capture: bool = False) -> Tensor:
    """The module's outputs in ``eval()`` mode, (N, ...), without a graph. The module need not be compiled.

    Args:
        x: as in :func:`fit`.
        batch_size: samples per batch; a loader has its own.
        capture: record the forward pass once and replay it.

    Raises ``ValueError`` and ``TypeError`` on such data as :func:`fit` does.
    """
    data = x if is_dataset(x) else from_arrays("predict", self, x, None)
    run = captured(self) if capture else self
    with eval_mode(self), no_grad():
        return concat([forward(run, batch.x) for batch in Batches(data, batch_size).on_device_of(self)])


@reads_numbers
def predict_classes(self: nn.Module, x: Any, *, batch_size: int = 32) -> Tensor:
    """The class numbers that the module predicts, int64.

    For outputs (N, C) the largest one's, (N,); for single outputs whether they are above 1/2, or above 0 with a loss of logits or a
    hinge. With a binary loss each of several outputs is a class of its own, (N, C).

    Args:
        x: as in :func:`fit`.
        batch_size: samples per batch; a loader has its own.

    Raises what :func:`predict` raises.
    """
    output = predict(self, x, batch_size=batch_size)
    if output.ndim > 1 and output.shape[-1] > 1 and not losses.is_binary(loss_of(self)):
        return output.argmax(dim=-1)
    return ((output.squeeze(-1) if output.ndim > 1 and output.shape[-1] == 1 else output) > threshold(self)).long()
