"""Tables read from CSV files: named columns of numbers or text, in which missing values are known."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Value = int | float | str | None

#: What stands for a missing value, in any case of letters; but ``None``, as Python writes it, only so, since "none" is a word.
MISSING = frozenset(["", "na", "n/a", "#na", "#n/a", "<na>", "nan", "-nan", "null", "None"])


class Table:
    """Named columns of equal length. A column is numeric (int and float values) or text (str); None is a missing value.

    Raises ``ValueError`` where there is no column, or the columns differ in length.

    >>> table = Table({"size": [1.5, 2, None], "kind": ["a", "b", "a"]})
    >>> table
    Table(3 rows: size (numeric, 1 missing), kind (text))
    >>> table.drop_missing()
    (Table(2 rows: size (numeric), kind (text)), 1)
    """

    def __init__(self, columns: Mapping[str, Sequence[Value]]) -> None:
        self._columns = {name: list(values) for name, values in columns.items()}
        self.row_names: str | None = None  #: the heading of the column of row names that :func:`read_csv` left out
        if not self._columns:
            raise ValueError("Table: there is no column")
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"Table: the columns must have as many rows each, not {lengths}")

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
        """Whether the column holds numbers; one in which all is missing does."""
        return not any(isinstance(value, str) for value in self[name])

    def missing(self, name: str) -> int:
        """How many values of the column are missing."""
        return self[name].count(None)

    def select(self, names: Iterable[str]) -> Table:
        """The columns ``names``, in that order."""
        return Table({name: self[name] for name in names})

    def without(self, names: str | Iterable[str]) -> Table:
        """All columns but ``names``."""
        out = [names] if isinstance(names, str) else list(names)
        for name in out:
            self[name]
        return Table({name: values for name, values in self._columns.items() if name not in out})

    def take(self, rows: Iterable[int]) -> Table:
        """The rows of the given numbers, in that order."""
        chosen = list(rows)
        return Table({name: [values[row] for row in chosen] for name, values in self._columns.items()})

    def drop_missing(self, columns: Iterable[str] | None = None) -> tuple[Table, int]:
        """The rows in which no value of ``columns`` (of any) is missing, and how many rows were dropped."""
        looked_at = [self[name] for name in (self.names if columns is None else columns)]
        kept = [row for row in range(len(self)) if all(values[row] is not None for values in looked_at)]
        return self.take(kept), len(self) - len(kept)

    def __repr__(self) -> str:
        shown = []
        for name in self.names[:10]:
            missing = f", {self.missing(name)} missing" if self.missing(name) else ""
            shown.append(f"{name} ({'numeric' if self.is_numeric(name) else 'text'}{missing})")
        more = f", … {len(self.names) - 10} more" if len(self.names) > 10 else ""
        return f"Table({len(self)} rows: {', '.join(shown)}{more})"


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean 'x' or 'y'?"`` where names like ``name`` are known, else nothing."""
    from difflib import get_close_matches

    by_lower = {other.lower(): other for other in known}
    found = [repr(by_lower[match]) for match in get_close_matches(name.lower(), by_lower, 3, 0.6)]
    return f" (did you mean {' or '.join(found)}?)" if found else ""


def read_csv(path_or_name: str | os.PathLike[str]) -> Table:
    """The table in a CSV file (UTF-8, commas, a header), or in the data set of that name (:func:`adjoint.data.fetch`).

    A column is numeric where every value that is not missing is a number, else text. :data:`MISSING` values are None. A first
    column without a name or called ``rownames`` numbers or names the rows (as R writes it); it is no feature and left out, and
    :attr:`Table.row_names` has its heading.

    Raises:
        FileNotFoundError: there is neither such a file nor such a data set.
        ValueError: not UTF-8 text, an empty file, a header without rows, a column without a name, two of one name, a row with
            more or fewer cells than the header, or a number too large for float64; the message names the file and the line.
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
            raise ValueError(f"{path}, line {line}: {len(row)} cells, and the header has {len(header)}")
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
    from .datasets import TABLES, fetch

    path = os.fspath(path_or_name)
    if os.path.exists(path):
        return path
    if path.removesuffix(".csv") in TABLES:
        return os.fspath(fetch(path))
    raise FileNotFoundError(f"{path}: there is no such file, nor a data set of that name{nearest(path, TABLES)}")


def _rows(path: str) -> Iterator[Any]:
    """The lines' numbers and their cells, stripped; blank lines left out."""
    import csv
    import io

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
        raise ValueError(f"{path}, line 1: the cells are separated by {';' if ';' in names[0] else 'tabs'}, not by commas")
    if "" in names:
        raise ValueError(f"{path}, line 1: column {names.index('') + 1} has no name")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"{path}, line 1: two columns have the name {' and '.join(map(repr, twice))}")


def _typed(cells: list[str]) -> list[Value]:
    values: list[Value] = [None if cell in MISSING or cell.lower() in MISSING else cell for cell in cells]
    numbers: list[Value] = []
    for value in values:
        found = None if value is None else number(str(value))
        if value is not None and found is None:
            return values
        numbers.append(found)
    return numbers


def number(cell: str) -> int | float | None:
    """The number a cell states; None where it states none."""
    if "_" in cell:  # Python's own digit separator, which files do not have
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(cell) if cell.lstrip("+-").isdecimal() and math.isfinite(value) else value
