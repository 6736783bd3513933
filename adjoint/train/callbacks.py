"""Callbacks: what is to happen at certain moments of a training. A callback is a class with a method for each moment it cares for.

The words are Keras'. ``logs`` has the numbers known at that moment; ``self.model`` is the module that is trained, and setting
``self.model.stop_training = True`` ends the training after the epoch.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import Parameter, signature
from numbers import Integral
from pathlib import Path
from typing import Any

from .. import nn
from ..data.table import nearest
from ..errors import MissingExtra
from ..files import atomic_write

Logs = Mapping[str, float]
MOMENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end",
)  # fmt: skip


class Callback:
    """The base of all callbacks: every moment does nothing.

    Attributes:
        model: the module that is trained.
        params: what ``fit`` was told: ``"epochs"``, ``"initial_epoch"``, ``"verbose"``, ``"steps"`` (a pass has so many batches, or
            None), and ``"metrics"``, the names of the numbers of an epoch.
    """

    model: Any = None
    params: Mapping[str, Any] = {}
    last = False  #: whether it is told after the others, whose state it keeps
    goes_on = False  #: whether it was given a state to go on from

    def on_train_begin(self, logs: Logs) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs) -> None:
        """After the last epoch, also where the training ends early or by an error."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Before epoch number ``epoch``, from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After it, with its numbers: ``loss``, metrics, and ``val_…`` of them."""

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
        """Before batch number ``batch`` of an epoch, from 0."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """After it, with its ``loss`` and ``size``."""

    def on_test_begin(self, logs: Logs) -> None:
        """Before a validation, or an evaluation."""

    def on_test_end(self, logs: Logs) -> None:
        """After it."""

    def state_dict(self) -> dict[str, Any]:
        """What it must know to go on where it stopped, as numbers and texts."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave, when the next training begins."""
        for name, value in state.items():
            setattr(self, name, value)
        self.goes_on = True

    def begins_anew(self) -> bool:
        """Whether the training that begins is another one, rather than one that goes on from a state."""
        anew, self.goes_on = not self.goes_on, False
        return anew


def in_order(callbacks: Iterable[Any]) -> list[Any]:
    """The order in which they are told: those come last that keep the others' state."""
    several = callbacks if isinstance(callbacks, Iterable) else [callbacks]
    return sorted(several, key=lambda callback: getattr(callback, "last", False))


class Callbacks:
    """Several callbacks, told of each moment in order."""

    def __init__(self, callbacks: Iterable[Any], model: nn.Module, params: Mapping[str, Any]) -> None:
        self.all = in_order(callbacks)
        for callback in self.all:
            if isinstance(callback, type) or not any(hasattr(callback, moment) for moment in MOMENTS):
                raise TypeError(f"callbacks: {callback!r} is no callback; give objects of adjoint.train.Callback's subclasses")
            callback.model, callback.params = model, params
            if getattr(callback, "monitor", None) and getattr(callback, "monitors", True) and "metrics" in params:
                monitored(callback, callback.monitor, dict.fromkeys(params["metrics"], 0.0))

    def tell(self, moment: str, *args: Any) -> None:
        """Call that method of each. What one raises is raised, with a note that says which it was."""
        for callback in self.all:
            self._tell(callback, moment, *args)

    def _tell(self, callback: Any, moment: str, *args: Any) -> None:
        try:
            getattr(callback, moment, _nothing)(*args)
        except Exception as error:
            error.add_note(f"raised by the callback {type(callback).__name__} in {moment}")
            raise

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        """Tell of the training's begin, and all that were told of it of its end, however that comes.

        What the first of them raises at the end is raised, unless something else ended the training, which then has a note of it.
        """
        begun: list[Any] = []
        ended_by: BaseException | None = None
        try:
            for callback in self.all:
                self._tell(callback, "on_train_begin", {})
                begun.append(callback)
            yield
        except BaseException as error:
            ended_by = error
            raise
        finally:
            failed: list[BaseException] = []
            for callback in begun:
                try:
                    self._tell(callback, "on_train_end", {})
                except BaseException as another:  # Ctrl-C too
                    failed.append(another)
            if failed and ended_by is None:
                raise failed[0]
            for one in failed:
                said = getattr(one, "__notes__", ["raised at the end"])[-1]
                ended_by.add_note(f"and then {one!r} was {said}")  # type: ignore[union-attr]


