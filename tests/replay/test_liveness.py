"""No memory of a replay is taken by another array while something still reads it."""

from __future__ import annotations

from typing import Any

import pytest
from capture.steps import alike, arrays
from hypothesis import given, strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.numpy import threads


def test_a_view_between_two_operations_of_a_chain_frees_nothing_that_the_chain_still_reads(backend: Backend) -> None:
    def function(x: ad.Tensor) -> ad.Tensor:
        product = x @ x
        a = x + product.transpose(0, 1)  # tile by tile, the product across the rows
        again = x.reshape(-1).reshape(300, 300)
        c = again * a
        return c.t() @ c

    captured, x = ad.capture(function), ad.randn(300, 300)
    captured(x)
    assert alike(arrays([captured(x)]), arrays([function(x)]), backend)


def test_a_view_of_what_was_computed_before_keeps_that_alive(backend: Backend) -> None:
    def function(x: ad.Tensor) -> ad.Tensor:
        a = x + 1.0
        view = (x + 1.0).t()  # of a, once the two sums are one
        return (a * 2.0).exp() * view  # the product takes the place of what only it reads

    captured, x = ad.capture(function), ad.randn(3, 3)
    captured(x)
    assert alike(arrays([captured(x)]), arrays([function(x)]), backend)


STRETCHES = st.tuples(st.integers(0, 7), st.integers(1, 8)).map(lambda ends: (min(ends), max(ends[1], ends[0] + 1)))
STEPS = st.one_of(
    st.tuples(st.sampled_from(["make", "shift", "read", "scale", "view"]), STRETCHES),
    st.tuples(st.just("write"), st.integers(0, 9)),
)


@given(steps=st.lists(STEPS, max_size=12), tile=st.sampled_from([4, threads.TILE]))
def test_a_result_is_made_where_it_will_be_written_only_if_nobody_looks_there_before(
    steps: Any, tile: int, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TILE", tile)  # the smaller one has chains of so few elements

    def function(x: ad.Tensor, buffer: ad.Tensor) -> list[ad.Tensor]:
        waiting, read, views = [], [], []
        for step, what in [*steps, *[("write", 0)] * len(steps)]:
            if step == "write" and waiting:
                low, high, value = waiting.pop(what % len(waiting))
                buffer[low:high] = value
            elif step == "make":
                waiting.append((*what, x[: what[1] - what[0]] * 3.0 - 1.0))
            elif step == "shift":  # from elsewhere in the buffer, to which it will be written
                waiting.append((*what, buffer[8 - what[1] : 8 - what[0]] * 3.0 + 1.0))
            elif step == "read":
                read.append(buffer[slice(*what)] * 1.0)
            elif step == "scale":
                buffer[slice(*what)].mul_(0.5)
            elif step == "view":
                views.append(buffer[slice(*what)])
        return read + [view + 0.0 for view in views]

    with ad.no_grad():
        x, of_replays, of_calls = ad.randn(8), ad.zeros(8), ad.zeros(8)
        captured = ad.capture(lambda x: function(x, of_replays))
        for _ in range(3):
            found, want = captured(x), function(x, of_calls)
            assert alike(arrays([*found, of_replays]), arrays([*want, of_calls]), backend)
