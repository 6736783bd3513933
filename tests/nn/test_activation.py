"""Activations and dropout: PyTorch's values and derivatives, and what they promise at their edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")

#: numbers away from the kinks at 0, and Softplus's threshold at 20
away_from_kinks = st.floats(0.01, 6.0) | st.floats(-6.0, -0.01) | st.floats(21.0, 60.0) | st.floats(-60.0, -21.0)
inputs = arrays(np.float64, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4), elements=away_from_kinks)

ACTIVATIONS: list[tuple[Any, Any]] = [
    (nn.ReLU(), torch.nn.ReLU()),
    (nn.LeakyReLU(), torch.nn.LeakyReLU()),
    (nn.LeakyReLU(0.3), torch.nn.LeakyReLU(0.3)),
    (nn.ELU(), torch.nn.ELU()),
    (nn.ELU(alpha=0.5), torch.nn.ELU(alpha=0.5)),
    (nn.GELU(), torch.nn.GELU()),
    (nn.GELU("tanh"), torch.nn.GELU("tanh")),
    (nn.SiLU(), torch.nn.SiLU()),
    (nn.Sigmoid(), torch.nn.Sigmoid()),
    (nn.Tanh(), torch.nn.Tanh()),
    (nn.Softplus(), torch.nn.Softplus()),
    (nn.Softplus(2.0, 20.0), torch.nn.Softplus(2.0, 20.0)),
    (nn.Softmax(dim=-1), torch.nn.Softmax(dim=-1)),
    (nn.LogSoftmax(dim=-1), torch.nn.LogSoftmax(dim=-1)),
    (nn.ReLU6(), torch.nn.ReLU6()),
    (nn.Hardtanh(-2.5, 1.5), torch.nn.Hardtanh(-2.5, 1.5)),
    (nn.Hardshrink(0.3), torch.nn.Hardshrink(0.3)),
    (nn.Softshrink(), torch.nn.Softshrink()),
    (nn.Tanhshrink(), torch.nn.Tanhshrink()),
    (nn.Softsign(), torch.nn.Softsign()),
    (nn.LogSigmoid(), torch.nn.LogSigmoid()),
    (nn.Threshold(0.5, -2.0), torch.nn.Threshold(0.5, -2.0)),
    (nn.CELU(0.5), torch.nn.CELU(0.5)),
    (nn.SELU(), torch.nn.SELU()),
    (nn.Mish(), torch.nn.Mish()),
    (nn.Softmin(dim=-1), torch.nn.Softmin(dim=-1)),
    (nn.Identity(), torch.nn.Identity()),
]


@pytest.mark.parametrize(("ours", "theirs"), ACTIVATIONS, ids=[repr(a) for a, _ in ACTIVATIONS])
@settings(max_examples=15)
@given(x=inputs)
def test_an_activation_has_the_values_and_derivatives_of_pytorchs(ours: Any, theirs: Any, x: Any) -> None:
    if "oftm" in repr(ours) and (x.ndim == 0 or x.shape[-1] == 0):
        x = np.ones((2, 3))
    check_like_torch(ours, theirs, x)


@pytest.mark.parametrize(("ours", "theirs"), ACTIVATIONS, ids=[repr(a) for a, _ in ACTIVATIONS])
def test_activations_stay_finite_and_quiet_for_large_inputs(ours: Any, theirs: Any) -> None:
    x = np.asarray([-1e10, -1e4, -100.0, 0.0, 100.0, 1e4, 1e10], np.float32)
    t = ad.tensor(x, requires_grad=True)
    out = ours(t)
    out.sum().backward()
    np.testing.assert_allclose(values(out), theirs(torch.tensor(x)).numpy(), rtol=2e-6, atol=1e-30)
    assert np.isfinite(values(t.grad)).all()


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu"])
def test_in_place_activations_change_their_input_and_keep_its_gradient(name: str) -> None:
    x = ad.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    y = x * 1.0
    assert getattr(F, name)(y, inplace=True) is y
    y.sum().backward()
    z = ad.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    getattr(F, name)(z).sum().backward()
    np.testing.assert_array_equal(values(x.grad), values(z.grad))


KINKED = "relu6 hardtanh hardsigmoid hardswish hardshrink softshrink softsign celu selu logsigmoid mish tanhshrink".split()


@pytest.mark.parametrize("name", KINKED)
def test_activations_have_pytorchs_derivative_at_their_kinks(name: str) -> None:
    x = np.asarray([-6.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 6.0])
    check_like_torch(getattr(F, name), getattr(TF, name), x, second=False, rtol=1e-7)  # PyTorch's 1/6 is a float32


def test_activations_print_as_pytorchs() -> None:
    for ours, theirs in ACTIVATIONS[-13:]:
        assert repr(ours) == repr(theirs)


def test_glu_and_prelu_are_pytorchs() -> None:
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    check_like_torch(nn.GLU(1), torch.nn.GLU(1), x)
    for length in (1, 4):
        check_like_torch(F.prelu, TF.prelu, x, np.linspace(0.1, 0.4, length))
    check_like_torch(F.prelu, TF.prelu, x[0, 0], np.asarray([0.2]))
    assert list(nn.PReLU(4).state_dict()) == ["weight"]
    with pytest.raises(ValueError, match="halved"):
        F.glu(ad.ones(3))
    with pytest.raises(ValueError, match="4 channels"):
        F.prelu(ad.tensor(x), ad.ones(3))


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distances_and_cosines_are_pytorchs(p: float) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    check_like_torch(nn.PairwiseDistance(p, keepdim=True), torch.nn.PairwiseDistance(p, keepdim=True), x, y)
    check_like_torch(lambda x: F.normalize(x, p), lambda x: TF.normalize(x, p), x)
    check_like_torch(nn.CosineSimilarity(-1), torch.nn.CosineSimilarity(-1), x, y)
    check_like_torch(nn.CosineSimilarity(0), torch.nn.CosineSimilarity(0), x, y[:1])


@pytest.mark.parametrize(
    ("layer", "shape"), [(nn.Dropout1d, (40, 50, 3)), (nn.Dropout2d, (40, 50, 2, 2)), (nn.Dropout3d, (2000, 2, 1, 2))]
)
def test_channel_dropout_drops_whole_channels(layer: Any, shape: tuple[int, ...]) -> None:
    out = values(layer(0.3)(ad.ones(shape)))
    flat = out.reshape(*out.shape[: -len(shape) + (2 if len(shape) != 4 or layer is nn.Dropout2d else 1)], -1)
    assert (flat == flat[..., :1]).all()
    assert abs((flat[..., 0] != 0).mean() - 0.7) < 0.05


def test_alpha_dropout_keeps_mean_and_variance() -> None:
    x = ad.randn(300, 300)
    for layer in (nn.AlphaDropout(0.4), nn.FeatureAlphaDropout(0.4)):
        out = values(layer(x))
        assert abs(out.mean()) < 0.02
        assert abs(out.std() - 1) < 0.02
        assert layer.eval()(x) is x


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_drops_a_part_p_and_keeps_the_mean(p: float) -> None:
    x = ad.ones(200, 200, requires_grad=True)
    out = nn.Dropout(p)(x)
    out.sum().backward()
    kept = values(out) != 0
    assert abs(kept.mean() - (1 - p)) < 0.01
    np.testing.assert_allclose(values(out)[kept], 1 / (1 - p), rtol=1e-6)
    np.testing.assert_array_equal(values(x.grad), values(out))


def test_dropout_is_the_identity_in_evaluation_and_at_p_0_and_zero_at_p_1() -> None:
    x = ad.randn(3, 4)
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    np.testing.assert_array_equal(values(nn.Dropout(1.0)(x)), np.zeros((3, 4)))


def test_dropout_draws_the_same_after_the_same_seed() -> None:
    x = ad.ones(50)
    ad.manual_seed(3)
    first, second = F.dropout(x), F.dropout(x)
    ad.manual_seed(3)
    np.testing.assert_array_equal(values(first), values(F.dropout(x)))
    assert (values(first) != values(second)).any()


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_dropout_refuses_what_is_no_probability(p: float) -> None:
    with pytest.raises(ValueError, match="probability"):
        nn.Dropout(p)
    with pytest.raises(ValueError, match="probability"):
        F.dropout(ad.ones(2), p)


def test_softmax_wants_its_axis_said_and_gelu_a_known_formula() -> None:
    for function in (F.softmax, F.log_softmax):
        with pytest.raises(ValueError, match="dim"):
            function(ad.ones(2, 2))
    with pytest.raises(ValueError, match="approximate"):
        F.gelu(ad.ones(2), "sigmoid")
