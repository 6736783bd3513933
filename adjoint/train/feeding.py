"""What ``fit``, ``evaluate`` and ``predict`` are given, as batches: arrays, tensors, data frames, datasets and loaders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

from .. import nn
from ..autograd import Tensor
from ..autograd.creation import as_tensor, ones
from ..autograd.functions import isfinite, stack
from ..data import DataLoader, Dataset, IterableDataset, TensorDataset


@dataclass(frozen=True)
class Batch:
    """Some samples: what the model takes, the targets and weights where there are any."""

    x: Any
    y: Any = None
    weight: Tensor | None = None

    def __len__(self) -> int:
        first = self.x[0] if isinstance(self.x, (tuple, list)) else self.x
        return int(first.shape[0])


def device_and_dtype(model: nn.Module) -> tuple[Any, Any]:
    """Where the model's parameters are, and of which dtype; the default ones where it has none."""
    for p in model.parameters():
        return p.device, p.dtype
    return None, None


@contextmanager
def modes_kept(model: nn.Module) -> Iterator[None]:
    """Afterwards each part of the model is trained, or used, as before."""
    before = [(part, part.training) for part in model.modules()]
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


@contextmanager
def in_use(model: nn.Module) -> Iterator[None]:
    """The model as it is when it is used, not trained (``eval()``); afterwards it is as before."""
    with modes_kept(model):
        model.eval()
        yield


def keeps_integers(model: nn.Module) -> bool:
    """Whether whole numbers are given to the model as they are: it looks them up."""
    return any(isinstance(part, nn.Embedding) for part in model.modules())


def columns_of(data: Any) -> list[str]:
    """The names of a data frame's columns, or of a series; none of an array."""
    if hasattr(data, "columns") and hasattr(data, "to_numpy"):
        return [str(name) for name in data.columns]
    name = getattr(data, "name", None)
    return [name] if isinstance(name, str) and hasattr(data, "to_numpy") else []


def to_tensor(data: Any, name: str, who: str, device: Any, dtype: Any, *, whole: bool = False) -> Tensor:
    """``data`` as a tensor on ``device``: floats in ``dtype``, and whole numbers too unless they are to stay ``whole``.

    Raises ``TypeError`` on what is no array of numbers, ``ValueError`` on NaN or infinity, named by row and column.
    """
    columns = columns_of(data)
    array = data.to_numpy() if hasattr(data, "to_numpy") else data
    if getattr(getattr(array, "dtype", None), "kind", "") == "O" and hasattr(data, "iloc"):
        array = numbers_of(data, name, who)
    try:
        x = as_tensor(array, device=device)
    except (TypeError, ValueError) as error:
        several = "; several inputs are given as a tuple" if isinstance(data, (list, dict)) else ""
        raise TypeError(f"{who}: {name} is no array of numbers ({error}){several}; encode text as numbers first") from None
    if not x.ndim:
        raise ValueError(f"{who}: {name} is a single number; its first axis counts the samples")
    if dtype is not None and (x.dtype.is_floating_point or not whole):
        x = x.to(dtype)
    if x.dtype.is_floating_point:
        refuse_unfinished(x, name, who, columns)
    return x


def numbers_of(frame: Any, name: str, who: str) -> Tensor:
    """The numbers of a pandas frame, or series, of several kinds, missing ones as NaN; whole where all are.

    Raises ``TypeError`` that names the columns that hold something else.
    """
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])] if frame.ndim > 1 else [frame]
    wrong, found, whole = [], [], True
    for column in columns:
        held = column[~column.isna()]
        kind = getattr(column.dtype, "kind", "O")
        if kind not in "biuf" and not (kind == "O" and all(isinstance(value, Real) for value in held)):
            wrong.append(str(column.name))
            continue
        whole = whole and len(held) == len(column) and (kind in "biu" or all(isinstance(value, Integral) for value in held))
        found.append(as_tensor(column.to_numpy("float64", na_value=float("nan"))))
    if wrong:
        raise TypeError(f"{who}: {name} has no numbers in {', '.join(map(repr, wrong))}; encode text and dates as numbers first")
    numbers = stack(found, dim=1) if frame.ndim > 1 else found[0]
    return numbers.long() if whole else numbers


def refuse_unfinished(x: Tensor, name: str, who: str, columns: list[str]) -> None:
    """Raise ``ValueError`` where there is NaN or infinity, which says in which row and column the first one is."""
    finite = isfinite(x)
    if bool(finite.all().item()):
        return
    place = (~finite).nonzero()[0].tolist()
    row, at = place[0], place[1:]
    where = f"row {row}"
    if len(at) == 1:
        where += f", column {columns[at[0]]!r}" if at[0] < len(columns) else f", column {at[0]}"
    elif not at and columns:
        where += f" of {columns[0]!r}"
    elif at:
        where += f", at {tuple(at)}"
    count = int((~finite).sum().item())
    raise ValueError(
        f"{who}: {name} has {'NaN' if x[tuple(place)].isnan().item() else 'infinity'} in {where}"
        f"{f', and {count - 1} more of the kind' if count > 1 else ''}; drop or fill such rows first"
    )


