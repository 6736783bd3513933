"""Where the results of a program lie on NumPy: in one piece of memory, or where they are written to anyway."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from ...replay.program import Buffer, Op, Value, is_basic, may_overlap
from ..standard import BINARY, OLD_NAMES, UNARY

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


class Used:
    """When the bytes between addresses were last used, for uses told in the order of their times: a tree over ``addresses``."""

    def __init__(self, addresses: Sequence[float]) -> None:
        self._index = {address: i for i, address in enumerate(addresses)}
        self._leaves = len(addresses)
        self._of_all = [-1] * (2 * self._leaves)  # the last use of all bytes below each tree node
        self._of_any = [-1] * (2 * self._leaves)  # and of any

    def use(self, low: float, high: float, time: int) -> None:
        nodes, above = self._nodes(low, high)
        for node in nodes:
            self._of_all[node] = time
        for node in (*nodes, *above):
            self._of_any[node] = time

    def last(self, low: float, high: float) -> int:
        """The time of the last use of any byte from ``low`` up to ``high``; -1 where there was none."""
        nodes, above = self._nodes(low, high)
        return max([*(self._of_any[node] for node in nodes), *(self._of_all[node] for node in above)], default=-1)

    def _nodes(self, low: float, high: float) -> tuple[list[int], set[int]]:
        """The tree nodes that make up a range, and those above them."""
        first, last = self._index[low] + self._leaves, self._index[high] + self._leaves
        nodes, above = [], set()
        while first < last:
            if first & 1:
                nodes.append(first)
                first += 1
            if last & 1:
                last -= 1
                nodes.append(last)
            first, last = first >> 1, last >> 1
        for node in nodes:
            while node > 1 and (node := node >> 1) not in above:
                above.add(node)
        return nodes, above


class Destinations:
    """Where a result can be made that is only written into another array: there."""

    def __init__(self, ops: list[Op], last: dict[Any, float]) -> None:
        self._ops, self._last = ops, last
        self._at = {op: i for i, op in enumerate(ops)}
        self._makers = {op.out: op for op in ops if op.out is not None}
        self._writers: dict[Any, list[Op]] = {}
        for op in ops:
            if op.name == "setitem" and op.writes is not None and isinstance(op.args[1], Value) and is_basic(op.args[2]):
                self._writers.setdefault(op.args[1].buffer, []).append(op)
        self._used_before = self._uses_before([found[0] for found in self._writers.values() if len(found) == 1])

    def _uses_before(self, writes: list[Op]) -> dict[Op, int]:
        """For each write to outside memory, the number of the last operation before it that uses any byte of its target, or -1."""
        whole: tuple[float, float] = (-inf, inf)
        writes = [write for write in writes if write.args[0].buffer.external]
        bounds: dict[Buffer, set[float]] = {write.args[0].buffer: set(whole) for write in writes}
        uses = [[value for value in op.values() if value.buffer in bounds and not op.is_view] for op in self._ops]
        for values in uses:
            for value in values:
                bounds[value.buffer].update(value.extent or ())
        used = {memory: Used(sorted(addresses)) for memory, addresses in bounds.items()}
        before, wanted = {}, set(writes)
        for i, (op, values) in enumerate(zip(self._ops, uses, strict=True)):
            if op in wanted:
                low, high = op.args[0].extent or whole
                before[op] = used[op.args[0].buffer].last(low, high)
            for value in values:
                low, high = value.extent or whole
                used[value.buffer].use(low, high, i)
        return before

    def of(self, op: Op, together: Sequence[Op], arrays: dict[Value, Any]) -> tuple[Any, Op] | None:
        """The array to make the result of ``op`` in, and the write that is not needed then.

        No operation may use that memory from ``op`` to the write. Those of ``together`` up to ``op``, which are done tile by tile
        with it, may use it in place.
        """
        out = op.out
        assert out is not None
        writers = self._writers.get(out.buffer, [])
        if len(writers) != 1 or self._last[out.buffer] != self._at[writers[0]]:
            return None
        write, begun = writers[0], self._at[op]
        if op.branch != write.branch and op.branch is not None:  # the other branch may still read what lies there
            return None
        target, value, index = write.args
        if target.kind != "external" and not (target.buffer.external and target.extent):
            return None
        if target not in arrays:  # a view of memory that has no place
            return None
        part = arrays[target][index]
        if not isinstance(part, np.ndarray) or part.shape != value.shape or part.dtype != out.dtype or part.size != out.size:
            return None
        if self._used_before[write] > begun:
            return None
        if self._used_before[write] >= self._at[together[0]]:
            for other in together[: together.index(op) + 1]:
                for used in other.values():
                    in_place = (other is not op or op.name in UFUNCS) and same_place(part, arrays.get(used))
                    if used.buffer is target.buffer and may_overlap(used, target) and not in_place:
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
