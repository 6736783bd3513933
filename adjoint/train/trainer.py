"""``compile``, ``fit``, ``evaluate`` and ``predict``: Keras' words, as methods of any module.

``fit`` is a loop over public pieces: a :class:`~adjoint.data.DataLoader`, the module's ``train_step``, metrics and callbacks. A
module that defines a ``train_step`` or ``test_step`` of its own has them called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from numbers import Integral
from typing import Any

from .. import nn, optim
from ..autograd import Tensor, no_grad
from ..autograd.creation import as_tensor
from ..autograd.functions import concat
from ..autograd.random import fork_rng
from ..capture import capture as captured
from ..data import DataLoader, IterableDataset, TensorDataset
from ..files import load as load_tensors
from ..files import save as save_tensors
from . import losses as known_losses
from . import metrics as known_metrics
from .callbacks import Callbacks, in_order
from .feeding import Batch, Samples, batches, device_and_dtype, gives_samples, in_use, modes_kept, samples, weighed_by_class
from .history import History
from .names import OPTIMIZERS, found
from .penalty import with_penalty
from .position import Position, placed, random_states, set_random_states
from .progress import Progress


@dataclass
class Compiled:
    """How a module learns, and what is measured of it."""

    optimizer: optim.Optimizer
    loss: Callable[[Tensor, Tensor], Tensor]
    metrics: list[known_metrics.Metric]

    def loss_of(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The loss of a batch: the mean of its samples' losses, each multiplied by its weight where there are weights."""
        if target is None:
            raise ValueError("fit: there is no y to learn; a dataset or loader gives (x, y) or (x, y, weight)")
        if not isinstance(output, Tensor):
            raise TypeError(f"fit: the model gives a {type(output).__name__}, and a loss takes one tensor; define a train_step")
        if self.loss not in known_losses.LOSSES.values() and not isinstance(self.loss, nn.Module):
            output, target = known_losses.without_column(output, target)  # a function may not look
        if weight is None:
            value = self.loss(output, target)
            return value if not value.ndim else value.mean()
        return (known_losses.per_sample(self.loss)(output, target) * weight).mean()


#: What ``compile`` and ``fit`` put on a model.
KEPT = ("compiled", "history", "callbacks", "stop_training")


def compile(self: nn.Module, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = ()) -> None:
    """Set how the module learns.

    Args:
        optimizer: a name with Keras' defaults (:data:`adjoint.train.names.OPTIMIZERS`), or an optimizer of the module's parameters.
        loss: a name (:data:`adjoint.train.losses.LOSSES`), a module such as ``nn.CrossEntropyLoss()``, or a function of output and
            target.
        metrics: one or several: names (:data:`adjoint.train.metrics.METRICS`), :class:`~adjoint.train.metrics.Metric` objects, or
            functions of output and target.

    Raises:
        ValueError: an unknown name, the message has the nearest known one; two metrics of one name, or one that is named "loss"; an
            optimizer of other parameters; a part of the module that has a name under which ``fit`` keeps something.
        TypeError: what is neither a name nor such an object.
    """
    parts = {
        name for name, _ in (*self.named_children(), *self.named_parameters(recurse=False), *self.named_buffers(recurse=False))
    }
    if taken := sorted(parts.intersection(KEPT)):
        raise ValueError(
            f"compile: the model has a part named {taken[0]!r}, under which fit keeps something else; name it otherwise"
        )
    if loss is None:
        raise ValueError("compile: a loss is needed; give a name such as 'mse', or a function of output and target")
    chosen = found("loss", loss.lower(), known_losses.LOSSES) if isinstance(loss, str) else loss
    if not callable(chosen) or isinstance(chosen, type):
        raise TypeError(f"compile: loss is a name or a function of output and target, not {loss!r}")
    one = isinstance(metrics, (str, known_metrics.Metric)) or callable(metrics)
    measured = [known_metrics.metric(given, chosen) for given in ([metrics] if one else metrics or ())]
    names = ["loss", *(metric.name for metric in measured)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"compile: two of the numbers {', '.join(names)} are named {name!r}; give the metric another name")
    if isinstance(optimizer, str):
        rule, defaults = found("optimizer", optimizer.lower(), OPTIMIZERS)
        optimizer = rule(self.parameters(), **defaults)
    elif not isinstance(optimizer, optim.Optimizer):
        raise TypeError(f"compile: optimizer is a name or an optimizer of the model's parameters, not {optimizer!r}")
    else:
        own = {id(p) for p in self.parameters()}
        if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise ValueError("compile: the optimizer has none of the model's parameters; make it of model.parameters()")
    object.__setattr__(self, "compiled", Compiled(optimizer, chosen, measured))


