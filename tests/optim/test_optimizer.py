"""What all optimizers share: groups, gradients in odd places, replaced parameters, state and errors."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import optim
from adjoint.backends.numpy import threads
from adjoint.errors import BackendError, GraphError
from adjoint.optim import SGD, Adagrad, Adam, AdamW, RMSprop

from .networks import loss_of, parameters, start, train, values

pytestmark = pytest.mark.usefixtures("backend")

MAKERS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1),
    "Adam": lambda p: optim.Adam(p, lr=0.01, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01),
    "Adamax": lambda p: optim.Adamax(p, lr=0.01),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.001, centered=True, momentum=0.9),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1, initial_accumulator_value=0.1),
}
every_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def trained(make: Callable[[Any], Any], steps: int = 5, between: Callable[..., None] = lambda *_: None) -> list[Any]:
    """The weights after some steps, ``between(i, optimizer, params)`` having been called before each."""
    weights, x, y = start("float32")
    params = parameters(weights)
    optimizer = make(params)
    x, y = ad.tensor(x), ad.tensor(y)
    for i in range(steps):
        between(i, optimizer, params)
        train(optimizer, params, x, y, range(i, i + 1))
    return values(params)


def assert_equal(ours: list[Any], expected: list[Any]) -> None:
    for a, b in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def leaf(*values: float, dtype: Any = None) -> ad.Tensor:
    return ad.tensor(list(values), dtype=dtype, requires_grad=True)


# --- memory ------------------------------------------------------------------------------------------------------------------


@every_optimizer
def test_chunks_of_any_length_change_no_bit(make: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = trained(make)
    monkeypatch.setattr(threads, "TILE", 28)  # bytes: seven numbers at a time
    assert_equal(trained(make), whole)


@every_optimizer
def test_replaced_parameters_are_taken_in_and_keep_their_state(make: Callable[[Any], Any]) -> None:
    def replace(i: int, optimizer: Any, params: list[Any]) -> None:
        for p in params[i % 2 :: 2]:
            p.data = p.detach().clone()

    assert_equal(trained(make, between=replace), trained(make))


@every_optimizer
def test_two_optimizers_may_share_parameters(make: Callable[[Any], Any]) -> None:
    def interfere(others: dict[int, Any]) -> Callable[..., None]:
        def between(i: int, optimizer: Any, params: list[Any]) -> None:
            others.setdefault(0, SGD(params[1:4], lr=0.0)).step()

        return between

    assert_equal(trained(make, between=interfere({})), trained(make))


@every_optimizer
def test_gradients_assigned_or_recorded_are_used_like_accumulated_ones(make: Callable[[Any], Any]) -> None:
    weights, x, y = start("float32")
    params = parameters(weights)
    optimizer = make(params)
    for i in range(5):
        optimizer.zero_grad()
        loss = loss_of(params, ad.tensor(x[i]), ad.tensor(y[i]))
        if i % 2:
            loss.backward(create_graph=True)
        else:
            for p, g in zip(params, ad.autograd.grad(loss, params), strict=True):
                p.grad = g
        optimizer.step()
    assert_equal(values(params), trained(make))
    assert not any(p.requires_grad and p.grad_fn for p in params)


def test_gradients_accumulate_into_one_buffer_and_are_summed_over_backwards() -> None:
    p, q = leaf(1.0, 2.0), leaf(3.0)
    optimizer = SGD([p, q], lr=1.0)
    for _ in range(3):
        (p.sum() + 2 * q.sum()).backward()
    owner = p.backend.owner
    assert owner(p.grad._array) is owner(q.grad._array)
    assert owner(p._array) is owner(q._array)
    optimizer.step()
    assert (p.tolist(), q.tolist()) == ([-2.0, -1.0], [-3.0])


@pytest.mark.parametrize("drop", [lambda o, p: o.zero_grad(), lambda o, p: setattr(p, "grad", None)])
def test_a_gradient_still_held_keeps_its_values(drop: Callable[..., None]) -> None:
    p, q = leaf(1.0, 2.0), leaf(1.0)
    optimizer = SGD([p, q], lr=0.5)
    held = []
    for factor in (1.0, 2.0, 3.0, 4.0):
        drop(optimizer, p)
        q.grad = None
        (factor * p.sum() + factor * q.sum()).backward()
        held.append(p.grad.detach())
        optimizer.step()
    assert [g.tolist() for g in held] == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0], [4.0, 4.0]]
    assert (p.tolist(), q.tolist()) == ([-4.0, -3.0], [-4.0])


def test_zero_grad_drops_or_fills_with_zeros() -> None:
    p = leaf(1.0)
    optimizer = SGD([p])
    p.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    (p * p).sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    assert not p.grad.requires_grad
    optimizer.zero_grad()
    assert p.grad is None


def test_a_graph_from_before_the_step_can_not_be_gone_back_through() -> None:
    p = leaf(1.0, 2.0)
    loss = (p * p).sum()
    optimizer = Adam([p])
    loss = (p * p).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(GraphError, match=r"Adam\.step"):
        loss.backward()


def test_a_parameter_that_moves_to_another_dtype_goes_on_with_its_state() -> None:
    p, q = leaf(1.0, 2.0), leaf(3.0)
    optimizer = Adam([p, q], lr=0.1)
    expected = [leaf(1.0, 2.0, dtype=ad.float64), leaf(3.0, dtype=ad.float64)]
    oracle = Adam(expected, lr=0.1)
    for i in range(4):
        if i == 2:
            p.data = p.detach().double()
        for opt, (a, b) in ((optimizer, (p, q)), (oracle, expected)):
            opt.zero_grad()
            ((a * a).sum() + (b**3).sum().to(dtype=a.dtype)).backward()
            opt.step()
    assert (p.dtype, q.dtype) == (ad.float64, ad.float32)
    np.testing.assert_allclose(values([p, q])[0], values(expected)[0], rtol=1e-6)
    np.testing.assert_allclose(values([p, q])[1], values(expected)[1], rtol=1e-6)
    assert optimizer.state[p]["exp_avg"].dtype is ad.float64
    assert optimizer.state[p]["step"].item() == 4


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_update_keeps_the_parameters_dtype(dtype: str, backend: Any) -> None:
    if not hasattr(backend.xp, dtype):
        pytest.skip(f"{backend.name} has no {dtype}")
    for cls in (optim.SGD, optim.Adamax, optim.Adagrad):
        p = leaf(1.0, 2.0, dtype=dtype)
        optimizer = cls([p], lr=np.float64(0.25))  # type: ignore[abstract]
        (p * p).sum().backward()
        optimizer.step()
        assert str(p.dtype) == f"adjoint.{dtype}"
        assert p.tolist()[0] < 0.9


def test_empty_and_0d_parameters_are_updated() -> None:
    p, empty = ad.tensor(2.0, requires_grad=True), ad.zeros(0, 3, requires_grad=True)
    for optimizer in (Adam([empty, p], lr=0.5), SGD([p, empty], lr=0.5, momentum=0.5)):
        optimizer.zero_grad()
        (p + empty.sum()).backward()
        optimizer.step()
    assert p.item() == pytest.approx(1.0)
    assert p.shape == ()


# --- the step ----------------------------------------------------------------------------------------------------------------


def test_a_closure_is_run_with_gradients_on_and_its_loss_returned() -> None:
    p = leaf(2.0)
    optimizer = SGD([p], lr=0.25)

    def closure() -> ad.Tensor:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ad.no_grad():
        assert optimizer.step(closure).item() == 4.0
    assert p.tolist() == [1.0]
    assert optimizer.step() is None


def test_apply_gradients_updates_as_step_does_and_leaves_grad_alone() -> None:
    weights, x, y = start("float32")
    params = parameters(weights)
    optimizer = Adam(params, lr=0.01, amsgrad=True)
    for p in params:
        p.grad = ad.ones_like(p)
    for i in range(5):
        with ad.GradientTape() as tape:
            loss = loss_of(params, ad.tensor(x[i]), ad.tensor(y[i]))
        optimizer.apply_gradients(zip(tape.gradient(loss, params), params, strict=True))
    assert_equal(values(params), trained(MAKERS["Adam"]))
    assert all((p.grad == 1).all() for p in params)


def test_apply_gradients_passes_over_none_and_refuses_what_it_can_not_apply() -> None:
    p, q, stranger = leaf(1.0), leaf(2.0), leaf(3.0)
    optimizer = SGD([p, q], lr=1.0)
    optimizer.apply_gradients([(None, p), (ad.ones(1), q)])
    assert (p.tolist(), q.tolist()) == ([1.0], [1.0])
    optimizer.apply_gradients([])
    for pairs, message in (
        ([(None, p), (None, q)], "every gradient is None"),
        ([(ad.ones(1), stranger)], "does not belong"),
        ([(ad.ones(1), p), (ad.ones(1), p)], "twice"),
        ([(ad.ones(2), p)], "must agree"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizer.apply_gradients(pairs)
    assert p.tolist() == [1.0]


@pytest.mark.parametrize(
    ("gradient", "error"),
    [
        (lambda: ad.ones(3), ValueError),
        (lambda: ad.ones(2, dtype=ad.float64), ValueError),
        (lambda: [1.0, 1.0], TypeError),
        (lambda: np.ones(2, "float32"), TypeError),
    ],
)
def test_a_gradient_that_does_not_fit_raises_and_nothing_is_updated(gradient: Callable[[], Any], error: type[Exception]) -> None:
    p, q = leaf(1.0, 2.0), leaf(3.0)
    optimizer = Adam([{"params": [q]}, {"params": [p]}])
    q.grad = ad.ones(1)
    p.grad = gradient()
    with pytest.raises(error, match="gradient"):
        optimizer.step()
    assert q.tolist() == [3.0]
    assert optimizer.state == {}


def test_a_gradient_on_another_device_raises_naming_both() -> None:
    p = leaf(1.0)
    other = "strict" if p.backend.name == "numpy" else "numpy"
    optimizer = SGD([p])
    p.grad = ad.ones(1, device=other)
    with pytest.raises(BackendError, match=rf"'{p.device}'.*'{p.grad.device}'|'{p.grad.device}'.*'{p.device}'"):
        optimizer.step()


def test_a_parameter_replaced_in_another_shape_raises() -> None:
    p = leaf(1.0)
    optimizer = SGD([p])
    p.data = ad.ones(3)
    p.sum().backward()
    with pytest.raises(ValueError, match="shape"):
        optimizer.step()


# --- groups ------------------------------------------------------------------------------------------------------------------


def test_parameters_may_come_named_and_keep_their_names() -> None:
    p, q = leaf(1.0), leaf(2.0)
    optimizer = SGD(iter([("weight", p), ("bias", q)]))
    assert optimizer.param_groups[0]["params"] == [p, q]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="name"):
        optimizer.add_param_group({"params": [leaf(1.0)]})
    with pytest.raises(ValueError, match="with names and some without"):
        SGD([("weight", p), q])


def test_a_group_may_hold_a_single_tensor_and_parameters_of_several_dtypes() -> None:
    p, q = leaf(1.0), leaf(1.0, dtype=ad.float64)
    optimizer = SGD([{"params": p}, {"params": (q, leaf(5.0)), "lr": 0.5}], lr=0.25)
    for _ in range(2):
        (p.sum() + q.sum()).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (p.tolist(), q.tolist()) == ([0.5], [0.0])


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (lambda p: p, TypeError, "single tensor"),
        (lambda p: [], ValueError, "empty"),
        (lambda p: {p}, TypeError, "set"),
        (lambda p: [{"params": {p}}], TypeError, "set"),
        (lambda p: [p, p], ValueError, "twice"),
        (lambda p: [{"params": [p]}, {"params": [p]}], ValueError, "more than one"),
        (lambda p: [p * 2], ValueError, "non-leaf"),
        (lambda p: [p, 1.0], TypeError, "float"),
        (lambda p: [{"params": [p]}, [p]], TypeError, "dict"),
    ],
)
def test_parameters_that_can_not_be_optimized_are_refused(
    params: Callable[[Any], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        SGD(params(leaf(1.0)))


@pytest.mark.parametrize(
    ("cls", "wrong"),
    [
        (SGD, {"lr": -1.0}),
        (SGD, {"momentum": -0.1}),
        (SGD, {"weight_decay": -1}),
        (SGD, {"nesterov": True}),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}),
        (Adam, {"lr": float("nan")}),
        (Adam, {"betas": (1.0, 0.9)}),
        (AdamW, {"betas": (0.9, -0.1)}),
        (optim.Adamax, {"eps": -1e-8}),
        (RMSprop, {"alpha": -0.5}),
        (RMSprop, {"momentum": -0.5}),
        (Adagrad, {"lr_decay": -1}),
        (Adagrad, {"initial_accumulator_value": -1}),
    ],
)
def test_a_hyperparameter_out_of_range_is_named(cls: Any, wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=f"{cls.__name__}: {name}"):
        cls([leaf(1.0)], **wrong)
    with pytest.raises(ValueError, match=name):
        cls([{"params": [leaf(1.0)], **wrong}])


# --- state -------------------------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.sampled_from(sorted(MAKERS)), st.integers(0, 4), st.sets(st.integers(0, 5)))
def test_a_run_resumed_from_its_state_ends_bit_equal(name: str, at: int, skipped: set[int]) -> None:
    weights, x, y = start("float32")
    x, y = ad.tensor(x), ad.tensor(y)

    def run(params: list[Any], optimizer: Any, steps: range) -> None:
        for i in steps:
            optimizer.zero_grad()
            loss_of(params, x[i], y[i]).backward()
            for k in skipped if i % 2 else ():
                params[k].grad = None
            optimizer.step()

    params = parameters(weights)
    optimizer = MAKERS[name](params)
    run(params, optimizer, range(at))
    saved, at_save = copy.deepcopy(optimizer.state_dict()), values([p.clone() for p in params])
    run(params, optimizer, range(at, 8))

    resumed = parameters(at_save)
    other = MAKERS[name](resumed)
    run(resumed, other, range(3))  # to be forgotten
    with ad.no_grad():
        for p, w in zip(resumed, at_save, strict=True):
            p.copy_(ad.tensor(w))
    other.load_state_dict(saved)
    run(resumed, other, range(at, 8))
    assert_equal(values(resumed), values(params))


def test_state_is_by_parameter_and_only_of_those_that_were_updated() -> None:
    p, q = leaf(1.0), leaf(2.0)
    optimizer = Adam([{"params": [p]}, {"params": [q]}])
    q.sum().backward()
    optimizer.step()
    assert list(optimizer.state) == [q]
    assert set(optimizer.state[q]) == {"step", "exp_avg", "exp_avg_sq"}
    assert list(optimizer.state_dict()["state"]) == [1]
    assert [group["params"] for group in optimizer.state_dict()["param_groups"]] == [[0], [1]]
    assert SGD([p]).state_dict()["state"] == {}


def test_state_that_does_not_fit_is_refused_and_nothing_is_changed() -> None:
    p, q = leaf(1.0, 2.0), leaf(3.0)
    optimizer = Adam([p, q])
    (p.sum() + q.sum()).backward()
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    other = Adam([q, p])
    for wrong, message in (
        (other.state_dict() | {"state": before["state"]}, "shape"),
        ({"state": {0: {"step": 1.0}}, "param_groups": before["param_groups"]}, "exp_avg"),
        ({"state": {0: {"sum": p}}, "param_groups": before["param_groups"]}, "'sum'"),
        ({"state": {}, "param_groups": before["param_groups"] * 2}, "2 parameter groups"),
        ({"state": {}, "param_groups": [{"params": [0]}]}, "1 parameters and has 2"),
    ):
        with pytest.raises(ValueError, match=message):
            (other if message == "shape" else optimizer).load_state_dict(wrong)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i in (0, 1):
        assert_equal(values(list(after["state"][i].values())), values(list(before["state"][i].values())))


@every_optimizer
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["deepcopy", "pickle"])
def test_a_copy_goes_on_by_itself_from_where_the_original_was(make: Callable[[Any], Any], copied: Callable[[Any], Any]) -> None:
    weights, x, y = start("float32")
    params = parameters(weights)
    optimizer = make(params)
    x, y = ad.tensor(x), ad.tensor(y)
    train(optimizer, params, x, y, range(3))
    params, optimizer = copied((params, optimizer))
    train(optimizer, params, x, y, range(3, 5))
    assert_equal(values(params), trained(make))


def test_it_prints_its_groups() -> None:
    text = repr(SGD([{"params": [leaf(1.0)]}, {"params": [leaf(1.0)], "lr": 0.5}], lr=0.25))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n    lr: 0.25\n")
    assert "Parameter Group 1" in text
    assert text.endswith("weight_decay: 0\n)")


def test_a_rule_of_ones_own_needs_only_its_formula() -> None:
    class SignSGD(optim.Optimizer):
        def numbers(self, group: dict[str, Any], step: int) -> dict[str, Any]:
            return {"lr": group["lr"]}

        @staticmethod
        def update(xp: Any, p: Any, g: Any, *, lr: float) -> tuple[Any, dict[str, Any]]:
            return p - lr * xp.sign(g), {}

    p = leaf(1.0, -2.0)
    optimizer = SignSGD([p], {"lr": 0.5})
    (p * p).sum().backward()
    optimizer.step()
    assert p.tolist() == [0.5, -1.5]
