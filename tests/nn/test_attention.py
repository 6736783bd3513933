"""Attention: PyTorch's values, gradients, masks and weights, of one head and of several, and in an encoder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd.oracle import needs_pytorch

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(0)
ALLOWED = RNG.uniform(size=(3, 5)) < 0.6
ALLOWED[1] = False  # a query without any key
ADDED = np.where(ALLOWED, RNG.normal(size=(3, 5)), -np.inf)
SHAPES = ((2, 1, 3, 4), (1, 2, 5, 4), (5, 6))
CASES: dict[str, tuple[Any, Any]] = {
    "no batch": (((3, 4), (5, 4), (5, 6)), lambda m: {}),
    "batches that broadcast": (SHAPES, lambda m: {"scale": 0.3}),
    "causal": (SHAPES, lambda m: {"is_causal": True}),
    "causal with fewer keys": (((2, 5, 4), (2, 3, 4), (2, 3, 4)), lambda m: {"is_causal": True}),
    "booleans": (SHAPES, lambda m: {"attn_mask": m.tensor(ALLOWED)}),
    "numbers": (SHAPES, lambda m: {"attn_mask": m.tensor(ADDED)}),
    "one mask for all queries": (SHAPES, lambda m: {"attn_mask": m.tensor(ALLOWED[0])}),
    "shared heads": (((2, 4, 3, 4), (2, 2, 5, 4), (2, 2, 5, 6)), lambda m: {"enable_gqa": True, "attn_mask": m.tensor(ALLOWED)}),
    "no key": (((2, 3, 4), (2, 0, 4), (2, 0, 6)), lambda m: {}),
    "no query": (((2, 0, 4), (2, 3, 4), (2, 3, 6)), lambda m: {}),
}


@pytest.mark.parametrize("case", CASES)
def test_scaled_dot_product_attention_is_pytorchs(case: str) -> None:
    shapes, options = CASES[case]
    arrays = [RNG.normal(size=s) for s in shapes]
    second = case not in ("no key", "no query")
    check_like_torch(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, **options(ad)),
        lambda q, k, v: TF.scaled_dot_product_attention(q, k, v, **options(torch)),
        *arrays,
        second=second,
    )


def test_a_mask_of_numbers_has_a_gradient() -> None:
    check_like_torch(
        lambda q, m: F.scaled_dot_product_attention(q, q, q, m),
        lambda q, m: TF.scaled_dot_product_attention(q, q, q, m),
        RNG.normal(size=(2, 3, 4)),
        RNG.normal(size=(3, 3)),
    )


def test_attention_drops_weights_at_the_rate_asked_for() -> None:
    x, ones = ad.zeros(1, 200, 2), ad.ones(1, 200, 1)
    out = values(F.scaled_dot_product_attention(x, x, ones, dropout_p=0.25))
    assert abs(out.mean() - 1) < 0.02
    assert 0.01 < out.std() < 0.08
    assert values(F.scaled_dot_product_attention(x, x, ones)).std() < 1e-6


def pair(ours: Any, theirs: Any) -> tuple[Any, Any]:
    """Both modules in float64, with random weights moved by state_dict to and fro."""
    ours, theirs = ours.double(), theirs.double()
    assert repr(ours).replace(": Linear", "") == repr(theirs).replace(": Linear", "").replace(
        ": NonDynamicallyQuantizableLinear", ""
    )
    assert [(n, tuple(v.shape)) for n, v in ours.state_dict().items()] == [
        (n, tuple(v.shape)) for n, v in theirs.state_dict().items()
    ]
    theirs.load_state_dict({n: torch.tensor(RNG.normal(size=v.shape)) for n, v in ours.state_dict().items()})
    ours.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()})
    return ours, theirs


PADDING = np.asarray([[False] * 5, [False, True, True, False, True]])
MODULES: dict[str, tuple[dict[str, Any], tuple[Any, ...], Any]] = {
    "plain": ({}, ((3, 2, 4), (5, 2, 4), (5, 2, 4)), lambda m: {}),
    "no batch": ({}, ((3, 4), (5, 4), (5, 4)), lambda m: {"key_padding_mask": m.tensor(PADDING[1])}),
    "batch first": ({"batch_first": True}, ((2, 3, 4), (2, 5, 4), (2, 5, 4)), lambda m: {"average_attn_weights": False}),
    "other columns": ({"kdim": 3, "vdim": 6, "batch_first": True}, ((2, 3, 4), (2, 5, 3), (2, 5, 6)), lambda m: {}),
    "no bias": ({"bias": False}, ((3, 2, 4), (5, 2, 4), (5, 2, 4)), lambda m: {"need_weights": False}),
    "one mask": ({}, ((3, 2, 4), (5, 2, 4), (5, 2, 4)), lambda m: {"attn_mask": m.tensor(ADDED[[0, 2, 2]])}),
    "both masks": (
        {"batch_first": True},
        ((2, 3, 4), (2, 5, 4), (2, 5, 4)),
        lambda m: {
            "key_padding_mask": m.tensor(PADDING),
            "attn_mask": m.tensor(np.eye(3, 5, dtype=bool)),
            "need_weights": False,
        },
    ),
    "a mask a head": (
        {},
        ((3, 2, 4), (5, 2, 4), (5, 2, 4)),
        lambda m: {"attn_mask": m.tensor(np.arange(60).reshape(4, 3, 5) / 60)},
    ),
}


@pytest.mark.parametrize("case", MODULES)
def test_attention_of_several_heads_is_pytorchs(case: str) -> None:
    made, shapes, options = MODULES[case]
    ours, theirs = pair(nn.MultiheadAttention(4, 2, **made), torch.nn.MultiheadAttention(4, 2, **made))
    arrays = [RNG.normal(size=s) for s in shapes]
    results = []
    for library, module in ((ad, ours), (torch, theirs)):
        inputs = [library.tensor(a, requires_grad=True) for a in arrays]
        out, weights = module(*inputs, **options(library))
        (out**2).sum().backward()
        results.append([out, weights, *(x.grad for x in (*inputs, *module.parameters()))])
    for a, b in zip(*results, strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            assert a.shape == tuple(b.shape)
            np.testing.assert_allclose(values(a), values(b), 1e-9, 1e-11)


def test_self_attention_projects_once_and_agrees() -> None:
    ours, theirs = pair(nn.MultiheadAttention(4, 2), torch.nn.MultiheadAttention(4, 2))
    check_like_torch(lambda x: ours(x, x, x)[0], lambda x: theirs(x, x, x)[0], RNG.normal(size=(3, 2, 4)))


def test_a_query_that_attends_to_nothing_gives_the_bias_and_no_nan() -> None:
    module = nn.MultiheadAttention(4, 2, batch_first=True)
    x = ad.ones(1, 3, 4, requires_grad=True)
    out, weights = module(x, x, x, key_padding_mask=ad.ones(1, 3, dtype=bool))
    out.sum().backward()
    assert out.tolist() == [[[0.0] * 4] * 3]
    assert weights is not None
    assert weights.tolist() == [[[0.0] * 3] * 3]
    assert x.grad is not None
    assert x.grad.tolist() == [[[0.0] * 4] * 3]


def test_projections_start_as_pytorchs() -> None:
    module = nn.MultiheadAttention(64, 4)
    assert module.in_proj_weight is not None
    bound = (6 / (4 * 64)) ** 0.5
    assert 0.98 * bound < np.abs(values(module.in_proj_weight)).max() <= bound
    assert module.in_proj_bias is not None
    assert not values(module.in_proj_bias).any()
    assert not values(module.out_proj.bias).any()


LAYERS: list[dict[str, Any]] = [
    {},
    {"norm_first": True, "activation": "gelu", "batch_first": True},
    {"bias": False, "layer_norm_eps": 0.1},
]


@pytest.mark.parametrize("made", LAYERS)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor:UserWarning")
def test_an_encoder_is_pytorchs(made: dict[str, Any]) -> None:
    needs_pytorch("2.13")  # how it is printed

    def encoder(library: Any) -> Any:
        layer = library.TransformerEncoderLayer(4, 2, 6, 0.0, **made)
        return library.TransformerEncoder(layer, 2, library.LayerNorm(4))

    ours, theirs = pair(encoder(nn), encoder(torch.nn))
    x = RNG.normal(size=(3, 2, 4))
    length = 2 if made.get("batch_first") else 3
    mask = np.where(np.tri(length, dtype=bool), 0.0, -np.inf)
    check_like_torch(
        lambda x: ours(x, ad.tensor(mask), is_causal=True), lambda x: theirs(x, torch.tensor(mask), is_causal=True), x, second=False
    )
    padding = np.zeros((x.shape[1], x.shape[0]), bool) if length == 3 else np.zeros(x.shape[:2], bool)
    padding[0, -1] = True
    check_like_torch(
        lambda x: ours(x, src_key_padding_mask=ad.tensor(padding)),
        lambda x: theirs(x, src_key_padding_mask=torch.tensor(padding)),
        x,
        second=False,
    )


def test_attention_refuses_what_does_not_fit() -> None:
    x, module = ad.ones(2, 3, 4), nn.MultiheadAttention(4, 2, batch_first=True)
    for act, kind, match in (
        (lambda: F.scaled_dot_product_attention(x, ad.ones(2, 3, 5), x), ValueError, r"\(2, 3, 5\).*\(…, S, E\)"),
        (
            lambda: F.scaled_dot_product_attention(x, x, x, ad.ones(3, 3, dtype=bool), is_causal=True),
            ValueError,
            "exclude each other",
        ),
        (lambda: F.scaled_dot_product_attention(x, x, x, ad.ones(3, 3, dtype=int)), TypeError, "mask is .*int64"),
        (lambda: F.scaled_dot_product_attention(ad.ones(3, 2, 4), x, x, enable_gqa=True), ValueError, "must divide"),
        (lambda: nn.MultiheadAttention(5, 2), ValueError, "must divide"),
        (lambda: nn.MultiheadAttention(4, 2, add_zero_attn=True), ValueError, "not offered"),
        (lambda: module(x, x, ad.ones(2, 4, 4)), ValueError, r"value \(2, 4, 4\)"),
        (lambda: module(x, x, ad.ones(2, 3, 5)), ValueError, "4, 4 and 4 columns"),
        (lambda: module(x, x, x, attn_mask=ad.zeros(3, 4)), ValueError, r"\(3, 4\); it must be \(3, 3\) or \(4, 3, 3\)"),
        (lambda: module(x, x, x, key_padding_mask=ad.zeros(3, 2)), ValueError, r"it must be \(2, 3\)"),
        (lambda: module(x, x, x, is_causal=True), ValueError, "which is missing"),
        (lambda: nn.TransformerEncoderLayer(4, 2, activation="tanh"), ValueError, "'relu', 'gelu' or a function"),
    ):
        with pytest.raises(kind, match=match):
            act()
