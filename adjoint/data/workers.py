"""The code that a loader's workers run: threads, or processes that are reseeded for each batch."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from .. import backends
from ..autograd.modes import set_grad_enabled
from ..autograd.random import manual_seed
from ..lazy import LazyModule

random: Any = LazyModule("random", None)
traceback: Any = LazyModule("traceback", None)

Collate = Callable[[Any], Any]


def load(dataset: Any, collate_fn: Collate, batched: bool, index: Any) -> Any:
    """The batch at ``index``, which is a slice or an index tensor for the dataset, or a list of sample numbers to be collated."""
    if not batched:
        return collate_fn(dataset[index])
    if isinstance(index, list):
        get_all = getattr(dataset, "__getitems__", None)
        return collate_fn([dataset[i] for i in index] if get_all is None else get_all(index))
    batch = dataset[index]
    return list(batch) if type(batch) is tuple else batch


def stream(dataset: Any, collate_fn: Collate, batch_size: int | None, drop_last: bool) -> Iterator[Any]:
    """The batches of an iterable dataset, in its order; single samples where ``batch_size`` is None."""
    samples = iter(dataset)
    if batch_size is None:
        yield from map(collate_fn, samples)
        return
    while batch := list(islice(samples, batch_size)):
        if drop_last and len(batch) < batch_size:
            return
        yield collate_fn(batch)


class MapSource:
    """Called with an index: the batch there, in a tuple of one."""

    def __init__(self, dataset: Any, collate_fn: Collate, batched: bool) -> None:
        self.dataset, self.collate_fn, self.batched = dataset, collate_fn, batched

    def __call__(self, index: Any) -> tuple[Any, ...]:
        return (load(self.dataset, self.collate_fn, self.batched, index),)


class StreamSource:
    """Called with anything: the next batch of a stream, in a tuple of one, or an empty tuple at its end."""

    def __init__(self, *how: Any) -> None:
        self.how = how
        self.batches: Iterator[Any] | None = None

    def __call__(self, index: Any) -> tuple[Any, ...]:
        if self.batches is None:
            self.batches = stream(*self.how)
        for batch in self.batches:
            return (batch,)
        return ()


_worker = threading.local()


def start(ids: Any, source: Any, init: Callable[[int], Any] | None, recording: bool, device: str | None) -> None:
    """Initialize a worker thread, or a process where ``device`` names its default device.

    ``ids`` is a queue of the workers' numbers; ``recording`` says whether the graph is recorded, which is a mode of each thread.
    """
    set_grad_enabled(recording)
    _worker.id, _worker.source, _worker.init, _worker.device = ids.get(), source, init, device
    if device is not None:
        backends.use_backend(device)


def work(index: Any, seed: int) -> tuple[Any, ...]:
    """Load one batch. A worker's first one calls ``worker_init_fn`` before, whose errors are then reported like others."""
    try:
        if _worker.device is not None:
            random.seed(seed)
            backends.seed_global(seed)
            manual_seed(seed)
        if _worker.init is not None:
            init, _worker.init = _worker.init, None
            init(_worker.id)
        result: tuple[Any, ...] = _worker.source(index)
        return result
    except Exception as error:
        if _worker.device is not None and not _survives_pickling(error):
            raise RuntimeError("".join(traceback.format_exception(error))) from None
        raise


def _survives_pickling(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
