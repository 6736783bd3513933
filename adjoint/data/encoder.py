"""``Encoder``: from the rows of a table to tensors, and from predictions back to values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..autograd import Tensor
from ..autograd.creation import tensor
from ..autograd.functions import concat, isfinite
from ..errors import nearest
from ..nn.functional import one_hot
from .table import Table
from .transforms import standardize

__all__ = ["Encoder"]

TASKS = ("classification", "regression")


class Encoder:
    """Encodes a table's features by standardization or one-hot, and its target as class numbers or a standardized number.

    Numeric features become (x - mean) / std, text features one column per category. Features that are constant over the rows it is
    fitted on are dropped.

    Args:
        target: the column to predict.
        task: ``"classification"`` or ``"regression"``; by default a text target makes a classification, a numeric one a
            regression.

    Attributes:
        target: the column to predict.
        task: the task; None before :meth:`fit` where it was not given.
        numeric: mean and standard deviation by numeric feature.
        categories: the sorted categories by text feature.
        dropped: the constant features.
        classes: the sorted classes of a classification.
        scale: mean and standard deviation of a regression's target.

    Raises ``ValueError`` on another task.

    >>> table = Table({"size": [1, 2, 3, 4], "kind": ["a", "b", "a", "b"], "good": ["no", "no", "yes", "yes"]})
    >>> encoder = Encoder("good").fit(table)
    >>> encoder.feature_names, encoder.classes
    (['size', 'kind=a', 'kind=b'], ['no', 'yes'])
    >>> x, y = encoder.transform(table)
    >>> x.shape, y
    ((4, 3), tensor([0, 0, 1, 1]))
    >>> encoder.decode(y)
    ['no', 'no', 'yes', 'yes']
    """

    def __init__(self, target: str, *, task: str | None = None) -> None:
        if task not in (None, *TASKS):
            raise ValueError(f"Encoder: task is 'classification' or 'regression', not {task!r}{nearest(str(task), TASKS)}")
        self.target, self.task, self._requested_task = target, task, task
        self.numeric: dict[str, tuple[float, float]] = {}
        self.categories: dict[str, list[str]] = {}
        self.dropped: list[str] = []
        self.classes: list[Any] = []
        self.scale: tuple[float, float] = (0.0, 1.0)

    @property
    def feature_names(self) -> list[str]:
        """The names of the columns of x: the numeric features, then ``name=category``."""
        return [*self.numeric, *(f"{name}={value}" for name, values in self.categories.items() for value in values)]

    @property
    def n_outputs(self) -> int:
        """The number of outputs that a model needs: one per class, or 1."""
        return len(self.classes) or 1

    def fit(self, table: Table, rows: Iterable[int] | None = None) -> Encoder:
        """Fit means and scales on some rows, and categories and classes on the whole table.

        Args:
            table: without missing values.
            rows: the numbers of the rows for means and scales, from 0; all by default.

        Returns:
            The encoder itself.

        Raises ``ValueError`` where there is no target column, a value is missing or not finite, numbers are too large for a
        standard deviation, the target has a single class or is constant, a regression's target is text, or no feature is left.
        """
        fitted = table if rows is None else table.take(rows)
        values = _complete(table, self.target)
        if not len(fitted):
            raise ValueError(f"Encoder: there are no rows to fit on; the table has {len(table)}")
        self.task = self._requested_task or ("regression" if table.is_numeric(self.target) else "classification")
        if self.task == "regression":
            self.classes, self.scale = [], _moments(fitted, self.target, "the target")
            if self.scale[1] == 0:
                raise ValueError(f"Encoder: the target {self.target!r} is constant ({values[0]}); there is nothing to learn")
        else:
            self.classes = sorted(set(values))
            if len(self.classes) < 2:
                raise ValueError(
                    f"Encoder: the target {self.target!r} has the single class {values[0]!r}; there is nothing to learn"
                )
        self.numeric, self.categories, self.dropped = {}, {}, []
        for name in table.names:
            if name == self.target:
                continue
            column = _complete(table, name)
            if not table.is_numeric(name):
                categories = sorted(set(column))
                if len(categories) > 1:
                    self.categories[name] = categories
                else:
                    self.dropped.append(name)
            elif (moments := _moments(fitted, name, "the feature"))[1] > 0:
                self.numeric[name] = moments
            else:
                self.dropped.append(name)
        if not self.feature_names:
            others = f"the columns {', '.join(self.dropped)} are constant" if self.dropped else "the table has no other column"
            raise ValueError(f"Encoder: no feature is left beside the target {self.target!r}: {others}")
        return self

    def features(self, table: Table, *, device: Any = None) -> Tensor:
        """x, float32, (rows, features).

        Args:
            table: with the columns of the features; others are ignored.
            device: of the result.

        Raises ``ValueError`` where a column is missing, of the other kind, has a missing value, a number too large for float32, or
        an unknown category.
        """
        self._check_fitted()
        parts = []
        for name, moments in self.numeric.items():
            parts.append(_scaled(table, name, moments, device))
        for name, categories in self.categories.items():
            codes = self._codes(table, name, [str(value) for value in _complete(table, name)], categories, "category")
            parts.append(one_hot(tensor(codes, dtype="int64", device=device), len(categories)).float())
        return concat(parts, 1)

    def targets(self, table: Table, *, device: Any = None) -> Tensor:
        """y: class numbers, int64 (rows,), or standardized numbers, float32 (rows, 1). Raises what :meth:`features` raises."""
        self._check_fitted()
        if self.task == "classification":
            values = _complete(table, self.target)
            if isinstance(self.classes[0], str):  # in another file all classes may look like numbers
                values = [str(value) for value in values]
            return tensor(self._codes(table, self.target, values, self.classes, "class"), dtype="int64", device=device)
        return _scaled(table, self.target, self.scale, device)

    def transform(self, table: Table, *, device: Any = None) -> tuple[Tensor, Tensor]:
        """x and y: :meth:`features` and :meth:`targets`, on ``device``."""
        return self.features(table, device=device), self.targets(table, device=device)

    def decode(self, y: Tensor) -> list[Any]:
        """The target's values: classes for class numbers (rows,), or numbers in its unit for standardized ones (rows, 1)."""
        if self.task == "classification":
            return [self.classes[number] for number in y.tolist()]
        mean, std = self.scale
        return [value * std + mean for value in y.detach().reshape(-1).tolist()]

    def _check_fitted(self) -> None:
        if not self.feature_names:
            raise ValueError("Encoder: it is not fitted; call fit(table) first")

    @staticmethod
    def _codes(table: Table, name: str, values: Sequence[Any], vocabulary: Sequence[Any], what: str) -> list[int]:
        number = {value: i for i, value in enumerate(vocabulary)}
        for row, value in zip(table._row_numbers, values, strict=True):
            if value not in number:
                shown = ", ".join(map(str, vocabulary[:10])) + (", …" if len(vocabulary) > 10 else "")
                hint = nearest(str(value), map(str, vocabulary))
                raise ValueError(f"Encoder: row {row}: unknown {what} {value!r} in {name!r}{hint} (known: {shown})")
        return [number[value] for value in values]

    def to_dict(self) -> dict[str, Any]:
        """The fitted encoder in types that JSON holds, for :meth:`from_dict`."""
        return {name: getattr(self, name) for name in _SAVED}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Encoder:
        """The encoder that :meth:`to_dict` returned ``saved`` of. Raises ``ValueError`` where an entry is missing."""
        if missing := [name for name in _SAVED if name not in saved]:
            raise ValueError(f"Encoder: the description lacks {', '.join(missing)}")
        encoder = cls(saved["target"], task=saved["task"])
        encoder.numeric = {name: (mean, std) for name, (mean, std) in saved["numeric"].items()}
        encoder.categories, encoder.dropped, encoder.classes = saved["categories"], saved["dropped"], saved["classes"]
        encoder.scale = (saved["scale"][0], saved["scale"][1])
        return encoder


