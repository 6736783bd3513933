"""Initial values: their bounds, moments and gains, beside PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn
from adjoint.nn import init

from .helpers import values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")


def spread_evenly(drawn: Any, bound: float) -> bool:
    """Whether many numbers fill [-bound, bound] as the uniform distribution does."""
    deviation = bound / math.sqrt(3)
    return bool(
        (np.abs(drawn) <= bound).all()
        and np.abs(drawn).max() > 0.99 * bound
        and abs(drawn.mean()) < 5 * deviation / math.sqrt(drawn.size)
        and abs(drawn.std() / deviation - 1) < 0.03
    )


def test_a_linear_layer_starts_within_one_over_the_root_of_its_inputs() -> None:
    layer = nn.Linear(100, 400)
    assert layer.weight.shape == (400, 100)
    assert spread_evenly(values(layer.weight), 0.1)
    assert (np.abs(values(layer.bias)) <= 0.1).all()
    assert values(layer.bias).std() > 0.04
    assert nn.Linear(2, 3, dtype=ad.float64).weight.dtype is ad.float64
    assert nn.Linear(0, 3)(ad.ones(2, 0)).shape == (2, 3)


UNIFORM = {
    "xavier_uniform_": ({"gain": 2.0}, 2 * math.sqrt(6 / (60 * 9 + 50 * 9))),
    "kaiming_uniform_": ({"mode": "fan_out", "nonlinearity": "relu"}, math.sqrt(6 / (50 * 9))),
    "uniform_": ({"a": -3.0, "b": 3.0}, 3.0),
}
NORMAL = {
    "xavier_normal_": ({}, math.sqrt(2 / (60 * 9 + 50 * 9))),
    "kaiming_normal_": ({"a": 0.5}, math.sqrt(2 / 1.25 / (60 * 9))),
    "normal_": ({"std": 0.3}, 0.3),
}


@pytest.mark.parametrize("name", UNIFORM)
def test_uniform_initial_values_keep_their_exact_bounds(name: str) -> None:
    options, bound = UNIFORM[name]
    t = ad.empty(50, 60, 3, 3)
    assert getattr(init, name)(t, **options) is t
    assert spread_evenly(values(t), bound)


@pytest.mark.parametrize("name", NORMAL)
def test_normal_initial_values_have_their_deviation(name: str) -> None:
    options, deviation = NORMAL[name]
    t = values(getattr(init, name)(ad.empty(50, 60, 3, 3), **options))
    assert abs(t.std() / deviation - 1) < 0.03
    assert abs(t.mean()) < 5 * deviation / math.sqrt(t.size)


@pytest.mark.parametrize(("mean", "std", "a", "b"), [(0.0, 1.0, -2.0, 2.0), (0.0, 0.02, -2.0, 2.0), (0.0, 1.0, 3.0, 9.0)])
def test_the_truncated_normal_stays_inside_and_has_its_moments(mean: float, std: float, a: float, b: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    drawn = values(init.trunc_normal_(ad.empty(20_000), mean, std, a, b))
    assert ((drawn >= a) & (drawn <= b)).all()
    exact = stats.truncnorm((a - mean) / std, (b - mean) / std, loc=mean, scale=std)
    assert abs(drawn.mean() - exact.mean()) < 5 * exact.std() / math.sqrt(drawn.size)
    assert abs(drawn.std() / exact.std() - 1) < 0.03


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (6, 2, 2)])
def test_orthogonal_initial_values_are_orthonormal_times_the_gain(shape: tuple[int, ...]) -> None:
    t = values(init.orthogonal_(ad.empty(shape, dtype=ad.float64), gain=2.0)).reshape(shape[0], -1)
    product = t @ t.T if t.shape[0] <= t.shape[1] else t.T @ t
    np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_constant_initial_values() -> None:
    for filled, expected in (
        (init.ones_(ad.empty(2, 3)), np.ones((2, 3))),
        (init.zeros_(ad.empty(2, 3)), np.zeros((2, 3))),
        (init.constant_(ad.empty(2, 3), 4.5), np.full((2, 3), 4.5)),
        (init.eye_(ad.empty(2, 3)), np.eye(2, 3)),
    ):
        np.testing.assert_array_equal(values(filled), expected)


def test_initial_values_are_written_into_parameters_unseen_by_the_graph() -> None:
    parameter = nn.Parameter(ad.empty(4, 4))
    for name in ("uniform_", "normal_", "trunc_normal_", "ones_", "eye_", "xavier_normal_", "kaiming_uniform_", "orthogonal_"):
        assert getattr(init, name)(parameter) is parameter
        assert parameter.is_leaf
        assert parameter.requires_grad


DRAWN = [*UNIFORM, *NORMAL, "trunc_normal_", "orthogonal_"]


@pytest.mark.parametrize("name", DRAWN)
def test_a_generator_decides_what_is_drawn(name: str) -> None:
    first, second = (getattr(init, name)(ad.empty(3, 3), generator=ad.Generator().manual_seed(5)) for _ in range(2))
    np.testing.assert_array_equal(values(first), values(second))


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"])
def test_gains_are_pytorchs(name: str) -> None:
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))


def test_initial_values_refuse_shapes_and_words_they_do_not_know() -> None:
    for name in ("xavier_uniform_", "kaiming_normal_", "orthogonal_", "eye_"):
        with pytest.raises(ValueError, match=r"\(3,\)"):
            getattr(init, name)(ad.empty(3))
    with pytest.raises(ValueError, match="fan_in"):
        init.kaiming_uniform_(ad.empty(2, 2), mode="fan")
    with pytest.raises(ValueError, match="unknown nonlinearity 'swish'"):
        init.calculate_gain("swish")
    with pytest.raises(ValueError, match="below b"):
        init.trunc_normal_(ad.empty(2), a=1.0, b=1.0)
