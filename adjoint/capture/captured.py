"""``Captured``: a function that is recorded once for each form of its arguments, and replayed."""

from __future__ import annotations

import functools
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from operator import attrgetter
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakSet

from .. import backends
from ..autograd import Tensor
from ..autograd.creation import as_tensor
from ..autograd.modes import process, state
from ..autograd.random import default_generator
from ..autograd.versions import writes
from ..backends import Backend
from ..errors import CaptureError
from ..replay import passes
from ..replay.program import Program
from .conditions import PLAIN, changed_paths, same
from .reads import named
from .recorder import Recorded
from .recording import Recording, active

#: So many recordings of a function are kept, the latest.
MOST = 16
#: After so many recordings of one form in turn, each because what is read had changed, there is a warning.
MISSES = 4

_MISSED: Any = object()  #: what a replay gives whose recording does not hold for this call


class Stats(NamedTuple):
    """What the recordings of a function come to.

    Attributes:
        programs: how many recordings there are.
        replays: how many calls were answered by one.
        recorded, calls: operations of the latest recording as they were logged, and calls that a replay of it makes.
        buffers, bytes: the pieces of memory that a replay of it works in, and their size.
        reason: why a replay of it is a loop over its operations, if the backend compiles others.
    """

    programs: int
    replays: int
    recorded: int
    calls: int
    buffers: int
    bytes: int
    reason: str = ""


class Replay:
    """One recording, ready to be replayed: its program, what has to hold, and what is to be done around it."""

    def __init__(self, recording: Recording, program: Program, result: Any, held: Any, stamp: Any) -> None:
        self.program, self.backend, self.result, self.held = program, recording.backend, result, held
        self.hold, self.names, self.notes = recording.guards.hold, recording.guards.names, recording.guards.notes
        self.assigned = recording.assigned()
        numbers = [value for value in program.values() if value.kind == "number"]
        scalars = recording.recorder.scalars
        self.scalars = scalars.compile([value.expression for value in numbers])
        self.has_early_effects = scalars.has_early_effects()
        self.after = [*scalars.trailing_effects(), *recording.guards.assigned()]
        self.lock = Lock()
        _replays.add(self)
        self.run = self.backend.compile(program, numbers)
        self.stamp = stamp
        self.drawn = default_generator(self.backend) if any(op.draws for op in program.ops) else None

    def __call__(self, arrays: list[Any]) -> Any:
        """What the function gives for arguments of these arrays; :data:`_MISSED` where it would go another way than recorded."""
        with self.lock:  # its memory is one thread's at a time
            return self._call(arrays)

    def _call(self, arrays: list[Any]) -> Any:
        if self.drawn is not None and self.drawn is not default_generator(self.backend):  # another thread's, of a fork
            return _MISSED
        holds = self.hold()
        if not holds:
            if holds is False:
                return _MISSED
            self._check_names()
        if not self.run.prologue(arrays):
            return _MISSED
        try:
            if self.has_early_effects and self.scalars(False) is None:  # foreseen, before anything is done
                return _MISSED
            numbers = self.scalars(True)
        except ReferenceError:
            raise CaptureError(
                "capture: an optimizer that the function was recorded with is gone; call reset() to have it recorded with the "
                "one that there is now"
            ) from None
        if numbers is None:
            return _MISSED
        with self.backend.suppress_warnings():
            outputs = self.run.body(numbers)
        self.stamp()
        for instance, name, value in self.assigned:
            setattr(instance, name, value)
        for function in self.after:
            function()
        return _filled(self.result, [Tensor(out, self.backend) for out in outputs])

    def _check_names(self) -> None:
        """Raise :class:`CaptureError` where a name stands for something else."""
        for space, name, value in self.names:
            now = named(space, name)
            if not same(now, value):
                raise CaptureError(
                    f"capture: '{name}', which the function reads, was {_told(value)} when it was recorded and is now "
                    f"{_told(now)}; pass it as an argument (a number that changes as a 0-d tensor), or call reset()"
                )


_replays: WeakSet[Replay] = WeakSet()


