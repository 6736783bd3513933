"""Collation: many samples become one batch, of which tensors and numbers are stacked and containers kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import backends
from ..autograd import Tensor
from ..autograd.creation import as_tensor, tensor
from ..autograd.functions import stack

__all__ = ["default_collate", "default_convert"]


def combine(samples: Sequence[Any], leaf: Callable[[Sequence[Any]], Any], tuples: Callable[[list[Any]], Any] = tuple) -> Any:
    """Map ``leaf`` over the leaves of several nested dicts, named tuples, tuples and lists of the same structure.

    ``tuples`` makes the container for the parts of a plain tuple. Raises ``RuntimeError`` where structures differ.
    """
    first = samples[0]
    if isinstance(first, Mapping):
        alike = [isinstance(sample, Mapping) and sample.keys() == first.keys() for sample in samples]
    elif isinstance(first, (tuple, list)):
        alike = [isinstance(sample, (tuple, list)) and len(sample) == len(first) for sample in samples]
    else:
        return leaf(samples)
    if not all(alike):
        other = _described(samples[alike.index(False)])
        raise RuntimeError(f"collate: one sample is {_described(first)} and another {other}; all must have the same parts")
    if isinstance(first, Mapping):
        return {key: combine([sample[key] for sample in samples], leaf, tuples) for key in first}
    parts = [combine(part, leaf, tuples) for part in zip(*samples, strict=True)]
    if hasattr(first, "_fields"):
        return type(first)(*parts)
    return tuples(parts) if isinstance(first, tuple) else parts


def _described(sample: Any) -> str:
    name = type(sample).__name__
    if isinstance(sample, Mapping):
        return f"a {name} of {', '.join(map(repr, sample))}"
    return f"a {name} of {len(sample)} parts" if isinstance(sample, (tuple, list)) else f"a {name}"


def _stacked(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        return stack(values)
    if isinstance(first, (str, bytes)):
        return values
    if isinstance(first, float):
        return tensor(values, dtype="float64")
    if isinstance(first, int):
        return tensor(values)
    if backends.of_array(first) is not None:
        return stack([as_tensor(value) for value in values])
    raise TypeError(
        f"collate: a sample holds a {type(first).__name__}; batches are made of tensors, arrays, numbers, strings, and tuples, "
        "lists and dicts of them; pass a collate_fn for others"
    )


def default_collate(batch: Sequence[Any]) -> Any:
    """Stack the tensors, arrays and numbers of ``batch``, a list of samples, along a new first axis; strings are left in lists.

    Dicts, lists and named tuples are kept, and a tuple becomes a list. As in PyTorch, Python floats give float64.

    Raises:
        RuntimeError: samples have different keys or numbers of parts.
        ValueError: tensors have different shapes, or there is no sample.
        TypeError: a sample holds anything else.

    >>> default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
    {'x': tensor([1, 2]), 'name': ['a', 'b']}
    """
    if not batch:
        raise ValueError("collate: the batch has no samples; leave empty lists out of the batch_sampler")
    return combine(batch, _stacked, list)


def default_convert(data: Any) -> Any:
    """One sample ``data`` with its arrays as tensors, for loaders with ``batch_size=None``."""

    def converted(values: Sequence[Any]) -> Any:
        value = values[0]
        return value if isinstance(value, (Tensor, float, int)) or backends.of_array(value) is None else as_tensor(value)

    return combine([data], converted, list)
