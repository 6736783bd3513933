"""``Recorder``: the log of everything that one call does to arrays, and the namespace that fills it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from ..backends import Array, Backend, Namespace
from ..backends.special import is_basic, split_in_half
from ..errors import CaptureError
from ..replay.program import Branch, Buffer, Guard, Op, Program, Value
from .arrays import RecordedArray
from .expressions import Expression, ScalarProgram, SymbolicNumber
from .picks import Picks
from .refusals import refused

#: Functions whose results have a shape that depends on values.
_OF_VALUE_DEPENDENT_SHAPE = {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}


class Recorder:
    """The log of one call on one backend.

    Attributes:
        xp: the recording namespace; in other threads it computes and records nothing.
        plain: the backend's own namespace.
        ops, guards: the operations, and the truths of arrays that the call depended on.
        scalars: the numbers that change from call to call, and what a replay does in Python to compute them.
        arguments: the values of the call's arguments.
        picks: the copies made for ``x[i]``.
        is_paused: whether nothing is recorded for now.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend, self.thread, self.is_paused = backend, threading.get_ident(), False
        self.plain = backend.xp
        self.ops: list[Op] = []
        self.guards: list[Guard] = []
        self.scalars = ScalarProgram()
        self.arguments: list[Value] = []
        self._external: dict[int, RecordedArray] = {}
        self._buffers: dict[int, Buffer] = {}
        self._extents: list[tuple[int, int, Buffer]] = []
        self._owners: list[Any] = []  # kept alive, so that no other object gets their identities
        self._numbers: dict[Expression, Value] = {}
        self._viewed: set[Buffer] = set()
        self._argument_buffers: set[Buffer] = set()
        self.picks = Picks(backend, backend.xp)
        self._branch: Branch | None = None
        self._regions = 0
        self.xp: Any = self._namespace()

    def close(self) -> None:
        """Let go of everything that was recorded, and record nothing any more."""
        self.is_paused, self.xp = True, None
        self._external.clear()
        self._owners.clear()
        self.scalars.steps.clear()

    @property
    def is_recording(self) -> bool:
        """Whether this is the thread whose call is recorded, and the recording is not paused."""
        return threading.get_ident() == self.thread and not self.is_paused

    def _namespace(self) -> Namespace:
        namespace = Namespace()
        for name, member in vars(self.plain).items():
            member = getattr(member, "__wrapped__", member)  # a replay never warns
            is_composed = isinstance(member, partial) and len(member.args) == 1 and member.args[0] is self.plain
            if is_composed:  # written against the namespace: recorded as the operations that it consists of
                setattr(namespace, name, partial(member.func, namespace))
            elif callable(member) and not isinstance(member, type):
                setattr(namespace, name, partial(self._call_named, name, member))
            else:
                setattr(namespace, name, member)
        namespace.getitem, namespace.setitem, namespace.run_parallel = self.getitem, self.setitem, self.run_parallel
        return namespace

    # --- arrays in and out ---------------------------------------------------------------------------------------------------

    def real(self, part: Any) -> Any:
        """Nested arguments with the arrays and numbers behind what is recorded."""
        kind = type(part)
        if kind is RecordedArray:
            return part.array
        if kind is tuple or kind is list:
            return kind(map(self.real, part))
        return part.value if kind is SymbolicNumber else part

    def valued(self, part: Any) -> Any:
        """Nested arguments with each array, and each symbolic number, as its value in the program."""
        kind = type(part)
        if kind is RecordedArray:
            self.picks.check_current(part)
            return part.value
        if kind is tuple or kind is list:
            return kind(map(self.valued, part))
        if kind is SymbolicNumber:
            return self._number(part)
        if isinstance(part, self.backend.array_types) and hasattr(part, "__setitem__"):
            return self.external(part).value
        return part

    def _number(self, number: SymbolicNumber) -> Value:
        if number.expression not in self._numbers:
            value = self._numbers[number.expression] = Value("number", self.plain.asarray(number.value))
            value.expression = number.expression
        return self._numbers[number.expression]

    def external(self, array: Array) -> RecordedArray:
        """Stands for an array that existed before the call."""
        recorded = self._external.get(id(array))
        if recorded is None:
            value = Value("external", array, self._buffer_of(array))
            value.array, value.extent = array, self.backend.extent(array)
            recorded = self._external[id(array)] = RecordedArray(array, value, self)
        return recorded

    def reads(self, array: Array) -> bool:
        """Whether memory of this array was an operand."""
        return isinstance(array, self.backend.array_types) and id(self.backend.owner(array)) in self._buffers

    def _buffer_of(self, array: Array) -> Buffer:
        """The buffer of an external array: one for each owner. :meth:`program` merges those that share bytes."""
        owner: Any = self.backend.owner(array)
        if id(owner) not in self._buffers:
            low, high = self.backend.extent(owner if isinstance(owner, self.backend.array_types) else array)
            buffer = self._buffers[id(owner)] = Buffer(True, owner)
            self._extents.append((low, high, buffer))
            self._owners.append(owner)
        return self._buffers[id(owner)]

    def program(self, outputs: list[Value]) -> Program:
        """The program that was recorded. External arrays that share bytes share one buffer in it, whoever owns them."""
        program = Program(self.backend, self.ops, self.arguments, outputs, self.guards)
        merged: dict[Buffer, Buffer] = {}
        end, last = 0, Buffer()
        for low, high, buffer in sorted(self._extents, key=lambda extent: extent[:2]):
            if low < end and low < high:
                merged[buffer] = last
            else:
                last = buffer
            end = max(end, high)
        if merged:
            for value in program.values():
                value.buffer = merged.get(value.buffer, value.buffer)
        return program

    def argument(self, array: Array) -> RecordedArray:
        """Stands for an array that each call is given."""
        value = Value("argument", array)
        self.arguments.append(value)
        self._argument_buffers.add(value.buffer)
        return RecordedArray(array, value, self)

    def keep(self, recorded: RecordedArray) -> None:
        """Have each later call compute this array in the memory where the recorded call did."""
        value = recorded.value
        if value.kind == "computed" and not value.buffer.external:
            value.buffer.external, value.buffer.owner = True, self.backend.owner(recorded.array)
            value.array = recorded.array

    # --- operations -------------------------------------------------------------------------------------------------------------

    def _call_named(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.call(name, function, args, kwargs)

    def call(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any, draws: bool = False) -> Any:
        """The result of ``function``, recorded."""
        real = self.real(args)
        out = function(*real, **{key: self.real(part) for key, part in kwargs.items()})
        if not self.is_recording:
            return out
        if name in _OF_VALUE_DEPENDENT_SHAPE or isinstance(out, (tuple, list)):
            raise refused("the shape of the result depends on values")
        if name == "getitem" and any(self._is_mask(part) for part in (args[1] if isinstance(args[1], tuple) else args[1:])):
            raise refused("the shape of the result depends on values", "x[mask]")
        if not hasattr(out, "shape"):
            return out  # not an array, but a block size, say
        for part in args:
            if type(part) is RecordedArray and part.array is out:
                return part
        if not hasattr(out, "__setitem__"):  # a single number
            out = self.plain.asarray(out)
        inputs = self.valued(args)
        value = Value("computed", out)
        if self.backend.is_view(out):
            owner = self.backend.owner(out)
            for part in args:
                if type(part) is RecordedArray and self.backend.owner(part.array) is owner:
                    if self._is_same(part.array, out):
                        return part
                    value.is_view_of(part.value)
                    self._viewed.add(value.buffer)
                    if value.buffer.external:
                        value.extent = self.backend.extent(out)
        op = Op(name, function, inputs, {key: self.valued(part) for key, part in kwargs.items()}, value)
        op.draws = draws
        self.log(op)
        return RecordedArray(out, value, self)

    def getitem(self, x: Any, index: Any) -> Any:
        """``xp.getitem``. By 0-d integer arrays it gives a copy, laid out as the view that integers would give, to be read only."""
        picked = self._call_named("getitem", self.plain.getitem, x, index)
        parts = index if isinstance(index, tuple) else (index,)
        places = [part for part in parts if type(part) is RecordedArray]
        if type(x) is RecordedArray and type(picked) is RecordedArray and places and all(place.shape == () for place in places):
            scalar = partial(type(self.backend).scalar_for_message, self.backend)
            integers = tuple([scalar(part.array) if type(part) is RecordedArray else part for part in parts])
            if is_basic(integers):
                picked = self.picks.copy(self.xp, picked, x, self.plain.getitem(x.array, integers))
                self._viewed |= {picked.value.buffer, x.value.buffer}
        return picked

    def _is_same(self, a: Any, b: Any) -> bool:
        """Whether a view is all of its base, in the same form; False where the arrays have no strides."""
        form = a.shape, a.dtype, getattr(a, "strides", None)
        return (
            form[2] is not None
            and form == (b.shape, b.dtype, getattr(b, "strides", None))
            and self.backend.extent(a) == self.backend.extent(b)
        )

    def is_unshared(self, recorded: RecordedArray, other: Any) -> bool:
        """Whether only ``recorded`` sees a write to it, and the result of the operation with ``other`` has its form."""
        value = recorded.value
        if value.kind != "computed" or value.base is not None or value.buffer.external or value.buffer in self._viewed:
            return False
        return type(other) in (int, float, SymbolicNumber) or (type(other) is RecordedArray and other.dtype == recorded.dtype)

    def _is_mask(self, part: Any) -> bool:
        return type(part) is RecordedArray and self.backend.dtypes[part.dtype].kind == "bool"

    def setitem(self, x: Any, value: Any, index: Any) -> None:
        """``xp.setitem``, recorded."""
        real = self.real
        self.plain.setitem(real(x), real(value), real(index))
        if self.is_recording:
            args = self.valued((x, value, index))
            self.write(Op("setitem", self.plain.setitem, args, {}, writes=args[0]))

    def write(self, op: Op) -> None:
        """Log an operation that changes an array in place."""
        assert op.writes is not None
        if op.writes.buffer in self._argument_buffers:
            raise CaptureError(
                f"capture: '{op.name}' writes to an argument of the captured function in place; close over the tensor instead"
            )
        self.picks.write(op.writes.buffer)
        self.log(op)

    def log(self, op: Op) -> None:
        op.branch = self._branch
        self.ops.append(op)

    def run_parallel(self, function: Callable[[Any], Any], parts: Any) -> Any:
        """``xp.run_parallel``, one part after the other, each operation with the branch that it belongs to."""
        branches = split_in_half(parts)
        if len(branches) < 2 or self._branch is not None or not self.is_recording:
            return [function(part) for part in branches]
        self._regions += 1
        results = []
        try:
            for number, part in enumerate(branches):
                self._branch = Branch(self._regions, number)
                results.append(function(part))
        finally:
            self._branch = None
        return results

    def widen(self, first: int, part: slice, whole: slice) -> None:
        """Make the operations from number ``first`` on, of vectors as long as ``part``, operations on all of ``whole``."""
        n, length = part.stop - part.start, whole.stop - whole.start
        for op in self.ops[first:]:
            op.args = tuple([whole if arg == part else arg for arg in op.args])
            if op.out is not None and op.out.shape == (n,):
                op.out.shape = (length,)
                if op.out.extent is not None:
                    low, high = op.out.extent
                    op.out.extent = low, low + (high - low) // n * length

    def truth(self, condition: Any) -> bool:
        """The truth of a 0-d array, which the call may branch on: a guard of the program."""
        outcome = bool(type(self.backend).truth(self.backend, self.real(condition)))
        if not self.is_recording or type(condition) is not RecordedArray:
            return outcome
        self.guards.append(Guard(condition.value, outcome))
        return outcome