def _forked() -> None:
    """A process that was forked while another thread was in a replay has not that thread to let go of it."""
    for replay in _replays:
        replay.lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class Known(list[Replay]):
    """The recordings of one form of arguments.

    Attributes:
        changed: what calls of the form have changed of what they read, by which they were not recordings.
        missed: how many calls since the last replay were recorded because what they read had changed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[str] = set()
        self.missed = 0


#: What of a tensor a recording depends on, with its node, of which only whether there is one matters.
_form_of: Any = attrgetter("backend", "_array.shape", "_array.dtype", "_requires_grad", "_node")


def _settings() -> tuple[Any, ...]:
    """What a recording depends on beside its arguments."""
    return state.recording, process.anomaly, backends.default()


class _Last(NamedTuple):
    """A call of tensors alone, none of them on a graph: its settings, their forms, and the recordings of both."""

    settings: tuple[Any, ...]
    forms: list[Any]
    known: Known

    def again(self, args: Any) -> Known | None:
        """The recordings, where ``args`` have the same form."""
        try:
            same = _settings() == self.settings and [*map(_form_of, args)] == self.forms
        except AttributeError:  # of no tensor
            return None
        return self.known if same else None


class Captured:
    """A function that is recorded when it is first called in a form, and replayed after that. Made by :func:`~adjoint.capture`.

    Without tensors among the arguments it is recorded on ``backend``, or on the default one at the call.
    """

    def __init__(self, function: Callable[..., Any], title: str = "a captured function", backend: Backend | None = None) -> None:
        self.function, self.title, self._backend = function, title, backend
        self._replays: dict[Any, Known] = {}
        self._recent: deque[tuple[Known, Replay]] = deque()  # in the order in which they were recorded
        self._count = self.recordings = 0
        self._warned = False
        self._last: Any = None  # the tensors' forms of the call before, and its recordings
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if active() is not None:
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        known = None if kwargs or self._last is None else self._last.again(args)
        if known is not None:
            tensors = list(args)
            arrays = [tensor._array for tensor in tensors]
        else:
            settings = _settings()
            key = (*settings, *[_form(part, tensors) for part in args])
            if kwargs:
                key = (*key, *[(name, _form(part, tensors)) for name, part in sorted(kwargs.items())])
            known = self._replays.setdefault(key, Known())
            arrays = [tensor._array for tensor in tensors]
            alone = not kwargs and all(isinstance(part, Tensor) and part._node is None for part in args)
            self._last = _Last(settings, [*map(_form_of, args)], known) if alone else None
        for replay in known:
            result = replay(arrays)
            if result is not _MISSED:
                self._count += 1
                known.missed = 0
                return result
        if known and not self._warned:
            self._warn(known)
        return self._record(known, args, kwargs, tensors)

    def _warn(self, known: Known) -> None:
        """Warn where calls of one form are recorded again and again, by what has changed between them."""
        paths = changed_paths(known[-1].notes)
        known.missed += bool(paths)
        if known.missed == MISSES:
            self._warned = True
            title = getattr(self.function, "__qualname__", self.title)
            told = ", ".join(paths[:5]) + (f" and {len(paths) - 5} others" if len(paths) > 5 else "")
            warnings.warn(
                f"capture: {MISSES} calls of {title} in turn were recorded and not replayed, as what the function reads had "
                f"changed: {told}; pass it as an argument (a number as a 0-d tensor), hold it in a 0-d tensor that changes in "
                "place, or keep what the function does not use in an object of its own",
                RuntimeWarning,
                stacklevel=3,
            )

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: each instance is an argument as any other."""
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        """A copy, or what is unpickled, has recorded nothing yet."""
        return Captured, (self.function, self.title, self._backend)

    def __repr__(self) -> str:
        return f"<captured {getattr(self.function, '__qualname__', self.function)!s}, {len(self.all())} recordings>"

    def all(self) -> list[Replay]:
        """Every recording that is kept, the latest last."""
        return [replay for _, replay in self._recent]

    def reset(self) -> None:
        """Forget all recordings: the next call is recorded."""
        self._replays.clear()
        self._recent.clear()
        self._last = None

    @property
    def program(self) -> Program:
        """The program of the latest recording; print it to read it. Raises :class:`CaptureError` where there is none."""
        return self._latest().program

    @property
    def stats(self) -> Stats:
        """How much there is to a replay, and how often there was one. Raises :class:`CaptureError` where there is no recording."""
        latest, replays = self._latest(), self.all()
        run = latest.run
        return Stats(len(replays), self._count, latest.program.recorded, run.calls, run.buffers, run.bytes, run.reason)

    def _latest(self) -> Replay:
        if not self._recent:
            raise CaptureError("capture: nothing is recorded yet; call the function once")
        return self._recent[-1][1]

    def _record(self, known: Known, args: Any, kwargs: Any, tensors: list[Tensor]) -> Any:
        """Call the function, for what it gives and for the log of what it does, which joins those that are known."""
        for tensor in tensors:
            if tensor._node is not None and state.recording:
                raise CaptureError("capture: an argument is on a graph, which a replay would not continue; .detach() it")
        backend = tensors[0].backend if tensors else self._backend or backends.default()
        recording = Recording(backend)
        try:
            return self._recorded(recording, known, args, kwargs, tensors)
        finally:
            recording.close()

    def _recorded(self, recording: Recording, known: Known, args: Any, kwargs: Any, tensors: list[Tensor]) -> Any:
        backend = recording.backend
        with recording:
            recording.guards.start(self.function, (args, kwargs))
            given = [recording.argument(tensor) for tensor in tensors]
            new_args, new_kwargs = _replaced((args, kwargs), iter(given))
            result = self.function(*new_args, **new_kwargs)
            if any(tensor.grad is not None for tensor in given):
                raise CaptureError(
                    "capture: the gradient by an argument is left in its grad, where the caller would not find it; return it "
                    "(ad.grad, ad.autograd.grad), or take the gradient by a tensor that the function finds by name"
                )
            del given, new_args, new_kwargs
            outputs: list[Tensor] = []
            template = _emptied(result, outputs)
            for tensor in outputs:
                if type(tensor._array) is Recorded and tensor._array.value.kind != "external":
                    tensor.detach_()  # the graph goes, and what only it held
            del result
            recording.keep_assigned()
            recording.settle()
        made = [recording.recorded(tensor) for tensor in outputs]
        told = set(map(id, outputs)) | {id(value) for _, _, value in recording.assigned()}
        for tensor in recording.leaked(told):
            raise CaptureError(
                f"capture: a tensor of shape {tensor.shape} that the function made is still held when it is over, and later calls "
                "would not change it; return it, or write it into a tensor that was there before"
            )
        for held in made:
            if not held.value.buffer.external:  # the tensors that a graph knew it by are gone
                writes.forget(backend, held.array)
        copy = backend.xp.asarray
        given_again = _filled(
            template, [Tensor(copy(held.array, copy=True) if held.value.buffer.external else held.array, backend) for held in made]
        )
        recorder = recording.recorder
        program = recorder.program([held.value for held in made])
        stamp = writes.stamp(backend, program.external_writes(), self.title)
        stamp()
        if any(tensor._array is not array for tensor, array, _ in recording.tensors.values()):
            return given_again  # an optimizer has taken parameters into its memory: the next call finds them there
        if recording.moved is not None:
            raise CaptureError(
                f"capture: two optimizers take turns at a parameter of shape {recording.moved.shape}, and each takes it into its "
                "own memory; capture the step of each by itself, or give the parameter to one of them"
            )
        changed = recording.settle_guards()
        if changed:  # a cache that was filled, a flag that was set: the next call finds it so, and is recorded
            again = changed & known.changed
            known.changed |= changed
            if again:
                raise CaptureError(
                    f"capture: each call changes what it reads itself, {', '.join(sorted(again))}, which a replay would not do "
                    "again; change it outside of the captured function"
                )
            return given_again
        known.changed.clear()
        passes.optimize(program)
        replay = Replay(recording, program, template, (args, kwargs), stamp)
        known.append(replay)
        self.recordings += 1
        self._recent.append((known, replay))
        if len(self._recent) > MOST:
            oldest, first = self._recent.popleft()
            oldest.remove(first)
            self._replays = {key: replays for key, replays in self._replays.items() if replays}
            self._last = None
        return given_again


