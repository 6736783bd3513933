"""Replaying a program on any backend, as a loop over its operations: the model of what ``Backend.compile`` returns."""

from __future__ import annotations

from typing import Any

from .program import Guard, Op, Program, Value


class Loop:
    """A program that is replayed operation by operation, each with memory of its own.

    Attributes:
        calls, buffers, bytes: how many calls a replay makes, and how many buffers of how many bytes it works in, if planned.
        reason: why the backend replays this program as a loop, if it has a faster way for others.
    """

    def __init__(self, program: Program, numbers: list[Value], reason: str = "") -> None:
        self.program, self.numbers, self.reason = program, numbers, reason
        self.calls, self.buffers, self.bytes = len(program.ops), 0, 0
        self._arrays: dict[Value, Any] = {}
        self._deferred: dict[Value, list[Guard]] = program.deferred_guards()

    def prologue(self, arrays: list[Any]) -> bool:
        """Take the arguments' arrays, run the guard prologue, and return whether all guards hold that are not deferred."""
        self._arrays = dict(zip(self.program.arguments, arrays, strict=True))
        self._run(self.program.ops[: self.program.prologue])
        truth = self.program.backend.truth
        return all(truth(self._of(guard.condition)) is guard.outcome for guard in self.program.guards if not guard.deferred)

    def body(self, numbers: tuple[float, ...]) -> list[Any]:
        """Run the rest with these numbers, and return the outputs as new arrays. Raises ``CaptureError`` if a guard fails."""
        self._arrays.update(zip(self.numbers, numbers, strict=True))
        self._run(self.program.ops[self.program.prologue :])
        copy = self.program.backend.xp.asarray
        outputs = [copy(self._of(value), copy=True) for value in self.program.outputs]
        self._arrays = {}
        return outputs

    def _of(self, value: Value) -> Any:
        array = self._arrays.get(value)
        return value.array if array is None else array

    def _run(self, ops: list[Op]) -> None:
        for op in ops:
            result = op.call(self._of)
            if op.out is not None and op.out.array is not None:  # memory that users hold
                self.program.backend.xp.setitem(op.out.array, result, ...)
            elif op.out is not None:
                self._arrays[op.out] = result
                for guard in self._deferred.get(op.out, ()):
                    if self.program.backend.truth(result) is not guard.outcome:
                        raise guard.failed()
