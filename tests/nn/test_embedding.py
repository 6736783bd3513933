"""Embedding tables and bags: PyTorch's values, gradients, limits and state."""

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
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(5, 3))


@settings(max_examples=25)
@given(
    index=arrays(np.int64, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3), elements=st.integers(0, 4)),
    padding_idx=st.sampled_from([None, 1, -1]),
    often=st.booleans(),
)
def test_embedding_is_pytorchs(index: Any, padding_idx: int | None, often: bool) -> None:
    options: dict[str, Any] = {"padding_idx": padding_idx, "scale_grad_by_freq": often}
    check_like_torch(  # squared, for a second derivative; PyTorch has none where it scales, nor of no rows
        lambda w: F.embedding(ad.tensor(index), w, **options) ** 2,
        lambda w: TF.embedding(torch.tensor(index), w, **options) ** 2,
        TABLE,
        second=index.size > 0 and not often,
    )


@pytest.mark.parametrize("norm_type", [1.0, 2.0, float("inf")])
def test_rows_that_are_looked_up_are_limited_in_place(norm_type: float) -> None:
    ours, theirs = ad.tensor(TABLE, requires_grad=True), torch.tensor(TABLE, requires_grad=True)
    index = np.asarray([[0, 3], [3, 1]])
    out = F.embedding(ad.tensor(index), ours, max_norm=0.9, norm_type=norm_type)
    wanted = TF.embedding(torch.tensor(index), theirs, max_norm=0.9, norm_type=norm_type)
    (out**2).sum().backward()
    (wanted**2).sum().backward()
    for a, b in ((out, wanted), (ours, theirs), (ours.grad, theirs.grad)):
        np.testing.assert_allclose(values(a), values(b), 1e-6)


BAGS: dict[str, Any] = {
    "rows": (([[0, 1, 0], [4, 2, 2]],), {}),
    "one after another": (([0, 1, 0, 2, 4, 4], [0, 3, 3]), {}),
    "with the end": (([0, 1, 0, 2, 4], [0, 2, 5]), {"include_last_offset": True}),
    "with padding": (([[0, 1, 0], [0, 0, 0]],), {"padding_idx": 0}),
    "with padding one after another": (([2, 1, 2, 4], [0, 3]), {"padding_idx": -3}),
}


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("case", BAGS)
def test_embedding_bag_is_pytorchs(case: str, mode: str) -> None:
    numbers, options = BAGS[case]

    def bag(library: Any, functions: Any, w: Any, **more: Any) -> Any:
        index, *offsets = (library.tensor(np.asarray(n)) for n in numbers)
        return functions.embedding_bag(index, w, *offsets, mode=mode, **options, **more)

    check_like_torch(lambda w: bag(ad, F, w), lambda w: bag(torch, TF, w), TABLE, second=False)
    if mode == "sum":
        factors = RNG.normal(size=np.asarray(numbers[0]).shape)
        check_like_torch(
            lambda w, s: bag(ad, F, w, per_sample_weights=s),
            lambda w, s: bag(torch, TF, w, per_sample_weights=s),
            TABLE,
            factors,
            second=False,
        )


def test_a_bags_gradient_is_scaled_by_how_often_a_row_is_looked_up() -> None:
    index = np.asarray([[0, 1, 0], [0, 2, 4]])  # the oracle is the sum of an embedding: PyTorch scales all of a bag's rows alike
    for offsets, numbers in ((None, index), (ad.tensor([0, 3]), index.ravel())):
        check_like_torch(
            lambda w, n=numbers, o=offsets: F.embedding_bag(ad.tensor(n), w, o, mode="mean", scale_grad_by_freq=True),
            lambda w: TF.embedding(torch.tensor(index), w, scale_grad_by_freq=True).mean(1),
            TABLE,
            second=False,
        )


def test_bags_of_nothing_are_zero() -> None:
    for mode in ("sum", "mean", "max"):
        assert F.embedding_bag(ad.zeros(2, 0, dtype=int), ad.tensor(TABLE), mode=mode).tolist() == [[0.0] * 3] * 2
        assert F.embedding_bag(ad.zeros(0, dtype=int), ad.tensor(TABLE), ad.tensor([0, 0]), mode=mode).tolist() == [[0.0] * 3] * 2


