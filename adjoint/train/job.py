"""What ``adjoint train`` and ``adjoint predict`` do: from a table to a saved model, and from that to predictions."""

from __future__ import annotations

import argparse
import csv
import errno
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import adjoint

from .. import data, nn
from ..autograd import no_grad
from ..autograd.creation import arange
from ..autograd.random import manual_seed
from ..backends import default, use_backend
from ..data.table import nearest
from ..errors import FileFormatError, MissingExtra
from ..files import atomic_write, load, load_metadata, save
from . import report
from .loop import OPTIMIZERS, Split, fit, mlp

NEEDED = (
    ("rich", "cli", "the command line"),
    ("safetensors", "files", "saving the weights"),
    ("matplotlib", "plot", "the learning curve"),
)
WEIGHTS, CURVE = "weights.safetensors", "learning-curve.png"
BUNDLED = {"iris": (data.iris, "species"), "digits": (data.digits, "digit")}


def read(source: str, target: str | None) -> tuple[data.Table, str]:
    """The table that ``source`` names, and its target column."""
    if source in BUNDLED and not Path(source).exists():
        load_set, name = BUNDLED[source]
        bundled = load_set()
        columns: dict[str, Any] = dict(zip(bundled.feature_names, bundled.x.T.tolist(), strict=True))
        return data.Table(columns | {name: [bundled.class_names[i] for i in bundled.y.tolist()]}), target or name
    if source == "mnist" and not Path(source).exists():
        raise ValueError(
            "mnist is images, not a table: train on adjoint.data.mnist() in a loop of your own, or use digits, its small sibling"
        )
    table = data.read_csv(source)
    if target is None:
        raise ValueError(f"say which column to predict: --target COLUMN, one of {', '.join(table.names)}")
    return table, target


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
        table, target = read(options.data, options.target)
        table[target]  # an unknown column is refused before anything is said
        table, dropped = table.drop_missing()
        if dropped:
            screen.print(f"{dropped} of {dropped + len(table)} rows have missing values and are left out")
        encoder, parts = split(table, target, options)
        regression = encoder.task == "regression"
        baseline = linear_error(encoder, *parts) if regression else 0.0
        screen.print(
            f"{encoder.task} of {target}: {len(parts[0].x)} rows to train on, {len(parts[1].x)} held out, "
            f"{parts[0].x.shape[1]} features, backend {backend.name}, seed {options.seed}"
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
                epochs=options.epochs, batch_size=options.batch_size, unit=encoder.scale[1], watch=watch,
            )  # fmt: skip
        screen.print(report.layer_table(model))
        if regression:
            screen.print(f"held-out mean absolute error {history[-1].score:.4g}; a linear model's {baseline:.4g}")
        else:
            with no_grad():
                predicted = model(parts[1].x).argmax(dim=1)
            screen.print(report.confusion(parts[1].y.tolist(), predicted.tolist(), [str(c) for c in encoder.classes]))
            screen.print(f"held-out accuracy {history[-1].score:.4f}")
        description = {
            "adjoint": adjoint.__version__, "hidden": options.hidden, "activation": options.activation,
            "encoder": encoder.to_dict(),
        }  # fmt: skip
        with made(folder), atomic_write(folder / WEIGHTS) as weights, atomic_write(folder / CURVE) as curve:
            save(model.state_dict(), weights, {"model": json.dumps(description)})
            report.learning_curve(history, score_name, curve)
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


def split(table: data.Table, target: str, options: argparse.Namespace) -> tuple[data.Encoder, tuple[Split, Split]]:
    """An encoder fitted on the rows to train on, and these and the held-out rows encoded; classes keep their shares."""
    if len(table) < 2:
        raise ValueError(f"{options.data}: {len(table)} complete rows; at least 2 are needed, to train on and to hold out")
    encoder = data.Encoder(target, task=options.task)
    encoder.fit(table)
    labels = table[target] if encoder.task == "classification" else None
    rows = [part.tolist() for part in data.train_test_split(arange(len(table)), test_size=options.held_out, stratify=labels)]
    encoder.fit(table, rows[0])
    train_rows, held_out = (Split(*encoder.transform(table.take(part))) for part in rows)
    return encoder, (train_rows, held_out)


def linear_error(encoder: data.Encoder, train_rows: Split, held_out: Split) -> float:
    """The held-out mean absolute error, in the target's units, of ordinary least squares on the same features."""
    try:
        from sklearn.linear_model import LinearRegression
    except ImportError:
        raise MissingExtra("scikit-learn", "data", "the linear model to compare with") from None
    x, y, x_test, y_test = (t.cpu().numpy() for t in (*train_rows, *held_out))
    fitted = LinearRegression().fit(x, y)
    return float(abs(fitted.predict(x_test) - y_test).mean()) * encoder.scale[1]


def restore(path: Path) -> tuple[nn.Module, data.Encoder]:
    """The model and encoder that ``train`` saved. Raises :class:`FileFormatError` where the file is no such model."""
    described = load_metadata(path).get("model")
    if described is None:
        raise FileFormatError(f"{path}: the weights have no description of their model; use a file that 'adjoint train' wrote")
    try:
        description = json.loads(described)
        encoder = data.Encoder.from_dict(description["encoder"])
        model = mlp(len(encoder.feature_names), description["hidden"], encoder.n_outputs, description["activation"])
        model.load_state_dict(load(path))
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise FileFormatError(f"{path}: the description of the model does not fit its weights ({error})") from error
    return model.eval(), encoder


def predict(options: argparse.Namespace) -> None:
    """Write each row's number and prediction, a class with its probability, or a value, as CSV."""
    path = Path(options.model)
    path = path / WEIGHTS if path.is_dir() else path
    with use_backend(options.backend or default()) as backend, backend.quiet():
        model, encoder = restore(path)
        table = data.read_csv(options.data)
        wanted = [*encoder.numeric, *encoder.categories]
        rows = [i for i in range(len(table)) if all(table[name][i] is not None for name in wanted)]
        if len(rows) < len(table):
            print(f"{len(table) - len(rows)} of {len(table)} rows have missing values and are left out", file=sys.stderr)
        if not rows:
            raise ValueError(f"{options.data}: no row is complete in the columns {', '.join(wanted)}")
        with no_grad():
            output = model(encoder.features(table.take(rows)))
        if encoder.task == "classification":
            probabilities = nn.functional.softmax(output, dim=1)
            best = probabilities.max(dim=1)
            header = ["row", encoder.target, "probability"]
            columns = [encoder.decode(best.indices), [f"{p:.4f}" for p in best.values.tolist()]]
        else:
            header, columns = ["row", encoder.target], [[f"{value:.6g}" for value in encoder.decode(output)]]
    lines = [header, *zip((i + 1 for i in rows), *columns, strict=True)]
    if options.out is None:
        csv.writer(sys.stdout, lineterminator="\n").writerows(lines)
    else:
        with atomic_write(options.out) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)
