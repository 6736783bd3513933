"""``adjoint train``: from a table to a saved model and the plot of its learning curve."""

from __future__ import annotations

import argparse
import errno
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__, data, nn
from ..autograd import Tensor
from ..autograd.creation import arange
from ..autograd.random import manual_seed
from ..backends import default, use_backend
from ..errors import MissingExtra
from ..files import atomic_write, save
from ..lazy import import_extra
from ..optim.lr_scheduler import CosineAnnealingLR
from ..train import Callback, History, LearningRateScheduler, Metric, mlp
from ..train.callbacks import Logs, progress
from ..train.metrics import Accuracy, MeanAbsoluteError
from ..train.registry import OPTIMIZERS, lookup
from ..train.summary import layer_table
from . import report
from .tables import looks_numeric, notes, read

if TYPE_CHECKING:
    from rich.console import Console

Rows = tuple[Tensor, Tensor]  #: features (n, inputs) and targets: class numbers (n,), or values (n, 1)

REQUIRED = (
    ("rich", "cli", "the command line"),
    ("safetensors", "files", "saving the weights"),
    ("matplotlib", "plot", "the learning curve"),
)
WEIGHTS, CURVE = "weights.safetensors", "learning-curve.png"


def check_packages() -> None:
    """Raise :class:`MissingExtra` for the first missing package among those that ``train`` needs at its end."""
    for package, extra, purpose in REQUIRED:
        if find_spec(package) is None:
            raise MissingExtra(package, extra, purpose)


def check_folder(folder: Path) -> None:
    """Raise ``OSError`` where the results cannot be written to ``folder``, which may not exist yet."""
    parent = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, but --out needs a folder", str(parent))
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "no permission to write there", str(parent))
    for path in (folder / WEIGHTS, folder / CURVE):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder, but a file of that name is to be written", str(path))


def train(options: argparse.Namespace) -> None:
    """Train on a table, show the progress, and write weights and learning curve to a folder.

    Args:
        options: the parsed options of ``adjoint train``.

    Raises:
        ValueError: the table, the target or an option is unusable.
        OSError: the folder cannot be written.
        MissingExtra: a package is missing.
        RuntimeError: the training diverged.
        KeyboardInterrupt: Ctrl-C; nothing is written then.
    """
    lookup("optimizer", options.optimizer, OPTIMIZERS)
    folder = Path(options.out or Path("runs") / Path(options.data).stem)
    check_packages()
    check_folder(folder)
    screen = report.console()
    with use_backend(options.backend or default()) as backend, backend.suppress_warnings():
        manual_seed(options.seed)
        table, target, task = read(options.data, options.target, options.task)
        for note in notes(table, target, task):
            screen.print(f"note: {note}")
        table, dropped = table.drop_missing()
        if dropped:
            screen.print(f"{dropped} of {dropped + len(table)} rows have missing values and are left out")
        encoder = data.Encoder(target, task=task)
        rows, held_out = split(table, encoder, options)
        regression = encoder.task == "regression"
        baseline = linear_error(encoder, rows, held_out) if regression else 0.0
        screen.print(
            f"{encoder.task} of {target}: {len(rows[0])} rows to train on, {len(held_out[0])} held out, "
            f"{rows[0].shape[1]} features, penalty {options.penalty:g}, backend {backend.name}, seed {options.seed}"
        )
        if encoder.dropped:
            screen.print(f"constant columns, left out: {', '.join(encoder.dropped)}")
        if (folder / WEIGHTS).exists():
            screen.print(f"{folder} has the results of an earlier run, which will be replaced")
        model = mlp(rows[0].shape[1], options.hidden, encoder.n_outputs, options.activation)
        metric = ErrorInUnits(encoder.scale[1]) if regression else Accuracy()
        history = fit(model, rows, held_out, metric, options, screen)
        score = history.history[f"val_{metric.name}"][-1]
        screen.print(layer_table(model))
        if regression:
            screen.print(f"held-out {metric.name} {score:.4g}; a linear model's {baseline:.4g}")
        else:
            x, y = held_out
            names = [str(value) for value in encoder.classes]
            screen.print(report.confusion(y.tolist(), model.predict_classes(x).tolist(), names, screen.width))
            screen.print(f"held-out {metric.name} {score:.4f}")
        description = {
            "adjoint": __version__, "hidden": options.hidden, "activation": options.activation, "encoder": encoder.to_dict(),
        }  # fmt: skip
        with created(folder), atomic_write(folder / WEIGHTS) as weights, atomic_write(folder / CURVE) as curve:
            save(model.state_dict(), weights, {"model": json.dumps(description)})
            report.learning_curve(history, f"{Path(options.data).stem}: {target}", curve)
        screen.print(f"wrote {WEIGHTS} and {CURVE} to {folder}")


