"""The tables that the command line trains on, by name or from a file, and what there is to say about their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from .. import data
from ..data.datasets import TABLES
from ..data.table import Table, nearest, number


def iris() -> Table:
    """The columns are called as in R, whose iris.csv a model of this one predicts."""
    flowers = data.iris()
    names = "Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"
    columns = dict(zip(names, flowers.x.T.tolist(), strict=True))
    return Table(columns | {"Species": [flowers.class_names[i] for i in flowers.y.tolist()]})


def digits() -> Table:
    images = data.digits()
    return Table(dict(zip(images.feature_names, images.x.T.tolist(), strict=True)) | {"digit": images.y.tolist()})


#: The table and the column to predict, classes unless the task is said to be another.
BUNDLED: dict[str, tuple[Callable[[], Table], str]] = {"iris": (iris, "Species"), "digits": (digits, "digit")}


def find(source: str) -> Table:
    """The table in the file ``source``, or of that name. Raises ``FileNotFoundError`` with the names where there is neither."""
    if not Path(source).exists():
        if source in BUNDLED:
            return BUNDLED[source][0]()
        if source == "mnist":
            raise ValueError(
                "mnist is images, not a table: train on adjoint.data.mnist() in a loop of your own, "
                "or use digits, its small sibling"
            )
        names = dict.fromkeys([*BUNDLED, *TABLES])
        if source.removesuffix(".csv") not in TABLES:
            raise FileNotFoundError(
                f"{source}: there is no such file, nor a data set of that name{nearest(source, names)}; "
                f"the names are {', '.join(names)}"
            )
    return data.read_csv(source)


def read(source: str, target: str | None, task: str | None) -> tuple[Table, str, str | None]:
    """The table that ``source`` names, its target column, and the task where it is known without looking at the column."""
    table = find(source)
    if source in BUNDLED and not Path(source).exists() and target in (None, own := BUNDLED[source][1]):
        return table, own, task or "classification"
    if target is None:
        raise ValueError(f"say which column to predict: --target COLUMN, one of {', '.join(table.names)}")
    table[target]  # an unknown column is refused before anything is said
    return table, target, task


def notes(table: Table, target: str, task: str | None) -> Iterator[str]:
    """A line for each thing about the columns that is probably not as the user thinks."""
    if table.row_names is not None:
        yield f"the first column ({table.row_names or 'without a name'}) is taken for the rows' names and left out"
    for name in table.names:
        if table.is_numeric(name):
            continue
        there = [(row, str(value)) for row, value in enumerate(table[name], 1) if value is not None]
        others = [(row, value) for row, value in there if number(value) is None]
        different = len({value for _, value in there})
        if 2 * len(others) < len(there):
            row, value = others[0]
            known = len(there) - len(others)
            yield f"{name} is read as text, though {known} of its {len(there)} values are numbers: row {row} has {value!r}"
        elif name != target and len(there) >= 10 and different > 0.9 * len(there):
            yield (
                f"{name} is text with {different} different values in {len(there)} rows, each of them a feature; "
                "if it only names the rows, remove the column"
            )
    values = {value for value in table[target] if value is not None}
    if task is None and len(values) == 2 and all(isinstance(value, int) for value in values):
        low, high = sorted(map(str, values))
        yield f"{target} is {low} or {high}, and is predicted as a number: --task classification predicts which of them it is"