def gives_samples(x: Any) -> bool:
    """Whether it gives samples, or batches of them, rather than being an array."""
    return isinstance(x, (Dataset, IterableDataset, DataLoader))


@dataclass(frozen=True)
class Samples:
    """Arrays whose first axes count the same samples: inputs, targets and weights."""

    x: tuple[Tensor, ...]
    y: Tensor | None
    weight: Tensor | None

    def __len__(self) -> int:
        return int(self.x[0].shape[0])

    def part(self, rows: slice) -> Samples:
        y, weight = (None if t is None else t[rows] for t in (self.y, self.weight))
        return Samples(tuple(x[rows] for x in self.x), y, weight)

    def loader(self, batch_size: int, shuffle: bool) -> DataLoader:
        present = [*self.x, *(t for t in (self.y, self.weight) if t is not None)]
        return DataLoader(TensorDataset(*present), batch_size=batch_size, shuffle=shuffle)


def samples(who: str, model: nn.Module, x: Any, y: Any, weight: Any = None) -> Samples:
    """Arrays, tensors or data frames as :class:`Samples`; raises where their lengths differ."""
    device, dtype = device_and_dtype(model)
    whole = keeps_integers(model)
    inputs = tuple(x) if isinstance(x, tuple) else (x,)
    names = [f"x[{i}]" for i in range(len(inputs))] if isinstance(x, tuple) else ["x"]
    tensors = tuple(
        to_tensor(one, name, who, device, dtype, whole=whole or isinstance(one, Tensor))
        for one, name in zip(inputs, names, strict=True)
    )
    n = tensors[0].shape[0]
    found = [to_tensor(y, "y", who, device, dtype, whole=True)] if y is not None else []
    found += [to_tensor(weight, "sample_weight", who, device, dtype)] if weight is not None else []
    for name, t in zip([*names, *(["y"] if y is not None else []), "sample_weight"], [*tensors, *found], strict=False):
        if t.shape[0] != n:
            raise ValueError(f"{who}: x has {n} samples and {name} {t.shape[0]}; they must be as many")
    if not n:
        raise ValueError(f"{who}: x has no samples")
    if weight is not None and found[-1].numel() and float(found[-1].min().item()) < 0:
        raise ValueError(f"{who}: sample_weight has {found[-1].min().item():g}; weights are numbers from 0")
    if weight is not None and found[-1].ndim != 1:
        raise ValueError(
            f"{who}: sample_weight has the shape {tuple(found[-1].shape)}; it must have a number for each of {n} samples"
        )
    return Samples(tensors, found[0] if y is not None else None, found[-1] if weight is not None else None)


def weighed_by_class(found: Samples, weights: Mapping[int, float], dtype: Any) -> Samples:
    """With each sample's weight multiplied by that of its class, 1 where none is given; new weights are of that dtype."""
    y = found.y
    if y is None:
        raise ValueError("fit: class_weight needs y")
    if not isinstance(weights, Mapping) or not all(isinstance(number, Real) and number == int(number) for number in weights):
        raise TypeError(f"fit: class_weight is a dict from class numbers to weights, such as {{0: 1.0, 1: 3.0}}, not {weights!r}")
    if not all(0.0 <= float(weight) < float("inf") for weight in weights.values()):
        raise ValueError(f"fit: class_weight has numbers from 0, not {weights}")
    classes = y if y.ndim == 1 else y.squeeze(-1) if y.shape[-1] == 1 else y.argmax(dim=-1)
    factor = found.weight if found.weight is not None else ones(len(found), dtype=dtype, device=y.backend)
    for number, weight in weights.items():
        factor = factor * (1.0 + (classes == number).to(factor.dtype) * (float(weight) - 1.0))
    return replace(found, weight=factor)


def batches(loader: Any, model: nn.Module, inputs: int, weighted: bool) -> Iterator[Batch]:
    """A pass over the loader, each batch moved to where the model is."""
    device, _ = device_and_dtype(model)

    def moved(part: Any) -> Any:
        if isinstance(part, (tuple, list)):
            return tuple(map(moved, part))
        return part.to(device) if isinstance(part, Tensor) and device is not None else part

    for given in loader:
        parts = moved(given) if isinstance(given, (tuple, list)) else (moved(given),)
        x = parts[0] if inputs == 1 else parts[:inputs]
        rest = parts[inputs:]
        if len(rest) > 2:
            raise ValueError(
                f"a batch has {len(parts)} parts; it is (x, y) or (x, y, weight), with a tuple in x for several inputs"
            )
        yield Batch(x, rest[0] if rest else None, rest[1] if weighted and len(rest) > 1 else None)
