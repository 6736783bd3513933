"""``Recorder``: arrays that are computed with as any others, and write down what is done to them."""

from __future__ import annotations

import operator
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from ..backends import Array, Backend, Namespace
from ..backends.special import is_basic, split_in_half
from ..errors import CaptureError
from ..replay.program import Branch, Buffer, Guard, Op, Program, Value
from .expressions import Expression, ScalarProgram, SymbolicNumber
from .refusals import refused
from .strides import laid_out

#: Python's operators by the standard's names.
UNARY = {"negative": "neg", "positive": "pos", "abs": "abs", "bitwise_invert": "invert"}
BINARY = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "truediv", "floor_divide": "floordiv", "remainder": "mod",
    "matmul": "matmul", "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor",
    "bitwise_left_shift": "lshift", "bitwise_right_shift": "rshift",
}  # fmt: skip
COMPARISONS = {
    "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt", "greater_equal": "ge",
}  # fmt: skip

#: Whose results have a shape that depends on values.
OF_VALUES = {"nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values"}


class Recorded:
    """An array of which everything that is done with it is logged. It has the array's form, and no values to be read."""

    __slots__ = ("__weakref__", "array", "recorder", "value")

    def __init__(self, array: Array, value: Value, recorder: Recorder) -> None:
        self.array, self.value, self.recorder = array, value, recorder

    shape = property(lambda self: self.array.shape)
    dtype = property(lambda self: self.array.dtype)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    strides = property(lambda self: self.array.strides)

    __hash__ = object.__hash__

    def __getitem__(self, index: Any) -> Any:
        return self.recorder.xp.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.recorder.xp.setitem(self, value, index)

    def __pow__(self, other: Any) -> Any:
        return self.recorder.xp.pow(self, other)

    def __rpow__(self, other: Any) -> Any:
        return self.recorder.xp.pow(other, self)

    def __ipow__(self, other: Any) -> Any:
        self[...] = self**other
        return self

    def _refused(self, *_: Any) -> Any:
        raise refused()

    __bool__ = __int__ = __float__ = __index__ = __array__ = __iter__ = _refused


def _operator(name: str, function: Callable[..., Any], reflected: bool = False) -> Any:
    def method(self: Recorded, *other: Any) -> Any:
        return self.recorder.call(name, function, (*other, self) if reflected else (self, *other), {})

    return method


def _in_place(name: str, function: Callable[..., Any], new: Callable[..., Any]) -> Any:
    def method(self: Recorded, other: Any) -> Any:
        recorder, before = self.recorder, self.value
        function(self.array, recorder.real(other))
        if recorder.is_alone(self, other):  # as good as a new array, which is easier to tell about
            self.value = Value("computed", self.array)
            recorder.log(Op(name, new, (before, recorder.valued(other)), {}, self.value))
        else:
            recorder.write(Op(name, function, (before, recorder.valued(other)), {}, writes=before))
        return self

    return method


for _name, _short in UNARY.items():
    setattr(Recorded, f"__{_short}__", _operator(_name, getattr(operator, f"__{_short}__")))
for _name, _short in (BINARY | COMPARISONS).items():
    setattr(Recorded, f"__{_short}__", _operator(_name, getattr(operator, f"__{_short}__")))
for _name, _short in BINARY.items():
    setattr(Recorded, f"__r{_short}__", _operator(_name, getattr(operator, f"__{_short}__"), reflected=True))
    _pair = getattr(operator, f"__i{_short}__"), getattr(operator, f"__{_short}__")
    setattr(Recorded, f"__i{_short}__", _in_place(_name, *_pair))


