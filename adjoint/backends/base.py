"""The protocol of a backend: its namespace, kernels that the standard lacks, random numbers, transfers, and how it compiles."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from .dtypes import DType
from .standard import Namespace

if TYPE_CHECKING:
    from ..replay.program import Program, Value

Array = Any  #: an array of whichever library the backend speaks for
Index = Any  #: an int, slice, None, Ellipsis, bool or integer array, or a tuple of these


class Extras(Protocol):
    """The functions a backend adds to the standard's in its namespace, under these names and meanings."""

    def astype(self, x: Array, dtype: Any) -> Array:
        """``x`` converted to ``dtype``; ``x`` itself where it already is of that dtype."""

    def contiguous(self, x: Array) -> Array:
        """``x`` itself where its elements lie in order in memory, row after row; else a copy in which they do."""

    def getitem(self, x: Array, index: Index) -> Array:
        """``x[index]`` with NumPy's full indexing: slices, ``None``, ``...``, masks and integer arrays, mixed."""

    def setitem(self, x: Array, value: Array, index: Index) -> None:
        """``x[index] = value``, in place, with NumPy's full indexing; axes of length one that lead ``value`` are dropped.

        Where the index names a place more than once, the last value in the order of the index remains.
        """

    def index_put(self, x: Array, value: Array, index: Index) -> Array:
        """A copy of ``x`` in which ``x[index]`` is ``value``, broadcast, as by ``setitem``."""

    def last_writes(self, x: Array, index: Index) -> Array:
        """For each element of ``x[index]``, whether no later one lies at the same place; booleans that broadcast to it."""

    def diagonal(self, x: Array, offset: int) -> Array:
        """The diagonal ``offset`` above the main one of the matrices in the last two axes, as a view."""

    def scatter_add(self, x: Array, index: Index, shape: tuple[int, ...]) -> Array:
        """Zeros of ``shape`` to which ``x`` was added at ``index``, repeated indices adding up: the adjoint of ``getitem``."""

    def are_indices(self, x: Array, n: int) -> Array:
        """Whether every integer in ``x``, which is not empty, is from 0 to n - 1: a 0-d boolean."""

    def erf(self, x: Array) -> Array:
        """The error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x, to the dtype's precision."""

    def normal_cdf(self, x: Array) -> Array:
        """How much of the standard normal distribution lies below x, to within the dtype's precision of 1."""

    def sigmoid(self, x: Array) -> Array:
        """1 / (1 + exp(-x)), without a warning."""

    def root_mean_square(self, x: Array, *, axis: int | tuple[int, ...] | None, divisor: float, eps: float) -> Array:
        """sqrt(sum of x^2 / divisor + eps) over ``axis``, which stays at length one, of float32 or float64.

        Right to the last digits whatever the scale of ``x`` is: squares neither overflow nor underflow, without a warning.
        """

    block_bytes: int  #: the best size of temporary arrays for kernels that work on a part at a time

    def run_parallel(self, function: Callable[[list[Any]], Any], parts: list[Any]) -> list[Any]:
        """``[function(first half), function(second half)]`` of ``parts``; ``[function(parts)]`` if there are fewer than two.

        The two branches may run at the same time: neither may read what the other writes.
        """

    def sliding_windows(self, x: Array, window: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
        """Every window along the last axes, (…, *size) to (…, *count, *window), as a view that is not written to.

        A window has ``window`` elements, every ``dilation``-th; the next begins ``stride`` further on. All must fit once.
        """

    def overlap_add(self, x: Array, shape: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
        """Windows added up where they stood in an array of ``shape``: the adjoint of ``sliding_windows``."""

    # Of the matrices in the last two axes, float32 or float64. Where there is no such thing, LinAlgError is raised.

    def cholesky(self, x: Array) -> Array:
        """The lower triangular L of x = L L^T."""

    def eigh(self, x: Array) -> Array:
        """Of symmetric n x n matrices, in n + 1 rows: the eigenvalues, rising, above their vectors in columns."""

    def inv(self, x: Array) -> Array:
        """The inverse."""

    def qr(self, x: Array, complete: bool = False) -> Array:
        """Of m x n matrices x = Q R, in m + n rows: Q above R^T. Q has min(m, n) columns, where ``complete`` m."""

    def slogdet(self, x: Array) -> Array:
        """The sign of the determinant and the logarithm of its size, side by side in a last axis of two."""

    def solve(self, x: Array, y: Array) -> Array:
        """The matrices z of x z = y, batch axes broadcast."""

    def svd(self, x: Array) -> Array:
        """Of m x n matrices x = U S V^T, in m + 1 + n rows: U above the singular values, falling, above V."""


class RandomState(Protocol):
    """A stream of random numbers on one device: same seed, same backend, same bits."""

    def uniform(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array of ``shape`` and ``dtype``, uniform on [0, 1)."""

    def normal(self, shape: tuple[int, ...], dtype: Any) -> Array:
        """An array of ``shape`` and ``dtype`` from the standard normal distribution."""

    def integers(self, low: int, high: int, shape: tuple[int, ...]) -> Array:
        """An int64 array, uniform on [low, high).

        Args:
            low: the lower bound, included.
            high: the upper bound, excluded.
            shape: of the result.
        """

    def permutation(self, n: int) -> Array:
        """A random permutation of 0 to ``n`` - 1, int64."""

    def get_state(self) -> dict[str, Any]:
        """The stream's position as JSON data, for :meth:`set_state`."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Resume from ``state``, a result of :meth:`get_state`."""


class Replay(Protocol):
    """A compiled program. External memory is written where it lies; everything else is the replay's own.

    Attributes:
        calls, buffers, bytes: calls of one replay, buffers that it works in, and their size.
        reason: empty, or why this program is replayed by the slow way.
    """

    calls: int
    buffers: int
    bytes: int
    reason: str

    def prologue(self, arrays: list[Array]) -> bool:
        """Take the arguments, run the first ``program.prologue`` operations; whether all guards hold that are not deferred."""

    def body(self, numbers: tuple[float, ...]) -> list[Array]:
        """Run the other operations in order, with these numbers; the outputs, in arrays that no later replay changes.

        Raises:
            CaptureError: a deferred guard fails.
        """


class Backend(Protocol):
    """One library on one device.

    Others register by the entry point ``adjoint.backends``, which names a function from a device's index (or None) to a backend.
    """

    name: str  #: the library: "numpy", "cupy", …
    device: str  #: where its arrays live, in PyTorch's words: "cpu", "cuda:0", …
    xp: Namespace
    dtypes: dict[Any, DType]  #: from the library's dtype objects to ours
    array_types: tuple[type, ...]  #: classes whose instances are arrays of this backend

    def asarray(self, array: Any, dtype: DType | None = None, copy: bool = False) -> Array:
        """An array of this backend; 0-d results may be the library's scalars, which cannot be written to.

        Args:
            array: a NumPy array, or one of this backend's.
            dtype: to convert to; None to keep.
            copy: always return a new array.
        """

    def to_numpy(self, array: Array) -> Any:
        """``array`` as a NumPy array; on a CPU backend it shares the memory."""

    def owner(self, array: Array) -> object:
        """The array that owns the memory of ``array``, possibly itself; it supports weak references."""

    def extent(self, array: Array) -> tuple[int, int]:
        """The address range of ``array``: that of its first byte, and the one after its last."""

    def is_view(self, array: Array) -> bool:
        """Whether another array owns this one's memory."""

    def truth(self, condition: Array) -> bool:
        """The value of the 0-d boolean array ``condition``, for control flow; on a GPU this synchronizes."""

    def scalar_for_message(self, array: Array) -> int | float:
        """The value of a 0-d array, for error messages only."""

    def compile(self, program: Program, numbers: list[Value]) -> Replay:
        """An optimized program, ready to be replayed; :class:`~adjoint.replay.loop.Loop` is the simplest.

        Args:
            program: operations with ``program.arguments`` and ``program.outputs``.
            numbers: its symbolic numbers, in the order in which ``body`` is given their values.
        """

    def random(self, seed: int) -> RandomState:
        """A new stream that starts from ``seed``."""

    def device_count(self) -> int:
        """The number of devices of this kind."""

    def synchronize(self) -> None:
        """Wait until all work issued so far is done."""

    def suppress_warnings(self) -> AbstractContextManager[Any]:
        """A context in which division by zero, overflow and invalid operations give inf and NaN without a warning."""

    def memory(self) -> dict[str, int]:
        """Bytes in use and reserved, if the library reports them: ``{"used": …, "reserved": …}``."""
