"""``checkpoint``: the same gradients, to the last bit and to any order, from less memory."""

from __future__ import annotations

import gc
import inspect
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


# --- what the function changes ------------------------------------------------------------------------------------------------


class Spectral(nn.Module):
    """Divides by a singular value that a vector, which moves at each call, converges to: the output depends on the vector."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(ad.randn(3, 3))
        self.register_buffer("u", ad.ones(3))

    def forward(self, x: Any) -> Any:
        with ad.no_grad():
            moved = self.weight @ (self.weight.mT @ self.u)
            self.u.copy_(moved / moved.norm())
        return x @ self.weight / (self.u.clone() @ self.weight).norm()


class Statistics(nn.Module):
    """Keeps state in every way there is, and makes its output of it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.last = 0, None
        self.register_buffer("rebound", ad.zeros(3))
        self.register_buffer("in_place", ad.zeros(3))
        self.register_buffer("replaced", ad.zeros(3))
        self.register_buffer("recorded", ad.zeros(3))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        with ad.no_grad():
            self.rebound = 0.9 * self.rebound + x.mean(0)
            self.in_place[1:].add_(x[0, 1:])
            self.in_place[0] = x[1, 0]
            self.replaced.data = self.replaced + x[0]
        self.recorded = self.recorded.detach().clone()
        self.recorded.mul_(0.5).add_(x.mean(0))
        scratch = x * 2
        scratch[0] = self.in_place.clone() * x[1]
        self.last = scratch.detach()
        return scratch * self.calls * (1 + self.rebound) * self.recorded * self.replaced


ROWS = ad.tensor([[2, 0, 2], [1, 2, 0]])
STATEFUL: dict[str, tuple[Any, Any]] = {
    "BatchNorm1d": (lambda: nn.BatchNorm1d(3), (4, 3)),
    "BatchNorm1d, an average of all": (lambda: nn.BatchNorm1d(3, momentum=None), (4, 3)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(2), (3, 2, 2, 2)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(2), (3, 2, 1, 2, 2)),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(2, track_running_stats=True, affine=True), (3, 2, 4)),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(2, track_running_stats=True), (3, 2, 2, 2)),
    "InstanceNorm3d": (lambda: nn.InstanceNorm3d(2, track_running_stats=True), (3, 2, 1, 2, 2)),
    "Embedding": (lambda: nn.Embedding(4, 3, max_norm=0.5), ROWS),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(4, 3, max_norm=0.5), ROWS),
    "several, with dropout": (
        lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), nn.BatchNorm1d(3, momentum=None)), (4, 3),
    ),
    "one twice": (lambda: nn.Sequential(*[nn.BatchNorm1d(3)] * 2), (4, 3)),
    "Spectral": (Spectral, (4, 3)),
    "Statistics": (Statistics, (4, 3)),
}  # fmt: skip


def test_every_layer_that_keeps_state_is_among_them() -> None:
    kinds = [kind for kind in vars(nn).values() if isinstance(kind, type) and issubclass(kind, nn.Module)]
    kinds = [kind for kind in kinds if not kind.__name__.endswith("Loss")]  # whose buffers are constant weights
    sources = {kind.__name__: "".join(inspect.getsource(part) for part in kind.__mro__[:-2]) for kind in kinds}
    keeping = {name for name, source in sources.items() if "self.register_buffer(" in source or "max_norm" in source}
    assert keeping <= STATEFUL.keys()


def nested(function: Any, *args: Any) -> Any:
    return checkpoint(lambda *args: checkpoint(function, *args) * 1.0, *args)


@pytest.mark.parametrize("name", STATEFUL)
@pytest.mark.parametrize("captured", [False, True])
def test_state_changes_once_and_gradients_are_those_of_without(name: str, captured: bool) -> None:
    make, shape = STATEFUL[name]

    def train(call: Any) -> list[Any]:
        ad.manual_seed(3)
        model = make()
        x = ad.tensor(shape.tolist()) if isinstance(shape, ad.Tensor) else ad.randn(shape)

        def step(x: Any) -> Any:
            for p in model.parameters():
                p.grad = None
            x = x.detach().requires_grad_() if x.is_floating_point() else x
            first, second = call(model, x), call(model, x)  # again before its backward
            loss = (first**2).sum() + (second**2).sum()
            loss.backward()
            return loss, *([x.grad] if x.grad is not None else []), *(p.grad for p in model.parameters())

        step = ad.capture(step) if captured else step
        found = [[t.tolist() for t in step(x)] for _ in range(3)]
        state = {key: value.tolist() for key, value in model.state_dict().items()}
        return [found, state, getattr(model, "calls", None), getattr(model, "last", x).tolist()]

    if captured and name == "Statistics":
        pytest.skip("a replay does not count in Python, and captured attributes are a test of their own")
    plain = train(lambda function, x: function(x))
    assert train(checkpoint) == plain
    assert train(nested) == plain


def test_a_saved_value_that_the_function_itself_changes_is_refused_as_it_is_without() -> None:
    def function(x: Any, change: bool) -> Any:
        y = x * 2
        y[0] = 3 * x[1]  # before it is saved
        z = y * y
        if change:
            y.add_(1)
        return z + y

    for call in (checkpoint, nested, lambda function, *args: function(*args)):
        x = ad.tensor([1.0, 2.0], requires_grad=True)
        call(function, x, False).sum().backward()
        assert x.grad.tolist() == [0.0, 57.0]
        with pytest.raises(GraphError, match="derivative of 'multiply' reads was changed in place by 'add_'"):
            call(function, x, True).sum().backward()


def test_a_state_from_before_the_call_is_not_held_longer_than_its_graph() -> None:
    buffer = ad.zeros(1000)
    gc.collect()
    gc.disable()
    try:
        copies: list[Any] = []

        def function(x: Any) -> Any:
            with ad.no_grad():
                buffer.add_(1)
            scratch = ad.zeros(1000)
            scratch[0] = x
            copies.append(weakref.ref(scratch))
            return scratch.exp()[0] * 1.0

        x = ad.tensor(2.0, requires_grad=True)
        out = checkpoint(function, x)
        journal = weakref.ref(out.grad_fn.edges[0].edges[0].saved.before)
        assert copies[0]() is None
        assert len(journal()._former) == (2 if ad.backends.default().name == "strict" else 1)  # whose arrays stand for others
        out.backward()
        del out
        assert [copy() for copy in copies] == [None, None]
        assert journal() is None
        assert buffer.tolist() == [1.0] * 1000
    finally:
        gc.enable()