class Recorder:
    """The log of one call on one backend, and the namespace that fills it.

    Attributes:
        xp: the recording namespace; in other threads it computes and records nothing.
        ops, checks: what was done, and which truths of arrays it depended on.
        scalars: the numbers that change from call to call, and what is done in Python to have them.
        arguments: the values of the call's arguments.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend, self.thread, self.paused = backend, threading.get_ident(), False
        self.plain = backend.xp
        self.ops: list[Op] = []
        self.guards: list[Guard] = []
        self.scalars = ScalarProgram()
        self.arguments: list[Value] = []
        self._outside: dict[int, Recorded] = {}
        self._buffers: dict[int, Buffer] = {}
        self._stretches: list[tuple[int, int, Buffer]] = []
        self._owners: list[Any] = []  # kept, so that their identities stay theirs
        self._numbers: dict[Expression, Value] = {}
        self._viewed: set[Buffer] = set()
        self._of_arguments: set[Buffer] = set()
        self._picks: dict[Buffer, tuple[Buffer, int]] = {}  # of x[i], i a 0-d tensor: the memory of x, and its writes until then
        self._writes: Counter[Buffer] = Counter()
        self._branch: Branch | None = None
        self._regions = 0
        self.xp: Any = self._namespace()

    def close(self) -> None:
        """Let go of all that was recorded: nothing can be, after that."""
        self.paused, self.xp = True, None
        self._outside.clear()
        self._owners.clear()

    @property
    def here(self) -> bool:
        """Whether this is the thread whose call is recorded, and it is not doing something aside."""
        return threading.get_ident() == self.thread and not self.paused

    def _namespace(self) -> Namespace:
        made = Namespace()
        for name, member in vars(self.plain).items():
            member = getattr(member, "__wrapped__", member)  # a replay never warns
            composed = isinstance(member, partial) and len(member.args) == 1 and member.args[0] is self.plain
            if composed:  # written against the namespace: so it is recorded as what it is made of
                setattr(made, name, partial(member.func, made))
            elif callable(member) and not isinstance(member, type):
                setattr(made, name, partial(self.call_named, name, member))
            else:
                setattr(made, name, member)
        made.getitem, made.setitem, made.run_parallel = self.getitem, self.setitem, self.run_parallel
        return made

    # --- arrays in and out ---------------------------------------------------------------------------------------------------

    def real(self, part: Any) -> Any:
        """Nested arguments with the arrays behind what is recorded."""
        kind = type(part)
        if kind is Recorded:
            return part.array
        if kind is tuple or kind is list:
            return kind(map(self.real, part))
        return part.value if kind is SymbolicNumber else part

    def valued(self, part: Any) -> Any:
        """Nested arguments with each array, and each number that is computed anew, as its value."""
        kind = type(part)
        if kind is Recorded:
            self.check_current(part)
            return part.value
        if kind is tuple or kind is list:
            return kind(map(self.valued, part))
        if kind is SymbolicNumber:
            return self._number(part)
        if isinstance(part, self.backend.array_types) and hasattr(part, "__setitem__"):
            return self.external(part).value
        return part

    def check_current(self, held: Recorded) -> None:
        """Raise :class:`CaptureError` on x[i], i a 0-d tensor, if x was written to since."""
        memory = held.value.buffer
        while memory in self._picks:
            memory, writes = self._picks[memory]
            if self._writes[memory] != writes:
                raise CaptureError(
                    "capture: x[i], of a 0-d tensor i, is a copy while the function is recorded, and x was written to since; take "
                    "x[i] again after the write, or clone() it before"
                )

    def _number(self, number: SymbolicNumber) -> Value:
        if number.expression not in self._numbers:
            value = self._numbers[number.expression] = Value("number", self.plain.asarray(number.value))
            value.expression = number.expression
        return self._numbers[number.expression]

    def external(self, array: Array) -> Recorded:
        """What stands for an array that was there before the call."""
        held = self._outside.get(id(array))
        if held is None:
            value = Value("external", array, self._buffer_of(array))
            value.array, value.extent = array, self.backend.extent(array)
            held = self._outside[id(array)] = Recorded(array, value, self)
        return held

    def knows(self, array: Array) -> bool:
        """Whether memory of this array, from outside, was an operand."""
        return isinstance(array, self.backend.array_types) and id(self.backend.owner(array)) in self._buffers

    def _buffer_of(self, array: Array) -> Buffer:
        """The memory of an array from outside: its owner's. :meth:`program` joins that of other owners of the same bytes."""
        owner: Any = self.backend.owner(array)
        if id(owner) not in self._buffers:
            low, high = self.backend.extent(owner if isinstance(owner, self.backend.array_types) else array)
            memory = self._buffers[id(owner)] = Buffer(True, owner)
            self._stretches.append((low, high, memory))
            self._owners.append(owner)
        return self._buffers[id(owner)]

    def program(self, outputs: list[Value]) -> Program:
        """The program that was recorded. Outside arrays that share bytes share one memory in it, whoever owns them."""
        program = Program(self.backend, self.ops, self.arguments, outputs, self.guards)
        joined: dict[Buffer, Buffer] = {}
        behind, last = 0, Buffer()
        for low, high, memory in sorted(self._stretches, key=lambda stretch: stretch[:2]):
            if low < behind and low < high:
                joined[memory] = last
            else:
                last = memory
            behind = max(behind, high)
        if joined:
            for value in program.values():
                value.buffer = joined.get(value.buffer, value.buffer)
        return program

    def argument(self, array: Array) -> Recorded:
        """What stands for an array that is given anew at each call."""
        value = Value("argument", array)
        self.arguments.append(value)
        self._of_arguments.add(value.buffer)
        return Recorded(array, value, self)

    def keep(self, held: Recorded) -> None:
        """Have the array of ``held``, which the call made, be where each later call leaves its own."""
        value = held.value
        if value.kind == "computed" and not value.buffer.external:
            value.buffer.external, value.buffer.owner = True, self.backend.owner(held.array)
            value.array = held.array

    # --- what is done ----------------------------------------------------------------------------------------------------------

    def call_named(self, name: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.call(name, function, args, kwargs)

    def call(self, name: str, function: Callable[..., Any], args: Any, kwargs: Any, draws: bool = False) -> Any:
        """What ``function`` gives, as an array that is recorded."""
        real = self.real(args)
        out = function(*real, **{key: self.real(part) for key, part in kwargs.items()})
        if not self.here:
            return out
        if name in OF_VALUES or isinstance(out, (tuple, list)):
            raise refused("the shape of the result depends on values")
        if name == "getitem" and any(self._is_mask(part) for part in (args[1] if isinstance(args[1], tuple) else args[1:])):
            raise refused("the shape of the result depends on values", "x[mask]")
        if not hasattr(out, "shape"):
            return out  # nothing of an array: block sizes and their like
        for part in args:
            if type(part) is Recorded and part.array is out:
                return part
        if not hasattr(out, "__setitem__"):  # a single number
            out = self.plain.asarray(out)
        inputs = self.valued(args)
        value = Value("computed", out)
        if self.backend.is_view(out):
            owner = self.backend.owner(out)
            for part in args:
                if type(part) is Recorded and self.backend.owner(part.array) is owner:
                    if self._is_same(part.array, out):
                        return part
                    value.is_view_of(part.value)
                    self._viewed.add(value.buffer)
                    if value.buffer.external:
                        value.extent = self.backend.extent(out)
        op = Op(name, function, inputs, {key: self.valued(part) for key, part in kwargs.items()}, value)
        op.draws = draws
        self.log(op)
        return Recorded(out, value, self)

    def getitem(self, x: Any, index: Any) -> Any:
        """``xp.getitem``. By 0-d integer arrays it gives a copy, laid out as the view that integers would give, to be read only."""
        picked = self.call_named("getitem", self.plain.getitem, x, index)
        parts = index if isinstance(index, tuple) else (index,)
        places = [part for part in parts if type(part) is Recorded]
        if type(x) is not Recorded or type(picked) is not Recorded or not places or any(place.shape != () for place in places):
            return picked
        integers = tuple(
            [type(self.backend).scalar_for_message(self.backend, part.array) if type(part) is Recorded else part for part in parts]
        )
        if not is_basic(integers):
            return picked
        if picked.size:
            picked = laid_out(self.xp, picked, *self._strides(self.plain.getitem(x.array, integers)))
        self._picks[picked.value.buffer] = x.value.buffer, self._writes[x.value.buffer]
        self._viewed |= {picked.value.buffer, x.value.buffer}
        return picked

    def _strides(self, array: Any) -> tuple[list[int], int]:
        """The strides and the size of an element, in bytes, from the elements' addresses; 0 where an axis has one element."""

        def stretch(axis: int | None = None) -> tuple[int, int]:
            element = tuple([slice(1, 2) if k == axis else slice(1) for k in range(array.ndim)])
            return self.backend.extent(self.plain.getitem(array, element))

        low, high = stretch()
        return [stretch(k)[0] - low if n > 1 else 0 for k, n in enumerate(array.shape)], high - low

    def _is_same(self, a: Any, b: Any) -> bool:
        """Whether a view is of all that it is a view of, in the same form; False where strides are not to be had."""
        form = a.shape, a.dtype, getattr(a, "strides", None)
        return (
            form[2] is not None
            and form == (b.shape, b.dtype, getattr(b, "strides", None))
            and self.backend.extent(a) == self.backend.extent(b)
        )

    def is_alone(self, held: Recorded, other: Any) -> bool:
        """Whether what is written to ``held`` is seen through it alone, and has the form that a new result would have."""
        value = held.value
        if value.kind != "computed" or value.base is not None or value.buffer.external or value.buffer in self._viewed:
            return False
        return type(other) in (int, float, SymbolicNumber) or (type(other) is Recorded and other.dtype == held.dtype)

    def _is_mask(self, part: Any) -> bool:
        return type(part) is Recorded and self.backend.dtypes[part.dtype].kind == "bool"

    def setitem(self, x: Any, value: Any, index: Any) -> None:
        """``xp.setitem``, written down."""
        real = self.real
        self.plain.setitem(real(x), real(value), real(index))
        if self.here:
            given = self.valued((x, value, index))
            self.write(Op("setitem", self.plain.setitem, given, {}, writes=given[0]))

    def write(self, op: Op) -> None:
        """Write down an operation that changes an array in place."""
        if op.writes is not None and op.writes.buffer in self._of_arguments:
            raise CaptureError(
                f"capture: '{op.name}' writes to an argument of the captured function in place; close over the tensor instead"
            )
        if op.writes is not None:
            if op.writes.buffer in self._picks:
                raise CaptureError(
                    "capture: x[i], of a 0-d tensor i, is a copy while the function is recorded, so a write to it would not reach "
                    "x; write x[i] = value (x[i] = x[i] + 1 for x[i] += 1), use index_copy_, or index by a Python integer"
                )
            self._writes[op.writes.buffer] += 1
        self.log(op)

    def log(self, op: Op) -> None:
        op.branch = self._branch
        self.ops.append(op)

    def run_parallel(self, function: Callable[[Any], Any], parts: Any) -> Any:
        """``xp.run_parallel``, one after the other, and each operation told whose it is."""
        some = split_in_half(parts)
        if len(some) < 2 or self._branch is not None or not self.here:
            return [function(part) for part in some]
        self._regions += 1
        found = []
        try:
            for number, part in enumerate(some):
                self._branch = Branch(self._regions, number)
                found.append(function(part))
        finally:
            self._branch = None
        return found

    def widen(self, begun: int, part: slice, whole: slice) -> None:
        """What was recorded from operation ``begun`` on, of vectors as long as ``part``, is what is done to all of ``whole``."""
        n, all_of_it = part.stop - part.start, whole.stop - whole.start
        for op in self.ops[begun:]:
            op.args = tuple([whole if arg == part else arg for arg in op.args])
            if op.out is not None and op.out.shape == (n,):
                op.out.shape = (all_of_it,)
                if op.out.extent is not None:
                    low, high = op.out.extent
                    op.out.extent = low, low + (high - low) // n * all_of_it

    def truth(self, condition: Any) -> bool:
        """The truth of a 0-d array, on which the way that the call takes may depend: later calls look whether it is the same."""
        outcome = bool(type(self.backend).truth(self.backend, self.real(condition)))
        if not self.here or type(condition) is not Recorded:
            return outcome
        self.guards.append(Guard(condition.value, outcome))
        return outcome
