"""``adjoint.testing``: what passes, what fails, and what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.autograd.primitive import Primitive
from adjoint.testing import assert_close, check_gradients
from adjoint.testing.strategies import (
    broadcastable_shapes,
    broadcastable_tensors,
    dtypes,
    floats_away_from,
    indices,
    matrices,
    shapes,
    tensors,
)

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
    check_gradients(lambda x: (x * x * x).sin(), ad.randn(50), elements=0, directions=3, order=3)
    check_gradients(lambda x, y: x * y, ad.tensor([1e6, -2e5]), ad.tensor([1e-6, 3.0]))


def test_what_can_not_be_checked_is_refused_rather_than_passed() -> None:
    for function, x, error, message in (
        (lambda x: 1.0, ad.ones(2), TypeError, "returned float, not a floating-point tensor"),
        (lambda x: x > 0, ad.ones(2), TypeError, "returned adjoint.bool, not a floating-point"),
        (lambda x: x * 2.0, ad.tensor([1, 2]), TypeError, "no input is a floating-point tensor"),
        (lambda x: ad.ones(2) * x, 3.0, TypeError, "no input is a floating-point tensor"),
        (lambda x: ad.log(x), ad.zeros(2), AssertionError, "result is not finite"),
        (lambda x: ad.where(x > 0, x, float("nan")), ad.tensor([1.0, 1e-4]), AssertionError, "numeric nan"),
        (lambda x: x.detach() * 2, ad.ones(2), AssertionError, "analytic 0, numeric "),
        (lambda x: x * ad.rand(2, dtype="float64"), ad.ones(2), AssertionError, "different results for equal inputs"),
        (lambda x: x.abs(), ad.tensor([1.0, 1e-5]), AssertionError, r"element \(1,\).*is there a kink or pole"),
    ):
        with ad.backends.default().suppress_warnings(), pytest.raises(error, match=message):
            check_gradients(function, x)
    with pytest.raises(ValueError, match="at least 1"):
        check_gradients(lambda x: x, ad.ones(1), directions=0)


def declared(name: str, rule: Any) -> Any:
    """The square, with ``rule`` for its derivative, known to nobody else."""

    def kernel(xp: Any, x: Any) -> Any:
        return x * x

    kernel.__name__ = name
    return Primitive(kernel).vjp(x=rule)


def test_a_derivative_that_is_infinite_or_nan_is_wrong_whatever_the_slope() -> None:
    for rule in (lambda g: g * float("inf"), lambda g: g * float("nan")):
        with pytest.raises(AssertionError, match=r"analytic -?(inf|nan), numeric"):
            check_gradients(declared("square_", rule), ad.tensor([0.5, 1.0]))


def test_a_rule_that_is_right_on_arrays_and_wrong_on_tensors_is_caught() -> None:
    square = declared("square_", lambda g, x: g * 2.0 * x if not isinstance(x, ad.Tensor) else g * 3.0 * x)
    with pytest.raises(AssertionError, match=r"order 1 by input 0, element .* under create_graph=True: analytic"):
        check_gradients(square, ad.tensor([0.5, 1.0]))
    check_gradients(square, ad.tensor([0.5, 1.0]), order=1)


def test_hypothesis_reports_the_smallest_example_of_a_wrong_rule() -> None:
    square = declared("square_", lambda xp, g, x: g * xp.where(x > 2.0, 1.0, 2.0 * x))

    @settings(database=None, derandomize=True)
    @given(tensors(elements=floats_away_from([2.0])))
    def check(x: ad.Tensor) -> None:
        check_gradients(square, x)

    with pytest.raises(AssertionError, match=r"derivative of order 1 by input 0, element \((0,)?\) \(= [23]") as caught:
        check()
    assert re.search(r"x=tensor\(\[?[23][.\d]*\]?, ", "".join(caught.value.__notes__))


def test_one_wrong_element_among_many_is_found_by_the_random_direction() -> None:
    mask = ad.ones(100, dtype="float64")
    mask[37] = 0.0

    def wrong_at_37(x: ad.Tensor) -> ad.Tensor:
        return x * x.detach() * (1 - mask) + x * x * mask

    for elements in (0, 2, None):
        with pytest.raises(AssertionError, match=r"order 1 by input 0, element \(37,\) \(= 1\): analytic .*numeric"):
            check_gradients(wrong_at_37, ad.ones(100), elements=elements)


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


@settings(max_examples=50)
@given(st.data())
def test_matrices_are_conditioned_symmetric_and_positive_definite_as_asked(data: st.DataObject) -> None:
    a = data.draw(matrices(st.integers(1, 3), 4, condition=5.0, batch=shapes(max_dims=1, max_side=2)))
    assert a.shape[-1] == 4
    for matrix in a.reshape(-1, *a.shape[-2:]).cpu().numpy():
        sizes = np.linalg.svd(matrix, compute_uv=False)
        assert 1 - 1e-9 <= sizes.min() <= sizes.max() <= 5 * sizes.min() + 1e-9
    for options in ({"symmetric": True}, {"positive_definite": True}):
        b = data.draw(matrices(**options, dtype=dtypes("float"), requires_grad=True))
        assert (b.is_leaf, b.requires_grad, b.dtype.kind) == (True, True, "float")
        assert b.tolist() == b.detach().t().tolist()
        values = np.linalg.eigvalsh(b.detach().cpu().numpy().astype("float64"))
        assert abs(values).min() > 0.9
        assert "symmetric" in options or values.min() > 0.9


@settings(max_examples=50)
@given(st.data())
def test_tensors_broadcast_and_indices_fit(data: st.DataObject) -> None:
    x, y, z = data.draw(broadcastable_tensors(3, elements=st.integers(0, 1)))
    assert ((x + y) * z).dtype is ad.float64
    x[data.draw(indices(x.shape))]
    y[data.draw(indices(y.shape, advanced=False, backwards=False))].sum()


def test_impossible_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="no number"):
        floats_away_from([0.0], 5.0)


def test_strategies_say_which_extra_they_need() -> None:
    hidden = "import sys; sys.modules['hypothesis'] = None; import adjoint.testing\nfrom adjoint.testing import strategies"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)
    assert "pip install 'adjoint[testing]'" in done.stderr


def test_a_rule_that_can_not_be_differentiated_by_its_cotangent_is_caught() -> None:
    class Times(ad.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            x, y = ctx.saved_tensors
            return g.detach() * y, g.detach() * x

    with pytest.raises(AssertionError, match="order 2"):
        check_gradients(Times.apply, ad.tensor([0.5, 2.0]), ad.tensor([1.5, -1.0]))
