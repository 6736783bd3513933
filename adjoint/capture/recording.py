"""``Recording``: a ``with`` block in which tensors hand out recorded arrays, and what Python reads and assigns is noted.

Layers below do not know of it: for its duration a few attributes are replaced (``patches``), and all code runs unchanged.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from ..autograd import Tensor
from ..autograd.random import default_generator
from ..backends import Array, Backend
from ..errors import CaptureError
from .arrays import RecordedArray
from .dependencies import Dependencies
from .expressions import SymbolicNumber
from .generators import Draws
from .guards import module_classes
from .patches import Patches, table, watched
from .recorder import Recorder
from .refusals import refused

#: Elements of each vector that :func:`piecewise` works on at once.
PIECE = 1 << 16
_lock = threading.RLock()  # one recording at a time: patches are seen by all threads
_active: list[Recording] = []

#: Functions that return hyperparameters by key; a call may change them only in a :func:`side_effect`, as a replay reads them again.
hyperparameter_readers: list[Callable[[], dict[Any, Any]]] = []


class Recording:
    """Record what is done to arrays of ``backend`` in a ``with`` block, in this thread.

    Attributes:
        recorder: the log of operations on arrays.
        draws: the random numbers.
        dependencies: everything of Python that the call reads.
        tensors: each tensor that existed before and was used, with its array and whether it required a gradient.
        read, assigned: the watched attributes whose values were read before any was assigned, and the last values assigned, by
            object and name.
        moved: a tensor that existed before and was given another array on the way.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.tensors: dict[int, tuple[Tensor, Array, bool]] = {}
        self.read: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self.assigned: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self.moved: Tensor | None = None
        self._patches = Patches()
        self._new: list[weakref.ref[Tensor]] = []  # tensors that the call made
        self._aliases: dict[int, weakref.ref[Tensor]] = {}  # those of them that hold external arrays
        self._alive: list[Tensor] = []  # the new ones that are still held at the end
        self._arrays: dict[int, RecordedArray] = {}  # theirs
        self._hyperparameters: dict[Any, Any] = {}

    def __enter__(self) -> Recording:
        _lock.acquire()
        if _active:
            _lock.release()
            raise CaptureError("capture: a captured function is called while another one is recorded; capture the outer one alone")
        default_generator(self.backend)  # which has to exist before its draws are recorded
        self.recorder = Recorder(self.backend)
        self.draws = Draws(self.recorder)
        self._slot: Any = vars(Tensor)["_array"]
        self.dependencies = Dependencies(lambda: self.recorder.is_recording, self.is_new, self._patches.set)
        try:
            for owner, name, value in table(self):
                self._patches.set(owner, name, value)
            self._hyperparameters = _read_hyperparameters()
            CaptureError.refusals.messages = []
            _active.append(self)  # the last, since other threads ask it
        except BaseException:  # an interrupt, which may come at any time
            self._patches.restore()
            _lock.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._patches.restore()
        _active.remove(self)
        CaptureError.refusals.messages = None
        self._alive = [tensor for reference in self._new if (tensor := reference()) is not None]
        self._arrays = {id(tensor): self._slot.__get__(tensor) for tensor in self._alive}
        for tensor in self._alive:
            self._slot.__set__(tensor, self._arrays[id(tensor)].array)
        _lock.release()

    def close(self) -> None:
        """Let go of the arrays, and of everything that would keep this alive."""
        for collection in (self._arrays, self._alive, self.tensors, self.read, self.assigned):
            collection.clear()
        if "dependencies" in vars(self):  # it had begun
            self.draws.close()
            self.dependencies.close()
            self.recorder.close()

    # --- tensors -------------------------------------------------------------------------------------------------------------

    def array_of(self, tensor: Tensor) -> Any:
        """``tensor._array``."""
        try:
            array = self._slot.__get__(tensor)
        except AttributeError:
            raise AttributeError("_array") from None
        if not self.recorder.is_recording:
            return array.array if type(array) is RecordedArray else array
        if type(array) is RecordedArray:
            return array
        if tensor.backend is not self.backend:
            raise CaptureError(
                f"capture: a tensor is on '{tensor.device}', and '{self.backend.device}' is recorded; move it there before the call"
            )
        if not hasattr(array, "__setitem__"):  # a NumPy scalar, whose identity another one may have
            array = self.recorder.plain.asarray(array, copy=True)
            self._slot.__set__(tensor, array)
        is_alias = id(tensor) in self._aliases and self._aliases[id(tensor)]() is tensor
        if not is_alias and id(tensor) not in self.tensors:
            self.tensors[id(tensor)] = tensor, array, tensor._requires_grad
            for hook in tensor._hooks or ():
                self.dependencies.follower.reach(hook, "a hook")
        return self.recorder.external(array)

    def set_array(self, tensor: Tensor, array: Any) -> None:
        """``tensor._array = array``."""
        if type(array) is RecordedArray and self.recorder.is_recording:
            if array.value.kind != "external":
                self._new.append(weakref.ref(tensor))
            else:
                array = array.array
                if not self._has_array(tensor):
                    self._aliases[id(tensor)] = weakref.ref(tensor)
        before = self.tensors.get(id(tensor))
        if before is not None and array is not before[1] and threading.get_ident() == self.recorder.thread:
            self.moved = tensor
        self._slot.__set__(tensor, array)

    def requires_grad_of(self, tensor: Tensor) -> bool:
        """``tensor.requires_grad``."""
        if self.recorder.is_recording and not self.is_new(tensor):
            self.dependencies.attributes.read_requires_grad(tensor)
        return tensor._requires_grad

    def _has_array(self, tensor: Tensor) -> bool:
        try:
            self._slot.__get__(tensor)
        except AttributeError:
            return False
        return True

    def is_new(self, value: Any) -> bool:
        """Whether a value is a tensor that the call itself made."""
        return issubclass(type(value), Tensor) and type(self._slot.__get__(value)) is RecordedArray

    def argument(self, tensor: Tensor) -> Tensor:
        """The tensor to call the function with instead of ``tensor``: an argument of the program."""
        array = self.recorder.argument(self.recorder.plain.asarray(self._slot.__get__(tensor), copy=True))
        argument = Tensor(array, self.backend)
        argument._requires_grad = tensor._requires_grad
        return argument

    def new_assigned(self) -> list[tuple[Any, str, Any]]:
        """The watched attributes that were assigned another value than the one read, or were not read before."""
        return [
            (instance, name, value)
            for key, (instance, name, value) in self.assigned.items()
            if key not in self.read or self.read[key][2] is not value
        ]

    def keep_assigned(self) -> None:
        """Have each replay compute the assigned tensors where the recorded call did."""
        for _, _, tensor in self.new_assigned():
            if isinstance(tensor, Tensor) and type(tensor._array) is RecordedArray:
                if tensor._array.value.kind == "argument" or tensor._array.value.base is not None:
                    tensor._array = self.recorder.xp.asarray(tensor._array, copy=True)
                self.recorder.keep(tensor._array)

    def recorded(self, tensor: Tensor) -> RecordedArray:
        """A tensor's array in the program, after the end too."""
        array = self._arrays.get(id(tensor))
        if array is None:
            return self.recorder.external(self._slot.__get__(tensor))
        self.recorder.picks.check_current(array)
        return array

    def leaked(self, expected: set[int]) -> list[Tensor]:
        """The tensors that the call made and that are still held, without the expected ones, by identity."""
        return [t for t in self._alive if id(t) not in expected and not self._arrays[id(t)].value.buffer.external]

    # --- the backend ---------------------------------------------------------------------------------------------------------

    def asarray(self, array: Any, dtype: Any = None, copy: bool = False) -> Any:
        """``backend.asarray``."""
        backend, plain = self.backend, type(self.backend).asarray
        if not self.recorder.is_recording:
            return plain(backend, self.recorder.real(array), dtype, copy)
        return self.recorder.call("asarray", lambda x: plain(backend, x, dtype, copy), (array,), {})

    def to_numpy(self, array: Any) -> Any:
        """``backend.to_numpy``."""
        if type(array) is RecordedArray and self.recorder.is_recording:
            raise refused()
        return type(self.backend).to_numpy(self.backend, self.recorder.real(array))

    # --- what the call changes -----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raise :class:`CaptureError` where the call changed what a replay would not change, or has caught such an error."""
        for message in CaptureError.refusals.messages or ():
            raise CaptureError(f"{message} (the function, or code that it calls, caught this error)")
        self.draws.finish()
        self._check_hyperparameters()

    def _check_hyperparameters(self) -> None:
        now = _read_hyperparameters()
        if any(now.get(key, value) != value for key, value in self._hyperparameters.items()):
            raise CaptureError(
                "capture: the function changes hyperparameters of an optimizer (a learning rate, say) by hand, which a replay "
                "would not do again; change them before the call, or by a scheduler"
            )

    def changed(self) -> set[str]:
        """Paths of what the call itself has changed of what it read; see :meth:`Dependencies.finish`."""
        return self.dependencies.finish(self.recorder.reads, self.tensors.values(), self.read.values())

    @contextmanager
    def effects(self, hyperparameters: bool) -> Iterator[None]:
        """A block that is not recorded, and that each replay repeats."""
        if hyperparameters:
            self._check_hyperparameters()
        attributes = self.dependencies.attributes
        attributes.is_in_effect = True
        try:
            with unrecorded():
                yield
        finally:
            attributes.is_in_effect = False
        if hyperparameters:
            before, self._hyperparameters = self._hyperparameters, _read_hyperparameters()
            attributes.rates_changed |= before != self._hyperparameters