_SAVED = ("target", "task", "numeric", "categories", "dropped", "classes", "scale")


def _complete(table: Table, name: str) -> list[Any]:
    """The column's values. Raises ``ValueError`` where one is missing."""
    values = table[name]
    if None in values:
        raise ValueError(f"Encoder: column {name!r} has {values.count(None)} missing values; use table.drop_missing() first")
    return values


def _moments(table: Table, name: str, what: str) -> tuple[float, float]:
    """The mean and standard deviation of a numeric column."""
    if not table.is_numeric(name):
        raise ValueError(f"Encoder: {what} {name!r} is text and a regression needs numbers; use task='classification'")
    column = tensor(_finite(name, _complete(table, name)), dtype="float64")
    with column.backend.suppress_warnings():  # an overflow is reported below
        _, mean, std = standardize(column)
    if not math.isfinite(std.item()):
        raise ValueError(
            f"Encoder: the numbers in column {name!r} are too large for a standard deviation; state it in a larger unit"
        )
    return mean.item(), std.item()


def _scaled(table: Table, name: str, moments: tuple[float, float], device: Any) -> Tensor:
    """The column (value - mean) / std, float32, of shape (rows, 1)."""
    values = _finite(name, _complete(table, name))
    column = tensor(values, dtype="float64", device=device)
    with column.backend.suppress_warnings():  # an overflow is reported below
        scaled = ((column - moments[0]) / moments[1]).float().unsqueeze(1)
    if not isfinite(scaled).all():
        raise ValueError(
            f"Encoder: column {name!r} has numbers too far from those fitted on (mean {moments[0]:.3g}, standard deviation "
            f"{moments[1]:.3g}) for float32, from {min(values):.3g} to {max(values):.3g}"
        )
    return scaled


def _finite(name: str, values: Sequence[Any]) -> list[float]:
    for value in values:
        if isinstance(value, str) or not math.isfinite(value):
            raise ValueError(f"Encoder: column {name!r} has the value {value!r}; it must be a finite number")
    return [float(value) for value in values]
