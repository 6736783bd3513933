"""Samplers: the order in which a loader takes a dataset's samples, and how it cuts that order into batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import arange, as_tensor
from ..autograd.functions import concat, where
from ..autograd.random import Generator, default_generator, rand, randint, randperm

T_co = TypeVar("T_co", covariant=True)


def sample_numbers(what: str, numbers: Any, *, device: Any = None, rows: Callable[[], int] | None = None) -> Tensor:
    """``numbers`` as a 1-d int64 tensor; where ``rows`` counts the samples, a mask over them stands for those it is true at.

    Raises ``TypeError``, naming ``what`` was asked, on other numbers than whole ones; ``IndexError`` on a mask of another length.
    """
    found = as_tensor(numbers, device=device)
    if found.ndim == 1 and not found.numel():
        return found.to("int64")
    if found.dtype.kind == "bool" and found.ndim == 1 and rows is not None:
        if len(found) != rows():
            raise IndexError(f"{what}: the mask has {len(found)} elements for {rows()} samples")
        return arange(len(found), device=found.backend)[found]
    if found.dtype.kind not in ("int", "uint") or found.ndim != 1:
        raise TypeError(
            f"{what}: samples are numbered by whole numbers along one axis, not by {found.dtype} of shape {found.shape}"
        )
    return found.to("int64")


class Sampler(Generic[T_co]):
    """The sample numbers of one pass over a dataset. Subclasses define ``__iter__``, or ``order`` for all of them at once.

    With ``order`` a loader cuts batches out of it as views, and moves it to the dataset's device once a pass.
    """

    def order(self) -> range | Tensor:
        """The numbers of one pass, drawn anew at each call: a range, or a 1-d int64 tensor."""
        raise NotImplementedError(f"{type(self).__name__}: a Sampler defines __iter__(self) or order(self)")

    def __iter__(self) -> Iterator[T_co]:
        order: Any = self.order()
        return iter(order.tolist() if isinstance(order, Tensor) else order)


class SequentialSampler(Sampler[int]):
    """0, 1, 2, … to the last sample."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def order(self) -> range:
        return range(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Samples in random order, or drawn with ``replacement``; ``num_samples`` of them, each one once by default.

    Draws from ``generator``, or the default generator of the default device. More than the dataset has, without replacement,
    are several random orders one after the other.

    Raises ``ValueError`` where ``num_samples`` (or the dataset's length) is not a whole number from 1.
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
        """How many samples a pass takes."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Tensor:
        n, wanted = len(self.data_source), self.num_samples
        if self.replacement:
            return randint(0, n, (wanted,), generator=self.generator)
        passes = [randperm(n, generator=self.generator) for _ in range(-(-wanted // n))]
        return (passes[0] if len(passes) == 1 else concat(passes))[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The sample numbers ``indices`` in random order."""

    @reads_numbers
    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices, self.generator = indices, generator

    def order(self) -> Tensor:
        shuffled = randperm(len(self.indices), generator=self.generator)
        return sample_numbers("SubsetRandomSampler", self.indices, device=shuffled.backend)[shuffled]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """``num_samples`` numbers of samples, each drawn with a probability proportional to its weight.

    Without replacement the k samples are those with the smallest -log(u_i) / w_i, u_i drawn evenly from (0, 1]
    (Efraimidis and Spirakis, 2006, in the form of exponential variates).

    Raises ``ValueError`` where the weights are not a 1-d sequence of finite numbers from 0 with a positive one among them, or
    more samples are asked for without replacement than have a positive weight.
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
        positive = [i for i, weight in enumerate(values) if weight > 0]
        if not positive or not all(0 <= weight < math.inf for weight in values):
            raise ValueError("WeightedRandomSampler: weights are finite numbers from 0, at least one above 0")
        if not replacement and num_samples > len(positive):
            raise ValueError(
                f"WeightedRandomSampler: {num_samples} samples without replacement, but only {len(positive)} have a weight above 0"
            )
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator
        self._last = positive[-1]

    def order(self) -> Tensor:
        generator = default_generator() if self.generator is None else self.generator
        backend = generator.backend
        weights, xp = self.weights.to(backend), backend.xp
        if self.replacement:
            bounds = weights.cumsum(0)
            drawn = rand(self.num_samples, generator=generator, dtype="float64") * bounds[-1]
            found = Tensor(xp.searchsorted(bounds._array, drawn._array, side="right"), backend)
            return found.clamp(max=self._last)  # rounding may put a draw on the last bound
        exponential = -(1.0 - rand(len(weights), generator=generator, dtype="float64")).log()
        keys = where(weights > 0, exponential / where(weights > 0, weights, 1.0), math.inf)
        return Tensor(xp.argsort(keys._array), backend)[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` numbers from ``sampler``; the last one is shorter, or left out with ``drop_last``."""

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
        """The batches as slices, or as views of one tensor on ``device``; None where the sampler states no order."""
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
        raise ValueError(f"{name}: {argument} is a whole number from 1, not {value!r}")
