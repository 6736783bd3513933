"""The functions and methods of tensors against PyTorch: values, dtypes, gradients, second derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.testing.strategies import shapes

from .oracle import agree

pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(0)


def draw(*shape: int) -> Any:
    return RNG.normal(size=shape)


X, Y, Z = draw(3, 4), draw(3, 4), draw(2, 3, 4)
SQUARE = draw(4, 4)
POSITIVE = np.abs(draw(3, 4)) + 0.5

CASES = {
    "add with alpha": (lambda m, x, y: m.add(x, y, alpha=2.5), X, Y),
    "sub with alpha": (lambda m, x, y: x.sub(y, alpha=3), X, Y),
    "operators": (lambda m, x, y: (2 - x) / (y * y + 1) - (-x) + 3 * y + (x**3) / 2, X, Y),
    "reflected operators": (lambda m, x: [1.5 - x, 2.0 / x, 2**x, 7 % x.detach(), 7.0 // x.detach(), 1 + x, 3 * x], POSITIVE),
    "square roots": (lambda m, x: [m.sqrt(x), m.rsqrt(x), m.reciprocal(x), x**0.5, x**-1, x**-0.5], POSITIVE),
    "powers": (lambda m, x: [x**2, x**3, x**1, x**0, m.pow(x, 4)], X),
    "tensor powers": (lambda m, x, y: [x**y, m.pow(x, y)], POSITIVE, Y),
    "a number to a tensor's power": (lambda m, x: [2.0**x, m.pow(3, x)], X),
    "sum of all": (lambda m, x: x.sum(), Z),
    "sum along one": (lambda m, x: m.sum(x, dim=1), Z),
    "sum along several": (lambda m, x: m.sum(x, dim=(0, -1), keepdim=True), Z),
    "mean": (lambda m, x: [x.mean(), x.mean(1), x.mean(dim=(0, 2), keepdim=True)], Z),
    "var": (lambda m, x: [x.var(), x.var(0), x.var(dim=1, correction=0), x.var(dim=(1, 2), keepdim=True), x.var(False)], Z),
    "std": (lambda m, x: [x.std(), x.std(0), m.std(x, dim=1, unbiased=False), x.std((1, 2), keepdim=True)], Z),
    "prod": (lambda m, x: [x.prod(), x.prod(0), m.prod(x, 1, keepdim=True)], X),
    "amax and amin": (lambda m, x: [m.amax(x, dim=1), m.amin(x, dim=(0, 1)), x.amax(dim=0, keepdim=True)], Z),
    "max and min": (lambda m, x, y: [x.max(), x.min(), *m.max(x, dim=1), *x.min(0, keepdim=True), m.max(x, y)], X, Y),
    "argmax and argmin": (lambda m, x: [x.argmax(), m.argmin(x, dim=1), x.argmax(dim=0, keepdim=True)], Z),
    "all and any": (lambda m, x: [(x > 0).all(), (x > 0).any(dim=1), m.all(x > -9, dim=0, keepdim=True)], X),
    "cumsum": (lambda m, x: [m.cumsum(x, dim=0), x.cumsum(-1)], Z),
    "logsumexp": (lambda m, x: [m.logsumexp(x, dim=1), x.logsumexp(dim=(0, 2), keepdim=True)], Z),
    "softmax": (lambda m, x: [m.softmax(x, dim=1), x.log_softmax(-1)], Z),
    "norm": (lambda m, x: [x.norm(), m.norm(x, dim=1), m.norm(x, p=1), m.norm(x, p=3, dim=0), m.norm(x, p=float("inf"))], X),
    "clamp": (lambda m, x: [m.clamp(x, -0.5, 0.5), x.clamp(min=0.1), x.clip(max=0.2)], X),
    "clamp with tensors": (lambda m, x, y: [m.clamp(x, min=y), m.clamp(x, max=y), m.clamp(x, y - 0.5, y + 0.5)], X, Y),
    "where": (lambda m, x, y: [m.where(x > 0, x, y), m.where(x > 0, x, 0.0), m.where(x > 0, 1.0, y), x.where(y > 0, y)], X, Y),
    "maximum": (lambda m, x, y: [m.maximum(x, y), m.minimum(x, y)], X, Y),
    "trigonometry": (lambda m, x: [m.sin(x), m.cos(x), m.tan(x), m.atan(x), m.sinh(x), m.cosh(x), m.tanh(x), m.asinh(x)], X),
    "inverse functions": (lambda m, x: [m.asin(x / 9), m.acos(x / 9), m.atanh(x / 9), m.acosh(x.abs() + 1.5)], X),
    "exponentials": (lambda m, x: [x.exp(), x.expm1(), x.sigmoid(), m.erf(x), m.relu(x)], X),
    "logarithms": (lambda m, x: [x.log(), x.log2(), x.log10(), x.log1p(), m.logaddexp(x, 2 * x)], POSITIVE),
    "atan2": (lambda m, x, y: m.atan2(x, y), X, Y),
    "rounding": (lambda m, x: [x.floor(), x.ceil(), x.round(), x.trunc(), x.sign(), m.remainder(x, 0.7)], X),
    "rounding to places": (lambda m, x: [m.round(x, decimals=2), x.round(decimals=-1), x.trunc(), x.frac(), m.sgn(x)], 30 * X),
    "rounded quotients": (
        lambda m, x, y: [m.div(x, y, rounding_mode="trunc"), x.div(0.3, rounding_mode="trunc"), m.fmod(x, y), x.fmod(0.3)],
        X,
        Y,
    ),
    "floored quotients": (lambda m, x: m.div(x.detach(), 0.1, rounding_mode="floor"), np.array([1.0, -1.0, 0.35])),
    "sums of products": (
        lambda m, x, y: [m.addcmul(x, y, x, value=0.5), x.addcdiv(x, y), m.addcdiv(x, x, y, value=-2), m.rsub(x, y, alpha=3)],
        X,
        POSITIVE,
    ),
    "mixtures": (
        lambda m, x, y, w: [m.lerp(x, y, 0.2), x.lerp(y, 0.8), m.lerp(x, y, w), m.lerp(x, y, 1.0)],
        X,
        Y,
        draw(3, 4),
    ),
    "signs and lengths": (lambda m, x, y: [m.copysign(x, y), x.copysign(-1.0), m.hypot(x, y), m.positive(x)], X, Y),
    "choices that pass NaN by": (lambda m, x, y: [m.fmax(x, y), x.fmin(y), m.clamp_min(x, 0.1), x.clamp_max(y)], X, Y),
    "powers of 2 and in float64": (
        lambda m, x, y: [m.exp2(x), m.ldexp(x, y), x.abs().float_power(y), m.float_power(x, 2), m.float_power(2.0, x)],
        X,
        Y,
    ),
    "degrees": (lambda m, x: [m.deg2rad(x), x.rad2deg()], X),
    "the error function's family": (lambda m, x: [m.erfc(x), m.special.ndtr(x), m.special.log_ndtr(x)], X),
    "inverses on an interval": (lambda m, x: [m.erfinv(x), m.logit(x.abs()), x.abs().logit(0.2), m.special.expit(x)], X / 4),
    "entropies": (lambda m, x, y: [m.special.entr(y), m.xlogy(x, y), m.special.xlog1py(x, y), m.xlogy(2.0, y)], X, POSITIVE),
    "sinc": (lambda m, x: m.sinc(x), np.concatenate([X.ravel(), [0.158, 0.16, -0.1]])),
    "logaddexp2": (lambda m, x, y: m.logaddexp2(9 * x, y), X, Y),
    "nan_to_num": (lambda m, x: [m.nan_to_num(x), x.nan_to_num(1.0, 2.0, -3.0)], np.array([1.0, np.nan, np.inf, -np.inf])),
    "closeness": (
        lambda m, x, y: [
            m.isclose(x, y),
            x.isclose(y, equal_nan=True),
            m.isclose(x, y, 0.1, 0.2),
            m.isclose(x.nan_to_num(7, 8, 9).clamp(-9, 9).to(m.int32), y.nan_to_num(7, 8, 9).clamp(-9, 9).to(m.int32), 0.0, 1.0),
            m.tensor([m.allclose(x, y), x.allclose(x, equal_nan=True), m.equal(x, x), y.equal(y), m.equal(y, y[1:])]),
        ],
        np.array([1.0, np.nan, np.inf, -np.inf, 2.0, 1e300]),
        np.array([1.0 + 1e-6, np.nan, np.inf, np.inf, 2.1, -1e300]),
    ),
    "reshape": (lambda m, x: [x.reshape(4, 6), m.reshape(x, (-1,)), x.view(6, -1), x.flatten(), x.flatten(1), x.flatten(0, 1)], Z),
    "permute": (lambda m, x: [x.permute(2, 0, 1), m.permute(x, (1, 0, 2)), x.transpose(0, -1), m.movedim(x, 0, 2), x.mT], Z),
    "t and T": (lambda m, x: [x.t(), x.T], X),
    "squeeze": (
        lambda m, x: [x.unsqueeze(0), x.unsqueeze(-1), x.unsqueeze(1).squeeze(), x.unsqueeze(1).squeeze(1), x.squeeze(0)],
        X,
    ),
    "expand": (lambda m, x: [x.expand(2, 3, 4), x.unsqueeze(1).expand(-1, 5, -1), m.broadcast_to(x, (2, 3, 4))], X),
    "repeat": (lambda m, x: [x.repeat(2, 1), x.repeat(2, 1, 3), x.repeat(0, 1)], X),
    "flip and roll": (lambda m, x: [x.flip(0), m.flip(x, (0, 1)), x.roll(1), m.roll(x, (1, -1), (0, 1)), x.roll(2, 0)], X),
    "triangles": (lambda m, x: [m.tril(x), x.triu(1), x.tril(-1)], Z),
    "concat": (lambda m, x, y: [m.cat([x, y]), m.cat((x, y, x), dim=1), m.concat([x], -1)], X, Y),
    "stack": (lambda m, x, y: [m.stack([x, y]), m.stack((x, y), dim=-1), m.stack([x, x], 1)], X, Y),
    "split": (lambda m, x: [*x.split(2, dim=1), *m.split(x, [1, 2]), *x.chunk(3, dim=1), *m.unbind(x, -1), x.narrow(1, 1, 2)], X),
    "many pieces": (lambda m, x: [*m.unbind(x), *x.split(2), *x.mT.split([0, 3, *[1] * 15, 2], dim=1)], draw(20, 2)),
    "chunks that do not divide": (lambda m, x: [*m.chunk(x, 3), *x.chunk(5, dim=1), *x.split(5)], SQUARE),
    "gather": (
        lambda m, x, i: [m.gather(x, 1, i), x.gather(0, i), m.take_along_dim(x, i, 1)],
        X,
        np.array([[0, 2], [1, 1], [2, 0]]),
    ),
    "index_select": (lambda m, x, i: [m.index_select(x, 0, i), x.index_select(1, i)], X, np.array([2, 0, 2, 1])),
    "masked_fill": (lambda m, x: [m.masked_fill(x, x > 0, -1.0), x.masked_fill(x < 0, 2)], X),
    "matmul of matrices": (lambda m, x, y: [x @ y, m.mm(x, y)], X, SQUARE),
    "matmul of stacks": (lambda m, x, y: [m.matmul(x, y), m.bmm(x, y)], Z, draw(2, 4, 5)),
    "matmul broadcasts": (lambda m, x, y: [x @ y, m.matmul(x[0], y[0]), x @ y[0]], Z, draw(5, 1, 4, 2)),
    "matmul with vectors": (lambda m, x, y: [x @ y, m.mv(x[0], y), y @ x.mT, m.dot(y, y), y @ y], Z, draw(4)),
    "outer": (lambda m, x, y: m.outer(x, y), draw(3), draw(4)),
    "casts": (lambda m, x: [x.float(), x.double(), x.to(m.float32) * 2, x.float().to(m.float64)], X),
    "clone and detach": (lambda m, x: [x.clone(), x.detach() * x], X),
    "comparisons": (
        lambda m, x, y: [x == y, x != 1, x < y, x <= 0, x > y, x >= y, ~(x > 0), (x > 0) & (y > 0), (x > 0) | (y > 0)],
        X,
        Y,
    ),
    "logic": (lambda m, x, y: [m.logical_and(x, y), m.logical_or(x, y), m.logical_xor(x, y), m.logical_not(x)], X, Y),
    "tests": (lambda m, x: [m.isnan(x), m.isinf(x), m.isfinite(x)], np.array([1.0, np.nan, np.inf])),
    "floor division": (lambda m, x: [x.detach() // 0.7, m.floor_divide(x.detach(), 2)], X),
    "integers": (
        lambda m, i, j: [
            i + j,
            i * 2,
            i / j,
            i // j,
            i % j,
            i**2,
            -i,
            i.abs(),
            i & j,
            i | j,
            i ^ j,
            ~i,
            i.sum(),
            i.prod(),
            i > j,
            i + 1.5,
            i.float().mean(),
            i.cumsum(0),
            i.max(),
            i @ j,
            m.clamp(i, min=2),
            m.clamp(i, 1.5, 2.5),
            m.div(i, j, rounding_mode="trunc"),
            i.div(j, rounding_mode="floor"),
            m.fmod(i, j),
            i.sgn(),
            m.fmax(i, j),
            m.xlogy(j.abs(), j.abs()),
            m.exp2(i),
            m.deg2rad(i),
            m.float_power(i, 2),
            m.ldexp(i, j),
            m.copysign(i, j),
            m.addcmul(i, i, j, value=2),
            i.nan_to_num(),
            m.equal(i, j) + i,
            7 - i,
        ],
        np.array([1, -2, 3]),
        np.array([2, 3, -4]),
    ),
}
ONCE = {"amax and amin", "max and min", "casts"}  # PyTorch has no second derivative there, or rounds to float32


@pytest.mark.parametrize("case", CASES)
def test_results_and_derivatives_are_pytorchs(case: str) -> None:
    function, *arrays = CASES[case]
    agree(function, *arrays, second=case not in ONCE, rtol=1e-6 if case == "casts" else 1e-9)


LENGTHS = st.integers(0, 3)


@settings(max_examples=25)
@given(
    st.sampled_from(["sum", "mean", "amax", "amin", "var", "logsumexp", "norm", "all", "any"]),
    shapes(max_dims=3, max_side=3),
    st.data(),
)
def test_reductions_take_pytorchs_axes(name: str, shape: tuple[int, ...], data: Any) -> None:
    if name in ("amax", "amin", "var", "mean", "norm", "logsumexp"):
        shape = tuple(max(n, 1 + (name == "var")) for n in shape)
    shape = shape[:2] if name == "norm" else shape  # of more axes PyTorch takes none at once
    ndim = len(shape)
    axes = st.integers(-ndim, ndim - 1) if ndim else st.sampled_from([0, -1])
    one_or_more = st.one_of(axes, st.lists(st.integers(0, ndim - 1), min_size=1, unique=True).map(tuple)) if ndim else axes
    dim = data.draw(one_or_more if name == "logsumexp" else st.one_of(st.none(), one_or_more))
    keepdim = data.draw(st.booleans())
    if name == "var" and ndim == 0:
        return
    x = np.random.default_rng(1).permutation(int(np.prod(shape))).reshape(shape) * 0.3 - 1.1
    given_dim = {} if dim is None else {"dim": dim}
    if dim is not None:
        given_dim["keepdim"] = keepdim
    agree(lambda m, x: getattr(m, name)(x, **given_dim), x, rtol=1e-9)


@settings(max_examples=25)
@given(st.lists(LENGTHS, max_size=2), st.lists(LENGTHS, max_size=2), st.tuples(LENGTHS, LENGTHS, LENGTHS), st.integers(0, 3))
def test_matmul_takes_vectors_matrices_and_stacks(a: list[int], b: list[int], sizes: tuple[int, int, int], vectors: int) -> None:
    n, k, m = sizes
    lead = a if len(a) >= len(b) else b
    a, b = lead[len(lead) - len(a) :], [1 if i % 2 else v for i, v in enumerate(lead[len(lead) - len(b) :])]
    x = (k,) if vectors & 1 else (*a, n, k)
    y = (k,) if vectors & 2 else (*b, k, m)
    generator = np.random.default_rng(2)
    agree(lambda library, x, y: library.matmul(x, y), generator.normal(size=x), generator.normal(size=y), second=True)


@pytest.mark.parametrize("zeros", [0, 1, 2, 4])
@pytest.mark.parametrize("dim", [None, 0, 1])
def test_prod_has_pytorchs_first_and_second_derivatives_at_zeros(zeros: int, dim: int | None) -> None:
    x = draw(3, 4)
    x.reshape(-1)[[0, 4, 5, 9][:zeros]] = 0.0
    agree(lambda m, x: x.prod() if dim is None else x.prod(dim), x, second=True)


EDGES = {
    "ties in max": (lambda m, x: x.max(), np.array([1.0, 3.0, 3.0])),
    "ties in amax": (lambda m, x: [m.amax(x, dim=1), m.amin(x, dim=0)], np.array([[2.0, 2.0, 1.0], [1.0, 2.0, 1.0]])),
    "ties in maximum": (lambda m, x, y: [m.maximum(x, y), m.minimum(x, y)], np.ones(3), np.array([1.0, 0.0, 2.0])),
    "relu at 0": (lambda m, x: m.relu(x), np.array([0.0, -0.0, 1.0, -1.0])),
    "relu of NaN": (lambda m, x: m.relu(x), np.array([np.nan, 1.0])),
    "abs and sign at 0": (lambda m, x: [x.abs(), x.sign()], np.array([0.0, -1.0])),
    "clamp at its bounds": (lambda m, x: [m.clamp(x, 0.0, 1.0), m.clamp(x, 0.5, 0.5)], np.array([0.0, 1.0, 0.5, 2.0, -1.0])),
    "clamp by tensors at its bounds": (
        lambda m, x, y: [m.clamp(x, min=y), m.clamp(x, max=y)],
        np.array([1.0, 2.0]),
        np.array([1.0, 3.0]),
    ),
    "sqrt at 0": (lambda m, x: x.sqrt(), np.array([0.0, 1.0])),
    "0 to the power 0": (lambda m, x: [x**0, x**1, x**2, x**0.0], np.array([0.0, 2.0])),
    "0 to a tensor's power": (lambda m, x, y: x**y, np.zeros(3), np.array([0.0, 1.0, 2.0])),
    "negative base": (lambda m, x: [x**2, x**3, x**-1], np.array([-2.0, -0.5])),
    "a number 0 to a tensor's power": (lambda m, x: 0.0**x, np.array([0.0, 1.0, 2.0])),
    "norm at 0": (lambda m, x: [x.norm(), m.norm(x, dim=1), m.norm(x, p=1)], np.array([[0.0, 0.0], [3.0, 4.0]])),
    "norm of zeros": (lambda m, x: [x.norm(), m.norm(x, p=3), m.norm(x, p=1)], np.zeros(3)),
    "std of equal numbers": (lambda m, x: [x.std(), x.std(0)], np.ones((3, 2))),
    "where with infinity in the branch not taken": (lambda m, x: m.where(x > 0, x, 1.0 / (x * x + 1)), np.array([1.0, -1.0])),
    "softmax with a masked element": (lambda m, x: [m.softmax(x, 0), m.softmax(x, 0).sum()], np.array([-np.inf, 1.0, 2.0])),
    "logsumexp with infinities": (lambda m, x: m.logsumexp(x, 0), np.array([-np.inf, 0.0, 1.0])),
    "sigmoid far out": (lambda m, x: x.sigmoid(), np.array([-1000.0, -40.0, 0.0, 40.0, 1000.0])),
    "exponential of much": (
        lambda m, x: [m.softmax(x, 0), m.log_softmax(x, 0), m.logsumexp(x, 0)],
        np.array([1000.0, 0.0, -1000.0]),
    ),
    "remainder of negatives": (lambda m, x: [x % 3, x % -3, x.detach() // 2], np.array([-4.0, 4.0, -1.5])),
    "fmax and fmin of NaN and of equals": (
        lambda m, x, y: [m.fmax(x, y), m.fmin(x, y)],
        np.array([1.0, np.nan, np.nan, 2.0]),
        np.array([1.0, 2.0, np.nan, np.nan]),
    ),
    "copysign and hypot at 0": (
        lambda m, x, y: [m.copysign(x, y), m.hypot(x, y)],
        np.array([0.0, 3.0, -0.0, np.nan]),
        np.array([-0.0, -0.0, 2.0, 1.0]),
    ),
    "fmod of infinities and by 0": (
        lambda m, x, y: m.fmod(x, y),
        np.array([np.inf, 2.0, 4.0, 0.0, -6.0]),
        np.array([1.0, np.inf, 0.0, 2.0, 3.0]),
    ),
    "x log y at 0": (
        lambda m, x, y: [m.xlogy(x, y), m.special.xlog1py(x, y - 1)],
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.array([-1.0, np.nan, 2.0, 0.0]),
    ),
    "entr at 0 and below": (lambda m, x: m.special.entr(x), np.array([0.0, -1.0, np.inf, np.nan])),
    "logit at and outside its ends": (
        lambda m, x: [m.logit(x), m.logit(x, 0.1)],
        np.array([0.0, 1.0, -0.1, 1.1, 0.1, 0.9, np.nan]),
    ),
    "erfinv at and outside its ends": (lambda m, x: m.erfinv(x), np.array([0.0, 1.0, -1.0, 2.0, np.nan])),
    "erfc far out": (lambda m, x: m.erfc(x), np.array([-np.inf, -9.0, 0.0, 9.0, 26.0, 40.0, np.inf, np.nan])),
    "log_ndtr far out": (lambda m, x: m.special.log_ndtr(x), np.array([-100.0, -1.0, 0.0, 5.0, np.nan])),
    "sinc at 0": (lambda m, x: m.sinc(x), np.array([0.0, 0.5, 1.0])),
    "frac of whole numbers and infinities": (lambda m, x: x.frac(), np.array([0.0, -2.0, np.inf, np.nan])),
    "elementwise of 0-d": (
        lambda m, x, y: [m.hypot(x, y), m.fmod(x, y), m.lerp(x, y, 0.3), m.fmax(x, y), m.sinc(x), m.xlogy(y, y), m.erfc(x)],
        np.array(-2.0),
        np.array(0.75),
    ),
    "elementwise of none": (
        lambda m, x: [m.hypot(x, x), m.fmod(x, x), m.sinc(x), m.erfinv(x), m.nan_to_num(x), m.special.entr(x)],
        np.zeros((0, 3)),
    ),
    "0-d reductions": (
        lambda m, x: [x.sum(0), x.mean(-1), *x.max(0), x.prod(0), x.cumsum(0), x.softmax(0), x.argmax()],
        np.array(2.0),
    ),
    "0-d shapes": (
        lambda m, x: [x.reshape(1, 1), x.flatten(), x.unsqueeze(0), x.expand(3), x.squeeze(), x.t(), x[None], x[...]],
        np.array(2.0),
    ),
    "empty sums": (lambda m, x: [x.sum(), x.sum(0), x.prod(), x.prod(1), x.cumsum(0), x.all(), x.any(1)], np.zeros((0, 3))),
    "empty shapes": (
        lambda m, x: [x.reshape(3, 0), x.t(), x.flatten(), x.repeat(2, 2), *x.split(2), m.cat([x, x]), x @ x.t()],
        np.zeros((0, 3)),
    ),
}


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy says so where a value is infinite
def test_edges_are_pytorchs(edge: str) -> None:
    function, *arrays = EDGES[edge]
    agree(function, *arrays)


def test_sinc_has_its_second_derivative_at_0() -> None:
    x = ad.tensor([0.0], dtype="float64", requires_grad=True)
    (g,) = ad.autograd.grad(ad.sinc(x).sum(), x, create_graph=True)
    (h,) = ad.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(h.cpu().numpy(), [-(np.pi**2) / 3])


def test_second_derivatives_at_zero_are_finite_where_they_exist() -> None:
    agree(lambda m, x: [x**2, x**3, x**1, m.relu(x)], np.zeros(2), second=True)


WRONG = {
    "shapes that do not broadcast": (lambda m, x: x + m.ones(5), ValueError, "add.*3, 4.*5"),
    "matmul of other lengths": (lambda m, x: x @ x, ValueError, "matmul.*columns"),
    "matmul with a number": (lambda m, x: m.matmul(x, m.tensor(1.0)), ValueError, "matmul"),
    "no such axis": (lambda m, x: x.sum(dim=2), IndexError, "axis 2"),
    "no such axis to squeeze": (lambda m, x: x.squeeze(5), IndexError, "axis 5"),
    "no such axis to transpose": (lambda m, x: x.transpose(0, 2), IndexError, "transpose"),
    "a shape of another size": (lambda m, x: x.reshape(5, 5), ValueError, "reshape.*3, 4"),
    "an index too large": (lambda m, x: x[3], IndexError, "getitem"),
    "a float index": (lambda m, x: x[m.ones(2)], IndexError, "float32"),
    "mean of integers": (lambda m, x: m.tensor([1, 2]).mean(), TypeError, "mean.*int64"),
    "concat of nothing": (lambda m, x: m.cat([]), ValueError, "empty"),
    "stack of other shapes": (lambda m, x: m.stack([x, x[0]]), ValueError, "same shape"),
    "largest of none": (lambda m, x: x[:0].max(), ValueError, "no element"),
    "narrow beyond the end": (lambda m, x: x.narrow(0, 2, 2), IndexError, "narrow"),
    "clamp without bounds": (lambda m, x: m.clamp(x), ValueError, "clamp"),
    "where with a number for condition": (lambda m, x: m.where(x, x, x), TypeError, "condition"),
    "addcdiv of integers": (lambda m, x: m.addcdiv(x, m.tensor([1]), m.tensor([2])), TypeError, "addcdiv.*float"),
    "another rounding_mode": (lambda m, x: m.div(x, 2, rounding_mode="up"), ValueError, "rounding_mode"),
    "lerp and frac of integers": (lambda m, x: m.frac(m.tensor([1])), TypeError, "frac.*int64"),
    "closeness of other dtypes": (lambda m, x: m.isclose(x, x.float()), TypeError, "one dtype"),
    "a tolerance below 0": (lambda m, x: m.isclose(x, x, rtol=-1.0), ValueError, "tolerances"),
    "positive of booleans": (lambda m, x: m.positive(x > 0), TypeError, "positive"),
    "split sizes that do not add up": (lambda m, x: x.split([1, 1]), ValueError, "add up"),
    "a triangle of a vector": (lambda m, x: x[0].tril(), ValueError, "tril"),
    "a string": (lambda m, x: x + "a", TypeError, "add.*str"),
    "a list": (lambda m, x: x * [1.0], TypeError, "multiply.*list"),
    "bits of floats": (lambda m, x: x & x, TypeError, "bitwise_and|dtype"),
    "mm of vectors": (lambda m, x: m.mm(x[0], x[0]), ValueError, "mm"),
    "truth of many": (lambda m, x: bool(x), ValueError, "is ambiguous"),
    "item of many": (lambda m, x: x.item(), ValueError, "requires a tensor with one element"),
    "a negative whole power of integers": (lambda m, x: m.tensor([2]) ** -1, ValueError, "pow"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes_are_named(mistake: str) -> None:
    function, error, message = WRONG[mistake]
    with pytest.raises(error, match=message):
        function(ad, ad.tensor(X))
