"""Losses by name are their formulas, sample by sample, and PyTorch's where PyTorch has them; words stand for what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

import adjoint as ad
from adjoint import nn, train
from adjoint.train import losses, registry

FLOATS = st.floats(-3, 3, width=32)
T = torch.nn.functional


def pairs(values: Any = FLOATS) -> Any:
    shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=4)
    return shapes.flatmap(
        lambda s: st.tuples(hnp.arrays(np.float32, s, elements=values), hnp.arrays(np.float32, s, elements=values))
    )


def means(array: Any) -> Any:
    return array.reshape(len(array), -1).mean(axis=1)


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(-abs(x))) + np.maximum(x, 0)


FORMULAS: dict[str, Any] = {
    "mse": lambda o, t: (o - t) ** 2,
    "mae": lambda o, t: abs(o - t),
    "mape": lambda o, t: 100 * abs(o - t) / np.maximum(abs(t), 1e-7),
    "msle": lambda o, t: (np.log1p(np.maximum(o, 0)) - np.log1p(np.maximum(t, 0))) ** 2,
    "huber": lambda o, t: np.where(abs(o - t) <= 1, (o - t) ** 2 / 2, abs(o - t) - 0.5),
    "log_cosh": lambda o, t: np.log(np.cosh((o - t).astype(np.float64))),
    "hinge": lambda o, t: np.maximum(1 - np.where(t == 0, -1, t) * o, 0),
    "squared_hinge": lambda o, t: np.maximum(1 - np.where(t == 0, -1, t) * o, 0) ** 2,
    "binary_cross_entropy_with_logits": lambda o, t: softplus(o) - t * o,
}


@pytest.mark.parametrize("name", FORMULAS)
@given(pairs())
def test_a_loss_of_numbers_is_its_formula_for_each_sample(name: str, both: Any) -> None:
    o, t = both
    found = losses.LOSSES[name](ad.tensor(o), ad.tensor(t))
    assert found.shape == (len(o),)
    np.testing.assert_allclose(found.numpy(), means(FORMULAS[name](o, t)), rtol=2e-4, atol=2e-5)


PROBABILITIES: dict[str, Any] = {
    "binary_crossentropy": lambda o, t: -(t * np.log(np.clip(o, 1e-7, 1 - 1e-7)) + (1 - t) * np.log(np.clip(1 - o, 1e-7, 1))),
    "poisson": lambda o, t: o - t * np.log(o + 1e-7),
}


@pytest.mark.parametrize("name", PROBABILITIES)
@given(pairs(st.floats(0.0009765625, 0.9990234375, width=32)))
def test_a_loss_of_probabilities_is_its_formula(name: str, both: Any) -> None:
    o, t = both
    found = losses.LOSSES[name](ad.tensor(o), ad.tensor(t)).numpy()
    np.testing.assert_allclose(found, means(PROBABILITIES[name](o.astype(np.float64), t)), rtol=1e-3, atol=1e-4)


@given(st.integers(1, 6), st.integers(2, 5), st.integers(0, 100))
def test_the_cross_entropies_of_a_softmax_are_pytorchs_of_its_logits(n: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits, numbers = rng.standard_normal((n, classes)).astype(np.float32), rng.integers(0, classes, n)
    one_hot = np.eye(classes, dtype=np.float32)[numbers]
    expected = T.cross_entropy(torch.tensor(logits), torch.tensor(numbers), reduction="none").numpy()
    x = ad.tensor(logits)
    p = ad.softmax(x, dim=1)
    for loss, output, target in (
        (losses.categorical_crossentropy, p, one_hot), (losses.sparse_categorical_crossentropy, p, numbers),
        (losses.sparse_categorical_crossentropy, p, numbers[:, None]), (losses.categorical_crossentropy, 3.0 * p, one_hot),
        (losses.kl_divergence, p, one_hot), (losses.cross_entropy, x, numbers), (losses.cross_entropy, x, one_hot),
    ):  # fmt: skip
        np.testing.assert_allclose(loss(output, ad.tensor(target)).numpy(), expected, rtol=1e-4, atol=1e-5)
    each = losses.per_sample(nn.CrossEntropyLoss(label_smoothing=0.1))(x, ad.tensor(numbers))
    smooth = T.cross_entropy(torch.tensor(logits), torch.tensor(numbers), reduction="none", label_smoothing=0.1)
    np.testing.assert_allclose(each.numpy(), smooth.numpy(), rtol=1e-4, atol=1e-5)


def test_no_loss_is_infinite_where_a_probability_is_zero() -> None:
    p, target = ad.tensor([[0.0, 1.0]], requires_grad=True), ad.tensor([[1.0, 0.0]])
    for name in ("categorical_crossentropy", "binary_crossentropy", "kl_divergence"):
        loss = losses.LOSSES[name](p, target).sum()
        loss.backward()
        assert 10 < loss.item() < 40
    assert p.grad.isfinite().all()


def test_outputs_and_targets_that_differ_in_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"output has the shape \(3, 2\) and the target \(3,\)"):
        losses.mean_squared_error(ad.zeros(3, 2), ad.zeros(3))
    with pytest.raises(ValueError, match="need the loss of each sample"):
        losses.per_sample(lambda output, target: output.sum())(ad.ones(2), ad.ones(2))


@pytest.mark.parametrize("name", registry.OPTIMIZERS)
def test_an_optimizer_by_name_has_keras_rate(name: str) -> None:
    model = nn.Sequential(nn.Linear(2, 1))
    model.compile(name, "mse")
    assert model.compiled.optimizer.param_groups[0]["lr"] == (0.01 if name == "sgd" else 0.001)


@pytest.mark.parametrize("name", registry.ACTIVATIONS)
def test_an_activation_by_name_is_a_module(name: str) -> None:
    out = registry.ACTIVATIONS[name]()(ad.tensor([[-1.0, 0.0, 2.0]]))
    assert out.shape == (1, 3)
    if name == "softmax":
        assert abs(out.sum().item() - 1) < 1e-6


@pytest.mark.parametrize("name", registry.INITIALIZERS)
def test_an_initialiser_by_name_has_its_spread(name: str) -> None:
    ad.manual_seed(0)
    layer = train.initialized(nn.Linear(200, 100), name)
    w = layer.weight.numpy(force=True)
    fan_in, fan_out = 200, 100
    spread = {"glorot": 2 / (fan_in + fan_out), "he": 2 / fan_in, "lecun": 1 / fan_in}.get(name.split("_")[0])
    if spread is not None:
        np.testing.assert_allclose(w.std(), spread**0.5, rtol=0.03)
        assert abs(w).max() < (2.28 if name.endswith("normal") else 1.74) * spread**0.5
    assert (layer.bias.numpy(force=True) == 0).all()
    with pytest.raises(ValueError, match=r"unknown initializer 'glorot'.*did you mean"):
        train.initialized(layer, "glorot")
