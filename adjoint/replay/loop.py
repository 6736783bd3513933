"""Replaying a program on any backend: its operations one after another, each in memory of its own."""

from __future__ import annotations

from typing import Any

from .program import Check, Op, Program, Value, mapped


class Plain:
    """A program as a loop over its operations. The model of what a backend's own ``compile`` returns.

    Attributes:
        calls, buffers, bytes: how many calls a replay makes, and how much memory it works in, where that is laid out before.
        reason: why the backend replays a program like this, where it has a quicker way for others.
    """

    def __init__(self, program: Program, numbers: list[Value]) -> None:
        self.program, self.numbers = program, numbers
        self.calls, self.buffers, self.bytes = len(program.ops), 0, 0
        self.reason = ""
        self._arrays: dict[Value, Any] = {}
        self._late: dict[Value, list[Check]] = {}
        for check in program.checks:
            if check.late:
                self._late.setdefault(check.condition, []).append(check)

    def ahead(self, arrays: list[Any]) -> bool:
        """Take the arguments' arrays, and tell whether the program holds for them."""
        self._arrays = dict(zip(self.program.arguments, arrays, strict=True))
        self._do(self.program.ops[: self.program.ahead])
        truth = self.program.backend.truth
        return all(truth(self._of(check.condition)) is check.outcome for check in self.program.checks if not check.late)

    def body(self, numbers: tuple[float, ...]) -> list[Any]:
        """Do the rest, with these numbers, and give the outputs as arrays of their own."""
        self._arrays.update(zip(self.numbers, numbers, strict=True))
        self._do(self.program.ops[self.program.ahead :])
        copy = self.program.backend.xp.asarray
        outputs = [copy(self._of(value), copy=True) for value in self.program.outputs]
        self._arrays = {}
        return outputs

    def _of(self, value: Value) -> Any:
        found = self._arrays.get(value)
        return value.array if found is None else found

    def _do(self, ops: list[Op]) -> None:
        for op in ops:
            kwargs = {name: mapped(part, self._of) for name, part in op.kwargs.items()}
            found = op.function(*mapped(op.args, self._of), **kwargs)
            if op.out is not None and op.out.array is not None:  # memory that stays
                self.program.backend.xp.setitem(op.out.array, found, ...)
            elif op.out is not None:
                self._arrays[op.out] = found
                for check in self._late.get(op.out, ()):
                    if self.program.backend.truth(found) is not check.outcome:
                        raise check.failed()


def compile(program: Program, numbers: list[Value]) -> Plain:
    """The program ready to be replayed; ``numbers`` are its values that are computed anew at each call."""
    return Plain(program, numbers)
