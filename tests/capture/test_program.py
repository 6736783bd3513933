"""The program as text, and what is counted of it."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from typing import Any

import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend

from .steps import training_step

pytestmark = pytest.mark.usefixtures("backend")


def step_of(width: int = 4) -> tuple[Any, nn.Module, optim.Optimizer]:
    model = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 2))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    return ad.capture(training_step(model, optimizer)), model, optimizer


def test_a_program_reads_like_the_step() -> None:
    w = ad.zeros(3, 1, requires_grad=True)

    @ad.capture
    def step(x: Any, y: Any) -> Any:
        loss = ((x @ w - y) ** 2).mean()
        (gradient,) = ad.autograd.grad(loss, [w])
        with ad.no_grad():
            w.sub_(0.1 * gradient)
        return loss

    for _ in range(2):
        step(ad.eye(3), ad.ones(3, 1))
    assert str(step.program) == PROGRAM.rstrip()


PROGRAM = """\
a0: argument float32[3, 3]
a1: argument float32[3, 1]
w0: external float32[3, 1]
v0 = matmul(a0, w0)                                      # float32[3, 1]
v1 = subtract(v0, a1)                                    # float32[3, 1]
v2 = multiply(v1, v1)                                    # float32[3, 1]
v3 = sum(v2, axis=None, keepdims=False)                  # float32[]
v4 = divide(v3, 3)                                       # float32[]
v5 = multiply(2.0, v1)                                   # float32[3, 1]
v6 = multiply(c0, v5)                                    # float32[3, 1]
v7 = matrix_transpose(a0)                                # float32[3, 3], a view
v8 = matmul(v7, v6)                                      # float32[3, 1]
v9 = multiply(v8, 0.1)                                   # float32[3, 1]
v10 = subtract(w0, v9)                                   # float32[3, 1]
w0[...] = v10
return v4
"""


def test_what_is_counted() -> None:
    captured = ad.capture(lambda x: ((x * 2 + 1).exp().sum(), (x * 2).sum()))
    captured(ad.ones(3))
    assert captured.stats.programs == 1
    assert captured.stats.replays == 0
    assert captured.stats.recorded == 6
    assert len(captured.program.ops) == 5, "what is computed twice is computed once"
    captured(ad.ones(3))
    captured(ad.ones(4))
    assert captured.stats[:2] == (2, 1)
    captured.reset()
    assert "0 recordings" in repr(captured)


def test_what_nobody_reads_is_left_out_and_constants_are_computed_once() -> None:
    def function(x: Any) -> Any:
        _ = x.exp().sum()
        return x * (ad.ones(3) * 2 + 1)

    captured = ad.capture(function)
    for _ in range(2):
        assert captured(ad.ones(3)).tolist() == [3.0] * 3
    assert [op.name for op in captured.program.ops] == ["multiply"]


def test_replays_grow_nothing_and_record_nothing(backend: Backend) -> None:
    step, _, _ = step_of()
    x, y = ad.randn(5, 3), ad.tensor([0, 1, 1, 0, 1])
    gc.collect()
    gc.disable()
    try:
        for _ in range(200):  # until Python keeps as many freed tuples as it ever will
            step(x, y)
        tracemalloc.start()
        step(x, y)
        objects, memory = len(gc.get_objects()), tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            step(x, y)
        grown = tracemalloc.get_traced_memory()[0] - memory
        assert len(gc.get_objects()) - objects <= 5
        assert grown < 4000 or backend.name != "numpy"  # its own bookkeeping aside: Python keeps freed tuples for a while
    finally:
        tracemalloc.stop()
        gc.enable()
    assert step.stats[:2] == (1, 1200)


def test_nothing_is_held_by_a_cycle() -> None:
    step, model, optimizer = step_of()
    x, y = ad.randn(5, 3), ad.tensor([0, 1, 1, 0, 1])
    for _ in range(3):
        step(x, y)
    held = [weakref.ref(part) for part in (step, model, optimizer, *model.parameters())]
    gc.collect()
    gc.disable()
    try:
        del step, model, optimizer
        assert [reference() for reference in held] == [None] * len(held)
    finally:
        gc.enable()


def test_an_optimizer_of_an_eager_loop_is_held_by_no_cycle() -> None:
    p = ad.ones(3, requires_grad=True)
    optimizer = optim.Adam([p])
    for _ in range(3):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    held = [weakref.ref(p), weakref.ref(optimizer)]
    gc.collect()
    gc.disable()
    try:
        del p, optimizer
        assert [reference() for reference in held] == [None, None]
    finally:
        gc.enable()


def test_a_check_is_late_if_what_it_needs_is_drawn_or_written_at_any_distance() -> None:
    table, count, x = ad.nn.Embedding(9, 2), ad.zeros(4, dtype="int64"), ad.tensor([0, 1, 2, 3])

    def function(x: ad.Tensor) -> Any:
        with ad.no_grad():
            count.copy_(x)
        return [table(index + 1 + 0) for index in (x, ad.randint(0, 5, (4,)), count * 1)]

    captured = ad.capture(function)
    captured(x)
    assert [guard.deferred for guard in captured.program.guards] == [False, True, True]
