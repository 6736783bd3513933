"""A hundred steps of every optimizer, and its state, beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import optim

from .networks import loss_of, parameters, start, train, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
pytestmark = pytest.mark.usefixtures("backend")

TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
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
    ("AdamW", {"lr": 0.001, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.01, "betas": (0.7, 0.9), "weight_decay": 0.05}),
    ("Adamax", {"lr": 0.001, "maximize": True}),
    ("RMSprop", {"lr": 0.003}),
    ("RMSprop", {"lr": 0.003, "alpha": 0.9, "eps": 1e-6, "weight_decay": 0.01}),
    ("RMSprop", {"lr": 0.001, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.001, "centered": True, "momentum": 0.5}),
    ("RMSprop", {"lr": 0.001, "centered": True, "maximize": True}),
    ("Adagrad", {"lr": 0.05}),
    ("Adagrad", {"lr": 0.05, "lr_decay": 0.02, "weight_decay": 0.01, "initial_accumulator_value": 0.1, "eps": 1e-8}),
    ("Adagrad", {"lr": 0.001, "maximize": True}),
]


def pair(name: str, hyperparameters: dict[str, Any], weights: list[Any]) -> tuple[Any, ...]:
    """Our optimizer and its parameters, PyTorch's and its own, from the same weights."""
    ours, theirs = parameters(weights), [torch.tensor(w, requires_grad=True) for w in weights]
    return getattr(optim, name)(ours, **hyperparameters), ours, getattr(torch.optim, name)(theirs, **hyperparameters), theirs


def to_torch(state_dict: dict[str, Any]) -> dict[str, Any]:
    state = {i: {k: torch.tensor(v.cpu().numpy()) for k, v in s.items()} for i, s in state_dict["state"].items()}
    return {"state": state, "param_groups": state_dict["param_groups"]}


def assert_close(ours: list[Any], theirs: list[Any], tolerance: float) -> None:
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "hyperparameters"), SETTINGS)
def test_a_hundred_steps_give_torchs_losses_and_weights(name: str, hyperparameters: dict[str, Any], dtype: str) -> None:
    weights, x, y = start(dtype)
    optimizer, ours, oracle, theirs = pair(name, hyperparameters, weights)
    losses = train(optimizer, ours, ad.tensor(x), ad.tensor(y))
    expected = train(oracle, theirs, torch.tensor(x), torch.tensor(y))
    assert_close([losses], [expected], TOLERANCE[dtype])
    assert_close(values(ours), values(theirs), TOLERANCE[dtype])


fractions, small = st.floats(0, 0.99), st.floats(0, 0.2)
common = {"lr": st.floats(1e-4, 0.05), "weight_decay": small}
# A second moment with no memory divides by the last gradient alone; near 0 that turns rounding into steps of either sign.
moments = common | {"betas": st.tuples(fractions, st.floats(0.5, 0.99))}
HYPERPARAMETERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "SGD": common | {"momentum": fractions, "dampening": fractions},
    "Adam": moments | {"amsgrad": st.booleans()},
    "AdamW": moments | {"amsgrad": st.booleans()},
    "Adamax": moments,
    "RMSprop": {"lr": st.floats(1e-4, 1e-3), "alpha": st.floats(0.5, 0.99), "momentum": st.floats(0, 0.9)},
    "Adagrad": common | {"lr_decay": small, "initial_accumulator_value": small},
}
DRAWN = st.one_of(*(st.tuples(st.just(name), st.fixed_dictionaries(given)) for name, given in HYPERPARAMETERS.items()))


@settings(max_examples=15)
@given(DRAWN, st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=8), st.integers(0, 3))
def test_any_hyperparameters_and_any_skipped_gradients_give_torchs_weights_and_state(
    drawn: tuple[str, dict[str, Any]], skipped: list[set[int]], seed: int
) -> None:
    weights, x, y = start("float64", seed)
    optimizer, ours, oracle, theirs = pair(*drawn, weights)
    for i, without in enumerate(skipped):
        for params, inputs, targets, stepper in ((ours, ad.tensor(x), ad.tensor(y), optimizer),
                                                 (theirs, torch.tensor(x), torch.tensor(y), oracle)):  # fmt: skip
            stepper.zero_grad()
            loss_of(params, inputs[i], targets[i]).backward()
            for k in without:
                params[k].grad = None
            stepper.step()
    assert_close(values(ours), values(theirs), 1e-9)
    state, expected = optimizer.state_dict()["state"], oracle.state_dict()["state"]
    assert {i: set(s) for i, s in state.items()} == {i: set(s) for i, s in expected.items() if s}
    for i in state:
        for name in state[i]:
            np.testing.assert_allclose(state[i][name].cpu().numpy(), expected[i][name].numpy(), rtol=1e-8, atol=1e-9)
            assert str(state[i][name].dtype).split(".")[1] == str(expected[i][name].dtype).split(".")[1]


@pytest.mark.parametrize(("name", "hyperparameters"), SETTINGS[1::3])
def test_state_moves_to_torch_and_back_in_the_middle_of_a_run(name: str, hyperparameters: dict[str, Any]) -> None:
    weights, x, y = start("float64")
    optimizer, ours, _, _ = pair(name, hyperparameters, weights)
    train(optimizer, ours, ad.tensor(x), ad.tensor(y), range(10))

    _, _, oracle, theirs = pair(name, {}, values(ours))
    oracle.load_state_dict(to_torch(optimizer.state_dict()))
    train(oracle, theirs, torch.tensor(x), torch.tensor(y), range(10, 20))

    back, returned, _, _ = pair(name, {}, values(theirs))
    back.load_state_dict(oracle.state_dict())
    train(back, returned, ad.tensor(x), ad.tensor(y), range(20, 30))
    train(optimizer, ours, ad.tensor(x), ad.tensor(y), range(10, 30))
    assert_close(values(returned), values(ours), 1e-10)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adamax", "RMSprop", "Adagrad"])
def test_groups_have_torchs_defaults(name: str) -> None:
    optimizer, _, oracle, _ = pair(name, {}, start("float32")[0])
    (group,), (expected,) = optimizer.param_groups, oracle.state_dict()["param_groups"]
    internal = {"foreach", "capturable", "differentiable", "fused", "params"}
    assert {k: v for k, v in group.items() if k != "params"} == {k: v for k, v in expected.items() if k not in internal}


def test_parameter_groups_and_rates_set_between_steps_are_followed_as_in_torch() -> None:
    weights, x, y = start("float64")
    final = []
    for make, cls, array in ((ad.tensor, optim.SGD, ad.tensor), (torch.tensor, torch.optim.SGD, torch.tensor)):
        params = [make(w, requires_grad=True) for w in weights]
        optimizer = cls([{"params": params[:2], "lr": 0.01}, {"params": params[2:4], "momentum": 0.5}], lr=0.1, weight_decay=0.01)
        optimizer.add_param_group({"params": params[4:], "nesterov": True, "momentum": 0.3})
        for i in range(12):
            optimizer.param_groups[i % 3]["lr"] *= 0.7
            optimizer.param_groups[1]["momentum"] = [0.5, 0.0, 0.8][i % 3]
            train(optimizer, params, array(x), array(y), range(i, i + 1))
        final.append(values(params))
    assert_close(*final, 1e-12)
