"""The gamma function's family: to float64's last digits, with PyTorch's poles, differentiable to any order."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given, strategies as st

import adjoint as ad

from .oracle import agree, torch

POSITIVE = st.floats(1e-6, 1e6)
EDGES = np.array([0.0, -1.0, -2.0, np.inf, -np.inf, np.nan])


@given(POSITIVE)
def test_lgamma_has_scipys_digits(x: float) -> None:
    assert ad.lgamma(ad.tensor(np.array(x))).item() == pytest.approx(float(scipy.special.gammaln(x)), rel=1e-13, abs=1e-15)


@given(st.floats(-1e-6, 1e-6))
def test_lgamma_keeps_its_digits_near_its_zeros(t: float) -> None:
    at_one, at_two = 1.0 + t, 2.0 + t
    t, u = at_one - 1.0, at_two - 2.0
    gamma, zeta = 0.5772156649015329, math.pi**2 / 6
    near = ad.lgamma(ad.tensor(np.array([at_one, at_two])))
    np.testing.assert_allclose(near.numpy(), [-gamma * t + zeta / 2 * t**2, (1 - gamma) * u + (zeta - 1) / 2 * u**2], rtol=1e-11)


@given(POSITIVE, st.integers(0, 6))
def test_polygamma_has_scipys_digits(x: float, n: int) -> None:
    got = ad.polygamma(n, ad.tensor(np.array(x))).item()
    assert got == pytest.approx(float(scipy.special.polygamma(n, x)), rel=2e-13, abs=1e-15 if n == 0 else 0)


@given(st.floats(-30, -0.01).filter(lambda x: abs(x - round(x)) > 1e-3))
def test_below_zero_lgamma_and_digamma_are_scipys(x: float) -> None:
    z = ad.tensor(np.array(x))
    assert ad.lgamma(z).item() == pytest.approx(float(scipy.special.gammaln(x)), rel=1e-12, abs=1e-13)
    assert ad.digamma(z).item() == pytest.approx(float(scipy.special.digamma(x)), rel=1e-12, abs=1e-12)


@given(st.floats(0.1, 10), st.integers(0, 20))
def test_the_recurrence_holds_at_every_order(x: float, n: int) -> None:
    here, there = ad.polygamma(n, ad.tensor(np.array([x, x + 1])))
    step = (-1) ** n * math.factorial(n) / x ** (n + 1)
    assert there.item() == pytest.approx(here.item() + step, rel=1e-10, abs=1e-12 * abs(step))


@pytest.mark.usefixtures("backend")
def test_poles_infinities_and_nan_are_pytorchs() -> None:
    x, y = ad.tensor(EDGES), torch.tensor(EDGES)
    with x.backend.suppress_warnings():
        for name in ("lgamma", "digamma"):
            np.testing.assert_array_equal(getattr(ad, name)(x).cpu().numpy(), getattr(torch, name)(y).numpy(), name)
        np.testing.assert_array_equal(ad.polygamma(2, x)[:3].cpu().numpy(), torch.polygamma(2, y)[:3].numpy())
        assert ad.digamma(ad.tensor(-0.0)).item() == np.inf
        assert ad.polygamma(3, ad.tensor([0.0, -5.0, np.inf])).tolist() == [np.inf, np.inf, 0.0]


@pytest.mark.usefixtures("backend")
def test_values_and_derivatives_are_pytorchs() -> None:
    x = np.array([[0.3, 1.4616, 2.5], [7.9, -0.4, 40.0]])
    agree(lambda m, x: m.lgamma(x), x, second=True, rtol=1e-8)
    agree(lambda m, x: m.digamma(x), x, second=True, rtol=1e-8)
    agree(lambda m, x: m.polygamma(2, x), abs(x), second=True, rtol=1e-8)
    agree(lambda m, x: m.special.polygamma(1, x), abs(x), rtol=1e-8)
    agree(lambda m, x: m.mvlgamma(x, 3), abs(x) + 1, second=True, rtol=1e-8)
    agree(lambda m, x: m.special.multigammaln(x, 1), abs(x), rtol=1e-8)
    agree(lambda m, x: m.special.gammaln(x) * m.special.psi(x) + m.special.digamma(x), x, rtol=1e-8)
    agree(lambda m, x: x.lgamma() + x.digamma() + x.polygamma(1) + (x + 2).mvlgamma(2), abs(x), rtol=1e-8)
    agree(
        lambda m, x: x.clone().lgamma_() + x.clone().digamma_() + x.clone().polygamma_(1) + (x + 2).mvlgamma_(2), abs(x), rtol=1e-8
    )


def test_the_fourth_derivative_of_lgamma_is_polygamma_of_order_three() -> None:
    x = ad.tensor(np.array([0.7, 3.1, -1.3]), requires_grad=True)
    y = ad.lgamma(x)
    for _ in range(4):
        (y,) = ad.autograd.grad(y.sum(), x, create_graph=True)
    np.testing.assert_allclose(y.detach().numpy(), ad.polygamma(3, x).detach().numpy(), rtol=1e-14)


def test_whole_numbers_become_float32_and_float16_keeps_its_range() -> None:
    assert ad.lgamma(ad.tensor([3])).tolist() == pytest.approx([math.log(2)])
    assert ad.mvlgamma(ad.tensor([3]), 2).dtype is ad.float32
    assert ad.lgamma(ad.tensor([100.0], dtype="float16")).item() == pytest.approx(math.lgamma(100), rel=1e-3)


def test_orders_and_dimensions_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match=r"polygamma: n .* not -1"):
        ad.polygamma(-1, ad.ones(1))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        ad.mvlgamma(ad.ones(1), 0)
