"""``Replay``: one recording, ready to be replayed."""

from __future__ import annotations

import os
from threading import Lock
from typing import Any
from weakref import WeakSet

from ..autograd import Tensor
from ..autograd.random import default_generator
from ..errors import CaptureError
from ..replay.program import Program
from .guards import check_names
from .recording import Recording
from .trees import put_tensors

#: A replay returns this where its recording does not hold for the call.
MISSED: Any = object()


class Replay:
    """A recorded program with its guards, and what a replay does in Python around it.

    Args:
        recording: the recording, which is over.
        program: its program, improved.
        template: the function's result with placeholders for tensors.
        arguments: the first call's, to keep alive whatever the guards compare by identity.
        stamp: notes the program's writes to external arrays, so that a graph which needs the old values refuses them.
    """

    def __init__(self, recording: Recording, program: Program, template: Any, arguments: Any, stamp: Any) -> None:
        self.program, self.backend, self.template = program, recording.backend, template
        self.arguments, self.stamp = arguments, stamp
        dependencies, scalars = recording.dependencies, recording.recorder.scalars
        self.hold, self.names, self.notes = dependencies.hold, dependencies.names, dependencies.notes
        numbers = [value for value in program.values() if value.kind == "number"]
        self.scalars = scalars.compile([value.expression for value in numbers])
        self.has_early_effects = scalars.has_early_effects()
        self.assigned = recording.new_assigned()
        self.after = [*scalars.trailing_effects(), *dependencies.assignments]
        self.run = self.backend.compile(program, numbers)
        self.generator = default_generator(self.backend) if any(op.draws for op in program.ops) else None
        self.lock = Lock()
        _replays.add(self)

    def __call__(self, arrays: list[Any]) -> Any:
        """The function's result for arguments of these arrays; :data:`MISSED` where the recording does not hold for them."""
        with self.lock:  # its memory is one thread's at a time
            return self._call(arrays)

    def _call(self, arrays: list[Any]) -> Any:
        if self.generator is not None and self.generator is not default_generator(self.backend):  # fork_rng() has replaced it
            return MISSED
        holds = self.hold()
        if not holds:
            if holds is False:
                return MISSED
            check_names(self.names)
        if not self.run.prologue(arrays):
            return MISSED
        try:
            if self.has_early_effects and self.scalars(False) is None:  # evaluated once more below, with the effects
                return MISSED
            numbers = self.scalars(True)
        except ReferenceError:
            raise CaptureError(
                "capture: an optimizer that the function was recorded with no longer exists; call reset() to record it with the "
                "present one"
            ) from None
        if numbers is None:
            return MISSED
        with self.backend.suppress_warnings():
            outputs = self.run.body(numbers)
        self.stamp()
        for instance, name, value in self.assigned:
            setattr(instance, name, value)
        for function in self.after:
            function()
        return put_tensors(self.template, [Tensor(out, self.backend) for out in outputs])


_replays: WeakSet[Replay] = WeakSet()


def _renew_locks() -> None:
    """Replace all locks in a forked process: a thread that held one does not exist there."""
    for replay in _replays:
        replay.lock = Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)
