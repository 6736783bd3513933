"""The tables that the command line trains on, by name or from a file, and notes on suspicious columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .. import data
from ..data.datasets import TABLES
from ..data.table import Table, number
from ..errors import nearest


def iris() -> Table:
    """Fisher's iris with the column names of R's iris.csv."""
    flowers = data.iris()
    names = "Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"
    columns = dict(zip(names, flowers.x.T.tolist(), strict=True))
    return Table(columns | {"Species": [flowers.class_names[i] for i in flowers.y.tolist()]})


def digits() -> Table:
    """scikit-learn's digits: a column per pixel, and ``digit``."""
    images = data.digits()
    return Table(dict(zip(images.feature_names, images.x.T.tolist(), strict=True)) | {"digit": images.y.tolist()})


#: The bundled tables and their target columns; their task is a classification by default.
BUNDLED: dict[str, tuple[Callable[[], Table], str]] = {"iris": (iris, "Species"), "digits": (digits, "digit")}


def find(source: str) -> Table:
    """The table in the file ``source``, or of that name. Raises ``FileNotFoundError`` where there is neither."""
    if not Path(source).exists():
        if source in BUNDLED:
            return BUNDLED[source][0]()
        if source == "mnist":
            raise ValueError(
                "mnist is images, not a table: train on adjoint.data.mnist() in your own loop, or use digits, which is smaller"
            )
        names = dict.fromkeys([*BUNDLED, *TABLES])
        if source.removesuffix(".csv") not in TABLES:
            raise FileNotFoundError(f"{source}: no such file or data set{nearest(source, names)}; the names are {', '.join(names)}")
    return data.read_csv(source)


def read(source: str, target: str | None, task: str | None) -> tuple[Table, str, str | None]:
    """The table of that file or name, its target column, and the task; None where the column's type decides.

    Bundled tables have a default target. Raises ``ValueError`` where there is no target or no such column, and what :func:`find`
    raises.
    """
    table = find(source)
    if source in BUNDLED and not Path(source).exists() and target in (None, own := BUNDLED[source][1]):
        return table, own, task or "classification"
    if target is None:
        raise ValueError(f"no target column: pass --target COLUMN, one of {', '.join(table.names)}")
    table[target]  # raises for an unknown column
    return table, target, task


def looks_numeric(values: Sequence[object]) -> bool:
    """Whether all are numbers once currency symbols, percent signs and thousands separators are removed."""
    return all(number(re.sub(r"[$€£¥%,\s]", "", str(value))) is not None for value in values)


def notes(table: Table, target: str, task: str | None) -> Iterator[str]:
    """A sentence on each suspicious column: numbers parsed as text, row names, identifiers, and classes given as numbers."""
    if table.row_names is not None:
        yield f"the first column ({table.row_names or 'without a name'}) is taken for the rows' names and left out"
    for name in table.names:
        if table.is_numeric(name):
            continue
        present = [(row, str(value)) for row, value in enumerate(table[name], 1) if value is not None]
        words = [(row, value) for row, value in present if number(value) is None]
        distinct = len({value for _, value in present})
        if 2 * len(words) < len(present):
            row, value = words[0]
            numbers = len(present) - len(words)
            yield f"{name} is read as text, though {numbers} of its {len(present)} values are numbers: row {row} has {value!r}"
        elif name != target and len(present) >= 10 and distinct > 0.9 * len(present):
            yield (
                f"{name} is text with {distinct} different values in {len(present)} rows, each of them a feature; "
                "if it only names the rows, remove the column"
            )
    values = {value for value in table[target] if value is not None}
    if task is None and len(values) == 2 and all(isinstance(value, int) for value in values):
        low, high = sorted(map(str, values))
        yield f"{target} is {low} or {high} and is predicted as a number; pass --task classification to predict it as a class"
