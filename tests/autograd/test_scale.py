"""Scale: value, first and second derivative of float32 numbers from 1e-30 to 1e30, and in the tails, against mpmath.

Wherever the true result is a normal float32, it is correct to :data:`PLACES` units of the last place, or to as many as a relative
change of the inputs by one unit makes (their condition). ``exemptions.SCALE`` lists the exceptions, with the reason.
"""

from __future__ import annotations

import math
from typing import Any

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.nn import functional as F
from adjoint.nn.utils import clip_grad_norm_

from .exemptions import SCALE

pytestmark = pytest.mark.usefixtures("backend")
EPS, TINY, LARGEST = 2.0**-24, 2.0**-126, 3.4e38
PLACES = 32

SCALES = st.tuples(st.sampled_from([1.0, -1.0]), st.floats(1, 9.9), st.integers(-30, 29)).map(lambda t: t[0] * t[1] * 10.0 ** t[2])
ANY = SCALES | st.floats(-90, 90, width=32).filter(lambda x: abs(x) > 1e-3)
POSITIVE = ANY.map(abs)
PROPER = POSITIVE.filter(lambda x: x < 1) | st.integers(1, 23).map(lambda k: 1.0 - 2.0**-k) | st.floats(0.01, 0.99)
EITHER = st.tuples(PROPER, st.booleans()).map(lambda t: -t[0] if t[1] else t[0])
ABOVE_ONE = POSITIVE.map(lambda x: 1.0 + x)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(-abs(x))) + max(x, mp.mpf(0))


