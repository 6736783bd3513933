"""Where the results of a program lie on NumPy: in one piece of memory, or where they are written to anyway."""

from __future__ import annotations

from typing import Any

import numpy as np

from .program import Op, Value, is_basic, overlap
from .standard import BINARY, OLD_NAMES, UNARY

_FOUND = {name: getattr(np, name, None) or getattr(np, OLD_NAMES.get(name, name), None) for name in [*UNARY, *BINARY, "positive"]}
UFUNCS: dict[str, Any] = {name: found for name, found in _FOUND.items() if isinstance(found, np.ufunc)}
ALIGNMENT = 64


def same_place(a: Any, b: Any) -> bool:
    """Whether two arrays are the same stretch of memory in the same form."""
    return b is not None and a.ctypes.data == b.ctypes.data and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)


def model_of(value: Value) -> Any:
    """An array of the value's form that takes no memory."""
    return np.lib.stride_tricks.as_strided(np.empty((), value.dtype), value.shape, value.strides)


def bytes_of(value: Value) -> int:
    return value.size * int(value.dtype.itemsize)


class Destinations:
    """Where a result can be made that is only written into another array: there."""

    def __init__(self, ops: list[Op], last: dict[Any, float]) -> None:
        self._ops, self._last = ops, last
        self._at = {op: i for i, op in enumerate(ops)}
        self._makers = {op.out: op for op in ops if op.out is not None}
        self._writers: dict[Any, list[Op]] = {}
        for op in ops:
            if op.name == "setitem" and op.writes is not None and isinstance(op.args[1], Value) and is_basic(op.args[2]):
                self._writers.setdefault(op.args[1].memory, []).append(op)

    def of(self, op: Op, first: Op, arrays: dict[Value, Any]) -> tuple[Any, Op] | None:
        """The array to make the result of ``op`` in, and the write that is not needed then.

        Nobody may meet that memory from ``op`` to the write; nor those from ``first`` on, which are done tile by tile with ``op``,
        but where they meet it in place.
        """
        out = op.out
        assert out is not None
        writers = self._writers.get(out.memory, [])
        if len(writers) != 1 or self._last[out.memory] != self._at[writers[0]]:
            return None
        write, begun = writers[0], self._at[op]
        if op.lane != write.lane and op.lane is not None:  # the other lane may still read what lies there
            return None
        target, value, index = write.args
        if target.kind != "outside" and not (target.memory.outside and target.extent):
            return None
        if target not in arrays:  # a view of memory that has no place
            return None
        part = arrays[target][index]
        if not isinstance(part, np.ndarray) or part.shape != value.shape or part.dtype != out.dtype or part.size != out.size:
            return None
        for i in range(self._at[first], self._at[write]):
            other = self._ops[i]
            for used in other.values():
                aligned = i <= begun and (other is not op or op.name in UFUNCS) and same_place(part, arrays.get(used))
                if used.memory is target.memory and overlap(used, target) and not aligned:
                    return None
        if value is not out and not (part.flags.c_contiguous and self._is_reshaped(value, out)):
            return None
        if value is out and (part.strides != out.strides and op.name not in UFUNCS):
            return None
        return part.reshape(out.shape) if value is not out else part, write

    def _is_reshaped(self, value: Value, root: Value) -> bool:
        while value is not root:
            maker = self._makers[value]
            if maker.name != "reshape" or value.base is None:
                return False
            value = value.base
        return True


class Arena:
    """A piece of memory that holds blocks."""

    def __init__(self, size: int) -> None:
        self.size, whole = size, np.empty(size + ALIGNMENT, np.uint8)
        start = -whole.ctypes.data % ALIGNMENT
        self._memory = whole[start : start + size]

    def array(self, value: Value, offset: int) -> Any:
        """An array of the value's form in it."""
        return np.ndarray(value.shape, value.dtype, self._memory, offset, value.strides)
