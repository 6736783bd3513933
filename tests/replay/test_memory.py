"""What is needed at the same time never shares a byte; what is not may lie in one place."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import given, strategies as st

from adjoint.replay.memory import Block, LastUses, arrange

REGION = (10, 20)


@st.composite
def blocks(draw: Any) -> Block:
    size, lane = draw(st.integers(0, 300)), draw(st.sampled_from([None, None, (1, 0), (1, 1)]))
    low, high = (0, 30) if lane is None else REGION
    start, end = sorted([draw(st.integers(low, high)), draw(st.integers(low, high))])
    return Block(size, start, end, lane, None if lane is None else REGION)


def run_branches(a: Block, b: Block) -> bool:
    """Whether both may be needed at some time, as those who do the operations see it."""
    if a.branch is not None and a.branch == b.branch:
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
        if run_branches(a, b):
            assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset


def test_what_follows_each_other_lies_in_one_place() -> None:
    found = [Block(100, t, t + 1) for t in range(0, 20, 2)]
    assert arrange(found) == 128
    assert {block.offset for block in found} == {0}


STRETCHES = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)


@given(st.lists(st.tuples(st.booleans(), STRETCHES), max_size=30))
def test_the_last_use_of_any_byte_is_found(steps: list[tuple[bool, list[int]]]) -> None:
    used, uses = LastUses(range(10)), dict.fromkeys(range(9), -1)
    for time, (asks, (low, high)) in enumerate(steps):
        if asks:
            assert used.last(low, high) == max([uses[byte] for byte in range(low, high)], default=-1)
        else:
            used.use(low, high, time)
            uses |= dict.fromkeys(range(low, high), time)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 20), st.integers(0, 9)), max_size=60))
def test_blocks_of_one_size_take_no_more_memory_than_is_needed_at_once(drawn: list[tuple[int, int, int]]) -> None:
    found = [Block(64, start, start + length) for _, start, length in drawn]
    most = max([sum(block.start <= time <= block.end for block in found) for time in range(30)], default=0)
    assert arrange(found) == 64 * most
    found = [Block(64 * size, start, start + length) for size, start, length in drawn]
    most = max([sum(block.size for block in found if block.start <= time <= block.end) for time in range(30)], default=0)
    assert most <= arrange(found) <= 1.6 * most
