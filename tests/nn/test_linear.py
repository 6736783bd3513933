"""Linear and bilinear layers, and reshaping: PyTorch's values, gradients and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")


@settings(max_examples=20)
@given(batch=array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), sizes=st.tuples(*[st.integers(1, 4)] * 2))
def test_linear_is_pytorchs_with_and_without_bias(batch: Any, sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    x, weight, bias = (rng.normal(size=s) for s in ((*batch, sizes[0]), (sizes[1], sizes[0]), (sizes[1],)))
    check_like_torch(F.linear, TF.linear, x, weight, bias)
    check_like_torch(F.linear, TF.linear, x, weight)


def test_linear_on_the_wrong_number_of_features_names_both_shapes() -> None:
    with pytest.raises(ValueError, match=r"\(5, 3\).*\(2, 4\).*in_features=4"):
        nn.Linear(4, 2)(ad.ones(5, 3))
    with pytest.raises(ValueError, match=r"\(\)"):
        nn.Linear(1, 2)(ad.tensor(1.0))


def test_flatten_is_pytorchs() -> None:
    x = np.zeros((2, 3, 4, 5))
    for ours, theirs in ((nn.Flatten(), torch.nn.Flatten()), (nn.Flatten(0, 2), torch.nn.Flatten(0, 2))):
        assert ours(ad.tensor(x)).shape == tuple(theirs(torch.tensor(x)).shape)


@settings(max_examples=20)
@given(batch=array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3), sizes=st.tuples(*[st.integers(1, 3)] * 3))
def test_bilinear_is_pytorchs(batch: Any, sizes: Any) -> None:
    rng = np.random.default_rng(1)
    out, first, second = sizes
    x, y, w, b = (rng.normal(size=s) for s in ((*batch, first), (*batch, second), (out, first, second), (out,)))
    check_like_torch(F.bilinear, TF.bilinear, x, y, w, b)
    check_like_torch(F.bilinear, TF.bilinear, x, y, w)


@pytest.mark.parametrize("bias", [True, False])
def test_a_bilinear_layer_prints_and_computes_as_pytorchs_and_weights_move_both_ways(bias: bool) -> None:
    ours, theirs = nn.Bilinear(5, 3, 2, bias).double(), torch.nn.Bilinear(5, 3, 2, bias).double()
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()})
    theirs.load_state_dict({n: torch.tensor(values(v)) for n, v in ours.state_dict().items()})
    rng = np.random.default_rng(2)
    inputs = rng.normal(size=(2, 5)), rng.normal(size=(2, 3))
    out, expected = ours(*map(ad.tensor, inputs)), theirs(*map(torch.tensor, inputs))
    np.testing.assert_allclose(values(out), values(expected), 1e-6)
    (out**2).sum().backward()
    (expected**2).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(values(p), values(q), 1e-6)
        np.testing.assert_allclose(values(p.grad), values(q.grad), 1e-6)


def test_a_bilinear_layer_starts_within_one_over_the_root_of_its_first_input() -> None:
    weight = values(nn.Bilinear(4, 30, 50).weight)
    assert 0.49 < np.abs(weight).max() <= 0.5
