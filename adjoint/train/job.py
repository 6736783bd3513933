"""What ``adjoint train`` does: from a table to a saved model and the picture of its learning."""

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

import adjoint

from .. import data, nn
from ..autograd import Tensor
from ..autograd.creation import arange
from ..autograd.random import manual_seed
from ..backends import default, use_backend
from ..errors import MissingExtra
from ..files import atomic_write, save
from ..optim.lr_scheduler import CosineAnnealingLR
from . import report
from .callbacks import Callback, LearningRateScheduler, Logs
from .history import History
from .metrics import Accuracy, MeanAbsoluteError, Metric
from .models import mlp
from .names import OPTIMIZERS, found
from .summary import layer_table
from .tables import notes, read

if TYPE_CHECKING:
    from rich.console import Console

Rows = tuple[Tensor, Tensor]  #: features (n, inputs), and a target for each row: class numbers (n,), or values (n, 1)

NEEDED = (
    ("rich", "cli", "the command line"),
    ("safetensors", "files", "saving the weights"),
    ("matplotlib", "plot", "the learning curve"),
)
WEIGHTS, CURVE = "weights.safetensors", "learning-curve.png"


def check_packages() -> None:
    """Raise :class:`MissingExtra` for the first package that ``train`` would miss at its end."""
    for package, extra, purpose in NEEDED:
        if find_spec(package) is None:
            raise MissingExtra(package, extra, purpose)


def check_folder(folder: Path) -> None:
    """Raise ``OSError`` where the results can not be written to ``folder``, made or yet to be made."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file is there, and a folder is to be written", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "no permission to write there", str(there))
    for path in (folder / WEIGHTS, folder / CURVE):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder is there, and a file is to be written", str(path))


def train(options: argparse.Namespace) -> None:
    """Train on a table, show it happening, and write weights and learning curve to a folder."""
    found("optimizer", options.optimizer, OPTIMIZERS)
    folder = Path(options.out or Path("runs") / Path(options.data).stem)
    check_packages()
    check_folder(folder)
    screen = report.console()
    with use_backend(options.backend or default()) as backend, backend.quiet():
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
            screen.print(f"{folder} has the results of an earlier run; this run's will replace them")
        model = mlp(rows[0].shape[1], options.hidden, encoder.n_outputs, options.activation)
        score = ErrorInUnits(encoder.scale[1]) if regression else Accuracy()
        history = learn(model, rows, held_out, score, options, screen)
        reached = history.history[f"val_{score.name}"][-1]
        screen.print(layer_table(model))
        if regression:
            screen.print(f"held-out {score.name} {reached:.4g}; a linear model's {baseline:.4g}")
        else:
            x, y = held_out
            names = [str(value) for value in encoder.classes]
            screen.print(report.confusion(y.tolist(), model.predict_classes(x).tolist(), names, screen.width))
            screen.print(f"held-out {score.name} {reached:.4f}")
        description = {
            "adjoint": adjoint.__version__, "hidden": options.hidden, "activation": options.activation,
            "encoder": encoder.to_dict(),
        }  # fmt: skip
        with made(folder), atomic_write(folder / WEIGHTS) as weights, atomic_write(folder / CURVE) as curve:
            save(model.state_dict(), weights, {"model": json.dumps(description)})
            report.learning_curve(history, f"{Path(options.data).stem}: {target}", curve)
        screen.print(f"wrote {WEIGHTS} and {CURVE} to {folder}")


class ErrorInUnits(MeanAbsoluteError):
    """The mean absolute error in the target's units, of which the encoder made values in multiples of ``unit``."""

    name = "mean absolute error"

    def __init__(self, unit: float) -> None:
        self.unit = unit
        super().__init__()

    def result(self) -> float:
        return super().result() * self.unit


class Divergence(Callback):
    """Raise ``RuntimeError`` after an epoch that ends with a loss that is not finite: at the rate ``lr``, training diverged."""

    def __init__(self, lr: float) -> None:
        self.lr = lr

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        loss, held_out = logs["loss"], logs["val_loss"]
        if not math.isfinite(loss + held_out):
            raise RuntimeError(
                f"the training diverged in epoch {epoch + 1}: the loss is {loss:.3g}, {held_out:.3g} on the held-out rows; "
                f"use a smaller learning rate (--lr, here {self.lr:g})"
            )


def learn(model: nn.Module, rows: Rows, held_out: Rows, score: Metric, options: argparse.Namespace, screen: Console) -> History:
    """Train by mini-batches in random order: cross entropy for class numbers, mean squared error for values.

    The learning rate falls to 0 along half a cosine (Loshchilov and Hutter, 2017): the last weights settle. The penalty is shared
    among the rows: the optimizer's weight decay is the penalty over their number, so that it counts for less the more there is
    to learn from.

    Raises ``RuntimeError`` where the training diverges, and ``KeyboardInterrupt`` on Ctrl-C.
    """
    x, y = rows
    rule, _ = found("optimizer", options.optimizer, OPTIMIZERS)
    optimizer = rule(model.parameters(), lr=options.lr, weight_decay=options.penalty / len(x))
    model.compile(optimizer, nn.MSELoss() if y.dtype.is_floating_point else nn.CrossEntropyLoss(), score)
    schedule = LearningRateScheduler(CosineAnnealingLR(optimizer, T_max=options.epochs))
    history: History = model.fit(
        x, y, epochs=options.epochs, batch_size=options.batch_size, validation_data=held_out,
        callbacks=[schedule, Divergence(options.lr), report.EpochBar(screen, len(x), score.name)],
        capture=options.capture, verbose=0,
    )  # fmt: skip
    if history.interrupted:
        raise KeyboardInterrupt
    return history


@contextmanager
def made(folder: Path) -> Iterator[None]:
    """The folder, with those above it; where the block raises, or is interrupted, what was made is removed."""
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
    """The rows to train on, which the encoder is fitted on, and the held-out rows, encoded; classes keep their shares."""
    if len(table) < 2:
        raise ValueError(f"{options.data}: {len(table)} complete rows; at least 2 are needed, to train on and to hold out")
    encoder.fit(table)
    labels = table[encoder.target] if encoder.task == "classification" else None
    parts = [part.tolist() for part in data.train_test_split(arange(len(table)), test_size=options.held_out, stratify=labels)]
    encoder.fit(table, parts[0])
    rows, held_out = (encoder.transform(table.take(part)) for part in parts)
    return rows, held_out


def linear_error(encoder: data.Encoder, rows: Rows, held_out: Rows) -> float:
    """The held-out mean absolute error, in the target's units, of ordinary least squares on the same features."""
    try:
        from sklearn.linear_model import LinearRegression
    except ImportError:
        raise MissingExtra("scikit-learn", "data", "the linear model to compare with") from None
    x, y, x_test, y_test = (t.cpu().numpy() for t in (*rows, *held_out))
    fitted = LinearRegression().fit(x, y)
    return float(abs(fitted.predict(x_test) - y_test).mean()) * encoder.scale[1]