def compiled_of(model: nn.Module, who: str) -> Compiled:
    """What :func:`compile` was told; ``RuntimeError`` before that."""
    held = getattr(model, "compiled", None)
    if not isinstance(held, Compiled):
        raise RuntimeError(f"{who}: the model has no loss and no optimizer yet; call model.compile(optimizer=…, loss=…) first")
    return held


def forward(model: Callable[..., Any], x: Any) -> Any:
    """The model's output for what a batch has: several inputs come as a tuple."""
    return model(*x) if isinstance(x, tuple) else model(x)


def train_step(self: nn.Module, x: Any, y: Tensor, sample_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One step of training on a batch: its loss, with the penalties, and the model's output. A model may define its own."""
    compiled = compiled_of(self, "train_step")
    compiled.optimizer.zero_grad()
    output = forward(self, x)
    loss = with_penalty(compiled.loss_of(output, y, sample_weight), self)
    loss.backward()
    compiled.optimizer.step()
    return loss.detach(), output.detach()


def test_step(self: nn.Module, x: Any, y: Tensor, sample_weight: Tensor | None = None) -> tuple[Tensor, Tensor]:  # noqa: PT028
    """The loss of a batch, with the penalties, and the model's output, without learning. A model may define its own."""
    with no_grad():
        output = forward(self, x)
        return with_penalty(compiled_of(self, "test_step").loss_of(output, y, sample_weight), self), output


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
    verbose: int | str = "auto",
    class_weight: Mapping[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    capture: bool = False,
) -> History:
    """Train the module, pass after pass over the samples.

    Args:
        x, y: arrays, tensors or data frames whose first axes count the samples, ``x`` a tuple of them for several inputs; or in
            ``x`` a dataset, or a :class:`~adjoint.data.DataLoader`, that gives (x, y) or (x, y, weight). Numbers are given to the
            model in its parameters' dtype, class numbers as they are.
        epochs: the number of the last epoch, counted from 1: with ``initial_epoch`` of 5 there are five fewer.
        batch_size: samples a step (32); a loader has its own.
        validation_split: the share of the samples, the last ones before any shuffling, that are not trained on but measured after
            each epoch.
        validation_data: (x, y) or (x, y, weight) to measure instead, a dataset or a loader.
        shuffle: take the samples in another order in each epoch.
        callbacks: objects of :class:`~adjoint.train.Callback`'s subclasses, or one.
        verbose: 0 silent, 1 a bar, 2 a line an epoch; "auto" is a bar in a terminal or notebook, and lines elsewhere.
        class_weight: by what a sample's loss is multiplied, by class number.
        sample_weight: by what each sample's loss is multiplied, (N,).
        initial_epoch: the number of the first epoch, where a training goes on.
        capture: record the step once and replay it (:func:`adjoint.capture`), for the same numbers sooner.

    Returns:
        The numbers of each epoch, also where Ctrl-C ended it (``history.interrupted``).

    Raises:
        RuntimeError: before :func:`compile`.
        ValueError: lengths that differ, NaN or infinity in the data, labels out of range, shapes that a metric does not take, an
            empty part, numbers out of range.
        TypeError: what is no array of numbers, or labels that are not whole where class numbers are due.

    Arrays, and a ``TensorDataset``, are looked through before the first step, and two of their samples tried, so that the weights
    are as they were where one of these is raised. What another dataset or a loader gives comes unseen.
    """
    compiled = compiled_of(self, "fit")
    epochs, initial_epoch, batch_size = _checked(epochs, initial_epoch, batch_size, validation_split)
    training, held_out = _divided(self, x, y, validation_split, validation_data, class_weight, sample_weight)
    train_loader, inputs, weighted = _loader(training, batch_size or 32, shuffle)
    _rehearse(self, compiled, training, "y")
    if isinstance(held_out, Samples):
        _rehearse(self, compiled, held_out, "the validation's y")
    steps = None
    with suppress(TypeError):  # a stream has no length
        steps = len(train_loader)
    measured = ["loss", *(metric.name for metric in compiled.metrics)]
    measured += [f"val_{name}" for name in measured] if held_out is not None else []
    params = {"epochs": epochs, "initial_epoch": initial_epoch, "steps": steps, "verbose": verbose, "metrics": measured}
    history = History(params)
    before = getattr(self, "history", None)
    if initial_epoch and isinstance(before, History):
        history.take(before, initial_epoch)
    told = Callbacks([*in_order(callbacks), Progress.of(verbose)], self, params)
    position, resumed = placed(self, train_loader, initial_epoch, steps)
    for name, value in (("history", history), ("callbacks", told), ("_position", position)):
        object.__setattr__(self, name, value)
    step = captured(self.train_step) if capture else self.train_step
    measure = captured(self.test_step) if capture else self.test_step
    self.stop_training, learned = False, [p.requires_grad for p in self.parameters()]
    try:
        with modes_kept(self), told.until_the_end():
            for epoch in range(initial_epoch, epochs):
                told.tell("on_epoch_begin", epoch, {})
                self.train()
                now = [p.requires_grad for p in self.parameters()]
                if capture and now != learned:  # a callback froze something, or no longer does
                    step.reset()
                    measure.reset()
                learned = now
                feed = batches(train_loader, self, inputs, weighted)
                vars(self).pop("_resumed", None)  # from here on it is position that tells
                logs = _train_epoch(self, compiled, feed, step, told, position, resumed)
                resumed = None
                if held_out is not None:
                    found = _measure("fit: validation_data", self, held_out, batch_size or 32, measure, told)
                    logs |= {f"val_{name}": value for name, value in found.items()}
                history.append(epoch, logs)
                position.end_epoch()
                told.tell("on_epoch_end", epoch, logs)
                if self.stop_training:
                    break
    except KeyboardInterrupt:
        history.interrupted = True
    finally:
        position.end()
    return history


def _train_epoch(
    model: nn.Module, compiled: Compiled, feed: Iterator[Batch], step: Callable[..., Any], told: Callbacks, position: Position,
    resumed: Mapping[str, Any] | None,
) -> dict[str, float]:  # fmt: skip
    """A pass of training, or what is left of it: the mean of its loss, and the metrics."""
    tally = Tally(compiled.metrics)
    position.begun, position.tally = random_states(position.loader), tally
    if resumed is not None and "begun" in resumed:
        position.batch, position.begun = resumed["batch"], resumed["begun"]
        set_random_states(position.begun, position.loader)
        for _ in islice(feed, position.batch):  # done before; their order is drawn once more
            pass
        set_random_states(resumed["random"], position.loader)
        tally.load_state_dict(resumed["tally"])
    for number, batch in enumerate(feed, position.batch):
        told.tell("on_train_batch_begin", number, {})
        loss = tally.take(step, batch)
        position.batch = number + 1
        told.tell("on_train_batch_end", number, {"loss": loss, "size": len(batch)})
        if model.stop_training == "now":
            break
    return tally.logs("fit")


class Tally:
    """What a pass comes to: the mean loss of its samples, and the metrics."""

    def __init__(self, metrics: list[known_metrics.Metric]) -> None:
        self.metrics, self.total, self.count = metrics, 0.0, 0.0
        for metric in metrics:
            metric.reset()

    def take(self, step: Callable[..., Any], batch: Batch) -> float:
        """Do the step with a batch; its loss."""
        done = step(batch.x, batch.y) if batch.weight is None else step(batch.x, batch.y, batch.weight)
        if not isinstance(done, (tuple, list)) or len(done) != 2:
            raise TypeError(f"fit: a step gives the loss and the model's output, a tuple of two, not {done!r}")
        loss, output = done
        loss = float(loss.item() if isinstance(loss, Tensor) else loss)
        self.total, self.count = self.total + loss * len(batch), self.count + len(batch)
        for metric in self.metrics:
            metric.update(output, batch.y, batch.weight)
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"total": self.total, "count": self.count, "metrics": [metric.state_dict() for metric in self.metrics]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.total, self.count = state["total"], state["count"]
        for metric, held in zip(self.metrics, state["metrics"], strict=True):
            metric.load_state_dict(held)

    def logs(self, who: str) -> dict[str, float]:
        if not self.count:
            raise ValueError(f"{who}: the loader gave no batch; where it was iterated over before, give one that can be again")
        return {"loss": self.total / self.count} | {metric.name: metric.result() for metric in self.metrics}


def _measure(who: str, model: nn.Module, data: Any, batch_size: int, step: Callable[..., Any], told: Callbacks) -> dict[str, float]:
    """Loss and metrics of data that are not learned from."""
    loader, inputs, weighted = _loader(data, batch_size, False)
    told.tell("on_test_begin", {})
    metrics, position = compiled_of(model, who).metrics, getattr(model, "_position", None)
    if position is not None and position.loader is not None:  # a training is under way, whose metrics stay as they are
        metrics = deepcopy(metrics)
    tally = Tally(metrics)
    with in_use(model):
        for batch in batches(loader, model, inputs, weighted):
            tally.take(step, batch)
    logs = tally.logs(who)
    told.tell("on_test_end", logs)
    return logs


def evaluate(
    self: nn.Module, x: Any, y: Any = None, *, batch_size: int = 32, sample_weight: Any = None, callbacks: Any = (),
    capture: bool = False,
) -> dict[str, float]:  # fmt: skip
    """Loss and metrics of samples, given as to :func:`fit`, with the module as when it is used (``eval()``)."""
    compiled = compiled_of(self, "evaluate")
    data = _given("evaluate", self, x, y, sample_weight)
    if isinstance(data, Samples):
        _rehearse(self, compiled, data, "y")
    told = Callbacks(callbacks, self, {})
    return _measure("evaluate", self, data, int(batch_size), captured(self.test_step) if capture else self.test_step, told)


def predict(self: nn.Module, x: Any, *, batch_size: int = 32, capture: bool = False) -> Tensor:
    """The module's output for samples, given as to :func:`fit`, with the module as when it is used (``eval()``).

    A module that was not compiled predicts too. Raises ``ValueError`` and ``TypeError`` on such data as :func:`fit` does.
    """
    data = x if gives_samples(x) else samples("predict", self, x, None)
    loader, inputs, _ = _loader(data, int(batch_size), False)
    run = captured(self) if capture else self
    with in_use(self), no_grad():
        return concat([forward(run, batch.x) for batch in batches(loader, self, inputs, False)])


def predict_classes(self: nn.Module, x: Any, *, batch_size: int = 32) -> Tensor:
    """The number of the largest output for each sample; of a single output, whether it is above 1/2 (0 for logits and hinges).

    With a binary loss, of several outputs too: labels that do not exclude each other, (N, C).
    """
    output = predict(self, x, batch_size=batch_size)
    if output.ndim > 1 and output.shape[-1] > 1 and not known_losses.is_binary(_loss(self)):
        return output.argmax(dim=-1)
    return ((output.squeeze(-1) if output.ndim > 1 and output.shape[-1] == 1 else output) > threshold(self)).long()


def threshold(model: Any) -> float:
    """Above which single output the answer is the second of two classes, by the loss it is compiled with."""
    return known_losses.decides_at(_loss(model))


def _loss(model: Any) -> Any:
    """What it is compiled with; None where it is not."""
    held = getattr(model, "compiled", None)
    return held.loss if isinstance(held, Compiled) else None


def get_weights(self: nn.Module) -> list[Any]:
    """Copies of all parameters and buffers as NumPy arrays, in the order of ``state_dict()``, in PyTorch's layout."""
    return [t.numpy(force=True).copy() for t in self.state_dict().values()]


def set_weights(self: nn.Module, weights: Iterable[Any]) -> None:
    """Write arrays such as :func:`get_weights` gave into parameters and buffers.

    Raises ``ValueError`` where their number or a shape differs; nothing is written then.
    """
    held, given = self.state_dict(), list(weights)
    if len(given) != len(held):
        raise ValueError(f"set_weights: {len(given)} arrays for {len(held)} weights ({', '.join(held)})")
    for (name, t), array in zip(held.items(), given, strict=True):
        if tuple(getattr(array, "shape", ())) != tuple(t.shape):
            raise ValueError(f"set_weights: {name} has the shape {tuple(t.shape)}, and the array {getattr(array, 'shape', ())}")
    self.load_state_dict({name: as_tensor(a).to(t.dtype) for (name, t), a in zip(held.items(), given, strict=True)})


def save(self: nn.Module, path: Any) -> None:
    """Write the weights to a safetensors file, whole or not at all; see :func:`adjoint.save`."""
    save_tensors(self.state_dict(), path)


def load(self: nn.Module, path: Any) -> None:
    """Read weights that :func:`save`, or PyTorch through safetensors, wrote; see :func:`adjoint.load`."""
    self.load_state_dict(load_tensors(path))


# --- what is given ---------------------------------------------------------------------------------------------------------------


def _checked(epochs: Any, initial_epoch: Any, batch_size: Any, validation_split: float) -> tuple[int, int, int | None]:
    """The first three as Python's numbers."""
    for name, value, least in (("epochs", epochs, 1), ("initial_epoch", initial_epoch, 0), ("batch_size", batch_size, 1)):
        if (value is not None or name != "batch_size") and not (isinstance(value, Integral) and int(value) >= least):
            raise ValueError(f"fit: {name} is a whole number from {least}, not {value!r}")
    if not 0.0 <= validation_split < 1.0:
        raise ValueError(f"fit: validation_split is a share from 0 to below 1, not {validation_split!r}")
    return int(epochs), int(initial_epoch), None if batch_size is None else int(batch_size)


def _given(who: str, model: nn.Module, x: Any, y: Any, sample_weight: Any, class_weight: Any = None) -> Any:
    """A dataset or loader as it is, arrays as :class:`Samples`; raises where something is missing, or given beside a dataset."""
    if type(x) is TensorDataset and y is None and sample_weight is None and len(x.tensors) <= 3:
        x, y, sample_weight = (*x.tensors, None, None)[:3]  # arrays, and looked through like these
    if gives_samples(x):
        for name, value in (("y", y), ("sample_weight", sample_weight), ("class_weight", class_weight)):
            if value is not None:
                raise ValueError(f"{who}: {name} comes with the samples of a dataset or loader, and is not given beside it")
        return x
    if y is None and type(model).train_step is nn.Module.train_step:
        raise ValueError(
            f"{who}: y is missing; what gives samples or batches itself is a data.Dataset, IterableDataset or DataLoader"
        )
    return samples(who, model, x, y, sample_weight)


def _divided(
    model: nn.Module, x: Any, y: Any, validation_split: float, validation_data: Any, class_weight: Any, sample_weight: Any
) -> tuple[Any, Any]:
    """What is trained on, and what is measured after each epoch."""
    training = _given("fit", model, x, y, sample_weight, class_weight)
    if validation_split and not isinstance(training, Samples):
        raise ValueError("fit: validation_split needs arrays; divide a dataset by data.random_split, and give validation_data")
    held_out: Any = None
    if validation_data is not None:
        if gives_samples(validation_data):
            held_out = _given("fit: validation_data", model, validation_data, None, None)
        elif isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3):
            held_out = samples("fit: validation_data", model, *validation_data)
        else:
            raise TypeError("fit: validation_data is (x, y), (x, y, weight), a dataset or a loader")
    elif validation_split:
        n = len(training)
        at = int(n * (1.0 - validation_split))
        if not 0 < at < n:
            raise ValueError(f"fit: validation_split={validation_split:g} of {n} samples leaves one part empty")
        training, held_out = training.part(slice(0, at)), training.part(slice(at, n))
    return (weighed_by_class(training, class_weight, device_and_dtype(model)[1]) if class_weight else training), held_out


