"""What goes into a captured function and what comes out: nested arguments, numbers, NumPy's arrays, fresh results."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import optim
from adjoint.backends import Backend
from adjoint.capture.captured import MOST

pytestmark = pytest.mark.usefixtures("backend")

Pair = namedtuple("Pair", "x y")


def test_nested_arguments_and_results() -> None:
    def function(pair: Any, *, scale: int, more: Any) -> Any:
        return {"sum": (pair.x + pair.y, [pair.x * scale]), "pair": Pair(pair.x, "text"), "none": None, "more": more["z"][0] + 1}

    captured = ad.capture(function)
    for k in range(3):
        arguments = Pair(ad.full((2,), float(k)), ad.ones(2))
        found = captured(arguments, scale=3, more={"z": [ad.full((1,), float(k))]})
        wanted = function(arguments, scale=3, more={"z": [ad.full((1,), float(k))]})
        assert repr(found) == repr(wanted)
        assert type(found["pair"]) is Pair
    assert captured.stats[:2] == (1, 2)


def test_numbers_are_told_apart_by_value_and_kind() -> None:
    captured = ad.capture(lambda x, n: x * n)
    for recorded, n in enumerate([1, 1.0, True, -0.0, 0.0, float("inf")], start=1):
        for _ in range(2):
            assert repr(captured(ad.ones(2), n)) == repr(ad.ones(2) * n)
        assert captured.stats[:2] == (recorded, recorded)


def test_numbers_alone_and_no_arguments_at_all() -> None:
    made = ad.capture(lambda n: ad.ones(n))
    none = ad.capture(lambda: ad.rand(3))
    for _ in range(2):
        assert made(3).tolist() == [1.0] * 3
    assert none().tolist() != none().tolist()


def test_a_number_that_changes_is_a_tensor_without_axes() -> None:
    captured = ad.capture(lambda x, n: x * n)
    for n in range(5):
        assert captured(ad.ones(2), ad.tensor(float(n))).tolist() == [n, n]
    assert captured.stats.programs == 1


def test_forms_that_do_not_come_again_take_no_memory() -> None:
    captured = ad.capture(lambda x, n: x * n)
    for i in range(3 * MOST):
        captured(ad.ones(2), i / 7)
    assert len(captured._by_form) == captured.stats.programs == MOST


def test_numpys_arrays_as_arguments() -> None:
    with ad.use_backend("numpy"):
        captured = ad.capture(lambda a, rest: a * 2 + rest[0])
        single = ad.capture(lambda a: a * 2)
        for k in range(3):
            assert captured(np.full(3, k), [np.ones(3)]).tolist() == [2 * k + 1.0] * 3
            assert single(np.arange(3.0) + k).tolist() == [2.0 * k, 2.0 * k + 2, 2.0 * k + 4]
        assert captured.stats[:2] == single.stats[:2] == (1, 2)


def test_results_are_fresh_at_each_call() -> None:
    p = ad.zeros(2)

    @ad.capture
    def function(x: Any) -> Any:
        p.add_(x)
        return p, x, x * 2, (x * 2).sum(), ad.ones(2)

    results = [function(ad.full((2,), float(k))) for k in range(4)]
    wanted = [[[s] * 2, [k] * 2, [2 * k] * 2, 4 * k, [1.0] * 2] for k, s in enumerate([0, 1, 3, 6])]
    assert [[x.tolist() for x in parts] for parts in results] == wanted
    for parts in results:
        for x in parts:
            x.add_(100.0)
    assert [x.tolist() for x in function(ad.zeros(2))] == [[6.0] * 2, [0.0] * 2, [0.0] * 2, 0.0, [1.0] * 2]
    assert p.tolist() == [6.0] * 2


def test_results_of_a_write_under_a_gradient_can_be_used() -> None:
    p = ad.ones(3, requires_grad=True)

    @ad.capture
    def function(x: Any) -> Any:
        y = p * x
        y.mul_(2.0)
        y[0] = 5.0
        return y

    for _ in range(3):
        assert (function(ad.ones(3)) + 1).tolist() == [6.0, 3.0, 3.0]


def test_results_have_no_graph() -> None:
    p = ad.ones(2, requires_grad=True)
    captured = ad.capture(lambda x: x * p)
    for _ in range(2):
        assert not captured(ad.ones(2)).requires_grad


def test_arguments_of_other_memory_layouts_have_their_values() -> None:
    captured = ad.capture(lambda x: (x * 2, x.sum(0), x @ x.mT))
    base = ad.arange(24.0).reshape(4, 6)
    for x in (
        base[:3, :4],
        base.mT[:3],
        base[1:, ::2][:, :3].reshape(3, 3),
        base[::2][:, :4],
        base[:3, 1:5],
        ad.ones(1, 1).expand(3, 4),
    ):
        for found, wanted in zip(captured(x), (x * 2, x.sum(0), x @ x.mT), strict=True):
            assert (found == wanted).all()


@pytest.mark.parametrize("shift", [1, 2, -1])
def test_arguments_may_overlap_what_is_written_to(shift: int) -> None:
    def after(calls: int, wrap: Any) -> list[float]:
        big = ad.arange(8.0)
        target, source = (big[shift:], big[:-shift]) if shift > 0 else (big[:shift], big[-shift:])
        step = wrap(lambda x: (target.copy_(x * 2 + 1), target.sum())[1])
        for _ in range(calls):
            step(source)
        return big.tolist()

    assert after(3, ad.capture) == after(3, lambda f: f)


@pytest.mark.parametrize(
    "function", [lambda big: big[1:].copy_(big[:-1] * 2), lambda big: big[1:].copy_(big[:-1]), lambda big: big[:-1].add_(big[1:])]
)
def test_what_is_written_to_may_overlap_what_is_read(function: Any) -> None:
    eager, replayed = ad.arange(9.0), ad.arange(9.0)
    captured = ad.capture(lambda: function(replayed).sum())
    for _ in range(3):
        assert captured().item() == function(eager).sum().item()
        assert replayed.tolist() == eager.tolist()


def test_a_method_knows_its_instances_apart() -> None:
    class Scaled:
        def __init__(self, scale: float) -> None:
            self.scale = ad.full((), scale)

        @ad.capture
        def times(self, x: Any) -> Any:
            return x * self.scale

    for _ in range(2):
        for one in (two := [Scaled(2.0), Scaled(3.0)]):
            assert one.times(ad.ones(1)).item() == one.scale.item()
        assert two[0].times(ad.ones(1)).item() == 2.0


def test_gradients_are_left_as_the_function_leaves_them() -> None:
    p, q = ad.ones(2, requires_grad=True), ad.ones(2, requires_grad=True)

    @ad.capture
    def function(x: Any) -> Any:
        p.grad = q.grad = None
        (p * x).sum().backward()
        return p.grad

    for k in range(4):
        q.grad = ad.ones(2)
        assert function(ad.full((2,), float(k))).tolist() == p.grad.tolist() == [k, k]
        assert q.grad is None
        if k == 2:
            p.grad.add_(7.0)


def test_a_gradient_that_is_an_argument() -> None:
    p = ad.zeros(2, 2, requires_grad=True)

    @ad.capture
    def function(x: Any) -> Any:
        p.grad = x
        return p.grad.sum()

    for k in range(3):
        x = ad.arange(4.0).reshape(2, 2) + k
        function(x)
        assert p.grad.tolist() == x.tolist()


def test_each_default_backend_has_its_own_recording_where_no_tensor_is_given() -> None:
    made = ad.capture(lambda: ad.ones(2))
    for name in ("numpy", "strict", "numpy"):
        with ad.use_backend(name) as chosen:
            assert made().device == chosen.device


def test_an_optimizer_steps_on_a_backend_that_is_not_the_default(backend: Backend) -> None:
    p = ad.ones(3, requires_grad=True)
    optimizer = optim.Adam([p], lr=0.1)
    with ad.use_backend("strict" if backend.name == "numpy" else "numpy"):
        for _ in range(3):
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
    assert p.backend is backend
    assert max(p.tolist()) < 0.75
