"""``checkpoint``: the same gradients, to the last bit and to any order, from less memory."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn
from adjoint.autograd.checkpoint import checkpoint
from adjoint.errors import GraphError
from adjoint.nn import functional

pytestmark = pytest.mark.usefixtures("backend")


def network() -> Any:
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 2))


def test_gradients_are_the_same_bits_dropout_included_whatever_is_drawn_in_between() -> None:
    def run(wrapped: bool) -> list[Any]:
        ad.manual_seed(3)
        model = network()
        x = ad.randn(5, 3, requires_grad=True)
        out = checkpoint(model, x) if wrapped else model(x)
        between = ad.rand(2).tolist()
        (out**2).sum().backward()
        return [between, ad.rand(2).tolist(), x.grad.tolist(), *(p.grad.tolist() for p in model.parameters())]

    assert run(True) == run(False)


def test_any_structure_and_every_order_of_derivative() -> None:
    def function(x: Any, options: Any) -> Any:
        y = ad.exp(x) * options["scale"]
        return {"a": y * x, "b": [y.sum()]}

    def run(call: Any) -> list[Any]:
        x, scale = ad.tensor([0.5, -1.0], requires_grad=True), ad.tensor(2.0, requires_grad=True)
        found = call(function, x, {"scale": scale})
        total = (found["a"] * found["b"][0]).sum()
        g = ad.autograd.grad(total, [x, scale], create_graph=True)
        second = ad.autograd.grad(g[0].sum() * g[1], [x, scale])
        return [total.tolist(), *(t.tolist() for t in (*g, *second))]

    assert run(checkpoint) == run(lambda function, *args: function(*args))


def test_what_is_inside_is_let_go_of_until_it_is_needed_and_then_again() -> None:
    x = ad.ones(10, requires_grad=True)
    inside: list[Any] = []

    def function(x: Any) -> Any:
        y = x * 2
        inside.append(y.exp().grad_fn)
        return ad.sin(y.exp()) + ad.sin(y)

    plain = function(x).grad_fn
    held = checkpoint(function, x).grad_fn
    sine = lambda node: node.edges[0]  # noqa: E731
    assert isinstance(sine(plain).saved, tuple)
    assert not isinstance(sine(held).saved, tuple)
    out = checkpoint(function, x)
    out.sum().backward()
    assert len(inside) == 4  # the function ran once more
    with pytest.raises(GraphError, match="were freed"):
        out.sum().backward()


def test_checkpoints_nest_and_chain() -> None:
    def run(call: Any) -> Any:
        x = ad.tensor([0.3, 0.7], requires_grad=True)
        inner = lambda x: call(lambda x: ad.sin(x) * x, x) * x  # noqa: E731
        out = call(inner, call(inner, x))
        out.sum().backward()
        return x.grad.tolist()

    assert run(checkpoint) == run(lambda function, *args: function(*args))


def test_several_outputs_cost_one_more_call_whatever_is_asked_of_them() -> None:
    calls: list[int] = []

    def function(x: Any) -> Any:
        calls.append(1)
        return ad.exp(x), ad.sin(x)

    x = ad.tensor([0.3, 0.7], requires_grad=True)
    a, b = checkpoint(function, x)
    a.sum().backward()
    b.sum().backward()
    np.testing.assert_allclose(x.grad.tolist(), np.exp([0.3, 0.7]) + np.cos([0.3, 0.7]), 1e-6)
    assert len(calls) == 2


def test_nothing_is_wrapped_without_a_graph() -> None:
    with ad.no_grad():
        assert not checkpoint(ad.exp, ad.ones(2, requires_grad=True)).requires_grad
    assert not checkpoint(ad.exp, ad.ones(2)).requires_grad


def test_a_function_that_differs_the_second_time_or_whose_reading_was_changed_is_refused() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    times = iter([1, 2])
    out = checkpoint(lambda x: ad.exp(x) if next(times) == 1 else ad.sin(ad.exp(x)), x)
    with pytest.raises(GraphError, match="1 operations at first and 2"):
        out.sum().backward()
    linear = nn.Linear(2, 2)
    out = checkpoint(lambda x: functional.gelu(linear(x)), x)
    with ad.no_grad():
        linear.weight.add_(1.0)
    with pytest.raises(GraphError, match=r"checkpoint: .* changed in place by 'add_'"):
        out.sum().backward()
    y = x * 1
    out = checkpoint(ad.exp, y)
    with ad.no_grad():
        y.mul_(2)
    with pytest.raises(GraphError, match=r"checkpoint: .* changed in place by 'mul_'"):
        out.sum().backward()


def test_a_graph_that_is_not_walked_is_freed_without_the_garbage_collector() -> None:
    x = ad.ones(3, requires_grad=True)
    gc.collect()
    gc.disable()
    try:
        node = weakref.ref(checkpoint(lambda x: checkpoint(ad.exp, x) * x, x).grad_fn)
        assert node() is None
    finally:
        gc.enable()


def test_there_is_one_way_whose_name_is_taken() -> None:
    x = ad.ones(2, requires_grad=True)
    assert checkpoint(ad.exp, x, use_reentrant=False).requires_grad
    with pytest.raises(ValueError, match="use_reentrant"):
        checkpoint(ad.exp, x, use_reentrant=True)