def normal_cdf(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def mean(x: Any) -> Any:
    return mp.fsum(x) / len(x)


def length(x: Any) -> Any:
    return mp.sqrt(mp.fsum(v * v for v in x))


def deviation(x: Any, eps: float = 0.0, correction: int = 0) -> Any:
    m = mean(x)
    return mp.sqrt(mp.fsum((v - m) ** 2 for v in x) / (len(x) - correction) + eps)


#: Of each: how to draw its arguments, our function of as many numbers, and mpmath's.
CASES: dict[str, tuple[Any, Any, Any]] = {
    **{name: ((ANY,), getattr(ad, name), getattr(mp, name)) for name in "exp expm1 sinh cosh tanh asinh atan".split()},
    **{name: ((POSITIVE,), getattr(ad, name), getattr(mp, name)) for name in "log sqrt".split()},
    "log2": ((POSITIVE,), ad.log2, lambda x: mp.log(x, 2)),
    "log10": ((POSITIVE,), ad.log10, mp.log10),
    "log1p": ((POSITIVE | EITHER,), ad.log1p, mp.log1p),
    "rsqrt": ((POSITIVE,), ad.rsqrt, lambda x: 1 / mp.sqrt(x)),
    "reciprocal": ((ANY,), ad.reciprocal, lambda x: 1 / x),
    "square": ((ANY,), ad.square, lambda x: x * x),
    "asin": ((EITHER,), ad.asin, mp.asin),
    "acos": ((EITHER,), ad.acos, mp.acos),
    "atanh": ((EITHER,), ad.atanh, mp.atanh),
    "acosh": ((ABOVE_ONE,), ad.acosh, mp.acosh),
    "sigmoid": ((ANY,), ad.sigmoid, sigmoid),
    "logit": ((PROPER,), ad.special.logit, lambda x: mp.log(x / (1 - x))),
    "erf": ((ANY,), ad.erf, mp.erf),
    "erfc": ((ANY,), ad.special.erfc, mp.erfc),
    "erfinv": ((EITHER,), ad.erfinv, mp.erfinv),
    "log_ndtr": ((ANY,), ad.special.log_ndtr, lambda x: mp.log(normal_cdf(x))),
    "entr": ((POSITIVE,), ad.special.entr, lambda x: -x * mp.log(x)),
    "softplus": ((ANY,), lambda x: F.softplus(x, threshold=math.inf), softplus),
    "logsigmoid": ((ANY,), F.logsigmoid, lambda x: -softplus(-x)),
    "silu": ((ANY,), F.silu, lambda x: x * sigmoid(x)),
    "mish": ((ANY,), F.mish, lambda x: x * mp.tanh(softplus(x))),
    "gelu": ((ANY,), F.gelu, lambda x: x * normal_cdf(x)),
    "elu": ((ANY,), F.elu, lambda x: x if x > 0 else mp.expm1(x)),
    "softsign": ((ANY,), F.softsign, lambda x: x / (1 + abs(x))),
    "tanhshrink": ((ANY,), F.tanhshrink, lambda x: x - mp.tanh(x)),
    "divide": ((ANY, ANY), ad.divide, lambda x, y: x / y),
    "pow": ((POSITIVE, st.floats(-3, 3, width=32)), ad.pow, lambda x, y: x**y),
    "atan2": ((ANY, ANY), ad.atan2, mp.atan2),
    "hypot": ((ANY, ANY), ad.hypot, mp.hypot),
    "logaddexp": ((ANY, ANY), ad.logaddexp, lambda x, y: y + softplus(x - y) if x < y else x + softplus(y - x)),
    "xlogy": ((ANY, POSITIVE), ad.special.xlogy, lambda x, y: x * mp.log(y)),
    "binary_cross_entropy": (
        (PROPER, st.sampled_from([0.0, 1.0])),
        lambda x, y: F.binary_cross_entropy(x, y.detach(), reduction="sum"),
        lambda x, y: -mp.log(x) if y else -mp.log1p(-x),
    ),
    "binary_cross_entropy_with_logits": (
        (ANY, st.sampled_from([0.0, 1.0])),
        lambda x, y: F.binary_cross_entropy_with_logits(x, y.detach(), reduction="sum"),
        lambda x, y: softplus(-x) if y else softplus(x),
    ),
    "soft_margin_loss": ((ANY,), lambda x: F.soft_margin_loss(x, ad.ones_like(x.detach())), lambda x: softplus(-x)),
    "gaussian_nll_loss": (
        (ANY, POSITIVE.filter(lambda v: v > 1e-6)),
        lambda x, v: F.gaussian_nll_loss(x, ad.zeros_like(x.detach()), v),
        lambda x, v: (mp.log(v) + x * x / v) / 2,
    ),
}
#: The same of rows of numbers that are near each other in scale.
ROWS: dict[str, tuple[Any, Any]] = {
    "norm": (lambda x: x.norm(), length),
    "norm along": (lambda x: ad.linalg.vector_norm(x, dim=0), length),
    "3-norm": (lambda x: x.norm(3.0), lambda x: mp.fsum(abs(v) ** 3 for v in x) ** (mp.mpf(1) / 3)),
    "half-norm": (lambda x: x.norm(0.5), lambda x: mp.fsum(mp.sqrt(abs(v)) for v in x) ** 2),
    "norm of order -2": (lambda x: x.norm(-2.0), lambda x: mp.fsum(abs(v) ** -2 for v in x) ** (-mp.mpf(1) / 2)),
    "Frobenius": (lambda x: ad.linalg.matrix_norm(x.reshape(1, -1)), length),
    "dist": (lambda x: ad.dist(x, x.detach() * 0), length),
    "cdist": (lambda x: ad.cdist(x[None], x.detach()[None] * 0).sum(), length),
    "std": (lambda x: x.std(), lambda x: deviation(x, correction=1)),
    "std along": (lambda x: x.std(0, correction=0), deviation),
    "var": (lambda x: x.var(), lambda x: deviation(x, correction=1) ** 2),
    "mean": (lambda x: x.mean(), mean),
    "standardize": (lambda x: F.layer_norm(x, x.shape)[0], lambda x: (x[0] - mean(x)) / deviation(x, 1e-5)),
    "layer_norm": (
        lambda x: F.layer_norm(x, x.shape, ad.ones_like(x.detach()))[0], lambda x: (x[0] - mean(x)) / deviation(x, 1e-5)
    ),
    "batch_norm": (
        lambda x: F.batch_norm(x[:, None], None, None, training=True)[0, 0], lambda x: (x[0] - mean(x)) / deviation(x, 1e-5)
    ),
    "group_norm": (lambda x: F.group_norm(x[None, None], 1)[0, 0, 0], lambda x: (x[0] - mean(x)) / deviation(x, 1e-5)),
    "instance_norm": (lambda x: F.instance_norm(x[None, None])[0, 0, 0], lambda x: (x[0] - mean(x)) / deviation(x, 1e-5)),
    "rms_norm": (
        lambda x: F.rms_norm(x, x.shape, eps=1e-6)[0], lambda x: x[0] / mp.sqrt(mp.fsum(v * v for v in x) / len(x) + 1e-6)
    ),
    "normalize": (lambda x: F.normalize(x, dim=0)[0], lambda x: x[0] / max(length(x), mp.mpf(1e-12))),
    "cosine_similarity": (
        lambda x: F.cosine_similarity(x, ad.tensor([1.0, 2.0, -1.0, 0.5])[: x.shape[0]], 0),
        lambda x: mp.fsum(a * b for a, b in zip(x, (1, 2, -1, 0.5), strict=False))
        / (max(length(x), mp.mpf(1e-8)) * length([1, 2, -1, 0.5][: len(x)])),
    ),
    "logsumexp": (lambda x: ad.logsumexp(x, 0), lambda x: mp.log(mp.fsum(mp.exp(v - max(x)) for v in x)) + max(x)),
    "corrcoef": (
        lambda x: ad.corrcoef(ad.stack([x, ad.tensor([1.0, 2.0, -1.0, 0.5])[: x.shape[0]]]))[0, 1],
        lambda x: mp.fsum((a - mean(x)) * b for a, b in zip(x, centred_others(len(x)), strict=True))
        / (deviation(x) * len(x) * deviation(centred_others(len(x)))),
    ),
}  # fmt: skip


def centred_others(n: int) -> Any:
    others = [mp.mpf(v) for v in (1, 2, -1, 0.5)[:n]]
    return [v - mean(others) for v in others]


def found(function: Any, numbers: list[float], row: bool, orders: int) -> list[list[float]]:
    """The value, the slopes by each number, and the second ones by each number alone."""
    if row:
        leaf = ad.tensor(np.array(numbers, np.float32), requires_grad=True)
        leaves, out = [leaf], function(leaf)
    else:
        leaves = [ad.tensor(np.float32(v), requires_grad=True) for v in numbers]
        out = function(*leaves)
    results = [[out.item()]]
    gradients = ad.autograd.grad(out.sum(), leaves, create_graph=True, allow_unused=True)
    flat = [g for g in gradients if g is not None]
    results.append([v for g in flat for v in np.atleast_1d(g.detach().cpu().numpy()).tolist()])
    if orders > 1 and not row:
        seconds = [ad.autograd.grad(g, x, retain_graph=True, allow_unused=True)[0] if g is not None and g.requires_grad else None
                   for g, x in zip(gradients, leaves, strict=True)]  # fmt: skip
        results.append([0.0 if s is None else s.item() for s, g in zip(seconds, gradients, strict=True) if g is not None])
    return results


def slope(function: Any, at: list[Any], i: int, order: int) -> Any:
    """The derivative of that order by the i-th number, by a difference with 60 digits to spare."""
    h = (abs(at[i]) or mp.mpf(1)) * mp.mpf(10) ** -25
    values = [function([*at[:i], at[i] + k * h, *at[i + 1 :]]) for k in (-1, 0, 1)]
    return (values[2] - values[0]) / (2 * h) if order == 1 else (values[2] - 2 * values[1] + values[0]) / (h * h)


def nearness(function: Any, at: list[Any]) -> tuple[Any, Any]:
    """The function's value, and by how much it changes where each number changes by one unit of float32's last place."""
    value = function(at)
    moved = (function([*at[:i], x * (1 + mp.mpf(EPS)), *at[i + 1 :]]) for i, x in enumerate(at))
    moved = (mp.mpf(0) if isinstance(v, mp.mpc) else abs(v - value) for v in moved)
    return value, mp.fsum(moved)


def check(name: str, ours: Any, exact: Any, numbers: list[float], row: bool = False) -> None:
    numbers = [float(np.float32(v)) for v in numbers]
    exempt = SCALE.get(name, {})
    with mp.workdps(130):
        at = [mp.mpf(v) for v in numbers]
        try:
            with ad.backends.default().suppress_warnings():
                results = found(ours, numbers, row, 1 if "second" in exempt else 2)
        except ZeroDivisionError:  # mpmath's poles
            return
        size = mp.fsum(map(abs, at)) / len(at)
        if row:  # what is centred has the scale of the differences
            size = min(size, (max(at) - min(at)) / 2)
        before = mp.mpf(0)  # the largest derivative of the order before
        for order, got in enumerate(results):
            what, largest = ("value", "first", "second")[order], mp.mpf(0)
            if what in exempt or (order == 2 and not all(1e-6 < abs(v) < 1e6 for v in numbers)):
                continue
            for i, value in enumerate(got):
                wanted = exact if order == 0 else lambda at, i=i, order=order: slope(exact, at, i, order)
                try:
                    true, change = nearness(wanted, at)
                except (ZeroDivisionError, ValueError):
                    continue
                if isinstance(true, mp.mpc) or isinstance(change, mp.mpc) or not mp.isnormal(true):
                    continue  # at the edge of the domain
                largest = max(largest, abs(true))
                natural = before / size if row or order == 2 else mp.mpf(0)  # terms of this size cancel
                if not TINY * 256 < abs(true) < LARGEST / 256:
                    continue
                bound = PLACES * (EPS * (abs(true) + natural) + change)
                assert abs(mp.mpf(value) - true) <= bound, (
                    f"{name}{tuple(numbers)}, {what} by {i}: {value} for {mp.nstr(true, 9)}, "
                    f"{mp.nstr(abs(value / true - 1) / EPS, 4)} places of {mp.nstr(bound / abs(true) / EPS, 4)}"
                )
            before = largest


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=12)
@given(data=st.data())
def test_value_and_derivatives_keep_their_digits_at_every_scale(name: str, data: Any) -> None:
    drawn, ours, exact = CASES[name]
    check(name, ours, lambda at: exact(*at), [data.draw(d) for d in drawn])


