"""Datasets: samples by number, streams of samples, and datasets made of others."""

from __future__ import annotations

import math
import operator
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, Generic, TypeVar

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import arange, as_tensor
from ..autograd.functions import concat, where
from ..autograd.random import Generator, randperm
from .collate import combine
from .sampler import sample_numbers

__all__ = ["ConcatDataset", "Dataset", "IterableDataset", "Subset", "TensorDataset", "random_split"]

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """The base of datasets: samples by number. Subclasses define ``__getitem__`` and, for most samplers, ``__len__``.

    A subclass that can also be indexed by a slice and by a 1-d int64 tensor, and returns the whole batch then, names in
    ``batch_device`` the device it needs that tensor on; a loader then takes a batch by one index. PyTorch's ``__getitems__`` (a
    list of numbers in, a list of samples out) is called where it is defined.
    """

    @property
    def batch_device(self) -> str | None:
        """The device of the index tensors it takes; None where it returns one sample at a time."""
        return None

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: a Dataset defines __getitem__(self, index)")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """The base of streams of samples. Subclasses define ``__iter__``, and ``__len__`` where the number is known."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__}: an IterableDataset defines __iter__(self)")


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors of equal length along the first axis: sample i is the tuple of their rows i. A slice is a tuple of views.

    Raises ``ValueError`` where there is no tensor, a tensor is 0-d, or the lengths differ; ``TypeError`` on other objects.

    >>> import adjoint as ad
    >>> data = TensorDataset(ad.tensor([[1.0], [2.0], [3.0]]), ad.tensor([0, 1, 0]))
    >>> data[ad.tensor([2, 0])]
    (tensor([[3.],
            [1.]]), tensor([0, 0]))
    """

    def __init__(self, *tensors: Tensor) -> None:
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(f"TensorDataset: takes tensors, not a {type(tensor).__name__}; make one of it with ad.tensor(…)")
        if not tensors or any(not tensor.shape for tensor in tensors):
            raise ValueError("TensorDataset: takes one or more tensors that have a first axis, the samples")
        if len({tensor.shape[0] for tensor in tensors}) > 1:
            lengths = " and ".join(str(tensor.shape[0]) for tensor in tensors)
            raise ValueError(f"TensorDataset: the tensors have {lengths} rows; the numbers must be equal")
        self.tensors = tensors

    @property
    def batch_device(self) -> str | None:
        devices = {tensor.device for tensor in self.tensors}
        return devices.pop() if len(devices) == 1 else None

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple([tensor[index] for tensor in self.tensors])

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class Subset(Dataset[Any]):
    """The samples of ``dataset`` at ``indices``, in that order; ``indices`` may be a mask over the samples.

    Raises ``TypeError`` where the indices are neither integers nor a mask, ``IndexError`` where a mask has another length.
    """

    @reads_numbers
    def __init__(self, dataset: Any, indices: Sequence[int] | Tensor) -> None:
        self.dataset = dataset
        self.indices: Sequence[int] = (
            indices
            if isinstance(indices, range)
            else tuple(sample_numbers("Subset", indices, device="cpu", rows=lambda: len(dataset)).tolist())
        )
        self._positions: Tensor | None = None

    @property
    def batch_device(self) -> str | None:
        return getattr(self.dataset, "batch_device", None)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            numbers = sample_numbers("Subset", index, device="cpu", rows=self.__len__).tolist()
            return self.dataset[[self.indices[i] for i in numbers]]
        if not isinstance(index, slice) and not (isinstance(index, Tensor) and index.ndim):
            return self.dataset[self.indices[operator.index(index)]]
        if isinstance(index, slice) and isinstance(self.indices, range):
            chosen = self.indices[index]
            if chosen.step > 0 and chosen.start >= 0:
                return self.dataset[chosen.start : chosen.stop : chosen.step]
        if self._positions is None:
            self._positions = as_tensor(self.indices, dtype="int64", device=self.batch_device)
        return self.dataset[self._positions[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[Any]):
    """The samples of several ``datasets``, one after the other. A batch takes one index into each dataset that it has samples of.

    Raises ``ValueError`` where there is no dataset, or one is a stream.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset: the list of datasets is empty")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise ValueError("ConcatDataset: an IterableDataset has no samples by number; chain streams with itertools.chain")
        self.cumulative_sizes = list(accumulate(len(dataset) for dataset in self.datasets))

    @property
    def batch_device(self) -> str | None:
        devices = {getattr(dataset, "batch_device", None) for dataset in self.datasets}
        return devices.pop() if len(devices) == 1 else None

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return self._slice(start, stop)
            return self._gather(arange(start, stop, step, device=self.batch_device))
        if isinstance(index, list) or (isinstance(index, Tensor) and index.ndim == 1):
            return self._gather(sample_numbers("ConcatDataset", index, device=self.batch_device, rows=self.__len__))
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            raise IndexError(f"ConcatDataset: there is no sample {number} in {len(self)}")
        number %= len(self)
        k = bisect_right(self.cumulative_sizes, number)
        return self.datasets[k][number - self._start(k)]

    def _start(self, k: int) -> int:
        return self.cumulative_sizes[k - 1] if k else 0

    def _slice(self, start: int, stop: int) -> Any:
        pieces = []
        for k, dataset in enumerate(self.datasets):
            first, last = max(start - self._start(k), 0), min(stop - self._start(k), len(dataset))
            if first < last:
                pieces.append(dataset[first:last])
        return combine(pieces, concat) if len(pieces) > 1 else pieces[0] if pieces else self.datasets[0][0:0]

    def _gather(self, index: Tensor) -> Any:
        index = where(index < 0, index + len(self), index)
        pieces, places = [], []
        for k, dataset in enumerate(self.datasets):
            here = (index >= self._start(k)) & (index < self.cumulative_sizes[k])
            local = index[here]
            if len(local):
                pieces.append(dataset[local - self._start(k)])
                places.append(arange(len(index), device=index.backend)[here])
        if sum(len(place) for place in places) < len(index):
            raise IndexError(f"ConcatDataset: an index is outside the {len(self)} samples")
        if len(pieces) < 2:
            return pieces[0] if pieces else self.datasets[0][0:0]
        back = Tensor(index.backend.xp.argsort(concat(places)._array), index.backend)
        return combine(pieces, lambda parts: concat(parts)[back])


