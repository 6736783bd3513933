"""Fusion groups on NumPy: elementwise operations done together on a few rows at a time, which stay in the cache.

Inner values of a group have no memory but that of one tile. Long groups run on two threads, half of the tiles each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import numpy as np

from ...codegen import compile_function
from ...replay.fusion import Group
from ...replay.program import Value
from . import threads
from .kernels import BITS

#: From this many bytes of results on, a group runs on two threads.
LONG = 1 << 21
#: The most operations of a group: more save nothing, and take longer to compile.
MOST = 256

#: The ufuncs whose output has to be given by name: a third operand by position is deprecated since NumPy 2.4.
NAMED = (np.maximum, np.minimum)


class Step:
    """One call: a function, its operands and, last, its output. An operand is a :class:`Value` or the argument itself.

    Attributes:
        bits: whether floats among the values are taken as the integers of their bits.
    """

    __slots__ = ("bits", "function", "operands")

    def __init__(self, function: Any, *operands: Any, bits: bool = False) -> None:
        self.function, self.operands, self.bits = function, operands, bits


class Tiles:
    """A fusion group as steps that are done tile by tile; ``inner`` values lie in scratch memory."""

    def __init__(self, group: Group, steps: list[Step], inner: set[Value]) -> None:
        self.group, self.steps, self.inner = group, steps, inner
        uses = [value for op in group.ops for value in [*op.values(), op.target] if value.shape == group.shape]
        self._widest = max([1, *(value.dtype.itemsize for value in uses if value.kind != "number")])

    def rows(self) -> int:
        """The number of rows in a tile."""
        return max(1, threads.TILE // (self._widest * max(1, prod(self.group.shape[1:]))))

    def places(self) -> tuple[dict[Value, int], int]:
        """For each inner value the number of its slot in scratch memory, and how many slots there are."""
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
        """The bytes of scratch memory that each thread needs."""
        return self.places()[1] * self._piece()

    def _piece(self) -> int:
        return -(-self.rows() * prod(self.group.shape[1:]) // 8) * 64

    def _long(self) -> bool:
        is_alone = self.group.ops[0].branch is None and threads.thread_count() > 1
        return is_alone and len(self.steps) * prod(self.group.shape) * 4 >= LONG and self.group.shape[0] > self.rows()

    def compiled(self, array_of: Callable[[Value], Any], scratch: list[Any]) -> tuple[Callable[[Any], None], list[Any]]:
        """A function that runs a list of tiles, and one such list, or two for two threads."""
        place, _ = self.places()
        names: dict[Any, str] = {}
        bound: dict[str, Any] = {}
        sliced: list[tuple[str, Any, bool]] = []  # a name for each operand that each tile has its own part of

        def name(part: Any, bits: bool) -> str:
            whole = not isinstance(part, Value) or not (part in place or (part.shape and part.shape[0] == self.group.shape[0]
                                                                        and len(part.shape) == len(self.group.shape)))  # fmt: skip
            key = (part if isinstance(part, Value) else id(part), bits)
            if key not in names:
                names[key] = f"x{len(names)}"
                if whole:
                    array = array_of(part) if isinstance(part, Value) else part
                    bound[names[key]] = as_bits(array) if bits else array
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
        source = "\n        ".join([f"def run(tiles):\n    for {variables}in tiles:", *lines])
        run = compile_function(source, "run", bound, "fusion group")
        rows, n = self.rows(), self.group.shape[0]
        starts = range(0, n, rows)
        parts = 2 if self._long() else 1
        per_thread = -(-len(starts) // parts)
        tiles = []
        for t in range(parts):

            def tile(a: int, scratch: Any = scratch[t]) -> Iterator[Any]:
                b = min(a + rows, n)
                for _, part, bits in sliced:
                    if part in place:
                        array = np.ndarray((b - a, *self.group.shape[1:]), part.dtype, scratch, place[part] * self._piece())
                    else:
                        array = array_of(part)[a:b]
                    yield as_bits(array) if bits else array

            tiles.append([tuple(tile(a)) for a in starts[t * per_thread : (t + 1) * per_thread]])
        return run, tiles


def as_bits(array: Any) -> Any:
    return array.view(BITS[array.dtype])
