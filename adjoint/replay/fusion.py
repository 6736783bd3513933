"""Fusion groups: runs of elementwise operations that an emitter does together, tile by tile or in one kernel."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator

from .program import Buffer, Op, Program, Value, may_overlap


class Group:
    """Elementwise operations on one shape that follow each other.

    Attributes:
        shape: the shape of all results.
        ops: the operations, in program order.
        first, last: the numbers of the first and the last of them in the program.
        inner: values that no other operation uses, so that they need no memory of their own.
    """

    def __init__(self, key: Hashable, number: int, op: Op) -> None:
        self.key, self.shape, self.first, self.last = key, op.target.shape, number, number
        self.ops: list[Op] = []
        self.inner: set[Value] = set()
        self._uses: dict[Buffer, dict[tuple[Value, bool], None]] = {}
        self.add(op, number)

    def add(self, op: Op, number: int) -> None:
        self.ops.append(op)
        self.last = number
        for value, writes in _uses(op):
            self._uses.setdefault(value.buffer, {})[value, writes] = None

    def accepts(self, op: Op) -> bool:
        """Whether an element of the result depends on no other element that the group writes: aliases must lie in one place."""
        for value, writes in _uses(op):
            for other, written in self._uses.get(value.buffer, ()):
                if not (writes or written):
                    continue
                if value is other:
                    if value.shape != self.shape:
                        return False
                elif may_overlap(value, other) and not _is_same_place(value, other):
                    return False
        return True

    @property
    def viewed(self) -> set[Buffer]:
        """The buffers that the operations use through a view, whose elements they may meet in another order."""
        return {value.buffer for op in self.ops for value in op.values() if value.base is not None}


def overlaps_itself(op: Op) -> bool:
    """Whether an element of the result depends on other elements that the operation itself writes, as in ``x += x.T``."""
    return not Group(None, 0, op).accepts(op)


def fuse(program: Program, key_of: Callable[[Op], Hashable], is_transparent: Callable[[Op], bool], limit: int) -> list[Group]:
    """The fusion groups of a program.

    Args:
        program: an optimized program.
        key_of: None if the emitter cannot fuse the operation; operations of one group have the same key.
        is_transparent: whether an operation, such as a view, may stand between operations of a group.
        limit: the largest number of operations in a group.
    """
    groups: list[Group] = []
    group: Group | None = None
    for i, op in enumerate(program.ops):
        if i == program.prologue:
            group = None
        if is_transparent(op):
            continue
        key = None if overlaps_itself(op) else key_of(op)
        if key is None:
            group = None
        elif group is None or group.key != key or len(group.ops) >= limit or not group.accepts(op):
            group = Group(key, i, op)
            groups.append(group)
        else:
            group.add(op, i)
    lifetimes = program.lifetimes()
    for group in groups:
        members = set(group.ops)
        between = program.ops[group.first : group.last + 1]
        elsewhere = {v.buffer for op in between for v in op.values() if op not in members or v.base is not None}
        for op in group.ops:
            out = op.out
            if out is None or out.array is not None or out.buffer.external or out.buffer in elsewhere:
                continue
            if lifetimes[out.buffer] <= group.last:
                group.inner.add(out)
    return groups


def _uses(op: Op) -> Iterator[tuple[Value, bool]]:
    """The values that an operation reads or writes, and whether it writes them."""
    for value in op.values():
        if value.kind != "number":
            yield value, value is op.writes
    if op.writes is not None:
        yield op.writes, True
    if op.out is not None:
        yield op.out, True


def _is_same_place(a: Value, b: Value) -> bool:
    return a.extent is not None and a.extent == b.extent and a.layout == b.layout
