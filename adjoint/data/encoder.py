"""``Encoder``: from a table's rows to the tensors a model trains on, and from its predictions back to values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ..autograd import Tensor
from ..autograd.creation import tensor
from ..autograd.functions import concat, isfinite
from ..nn.functional import one_hot
from .table import Table, nearest
from .transforms import standardize

TASKS = ("classification", "regression")


class Encoder:
    """Features standardized or one-hot, and a target as classes or as a standardized number, as fitted on a table.

    Numeric features become (x - mean) / std. Text features become one column a category. A feature that is constant over the
    rows it is fitted on tells nothing and is left out, named in :attr:`dropped`. A text target makes a classification, its
    classes sorted; a numeric one a regression; ``task`` says otherwise.

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
        self.target, self._asked = target, task
        self.task = task  #: as it was fitted, where it was not given
        self.numeric: dict[str, tuple[float, float]] = {}  #: mean and standard deviation of each numeric feature
        self.categories: dict[str, list[str]] = {}  #: the sorted categories of each text feature
        self.dropped: list[str] = []  #: the features left out as constant
        self.classes: list[Any] = []  #: the target's sorted values, in a classification
        self.scale: tuple[float, float] = (0.0, 1.0)  #: mean and standard deviation of the target, in a regression

    @property
    def feature_names(self) -> list[str]:
        """What the columns of x are: the numeric features, then ``name=category``."""
        return [*self.numeric, *(f"{name}={value}" for name, values in self.categories.items() for value in values)]

    @property
    def n_outputs(self) -> int:
        """How many outputs a model needs: one a class, or 1."""
        return len(self.classes) or 1

    def fit(self, table: Table, rows: Iterable[int] | None = None) -> Encoder:
        """Learn means and scales from ``rows`` (all by default), and categories and classes from the whole table.

        Raises ``ValueError`` where there is no target column, a value is missing or not finite, numbers are too large for a
        standard deviation, the target has a single class or is constant, a regression's target is text, or no feature is left.
        """
        seen = table if rows is None else table.take(rows)
        values = _complete(table, self.target)
        if not len(seen):
            raise ValueError(f"Encoder: there are no rows to fit on; the table has {len(table)}")
        self.task = self._asked or ("regression" if table.is_numeric(self.target) else "classification")
        if self.task == "regression":
            self.classes, self.scale = [], _moments(seen, self.target, "the target")
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
            found = _complete(table, name)
            if not table.is_numeric(name):
                categories = sorted(set(found))
                if len(categories) > 1:
                    self.categories[name] = categories
                else:
                    self.dropped.append(name)
            elif (moments := _moments(seen, name, "the feature"))[1] > 0:
                self.numeric[name] = moments
            else:
                self.dropped.append(name)
        if not self.feature_names:
            others = f"the columns {', '.join(self.dropped)} are constant" if self.dropped else "the table has no other column"
            raise ValueError(f"Encoder: no feature is left beside the target {self.target!r}: {others}")
        return self

    def features(self, table: Table, *, device: Any = None) -> Tensor:
        """x, float32, of shape (rows, features); the table may lack the target and have other columns.

        Raises ``ValueError`` where a feature's column is missing, of the other kind, has a missing value or one that is too large
        for float32, or a category was not in the table fitted on.
        """
        self._check_fitted()
        parts = []
        for name, moments in self.numeric.items():
            parts.append(_scaled(table, name, moments, device))
        for name, categories in self.categories.items():
            codes = _codes(name, [str(value) for value in _complete(table, name)], categories, "category")
            parts.append(one_hot(tensor(codes, dtype="int64", device=device), len(categories)).float())
        return concat(parts, 1)

    def targets(self, table: Table, *, device: Any = None) -> Tensor:
        """y: class numbers, int64, of shape (rows,); in a regression standardized numbers, float32, of shape (rows, 1)."""
        self._check_fitted()
        if self.task == "classification":
            values = _complete(table, self.target)
            if isinstance(self.classes[0], str):  # a file whose classes all look like numbers is read as numbers
                values = [str(value) for value in values]
            return tensor(_codes(self.target, values, self.classes, "class"), dtype="int64", device=device)
        return _scaled(table, self.target, self.scale, device)

    def transform(self, table: Table, *, device: Any = None) -> tuple[Tensor, Tensor]:
        """x and y: :meth:`features` and :meth:`targets`."""
        return self.features(table, device=device), self.targets(table, device=device)

    def decode(self, y: Tensor) -> list[Any]:
        """The target's own values: classes for their numbers, numbers in their unit for standardized ones."""
        if self.task == "classification":
            return [self.classes[number] for number in y.tolist()]
        mean, std = self.scale
        return [value * std + mean for value in y.detach().reshape(-1).tolist()]

    def _check_fitted(self) -> None:
        if not self.feature_names:
            raise ValueError("Encoder: it is not fitted; call fit(table) first")

    # --- for a file beside the weights ---------------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """All that was learnt, of JSON's types only, for :meth:`from_dict`."""
        return {name: getattr(self, name) for name in _SAVED}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Encoder:
        """The encoder that :meth:`to_dict` described. Raises ``ValueError`` where something is missing from it."""
        if lacking := [name for name in _SAVED if name not in saved]:
            raise ValueError(f"Encoder: the description lacks {', '.join(lacking)}")
        made = cls(saved["target"], task=saved["task"])
        made.numeric = {name: (mean, std) for name, (mean, std) in saved["numeric"].items()}
        made.categories, made.dropped, made.classes = saved["categories"], saved["dropped"], saved["classes"]
        made.scale = (saved["scale"][0], saved["scale"][1])
        return made


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
    with column.backend.quiet():  # an overflow is told below
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
    with column.backend.quiet():  # an overflow is told below
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
            raise ValueError(f"Encoder: column {name!r} has the value {value!r}; it was fitted on finite numbers")
    return [float(value) for value in values]


def _codes(name: str, values: Sequence[Any], known: Sequence[Any], what: str) -> list[int]:
    number = {value: i for i, value in enumerate(known)}
    for value in values:
        if value not in number:
            shown = ", ".join(map(str, known[:10])) + (", …" if len(known) > 10 else "")
            raise ValueError(
                f"Encoder: column {name!r} has the {what} {value!r}, which was not in the table fitted on"
                f"{nearest(str(value), map(str, known))}; it knows {shown}"
            )
    return [number[value] for value in values]
