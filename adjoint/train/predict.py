"""What ``adjoint predict`` does: from a saved model and a table to predictions as CSV."""

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
from .job import WEIGHTS
from .models import mlp
from .tables import find


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
    return model, encoder


def predict(options: argparse.Namespace) -> None:
    """Write each row's number and prediction, a class with its probability, or a value, as CSV."""
    path = Path(options.model)
    path = path / WEIGHTS if path.is_dir() else path
    with use_backend(options.backend or default()) as backend, backend.quiet():
        model, encoder = restore(path)
        table = find(options.data)
        wanted = [*encoder.numeric, *encoder.categories]
        rows = [i for i in range(len(table)) if all(table[name][i] is not None for name in wanted)]
        if len(rows) < len(table):
            print(f"{len(table) - len(rows)} of {len(table)} rows have missing values and are left out", file=sys.stderr)
        if not rows:
            raise ValueError(f"{options.data}: no row is complete in the columns {', '.join(wanted)}")
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
