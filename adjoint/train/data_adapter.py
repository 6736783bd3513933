"""The data adapter: arrays, data frames, datasets and loaders that ``fit`` and its like take, as batches; class weights too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
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
    """Some samples: the model's input, or a tuple of several, and targets and weights where there are any."""

    x: Any
    y: Any = None
    weight: Tensor | None = None

    def __len__(self) -> int:
        first = self.x[0] if isinstance(self.x, (tuple, list)) else self.x
        return int(first.shape[0])


@dataclass(frozen=True)
class Arrays:
    """Tensors whose first axes count the same samples: inputs, targets and weights."""

    x: tuple[Tensor, ...]
    y: Tensor | None
    weight: Tensor | None

    def __len__(self) -> int:
        return int(self.x[0].shape[0])

    def __getitem__(self, rows: slice) -> Arrays:
        y, weight = (None if t is None else t[rows] for t in (self.y, self.weight))
        return Arrays(tuple(x[rows] for x in self.x), y, weight)


class Batches:
    """The batches of :class:`Arrays`, a dataset or a loader, which has a ``batch_size`` and order of its own.

    Attributes:
        loader: the loader they come from.
        steps: their number; None where unknown.
    """

    def __init__(self, data: Any, batch_size: int, shuffle: bool = False) -> None:
        self.inputs, self.weighted = 1, True
        if isinstance(data, Arrays):
            self.inputs, self.weighted = len(data.x), data.weight is not None
            tensors = [*data.x, *(t for t in (data.y, data.weight) if t is not None)]
            self.loader = DataLoader(TensorDataset(*tensors), batch_size=batch_size, shuffle=shuffle)
        elif isinstance(data, DataLoader):
            self.loader = data
        else:
            shuffle = shuffle and not isinstance(data, IterableDataset)
            self.loader = DataLoader(data, batch_size=batch_size, shuffle=shuffle or None)
        self.steps: int | None = None
        with suppress(TypeError):  # a stream has no length
            self.steps = len(self.loader)

    def on_device_of(self, model: nn.Module) -> Iterator[Batch]:
        """One pass, each batch moved to the model's device."""
        device, _ = device_and_dtype(model)

        def moved(part: Any) -> Any:
            if isinstance(part, (tuple, list)):
                return tuple(map(moved, part))
            return part.to(device) if isinstance(part, Tensor) and device is not None else part

        for item in self.loader:
            parts = moved(item) if isinstance(item, (tuple, list)) else (moved(item),)
            x, targets = parts[0] if self.inputs == 1 else parts[: self.inputs], parts[self.inputs :]
            if len(targets) > 2:
                raise ValueError(
                    f"a batch has {len(parts)} parts; it is (x, y) or (x, y, weight), with a tuple in x for several inputs"
                )
            yield Batch(x, targets[0] if targets else None, targets[1] if self.weighted and len(targets) > 1 else None)


# --- the model's side ------------------------------------------------------------------------------------------------------------


def forward(model: Callable[..., Any], x: Any) -> Any:
    """The model's output for a batch's ``x``, of which a tuple holds several inputs."""
    return model(*x) if isinstance(x, tuple) else model(x)


def device_and_dtype(model: nn.Module) -> tuple[Any, Any]:
    """The device and the dtype of the model's first parameter; None for both where it has none."""
    for p in model.parameters():
        return p.device, p.dtype
    return None, None


