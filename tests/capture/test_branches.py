"""What is done in lanes is recorded as such, and replayed on two threads with the bits of the function itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import nn, optim
from adjoint.autograd.rules.convolution import _by_samples
from adjoint.backends.numpy import threads

from .steps import training_step

SIZE = st.integers(1, 4)


def backwards(first: Any, second: Any) -> list[Any]:
    """Two at the same time, such that the second is done before the first begins."""
    found = second()
    return [first(), found]


@ad.primitive(differentiable=False)
def entangled(xp: Any, x: Any, y: Any) -> Any:
    """Lanes that share what they read, compute the same things, need their own and each other's results later."""
    shared, total = xp.exp(x), xp.zeros(x.shape, dtype=x.dtype)

    def work(rows: list[int]) -> Any:
        kept = []
        for i in rows:
            own = xp.sin(xp.getitem(shared, (i,)) + xp.cos(y))
            xp.setitem(total, own * own, (i,))
            kept.append(xp.tanh(own + 1.0))
        return kept[0] + xp.exp(kept[-1])

    some = xp.run_parallel(work, list(range(x.shape[0])))
    return total + some[0] * some[-1] + xp.cos(y)


@pytest.mark.parametrize("order", ["backwards", "at once"])
@settings(max_examples=20)
@given(SIZE, st.integers(1, 7))
def test_nothing_in_a_lane_depends_on_how_far_the_other_is(order: str, rows: int, columns: int) -> None:
    def function(x: Any, y: Any) -> Any:
        z = x * 3.0
        for _ in range(3):
            z = entangled(z, y * 2.0) - z
        return z

    captured = ad.capture(function)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADJOINT_NUM_THREADS", "2")
        if order == "backwards":
            patch.setattr(threads, "run_both", backwards)
        for _ in range(4):
            x, y = ad.randn(rows, columns), ad.randn(columns)
            assert captured(x, y).tolist() == function(x, y).tolist()
    assert captured.stats[:2] == (1, 3)
    assert rows == 1 or captured.all()[0].run.source.count("def branch1") == 3


def trained(capture: bool, layers: list[Any], batch: int, channels: int, bias: bool) -> tuple[list[bytes], Any]:
    """The bits of the losses and parameters of four steps of a small network of convolutions and pooling, and the step."""
    ad.manual_seed(0)
    model = nn.Sequential()
    width = 1
    for i, (kernel, stride, pool) in enumerate(layers):
        model.append(nn.Conv2d(width, channels, kernel, stride, padding=kernel // 2, bias=bias))
        model.append(nn.ReLU() if i % 2 else nn.Tanh())
        width = channels
        if pool:
            model.append(nn.MaxPool2d(2, 1, 1))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    step = training_step(model, optimizer, lambda y: y.square().mean())
    run = ad.capture(step) if capture else step
    found = [run(ad.randn(batch, 1, 8, 8)).numpy(force=True).tobytes() for _ in range(4)]
    return found + [p.numpy(force=True).tobytes() for p in model.parameters()], run


@pytest.mark.parametrize("threads", ["1", "2"])
@settings(max_examples=12)
@given(st.lists(st.tuples(st.sampled_from([1, 3]), st.sampled_from([1, 2]), st.booleans()), min_size=1, max_size=3),
       st.integers(1, 9), SIZE, st.booleans(), st.sampled_from([256, 1024, 4096]))  # fmt: skip
def test_a_step_of_convolutions_in_lanes_has_the_same_bits(
    threads: str, layers: list[Any], batch: int, channels: int, bias: bool, block: int
) -> None:
    xp: Any = ad.backends.get("numpy").xp
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xp, "block_bytes", block)
        patch.setenv("ADJOINT_NUM_THREADS", threads)
        eager, _ = trained(False, layers, batch, channels, bias)
        captured, step = trained(True, layers, batch, channels, bias)
        assert captured == eager
        assert step.stats[:2] == (2, 2)  # without gradients at first
        assert batch == 1 or block > 256 or "def branch1" in step.all()[0].run.source


@pytest.mark.parametrize(("batch", "parts"), [(1, 1), (6, 1), (7, 2), (12, 2), (13, 4), (24, 4)])
def test_samples_are_taken_in_as_few_parts_as_fit_and_in_as_many_for_either_thread(batch: int, parts: int) -> None:
    taken: list[Any] = []
    xp: Any = ad.backends.get("numpy").xp
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xp, "block_bytes", 6 * 10 * 4)
        _by_samples(xp, taken.extend, xp.zeros((batch, 10), dtype=xp.float32), 10)
    assert len(taken) == parts
    assert sorted(i for part in taken for i in range(batch)[part]) == list(range(batch))


@ad.primitive(differentiable=False)
def written_later(xp: Any, x: Any, w: Any, kept: Any) -> Any:
    """One lane reads what the other's result is written to afterwards."""

    def work(rows: list[int]) -> Any:
        if rows == [0]:
            return xp.setitem(kept, xp.exp(w) + 1.0, ...)
        return xp.tanh(xp.getitem(x, (1,)))

    return xp.run_parallel(work, [0, 1])[1]


def test_a_lane_does_not_write_ahead_of_time_where_the_other_reads() -> None:
    def machine() -> Any:
        w, kept = ad.ones(5), ad.zeros(5)

        def function(x: Any) -> Any:
            w.copy_(written_later(x, w, kept))
            return kept * 1.0

        return function

    function, captured = machine(), ad.capture(machine())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ADJOINT_NUM_THREADS", "2")
        patch.setattr(threads, "run_both", backwards)
        for _ in range(4):
            x = ad.randn(2, 5)
            assert captured(x).tolist() == function(x).tolist()


def test_what_another_thread_does_meanwhile_is_in_no_lane_of_a_recording() -> None:
    begun, done = threading.Event(), threading.Event()
    xp: Any = ad.backends.get("numpy").xp

    def wait(rows: list[int]) -> None:
        begun.set()
        done.wait(10)

    def function(x: Any) -> Any:
        thread = threading.Thread(target=lambda: ad.backends.get("numpy").xp.run_parallel(wait, [0, 1]))
        thread.start()
        begun.wait(10)
        y = ad.tanh(x) + 1.0
        done.set()
        thread.join()
        return y

    captured = ad.capture(function)
    captured(ad.ones(3))
    assert begun.is_set()
    assert all(op.branch is None for op in captured.program.ops)
    assert ad.backends.get("numpy").xp is xp
