"""The attributes that are replaced while a call is recorded, each with the reason why the recording namespace does not suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..autograd import Tensor
from ..autograd.gradients import GradientBuffer
from ..autograd.random import Generator

if TYPE_CHECKING:
    from .recording import Recording

_MISSING = object()

#: Attributes that a call may change and a replay changes in the same way: the value read before that has to be the same again.
watched: list[tuple[type, str]] = [(Tensor, "grad")]


def table(recording: Recording) -> Iterator[tuple[Any, str, Any]]:
    """Owners, names and replacements. Where this thread is not recording, each does what the original does."""
    backend, recorder, draws = recording.backend, recording.recorder, recording.draws
    # where every kernel finds the namespace, which logs what they do
    yield backend, "xp", recorder.xp
    # creation functions take data that is no array yet, and convert it by the backend
    yield backend, "asarray", recording.asarray
    # reading values is refused, except in messages of errors; a truth becomes a guard
    yield backend, "to_numpy", recording.to_numpy
    yield backend, "truth", recorder.truth
    yield backend, "scalar_for_message", lambda array: type(backend).to_numpy(backend, recorder.real(array)).item()
    # version tracking asks about the memory behind an array, of which a recorded one has none
    for name in ("is_view", "owner", "extent"):
        yield backend, name, _of_real(recorder.real, getattr(backend, name))
    # a tensor's arrays become operands when they are read, and new ones results; the namespace sees neither
    yield Tensor, "_array", property(recording.array_of, recording.set_array)
    # reading it is no operation, and the call may branch on it
    yield Tensor, "requires_grad", property(recording.requires_grad_of, vars(Tensor)["requires_grad"].fset)
    # drawing numbers is an operation that no array takes part in; seeding is refused
    yield Generator, "stream", property(draws.stream, draws.set_stream)
    # references are counted to see whether a gradient is still in use, and the log holds some
    free = GradientBuffer.free
    yield GradientBuffer, "free", lambda buffer: recorder.is_recording or free(buffer)
    # assigning an attribute is no operation: the first value read is guarded, and the last one assigned again by each replay
    for owner, name in watched:
        descriptor = _watching(recording, owner, name)
        recording.dependencies.attributes.exclude(descriptor)
        yield owner, name, descriptor
    # classes of users' objects, whose attributes are noted when they are read, are added in the course (attributes.py)


def _of_real(real: Callable[[Any], Any], function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda array: function(real(array))


def _watching(recording: Recording, owner: type, name: str) -> property:
    """The attribute unchanged, with its first reading and what is assigned to it noted."""
    slot: Any = vars(owner).get(name)
    is_descriptor = hasattr(slot, "__set__")

    def get(instance: Any) -> Any:
        if is_descriptor:
            try:
                value = slot.__get__(instance)
            except AttributeError:
                value = None
        else:
            value = vars(instance).get(name, slot)
        key = id(instance), name
        if recording.recorder.is_recording and key not in recording.assigned and not recording.is_new(instance):
            recording.read.setdefault(key, (instance, name, value))
        return value

    def put(instance: Any, value: Any) -> None:
        if recording.recorder.is_recording and not recording.is_new(instance):
            recording.assigned[id(instance), name] = instance, name, value
        if is_descriptor:
            slot.__set__(instance, value)
        else:
            vars(instance)[name] = value

    return property(get, put)


class Patches:
    """Sets attributes, and remembers the earlier values."""

    def __init__(self) -> None:
        self._before: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Set an attribute, of a class too, whatever its own ``__setattr__`` does."""
        self._before.append((owner, name, vars(owner).get(name, _MISSING)))
        _changer(owner).__setattr__(owner, name, value)

    def restore(self) -> None:
        """Put all earlier values back."""
        for owner, name, value in reversed(self._before):
            if value is not _MISSING:
                _changer(owner).__setattr__(owner, name, value)
            elif name in vars(owner):  # an interrupt may have come before it was set
                _changer(owner).__delattr__(owner, name)
        self._before.clear()  # it refers to the recording


def _changer(owner: Any) -> Any:
    return type if isinstance(owner, type) else object
