"""What is needed at the same time never shares a byte; what is not may lie in one place."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adjoint.backends.layout import Block, arrange

REGION = (10, 20)


@st.composite
def blocks(draw: Any) -> Block:
    size, lane = draw(st.integers(0, 300)), draw(st.sampled_from([None, None, (1, 0), (1, 1)]))
    low, high = (0, 30) if lane is None else REGION
    start, end = sorted([draw(st.integers(low, high)), draw(st.integers(low, high))])
    return Block(size, start, end, lane, None if lane is None else REGION)


def at_once(a: Block, b: Block) -> bool:
    """Whether both may be needed at some time, as those who do the operations see it."""
    if a.lane is not None and a.lane == b.lane:
        return a.start <= b.end and b.start <= a.end
    times = [block.region or (block.start, block.end) for block in (a, b)]
    return times[0][0] <= times[1][1] and times[1][0] <= times[0][1]


@given(st.lists(blocks(), max_size=30), st.sampled_from([1, 16, 64]))
def test_what_is_needed_at_once_lies_apart(found: list[Block], alignment: int) -> None:
    total = arrange(found, alignment)
    for block in found:
        assert block.offset >= 0
        assert block.offset % alignment == 0
        assert block.offset + block.size <= total
    for a, b in combinations(found, 2):
        if at_once(a, b):
            assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset


def test_what_follows_each_other_lies_in_one_place() -> None:
    found = [Block(100, t, t + 1) for t in range(0, 20, 2)]
    assert arrange(found) == 128
    assert {block.offset for block in found} == {0}
