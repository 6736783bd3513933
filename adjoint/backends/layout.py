"""Where what a program makes lies in one piece of memory: things that are needed at different times may share a place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Block:
    """Some bytes that are needed from one operation to another, told by their numbers.

    Attributes:
        lane: the lane it is needed in alone, or None; what another lane of the same region has at any time is not to lie there.
        region: the first and the last operation that are done at once with that lane.
        offset: where it begins, once that is found.
    """

    __slots__ = ("end", "lane", "offset", "region", "size", "start")

    def __init__(self, size: int, start: float, end: float, lane: object = None, region: tuple[float, float] | None = None) -> None:
        self.size, self.start, self.end, self.lane, self.region, self.offset = size, start, end, lane, region, 0


def arrange(blocks: Sequence[Block], alignment: int = 64) -> int:
    """Find an offset for each block, and how many bytes all take together.

    The largest first, each at the lowest place that nothing has that is needed at the same time. Pisarchyk and Lee, "Efficient
    Memory Management for Deep Neural Net Inference" (2020), "greedy by size".
    """
    order = sorted(blocks, key=lambda block: (-block.size, block.start))
    lanes = {lane: i for i, lane in enumerate(dict.fromkeys(block.lane for block in blocks if block.lane is not None))}
    whose = np.array([-1 if block.lane is None else lanes[block.lane] for block in order])
    own = np.array([(block.start, block.end) for block in order]).reshape(-1, 2)
    known = np.array([block.region or (block.start, block.end) for block in order]).reshape(-1, 2)  # to the other lanes
    places = np.zeros((len(order), 2), np.int64)
    total = 0
    for i, block in enumerate(order):
        size = max(1, -(-block.size // alignment)) * alignment
        same = (whose[:i] == whose[i]) & (whose[i] >= 0)
        times, (start, end) = np.where(same[:, None], own[:i], known[:i]), known[i]
        starts, ends = np.where(same, own[i, 0], start), np.where(same, own[i, 1], end)
        beside = places[:i][(times[:, 0] <= ends) & (times[:, 1] >= starts)]
        offset = 0
        for begin, stop in beside[beside[:, 0].argsort()].tolist():
            if begin >= offset + size:
                break
            offset = max(offset, stop)
        block.offset = offset
        places[i] = offset, offset + size
        total = max(total, offset + size)
    return total