# --- arguments and results -----------------------------------------------------------------------------------------------------


def _form(part: Any, tensors: list[Tensor]) -> Any:
    """What of an argument the recording depends on; the tensors in it are added to ``tensors``."""
    if isinstance(part, Tensor):
        tensors.append(part)
        *form, node = _form_of(part)
        return *form, node is not None
    if isinstance(part, (tuple, list)):
        return type(part), *[_form(inner, tensors) for inner in part]
    if isinstance(part, dict):
        return dict, *[(name, _form(inner, tensors)) for name, inner in part.items()]
    if isinstance(part, PLAIN):
        return type(part), repr(part)
    if backends.of_array(part) is not None:
        return "array", _form(as_tensor(part), tensors)
    return type(part), id(part)


def _replaced(part: Any, given: Iterator[Tensor]) -> Any:
    """Arguments with each tensor, and each array, replaced by the next of ``given``."""
    if isinstance(part, Tensor):
        return next(given)
    if isinstance(part, (tuple, list)):
        return _as(type(part), [_replaced(inner, given) for inner in part])
    if isinstance(part, dict):
        return {name: _replaced(inner, given) for name, inner in part.items()}
    return next(given) if not isinstance(part, PLAIN) and backends.of_array(part) is not None else part


class _Place(NamedTuple):
    """Where in a result an output stands."""

    number: int


def _emptied(part: Any, outputs: list[Tensor]) -> Any:
    """A result with places where its tensors were, which are added to ``outputs``."""
    if isinstance(part, Tensor):
        outputs.append(part)
        return _Place(len(outputs) - 1)
    if isinstance(part, (tuple, list)):
        return _as(type(part), [_emptied(inner, outputs) for inner in part])
    if isinstance(part, dict):
        return {name: _emptied(inner, outputs) for name, inner in part.items()}
    return part


def _filled(part: Any, outputs: list[Tensor]) -> Any:
    """The result again, of these outputs."""
    if type(part) is _Place:
        return outputs[part.number]
    if isinstance(part, (tuple, list)):
        return _as(type(part), [_filled(inner, outputs) for inner in part])
    if isinstance(part, dict):
        return {name: _filled(inner, outputs) for name, inner in part.items()}
    return part


def _as(kind: type, parts: list[Any]) -> Any:
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def _told(value: Any) -> str:
    return repr(value) if isinstance(value, PLAIN) else f"another {type(value).__name__}"