def _loader(data: Any, batch_size: int, shuffle: bool) -> tuple[Any, int, bool]:
    """A loader of the data, how many inputs its batches begin with, and whether weights end them."""
    if isinstance(data, Samples):
        return data.loader(batch_size, shuffle), len(data.x), data.weight is not None
    if isinstance(data, DataLoader):
        return data, 1, True
    return DataLoader(data, batch_size=batch_size, shuffle=(shuffle and not isinstance(data, IterableDataset)) or None), 1, True


def _rehearse(model: nn.Module, compiled: Compiled, data: Any, name: str) -> None:
    """Raise where model, loss, labels or metrics do not fit, before anything is learned: on two samples, without a trace."""
    if not isinstance(data, Samples) or data.y is None or type(model).train_step is not nn.Module.train_step:
        return
    if takes := known_losses.wrong_targets(compiled.loss, data.y):
        raise ValueError(f"fit: {name} has numbers from {data.y.min().item():g} to {data.y.max().item():g}, and {takes}")
    try:
        _rehearsed(model, compiled, data, name)
    except (ValueError, TypeError) as error:
        error.add_note(f"(tried on the first {min(2, len(data))} of {len(data)} samples)")
        raise


def _rehearsed(model: nn.Module, compiled: Compiled, data: Samples, name: str) -> None:
    with in_use(model), no_grad(), fork_rng():
        few = data.part(slice(0, 2))
        output = forward(model, few.x if len(few.x) > 1 else few.x[0])
        assert data.y is not None
        if isinstance(output, Tensor) and known_losses.takes_class_numbers(compiled.loss, data.y):
            axis = -1 if compiled.loss is known_losses.sparse_categorical_crossentropy else 1
            _check_labels(data.y, output.shape[axis] if output.ndim > 1 else 1, name, known_losses.ignored_by(compiled.loss))
        y = data.y[:2]
        compiled.loss_of(output, y, few.weight)
        for metric in deepcopy(compiled.metrics):
            metric.reset()  # it may hold another fit's samples, of another number of classes
            metric.update(output, y, few.weight)
            known_metrics.refuse_many_hot(metric, output, data.y)


def _check_labels(y: Tensor, classes: int, name: str, ignored: int | None) -> None:
    if y.dtype.kind not in ("int", "uint"):
        raise TypeError(f"fit: {name} has dtype {y.dtype}, and the loss takes class numbers, which are whole; convert it: y.long()")
    y = y if ignored is None else y[y != ignored]
    least, most = (int(y.min().item()), int(y.max().item())) if y.numel() else (0, 0)
    if least < 0 or most >= classes:
        raise ValueError(
            f"fit: {name} has class numbers from {least} to {most}, and the model has {classes} outputs, 0 to {classes - 1}"
        )


METHODS: list[Any] = [
    compile, fit, evaluate, predict, predict_classes, train_step, test_step, get_weights, set_weights, save, load,
]  # fmt: skip