@pytest.mark.parametrize("name", [name for name, (drawn, *_) in CASES.items() if drawn[0] is ANY])
def test_value_and_derivatives_keep_their_digits_in_the_tails(name: str) -> None:
    drawn, ours, exact = CASES[name]
    for x in (-40.0, -15.0, 15.0, 40.0):
        for y in (0.0, 1.0) if "cross_entropy" in name else (0.5,):
            check(name, ours, lambda at: exact(*at), [x, y][: len(drawn)])


@pytest.mark.parametrize("name", ["asin", "acos", "atanh"])
def test_slopes_keep_their_digits_next_to_one(name: str) -> None:
    x = np.float32(1) - np.arange(1, 50, dtype=np.float32) * np.float32(2**-24)
    leaf = ad.tensor(x, requires_grad=True)
    getattr(ad, name)(leaf).sum().backward()
    assert leaf.grad is not None
    rest = (1 - x.astype(np.float64)) * (1 + x.astype(np.float64))
    wanted = {"asin": 1 / np.sqrt(rest), "acos": -1 / np.sqrt(rest), "atanh": 1 / rest}[name]
    np.testing.assert_allclose(leaf.grad.cpu().numpy(), wanted, 3e-7)


@pytest.mark.parametrize("name", ROWS)
@settings(max_examples=3)
@given(numbers=st.lists(st.floats(-9, 9, width=16).filter(lambda x: abs(x) > 0.1), min_size=2, max_size=4, unique=True))
def test_reductions_keep_their_digits_at_every_scale(name: str, numbers: Any) -> None:
    ours, exact = ROWS[name]
    for scale in (-30, -22, -5, 0, 15, 22, 28):
        check(name, ours, exact, [v * 10.0**scale for v in numbers], row=True)


