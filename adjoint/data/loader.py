"""``DataLoader``: the batches of a dataset, in order or shuffled, prefetched by workers where requested."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice, repeat
from queue import SimpleQueue
from typing import Any

from .. import backends
from ..autograd.arguments import reads_numbers
from ..autograd.modes import is_grad_enabled
from ..autograd.random import Generator, default_generator
from ..lazy import LazyModule
from .collate import default_collate, default_convert
from .dataset import IterableDataset
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, sample_numbers
from .workers import MapSource, StreamSource, load, start, stream, work

__all__ = ["DataLoader"]

futures: Any = LazyModule("concurrent.futures", None)
multiprocessing: Any = LazyModule("multiprocessing", None)


class DataLoader:
    """Batches of a dataset. Reshuffles at every epoch, which is a pass ``for batch in loader``.

    A dataset that can be indexed by an array (:class:`TensorDataset`, a :class:`Subset` or :class:`ConcatDataset` of such, any with
    a ``batch_device``) gives each batch by one index on its own device: views in sequential order, else one gather per tensor.
    Other datasets, and any with a ``collate_fn``, give lists of samples that are collated.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``, or an :class:`IterableDataset`.
        batch_size: samples per batch; None for single samples.
        shuffle: draw a random order of the samples from ``generator``.
        sampler: the order of the samples instead, an iterable of their numbers.
        batch_sampler: the batches instead, an iterable of lists of numbers.
        num_workers: how many workers prefetch batches, in the same order for any number. An iterable dataset is read by one worker,
            so that nothing is read twice.
        collate_fn: makes a batch of a list of samples (:func:`default_collate`).
        drop_last: drop a last batch that is shorter.
        worker_init_fn: called with the worker's number, from 0, before its first batch.
        multiprocessing_context: None for threads; ``"fork"``, ``"spawn"``, ``"forkserver"`` or a context of the multiprocessing
            module for processes. The dataset must be picklable, unless they are forked; a process that has used a GPU cannot be
            forked.
        generator: what shuffling draws from; the default generator of the default device by default.
        prefetch_factor: batches prefetched per worker (2).

    Attributes:
        epoch: the number of passes begun. Restore it when you resume a run whose worker processes draw random numbers.

    Worker processes seed the default generators, Python's ``random`` and ``numpy.random`` for each batch from the generator's seed,
    :attr:`epoch` and the batch's number, so that their draws do not depend on the number of workers. Threads share the generators
    of the main thread and draw in no fixed order. Workers record the graph where the caller does. Their exceptions are raised here,
    with their traceback. They end with the pass, also where it is abandoned.

    Raises:
        ValueError: arguments that exclude each other or are out of range.
        TypeError: a ``multiprocessing_context`` or a ``generator`` of another kind.

    >>> import adjoint as ad
    >>> data = ad.data.TensorDataset(ad.arange(5))
    >>> [x.tolist() for (x,) in DataLoader(data, batch_size=2)]
    [[0, 1], [2, 3], [4]]
    """

    @reads_numbers
    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[Any] | Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        *,
        drop_last: bool = False,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        prefetch_factor: int | None = None,
    ) -> None:
        streamed = isinstance(dataset, IterableDataset)
        if streamed and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader: an IterableDataset sets its own order; shuffle, sampler and batch_sampler exclude it")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler and shuffle exclude each other; shuffle in the sampler")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last")
        if batch_size is None and drop_last:
            raise ValueError("DataLoader: with batch_size=None there are no batches, and drop_last means nothing")
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(f"DataLoader: generator is an ad.Generator, not a {type(generator).__name__}; seed one by manual_seed")
        _check_workers(num_workers, prefetch_factor, multiprocessing_context)
        if sampler is None and not streamed:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(() if sampler is None else sampler, batch_size, drop_last)
        elif batch_sampler is not None:
            batch_size = None
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.dataset, self.batch_size, self.sampler, self.batch_sampler = dataset, batch_size, sampler, batch_sampler
        self.num_workers, self.collate_fn, self.drop_last = num_workers, collate_fn, drop_last
        self.worker_init_fn, self.multiprocessing_context, self.generator = worker_init_fn, multiprocessing_context, generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.epoch = 0

    def __len__(self) -> int:
        """The number of batches in a pass. Raises ``TypeError`` where the dataset or sampler has no length."""
        if not isinstance(self.dataset, IterableDataset):
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]
        n = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        self.epoch += 1
        if isinstance(self.dataset, IterableDataset):
            how = (self.dataset, self.collate_fn, self.batch_size, self.drop_last)
            return self._ahead(StreamSource(*how), repeat(None), 1, self._seeds()) if self.num_workers else stream(*how)
        indices = self._indices()
        batched = self.batch_sampler is not None
        if self.num_workers:
            return self._ahead(MapSource(self.dataset, self.collate_fn, batched), indices, self.num_workers, self._seeds())
        return (load(self.dataset, self.collate_fn, batched, index) for index in indices)

    def _indices(self) -> Iterator[Any]:
        """The index of each batch of a pass, whose random order is drawn here."""
        if self.batch_sampler is None:
            assert self.sampler is not None
            return iter(self.sampler)
        device = getattr(self.dataset, "batch_device", None)
        if device is None or self.collate_fn is not default_collate:
            return iter(self.batch_sampler)
        pieces = self.batch_sampler.pieces(device) if type(self.batch_sampler) is BatchSampler else None
        if pieces is not None:
            return pieces
        return (sample_numbers("DataLoader", batch, device=device) for batch in self.batch_sampler)

    def _ahead(self, source: Any, indices: Iterator[Any], workers: int, seeds: Iterator[int]) -> Iterator[Any]:
        """Batches in order, which ``workers`` prefetch while the previous ones are in use."""
        how = (source, self.worker_init_fn, is_grad_enabled())
        if self.multiprocessing_context is None:
            ids: Any = SimpleQueue()
            executor = futures.ThreadPoolExecutor(workers, "DataLoader", start, (ids, *how, None))
        else:
            context = self.multiprocessing_context
            if isinstance(context, str):
                context = multiprocessing.get_context(context)
            ids = context.SimpleQueue()
            executor = futures.ProcessPoolExecutor(workers, context, start, (ids, *how, backends.default().device))
        for i in range(workers):
            ids.put(i)
        waiting: deque[Any] = deque()
        try:
            assert self.prefetch_factor is not None  # as there are workers
            for index in islice(indices, workers * self.prefetch_factor):
                waiting.append(executor.submit(work, index, next(seeds)))
            while waiting:
                result = waiting.popleft().result()
                if not result:
                    return
                for index in islice(indices, 1):
                    waiting.append(executor.submit(work, index, next(seeds)))
                yield result[0]
        except futures.BrokenExecutor as error:
            raise RuntimeError(
                "DataLoader: a worker process died: it was killed, ran out of memory, or could not import the dataset's module "
                "(with 'spawn', run the script under if __name__ == '__main__')"
            ) from error
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    def _seeds(self) -> Iterator[int]:
        """A seed for each batch of this pass."""
        generator = default_generator() if self.generator is None else self.generator
        seed, epoch = generator.initial_seed(), self.epoch
        return (hash((seed, epoch, number)) % 2**32 for number in count())


def _check_workers(num_workers: int, prefetch_factor: int | None, context: Any) -> None:
    if num_workers < 0:
        raise ValueError(f"DataLoader: num_workers must be >= 0, not {num_workers}")
    if num_workers == 0 and (prefetch_factor is not None or context is not None):
        raise ValueError("DataLoader: prefetch_factor and multiprocessing_context need num_workers of 1 or more")
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(f"DataLoader: prefetch_factor must be >= 1, not {prefetch_factor}")
    methods: Sequence[str] = ("fork", "spawn", "forkserver")
    if isinstance(context, str) and context not in methods:
        raise ValueError(f"DataLoader: multiprocessing_context is None or one of {', '.join(methods)}, not {context!r}")
    if context is not None and not isinstance(context, str) and not hasattr(context, "SimpleQueue"):
        raise TypeError(f"DataLoader: multiprocessing_context is None, a name or a context, not {type(context).__name__}")