class ErrorInUnits(MeanAbsoluteError):
    """The mean absolute error in the target's units: the error of the standardized target times ``unit``."""

    name = "mean absolute error"

    def __init__(self, unit: float) -> None:
        self.unit = unit
        super().__init__()

    def result(self) -> float:
        return super().result() * self.unit


class Divergence(Callback):
    """Raise ``RuntimeError`` after an epoch with a loss that is not finite; ``lr`` is the rate to report."""

    def __init__(self, lr: float) -> None:
        self.lr = lr

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        loss, held_out = logs["loss"], logs["val_loss"]
        if not math.isfinite(loss + held_out):
            raise RuntimeError(
                f"the training diverged in epoch {epoch + 1}: the loss is {loss:.3g}, {held_out:.3g} on the held-out rows; "
                f"use a smaller learning rate (--lr, here {self.lr:g})"
            )


def fit(model: nn.Module, rows: Rows, held_out: Rows, metric: Metric, options: argparse.Namespace, screen: Console) -> History:
    """Train by shuffled mini-batches: cross entropy for class numbers, mean squared error for values.

    The learning rate is annealed to 0 along half a cosine (Loshchilov and Hutter, 2017). The optimizer's weight decay is the
    penalty divided by the number of rows.

    Raises ``RuntimeError`` where the training diverges, and ``KeyboardInterrupt`` on Ctrl-C.
    """
    x, y = rows
    rule, _ = lookup("optimizer", options.optimizer, OPTIMIZERS)
    optimizer = rule(model.parameters(), lr=options.lr, weight_decay=options.penalty / len(x))
    model.compile(optimizer, nn.MSELoss() if y.dtype.is_floating_point else nn.CrossEntropyLoss(), metric)
    schedule = LearningRateScheduler(CosineAnnealingLR(optimizer, T_max=options.epochs))
    history: History = model.fit(
        x, y, epochs=options.epochs, batch_size=options.batch_size, validation_data=held_out,
        callbacks=[schedule, Divergence(options.lr), progress("auto", per_epoch=True, console=screen)],
        capture=options.capture, verbose=0,
    )  # fmt: skip
    if history.interrupted:
        raise KeyboardInterrupt
    return history


@contextmanager
def created(folder: Path) -> Iterator[None]:
    """Create the folder and its parents; where the block raises, or is interrupted, remove those that are new."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for place in new:
            with suppress(OSError):
                place.rmdir()
        raise


def split(table: data.Table, encoder: data.Encoder, options: argparse.Namespace) -> tuple[Rows, Rows]:
    """Split the rows into training and held-out ones, stratified by class, fit the encoder on the former, and encode both.

    Raises ``ValueError`` where a part would be empty, or lacks a class.
    """
    if len(table) < 2:
        raise ValueError(f"{options.data}: only {len(table)} row{'s' * (len(table) != 1)} without missing values; need at least 2")
    encoder.fit(table)
    labels = table[encoder.target] if encoder.task == "classification" else None
    try:
        parts = data.train_test_split(arange(len(table)), test_size=options.held_out, stratify=labels)
    except ValueError as error:
        if options.task is None and labels is not None and looks_numeric(labels):
            raise ValueError(
                f"{encoder.target!r} looks numeric but was read as text ({labels[0]!r}); remove currency symbols, percent signs "
                "and thousands separators, or pass --task classification"
            ) from error
        raise
    training, held_out = (part.tolist() for part in parts)
    encoder.fit(table, training)
    return encoder.transform(table.take(training)), encoder.transform(table.take(held_out))


def linear_error(encoder: data.Encoder, rows: Rows, held_out: Rows) -> float:
    """The held-out mean absolute error, in the target's units, of ordinary least squares on the same features."""
    linear_model = import_extra("sklearn.linear_model", "data", "the linear model to compare with", "scikit-learn")
    x, y, x_test, y_test = (t.cpu().numpy() for t in (*rows, *held_out))
    predicted = linear_model.LinearRegression().fit(x, y).predict(x_test)
    return float(abs(predicted - y_test).mean()) * encoder.scale[1]