def single(*numbers: float) -> ad.Tensor:
    return ad.tensor(np.array(numbers, np.float32), requires_grad=True)


def test_the_figures_of_the_report() -> None:
    assert single(1e-25, 2e-25, 4e-25).std().item() == pytest.approx(1.5275252e-25, rel=1e-6)
    assert single(1e20, 2e20, 4e20).std().item() == pytest.approx(1.5275252e20, rel=1e-6)
    assert single(1e20, 1.0, 1.0).norm().item() == pytest.approx(1e20, rel=1e-6)
    for weight in (None, ad.ones(3)):
        assert F.layer_norm(single(1e20, 2e20, 4e20), (3,), weight).tolist() == pytest.approx([-1.0690450, -0.2672612, 1.3363062])
    x, y = single(1e-25), single(1e-25)
    ad.atan2(x, y).sum().backward()
    assert x.grad is not None
    assert x.grad.item() == pytest.approx(5e24, rel=1e-6)
    assert ad.hessian(lambda x: F.logsigmoid(x).sum())(single(-40.0).detach()).item() == pytest.approx(-4.248354e-18, rel=1e-6)
    x, y = single(math.inf), single(0.0)
    ad.logaddexp(x, y).sum().backward()
    assert [g.item() for g in (x.grad, y.grad) if g is not None] == [1.0, 0.0]
    for norm in (
        lambda x: F.batch_norm(x, None, None, training=True),
        lambda x: F.layer_norm(x.mT, (1000,)),
        lambda x: x - x + x.std(0),
    ):
        assert not norm(ad.full((1000, 1), 1e10) + ad.zeros(1)).any().item()


