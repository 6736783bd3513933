"""Clipping gradients, beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.nn.utils import clip_grad_norm_, clip_grad_value_

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
pytestmark = pytest.mark.usefixtures("backend")


def both(shapes: list[tuple[int, ...]], scale: float = 1.0) -> tuple[list[Any], list[Any]]:
    """The same gradients on tensors of ours and of PyTorch's, and on both one tensor that has none."""
    rng = np.random.default_rng(len(shapes))
    ours, theirs = [ad.zeros(2, requires_grad=True)], [torch.zeros(2, requires_grad=True)]
    for shape in shapes:
        g = scale * rng.normal(size=shape)
        ours.append(ad.tensor(np.zeros(shape), requires_grad=True))
        theirs.append(torch.tensor(np.zeros(shape), requires_grad=True))
        ours[-1].grad, theirs[-1].grad = ad.tensor(g), torch.tensor(g)
    return ours, theirs


def assert_same_gradients(ours: list[Any], theirs: list[Any]) -> None:
    assert ours[0].grad is None
    for p, q in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(p.grad.cpu().numpy(), q.grad.numpy(), rtol=1e-12)


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([(), (3,), (2, 4), (20,)]), min_size=1, max_size=3),
    st.sampled_from([0.01, 1.0, 100.0]),
    st.sampled_from([1, 2, 2.0, 3, float("inf"), "inf"]),
)
def test_the_norm_and_the_scaled_gradients_are_torchs(shapes: list[tuple[int, ...]], max_norm: float, norm_type: Any) -> None:
    ours, theirs = both(shapes)
    total = clip_grad_norm_(ours, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    np.testing.assert_allclose(total.item(), expected.item(), rtol=1e-12)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("clip_value", [0.0, 0.3, 5])
def test_elements_are_clamped_as_in_torch(clip_value: float) -> None:
    ours, theirs = both([(), (5,), (2, 3)])
    clip_grad_value_(iter(ours), clip_value)
    torch.nn.utils.clip_grad_value_(theirs, clip_value)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_norm_that_is_not_finite_raises_where_asked_for_and_changes_nothing(bad: float) -> None:
    p = ad.zeros(2, requires_grad=True)
    p.grad = ad.tensor([bad, 1.0])
    with pytest.raises(RuntimeError, match="norm of order 2"):
        clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad[1].item() == 1.0
    assert not np.isfinite(clip_grad_norm_(p, 1.0).item())


def test_a_single_tensor_is_taken_and_no_gradients_have_norm_zero() -> None:
    p = ad.tensor([3.0, 4.0], requires_grad=True)
    assert clip_grad_norm_([p], 1.0).item() == 0.0
    (p * p).sum().backward()
    assert clip_grad_norm_(p, 1.0).item() == pytest.approx(10.0)
    assert p.grad.norm().item() == pytest.approx(1.0, abs=1e-5)


def test_gradients_of_several_dtypes_and_devices_have_one_norm() -> None:
    other = "strict" if ad.backends.default().name == "numpy" else "numpy"
    params = [
        ad.zeros(2, requires_grad=True),
        ad.zeros(1, dtype=ad.float64, requires_grad=True),
        ad.zeros(1, device=other, requires_grad=True),
    ]
    for p, values in zip(params, ([1.0, 2.0], [4.0], [10.0]), strict=True):
        p.grad = ad.tensor(values, dtype=p.dtype, device=p.backend)
    assert clip_grad_norm_(params, 1.1).item() == pytest.approx(11.0)
    assert [p.grad.tolist() for p in params] == [pytest.approx([0.1, 0.2]), pytest.approx([0.4]), pytest.approx([1.0])]
    assert [p.grad.dtype for p in params] == [ad.float32, ad.float64, ad.float32]


def test_gradients_without_elements_do_not_count() -> None:
    p, empty = ad.zeros(1, requires_grad=True), ad.zeros(0, 2, requires_grad=True)
    p.grad, empty.grad = ad.tensor([-3.0]), ad.zeros(0, 2)
    assert clip_grad_norm_([empty], 1.0, "inf").item() == 0.0
    assert clip_grad_norm_([empty, p], 1.0, "inf").item() == 3.0


def test_float16_gradients_are_summed_where_their_squares_would_overflow() -> None:
    p = ad.zeros(4, dtype=ad.float16, device="numpy", requires_grad=True)
    p.grad = ad.full((4,), 300.0, dtype=ad.float16, device="numpy")
    total = clip_grad_norm_(p, 60.0)
    assert (total.item(), total.dtype) == (600.0, ad.float16)
    assert p.grad.tolist() == pytest.approx([30.0] * 4, rel=1e-3)


@pytest.mark.parametrize("norm_type", [0, -1.0])
def test_an_order_that_is_no_norms_is_refused(norm_type: float) -> None:
    with pytest.raises(ValueError, match="norm_type"):
        clip_grad_norm_([ad.zeros(1, requires_grad=True)], 1.0, norm_type)
