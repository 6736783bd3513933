"""``Recording``: a stretch in which tensors hand out recorded arrays, and what Python remembers of the call is noted.

Nothing below knows of it. While it lasts, a few attributes are others: the namespace and the memory questions of the backend,
:attr:`Tensor._array`, the stream that a generator draws from. So whatever runs in it, runs as ever and is logged.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from ..autograd import Tensor
from ..autograd.gradients import GradientBuffer
from ..autograd.random import Generator, default_generator
from ..backends import Array, Backend
from ..errors import CaptureError
from .conditions import whole
from .expressions import SymbolicNumber
from .guards import Guards
from .recorder import Recorded, Recorder
from .refusals import refused

#: Elements of each vector that are worked on at once where a function goes piece by piece.
PIECE = 1 << 16
_MISSING = object()
_lock = threading.RLock()  # one recording at a time: what is patched is everybody's
_active: list[Recording] = []

#: Attributes that a call may change and a replay changes alike: what was read of them before has to be the same again.
watched: list[tuple[type, str]] = [(Tensor, "grad")]

#: Functions that return hyperparameters by some key. A replay reads them again, so a call may change them only in a :func:`side_effect`.
hyperparameter_readers: list[Callable[[], dict[Any, Any]]] = []


class Recording:
    """Record what is done to arrays of ``backend`` in a ``with`` block, in this thread.

    Attributes:
        recorder: the log.
        tensors: each tensor that was there before and was used, with its array and whether it required a gradient.
        read, written: the watched attributes of objects whose values were read before anything was assigned, and those
            assigned, from (object, name) to value.
        guards: what else was read.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.tensors: dict[int, tuple[Tensor, Array, bool]] = {}
        self.read: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self.written: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._made: list[weakref.ref[Tensor]] = []
        self._aliases: dict[int, weakref.ref[Tensor]] = {}  #: tensors that the call made over arrays that were there before
        self.moved: Tensor | None = None  #: one that was there before, and was given another array on the way
        self._tapes: dict[int, _Tape] = {}
        self._steady: dict[Any, Any] = {}
        self._still_held: list[Tensor] = []
        self._recorded: dict[int, Recorded] = {}
        self._before: list[tuple[Any, str, Any]] = []
        self.guards = Guards(lambda: self.recorder.here, self._set_method, self._is_new)

    def __enter__(self) -> Recording:
        _lock.acquire()
        if _active:
            _lock.release()
            raise CaptureError("capture: a captured function is called while another one is recorded; capture the outer one alone")
        default_generator(self.backend)  # which is to be there before what it draws is recorded
        self.recorder = Recorder(self.backend)
        try:
            self._patch()
            self._steady = _told_now()
            CaptureError.refusals.messages = []
            _active.append(self)  # the last, since other threads ask it
        except BaseException:  # an interrupt, which may come at any time
            self._put_back()
            _lock.release()
            raise
        return self

    def _patch(self) -> None:
        backend: Any = self.backend
        plain_numpy = backend.to_numpy
        self._set(backend, xp=self.recorder.xp, asarray=self._asarray, to_numpy=self._to_numpy)
        self._set(
            backend, truth=self.recorder.truth, scalar_for_message=lambda array: plain_numpy(self.recorder.real(array)).item()
        )
        for name in ("is_view", "owner", "extent"):
            self._set(backend, **{name: self._of_real(getattr(backend, name))})
        self._slot: Any = vars(Tensor)["_array"]
        self._set(Tensor, _array=property(self._array_of, self._put_array))
        self._set(Tensor, requires_grad=property(self._required_of, vars(Tensor)["requires_grad"].fset))
        self._set(Generator, stream=property(self._stream_of, lambda generator, new: vars(generator).update(stream=new)))
        free = GradientBuffer.free  # what is held of it in this call is held by the recorder
        self._set(GradientBuffer, free=lambda buffer: self.recorder.here or free(buffer))
        self._set(Generator, manual_seed=self._seeding(Generator.manual_seed))
        self._set(Generator, get_state=self._placing(Generator.get_state), set_state=self._rewinding(Generator.set_state))
        for owner, name in watched:
            watching = self._watching(owner, name)
            self.guards.skip(watching)
            self._set(owner, **{name: watching})

    def _put_back(self) -> None:
        for owner, name, value in reversed(self._before):
            change = type if isinstance(owner, type) else object
            if value is not _MISSING:
                change.__setattr__(owner, name, value)
            elif name in vars(owner):  # an interrupt may have come before it was set
                change.__delattr__(owner, name)
        self._before.clear()  # what was set refers to this

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._put_back()
        _active.remove(self)
        CaptureError.refusals.messages = None
        self._still_held = [tensor for reference in self._made if (tensor := reference()) is not None]
        self._recorded = {id(tensor): self._slot.__get__(tensor) for tensor in self._still_held}
        for tensor in self._still_held:
            self._slot.__set__(tensor, self._recorded[id(tensor)].array)
        _lock.release()

    def _set(self, owner: Any, /, **attributes: Any) -> None:
        for name, value in attributes.items():
            self._before.append((owner, name, vars(owner).get(name, _MISSING)))
            setattr(owner, name, value)

    def _set_method(self, owner: type, name: str, method: Any) -> None:
        self._before.append((owner, name, vars(owner).get(name, _MISSING)))
        type.__setattr__(owner, name, method)  # whatever its metaclass says

    # --- tensors -------------------------------------------------------------------------------------------------------------

    def _array_of(self, tensor: Tensor) -> Any:
        try:
            array = self._slot.__get__(tensor)
        except AttributeError:
            raise AttributeError("_array") from None
        if not self.recorder.here:
            return array.array if type(array) is Recorded else array
        if type(array) is Recorded:
            return array
        if tensor.backend is not self.backend:
            raise CaptureError(
                f"capture: a tensor is on '{tensor.device}', and '{self.backend.device}' is recorded; move it there before the call"
            )
        if not hasattr(array, "__setitem__"):  # a single number, which could not be told from another one
            array = self.recorder.plain.asarray(array, copy=True)
            self._slot.__set__(tensor, array)
        alias = id(tensor) in self._aliases and self._aliases[id(tensor)]() is tensor
        if not alias and id(tensor) not in self.tensors:
            self.tensors[id(tensor)] = tensor, array, tensor._requires_grad
            for hook in tensor._hooks or ():
                self.guards.reach(hook, "a hook")
        return self.recorder.external(array)

    def _put_array(self, tensor: Tensor, array: Any) -> None:
        if type(array) is Recorded and self.recorder.here:
            if array.value.kind != "external":
                self._made.append(weakref.ref(tensor))
            else:
                array = array.array
                if not self._has_array(tensor):
                    self._aliases[id(tensor)] = weakref.ref(tensor)
        known = self.tensors.get(id(tensor))
        if known is not None and array is not known[1] and threading.get_ident() == self.recorder.thread:
            self.moved = tensor
        self._slot.__set__(tensor, array)

    def _required_of(self, tensor: Tensor) -> bool:
        if self.recorder.here and not self._is_new(tensor):
            self.guards.required(tensor)
        return tensor._requires_grad

    def _has_array(self, tensor: Tensor) -> bool:
        try:
            self._slot.__get__(tensor)
        except AttributeError:
            return False
        return True

    def argument(self, tensor: Tensor) -> Tensor:
        """The tensor that the function is to be given in the place of ``tensor``: of its values now, and of any later call's."""
        held = self.recorder.argument(self.recorder.plain.asarray(self._slot.__get__(tensor), copy=True))
        given = Tensor(held, self.backend)
        given._requires_grad = tensor._requires_grad
        return given

    def settle_guards(self) -> set[str]:
        """:meth:`Guards.finish`: what the call itself has changed of what it read."""
        for instance, name, value in self.read.values():
            self.guards.watched(instance, name, value)
        return self.guards.finish(self.recorder.knows, self.tensors.values())

    def assigned(self) -> list[tuple[Any, str, Any]]:
        """What was assigned to attributes of objects that were there before, and is another value than before or unknown."""
        return [
            (instance, name, value)
            for key, (instance, name, value) in self.written.items()
            if key not in self.read or self.read[key][2] is not value
        ]

    def keep_assigned(self) -> None:
        """Have each later call leave its values in the tensors that were assigned to what was there before."""
        for _, _, tensor in self.assigned():
            if isinstance(tensor, Tensor) and type(tensor._array) is Recorded:
                if tensor._array.value.kind == "argument" or tensor._array.value.base is not None:
                    tensor._array = self.recorder.xp.asarray(tensor._array, copy=True)
                self.recorder.keep(tensor._array)

    def recorded(self, tensor: Tensor) -> Recorded:
        """What the tensor holds, after the end too: an array that was recorded, or one from outside."""
        found = self._recorded.get(id(tensor))
        if found is not None:
            self.recorder.check_current(found)
        return self.recorder.external(self._slot.__get__(tensor)) if found is None else found

    def close(self) -> None:
        """Let go of the arrays, and of what would keep this alive."""
        for held in (self._recorded, self._still_held, self.tensors, self.read, self.written, self._tapes):
            held.clear()
        self.guards.close()
        if "recorder" in vars(self):  # it had begun
            self.recorder.close()

    def leaked(self, known: set[int]) -> list[Tensor]:
        """The tensors that the call made and that are still held, but for those whose identity is known."""
        return [t for t in self._still_held if id(t) not in known and not self._recorded[id(t)].value.buffer.external]

    # --- the backend ---------------------------------------------------------------------------------------------------------

    def _of_real(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda array: function(self.recorder.real(array))

    def _asarray(self, array: Any, dtype: Any = None, copy: bool = False) -> Any:
        plain = type(self.backend).asarray
        if not self.recorder.here:
            return plain(self.backend, self.recorder.real(array), dtype, copy)
        return self.recorder.call("asarray", lambda x: plain(self.backend, x, dtype, copy), (array,), {})

    def _to_numpy(self, array: Any) -> Any:
        if type(array) is Recorded and self.recorder.here:
            raise refused()
        return type(self.backend).to_numpy(self.backend, self.recorder.real(array))

    # --- what Python remembers -------------------------------------------------------------------------------------------------

    def _seeding(self, manual_seed: Callable[..., Any]) -> Callable[..., Any]:
        def seeded(generator: Generator, seed: int) -> Any:
            if self.recorder.here and "stream" in vars(generator):
                raise CaptureError(
                    "capture: a generator is seeded while the function is recorded, which a replay would not do again"
                )
            return manual_seed(generator, seed)

        return seeded

    def _placing(self, get_state: Callable[..., Any]) -> Callable[..., Any]:
        """``get_state``, which tells also how many draws of the call there were before."""

        def told(generator: Generator) -> Any:
            state = get_state(generator)
            if not self.recorder.here:
                return state
            tape = self._tapes.setdefault(id(generator), _Tape(generator))
            return _Place(state, tape, tape.at)

        return told

    def _rewinding(self, set_state: Callable[..., Any]) -> Callable[..., Any]:
        """``set_state``, which back to a place in the same call has the same numbers drawn again, and else is refused."""

        def put(generator: Generator, state: Any) -> None:
            if not self.recorder.here:
                set_state(generator, state)
            elif type(state) is _Place and state.tape is self._tapes.get(id(generator)):
                state.tape.at = state.at
            else:
                raise CaptureError(
                    "capture: a generator is given another state while the function is recorded, which a replay would not do "
                    "again; set it before the call"
                )

        return put

    def drawn(self, generator: Generator, name: str, args: Any) -> Any:
        """Numbers that are drawn anew at each call; those of before, where the generator was put back in this one."""
        tape, recorder = self._tapes.get(id(generator)), self.recorder
        if tape is not None and tape.at < len(tape.draws):
            known, found = tape.draws[tape.at]
            if known != (name, args):
                raise CaptureError("capture: a generator that was put back is drawn from in another way than before")
        else:
            found = recorder.call(name, Draw(generator, name), args, {}, draws=True)
            if tape is None:
                return found
            tape.draws.append(((name, args), found))
        tape.at += 1
        return recorder.xp.asarray(found, copy=True)  # what is written to it is not written to those that are drawn again

    def settle(self) -> None:
        """Raise :class:`CaptureError` where the call has left what a replay would not leave so, or has caught such an error."""
        for message in CaptureError.refusals.messages or ():
            raise CaptureError(f"{message} (the function, or code that it calls, caught this error)")
        if any(tape.at != len(tape.draws) for tape in self._tapes.values()):
            raise CaptureError("capture: a generator was put back, and not forward again before the end of the function")
        self.check_steady()

    def check_steady(self) -> None:
        """Raise :class:`CaptureError` where the call has changed numbers by hand that a replay reads anew."""
        now = _told_now()
        changed = [key for key, value in self._steady.items() if now.get(key, value) != value]
        if changed:
            raise CaptureError(
                "capture: the function changes hyperparameters of an optimizer (a learning rate, say) by hand, which a replay "
                "would not do again; change them before the call, or by a scheduler"
            )

    @contextmanager
    def effects(self, hyperparameters: bool) -> Iterator[None]:
        """A stretch that is not recorded, and that each replay does again."""
        if hyperparameters:
            self.check_steady()
        self.guards.effect = True
        try:
            with unrecorded():
                yield
        finally:
            self.guards.effect = False
        if hyperparameters:
            before, self._steady = self._steady, _told_now()
            self.guards.rates_changed |= before != self._steady

    def _stream_of(self, generator: Generator) -> Any:
        return _Drawing(self, generator) if self.recorder.here else vars(generator)["stream"]

    def _is_new(self, instance: Any) -> bool:
        """Whether it is a tensor that the call itself made."""
        return issubclass(type(instance), Tensor) and type(self._slot.__get__(instance)) is Recorded

    def _watching(self, owner: type, name: str) -> property:
        """The attribute as it is, its first reading and what is assigned to it noted."""
        slot: Any = vars(owner).get(name)
        descriptor = hasattr(slot, "__set__")

        def get(instance: Any) -> Any:
            if descriptor:
                try:
                    value = slot.__get__(instance)
                except AttributeError:
                    value = None
            else:
                value = vars(instance).get(name, slot)
            key = (id(instance), name)
            if self.recorder.here and key not in self.written and not self._is_new(instance):
                self.read.setdefault(key, (instance, name, value))
            return value

        def put(instance: Any, value: Any) -> None:
            if self.recorder.here and not self._is_new(instance):
                self.written[id(instance), name] = (instance, name, value)
            if descriptor:
                slot.__set__(instance, value)
            else:
                vars(instance)[name] = value

        return property(get, put)


class _Drawing:
    """A generator's stream: what is drawn is recorded as drawn anew at each call."""

    def __init__(self, recording: Recording, generator: Generator) -> None:
        self._recording, self._generator = recording, generator

    def __getattr__(self, name: str) -> Any:
        member = getattr(vars(self._generator)["stream"], name)
        if name not in ("uniform", "normal", "integers", "permutation"):
            return member
        return lambda *args: self._recording.drawn(self._generator, name, args)


class _Tape:
    """What was drawn from a generator since it was first asked for its state in the call, and where it stands."""

    def __init__(self, generator: Generator) -> None:
        self.generator, self.at = generator, 0  # kept, so that its identity stays its own
        self.draws: list[tuple[Any, Any]] = []


class _Place(dict[str, Any]):
    """A generator's state, and where on its tape it is."""

    def __init__(self, state: dict[str, Any], tape: _Tape, at: int) -> None:
        super().__init__(state)
        self.tape, self.at = tape, at


class Draw:
    """A draw from the stream that a generator has when it is called."""

    def __init__(self, generator: Generator, name: str) -> None:
        self.generator, self.name = generator, name

    def __call__(self, *args: Any) -> Any:
        return getattr(vars(self.generator)["stream"], self.name)(*args)


# --- for those above -----------------------------------------------------------------------------------------------------------


def active() -> Recording | None:
    """The recording that this thread is in."""
    for recording in _active:  # one at most, which another thread may take away at any time
        return recording if recording.recorder.here else None
    return None


def watch(owner: type, name: str) -> None:
    """Have captured functions take note of attributes of instances of ``owner``, since another value is another way: of the one
    called ``name``, which the call may change too, and of all others.
    """
    watched.append((owner, name))
    whole.append(owner)


@contextmanager
def unrecorded() -> Iterator[None]:
    """A stretch that is not recorded: what is done in it is done once, and the memory that is made in it stays."""
    recording = active()
    if recording is None:
        yield
        return
    recording.recorder.paused = True  # nested, there is no active one
    try:
        yield
    finally:
        recording.recorder.paused = False


def dynamic_scalars(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``function`` gives: numbers by name. In a captured function it is called before each replay, for that one's numbers."""
    recording = active()
    with unrecorded():
        numbers = function()
    if recording is None:
        return numbers
    return recording.recorder.scalars.scalars(function, numbers)


def piecewise(function: Callable[[slice, dict[str, Any]], Any], start: int, stop: int, numbers: dict[str, Any]) -> None:
    """Call ``function`` with pieces of start:stop, and ``numbers``, where it does the same to each element of vectors.

    One piece is recorded, as done to all at once; so a recording takes no more memory than a piece does.
    """
    recording = active()
    first = slice(start, min(start + PIECE, stop))
    begun = 0 if recording is None else len(recording.recorder.ops)
    function(first, numbers)
    if recording is not None and first.stop < stop:
        recording.recorder.widen(begun, first, slice(start, stop))
    plain = {name: number.value if type(number) is SymbolicNumber else number for name, number in numbers.items()}
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


def _told_now() -> dict[Any, Any]:
    return {key: value for tell in hyperparameter_readers for key, value in tell().items()}
