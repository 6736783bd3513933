"""Tables read from CSV files: named columns of numbers or text, with missing values."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..errors import nearest
from ..lazy import LazyModule
from .datasets import TABLES, fetch

__all__ = ["Table", "read_csv"]

csv: Any = LazyModule("csv", None)
Value = int | float | str | None

#: The strings that are missing values, in any case, except for ``None``, which is exact, since "none" is a word.
MISSING = frozenset(["", "na", "n/a", "#na", "#n/a", "<na>", "nan", "-nan", "null", "None"])


class Table:
    """Named columns of equal length. A column is numeric (int and float values) or text (str); None is a missing value.

    Args:
        columns: the values by column name.

    Attributes:
        row_names: the heading of the column of row names that :func:`read_csv` left out, or None.

    Raises ``ValueError`` where there is no column, or the columns differ in length.

    >>> table = Table({"size": [1.5, 2, None], "kind": ["a", "b", "a"]})
    >>> table
    Table(3 rows: size (numeric, 1 missing), kind (text))
    >>> table.drop_missing()
    (Table(2 rows: size (numeric), kind (text)), 1)
    """

    def __init__(self, columns: Mapping[str, Sequence[Value]]) -> None:
        self._columns = {name: list(values) for name, values in columns.items()}
        self.row_names: str | None = None
        if not self._columns:
            raise ValueError("Table: there is no column")
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Table: the columns must have equal lengths, not {lengths}")
        self._row_numbers: Sequence[int] = range(1, len(self) + 1)  # of the original table's rows, for messages

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return list(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> list[Value]:
        """The values of the column ``name``. Raises ``ValueError``, with the nearest names, where there is none."""
        if name not in self._columns:
            raise ValueError(f"there is no column {name!r}{nearest(name, self.names)}; the columns are {', '.join(self.names)}")
        return self._columns[name]

    def is_numeric(self, name: str) -> bool:
        """Whether the column ``name`` holds numbers; one with missing values alone does."""
        return not any(isinstance(value, str) for value in self[name])

    def missing(self, name: str) -> int:
        """The number of missing values in the column ``name``."""
        return self[name].count(None)

    def select(self, names: Iterable[str]) -> Table:
        """The columns ``names``, in that order. Raises ``ValueError`` where there is no such column."""
        return self._with({name: self[name] for name in names}, self._row_numbers)

    def without(self, names: str | Iterable[str]) -> Table:
        """All columns except ``names``. Raises ``ValueError`` where there is no such column."""
        removed = [names] if isinstance(names, str) else list(names)
        for name in removed:
            self[name]
        return self._with({name: values for name, values in self._columns.items() if name not in removed}, self._row_numbers)

    def take(self, rows: Iterable[int]) -> Table:
        """The rows with the given numbers, counted from 0, in that order."""
        chosen = list(rows)
        columns = {name: [values[row] for row in chosen] for name, values in self._columns.items()}
        return self._with(columns, [self._row_numbers[row] for row in chosen])

    @staticmethod
    def _with(columns: Mapping[str, Sequence[Value]], row_numbers: Sequence[int]) -> Table:
        table = Table(columns)
        table._row_numbers = row_numbers
        return table

    def drop_missing(self, columns: Iterable[str] | None = None) -> tuple[Table, int]:
        """The rows without missing values in ``columns`` (all by default), and the number of rows dropped."""
        checked = [self[name] for name in (self.names if columns is None else columns)]
        complete = [row for row in range(len(self)) if all(values[row] is not None for values in checked)]
        return self.take(complete), len(self) - len(complete)

    def __repr__(self) -> str:
        shown = []
        for name in self.names[:10]:
            missing = f", {self.missing(name)} missing" if self.missing(name) else ""
            shown.append(f"{name} ({'numeric' if self.is_numeric(name) else 'text'}{missing})")
        more = f", … {len(self.names) - 10} more" if len(self.names) > 10 else ""
        return f"Table({len(self)} rows: {', '.join(shown)}{more})"


def read_csv(path_or_name: str | os.PathLike[str]) -> Table:
    """Read a CSV file (UTF-8, commas, a header).

    A column is numeric where every value that is not missing is a number, else text. :data:`MISSING` values become None. A first
    column without a name or called ``rownames``, as R writes it, is left out; :attr:`Table.row_names` has its heading.

    Args:
        path_or_name: the file, or the name of a data set of :func:`adjoint.data.fetch`.

    Raises:
        FileNotFoundError: there is no such file or data set.
        ValueError: not UTF-8 text, an empty file, a header without rows, a column without a name, two of one name, a row with
            more or fewer fields than the header, or a number too large for float64; the message names the file and the line.
    """
    path = _locate(path_or_name)
    rows = _rows(path)
    _, header = next(rows, (0, None))
    if header is None:
        raise ValueError(f"{path}: the file is empty; a CSV file begins with a line of column names")
    row_names = header[0] == "" or header[0].lower() == "rownames"
    _check_header(path, header[row_names:])
    cells: list[list[str]] = [[] for _ in header]
    lines = []
    for line, row in rows:
        lines.append(line)
        if len(row) != len(header):
            raise ValueError(f"{path}: line {line} has {len(row)} field{'s' * (len(row) != 1)}, but the header has {len(header)}")
        for column, cell in zip(cells, row, strict=True):
            column.append(cell)
    if not cells[0]:
        raise ValueError(f"{path}: there is a header and no rows")
    columns = {}
    for name, column in list(zip(header, cells, strict=True))[row_names:]:
        columns[name] = _typed(column)
        for line, cell, value in zip(lines, column, columns[name], strict=True):
            if value in (math.inf, -math.inf) and any(character.isdecimal() for character in cell):
                raise ValueError(f"{path}, line {line}: {cell} in column {name!r} is too large for a number")
    table = Table(columns)
    table.row_names = header[0] if row_names else None
    return table


def _locate(path_or_name: str | os.PathLike[str]) -> str:
    path = os.fspath(path_or_name)
    if os.path.exists(path):
        return path
    if path.removesuffix(".csv") in TABLES:
        return os.fspath(fetch(path))
    raise FileNotFoundError(f"{path}: no such file or data set{nearest(path, TABLES)}")


def _rows(path: str) -> Iterator[Any]:
    """The number and the stripped fields of each line that is not blank."""
    with open(path, "rb") as file:
        data = file.read()
    if b"\0" in data:
        raise ValueError(f"{path}, line {data[: data.index(0)].count(10) + 1}: not a text file (it has zero bytes)")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(10) + 1
        raise ValueError(f"{path}, line {line}: not UTF-8 text (byte {data[error.start]:#04x}); save the file as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None


def _check_header(path: str, names: list[str]) -> None:
    if not names:
        raise ValueError(f"{path}, line 1: there is no column besides the row names")
    if len(names) == 1 and any(separator in names[0] for separator in ";\t"):
        raise ValueError(f"{path}, line 1: the fields are separated by {';' if ';' in names[0] else 'tabs'}, not by commas")
    if "" in names:
        raise ValueError(f"{path}, line 1: column {names.index('') + 1} has no name")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{path}, line 1: two columns have the name {' and '.join(map(repr, twice))}")


def _typed(cells: list[str]) -> list[Value]:
    values: list[Value] = [None if cell in MISSING or cell.lower() in MISSING else cell for cell in cells]
    numbers: list[Value] = []
    for value in values:
        parsed = None if value is None else number(str(value))
        if value is not None and parsed is None:
            return values
        numbers.append(parsed)
    return numbers


def number(cell: str) -> int | float | None:
    """The number that a field holds; None where it holds none."""
    if "_" in cell:  # Python's digit separator, which CSV files do not use
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(cell) if cell.lstrip("+-").isdecimal() and math.isfinite(value) else value