def _nothing(*_: Any) -> None:
    """What a callback does at a moment that it does not care for."""


def monitored(callback: Any, name: str, logs: Logs) -> float:
    """The number of that name; ``ValueError`` with the nearest known one where there is none."""
    if name not in logs:
        hint = nearest(name, logs)
        if name.startswith("val_") and not any(known.startswith("val_") for known in logs):
            hint = " (there is no validation: give validation_split or validation_data)"
        raise ValueError(f"{type(callback).__name__}: there is no {name!r} to monitor{hint}; there are {', '.join(logs)}")
    return logs[name]


class Best:
    """The best number so far, the smaller ones being better where ``mode`` is "min", the larger ones where it is "max".

    With "auto" that is "max" for what is known to be better when larger.
    """

    RISING = ("acc", "accuracy", "auc", "precision", "recall")  #: a word that ends so is better when larger
    SCORES = ("f1", "r2")  #: and one of these, with "score" or without

    def __init__(self, who: str, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{who}: mode is 'auto', 'min' or 'max', not {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"{who}: min_delta is a number from 0, not {min_delta!r}")
        words = re.split("[^a-z0-9]+", monitor.lower())
        known = any(word.endswith(self.RISING) or word.removesuffix("score") in self.SCORES for word in words)
        rising = mode == "max" or (mode == "auto" and known)
        self.sign, self.min_delta = (-1.0 if rising else 1.0), min_delta

    def better(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than ``best`` by more than ``min_delta``. NaN is never better."""
        if math.isnan(value):
            return False
        return best is None or self.sign * value < self.sign * best - self.min_delta


class EarlyStopping(Callback):
    """End the training when a number has not become better for ``patience`` epochs.

    Prechelt, "Early Stopping - But When?" (1998).

    Args:
        monitor: which number.
        min_delta: by how much it has to become better to count.
        patience: how many epochs it may not.
        mode: "min", "max", or "auto" by the name.
        baseline: a number that it has to be better than, too, to count.
        restore_best_weights: put back the weights of the best epoch at the end.
        start_from_epoch: the first epoch that counts.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor, self.patience, self.baseline = monitor, patience, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience is a number of epochs from 0, not {patience}")
        self._order = Best("EarlyStopping", monitor, mode, abs(min_delta))
        self.best: float | None = None
        self.best_epoch = self.stopped_epoch = 0
        self.wait = 0
        self._weights: dict[str, Any] | None = None

    def on_train_begin(self, logs: Logs) -> None:
        if self.begins_anew():
            self.best, self.wait, self.best_epoch, self.stopped_epoch, self._weights = None, 0, 0, 0, None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = monitored(self, self.monitor, logs)
        if epoch < self.start_from_epoch:
            return
        better = self._order.better(value, self.best)
        if self.restore_best_weights and (better or self._weights is None):
            self._weights, self.best_epoch = {name: t.clone() for name, t in self.model.state_dict().items()}, epoch
        self.wait += 1
        if better:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self._order.better(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs) -> None:
        if self.restore_best_weights and self._weights is not None:
            self.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, "_weights": self._weights}


class ModelCheckpoint(Callback):
    """Write a checkpoint after epochs or batches: all that is needed to go on, or with ``save_weights_only`` the weights.

    The file is whole or not there: it is written beside and renamed. See :func:`adjoint.train.resume`.

    Args:
        filepath: its name; ``{epoch}`` (from 1), ``{batch}`` (from 1, where it is saved after batches) and the numbers' names are
            filled in: ``"{epoch:02d}-{val_loss:.3f}.safetensors"``.
        monitor, mode: which number tells the best, with ``save_best_only``.
        save_best_only: write only when it has become better.
        save_weights_only: leave out optimizer, random state, history and callbacks.
        save_freq: "epoch", or after every so many batches.
    """

    last = True

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        mode: str = "auto",
        save_best_only: bool = False,
        save_weights_only: bool = False,
        save_freq: int | str = "epoch",
    ) -> None:
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not isinstance(save_freq, Integral) or int(save_freq) < 1):
            raise ValueError(f"ModelCheckpoint: save_freq is 'epoch' or a number of batches from 1, not {save_freq!r}")
        if save_best_only and save_freq != "epoch":
            raise ValueError("ModelCheckpoint: which is the best is known after an epoch; leave save_freq at 'epoch'")
        self.filepath, self.monitor, self.save_best_only = os.fsdecode(filepath), monitor, save_best_only
        self.save_weights_only, self.save_freq, self.monitors = save_weights_only, save_freq, save_best_only
        self._order = Best("ModelCheckpoint", monitor, mode)
        self.best: float | None = None
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._save({**logs, "epoch": self._epoch + 1, "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_freq != "epoch":
            return
        if self.save_best_only:
            value = monitored(self, self.monitor, logs)
            if not self._order.better(value, self.best):
                return
            self.best = value
        self._save({**logs, "epoch": epoch + 1})

    def _save(self, known: Logs) -> None:
        from .checkpoint import save_checkpoint

        try:
            path = self.filepath.format(**known)
        except KeyError as error:
            raise ValueError(f"ModelCheckpoint: filepath asks for {error}; there are {', '.join(known)}") from None
        Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save(path)
        else:
            save_checkpoint(path, self.model)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best} if self.save_best_only else {}


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` when a number has not become better for ``patience`` epochs.

    Args:
        monitor, mode, min_delta: which number, and what is better, as in :class:`EarlyStopping`.
        factor: below 1.
        patience: how many epochs.
        cooldown: how many epochs after a reduction do not count.
        min_lr: it does not fall below that.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if not 0.0 < factor < 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor is between 0 and 1, not {factor}")
        self.monitor, self.factor, self.patience, self.cooldown, self.min_lr = monitor, factor, patience, cooldown, min_lr
        self._order = Best("ReduceLROnPlateau", monitor, mode, min_delta)
        self.best: float | None = None
        self.wait = self.cooling = 0

    def on_train_begin(self, logs: Logs) -> None:
        if self.begins_anew():
            self.best, self.wait, self.cooling = None, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = monitored(self, self.monitor, logs)
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        if self._order.better(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience:
                for group in self.model.compiled.optimizer.param_groups:
                    if group["lr"] > self.min_lr:
                        group["lr"] = max(group["lr"] * self.factor, self.min_lr)
                self.wait, self.cooling = 0, self.cooldown

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait, "cooling": self.cooling}


def _positional(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters that a function takes by their place, one by one."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in signature(function).parameters.values() if parameter.kind in kinds]


class LearningRateScheduler(Callback):
    """Set the learning rate before each epoch by ``schedule(epoch, lr)``, or have an ``optim.lr_scheduler`` take a step after it.

    Args:
        schedule: a function of the epoch's number, from 0, and of the present rate if it takes two; or a scheduler object.
    """

    def __init__(self, schedule: Any) -> None:
        if not callable(schedule) and not hasattr(schedule, "step"):
            raise TypeError(f"LearningRateScheduler: schedule is a function of epoch and rate, not {type(schedule).__name__}")
        step = getattr(schedule, "step", None)
        if step is not None and any(p.default is p.empty for p in _positional(step)):
            raise TypeError(
                f"LearningRateScheduler: {type(schedule).__name__}.step takes what was measured; use train.ReduceLROnPlateau"
            )
        self.schedule, self._takes = schedule, 2
        if step is None:
            with suppress(ValueError):  # a built-in function may not tell
                self._takes = len(_positional(schedule))
        self._epoch = self._begun = -1  # the present epoch, and the one that a checkpoint was inside of

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        again, self._epoch, self._begun = epoch == self._begun, epoch, -1
        if hasattr(self.schedule, "step") or again:
            return
        for group in self.model.compiled.optimizer.param_groups:
            rate = float(self.schedule(*(epoch, group["lr"])[: self._takes]))
            if not rate >= 0.0:
                raise ValueError(f"LearningRateScheduler: the schedule gave {rate!r} for epoch {epoch}; a rate is a number from 0")
            group["lr"] = rate

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if hasattr(self.schedule, "step"):
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        held = self.schedule.state_dict() if hasattr(self.schedule, "state_dict") else {}
        return {"begun": self._epoch, "schedule": dict(held)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._begun = state["begun"]
        if hasattr(self.schedule, "load_state_dict"):
            self.schedule.load_state_dict(dict(state["schedule"]))


class CSVLogger(Callback):
    """Write each epoch's numbers to a CSV file as a line.

    Args:
        filename: the file.
        append: go on with a file that is there, whose header must fit. A training that goes on from a checkpoint takes the place of
            what the file has, at its end, of that epoch and later ones.
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool = False) -> None:
        self.filename, self.append = os.fsdecode(filename), append
        self._file: Any = None
        self._names: list[str] = []

    def on_train_begin(self, logs: Logs) -> None:
        going_on = self.append and Path(self.filename).exists() and Path(self.filename).stat().st_size > 0
        if going_on:
            with open(self.filename, encoding="utf-8", newline="") as file:
                self._names = file.readline().strip().split(",")[1:]
            if missing := [name for name in self.params.get("metrics", ()) if name not in self._names]:
                raise ValueError(
                    f"CSVLogger: {self.filename} has the columns {', '.join(self._names)}, and none for {', '.join(missing)}; "
                    "write to another file, or anew (append=False)"
                )
            self._cut(self.params.get("initial_epoch", 0))
        else:
            self._names = []
        self._file = open(self.filename, "a" if going_on else "w", encoding="utf-8", newline="")  # noqa: SIM115 (until the end)

    def _cut(self, epoch: int) -> None:
        """Take away the last lines, of that epoch and later ones, where a training goes on with it."""
        lines = Path(self.filename).read_text(encoding="utf-8").splitlines(keepends=True)
        kept = len(lines)
        while epoch and kept > 1 and int(lines[kept - 1].partition(",")[0]) >= epoch:
            kept -= 1
        if kept < len(lines):
            with atomic_write(self.filename) as path:
                Path(path).write_text("".join(lines[:kept]), encoding="utf-8", newline="")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        import csv

        writer = csv.writer(self._file, lineterminator="\n")
        if not self._names:
            self._names = list(logs)
            writer.writerow(["epoch", *self._names])
        writer.writerow([epoch, *(logs.get(name, "") for name in self._names)])
        self._file.flush()

    def on_train_end(self, logs: Logs) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class TensorBoard(Callback):
    """Write each epoch's numbers for TensorBoard, by the library tensorboardX.

    Args:
        log_dir: the folder; training and validation go to ``train`` and ``validation`` in it.
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs") -> None:
        self.log_dir = os.fsdecode(log_dir)
        self._writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Logs) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtra("tensorboardX", "tensorboard", "logs for TensorBoard") from error
        self._writers = {part: SummaryWriter(os.path.join(self.log_dir, part)) for part in ("train", "validation")}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            part = "validation" if name.startswith("val_") else "train"
            self._writers[part].add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)

    def on_train_end(self, logs: Logs) -> None:
        for writer in self._writers.values():
            writer.close()


class TerminateOnNaN(Callback):
    """End the training after a batch whose loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not math.isfinite(logs["loss"]):
            self.model.stop_training = "now"


class LambdaCallback(Callback):
    """Functions to call at the moments they are named for: ``LambdaCallback(on_epoch_end=lambda epoch, logs: …)``."""

    def __init__(self, **moments: Callable[..., Any]) -> None:
        for moment, function in moments.items():
            if moment not in MOMENTS:
                raise ValueError(
                    f"LambdaCallback: unknown moment {moment!r}{nearest(moment, MOMENTS)}; they are {', '.join(MOMENTS)}"
                )
            setattr(self, moment, function)
