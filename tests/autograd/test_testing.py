"""``adjoint.testing``: what passes, what fails, and what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint.testing import assert_close, check_gradients
from adjoint.testing.strategies import broadcastable_shapes, floats_away_from, shapes, tensors

pytestmark = pytest.mark.usefixtures("backend")


def test_close_tensors_pass_and_the_worst_element_is_named() -> None:
    assert_close(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 2.0 + 1e-6]))
    assert_close(ad.ones(0, 2), ad.ones(0, 2))
    assert_close(ad.tensor([float("nan"), float("inf")]), ad.tensor([float("nan"), float("inf")]), equal_nan=True)
    assert_close(ad.tensor([1.0]), [1.0])
    assert_close(ad.tensor([True]), ad.tensor([True]))
    for a, b, message in (
        (ad.tensor([[1.0, 2.0]]), ad.tensor([[1.0, 3.0]]), r"1 of 2 .* at \(0, 1\): 2.0 against 3.0"),
        (ad.tensor([float("nan")]), ad.tensor([float("nan")]), "1 of 1"),
        (ad.tensor([1.0]), ad.tensor([float("inf")]), "inf"),
        (ad.tensor([1]), ad.tensor([2]), "1 against 2"),
        (ad.ones(2), ad.ones(1), r"shapes differ: \(2,\) against \(1,\)"),
        (ad.ones(1), ad.ones(1, dtype="float64"), "dtypes differ"),
    ):
        with pytest.raises(AssertionError, match=message):
            assert_close(a, b)


def test_right_gradients_pass_whatever_the_shapes() -> None:
    check_gradients(lambda x: x.exp(), ad.tensor(0.5), order=3)
    check_gradients(lambda x, i, y: (x[i] * y).tanh(), ad.randn(3, 2), ad.tensor([0, 2, 0]), ad.randn(1))
    check_gradients(lambda x: x.sum(), ad.zeros(0, 3))
    check_gradients(lambda x, y: x.sum(), ad.ones(2), ad.ones(2))
    check_gradients(lambda x: (x * x).cumsum(0).float(), ad.ones(2), rtol=1e-2, atol=1e-1, order=1)
    check_gradients(lambda x: (x @ x.t()).sin(), ad.randn(4, 4), elements=3)
    with ad.no_grad():
        check_gradients(lambda x: x * x, ad.ones(2))
    with pytest.raises(TypeError, match="not a tensor"):
        check_gradients(lambda x: 1.0, ad.ones(2))


def test_one_wrong_element_among_many_is_found_by_the_random_direction() -> None:
    mask = ad.ones(100, dtype="float64")
    mask[37] = 0.0

    def wrong_at_37(x: ad.Tensor) -> ad.Tensor:
        return x * x.detach() * (1 - mask) + x * x * mask

    with pytest.raises(AssertionError, match="order 1 by input 0 along a random direction"):
        check_gradients(wrong_at_37, ad.ones(100), elements=2)
    with pytest.raises(AssertionError, match=r"input 0, element \(37,\) \(= 1\): analytic .*numeric"):
        check_gradients(wrong_at_37, ad.ones(100))


def test_a_kink_within_the_step_is_not_passed_as_smooth() -> None:
    with pytest.raises(AssertionError):
        check_gradients(ad.abs, ad.tensor([1e-5]))


@settings(max_examples=50)
@given(st.data())
def test_strategies_keep_their_promises(data: st.DataObject) -> None:
    a, b, c = data.draw(broadcastable_shapes(3))
    (ad.zeros(a) + ad.zeros(b)) * ad.zeros(c)
    assert len(data.draw(shapes(1, 2, 3, 4))) in (1, 2)
    v = data.draw(floats_away_from([0.0, 1.0], 0.2))
    assert min(abs(v), abs(v - 1.0)) >= 0.2 - 1e-12
    x = data.draw(tensors(shape=(2, 0), dtype=st.sampled_from(["int32", "bool", "float32"])))
    assert x.shape == (2, 0)
    y = data.draw(tensors(elements=floats_away_from([0.0]), requires_grad=True))
    assert y.is_leaf
    assert y.requires_grad
    assert (y.abs() >= 0.1).all().item()


def test_impossible_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        floats_away_from([0.0], 5.0)


def test_strategies_say_which_extra_they_need() -> None:
    hidden = "import sys; sys.modules['hypothesis'] = None; import adjoint.testing\nfrom adjoint.testing import strategies"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)
    assert "pip install 'adjoint[testing]'" in done.stderr
