"""float16: what adds up, counts, divides by a count or normalizes does so in float32 inside, and so do the derivatives.

array-api-strict has no float16, as the standard has none: there is nothing to compare with there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.autograd.primitive import registry

from .exemptions import EXEMPT
from .oracle import torch
from .samples import SAMPLES

N = 256  # N * N is beyond float16's largest number, 65504
RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 1.5, (N, N)).astype(np.float16)
Y = RNG.uniform(0.5, 1.5, (N, N)).astype(np.float16)
INDEX, CLASSES = RNG.integers(0, 3, N * N), RNG.integers(0, 4, N * N // 4)
TINY = np.float64(2.0**-24)  # the smallest float16


def losses(name: str, **options: Any) -> Any:
    return lambda m, x, y: getattr(m.nn.functional, name)(x, y, **options)


def F(name: str, *args: Any, **options: Any) -> Any:
    return lambda m, x, y: getattr(m.nn.functional, name)(x, *args, **options)


#: Of a library and two tensors of N x N numbers around 1.
SUMMED: dict[str, Any] = {
    "mean": lambda m, x, y: x.mean(),
    "sigmoid's mean": lambda m, x, y: m.sigmoid(x).mean(),
    "mean of large": lambda m, x, y: (x * 32768).mean(0),
    "sum": lambda m, x, y: (x - y).sum() / 16,
    "row sums": lambda m, x, y: (x * y).sum(1),
    "var": lambda m, x, y: x.var(),
    "var of large": lambda m, x, y: (x * 128).var(0),
    "std": lambda m, x, y: (x * 8192).std(),
    "var_mean": lambda m, x, y: sum(m.var_mean(x)),
    "cumsum": lambda m, x, y: (x / 8).reshape(-1)[:4096].cumsum(0),
    "prod": lambda m, x, y: m.prod(m.cat([x[:2] * 1024, y[:2] / 1024]), 0),
    "cumprod": lambda m, x, y: m.cumprod(m.cat([x[:2] / 128, y[:2] * 64]), 0)[-1],
    "logsumexp": lambda m, x, y: m.logsumexp(x.reshape(-1), 0),
    "logcumsumexp": lambda m, x, y: m.logcumsumexp(x.reshape(-1)[:4096], 0),
    "softmax": lambda m, x, y: m.softmax(x / 128, 1),
    "log_softmax": lambda m, x, y: m.log_softmax(x.reshape(-1), 0)[:9],
    "norm": lambda m, x, y: m.linalg.vector_norm(x * 64),
    "1-norm": lambda m, x, y: m.norm(x - y, 1) / 64,
    "3-norm": lambda m, x, y: m.norm(x * 64, 3.0, 0),
    "Frobenius": lambda m, x, y: m.linalg.matrix_norm(x * 64),
    "ties of amax": lambda m, x, y: m.amax(x / x.detach()),
    "ties of amin": lambda m, x, y: m.amin(x / x.detach(), 0),
    "nanmean": lambda m, x, y: m.nanmean(x),
    "trace": lambda m, x, y: m.trace(x * 64),
    "cov": lambda m, x, y: m.cov(x[:3] * 64),
    "corrcoef": lambda m, x, y: m.corrcoef(x[:3] * 64),
    "cdist": lambda m, x, y: m.cdist(x[:4] * 256, y[:4] * 256),
    "dist": lambda m, x, y: m.dist(x * 64, y),
    "vecdot": lambda m, x, y: m.linalg.vecdot(x * 128, y),
    "trapezoid": lambda m, x, y: m.trapezoid(x * 256, dx=0.01),
    "broadcast": lambda m, x, y: x[:1, :4] / 128 + y.reshape(-1, 4),
    "expanded": lambda m, x, y: x[0, 0].expand(N, N) * y,
    "picked again and again": lambda m, x, y: x[0][m.tensor(INDEX)] * 0.5,
    "index_select": lambda m, x, y: m.index_select(x[:3], 0, m.tensor(INDEX[:4096])),
    "index_add": lambda m, x, y: m.index_add(x[0] * 0, 0, m.tensor(INDEX[:4096]), (y.reshape(-1)[:4096])),
    "scatter_add": lambda m, x, y: m.scatter_add(x[0] * 0, 0, m.tensor(INDEX[:4096]), y.reshape(-1)[:4096]),
    "scatter_reduce": lambda m, x, y: m.scatter_reduce(x[0] * 0, 0, m.tensor(INDEX), y.reshape(-1), "mean"),
    "gather": lambda m, x, y: m.gather(x[0], 0, m.tensor(INDEX)),
    "matmul": lambda m, x, y: (x / 16) @ y,
    "linear": lambda m, x, y: m.nn.functional.linear(x, y / 64, x[0]),
    **{
        name: losses(name)
        for name in "mse_loss l1_loss huber_loss smooth_l1_loss poisson_nll_loss".split()
    },
    "kl_div": lambda m, x, y: m.nn.functional.kl_div(x, y, reduction="batchmean"),
    "soft_margin_loss": lambda m, x, y: m.nn.functional.soft_margin_loss(x, y.detach()),
    "mse_loss of large": lambda m, x, y: m.nn.functional.mse_loss(x * 128, y),
    "mse_loss in sum": lambda m, x, y: m.nn.functional.mse_loss(x, y, reduction="sum") / 16,
    "binary_cross_entropy": lambda m, x, y: m.nn.functional.binary_cross_entropy(x / 2, y / 2),
    "with logits": losses("binary_cross_entropy_with_logits"),
    "gaussian_nll_loss": lambda m, x, y: m.nn.functional.gaussian_nll_loss(x * 64, y, y),
    "multilabel_soft_margin_loss": losses("multilabel_soft_margin_loss"),
    "cosine_embedding_loss": lambda m, x, y: m.nn.functional.cosine_embedding_loss(x * 64, y, m.ones(N, dtype=x.dtype)),
    "triplet_margin_loss": lambda m, x, y: m.nn.functional.triplet_margin_loss(x * 64, y, x[:1] * 0),
    "cross_entropy": lambda m, x, y: m.nn.functional.cross_entropy(x.reshape(-1, 4), m.tensor(CLASSES)),
    "cross_entropy by weight": lambda m, x, y: m.nn.functional.cross_entropy(
        m.cat([x.reshape(-1, 4)] * 5), m.tensor(np.tile(CLASSES, 5)), y[0, :4].detach()
    ),
    "nll_loss": lambda m, x, y: m.nn.functional.nll_loss(x.reshape(-1, 4), m.tensor(CLASSES), y[0, :4].detach()),
    "smoothed": lambda m, x, y: m.nn.functional.cross_entropy(x.reshape(-1, 4), m.tensor(CLASSES), label_smoothing=0.1),
    "avg_pool2d": lambda m, x, y: m.nn.functional.avg_pool2d((x * 1024)[None], 32),
    "avg_pool2d, padded": lambda m, x, y: m.nn.functional.avg_pool2d((x * 1024)[None], 33, 32, 16, count_include_pad=False),
    "lp_pool2d": lambda m, x, y: m.nn.functional.lp_pool2d((x * 256)[None], 2, 8),
    "adaptive_avg_pool2d": lambda m, x, y: m.nn.functional.adaptive_avg_pool2d((x * 1024)[None], (5, 4)),
    "max_pool1d": lambda m, x, y: m.nn.functional.max_pool1d(m.cat([x[:16], y[:1] + 2, x[:16]]).reshape(1, -1), 2048, 1),
    "unfold": lambda m, x, y: x[0].unfold(0, 200, 1),
    "interpolate area": lambda m, x, y: m.nn.functional.interpolate((x * 1024)[None], 3, mode="area"),
    "interpolate linear": lambda m, x, y: m.nn.functional.interpolate(x[:4, :4][None], 200, mode="linear"),
    "interpolate nearest": lambda m, x, y: m.nn.functional.interpolate(x[:4, :4][None], 20000, mode="nearest"),
    "layer_norm": lambda m, x, y: m.nn.functional.layer_norm(x * 1024, (N, N), y, x),
    "layer_norm, plain": F("layer_norm", (N, N)),
    "rms_norm": lambda m, x, y: m.nn.functional.rms_norm(x * 1024, (N,), y[0], 1e-3),
    "batch_norm": lambda m, x, y: m.nn.functional.batch_norm(x * 1024, None, None, y[0], x[0], True),
    "group_norm": lambda m, x, y: m.nn.functional.group_norm((x * 1024)[None], 4, y[0], x[0]),
    "instance_norm": lambda m, x, y: m.nn.functional.instance_norm((x * 1024)[None], weight=y[0], bias=x[0]),
    "local_response_norm": lambda m, x, y: m.nn.functional.local_response_norm((x * 256)[None], 3, 1e-2),
    "normalize": lambda m, x, y: m.nn.functional.normalize(x * 1024),
    "cosine_similarity": lambda m, x, y: m.nn.functional.cosine_similarity(x * 8, y),
    "pairwise_distance": lambda m, x, y: m.nn.functional.pairwise_distance(x * 256, y),
    "attention": lambda m, x, y: m.nn.functional.scaled_dot_product_attention(x[None], y[None], x[None]),
    "convolution": lambda m, x, y: m.nn.functional.conv1d(x[:, None], y[:2, None, :3] / 16, x[0, :2]),
    "transposed": lambda m, x, y: m.nn.functional.conv_transpose1d(x[:, None], y[None, :2, :3] / 16, x[0, :2]),
    "embedding": lambda m, x, y: m.nn.functional.embedding(m.tensor(INDEX[:4096]), x[:3]),
    "embedding_bag": lambda m, x, y: m.nn.functional.embedding_bag(m.tensor(INDEX[None]), x[:3]),
}  # fmt: skip


def on(m: Any, case: str, dtype: str, factor: float) -> list[Any]:
    """The value, and the gradients of ``factor`` times its weighted sum."""
    leaves = [m.tensor(a.astype(dtype), requires_grad=True) for a in (X, Y)]
    out = SUMMED[case](m, *leaves)
    weights = m.tensor((RNG_WEIGHTS[: out.numel()] * factor).astype(dtype)).reshape(out.shape)
    out.backward(weights)
    assert dtype in str(out.dtype)
    gradients = [np.zeros(x.shape) if x.grad is None else x.grad.detach().double().cpu().numpy() for x in leaves]
    return [out.detach().double().cpu().numpy(), *gradients]


RNG_WEIGHTS = np.random.default_rng(1).choice([0.25, 0.5, 1.0], 16 * N * N)


@pytest.mark.parametrize("case", SUMMED)
def test_float16_has_the_value_and_gradient_of_float64_rounded(case: str, backend: Any) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip("array-api-strict has no float16, as the standard has none")
    many = on(torch, case, "float64", 1.0)[0].size
    factor = 1024.0 if many == 1 else 1.0
    for found, wanted in zip(on(ad, case, "float16", factor), on(torch, case, "float64", factor), strict=True):
        largest = np.abs(wanted).max()
        assert largest < 65504, "the case is beyond float16"
        np.testing.assert_allclose(found, wanted, rtol=8 * 2.0**-11, atol=max(4 * 2.0**-11 * largest, 2 * TINY))


ADDS_UP = ("sum", "mean", "prod", "cumulative_sum", "overlap_add", "scatter_add")


@pytest.mark.parametrize("name", sorted(set(SAMPLES) - set(EXEMPT["float16"])))
@settings(max_examples=4)
@given(data=st.data())
def test_no_primitive_adds_up_in_float16_nor_do_its_derivatives(name: str, data: Any) -> None:
    backend = ad.backends.get("numpy")
    sample, added = data.draw(SAMPLES[name]), []
    primitive = registry[name]

    def watched(function: Any, which: str) -> Any:
        def call(x: Any, *args: Any, **kwargs: Any) -> Any:
            basic = which == "scatter_add" and all(isinstance(i, (int, slice, type(...))) for i in (*_parts(args[0]),))
            if x.dtype == np.float16 and not basic:
                added.append(which)
            return function(x, *args, **kwargs)

        return call

    with ad.use_backend("numpy"), pytest.MonkeyPatch.context() as patch:
        for which in ADDS_UP:
            patch.setattr(backend.xp, which, watched(getattr(backend.xp, which), which))
        inputs = [ad.tensor(x.astype(np.float16) if x.dtype == np.float64 else x) for x in sample.inputs]
        leaves = [
            x.requires_grad_() for i, x in enumerate(inputs) if x.dtype is ad.float16 and (primitive.joint or i in primitive.rules)
        ]
        with backend.suppress_warnings():
            out = primitive(*inputs, **sample.params)
            for _ in range(2):
                if primitive.differentiable and leaves and out.requires_grad:
                    found = ad.autograd.grad(out, leaves, ad.ones_like(out), create_graph=True, allow_unused=True)
                    out = ad.stack([g.double().sum() for g in found if g is not None] or [ad.zeros((), dtype=ad.float64)]).sum()
    assert added == []


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def test_the_gradient_of_a_scaled_mean_is_not_lost(backend: Any) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip("array-api-strict has no float16, as the standard has none")
    w = ad.zeros(256, 256, dtype="float16", requires_grad=True)
    (ad.sigmoid(w).mean() * 1024).backward()
    assert w.grad is not None
    assert w.grad[0, 0].item() == 0.00390625


def test_float16_replayed_has_the_same_bits(backend: Any) -> None:
    if not hasattr(backend.xp, "float16"):
        pytest.skip("array-api-strict has no float16, as the standard has none")
    x = ad.tensor(X)

    def step(x: Any) -> Any:
        def total(x: Any) -> Any:
            return ad.softmax(x, 1).sum() + ad.nn.functional.layer_norm(x * 100, (N,)).std() + x.var() + (x * 64).norm()

        return ad.value_and_grad(total)(x)

    replayed = ad.capture(step)
    expected = step(x)
    for _ in range(2):
        for a, b in zip(replayed(x), expected, strict=True):
            assert a.dtype is ad.float16
            assert a.cpu().numpy().tobytes() == b.cpu().numpy().tobytes()
