"""Memory planning: liveness, in-place reuse, copy elision, and one arena whose bytes are shared by values of disjoint lifetimes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Container, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Any

from ..backends.base import Backend
from ..backends.special import is_basic
from .fusion import Group
from .program import Buffer, Op, Program, Value, may_overlap


class Block:
    """Bytes that are needed from one operation to another, both given by number and included.

    Attributes:
        branch: the parallel branch that alone uses it, or None; nothing of another branch of the same region may lie there.
        region: the first and the last operation of that branch's region.
        offset: where it begins, set by :func:`arrange`.
    """

    __slots__ = ("branch", "end", "offset", "region", "size", "start")

    def __init__(
        self, size: int, start: float, end: float, branch: object = None, region: tuple[float, float] | None = None
    ) -> None:
        self.size, self.start, self.end, self.branch, self.region, self.offset = size, start, end, branch, region, 0


class _Gaps:
    """Stretches of memory, each free from after one time until before another, in a tree by the first."""

    def __init__(self, times: Sequence[float]) -> None:
        self._after = [-inf, *sorted(set(times))]
        self._gaps: list[list[tuple[float, int, int]]] = [[] for _ in self._after]  # (-before, offset, size), heaps
        self._leaves = 1 << (len(self._after) - 1).bit_length()
        self._longest = [-inf] * (2 * self._leaves)  # the latest end of the gaps below each tree node

    def add(self, after: float, before: float, offset: int, size: int) -> None:
        i = bisect_left(self._after, after)
        heappush(self._gaps[i], (-before, offset, size))
        self._update(i)

    def take(self, start: float, end: float) -> tuple[float, float, int, int] | None:
        """The gap that begins last among those open from ``start`` to ``end``, removed: when, where and how large."""
        longest, i = self._longest, bisect_left(self._after, start) - 1 + self._leaves
        while longest[i] <= end:  # to the nearest subtree on the left that has such a gap
            while i > 1 and not i & 1:
                i >>= 1
            if i == 1:
                return None
            i -= 1
        while i < self._leaves:
            i = 2 * i + (longest[2 * i + 1] > end)
        i -= self._leaves
        before, offset, size = heappop(self._gaps[i])
        self._update(i)
        return self._after[i], -before, offset, size

    def _update(self, i: int) -> None:
        longest, node = self._longest, i + self._leaves
        longest[node] = -self._gaps[i][0][0] if self._gaps[i] else -inf
        while node > 1:
            node >>= 1
            longest[node] = max(longest[2 * node], longest[2 * node + 1])


def arrange(blocks: Sequence[Block], alignment: int = 64) -> int:
    """Set the offset of each block, and return the size of the whole, in O(n log n).

    Blocks of one parallel branch are arranged among themselves, and the result is one block for the length of the region.
    """
    branches: dict[object, list[Block]] = {}
    for block in blocks:
        branches.setdefault(block.branch, []).append(block)
    top = branches.pop(None, [])
    wholes = []
    for members in branches.values():
        assert members[0].region is not None
        wholes.append(Block(_place(members, alignment), *members[0].region))
    total = _place([*top, *wholes], alignment)
    for whole, members in zip(wholes, branches.values(), strict=True):
        for block in members:
            block.offset += whole.offset
    return total


def _place(blocks: Sequence[Block], alignment: int) -> int:
    """Set offsets greedily: the largest block first, each in a gap between blocks as large or larger, else behind all others.

    What is left of a gap stays one: before and after the block in time, and beside it in memory, which is for smaller blocks.
    """
    sizes = {block: max(1, -(-block.size // alignment)) * alignment for block in blocks}
    gaps = _Gaps([block.end for block in blocks])
    smaller: list[tuple[int, float, float, int]] = []  # gaps that no block so far fits into: (-size, after, before, offset)
    total = 0
    for block in sorted(blocks, key=lambda block: (-sizes[block], block.start)):
        size = sizes[block]
        while smaller and -smaller[0][0] >= size:
            width, after, before, offset = heappop(smaller)
            gaps.add(after, before, offset, -width)
        gap = gaps.take(block.start, block.end)
        if gap is None:
            gap = -inf, inf, total, size
            total += size
        after, before, block.offset, width = gap
        gaps.add(after, block.start, block.offset, size)
        gaps.add(block.end, before, block.offset, size)
        if width > size:
            heappush(smaller, (size - width, after, before, block.offset + size))
    return total


# --- planning ---------------------------------------------------------------------------------------------------------------


class Plan:
    """Where the values of a program lie.

    Attributes:
        arrays: the array of each value in memory that exists before the program runs, and of views of these.
        blocks: the block of each value in the arena; values may share one.
        elided: writes that are not needed, since the value to be copied is computed where it is copied to.
        size: the arena's size in bytes.
    """

    def __init__(self, program: Program, arrays: dict[Value, Any]) -> None:
        self.program, self.arrays = program, arrays
        self.blocks: dict[Value, Block] = {}
        self.elided: set[Op] = set()
        self.size = 0

    def bind(self, array_in_arena: Callable[[Value, int], Any]) -> None:
        """Make the arrays of the blocks, ``array_in_arena(value, offset)``, and their views."""
        for value, block in self.blocks.items():
            self.arrays[value] = array_in_arena(value, block.offset)
        for op in self.program.ops:
            self.view(op)

    def view(self, op: Op) -> None:
        """Take the array of a view, if that of its base exists."""
        if op.is_view and op.result not in self.arrays and op.result.base in self.arrays:
            self.arrays[op.result] = op.call(self.arrays.__getitem__)


def plan(
    program: Program, groups: Sequence[Group], arrays: dict[Value, Any], *, is_placed: Callable[[Op], bool],
    throughout: Sequence[Value] = (), elementwise: Container[str] = (), copies: Container[str] = (), elide: bool = False,
    parallel: bool = False, alignment: int = 64,
) -> Plan:  # fmt: skip
    """Plan the memory of a program by liveness.

    Args:
        program: an optimized program.
        groups: its fusion groups; what one uses lives until its end, and its inner values have no memory.
        arrays: arrays that the emitter supplies, in addition to those of external values and constants.
        is_placed: whether the result of an operation needs memory in the arena.
        throughout: values that need memory in the arena from the beginning to the end.
        elementwise: names of operations that may overwrite an operand with their result.
        copies: names of operations that may leave their result in the place of the operand.
        elide: whether a value that is only copied to external memory is computed there.
        parallel: whether parallel branches run at the same time.
        alignment: of the blocks, in bytes.
    """
    ops = program.ops
    arrays |= {v: v.array for v in program.values() if v.array is not None and v.kind != "argument"}
    result = Plan(program, arrays)
    last = program.lifetimes()
    begin: dict[int, int] = {}  # of each region of parallel branches
    end: dict[int, float] = {}
    if parallel:
        end = {op.branch.region: i + 0.5 for i, op in enumerate(ops) if op.branch}
        begin = {op.branch.region: i for i, op in reversed(list(enumerate(ops))) if op.branch}
        first_use = {v.buffer: op for op in reversed(ops) for v in [*op.values(), *([op.out] if op.out else [])]}
        for buffer, time in last.items():
            branch = ops[int(time)].branch if time < len(ops) else None
            if branch and first_use[buffer].branch != branch:  # the other branch may still use it
                last[buffer] = end[branch.region]
    copy_elision = CopyElision(program, last, elementwise) if elide else None
    group_of = {op: group for group in groups for op in group.ops}
    group_end = {i: group.last for group in groups for i in range(group.first, group.last + 1)}
    viewed = {group: group.viewed for group in groups}
    by_buffer: dict[Buffer, Block] = {}
    for value in throughout:
        result.blocks[value] = Block(value.nbytes, 0, len(ops))
    for i, op in enumerate(ops):
        out, group = op.out, group_of.get(op)
        if out is None or out in arrays or out in result.blocks:
            continue
        if op.is_view:
            result.view(op)
            continue
        if not is_placed(op):
            continue
        destination = copy_elision.destination(op, group.ops if group else [op], arrays) if copy_elision else None
        if destination is not None:
            arrays[out] = destination[0]
            result.elided.add(destination[1])
            continue
        if group is not None and out in group.inner:
            continue
        time = max(last[out.buffer], group_end.get(int(last[out.buffer]), 0))
        own = op.branch if parallel and op.branch and time < end[op.branch.region] else None
        block = None
        if op.name in elementwise or op.name in copies:
            block = _overwritten(op, i, last, by_buffer, viewed[group] if group else ())
        if block is None:
            block = Block(out.nbytes, i, time, own, own and (begin[own.region], end[own.region]))
        elif own is None:
            block.branch = block.region = None
        block.end = time
        by_buffer[out.buffer] = result.blocks[out] = block
    result.size = arrange(list(dict.fromkeys(result.blocks.values())), alignment)
    return result


def _overwritten(
    op: Op, number: int, last: dict[Buffer, float], by_buffer: dict[Buffer, Block], viewed: Container[Buffer]
) -> Block | None:
    """The block of an operand that the operation is the last to use, and that has its result's layout."""
    for value in op.values():
        if value.kind != "computed" or value.base is not None or value.buffer in viewed or last[value.buffer] != number:
            continue
        if value.buffer in by_buffer and value.layout == op.result.layout:
            return by_buffer[value.buffer]
    return None


