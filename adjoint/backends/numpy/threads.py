"""Two threads for what is large: NumPy lets go of Python's lock while it computes.

BLAS stays on the thread that calls it. Its own threads wait for each other in loops: where another program has the second
processor, each product takes until that lets go of it, and between products they are in the way of these threads here.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import Array
from ..special import split_in_half

#: How many bytes of an array are worked on at a time: a dozen such pieces stay in a core's second-level cache.
TILE = 1 << 16
#: From so many multiplications on OpenBLAS has several threads do a product of matrices, and of a matrix and a vector.
SHARED, SHARED_BY_VECTOR = 1 << 18, 9216
#: So many are worth two of ours.
LARGE = 1 << 22

if TYPE_CHECKING:
    from queue import SimpleQueue

_jobs: SimpleQueue[Any] | None = None  # of the second thread, once there is one
_within = threading.local()  #: ``at_work``: this thread is one of two already


def thread_count() -> int:
    """How many threads large work is done on: ``ADJOINT_NUM_THREADS``, or two where there are two processors."""
    return _told(os.environ.get("ADJOINT_NUM_THREADS"))


@cache
def _told(number: str | None) -> int:
    if not number:
        return min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    if not number.isdecimal() or not int(number):
        raise ValueError(f"ADJOINT_NUM_THREADS is {number!r}; it must be a whole number from 1")
    return int(number)


def run_both(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """What both give, done at the same time where this is not one of two already. What one raises is raised when both are done."""
    global _jobs
    if thread_count() < 2 or getattr(_within, "at_work", False):
        return [first(), second()]
    if _jobs is None:
        from queue import SimpleQueue  # not at the start: it takes four modules

        _jobs = SimpleQueue()
        threading.Thread(target=_work, args=(_jobs,), name="adjoint", daemon=True).start()
    other = _Job(second)
    _jobs.put(other)
    try:
        _within.at_work = True
        found = first()
    finally:
        _within.at_work = False
        other.wait()
    error, other.error = other.error, None
    if error is None:
        return [found, other.found]
    try:
        raise error
    finally:
        del error  # which would keep itself, and the arrays, by its traceback


class _Job:
    """Something for the second thread to do, as the first would (what NumPy warns of is a thread's own)."""

    __slots__ = ("_context", "_done", "_finished", "_run", "error", "found")

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run, self._context, self._done, self._finished = run, copy_context(), threading.Lock(), False
        self.found: Any = None
        self.error: BaseException | None = None
        self._done.acquire()

    def do(self) -> None:
        try:
            self.found = self._context.run(self._run)
        except BaseException as error:
            self.error = error
        self._finished = True
        self._done.release()

    def wait(self) -> None:
        """Until it is done; Ctrl-C is heard then, as it writes to memory that others will use."""
        interrupted = None
        while True:
            try:
                while not self._finished:
                    self._done.acquire()
                break
            except KeyboardInterrupt as error:  # which may come when the lock is ours already
                interrupted = error
        if interrupted is not None:
            raise interrupted


def _work(jobs: SimpleQueue[Any]) -> None:
    _within.at_work = True
    while True:
        job = jobs.get()
        job.do()
        del job  # whose arrays would stay until the next one comes


def run_parallel(function: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """Both halves at the same time."""
    return run_branches(*(partial(function, some) for some in split_in_half(parts)))


def run_branches(*functions: Callable[[], Any]) -> list[Any]:
    """What one or two functions give, done at the same time."""
    if len(functions) < 2:
        return [function() for function in functions]
    with blas_alone:
        return run_both(*functions)


# --- BLAS --------------------------------------------------------------------------------------------------------------------


class BlasAlone:
    """A context in which BLAS is on the thread that calls it alone, if it is an OpenBLAS; others have ways of their own."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        if found := _openblas():
            get, put = found
            with self._lock:
                self._inside += 1
                if self._inside == 1:
                    self._before = get()
                    put(1)

    def __exit__(self, *error: object) -> None:
        if found := _openblas():
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    found[1](self._before)

    def forked(self) -> None:
        """Begin anew in a process that has none of the threads that were inside."""
        self._lock = threading.Lock()
        if self._inside and (found := _openblas()):
            found[1](self._before)
        self._inside = 0


blas_alone = BlasAlone()


def _forked() -> None:
    global _jobs
    _jobs = None
    blas_alone.forked()


if hasattr(os, "register_at_fork"):  # a forked process has no second thread
    os.register_at_fork(after_in_child=_forked)


@cache
def _openblas() -> tuple[Any, Any] | None:
    """The functions that tell and set how many threads NumPy's OpenBLAS has."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]  # its dependencies are searched too
    except (AttributeError, OSError, TypeError):
        return None
    for form in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads"):
        if hasattr(library, form.format("set")):
            return getattr(library, form.format("get")), getattr(library, form.format("set"))
    return None


def shared(x: Any, y: Any) -> bool:
    """Whether OpenBLAS has several threads multiply the two, of which one may be a vector."""
    if len(x.shape) == len(y.shape):
        return bool(x.size * y.shape[-1] > SHARED)
    return bool(max(x.size, y.size) >= SHARED_BY_VECTOR)


def dot(x: Array, y: Array, out: Array | None = None) -> Array:
    """``x.dot(y)`` of matrices, or of one and a vector: a large one in halves, whoever does them."""
    if not shared(x, y):
        return x.dot(y, out)
    with blas_alone:
        if x.ndim != y.ndim or x.size * y.shape[1] < LARGE:
            return x.dot(y, out)
        rows, columns = x.shape[0], y.shape[1]
        out = np.empty((rows, columns), x.dtype) if out is None else out
        if rows < columns:
            run_both(*(partial(np.matmul, x, y[:, half], out[:, half]) for half in _halves(columns)))
        else:
            run_both(*(partial(x[half].dot, y, out[half]) for half in _halves(rows)))
    return out


def matmul(x: Array, y: Array, out: Array | None = None) -> Array:
    """``np.matmul``, of many matrices in halves where it is large."""
    work = x.size * y.shape[-1]
    if work <= SHARED or y.ndim < 2:
        return np.matmul(x, y, out)
    with blas_alone:
        if work < LARGE or x.ndim != y.ndim or x.ndim < 3 or not x.shape[0] == y.shape[0] > 1:
            return np.matmul(x, y, out)
        if out is None:
            batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
            out = np.empty((*batch, x.shape[-2], y.shape[-1]), np.result_type(x, y))
        run_both(*(partial(np.matmul, x[half], y[half], out[half]) for half in _halves(x.shape[0])))
    return out


def _halves(n: int) -> tuple[slice, slice]:
    return slice(0, (n + 1) // 2), slice((n + 1) // 2, n)
