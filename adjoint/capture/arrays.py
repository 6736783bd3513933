"""``RecordedArray``: what kernels get instead of an array while a call is recorded."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..backends import Array
from ..replay.program import Op, Value
from .refusals import refused

if TYPE_CHECKING:
    from .recorder import Recorder

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


class RecordedArray:
    """Stands for an array, logs every operation on it, and refuses to have its values read.

    Attributes:
        array: the array itself, as computed by the call that is recorded.
        value: the array in the program.
        recorder: the log.
    """

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
    def method(self: RecordedArray, *other: Any) -> Any:
        return self.recorder.call(name, function, (*other, self) if reflected else (self, *other), {})

    return method


def _in_place(name: str, function: Callable[..., Any], new: Callable[..., Any]) -> Any:
    def method(self: RecordedArray, other: Any) -> Any:
        recorder, before, operand = self.recorder, self.value, self.recorder.valued(other)
        function(self.array, recorder.real(other))
        if recorder.is_unshared(self, other):  # as good as a new array, which passes can do more with
            self.value = Value("computed", self.array)
            recorder.log(Op(name, new, (before, operand), {}, self.value))
        else:
            recorder.write(Op(name, function, (before, operand), {}, writes=before))
        return self

    return method


for _name, _short in UNARY.items():
    setattr(RecordedArray, f"__{_short}__", _operator(_name, getattr(operator, f"__{_short}__")))
for _name, _short in (BINARY | COMPARISONS).items():
    setattr(RecordedArray, f"__{_short}__", _operator(_name, getattr(operator, f"__{_short}__")))
for _name, _short in BINARY.items():
    setattr(RecordedArray, f"__r{_short}__", _operator(_name, getattr(operator, f"__{_short}__"), reflected=True))
    _pair = getattr(operator, f"__i{_short}__"), getattr(operator, f"__{_short}__")
    setattr(RecordedArray, f"__i{_short}__", _in_place(_name, *_pair))