def same_place(backend: Backend, a: Any, b: Any) -> bool:
    """Whether two arrays are the same bytes in the same layout."""
    return (
        b is not None and (a.shape, a.strides, a.dtype) == (b.shape, b.strides, b.dtype) and backend.extent(a) == backend.extent(b)
    )


class CopyElision:
    """Values that are only copied into external memory afterwards, and so can be computed there."""

    def __init__(self, program: Program, last: dict[Buffer, float], elementwise: Container[str]) -> None:
        self._backend, self._ops, self._last, self._elementwise = program.backend, program.ops, last, elementwise
        self._prologue = program.prologue
        self._at = {op: i for i, op in enumerate(self._ops)}
        self._makers = {op.out: op for op in self._ops if op.out is not None}
        self._writers: dict[Buffer, list[Op]] = {}
        for op in self._ops:
            if op.name == "setitem" and op.writes is not None and isinstance(op.args[1], Value) and is_basic(op.args[2]):
                self._writers.setdefault(op.args[1].buffer, []).append(op)
        self._used_before = self._uses_before([writers[0] for writers in self._writers.values() if len(writers) == 1])

    def _uses_before(self, writes: list[Op]) -> dict[Op, int]:
        """For each write to external memory, the number of the last operation before it that uses a byte of its target, or -1."""
        everything: tuple[float, float] = (-inf, inf)
        writes = [write for write in writes if write.args[0].buffer.external]
        bounds: dict[Buffer, set[float]] = {write.args[0].buffer: set(everything) for write in writes}
        uses = [[value for value in op.values() if value.buffer in bounds and not op.is_view] for op in self._ops]
        for values in uses:
            for value in values:
                bounds[value.buffer].update(value.extent or ())
        last_uses = {buffer: LastUses(sorted(addresses)) for buffer, addresses in bounds.items()}
        before, pending = {}, set(writes)
        for i, (op, values) in enumerate(zip(self._ops, uses, strict=True)):
            if op in pending:
                before[op] = last_uses[op.args[0].buffer].last(*(op.args[0].extent or everything))
            for value in values:
                low, high = value.extent or everything
                last_uses[value.buffer].use(low, high, i)
        return before

    def destination(self, op: Op, group: Sequence[Op], arrays: dict[Value, Any]) -> tuple[Any, Op] | None:
        """The array to compute the result of ``op`` in, and the write that becomes unnecessary; None if there is none.

        No operation may use that memory from ``op`` to the write, except those of its fusion group up to ``op``, in place.
        """
        out, number = op.result, self._at[op]
        if number < self._prologue:  # a guard may fail, and nothing may have changed then
            return None
        writers = self._writers.get(out.buffer, [])
        if len(writers) != 1 or self._last[out.buffer] != self._at[writers[0]]:
            return None
        write = writers[0]
        if op.branch != write.branch and op.branch is not None:  # the other branch may still read the old values
            return None
        target, value, index = write.args
        if target.kind != "external" and not (target.buffer.external and target.extent):
            return None
        if target not in arrays:
            return None
        part = arrays[target][index]
        if not hasattr(part, "__setitem__") or part.shape != value.shape or part.dtype != out.dtype or part.size != out.size:
            return None
        if self._used_before[write] > number:
            return None
        elementwise = op.name in self._elementwise
        if self._used_before[write] >= self._at[group[0]]:
            for other in group[: group.index(op) + 1]:
                for operand in other.values():
                    in_place = (other is not op or elementwise) and same_place(self._backend, part, arrays.get(operand))
                    if operand.buffer is target.buffer and may_overlap(operand, target) and not in_place:
                        return None
        if value is out:
            return (part, write) if elementwise or part.strides == out.strides else None
        if not part.flags.c_contiguous or not self._is_reshaped(value, out):
            return None
        return part.reshape(out.shape), write

    def _is_reshaped(self, value: Value, root: Value) -> bool:
        while value is not root:
            if self._makers[value].name != "reshape" or value.base is None:
                return False
            value = value.base
        return True


class LastUses:
    """When byte ranges were last used: a segment tree over ``addresses``, to which uses are added in the order of their times."""

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