def test_a_constant_of_any_scale_has_no_deviation_and_its_gradient_is_zero() -> None:
    for value in (1e-30, 0.1, 3.3e10, 1e30):
        x = ad.full((3, 777), value).requires_grad_()
        (x.std(1).sum() + x.var().sum()).backward()
        assert x.grad is not None
        assert not x.grad.any().item()


def test_clipping_by_the_norm_holds_at_every_scale() -> None:
    for scale in (1e-30, 1e-20, 1.0, 1e20, 1e30):
        params = [ad.zeros(2).requires_grad_(), ad.zeros(1, 1).requires_grad_()]
        for order, norm in ((2.0, 13.0), (3.0, (27 + 64 + 1728) ** (1 / 3)), (math.inf, 12.0)):
            params[0].grad, params[1].grad = ad.tensor([3.0, 4.0]) * scale, ad.tensor([[12.0]]) * scale
            assert clip_grad_norm_(params, 1e-3 * scale, order).item() == pytest.approx(norm * scale, rel=1e-6)
            if scale > 1e-3:
                assert params[1].grad.item() == pytest.approx(12e-3 / norm * scale, rel=1e-4)


def test_a_replay_has_the_bits_of_the_call_at_every_scale() -> None:
    def step(x: Any) -> Any:
        def total(x: Any) -> Any:
            rows = F.layer_norm(x, (8,), x[0].detach()) + F.batch_norm(x, None, None, training=True)
            return rows.sum() * 1e-3 + x.norm() + x.std(0).sum() + F.cosine_similarity(x, x.flip(0)).sum()

        return ad.value_and_grad(total)(x)

    replayed = ad.capture(step)
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e-25, 1e20, 1e-30, 1.0):
        x = ad.tensor((rng.normal(size=(4, 8)) * scale).astype(np.float32))
        with ad.backends.default().suppress_warnings():
            for a, b in zip(replayed(x), step(x), strict=True):
                assert a.cpu().numpy().tobytes() == b.cpu().numpy().tobytes()
