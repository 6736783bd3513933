"""What ``adjoint train`` does: from a table to a saved model and the picture of its learning."""

from __future__ import annotations

import argparse
import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import adjoint

from .. import data
from ..autograd import no_grad
from ..autograd.creation import arange
from ..autograd.random import manual_seed
from ..backends import default, use_backend
from ..data.table import nearest
from ..errors import MissingExtra
from ..files import atomic_write, save
from . import report
from .loop import OPTIMIZERS, Split, fit, mlp
from .tables import notes, read

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
    if options.optimizer not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"unknown optimizer {options.optimizer!r}{nearest(options.optimizer, OPTIMIZERS)}; use one of {known}")
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
        parts = split(table, encoder, options)
        regression = encoder.task == "regression"
        baseline = linear_error(encoder, *parts) if regression else 0.0
        screen.print(
            f"{encoder.task} of {target}: {len(parts[0].x)} rows to train on, {len(parts[1].x)} held out, "
            f"{parts[0].x.shape[1]} features, penalty {options.penalty:g}, backend {backend.name}, seed {options.seed}"
        )
        if encoder.dropped:
            screen.print(f"constant columns, left out: {', '.join(encoder.dropped)}")
        if (folder / WEIGHTS).exists():
            screen.print(f"{folder} has the results of an earlier run; this run's will replace them")
        model = mlp(parts[0].x.shape[1], options.hidden, encoder.n_outputs, options.activation)
        score_name = "mean absolute error" if regression else "accuracy"
        with report.progress(screen, options.epochs, len(parts[0].x), score_name) as watch:
            history = fit(
                model, *parts, optimizer=options.optimizer, lr=options.lr, penalty=options.penalty,
                epochs=options.epochs, batch_size=options.batch_size, unit=encoder.scale[1],
                capture=options.capture, watch=watch,
            )  # fmt: skip
        screen.print(report.layer_table(model))
        if regression:
            screen.print(f"held-out mean absolute error {history[-1].score:.4g}; a linear model's {baseline:.4g}")
        else:
            with no_grad():
                predicted = model(parts[1].x).argmax(dim=1)
            names = [str(value) for value in encoder.classes]
            screen.print(report.confusion(parts[1].y.tolist(), predicted.tolist(), names, screen.width))
            screen.print(f"held-out accuracy {history[-1].score:.4f}")
        description = {
            "adjoint": adjoint.__version__, "hidden": options.hidden, "activation": options.activation,
            "encoder": encoder.to_dict(),
        }  # fmt: skip
        with made(folder), atomic_write(folder / WEIGHTS) as weights, atomic_write(folder / CURVE) as curve:
            save(model.state_dict(), weights, {"model": json.dumps(description)})
            report.learning_curve(history, score_name, f"{Path(options.data).stem}: {target}", curve)
        screen.print(f"wrote {WEIGHTS} and {CURVE} to {folder}")


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


def split(table: data.Table, encoder: data.Encoder, options: argparse.Namespace) -> tuple[Split, Split]:
    """The rows to train on, which the encoder is fitted on, and the held-out rows, encoded; classes keep their shares."""
    if len(table) < 2:
        raise ValueError(f"{options.data}: {len(table)} complete rows; at least 2 are needed, to train on and to hold out")
    encoder.fit(table)
    labels = table[encoder.target] if encoder.task == "classification" else None
    rows = [part.tolist() for part in data.train_test_split(arange(len(table)), test_size=options.held_out, stratify=labels)]
    encoder.fit(table, rows[0])
    train_rows, held_out = (Split(*encoder.transform(table.take(part))) for part in rows)
    return train_rows, held_out


def linear_error(encoder: data.Encoder, train_rows: Split, held_out: Split) -> float:
    """The held-out mean absolute error, in the target's units, of ordinary least squares on the same features."""
    try:
        from sklearn.linear_model import LinearRegression
    except ImportError:
        raise MissingExtra("scikit-learn", "data", "the linear model to compare with") from None
    x, y, x_test, y_test = (t.cpu().numpy() for t in (*train_rows, *held_out))
    fitted = LinearRegression().fit(x, y)
    return float(abs(fitted.predict(x_test) - y_test).mean()) * encoder.scale[1]
