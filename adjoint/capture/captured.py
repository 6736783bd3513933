"""``Captured``: a function that is recorded once for each form of its arguments, and replayed."""

from __future__ import annotations

import functools
import warnings
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import backends
from ..autograd import Tensor
from ..autograd.modes import process, state
from ..autograd.versions import writes
from ..backends import Backend
from ..errors import CaptureError
from ..replay import passes
from ..replay.program import Program
from .arrays import RecordedArray
from .guards import changed_paths
from .recording import Recording, active
from .replays import MISSED, Replay
from .trees import form, form_of_tensor, put_tensors, replace_tensors, take_tensors

#: The maximum number of recordings kept for a function, the latest.
MOST = 16
#: The number of recordings of one form in turn, each because something read had changed, after which there is a warning.
MISSES = 4


class Stats(NamedTuple):
    """Counts of a captured function's recordings.

    Attributes:
        programs: the number of recordings kept.
        replays: the number of calls that were replays.
        recorded: the number of operations of the latest recording as logged.
        calls: the number of calls that a replay of it makes.
        buffers, bytes: the number of buffers that a replay of it works in, and their size.
        reason: why a replay of it is a loop over its operations, if the backend compiles others.
    """

    programs: int
    replays: int
    recorded: int
    calls: int
    buffers: int
    bytes: int
    reason: str = ""


