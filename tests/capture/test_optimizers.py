"""A captured step has the bits of the eager one: optimizers, schedules, clipping, and the many ways to write a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend
from adjoint.nn import functional as F
from adjoint.optim import lr_scheduler

from .steps import Training, assert_alike, classified, few, network, training

SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}),
    ("SGD", {"lr": 0.02, "momentum": 0.8, "nesterov": True}),
    ("SGD", {"lr": 0.001, "momentum": 0.5, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.02}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "maximize": True, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}),
    ("Adamax", {"lr": 0.01, "betas": (0.7, 0.9), "weight_decay": 0.05}),
    ("Adamax", {"lr": 0.001, "maximize": True}),
    ("RMSprop", {"lr": 0.003, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.01}),
    ("RMSprop", {"lr": 0.001, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.001, "centered": True, "momentum": 0.5}),
    ("RMSprop", {"lr": 0.001, "centered": True, "maximize": True}),
    ("Adagrad", {"lr": 0.05}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.02, "weight_decay": 0.01, "initial_accumulator_value": 0.1, "eps": 1e-8}),
]


def adam(params: Any) -> optim.Optimizer:
    return optim.Adam(params, lr=0.01)


@pytest.mark.parametrize(("name", "settings"), SETTINGS, ids=lambda part: part if isinstance(part, str) else ",".join(part))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_optimizer_in_every_setting(name: str, settings: dict[str, Any], dtype: str, backend: Backend) -> None:
    kind = getattr(ad, dtype)
    assert_alike(lambda: training(network(kind), lambda params: getattr(optim, name)(params, **settings), dtype=kind), few(backend))


SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 5, 0.5),
    "ExponentialLR": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.97),
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 50),
    "LambdaLR": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.95**epoch),
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
def test_schedules_inside_of_the_step_and_outside(schedule: Callable[[Any], Any], inside: bool, backend: Backend) -> None:
    def make() -> Training:
        made: list[Any] = []
        stepping = lambda: made[0].step()  # noqa: E731
        found = training(network(), adam, after_step=stepping if inside else lambda: None)
        made.append(schedule(found.optimizer))
        return found if inside else found._replace(between=lambda i: i and made[0].step())

    assert_alike(make, few(backend, 100))


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("most", [0.05, 1e6])
def test_gradients_clipped_by_their_norm(norm: float, most: float, backend: Backend) -> None:
    def make() -> Training:
        model = network()
        return training(model, adam, before_step=lambda: optim.clip_grad_norm_(model.parameters(), most, norm))

    assert_alike(make, few(backend, 60))


def test_gradients_clipped_by_value(backend: Backend) -> None:
    def make() -> Training:
        model = network()
        return training(model, adam, before_step=lambda: optim.clip_grad_value_(model.parameters(), 0.01))

    assert_alike(make, few(backend))


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_added_up_over_calls_and_used_outside(to_none: bool, backend: Backend) -> None:
    def make() -> Training:
        model = network()
        optimizer, rng = adam(model.parameters()), np.random.default_rng(0)

        def step(x: Any, y: Any) -> Any:
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        def between(i: int) -> None:
            if i and i % 3 == 0:
                optimizer.step()
                optimizer.zero_grad(set_to_none=to_none)

        gradients = lambda: [*model.parameters(), *(p.grad for p in model.parameters())]  # noqa: E731
        return Training(step, lambda i: classified(rng), gradients, optimizer, between)

    assert_alike(make, few(backend, 62), recordings=2)


def test_two_steps_in_one_call(backend: Backend) -> None:
    def make() -> Training:
        once = training(network(), adam)
        return once._replace(step=lambda x, y: (once.step(x, y), once.step(x, y)))

    assert_alike(make, few(backend))


def test_a_tape_and_apply_gradients(backend: Backend) -> None:
    def make() -> Training:
        model, rng = network(), np.random.default_rng(0)
        variables = list(model.parameters())
        optimizer = adam(variables)

        def step(x: Any, y: Any) -> Any:
            with ad.GradientTape() as tape:
                loss = F.cross_entropy(model(x), y)
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return loss

        return Training(step, lambda i: classified(rng), lambda: variables, optimizer)

    assert_alike(make, few(backend))


def test_a_penalty_on_the_gradient(backend: Backend) -> None:
    def make() -> Training:
        model = network()

        def loss_of(out: Any, y: Any) -> Any:
            loss = F.cross_entropy(out, y)
            gradients = ad.autograd.grad(loss, list(model.parameters()), create_graph=True)
            return loss + 0.1 * sum((g * g).sum() for g in gradients)

        return training(model, adam, loss_of)

    assert_alike(make, few(backend, 100))


def test_groups_with_rates_of_their_own_that_are_changed_by_hand(backend: Backend) -> None:
    def make() -> Training:
        model = network()
        first, last = model[0], model[2]
        groups = [{"params": first.parameters(), "lr": 0.05, "weight_decay": 0.1}, {"params": last.parameters()}]
        found = training(model, lambda params: optim.AdamW(groups, lr=0.01))

        def between(i: int) -> None:
            if i == 20:
                found.optimizer.param_groups[1]["lr"] = 0.002

        return found._replace(between=between)

    assert_alike(make, few(backend))


def test_weights_that_two_layers_share(backend: Backend) -> None:
    def make() -> Training:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.Linear(4, 3))
        model[2].weight = model[0].weight
        return training(model, adam)

    assert_alike(make, few(backend))


def test_layers_that_are_frozen(backend: Backend) -> None:
    def make() -> Training:
        model = network()
        model[0].requires_grad_(False)
        return training(model, adam)

    assert_alike(make, few(backend))


@given(
    frozen=st.lists(st.sampled_from([None, 0, 2]), min_size=4, max_size=9),
    name=st.sampled_from(
        [("SGD", {"momentum": 0.9}), ("Adam", {}), ("AdamW", {}), ("Adamax", {}), ("RMSprop", {}), ("Adagrad", {})]
    ),
)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_layers_that_are_frozen_for_a_while_have_steps_of_their_own(
    frozen: list[int | None], name: tuple[str, dict[str, Any]], backend: Backend
) -> None:
    def make() -> Training:
        model = network()

        def freeze(i: int) -> None:
            for layer in (0, 2):
                model[layer].requires_grad_(layer != frozen[i])

        kind, arguments = name
        return training(model, lambda params: getattr(optim, kind)(params, lr=0.01, **arguments))._replace(between=freeze)

    assert_alike(make, len(frozen), recordings=len(frozen))


def test_a_layer_that_is_not_used(backend: Backend) -> None:
    def make() -> Training:
        model, unused = network(), nn.Linear(2, 2)
        found = training(model, lambda params: adam([*params, *unused.parameters()]))
        return found._replace(kept=lambda: [*model.parameters(), *unused.parameters()])

    assert_alike(make, few(backend))


def test_two_optimizers(backend: Backend) -> None:
    def make() -> Training:
        model = network()
        other = optim.RMSprop(model[2].parameters(), lr=0.001)
        return training(model, lambda params: adam(model[0].parameters()), after_step=other.step)

    assert_alike(make, few(backend))


def test_without_an_optimizer(backend: Backend) -> None:
    def make() -> Training:
        w, rng = ad.zeros(4, 3, requires_grad=True), np.random.default_rng(0)

        def step(x: Any, y: Any) -> Any:
            w.grad = None
            loss = F.cross_entropy(x @ w, y)
            loss.backward()
            with ad.no_grad():
                w.sub_(0.1 * w.grad)
            return loss

        return Training(step, lambda i: classified(rng), lambda: [w, w.grad])

    assert_alike(make, few(backend))


def test_a_last_batch_that_is_smaller(backend: Backend) -> None:
    def make() -> Training:
        found = training(network(), adam)

        def batch(i: int) -> Any:
            x, y = found.batch(i)
            return (x[:2], y[:2]) if i % 4 == 3 else (x, y)

        return found._replace(batch=batch)

    assert_alike(make, few(backend))


def test_batches_drawn_and_noise_added_inside(backend: Backend) -> None:
    def make() -> Training:
        model, rng = network(), np.random.default_rng(0)
        x, y = classified(rng, 20)
        found = training(model, adam)

        def step() -> Any:
            rows = ad.randint(0, 20, (5,))
            return found.step(x[rows] + 0.1 * ad.randn(5, 4), y[rows])

        return found._replace(step=step, batch=lambda i: ())

    assert_alike(make, few(backend))
