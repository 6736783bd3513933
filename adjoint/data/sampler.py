"""Samplers: the order in which a loader takes the samples of a dataset, and how it is divided into batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import arange, as_tensor
from ..autograd.functions import concat
from ..autograd.random import Generator, default_generator, multinomial, randint, randperm

__all__ = ["BatchSampler", "RandomSampler", "Sampler", "SequentialSampler", "SubsetRandomSampler", "WeightedRandomSampler"]

T_co = TypeVar("T_co", covariant=True)


def sample_numbers(what: str, numbers: Any, *, device: Any = None, rows: Callable[[], int] | None = None) -> Tensor:
    """Sample numbers, or with ``rows``, which counts the samples, a mask over them, as a 1-d int64 tensor.

    Raises ``TypeError``, which names ``what`` needs them, on anything but integers along one axis, and ``IndexError`` on a mask of
    another length.
    """
    index = as_tensor(numbers, device=device)
    if index.ndim == 1 and not index.numel():
        return index.to("int64")
    if index.dtype.kind == "bool" and index.ndim == 1 and rows is not None:
        if len(index) != rows():
            raise IndexError(f"{what}: the mask has {len(index)} elements for {rows()} samples")
        return arange(len(index), device=index.backend)[index]
    if index.dtype.kind not in ("int", "uint") or index.ndim != 1:
        raise TypeError(f"{what}: sample numbers are integers along one axis, not {index.dtype} of shape {index.shape}")
    return index.to("int64")


class Sampler(Generic[T_co]):
    """The base of samplers: the sample numbers of one pass. Subclasses define ``__iter__``, or ``order`` for all at once.

    With ``order``, a loader moves the numbers to the dataset's device once per pass, and batches are views of them.
    """

    def order(self) -> range | Tensor:
        """The numbers of one pass: a range, or a 1-d int64 tensor. Each call is another pass."""
        raise NotImplementedError(f"{type(self).__name__}: a Sampler defines __iter__(self) or order(self)")

    def __iter__(self) -> Iterator[T_co]:
        order: Any = self.order()
        return iter(order.tolist() if isinstance(order, Tensor) else order)


class SequentialSampler(Sampler[int]):
    """The sample numbers of ``data_source`` in order: 0, 1, …, n - 1."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> range:
        return range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Sample numbers in random order.

    Args:
        data_source: anything with a length.
        replacement: whether to draw each number independently of the others.
        num_samples: how many to draw in a pass; the length by default. Without replacement, more than the length are several
            permutations in a row.
        generator: what to draw from; the default generator of the default device by default.

    Raises ``ValueError`` where ``num_samples``, or the length, is not positive; ``TypeError`` where ``replacement`` is no bool.
    """

    @reads_numbers
    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise TypeError(f"RandomSampler: replacement is True or False, not {replacement!r}")
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        _positive("RandomSampler", "num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """The number of samples in a pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Tensor:
        n, size = len(self.data_source), self.num_samples
        if self.replacement:
            return randint(0, n, (size,), generator=self.generator)
        passes = [randperm(n, generator=self.generator) for _ in range(-(-size // n))]
        return (passes[0] if len(passes) == 1 else concat(passes))[:size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The sample numbers ``indices`` in random order, drawn from ``generator`` or the default one."""

    @reads_numbers
    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def order(self) -> Tensor:
        shuffled = randperm(len(self.indices), generator=self.generator)
        return sample_numbers("SubsetRandomSampler", self.indices, device=shuffled.backend)[shuffled]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """``num_samples`` sample numbers, drawn by :func:`adjoint.multinomial` in proportion to weights.

    Args:
        weights: of each sample, finite and >= 0, (n,).
        num_samples: how many to draw in a pass.
        replacement: whether a sample may be drawn more than once in a pass.
        generator: what to draw from; the default generator of the default device by default.

    Raises ``ValueError`` on other weights, or where fewer than ``num_samples`` are above 0 without replacement.
    """

    @reads_numbers
    def __init__(
        self,
        weights: Sequence[float] | Tensor,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _positive("WeightedRandomSampler", "num_samples", num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(f"WeightedRandomSampler: replacement is True or False, not {replacement!r}")
        self.weights = as_tensor(weights, dtype="float64").detach()
        if self.weights.ndim != 1:
            raise ValueError(f"WeightedRandomSampler: the weights have shape {self.weights.shape}; they must have one axis")
        values = self.weights.tolist()
        positive = sum(weight > 0 for weight in values)
        if not positive or not all(0 <= weight < math.inf for weight in values):
            raise ValueError("WeightedRandomSampler: weights must be finite and >= 0, and at least one above 0")
        if not replacement and num_samples > positive:
            raise ValueError(
                f"WeightedRandomSampler: {num_samples} samples without replacement, but only {positive} have a weight above 0"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def order(self) -> Tensor:
        generator = default_generator() if self.generator is None else self.generator
        return multinomial(self.weights.to(generator.backend), self.num_samples, self.replacement, generator=generator)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Batches of sample numbers, as lists.

    Args:
        sampler: a sampler, or an iterable of sample numbers.
        batch_size: numbers per batch.
        drop_last: whether to drop a last batch that is shorter.

    Raises ``ValueError`` where ``batch_size`` is not positive, or ``drop_last`` no bool.
    """

    @reads_numbers
    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        _positive("BatchSampler", "batch_size", batch_size)
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: drop_last is True or False, not {drop_last!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        numbers = iter(self.sampler)
        while batch := list(islice(numbers, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def pieces(self, device: Any) -> Iterator[slice | Tensor] | None:
        """The batches as slices, or as views of one tensor on ``device``; None where the sampler has no ``order``."""
        if not isinstance(self.sampler, Sampler) or type(self.sampler).__iter__ is not Sampler.__iter__:
            return None
        order, size = self.sampler.order(), self.batch_size
        n = len(order)
        starts = range(0, n - n % size if self.drop_last else n, size)
        if isinstance(order, range) and order.step == 1:
            first, last = order.start, order.stop
            return (slice(first + start, min(first + start + size, last)) for start in starts)
        numbers = sample_numbers(type(self.sampler).__name__, order, device=device)
        return (numbers[start : start + size] for start in starts)

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


def _positive(name: str, argument: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name}: {argument} must be a positive integer, not {value!r}")
