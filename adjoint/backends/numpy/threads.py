"""Two threads for large work: NumPy releases the global interpreter lock while it computes.

BLAS stays on the thread that calls it. OpenBLAS' own threads wait for each other in busy loops: if another program uses the second
processor, each product takes as long as that does, and between products they compete with the threads here.
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

#: Bytes of an array that are worked on at a time: a dozen such tiles fit into a core's second-level cache.
TILE = 1 << 16
#: Multiplications from which OpenBLAS uses several threads, for two matrices and for a matrix and a vector.
SHARED, SHARED_BY_VECTOR = 1 << 18, 9216
#: Multiplications from which two of our threads pay.
LARGE = 1 << 22

if TYPE_CHECKING:
    from queue import SimpleQueue

_jobs: SimpleQueue[Any] | None = None  # of the second thread, once it runs
_within = threading.local()  #: ``at_work``: whether this thread is one of two that run at the same time


def thread_count() -> int:
    """The number of threads for large work: ``ADJOINT_NUM_THREADS``, or two if there are two processors."""
    return _parsed(os.environ.get("ADJOINT_NUM_THREADS"))


@cache
def _parsed(number: str | None) -> int:
    if not number:
        return min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    if not number.isdecimal() or not int(number):
        raise ValueError(f"ADJOINT_NUM_THREADS is {number!r}; it must be an integer >= 1")
    return int(number)


def run_both(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """Both results, computed at the same time unless this thread is one of two already. Errors are raised when both are done."""
    global _jobs
    if thread_count() < 2 or getattr(_within, "at_work", False):
        return [first(), second()]
    if _jobs is None:
        from queue import SimpleQueue  # imports four modules

        _jobs = SimpleQueue()
        threading.Thread(target=_work, args=(_jobs,), name="adjoint", daemon=True).start()
    other = _Job(second)
    _jobs.put(other)
    try:
        _within.at_work = True
        result = first()
    finally:
        _within.at_work = False
        other.wait()
    error, other.error = other.error, None
    if error is None:
        return [result, other.result]
    try:
        raise error
    finally:
        del error  # its traceback refers to this frame, and keeps the arrays alive


class _Job:
    """A call for the second thread, in the context of the first: NumPy's error state is one of a context."""

    __slots__ = ("_context", "_done", "_finished", "_run", "error", "result")

    def __init__(self, run: Callable[[], Any]) -> None:
        self._run, self._context, self._done, self._finished = run, copy_context(), threading.Lock(), False
        self.result: Any = None
        self.error: BaseException | None = None
        self._done.acquire()

    def do(self) -> None:
        try:
            self.result = self._context.run(self._run)
        except BaseException as error:
            self.error = error
        self._finished = True
        self._done.release()

    def wait(self) -> None:
        """Wait until it is done. A Ctrl-C is raised afterwards, since the job writes to memory that will be used again."""
        interrupted = None
        while True:
            try:
                while not self._finished:
                    self._done.acquire()
                break
            except KeyboardInterrupt as error:  # may come after the lock was acquired
                interrupted = error
        if interrupted is not None:
            raise interrupted


def _work(jobs: SimpleQueue[Any]) -> None:
    _within.at_work = True
    while True:
        job = jobs.get()
        job.do()
        del job  # keeps its arrays alive


def run_parallel(function: Callable[[Any], Any], parts: Sequence[Any]) -> list[Any]:
    """``function`` of each half of the parts, at the same time."""
    return run_branches(*(partial(function, some) for some in split_in_half(parts)))


def run_branches(*functions: Callable[[], Any]) -> list[Any]:
    """The results of one or two functions, run at the same time."""
    if len(functions) < 2:
        return [function() for function in functions]
    with blas_alone:
        return run_both(*functions)


# --- BLAS --------------------------------------------------------------------------------------------------------------------


class BlasAlone:
    """A context in which OpenBLAS uses the calling thread only. Other BLAS libraries are left as they are."""

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, 0

    def __enter__(self) -> None:
        if functions := _openblas():
            get, put = functions
            with self._lock:
                self._inside += 1
                if self._inside == 1:
                    self._before = get()
                    put(1)

    def __exit__(self, *error: object) -> None:
        if functions := _openblas():
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    functions[1](self._before)

    def forked(self) -> None:
        """Reset in a forked child, which has none of the threads that were inside."""
        self._lock = threading.Lock()
        if self._inside and (functions := _openblas()):
            functions[1](self._before)
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
    """The functions that get and set the number of threads of NumPy's OpenBLAS."""
    try:
        library = ctypes.CDLL(np._core._multiarray_umath.__file__)  # type: ignore[attr-defined]  # its dependencies are searched too
    except (AttributeError, OSError, TypeError):
        return None
    for form in ("scipy_openblas_{}_num_threads64_", "openblas_{}_num_threads64_", "openblas_{}_num_threads"):
        if hasattr(library, form.format("set")):
            return getattr(library, form.format("get")), getattr(library, form.format("set"))
    return None


def shared(x: Any, y: Any) -> bool:
    """Whether OpenBLAS would use several threads for the product of two arrays, of which one may be a vector."""
    if len(x.shape) == len(y.shape):
        return bool(x.size * y.shape[-1] > SHARED)
    return bool(max(x.size, y.size) >= SHARED_BY_VECTOR)


def dot(x: Array, y: Array, out: Array | None = None) -> Array:
    """``x.dot(y)`` of matrices, or of a matrix and a vector; a large product in two halves, on however many threads there are."""
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
    """``np.matmul``; a large stack of matrices in two halves."""
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