@contextmanager
def modes_restored(model: nn.Module) -> Iterator[None]:
    """Restore ``training`` of each part of the model after the block."""
    modes = [(part, part.training) for part in model.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """The model in ``eval()`` mode in the block; afterwards each part is as before."""
    with modes_restored(model):
        model.eval()
        yield


def keeps_integers(model: nn.Module) -> bool:
    """Whether integers are passed to the model as they are, for an embedding to look up."""
    return any(isinstance(part, nn.Embedding) for part in model.modules())


# --- the data's side -------------------------------------------------------------------------------------------------------------


def is_dataset(x: Any) -> bool:
    """Whether ``x`` gives samples or batches, rather than being an array."""
    return isinstance(x, (Dataset, IterableDataset, DataLoader))


def adapt(who: str, model: nn.Module, x: Any, y: Any, sample_weight: Any, class_weight: Any = None) -> Any:
    """A dataset or loader unchanged, and arrays as :class:`Arrays`; ``who`` is the caller's name, for messages.

    Raises ``ValueError`` where y is missing, or given beside a dataset, and what :func:`from_arrays` raises.
    """
    if type(x) is TensorDataset and y is None and sample_weight is None and len(x.tensors) <= 3:
        x, y, sample_weight = (*x.tensors, None, None)[:3]  # arrays, which are checked
    if is_dataset(x):
        for name, value in (("y", y), ("sample_weight", sample_weight), ("class_weight", class_weight)):
            if value is not None:
                raise ValueError(f"{who}: {name} comes with the samples of a dataset or loader and cannot be given beside it")
        return x
    if y is None and type(model).train_step is nn.Module.train_step:
        if isinstance(x, Iterator):
            raise ValueError(f"{who}: y is missing, and x is a {type(x).__name__}; wrap it in a data.IterableDataset, or pass y")
        raise ValueError(f"{who}: y is missing; pass it, or for x a data.Dataset, IterableDataset or DataLoader that gives it")
    return from_arrays(who, model, x, y, sample_weight)


def training_and_validation(
    model: nn.Module, x: Any, y: Any, validation_split: float, validation_data: Any, class_weight: Any, sample_weight: Any
) -> tuple[Any, Any]:
    """The data to train on and those to validate on, or None, from the arguments of ``fit``, whose errors it raises."""
    training = adapt("fit", model, x, y, sample_weight, class_weight)
    if validation_split and not isinstance(training, Arrays):
        raise ValueError("fit: validation_split needs arrays; split a dataset by data.random_split, and pass validation_data")
    validation: Any = None
    if validation_data is not None:
        if is_dataset(validation_data):
            validation = adapt("fit: validation_data", model, validation_data, None, None)
        elif isinstance(validation_data, (tuple, list)) and len(validation_data) in (2, 3):
            validation = from_arrays("fit: validation_data", model, *validation_data)
        else:
            raise TypeError("fit: validation_data is (x, y), (x, y, weight), a dataset or a loader")
    elif validation_split:
        n = len(training)
        at = int(n * (1.0 - validation_split))
        if not 0 < at < n:
            raise ValueError(f"fit: validation_split={validation_split:g} of {n} samples leaves one part empty")
        training, validation = training[:at], training[at:]
    return (apply_class_weight(training, class_weight, device_and_dtype(model)[1]) if class_weight else training), validation


def from_arrays(who: str, model: nn.Module, x: Any, y: Any, weight: Any = None) -> Arrays:
    """Arrays, tensors or data frames as :class:`Arrays`, on the device and in the dtype of the model: inputs, targets and weights.

    Raises ``ValueError`` where lengths differ, there is no sample or a negative weight, and what :func:`to_tensor` raises.
    """
    device, dtype = device_and_dtype(model)
    keep = keeps_integers(model)
    parts = x if isinstance(x, tuple) else (x,)
    names = [f"x[{i}]" for i in range(len(parts))] if isinstance(x, tuple) else ["x"]
    inputs = tuple(
        to_tensor(part, name, who, device, dtype, keep_integers=keep or isinstance(part, Tensor))
        for part, name in zip(parts, names, strict=True)
    )
    target = None if y is None else to_tensor(y, "y", who, device, dtype, keep_integers=True)
    weights = None if weight is None else to_tensor(weight, "sample_weight", who, device, dtype)
    n = inputs[0].shape[0]
    for name, t in (*zip(names, inputs, strict=True), ("y", target), ("sample_weight", weights)):
        if t is not None and t.shape[0] != n:
            raise ValueError(f"{who}: x has {n} samples and {name} {t.shape[0]}; the numbers must be equal")
    if not n:
        raise ValueError(f"{who}: x has no samples")
    if weights is not None and (least := float(weights.min().item()) if weights.numel() else 0.0) < 0:
        raise ValueError(f"{who}: sample_weight has {least:g}; weights must be >= 0")
    if weights is not None and weights.ndim != 1:
        raise ValueError(f"{who}: sample_weight has the shape {tuple(weights.shape)}; it must be ({n},), one weight per sample")
    return Arrays(inputs, target, weights)


def apply_class_weight(arrays: Arrays, class_weight: Mapping[int, float], dtype: Any) -> Arrays:
    """``fit``'s ``class_weight``: each sample's weight is multiplied by that of its class, 1 for classes without one.

    Classes are numbers (N,) or (N, 1), or one-hot (N, C); new weights are of ``dtype``. Raises ``ValueError`` without y or on
    weights out of range, ``TypeError`` where ``class_weight`` is no dict by class number.
    """
    y = arrays.y
    if y is None:
        raise ValueError("fit: class_weight needs y")
    if not isinstance(class_weight, Mapping) or not all(isinstance(c, Real) and c == int(c) for c in class_weight):
        raise TypeError(
            f"fit: class_weight is a dict from class numbers to weights, such as {{0: 1.0, 1: 3.0}}, not {class_weight!r}"
        )
    if not all(0.0 <= float(weight) < float("inf") for weight in class_weight.values()):
        raise ValueError(f"fit: the weights in class_weight must be finite and >= 0, not {class_weight}")
    classes = y if y.ndim == 1 else y.squeeze(-1) if y.shape[-1] == 1 else y.argmax(dim=-1)
    weights = arrays.weight if arrays.weight is not None else ones(len(arrays), dtype=dtype, device=y.backend)
    for number, weight in class_weight.items():
        weights = weights * (1.0 + (classes == number).to(weights.dtype) * (float(weight) - 1.0))
    return replace(arrays, weight=weights)


# --- one array -------------------------------------------------------------------------------------------------------------------


def to_tensor(data: Any, name: str, who: str, device: Any, dtype: Any, *, keep_integers: bool = False) -> Tensor:
    """An array, a tensor or a data frame as a tensor; ``name`` and ``who`` are for messages.

    Floats get ``dtype``, and integers too unless ``keep_integers``. Raises ``TypeError`` on anything but an array of numbers,
    ``ValueError`` on NaN or infinity, with its row and column.
    """
    array = data.to_numpy() if hasattr(data, "to_numpy") else data
    if getattr(getattr(array, "dtype", None), "kind", "") == "O" and hasattr(data, "iloc"):
        array = _numbers_of(data, name, who)
    try:
        x = as_tensor(array, device=device)
    except (TypeError, ValueError) as error:
        if _has_strings(array):
            encode = "labels as integers, e.g. with sklearn's LabelEncoder" if name == "y" else "them as numbers"
            raise TypeError(f"{who}: {name} contains strings; encode {encode}") from None
        hint = "; several inputs are given as a tuple" if isinstance(data, (list, dict)) else ""
        raise TypeError(f"{who}: {name} is not an array of numbers ({error}){hint}") from None
    if not x.ndim:
        raise ValueError(f"{who}: {name} is a single number; its first axis must count the samples")
    if dtype is not None and (x.dtype.is_floating_point or not keep_integers):
        x = x.to(dtype)
    if x.dtype.is_floating_point:
        _check_finite(x, name, who, data)
    return x


def _has_strings(array: Any) -> bool:
    if getattr(getattr(array, "dtype", None), "kind", "") in ("U", "S", "T"):
        return True
    values = array.tolist() if getattr(getattr(array, "dtype", None), "kind", "") == "O" else array
    return isinstance(values, str) or (isinstance(values, (list, tuple)) and any(map(_has_strings, values)))


def _numbers_of(frame: Any, name: str, who: str) -> Tensor:
    """The numbers of a pandas frame or series with columns of objects; missing ones are NaN, and integers stay where all are."""
    columns = [frame.iloc[:, i] for i in range(frame.shape[1])] if frame.ndim > 1 else [frame]
    others, numbers, integers = [], [], True
    for column in columns:
        present = column[~column.isna()]
        kind = getattr(column.dtype, "kind", "O")
        if kind not in "biuf" and not (kind == "O" and all(isinstance(value, Real) for value in present)):
            others.append(str(column.name))
            continue
        integers = integers and len(present) == len(column) and (kind in "biu" or all(isinstance(v, Integral) for v in present))
        numbers.append(as_tensor(column.to_numpy("float64", na_value=float("nan"))))
    if others:
        raise TypeError(f"{who}: {name} has no numbers in {', '.join(map(repr, others))}; encode text and dates as numbers first")
    x = stack(numbers, dim=1) if frame.ndim > 1 else numbers[0]
    return x.long() if integers else x


def _check_finite(x: Tensor, name: str, who: str, data: Any) -> None:
    finite = isfinite(x)
    if bool(finite.all().item()):
        return
    place = (~finite).nonzero()[0].tolist()
    row, at = place[0], place[1:]
    columns = [str(column) for column in data.columns] if hasattr(data, "to_numpy") and hasattr(data, "columns") else []
    where = f"row {row}"
    if len(at) == 1:
        where += f", column {columns[at[0]]!r}" if at[0] < len(columns) else f", column {at[0]}"
    elif at:
        where += f", at {tuple(at)}"
    elif isinstance(column := getattr(data, "name", None), str) and hasattr(data, "to_numpy"):
        where += f" of {column!r}"
    count = int((~finite).sum().item())
    raise ValueError(
        f"{who}: {name} has {'NaN' if x[tuple(place)].isnan().item() else 'infinity'} in {where}"
        f"{f', and {count - 1} more' if count > 1 else ''}; drop or fill such rows first"
    )
