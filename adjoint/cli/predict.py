"""``adjoint predict``: from a saved model and a table to predictions as CSV."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

from .. import data, nn
from ..backends import default, use_backend
from ..errors import FileFormatError
from ..files import atomic_write, load, load_metadata
from ..train import mlp
from .tables import find
from .train import WEIGHTS


def restore(path: Path) -> tuple[nn.Module, data.Encoder]:
    """The model and encoder that ``adjoint train`` saved. Raises :class:`FileFormatError` for any other file."""
    metadata = load_metadata(path).get("model")
    if metadata is None:
        raise FileFormatError(f"{path}: the weights have no description of their model; use a file that 'adjoint train' wrote")
    try:
        description = json.loads(metadata)
        encoder = data.Encoder.from_dict(description["encoder"])
        model = mlp(len(encoder.feature_names), description["hidden"], encoder.n_outputs, description["activation"])
        model.load_state_dict(load(path))
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise FileFormatError(f"{path}: the description of the model does not fit its weights ({error})") from error
    return model, encoder


def predict(options: argparse.Namespace) -> None:
    """Write the number and the prediction of each complete row as CSV: a class and its probability, or a value.

    Args:
        options: the parsed options of ``adjoint predict``: ``model``, ``data``, ``out`` and ``backend``.

    Raises:
        FileFormatError: the model's file is not one that ``adjoint train`` wrote.
        ValueError: no row is complete, or the table lacks a column or has an unknown category.
        OSError: a file cannot be read or written.
    """
    path = Path(options.model)
    path = path / WEIGHTS if path.is_dir() else path
    with use_backend(options.backend or default()) as backend, backend.suppress_warnings():
        model, encoder = restore(path)
        table = find(options.data)
        needed = [*encoder.numeric, *encoder.categories]
        rows = [i for i in range(len(table)) if all(table[name][i] is not None for name in needed)]
        if len(rows) < len(table):
            print(f"{len(table) - len(rows)} of {len(table)} rows have missing values and are left out", file=sys.stderr)
        if not rows:
            raise ValueError(f"{options.data}: no row is complete in the columns {', '.join(needed)}")
        output = model.predict(encoder.features(table.take(rows)), batch_size=len(rows))
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
