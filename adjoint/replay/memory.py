"""Buffer layout of a program: one piece of memory, in which blocks that are needed at different times may share a place."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from heapq import heappop, heappush
from math import inf


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