def _read_hyperparameters() -> dict[Any, Any]:
    return {key: value for read in hyperparameter_readers for key, value in read().items()}


# --- for the layers above --------------------------------------------------------------------------------------------------------


def active() -> Recording | None:
    """The recording that this thread is in."""
    for recording in _active:  # one at most, which another thread may take away at any time
        return recording if recording.recorder.is_recording else None
    return None


def watch(owner: type, name: str) -> None:
    """Have captured functions depend on all attributes of instances of ``owner``; the one called ``name`` they may change too."""
    watched.append((owner, name))
    module_classes.append(owner)


@contextmanager
def unrecorded() -> Iterator[None]:
    """A block that is not recorded: it runs once, and the memory that is allocated in it stays."""
    recording = active()
    if recording is None:
        yield
        return
    recording.recorder.is_paused = True  # inside of another such block none is active
    try:
        yield
    finally:
        recording.recorder.is_paused = False


def dynamic_scalars(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of ``function``: scalars by name. In a captured function each replay calls it again, for new values."""
    recording = active()
    with unrecorded():
        scalars = function()
    return scalars if recording is None else recording.recorder.scalars.scalars(function, scalars)


def piecewise(function: Callable[[slice, dict[str, Any]], Any], start: int, stop: int, scalars: dict[str, Any]) -> None:
    """Call ``function(piece, scalars)`` for pieces of start:stop. It has to do the same to each element of vectors.

    The first piece is recorded, as an operation on everything; so a recording takes no more memory than a piece does.
    """
    recording = active()
    first = slice(start, min(start + PIECE, stop))
    begin = 0 if recording is None else len(recording.recorder.ops)
    function(first, scalars)
    if recording is not None and first.stop < stop:
        recording.recorder.widen(begin, first, slice(start, stop))
    plain = {name: scalar.value if type(scalar) is SymbolicNumber else scalar for name, scalar in scalars.items()}
    with unrecorded():
        for at in range(first.stop, stop, PIECE):
            function(slice(at, min(at + PIECE, stop)), plain)


def side_effect(function: Callable[[], Any], hyperparameters: bool = True) -> None:
    """Call ``function``, which changes Python state; a captured function calls it again at each replay.

    Args:
        hyperparameters: whether it may change what the functions in :data:`hyperparameter_readers` return.
    """
    recording = active()
    if recording is None:
        function()
        return
    with recording.effects(hyperparameters):
        function()
    recording.recorder.scalars.steps.append(function)
