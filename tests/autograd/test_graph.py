"""The graph: walking it once, twice and to third order; hooks; modes; accumulation; anomalies; memory."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.autograd import backward, grad as torch_style_grad
from adjoint.errors import BackendError, GraphError
from adjoint.testing import assert_close

from .oracle import agree

pytestmark = pytest.mark.usefixtures("backend")


def leaf(*values: float) -> ad.Tensor:
    return ad.tensor(list(values), dtype="float64", requires_grad=True)


# --- walking -------------------------------------------------------------------------------------------------------------------


def test_backward_twice_needs_the_graph_to_be_retained() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]
    with pytest.raises(GraphError, match=r"'multiply' were freed.*retain_graph"):
        y.backward()


def test_a_graph_whose_rules_save_nothing_can_be_walked_again() -> None:
    x = leaf(1.0, 2.0)
    y = (x + x).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [4.0, 4.0]


def test_a_shared_part_is_visited_once_and_its_cotangents_add_up() -> None:
    agree(lambda m, x: (m.exp(x) * m.exp(x) + m.exp(x)).sum() * x.sum(), np.array([0.5, 1.0]), second=True)


def test_third_derivatives_are_right() -> None:
    x = leaf(0.7, 1.3)
    y = (x.sin() * x**3).sum()
    for _ in range(2):
        (y,) = torch_style_grad(y, x, ad.ones_like(x) if y.shape else None, create_graph=True)
    (third,) = torch_style_grad(y, x, ad.ones_like(x))
    a = np.array([0.7, 1.3])
    wanted = -np.cos(a) * a**3 - 3 * np.sin(a) * 3 * a**2 + 3 * np.cos(a) * 6 * a + 6 * np.sin(a)
    np.testing.assert_allclose(third.cpu().numpy(), wanted, 1e-12)


def test_create_graph_accumulates_a_differentiable_gradient() -> None:
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    g = x.grad
    assert g.requires_grad
    x.grad = None
    (g**2).sum().backward()
    assert x.grad.item() == pytest.approx(2 * 12 * 12.0)
    x.grad = None


def test_a_chain_of_a_hundred_thousand_operations_runs_and_is_freed() -> None:
    x = y = leaf(1.0)
    for _ in range(100_000):
        y = y + 1.0
    y.backward(ad.ones_like(y))
    assert x.grad.tolist() == [1.0]
    del y


def test_gradients_accumulate_until_they_are_cleared() -> None:
    x = leaf(1.0, 2.0)
    for _ in range(3):
        (x * 2).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]
    x.grad.zero_()
    assert x.grad.tolist() == [0.0, 0.0]
    x.grad = None
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_leaves_do_not_share_the_memory_of_their_gradients() -> None:
    x, y = leaf(1.0), leaf(2.0)
    g = ad.tensor([1.0], dtype="float64")
    (x + y).backward(g)
    x.grad += 1
    assert (y.grad.tolist(), g.tolist()) == ([1.0], [1.0])


def test_a_gradient_used_in_a_graph_and_then_accumulated_into_is_refused_or_right() -> None:
    x, w = leaf(3.0), leaf(5.0)
    (x * x).sum().backward()
    product = (w * x.grad).sum()
    (x * x).sum().backward()
    try:
        product.backward()
    except GraphError:
        return
    assert w.grad.tolist() == [6.0]


def test_several_roots_are_walked_at_once() -> None:
    x = leaf(1.0, 2.0)
    y = x * x
    backward([y.sum(), y], [None, ad.ones_like(y)])
    assert x.grad.tolist() == [4.0, 8.0]


def test_a_leaf_is_its_own_gradient() -> None:
    x = ad.tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


WRONG_ROOTS: dict[str, Any] = {
    "no graph": (lambda x: x.detach().sum().backward(), GraphError, "no graph"),
    "several elements": (lambda x: x.backward(), GraphError, r"requires its cotangent \(gradient=\) of shape \(2,\)"),
    "a cotangent of another shape": (lambda x: (x * 1).backward(ad.ones(3)), ValueError, r"\(3,\).*\(2,\)"),
    "a number for a cotangent": (lambda x: x.sum().backward(1.0), TypeError, "cotangent is a tensor"),
    "made under no_grad": (lambda x: ad.no_grad()(lambda: x.sum())().backward(), GraphError, "no_grad"),
    "requires_grad unset in the middle": (lambda x: (x * 2).requires_grad_(False), GraphError, "detach"),
    "an input without gradient": (lambda x: torch_style_grad(x.sum(), ad.ones(1)), GraphError, "does not require"),
    "an input not behind": (lambda x: torch_style_grad(x.sum(), leaf(1.0)), GraphError, "allow_unused"),
    "a hook on a constant": (lambda x: ad.ones(1).register_hook(print), GraphError, "register_hook"),
    "grad of a constant retained": (lambda x: ad.ones(1).retain_grad(), GraphError, "retain_grad"),
}


@pytest.mark.parametrize("mistake", WRONG_ROOTS)
def test_mistakes_are_named(mistake: str) -> None:
    function, error, message = WRONG_ROOTS[mistake]
    with pytest.raises(error, match=message):
        function(leaf(1.0, 2.0))


def test_grad_gives_what_is_asked_for_and_touches_nothing() -> None:
    x, y, z = leaf(1.0), leaf(2.0), leaf(3.0)
    middle = x * y
    out = (middle * y).sum()
    found = torch_style_grad(out, [middle, y, z, out], allow_unused=True)
    assert [None if g is None else g.reshape(-1).tolist() for g in found] == [[2.0], [4.0], None, [1.0]]
    assert x.grad is None
    assert y.grad is None


def test_grad_weighs_several_outputs() -> None:
    x = leaf(1.0, 2.0)
    (g,) = torch_style_grad([x * x, x.sum()], x, [ad.tensor([1.0, 10.0], dtype="float64"), None])
    assert g.tolist() == [3.0, 41.0]


# --- hooks ---------------------------------------------------------------------------------------------------------------------


def test_hooks_see_and_replace_the_whole_gradient_once_and_can_be_removed() -> None:
    x = leaf(1.0, 2.0)
    y = x * 3
    seen: list[Any] = []
    of_leaf = x.register_hook(lambda g: seen.append(("x", g.tolist())))
    of_y = y.register_hook(lambda g: g * 10)
    last = y.register_hook(lambda g: seen.append(("y", g.tolist())))
    (y + y).sum().backward(retain_graph=True)
    assert seen == [("y", [20.0, 20.0]), ("x", [60.0, 60.0])]
    assert x.grad.tolist() == [60.0, 60.0]
    for handle in (of_leaf, of_y, last, of_y):
        handle.remove()
    x.grad = None
    (y + y).sum().backward()
    assert (len(seen), x.grad.tolist()) == (2, [6.0, 6.0])


def test_a_hook_that_changes_the_shape_is_refused() -> None:
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(ValueError, match="hook"):
        (x * 2).sum().backward()


def test_hooks_under_create_graph_are_differentiated() -> None:
    def hooked(m: Any, x: Any) -> Any:
        y = x * x
        y.register_hook(lambda g: g * g)
        (g,) = m.autograd.grad((y**2).sum(), x, create_graph=True)
        return g

    agree(hooked, np.array([1.5, 0.5]))


def test_retain_grad_fills_grad_once_however_often_asked_and_not_by_reference() -> None:
    x = leaf(1.0)
    y, z = x * 2, x * 3
    for t in (y, y, z):
        t.retain_grad()
    y.register_hook(lambda g: g * 5)
    (y + z).sum().backward(retain_graph=True)
    assert (y.grad.tolist(), z.grad.tolist()) == ([5.0], [1.0])
    y.grad += 1
    assert z.grad.tolist() == [1.0]
    (y + z).sum().backward()
    assert y.grad.tolist() == [11.0]


# --- modes ---------------------------------------------------------------------------------------------------------------------


def test_modes_work_as_block_call_and_decorator() -> None:
    x = leaf(1.0)

    def recorded() -> bool:
        return bool((x * 2).requires_grad)

    with ad.no_grad():
        assert not recorded()
        with ad.enable_grad():
            assert recorded()
        assert not ad.is_grad_enabled()
    assert ad.no_grad()(recorded)() is False
    assert ad.no_grad(recorded)() is False
    with ad.set_grad_enabled(False):
        assert not recorded()
        assert ad.enable_grad()(recorded)() is True
    assert recorded()
    ad.set_grad_enabled(False)
    assert not recorded()
    ad.set_grad_enabled(True)
    decorated = ad.set_grad_enabled(False)(recorded)
    assert recorded()
    assert decorated() is False
    assert recorded()
    with pytest.raises(ZeroDivisionError), ad.no_grad():
        1 / 0  # noqa: B018
    assert ad.is_grad_enabled()


def test_detach_shares_memory_but_not_the_graph() -> None:
    x = leaf(1.0, 2.0)
    d = x.detach()
    assert not d.requires_grad
    assert d.is_leaf
    d[0] = 9.0
    assert x.tolist() == [9.0, 2.0]
    y = (x * 2).detach_()
    assert y.is_leaf
    assert not y.requires_grad


# --- devices -------------------------------------------------------------------------------------------------------------------


def test_mixed_backends_in_one_operation_name_both() -> None:
    x, y = ad.ones(2, device="cpu"), ad.ones(2, device="strict")
    attempts: list[Any] = [
        lambda: x + y, lambda: x @ y, lambda: ad.cat([x, y]), lambda: ad.where(x > 0, x, y),
        lambda: x[y.long()], lambda: x.__setitem__(0, y[0]),
        lambda: x.clone().requires_grad_().sum().backward(y[0]), lambda: ad.index_put(x, 0, y[0]),
    ]  # fmt: skip
    for attempt in attempts:
        with pytest.raises(BackendError, match=r"cpu.*strict|strict.*cpu"):
            attempt()


def test_transfer_is_differentiated_to_second_order() -> None:
    x = leaf(1.0, 2.0)
    other = "strict" if x.backend.name == "numpy" else "cpu"
    moved = x.to(other) ** 3
    (g,) = torch_style_grad(moved.sum(), x, create_graph=True)
    assert g.device == x.device
    (h,) = torch_style_grad((g.to(other) ** 2).sum(), x)
    assert_close(h, 2 * 3 * x.detach() ** 2 * 6 * x.detach())
    with ad.detect_anomaly():
        (x.to(other) * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


# --- anomalies -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
def test_detect_anomaly_names_the_operation_and_the_users_line(create_graph: bool) -> None:
    x = leaf(0.0)
    with ad.detect_anomaly():
        y = ad.sqrt(x) * 0.0  # the line
        with pytest.raises(GraphError, match=r"sqrt: its derivative by 'x' made a NaN; called at .*test_graph.py:\d+"):
            y.sum().backward(create_graph=create_graph)
    (ad.sqrt(x) * 0.0).sum().backward()
    assert np.isnan(x.grad.item())


# --- memory --------------------------------------------------------------------------------------------------------------------


def step(weight: ad.Tensor, data: ad.Tensor) -> None:
    hidden = ad.tanh(data @ weight) * 1
    hidden.retain_grad()
    hidden[0] = 0.0
    loss = (ad.softmax(hidden, -1)[:, [0, 1]] ** 2).mean() + ad.cat([hidden, hidden.abs()]).std()
    loss.register_hook(lambda g: g * 2)
    loss.backward()
    weight.grad = None
    ad.value_and_grad(lambda w: ad.grad(lambda v: (v * w).sum() ** 2)(w).sum())(weight.detach())
    with ad.GradientTape(persistent=True) as tape:
        value = (data * weight[0, 0]).sum()
    tape.gradient(value, [weight])


def test_nothing_is_left_for_the_garbage_collector() -> None:
    weight, data = ad.randn(3, 4, requires_grad=True), ad.randn(5, 3)
    for _ in range(20):
        step(weight, data)
    gc.collect()
    gc.disable()
    counts, found, sizes = [len(gc.get_objects())], [], []
    try:
        tracemalloc.start()
        for _ in range(6):  # NumPy's caches fill up for some hundred steps
            for _ in range(100):
                step(weight, data)
            counts.append(len(gc.get_objects()))
            found.append(gc.collect())  # it also empties the free lists, whose memory is counted as in use
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        gc.enable()
    assert max(counts) - counts[0] < 50
    assert found == [0] * 6
    assert min(b - a for a, b in pairwise(sizes)) < 5_000, "the memory grows by less than 50 bytes a step"


def test_what_the_rules_saved_is_let_go_of_as_the_walk_goes_by() -> None:
    if ad.backends.default().name != "numpy":
        pytest.skip("the strict backend's arrays cannot be weakly referred to")
    x = leaf(1.0, 2.0)
    y = ad.exp(x * 2)
    saved = weakref.ref(y._array)
    alive_when_done: list[bool] = []
    z = (y * 1).sum()
    x.register_hook(lambda g: alive_when_done.append(saved() is not None))
    del y
    assert saved() is not None
    z.backward()
    assert alive_when_done == [False]


def test_a_graph_dies_with_its_last_tensor() -> None:
    x = leaf(1.0)
    y = ad.exp(x)
    dying = weakref.ref(y)
    z = y * 2
    del y
    assert dying() is None
    assert z.requires_grad


# --- random graphs -------------------------------------------------------------------------------------------------------------

UNARY: list[Any] = [
    lambda m, a: m.sin(a),
    lambda m, a: m.tanh(a),
    lambda m, a: a * a,
    lambda m, a: a.t(),
    lambda m, a: a.reshape(4, 2).reshape(2, 4).t().mT.mT.t(),
    lambda m, a: m.softmax(a, 0),
    lambda m, a: a - a.mean(0),
    lambda m, a: a.flip(0),
    lambda m, a: a.roll(1, 1),
    lambda m, a: a.sum(1, keepdim=True).expand(*a.shape),
    lambda m, a: m.exp(-a * a),
    lambda m, a: a[[1, 0]] if a.shape[0] == 2 else a,
    lambda m, a: m.where(a > 0, a, 0.1 * a),
    lambda m, a: m.cumsum(a, 0),
    lambda m, a: m.tril(a),
    lambda m, a: a.clamp(-0.5, 0.5),
    lambda m, a: m.sigmoid(a),
    lambda m, a: m.cat([a[:, 1:], a[:, :1]], 1),
]
BINARY: list[Any] = [
    lambda m, a, b: a + b,
    lambda m, a, b: a * b,
    lambda m, a, b: a / (1 + b * b),
    lambda m, a, b: m.maximum(a, b),
    lambda m, a, b: a @ (b.t() @ a),
    lambda m, a, b: a - b.sum(),
    lambda m, a, b: a * b[0],
    lambda m, a, b: m.atan2(a, b * b + 1),
]


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8),
    st.integers(0, 99),
)
def test_random_graphs_have_pytorchs_first_and_second_derivatives(program: list[tuple[int, int, int]], seed: int) -> None:
    def run(m: Any, x: Any, y: Any) -> Any:
        made = [x, y]
        for operation, i, j in program:
            a, b = made[i % len(made)], made[j % len(made)]
            a, b = (v if tuple(v.shape) == (2, 4) else v.t() for v in (a, b))
            made.append(UNARY[operation](m, a) if operation < len(UNARY) else BINARY[operation - len(UNARY)](m, a, b))
        return made[2:]

    generator = np.random.default_rng(seed)
    agree(run, generator.normal(size=(2, 4)), generator.normal(size=(2, 4)), second=True, rtol=1e-7)
