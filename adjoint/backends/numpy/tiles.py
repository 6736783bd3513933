"""Chains: neighbouring elementwise operations of a program, done together on a few rows at a time, which stay in the cache.

What is needed inside a chain alone has no memory of its own but that of one tile. Long chains run on two threads, half of the
tiles each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from ...replay.program import Buffer, Op, Value, may_overlap
from . import threads

#: From this many bytes of results on it is worth a second thread.
LONG = 1 << 21
#: The most operations of a chain: a longer one saves nothing more, and takes longer to put together.
MOST = 256

#: The ufuncs whose output has to be given by name: a third operand by position is deprecated since NumPy 2.4.
NAMED = (np.maximum, np.minimum)


class Step:
    """One call of a chain: a function, and what it is called with. An operand is a :class:`Value`, or whatever else as it is.

    Attributes:
        bits: whether the values among the operands from the first on, but booleans, are taken as the integers of their bits.
    """

    __slots__ = ("bits", "function", "operands")

    def __init__(self, function: Any, *operands: Any, bits: bool = False) -> None:
        self.function, self.operands, self.bits = function, operands, bits


class Chain:
    """Operations of one shape that follow each other, and what each does."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.ops: list[Op] = []
        self.steps: list[Step] = []
        self.inner: set[Value] = set()  #: what is needed inside only
        self.viewed: set[Buffer] = set()  #: the memories of which an operation uses a view
        self._used: dict[Buffer, dict[tuple[Value, bool], None]] = {}  # what is read or written to, and whether it is written to
        self._widest = 1

    def takes(self, op: Op) -> bool:
        """Whether the operation may be done tile by tile with those before it: what one of them writes, another meets in place."""
        if len(self.ops) >= MOST:
            return False
        for value, writes in _uses(op):
            for other, written in self._used.get(value.buffer, ()):
                if (writes or written) and value is not other and may_overlap(value, other) and not _same_place(value, other):
                    return False
                if (writes or written) and value is other and value.shape != self.shape:
                    return False
        return True

    def add(self, op: Op, steps: list[Step]) -> None:
        self.ops.append(op)
        self.steps += steps
        self.viewed.update([value.buffer for value in op.values() if value.base is not None])
        for value, writes in _uses(op):
            self._used.setdefault(value.buffer, {})[value, writes] = None
            if value.shape == self.shape:
                self._widest = max(self._widest, value.dtype.itemsize)

    def rows(self) -> int:
        """How many rows are worked on at a time."""
        return max(1, threads.TILE // (self._widest * max(1, prod(self.shape[1:]))))

    def places(self) -> tuple[dict[Value, int], int]:
        """For each inner value the piece of scratch memory that it lies in, and how many pieces there are."""
        last = {value: i for i, step in enumerate(self.steps) for value in step.operands if isinstance(value, Value)}
        place: dict[Value, int] = {}
        free: list[int] = []
        count = 0
        for i, step in enumerate(self.steps):
            for value in step.operands:
                if isinstance(value, Value) and value in self.inner and value not in place:
                    if not free:
                        free.append(count)
                        count += 1
                    place[value] = free.pop()
            free += {place[v] for v in step.operands if isinstance(v, Value) and v in place and last[v] == i}
        return place, count

    def scratch(self) -> int:
        """How much scratch memory each thread takes."""
        return self.places()[1] * self._piece()

    def _piece(self) -> int:
        return -(-self.rows() * prod(self.shape[1:]) // 8) * 64

    def _long(self) -> bool:
        alone = self.ops[0].branch is None and threads.thread_count() > 1
        return alone and len(self.steps) * prod(self.shape) * 4 >= LONG and self.shape[0] > self.rows()

    def compiled(self, array_of: Callable[[Value], Any], scratch: list[Any]) -> tuple[Callable[[Any], None], list[Any]]:
        """A function that works through a list of tiles, and such a list, or two, for a thread each, with their scratch memory."""
        place, _ = self.places()
        names: dict[Any, str] = {}
        bound: dict[str, Any] = {}
        sliced: list[tuple[str, Any, bool]] = []  # a name for each operand that each tile has its own part of

        def name(part: Any, bits: bool) -> str:
            whole = not isinstance(part, Value) or not (part in place or (part.shape and part.shape[0] == self.shape[0]
                                                                        and len(part.shape) == len(self.shape)))  # fmt: skip
            key = (part if isinstance(part, Value) else id(part), bits)
            if key not in names:
                names[key] = f"x{len(names)}"
                if whole:
                    array = array_of(part) if isinstance(part, Value) else part
                    bound[names[key]] = _as_bits(array) if bits else array
                else:
                    sliced.append((names[key], part, bits))
            return names[key]

        lines = []
        for k, step in enumerate(self.steps):
            bound[f"f{k}"] = step.function
            called = [name(part, step.bits and isinstance(part, Value) and part.dtype.kind != "b") for part in step.operands]
            if step.function in NAMED:
                called[-1] = f"out={called[-1]}"
            lines.append(f"f{k}({', '.join(called)})")
        variables = "".join(f"{variable}, " for variable, _, _ in sliced)
        exec("\n        ".join([f"def chain(tiles):\n    for {variables}in tiles:", *lines]), bound)
        rows, n = self.rows(), self.shape[0]
        starts = range(0, n, rows)
        parts = 2 if self._long() else 1
        share = -(-len(starts) // parts)
        tiles = []
        for t in range(parts):

            def tile(a: int, scratch: Any = scratch[t]) -> Iterator[Any]:
                b = min(a + rows, n)
                for _, part, bits in sliced:
                    if part in place:
                        array = np.ndarray((b - a, *self.shape[1:]), part.dtype, scratch, place[part] * self._piece())
                    else:
                        array = array_of(part)[a:b]
                    yield _as_bits(array) if bits else array

            tiles.append([tuple(tile(a)) for a in starts[t * share : (t + 1) * share]])
        return bound["chain"], tiles


def _as_bits(array: Any) -> Any:
    return array.view(np.dtype(f"i{array.dtype.itemsize}"))


def _uses(op: Op) -> list[tuple[Value, bool]]:
    found = [(value, value is op.writes) for value in op.values() if value.kind != "number"]
    if op.out is not None:
        found.append((op.out, True))
    return found


def _same_place(a: Value, b: Value) -> bool:
    return a.extent is not None and a.extent == b.extent and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype)
