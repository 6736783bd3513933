"""Dropout of elements and channels: what stays is scaled by exactly 1 / (1 - p), so that the mean stays, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import values

#: Each function with the shapes it takes, and how many leading axes are dropped as one: (layer, function, shape, axes).
DROPOUTS: dict[str, tuple[Any, Callable[..., Any], tuple[int, ...], int]] = {
    "elements": (nn.Dropout, F.dropout, (40, 30), 2),
    "channels of (N, C, L)": (nn.Dropout1d, F.dropout1d, (30, 40, 2), 2),
    "channels of (C, L)": (nn.Dropout1d, F.dropout1d, (1200, 2), 1),
    "channels of (N, C, H, W)": (nn.Dropout2d, F.dropout2d, (30, 40, 2, 1), 2),
    "channels of (N, C, D, H, W)": (nn.Dropout3d, F.dropout3d, (30, 40, 1, 2, 1), 2),
    "channels of (C, D, H, W)": (nn.Dropout3d, F.dropout3d, (1200, 2, 1, 1), 1),
}


@pytest.mark.parametrize("name", DROPOUTS)
@settings(max_examples=8)
@given(p=st.floats(0.05, 0.95), dtype=st.sampled_from(["float32", "float64"]), inplace=st.booleans())
def test_what_stays_is_scaled_by_one_over_one_minus_p(name: str, p: float, dtype: str, inplace: bool) -> None:
    layer, function, shape, axes = DROPOUTS[name]
    x = ad.tensor(np.random.default_rng(0).uniform(1.0, 2.0, shape), dtype=dtype)
    before = values(x).copy()
    for call in (lambda x: layer(p)(x), lambda x: function(x, p, True, inplace)):
        x = ad.tensor(before, dtype=dtype)
        factors = values(call(x.requires_grad_() if not inplace else x)) / before
        kept = factors != 0
        np.testing.assert_allclose(factors[kept], 1.0 / (1.0 - p), rtol=1e-6)
        per_channel = kept.reshape(*shape[:axes], -1)
        assert (per_channel == per_channel[..., :1]).all(), "a channel is dropped as a whole"
        share = per_channel[..., 0].mean()
        assert abs(share - (1.0 - p)) < 5 * np.sqrt(p * (1.0 - p) / 1200), "each channel is dropped with probability p"
        assert abs(factors.mean() - 1.0) < 6 * np.sqrt(p / (1.0 - p) / 1200), "the mean stays"


@pytest.mark.parametrize("name", DROPOUTS)
def test_the_gradient_is_what_the_input_was_multiplied_by(name: str) -> None:
    layer, _, shape, _ = DROPOUTS[name]
    x = ad.ones(shape, requires_grad=True)
    out = layer(0.3)(x)
    out.sum().backward()
    np.testing.assert_array_equal(values(x.grad), values(out))


@pytest.mark.parametrize("name", DROPOUTS)
def test_nothing_is_dropped_in_evaluation_or_at_p_0_and_everything_at_p_1(name: str) -> None:
    layer, function, shape, _ = DROPOUTS[name]
    x = ad.ones(shape)
    assert layer(0.5).eval()(x) is x
    assert function(x, 0.0, True) is x
    np.testing.assert_array_equal(values(function(x, 1.0, True)), np.zeros(shape, "f"))


@pytest.mark.parametrize("function", [F.alpha_dropout, F.feature_alpha_dropout])
@pytest.mark.parametrize("p", [0.1, 0.4, 0.8])
def test_alpha_dropout_is_the_papers_affine_map_of_the_input_or_selus_limit(function: Any, p: float) -> None:
    limit = -1.7580993408473766
    a = ((1 - p) * (1 + p * limit**2)) ** -0.5
    b = -a * p * limit
    x = np.random.default_rng(0).normal(size=(30, 40, 5))
    out = values(function(ad.tensor(x), p, True))
    dropped = np.isclose(out, a * limit + b, rtol=1e-5)
    np.testing.assert_allclose(out[~dropped], (a * x + b)[~dropped], rtol=1e-5, atol=1e-6)
    assert abs(dropped.mean() - p) < 0.08
    if function is F.feature_alpha_dropout:
        assert (dropped == dropped[:, :, :1]).all()