class Replays(list[Replay]):
    """The recordings of one form of arguments.

    Attributes:
        changed: paths that the last calls of this form have changed of what they read, so that they made no recording.
        missed: the number of calls since the last replay that were recorded because something they read had changed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[str] = set()
        self.missed = 0


def _settings() -> tuple[Any, ...]:
    """Settings that a recording depends on, besides its arguments."""
    return state.recording, process.anomaly, backends.default()


class _LastCall(NamedTuple):
    """A call of tensors alone, none of them on a graph: the fast path for another one of the same form."""

    settings: tuple[Any, ...]
    forms: list[Any]
    replays: Replays

    def replays_of(self, args: Any) -> Replays | None:
        """The recordings, if ``args`` have the same form."""
        try:
            is_same = _settings() == self.settings and [*map(form_of_tensor, args)] == self.forms
        except AttributeError:  # not a tensor
            return None
        return self.replays if is_same else None


class Captured:
    """A function that is recorded at its first call with arguments of a form, and replayed after that.

    Made by :func:`~adjoint.capture`.

    Args:
        function: the function.
        title: the name of the operation in errors about tensors that a replay changes in place.
        backend: where to record calls without tensors among the arguments; the default one at the call if None.
    """

    def __init__(self, function: Callable[..., Any], title: str = "a captured function", backend: Backend | None = None) -> None:
        self.function, self.title, self._backend = function, title, backend
        self._by_form: dict[Any, Replays] = {}
        self._recent: deque[tuple[Replays, Replay]] = deque()  # in the order in which they were recorded
        self._count = self.recordings = 0
        self._has_warned = False
        self._last: _LastCall | None = None
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if active() is not None:
            return self.function(*args, **kwargs)
        tensors: list[Tensor] = []
        last = self._last  # another thread may reset it
        replays = None if kwargs or last is None else last.replays_of(args)
        if replays is not None:
            tensors = list(args)
            arrays = [tensor._array for tensor in tensors]
        else:
            settings = _settings()
            key = (*settings, *[form(part, tensors) for part in args])
            if kwargs:
                key = (*key, *[(name, form(part, tensors)) for name, part in sorted(kwargs.items())])
            replays = self._by_form.setdefault(key, Replays())
            arrays = [tensor._array for tensor in tensors]
            are_tensors = not kwargs and all(isinstance(part, Tensor) and part._node is None for part in args)
            self._last = _LastCall(settings, [*map(form_of_tensor, args)], replays) if are_tensors else None
        for replay in replays:
            result = replay(arrays)
            if result is not MISSED:
                self._count += 1
                replays.missed = 0
                return result
        if replays and not self._has_warned:
            self._warn(replays)
        for tensor in tensors:
            if tensor._node is not None and state.recording:
                raise CaptureError("capture: an argument is on a graph, which a replay would not continue; .detach() it")
        recording = Recording(tensors[0].backend if tensors else self._backend or backends.default())
        try:
            return self._record(recording, replays, args, kwargs, tensors)
        finally:
            recording.close()

    def _warn(self, replays: Replays) -> None:
        """Warn if calls of one form are recorded again and again, by what has changed between them."""
        paths = changed_paths(replays[-1].notes)
        replays.missed += bool(paths)
        if replays.missed == MISSES:
            self._has_warned = True
            title = getattr(self.function, "__qualname__", self.title)
            changed = ", ".join(paths[:5]) + (f" and {len(paths) - 5} others" if len(paths) > 5 else "")
            warnings.warn(
                f"capture: {MISSES} calls of {title} in turn were recorded and not replayed, as what the function reads had "
                f"changed: {changed}; pass it as an argument (a number as a 0-d tensor), hold it in a 0-d tensor that changes in "
                "place, or keep what the function does not use in an object of its own",
                RuntimeWarning,
                stacklevel=3,
            )

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method: the instance is an argument like any other."""
        return self if instance is None else functools.partial(self, instance)

    def __reduce__(self) -> Any:
        """A copy has no recordings, nor has an unpickled object."""
        return Captured, (self.function, self.title, self._backend)

    def __repr__(self) -> str:
        return f"<captured {getattr(self.function, '__qualname__', self.function)!s}, {len(self.all())} recordings>"

    def all(self) -> list[Replay]:
        """Every recording kept, the latest last."""
        return [replay for _, replay in self._recent]

    def reset(self) -> None:
        """Forget all recordings: the next call is recorded."""
        self._by_form.clear()
        self._recent.clear()
        self._last = None

    @property
    def program(self) -> Program:
        """The program of the latest recording; ``print`` shows one operation a line.

        Raises:
            CaptureError: nothing is recorded yet.
        """
        return self._latest().program

    @property
    def stats(self) -> Stats:
        """Counts of recordings, replays, operations and memory: :class:`Stats`.

        Raises:
            CaptureError: nothing is recorded yet.
        """
        latest, replays = self._latest(), self.all()
        run = latest.run
        return Stats(len(replays), self._count, latest.program.recorded, run.calls, run.buffers, run.bytes, run.reason)

    def _latest(self) -> Replay:
        if not self._recent:
            raise CaptureError("capture: nothing is recorded yet; call the function once")
        return self._recent[-1][1]

    def _record(self, recording: Recording, replays: Replays, args: Any, kwargs: Any, tensors: list[Tensor]) -> Any:
        """Call the function. Returns its result, and adds the recording to ``replays`` if the next call can be a replay."""
        backend = recording.backend
        with recording:
            outputs, template = self._call(recording, args, kwargs, tensors)
        arrays = [recording.recorded(tensor) for tensor in outputs]
        expected = set(map(id, outputs)) | {id(value) for _, _, value in recording.new_assigned()}
        for tensor in recording.leaked(expected):
            raise CaptureError(
                f"capture: a tensor of shape {tensor.shape} that the function made is still held when it is over, and later calls "
                "would not change it; return it, or write it into a tensor that was there before"
            )
        results = []
        for recorded in arrays:
            is_external = recorded.value.buffer.external
            if not is_external:  # the tensors by which a graph refers to it no longer exist
                writes.forget(backend, recorded.array)
            results.append(Tensor(backend.xp.asarray(recorded.array, copy=True) if is_external else recorded.array, backend))
        result = put_tensors(template, results)
        program = recording.recorder.program([recorded.value for recorded in arrays])
        stamp = writes.stamp(backend, program.external_writes(), self.title)
        stamp()
        if any(tensor._array is not array for tensor, array, _ in recording.tensors.values()):
            return result  # an optimizer has moved parameters into its memory, where the next call reads them
        if recording.moved is not None:
            raise CaptureError(
                f"capture: two optimizers take turns at a parameter of shape {recording.moved.shape}, and each takes it into its "
                "own memory; capture the step of each by itself, or give the parameter to one of them"
            )
        changed = recording.changed()
        if changed:  # a cache that was filled, a flag that was set: the next call reads the new value, and is recorded
            again = changed & replays.changed
            replays.changed |= changed
            if again:
                raise CaptureError(
                    f"capture: each call changes what it reads itself, {', '.join(sorted(again))}, which a replay would not do "
                    "again; change it outside of the captured function"
                )
            return result
        replays.changed.clear()
        passes.optimize(program)
        self._keep(replays, Replay(recording, program, template, (args, kwargs), stamp))
        return result

    def _call(self, recording: Recording, args: Any, kwargs: Any, tensors: list[Tensor]) -> tuple[list[Tensor], Any]:
        """Call the function with recorded arguments. Returns the tensors of its result, and the result with placeholders."""
        recording.dependencies.follower.start(self.function, (args, kwargs))
        arguments = [recording.argument(tensor) for tensor in tensors]
        recorded_args, recorded_kwargs = replace_tensors((args, kwargs), iter(arguments))
        result = self.function(*recorded_args, **recorded_kwargs)
        if any(tensor.grad is not None for tensor in arguments):
            raise CaptureError(
                "capture: the gradient by an argument is left in its grad, where the caller would not find it; return it "
                "(ad.grad, ad.autograd.grad), or take the gradient by a tensor that the function finds by name"
            )
        outputs: list[Tensor] = []
        template = take_tensors(result, outputs)
        for tensor in outputs:
            if type(tensor._array) is RecordedArray and tensor._array.value.kind != "external":
                tensor.detach_()  # frees the graph
        del result, arguments, recorded_args, recorded_kwargs  # tensors that only these held are not leaked
        recording.keep_assigned()
        recording.check()
        return outputs, template

    def _keep(self, replays: Replays, replay: Replay) -> None:
        """Add a recording, and forget the oldest one if there are too many."""
        replays.append(replay)
        self.recordings += 1
        self._recent.append((replays, replay))
        if len(self._recent) > MOST:
            oldest, first = self._recent.popleft()
            oldest.remove(first)
            self._by_form = {key: others for key, others in self._by_form.items() if others}
            self._last = None