@reads_numbers
def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None) -> list[Subset]:
    """Split a dataset at random into several subsets.

    Args:
        dataset: anything with ``__getitem__`` and a length n.
        lengths: the subsets' lengths, which add up to n, or fractions that add up to 1, of which each gives floor(fraction n)
            samples and the remaining ones go to the first subsets, one each.
        generator: what to draw from; the default generator by default.

    Returns:
        The subsets, as :class:`Subset`.

    Raises ``ValueError`` where the lengths do not add up to the number of samples, or one is negative.

    >>> import adjoint as ad
    >>> [len(part) for part in random_split(range(10), [0.5, 0.25, 0.25])]
    [6, 2, 2]
    """
    n, sizes = len(dataset), list(lengths)
    if any(size < 0 for size in sizes):
        raise ValueError(f"random_split: a length in {sizes} is negative")
    if math.isclose(sum(sizes), 1):
        sizes = [math.floor(n * fraction) for fraction in lengths]
        for i in range(n - int(sum(sizes))):
            sizes[i % len(sizes)] += 1
    if sum(sizes) != n or not all(isinstance(size, int) for size in sizes):
        raise ValueError(f"random_split: the lengths {list(lengths)} must add up to the {n} samples, or as fractions to 1")
    order = randperm(n, generator=generator).tolist()
    bounds = [0, *accumulate(map(int, sizes))]
    return [Subset(dataset, order[start:stop]) for start, stop in pairwise(bounds)]
