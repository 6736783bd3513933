"""Losses: PyTorch's values, gradients and second derivatives in every option, and an error for what does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")

reductions = st.sampled_from(["none", "mean", "sum"])
shapes = array_shapes(min_dims=0, max_dims=3, max_side=4)


@st.composite
def pairs(draw: Any, elements: Any) -> tuple[Any, Any]:
    """Two arrays of one shape."""
    shape = draw(shapes)
    return draw(arrays(np.float64, shape, elements=elements)), draw(arrays(np.float64, shape, elements=elements))


@st.composite
def classified(draw: Any) -> tuple[Any, Any, Any]:
    """Logits of shape (C,), (N, C) or (N, C, d…), class indices that fit, and class weights or None."""
    classes = draw(st.integers(1, 5))
    batch = draw(array_shapes(min_dims=0, max_dims=3, max_side=3))
    logits = draw(arrays(np.float64, (*batch[:1], classes, *batch[1:]), elements=st.floats(-5, 5)))
    target = draw(arrays(np.int64, batch, elements=st.integers(0, classes - 1)))
    weight = draw(st.none() | arrays(np.float64, classes, elements=st.floats(0.1, 2)))
    return logits, target, weight


def both(weight: Any) -> tuple[Any, Any]:
    """The same constant in both libraries."""
    return (None, None) if weight is None else (ad.tensor(weight), torch.tensor(weight))


@settings(max_examples=25)
@given(pair=pairs(st.floats(-3, 3)), reduction=reductions)
def test_mse_is_pytorchs(pair: Any, reduction: str) -> None:
    check_like_torch(nn.MSELoss(reduction=reduction), torch.nn.MSELoss(reduction=reduction), *pair)


@settings(max_examples=25)
@given(pair=pairs(st.floats(-3, 3)), reduction=reductions)
def test_l1_is_pytorchs(pair: Any, reduction: str) -> None:
    check_like_torch(nn.L1Loss(reduction=reduction), torch.nn.L1Loss(reduction=reduction), *pair)


@settings(max_examples=25)
@given(pair=pairs(st.floats(-3, 3)), reduction=reductions, delta=st.floats(0.1, 4))
def test_huber_is_pytorchs(pair: Any, reduction: str, delta: float) -> None:
    assume((np.abs(np.abs(pair[0] - pair[1]) - delta) > 1e-6).all())
    check_like_torch(nn.HuberLoss(reduction, delta), torch.nn.HuberLoss(reduction, delta), *pair)


@settings(max_examples=25)
@given(pair=pairs(st.floats(0.05, 0.95)), reduction=reductions, weighted=st.booleans())
def test_binary_cross_entropy_is_pytorchs(pair: Any, reduction: str, weighted: bool) -> None:
    ours, theirs = both(np.full(pair[0].shape[-1:], 0.5) if weighted else None)
    check_like_torch(
        lambda x: nn.BCELoss(ours, reduction=reduction)(x, ad.tensor(pair[1])),
        lambda x: torch.nn.BCELoss(theirs, reduction=reduction)(x, torch.tensor(pair[1])),
        pair[0],
    )
    check_like_torch(  # PyTorch has no second derivative by the target
        lambda x, y: F.binary_cross_entropy(x, y, ours, reduction=reduction),
        lambda x, y: TF.binary_cross_entropy(x, y, theirs, reduction=reduction),
        *pair,
        second=False,
    )


def test_binary_cross_entropy_ends_its_logarithms_at_minus_100() -> None:
    x, y = np.asarray([0.0, 0.0, 1.0, 1.0, 0.5]), np.asarray([0.0, 1.0, 0.0, 1.0, 0.5])
    check_like_torch(
        lambda x: F.binary_cross_entropy(x, ad.tensor(y), reduction="none"),
        lambda x: TF.binary_cross_entropy(x, torch.tensor(y), reduction="none"),
        x,
        second=False,
        rtol=1e-7,  # PyTorch's bound on x (1 - x) is 1e-12 in float32
    )


@settings(max_examples=25)
@given(pair=pairs(st.floats(-4, 4)), reduction=reductions, weighted=st.booleans(), positive=st.booleans())
def test_binary_cross_entropy_with_logits_is_pytorchs(pair: Any, reduction: str, weighted: bool, positive: bool) -> None:
    x, y = pair[0], np.abs(pair[1]) / 4
    weight = both(np.full(x.shape[-1:], 0.5) if weighted else None)
    pos_weight = both(np.full(x.shape[-1:], 3.0) if positive else None)
    check_like_torch(
        nn.BCEWithLogitsLoss(weight[0], reduction=reduction, pos_weight=pos_weight[0]),
        torch.nn.BCEWithLogitsLoss(weight[1], reduction=reduction, pos_weight=pos_weight[1]),
        x,
        y,
    )


def test_binary_cross_entropy_with_logits_is_exact_and_quiet_for_large_logits() -> None:
    x = np.asarray([-1e4, -50.0, 0.0, 50.0, 1e4] * 2, np.float32)
    y = np.asarray([0.0] * 5 + [1.0] * 5, np.float32)
    ours, theirs = ad.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(ours, ad.tensor(y), reduction="none")
    reference = TF.binary_cross_entropy_with_logits(theirs, torch.tensor(y), reduction="none")
    loss.sum().backward()
    reference.sum().backward()
    tails = 1e-21  # which are 0 in PyTorch, by cancellation
    np.testing.assert_allclose(values(loss), values(reference), rtol=1e-6, atol=tails)
    np.testing.assert_allclose(values(ours.grad), values(theirs.grad), rtol=1e-5, atol=tails)
    np.testing.assert_allclose(values(loss)[[1, 8]], np.exp(-50.0), rtol=1e-6)


@settings(max_examples=40)
@given(case=classified(), reduction=reductions, ignored=st.booleans(), smoothing=st.sampled_from([0.0, 0.0, 0.1, 1.0]))
def test_cross_entropy_of_class_indices_is_pytorchs(case: Any, reduction: str, ignored: bool, smoothing: float) -> None:
    logits, target, weight = case
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing, "ignore_index": 0 if ignored else -100}
    assume(not (ignored and reduction == "mean" and (target == 0).all()))
    ours, theirs = both(weight)
    check_like_torch(
        lambda x: nn.CrossEntropyLoss(ours, **options)(x, ad.tensor(target)),
        lambda x: torch.nn.CrossEntropyLoss(theirs, **options)(x, torch.tensor(target)),
        logits,
    )


@settings(max_examples=25)
@given(case=classified(), reduction=reductions, smoothing=st.sampled_from([0.0, 0.2]), data=st.data())
def test_cross_entropy_of_probabilities_is_pytorchs(case: Any, reduction: str, smoothing: float, data: Any) -> None:
    logits, _, weight = case
    target = data.draw(arrays(np.float64, logits.shape, elements=st.floats(0, 1)))
    options: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
    ours, theirs = both(weight)
    check_like_torch(nn.CrossEntropyLoss(ours, **options), torch.nn.CrossEntropyLoss(theirs, **options), logits, target)


@settings(max_examples=25)
@given(case=classified(), reduction=reductions, ignored=st.booleans())
def test_nll_is_pytorchs(case: Any, reduction: str, ignored: bool) -> None:
    logits, target, weight = case
    ignore_index = 0 if ignored else -100
    assume(not (ignored and reduction == "mean" and (target == 0).all()))
    ours, theirs = both(weight)
    check_like_torch(
        lambda x: nn.NLLLoss(ours, ignore_index=ignore_index, reduction=reduction)(x, ad.tensor(target)),
        lambda x: torch.nn.NLLLoss(theirs, ignore_index=ignore_index, reduction=reduction)(x, torch.tensor(target)),
        logits,
    )


@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
def test_the_mean_over_no_target_at_all_is_nan_as_in_pytorch(loss: str) -> None:
    x = np.zeros((2, 3))
    assert np.isnan(getattr(F, loss)(ad.tensor(x), ad.tensor([-100, -100])).item())
    assert np.isnan(getattr(F, loss)(ad.tensor(x[:0]), ad.zeros(0, dtype=int)).item())
    assert getattr(F, loss)(ad.tensor(x), ad.tensor([-100, -100]), reduction="sum").item() == 0


def test_an_ignored_row_counts_nothing_even_where_its_logits_are_infinite() -> None:
    x = ad.tensor([[-np.inf, 0.0], [1.0, 2.0]], requires_grad=True)
    loss = F.cross_entropy(x, ad.tensor([-100, 1]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log1p(np.exp(-1)), rtol=1e-6)
    np.testing.assert_array_equal(values(x.grad)[0], [0, 0])


def test_a_masked_class_has_no_part_in_the_others_loss() -> None:
    x = ad.tensor([[1.0, -np.inf, 2.0]], requires_grad=True)
    loss = F.cross_entropy(x, ad.tensor([2]))
    loss.backward()
    np.testing.assert_allclose(loss.item(), np.log1p(np.exp(-1)), rtol=1e-6)
    assert values(x.grad)[0, 1] == 0


@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize(("target", "named"), [([0, 3], "class 3"), ([-1, 2], "class -1"), ([-100, 7], "class 7")])
def test_a_class_out_of_range_is_named_with_the_number_of_classes(loss: str, target: list[int], named: str) -> None:
    with pytest.raises(IndexError, match=f"{named}, and the input has 3 classes"):
        getattr(F, loss)(ad.zeros(2, 3), ad.tensor(target))


@pytest.mark.parametrize("loss", ["cross_entropy", "nll_loss"])
def test_class_targets_that_do_not_fit_are_refused(loss: str) -> None:
    function = getattr(F, loss)
    with pytest.raises(ValueError, match=r"\(4, 3\).*\(3,\).*must be \(4,\)"):
        function(ad.zeros(4, 3), ad.tensor([0, 1, 2]))
    with pytest.raises((TypeError, ValueError), match=r"\.long\(\)"):
        function(ad.zeros(2, 3), ad.tensor([0.0, 1.0]))
    with pytest.raises(TypeError, match=r"\.long\(\)"):
        function(ad.zeros(2, 3), ad.tensor([True, False]))
    with pytest.raises(TypeError, match=r"\.float\(\)"):
        function(ad.zeros(2, 3, dtype=int), ad.tensor([0, 1]))
    with pytest.raises(ValueError, match="each of the 3 classes"):
        function(ad.zeros(2, 3), ad.tensor([0, 1]), ad.ones(2))
    with pytest.raises(ValueError, match="reduction"):
        function(ad.zeros(2, 3), ad.tensor([0, 1]), reduction="average")
    with pytest.raises(ValueError, match="0-d"):
        function(ad.tensor(1.0), ad.tensor(0))


def test_a_target_on_another_device_is_refused_by_name() -> None:
    other = "strict" if ad.backends.default().name == "numpy" else "cpu"
    with pytest.raises(ad.errors.BackendError, match="move one"):
        F.cross_entropy(ad.zeros(2, 3), ad.tensor([0, 1], device=other))


PAIRED = ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("loss", PAIRED)
def test_a_loss_between_tensors_wants_one_shape_and_floating_point(loss: str) -> None:
    function = getattr(F, loss)
    with pytest.raises(ValueError, match=r"\(3,\).*\(3, 1\)"):
        function(ad.zeros(3), ad.zeros(3, 1))
    with pytest.raises(TypeError, match=r"target is .*int64.*\.float\(\)"):
        function(ad.zeros(3), ad.zeros(3, dtype=int))
    with pytest.raises(TypeError, match=r"input is .*int64"):
        function(ad.zeros(3, dtype=int), ad.zeros(3))
    with pytest.raises(ValueError, match="reduction"):
        function(ad.zeros(3), ad.zeros(3), reduction="average")


@pytest.mark.parametrize("loss", PAIRED)
def test_the_mean_loss_of_no_elements_is_nan_as_in_pytorch(loss: str) -> None:
    x = ad.zeros(0, 3, requires_grad=True)
    mean = getattr(F, loss)(x, ad.zeros(0, 3))
    mean.backward()
    assert np.isnan(mean.item())
    assert x.grad is not None
    assert x.grad.shape == (0, 3)


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="probabilities must be from 0 to 1"):
        F.binary_cross_entropy(ad.tensor([0.5, 1.5]), ad.ones(2))
    with pytest.raises(ValueError, match="delta"):
        F.huber_loss(ad.ones(2), ad.ones(2), delta=0.0)
    with pytest.raises(ValueError, match="label_smoothing"):
        F.cross_entropy(ad.zeros(1, 2), ad.tensor([0]), label_smoothing=1.5)
    with pytest.raises(ValueError, match="reduction"):
        nn.MSELoss(reduction="average")


RNG = np.random.default_rng(0)
A, B, C = (RNG.normal(size=(4, 3)) for _ in range(3))
SIGNS = np.asarray([1.0, -1.0, -1.0, 1.0])
MARGINS: dict[str, Any] = {
    "smooth_l1": lambda F, m, r, a, b, c: F.smooth_l1_loss(a, b, reduction=r, beta=0.7),
    "kl_div": lambda F, m, r, a, b, c: F.kl_div(a, b.abs(), reduction=r),
    "kl_div of logarithms": lambda F, m, r, a, b, c: F.kl_div(a, b, reduction="batchmean" if r == "mean" else r, log_target=True),
    "poisson": lambda F, m, r, a, b, c: F.poisson_nll_loss(a, m.tensor(5 * np.abs(B)), full=True, reduction=r),
    "poisson of rates": lambda F, m, r, a, b, c: F.poisson_nll_loss(a.abs(), b, log_input=False, reduction=r),
    "gaussian": lambda F, m, r, a, b, c: F.gaussian_nll_loss(a, b, c.abs(), full=True, reduction=r),
    "gaussian of one variance": lambda F, m, r, a, b, c: F.gaussian_nll_loss(a, b, c[:, 0].abs(), reduction=r),
    "gaussian of a number": lambda F, m, r, a, b, c: F.gaussian_nll_loss(a, b, 0.7, reduction=r),
    "soft margin": lambda F, m, r, a, b, c: F.soft_margin_loss(a, m.tensor(np.sign(B)), reduction=r),
    "hinge": lambda F, m, r, a, b, c: F.hinge_embedding_loss(a, m.tensor(np.sign(B)), 0.5, reduction=r),
    "ranking": lambda F, m, r, a, b, c: F.margin_ranking_loss(a, b, m.tensor(np.sign(C)), 0.3, reduction=r),
    "cosine": lambda F, m, r, a, b, c: F.cosine_embedding_loss(a, b, m.tensor(SIGNS), 0.1, reduction=r),
    "triplet": lambda F, m, r, a, b, c: F.triplet_margin_loss(a, b, c, 2.0, swap=True, reduction=r),
    "triplet with distance": lambda F, m, r, a, b, c: F.triplet_margin_with_distance_loss(a, b, c, reduction=r),
}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("case", MARGINS)
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_losses_of_margins_and_distributions_are_pytorchs(case: str, reduction: str) -> None:
    loss = MARGINS[case]
    check_like_torch(
        lambda a, b, c: loss(F, ad, reduction, a, b, c) + 0.0 * (a + b + c).sum(),
        lambda a, b, c: loss(TF, torch, reduction, a, b, c) + 0.0 * (a + b + c).sum(),
        A,
        B,
        C,
        second=case != "hinge",
    )


CLASSES = np.asarray([0, 2, 1, 0])
LABELS = np.asarray([[0, 2, -1], [1, -1, 0], [-1, 0, 0], [2, 2, 0]])  # targets are those before the first -1
#: A module of either library, and what it is called with.
MODULES: dict[str, Any] = {
    "smooth l1": lambda nn, m, r, a, b, c: nn.SmoothL1Loss(reduction=r, beta=0.5)(a, b),
    "kl div": lambda nn, m, r, a, b, c: nn.KLDivLoss(reduction="batchmean" if r == "mean" else r)(a, b.abs()),
    "kl div of logarithms": lambda nn, m, r, a, b, c: nn.KLDivLoss(reduction=r, log_target=True)(a, b),
    "poisson": lambda nn, m, r, a, b, c: nn.PoissonNLLLoss(False, True, eps=0.1, reduction=r)(a.abs(), m.tensor(5 * np.abs(B))),
    "gaussian": lambda nn, m, r, a, b, c: nn.GaussianNLLLoss(full=True, eps=0.01, reduction=r)(a, b, c.abs()),
    "soft margin": lambda nn, m, r, a, b, c: nn.SoftMarginLoss(reduction=r)(a, m.tensor(np.sign(B))),
    "hinge": lambda nn, m, r, a, b, c: nn.HingeEmbeddingLoss(0.5, reduction=r)(a, m.tensor(np.sign(B))),
    "ranking": lambda nn, m, r, a, b, c: nn.MarginRankingLoss(0.3, reduction=r)(a, b, m.tensor(np.sign(C))),
    "cosine": lambda nn, m, r, a, b, c: nn.CosineEmbeddingLoss(0.1, reduction=r)(a, b, m.tensor(SIGNS)),
    "triplet": lambda nn, m, r, a, b, c: nn.TripletMarginLoss(2.0, 1.0, 1e-3, True, reduction=r)(a, b, c),
    "triplet with distance": lambda nn, m, r, a, b, c: nn.TripletMarginWithDistanceLoss(
        distance_function=lambda x, y: (x - y).abs().sum(-1), margin=0.5, swap=True, reduction=r
    )(a, b, c),
    "multi margin": lambda nn, m, r, a, b, c: nn.MultiMarginLoss(margin=0.7, reduction=r)(a, m.tensor(CLASSES)),
    "multi margin squared": lambda nn, m, r, a, b, c: nn.MultiMarginLoss(2, weight=m.tensor(B[0]), reduction=r)(
        a, m.tensor(CLASSES)
    ),
    "multi margin of one": lambda nn, m, r, a, b, c: nn.MultiMarginLoss(reduction=r)(a[1], m.tensor(2)),
    "multilabel margin": lambda nn, m, r, a, b, c: nn.MultiLabelMarginLoss(reduction=r)(a, m.tensor(LABELS)),
    "multilabel margin of one": lambda nn, m, r, a, b, c: nn.MultiLabelMarginLoss(reduction=r)(a[0], m.tensor(LABELS[0])),
    "multilabel soft": lambda nn, m, r, a, b, c: nn.MultiLabelSoftMarginLoss(m.tensor(B[0]), reduction=r)(
        a, m.tensor(np.abs(C) / 4)
    ),
}
UNSMOOTH = {"hinge", "multi margin", "multi margin of one", "multi margin squared", "multilabel margin", "multilabel margin of one"}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("case", MODULES)
@pytest.mark.filterwarnings("ignore:reduction:UserWarning")
def test_a_loss_as_a_module_is_pytorchs(case: str, reduction: str) -> None:
    loss = MODULES[case]
    check_like_torch(
        lambda a, b, c: loss(nn, ad, reduction, a, b, c) + 0.0 * (a + b + c).sum(),
        lambda a, b, c: loss(torch.nn, torch, reduction, a, b, c) + 0.0 * (a + b + c).sum(),
        A,
        B,
        C,
        second=case not in UNSMOOTH,
    )


def test_a_loss_as_a_module_prints_as_pytorchs() -> None:
    for name in dir(nn):
        if name.endswith("Loss"):
            assert repr(getattr(nn, name)()) == repr(getattr(torch.nn, name)())


def test_margins_between_classes_refuse_what_does_not_fit() -> None:
    x = ad.zeros(2, 3)
    for act, kind, match in (
        (lambda: F.multi_margin_loss(x, ad.tensor([0, 3])), IndexError, "multi_margin_loss: the indices are from 0 to 3"),
        (lambda: F.multi_margin_loss(x, ad.tensor([0])), ValueError, r"\(2, 3\).*\(1,\)"),
        (lambda: F.multi_margin_loss(x, ad.tensor([0, 1]), weight=ad.ones(2)), ValueError, "each of 3 classes"),
        (lambda: nn.MultiMarginLoss(3), ValueError, "p must be 1 or 2"),
        (lambda: F.multilabel_margin_loss(x, ad.tensor([[0, 3, -1]] * 2)), IndexError, "multilabel_margin_loss"),
        (lambda: F.multilabel_margin_loss(x, ad.tensor([0, 1])), ValueError, r"both must be \(N, C\)"),
        (lambda: F.multilabel_soft_margin_loss(x, ad.zeros(3)), ValueError, "multilabel_soft_margin_loss"),
        (lambda: nn.TripletMarginLoss(0.0), ValueError, "above 0"),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=-1), ValueError, "above 0"),
    ):
        with pytest.raises(kind, match=match):
            act()