MODULES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Embedding", (5, 3), {}),
    ("Embedding", (5, 3, -2, 1.5, 1.0, True), {}),
    ("EmbeddingBag", (5, 3), {}),
    ("EmbeddingBag", (5, 3, 1.0), {"mode": "sum", "padding_idx": 1}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), MODULES)
def test_a_layer_prints_and_computes_as_pytorchs_and_weights_move_both_ways(name: str, args: Any, kwargs: Any) -> None:
    ours, theirs = getattr(nn, name)(*args, **kwargs).double(), getattr(torch.nn, name)(*args, **kwargs).double()
    assert repr(ours) == repr(theirs)
    ours.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()})
    theirs.load_state_dict({n: torch.tensor(values(v)) for n, v in ours.state_dict().items()})
    index = np.asarray([[0, 1], [3, 3]])
    out, wanted = ours(ad.tensor(index)), theirs(torch.tensor(index))
    np.testing.assert_allclose(values(out), values(wanted), 1e-6)
    (out**2).sum().backward()
    (wanted**2).sum().backward()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(values(p), values(q), 1e-6)
        np.testing.assert_allclose(values(p.grad), values(q.grad), 1e-6)


def test_a_table_starts_normal_with_a_row_of_zeros_for_padding() -> None:
    weight = values(nn.Embedding(400, 50, padding_idx=3).weight)
    assert (weight[3] == 0).all()
    assert abs(weight.std() - 1) < 0.03
    assert abs(weight.mean()) < 0.03


def test_a_pretrained_table_is_shared_and_frozen_unless_asked_for() -> None:
    table = ad.tensor(TABLE)
    for kind in (nn.Embedding, nn.EmbeddingBag):
        layer = kind.from_pretrained(table)
        assert not layer.weight.requires_grad
        assert layer.weight.shape == (5, 3)
        table[0, 0] = 7.0
        assert layer.weight[0, 0].item() == 7.0
        assert kind.from_pretrained(table, freeze=False).weight.requires_grad


def test_numbers_and_shapes_that_do_not_fit_are_refused() -> None:
    w = ad.tensor(TABLE)
    for numbers in ([0, 5], [-1, 2]):
        with pytest.raises(IndexError, match=r"embedding: .*5 elements, 0 to 4"):
            F.embedding(ad.tensor(numbers), w)
    with pytest.raises(TypeError, match=r"\.long\(\)"):
        F.embedding(ad.ones(2), w)
    with pytest.raises(ValueError, match=r"padding_idx must be .*, not 5"):
        F.embedding(ad.tensor([0]), w, padding_idx=5)
    with pytest.raises(ValueError, match=r"Embedding: padding_idx must be .*, not -6"):
        nn.Embedding(5, 3, padding_idx=-6)
    for numbers, offsets in (([0, 1], None), ([[0, 1]], [0])):
        with pytest.raises(ValueError, match="without offsets, or"):
            F.embedding_bag(ad.tensor(numbers), w, None if offsets is None else ad.tensor(offsets))
    for offsets in ([1, 2], [0, 2, 1], [0, 3]):
        with pytest.raises(ValueError, match="increase from 0"):
            F.embedding_bag(ad.tensor([0, 1]), w, ad.tensor(offsets))
    with pytest.raises(ValueError, match="need mode='sum'"):
        F.embedding_bag(ad.tensor([[0, 1]]), w, per_sample_weights=ad.ones(1, 2))
    with pytest.raises(ValueError, match="mode must be"):
        F.embedding_bag(ad.tensor([[0, 1]]), w, mode="min")
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\).*\(1, 3, 5\)"):
        F.bilinear(ad.ones(2, 3), ad.ones(2, 4), ad.ones(1, 3, 5))
    other = "strict" if ad.backends.default().name == "numpy" else "cpu"
    with pytest.raises(ad.errors.BackendError, match="move one"):
        F.embedding(ad.tensor([0], device=other), w)
