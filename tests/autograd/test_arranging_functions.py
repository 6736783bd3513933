"""Sorting, scans, statistics, joining, diagonals and scattering against PyTorch: values, dtypes, gradients, edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad

from .oracle import agree, needs_pytorch

pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(3)


def draw(*shape: int) -> Any:
    return RNG.normal(size=shape)


X, Y, Z = draw(3, 4), draw(3, 4), draw(2, 3, 4)
V, W = draw(5), draw(5)
TIES = np.array([[1.0, 2.0, 2.0, 0.0], [2.0, 2.0, 2.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
NANS = np.array([[1.0, np.nan, 2.0, 0.5], [3.0, 1.0, 2.0, 4.0], [np.nan, np.nan, 1.0, np.nan]])
INDEX = np.array([[0, 2, 0, 1], [1, 0, 0, 1], [2, 0, 1, 1]])
PICK = np.array([2, 0, 2])

SORTING = {
    "sort": (lambda m, x: [*m.sort(x), *x.sort(0, descending=True), m.msort(x)], Z),
    "argsort keeps the order of equals": (
        lambda m, x: [m.argsort(x, stable=True), x.argsort(dim=0, descending=True, stable=True), *m.sort(x, stable=True)],
        TIES,
    ),
    "sort of NaN": (lambda m, x: [*m.sort(x, stable=True), *m.sort(x, dim=1, descending=True, stable=True)], NANS),
    "sort of numbers": (
        lambda m, x: [*x.sort(), *(x > 3).sort(stable=True), *x.float().topk(2), *x.median(0), x.median()],
        np.array([3, 9, 1]),
    ),
    "topk": (lambda m, x: [*m.topk(x, 2), *x.topk(2, 0, largest=False), *x.topk(0)], X),
    "kthvalue": (lambda m, x: [*m.kthvalue(x, 2), *x.kthvalue(1, 0, keepdim=True)], X),
    "median": (lambda m, x: [x.median(), *m.median(x, 1), *x.median(dim=0, keepdim=True), x[0].median()], Z),
    "median among equals": (lambda m, x: [x.median(), m.nanmedian(x)], TIES),
    "median of NaN": (lambda m, x: [x.median(), m.median(x, 1).values, m.nanmedian(x), *m.nanmedian(x[:2], 1)], NANS),
    "mode": (lambda m, x: [m.mode(x).values, *x.mode(0, keepdim=True)], TIES),
    "quantile": (
        lambda m, x: [
            m.quantile(x, 0.3),
            x.quantile(0.25, 1),
            x.quantile(0.9, dim=0, keepdim=True),
            m.quantile(x, 1.0, keepdim=True),
        ],
        Z,
    ),
    "quantile at several": (
        lambda m, x, q: [m.quantile(x, q), x.quantile(q, 1), x.quantile(q, 0, True)],
        X,
        np.array([0.0, 0.4, 1.0]),
    ),
    "quantile between": (
        lambda m, x: [m.quantile(x, 0.4, 1, interpolation=how) for how in ("lower", "higher", "midpoint", "nearest")],
        X,
    ),
    "quantile of NaN": (lambda m, x: [m.quantile(x, 0.4, 1), m.nanquantile(x, 0.4, 1), m.nanquantile(x, 0.4)], NANS),
    "searchsorted": (
        lambda m, x, v: [m.searchsorted(x, v), m.searchsorted(x, v, right=True), m.searchsorted(x, 2.0, out_int32=True)],
        np.array([1.0, 2.0, 2.0, 5.0]),
        np.array([[2.0, 0.0], [9.0, 1.5]]),
    ),
    "searchsorted in rows": (lambda m, x, v: m.searchsorted(x, v, side="right"), np.sort(TIES), X),
    "bucketize": (lambda m, v, b: [m.bucketize(v, b), m.bucketize(v, b, right=True)], X, np.array([-1.0, 0.0, 1.0])),
    "unique": (lambda m, x: [m.unique(x), *m.unique(x, return_inverse=True, return_counts=True)], np.array([[3, 1], [3, 7]])),
    "unique rows": (
        lambda m, x: [*m.unique(x, dim=0, return_inverse=True, return_counts=True), *x.unique(dim=1, return_counts=True)],
        np.array([[3, 1, 3], [0, 1, 0], [3, 1, 3]]),
    ),
    "unique along a vector": (lambda m, x: [*m.unique(x, return_inverse=True, dim=-1)], np.array([3, 1, 3])),
    "isin": (
        lambda m, x, y: [m.isin(x, y), m.isin(x, 3), m.isin(3, x), m.isin(x, y, invert=True), m.isin(x, y[:0])],
        np.array([[3, 1], [5, 0]]),
        np.array([0, 3, 7]),
    ),
    "searchsorted by a sorter": (
        lambda m, x, v: m.searchsorted(x, v, sorter=m.argsort(x)),
        np.array([3.0, 1.0, 2.0]),
        np.array([[2.0, 0.5], [2.5, 9.0]]),
    ),
    "repeats alone": (
        lambda m, r: [m.repeat_interleave(r), m.repeat_interleave(r, output_size=3), m.repeat_interleave(r[:0])],
        np.array([2, 0, 1]),
    ),
    "unique of none": (lambda m, x: [*x.unique(return_inverse=True, return_counts=True)], np.zeros((0,), np.int64)),
}
STATISTICS = {
    "aminmax": (lambda m, x: [*m.aminmax(x), *x.aminmax(dim=1), *m.aminmax(x, dim=0, keepdim=True)], X),
    "sums without NaN": (lambda m, x: [m.nansum(x), x.nansum(1), m.nanmean(x), x.nanmean(0, keepdim=True)], NANS),
    "count_nonzero": (lambda m, x: [m.count_nonzero(x), x.count_nonzero(1), x.count_nonzero(dim=(0, 1))], TIES),
    "moments": (lambda m, x: [*m.std_mean(x), *m.var_mean(x, 1), *m.var_mean(x, dim=(0, 2), correction=0, keepdim=True)], Z),
    "cov": (lambda m, x: [m.cov(x), x.cov(correction=0), m.cov(x[0])], X),
    "weighted cov": (
        lambda m, x, f, a: [m.cov(x, fweights=f), m.cov(x, aweights=a), m.cov(x, fweights=f, aweights=a, correction=0)],
        X,
        np.array([1, 2, 1, 3]),
        np.array([0.5, 1.0, 2.0, 1.5]),
    ),
    "corrcoef": (lambda m, x: [m.corrcoef(x), x[0].corrcoef()], X),
    "dist": (lambda m, x, y: [m.dist(x, y), x.dist(y, 1), m.dist(x, y[0], 3)], X, Y),
    "sum_to_size": (lambda m, x: [x.sum_to_size(3, 1), x.sum_to_size((4,)), x.sum_to_size(2, 3, 4), x.sum_to_size(1, 1)], Z),
}
SCANS = {
    "cumprod": (lambda m, x: [m.cumprod(x, 0), x.cumprod(-1)], TIES),
    "cumprod of numbers": (lambda m, x: [m.cumprod(x, 0), x.cumprod(0, dtype=m.float64)], np.array([2, 3, 4])),
    "cummax": (lambda m, x: [*m.cummax(x, 1), *x.cummin(0), *x.cummax(-2)], TIES),
    "cummax of NaN": (lambda m, x: [*m.cummax(x, 1), *x.cummin(1)], NANS),
    "logcumsumexp": (lambda m, x: [m.logcumsumexp(x, 0), x.logcumsumexp(-1), m.logcumsumexp(x.detach() * 1000, 1)], X),
    "diff": (
        lambda m, x, y: [m.diff(x), x.diff(2, 0), m.diff(x, dim=1, prepend=y, append=y), m.diff(x > 0), m.diff(x, n=5)],
        X,
        Y,
    ),
    "trapezoid": (
        lambda m, y, x: [m.trapezoid(y), m.trapezoid(y, dx=0.5, dim=0), m.trapezoid(y, x), m.trapezoid(y, y * y)],
        X,
        V[:4],
    ),
    "cumulative_trapezoid": (lambda m, y, x: [m.cumulative_trapezoid(y, dim=0), m.cumulative_trapezoid(y, x)], X, V[:4]),
    "gradient": (
        lambda m, x: [*m.gradient(x), *m.gradient(x, spacing=0.5, dim=1), *m.gradient(x, spacing=[2.0, 0.5], edge_order=2)],
        X,
    ),
    "gradient at places": (
        lambda m, x, p: [*m.gradient(x, spacing=(p,), dim=1), *m.gradient(x, spacing=(p,), dim=1, edge_order=2)],
        X,
        np.array([0.0, 1.0, 3.0, 3.5]),
    ),
}
JOINING = {
    "stacks": (lambda m, x, y: [f((x, y)) for f in (m.hstack, m.vstack, m.dstack, m.column_stack, m.row_stack)], X, Y),
    "stacks of vectors": (lambda m, x, y: [f([x, y]) for f in (m.hstack, m.vstack, m.dstack, m.column_stack)], V, W),
    "at least so many axes": (
        lambda m, x, v, s: [*m.atleast_1d(s, v), *m.atleast_2d(s, v, x), *m.atleast_3d((s, v, x)), m.atleast_2d(v)],
        X,
        V,
        np.array(2.0),
    ),
    "block_diag": (lambda m, x, v, s: [m.block_diag(x, v, s), m.block_diag(s)], X, V, np.array(2.0)),
    "broadcast_tensors": (lambda m, x, v: [*m.broadcast_tensors(x, v), v.expand_as(x), x.view_as(x)], X, V[:4]),
    "meshgrid": (lambda m, x, y: [*m.meshgrid(x, y, indexing="ij"), *m.meshgrid([x, y, x], indexing="xy")], V, W[:2]),
    "kron": (lambda m, x, y: [m.kron(x, y), m.kron(y, x[0]), x.kron(y[0])], X, draw(2, 3)),
    "tile": (lambda m, x: [m.tile(x, (2,)), x.tile(2, 1, 3)], X),
    "repeat_interleave": (
        lambda m, x, r: [m.repeat_interleave(x, 2), x.repeat_interleave(r, 0), x.repeat_interleave(3, dim=1)],
        X,
        np.array([2, 0, 3]),
    ),
    "tensor_split": (
        lambda m, x: [*m.tensor_split(x, 3, 1), *x.tensor_split((1, 3), dim=-1), *m.split_with_sizes(x, [1, 3], 1)],
        X,
    ),
    "other splits": (lambda m, x: [*m.hsplit(x, 3), *x.vsplit(2), *m.dsplit(x, (1, 2)), *x[0, 0].hsplit(2)], Z),
    "unflatten": (lambda m, x: [m.unflatten(x, 1, (2, 2)), x.unflatten(-1, (-1, 2)), x.ravel()], X),
    "unfold": (lambda m, x: [x.unfold(1, 2, 1), x.unfold(0, 3, 1), x.unfold(-1, 2, 2), x.unfold(1, 4, 3)], X),
}
DIAGONALS = {
    "diagonal": (lambda m, x: [m.diagonal(x), x.diagonal(1), x.diagonal(-2), x.diagonal(9 - 5), x.diagonal(0, 1, 0)], X),
    "diagonal of stacks": (lambda m, x: [m.diagonal(x, 1, -2, -1), x.diagonal(-1, 2, 0), x.diagonal()], Z),
    "diag": (lambda m, x, v: [m.diag(x), m.diag(x, -1), v.diag(), m.diag(v, 2), m.diag(v, -1)], X, V),
    "diag_embed": (lambda m, x: [m.diag_embed(x), x.diag_embed(1, 0, 2), x.diag_embed(-1), m.diagflat(x), m.diagflat(x, 1)], X),
    "diagonal_scatter": (lambda m, x, v: [m.diagonal_scatter(x, v[:3]), x.diagonal_scatter(v[:2], -1)], X, V),
    "trace": (lambda m, x: [m.trace(x), x.trace()], X),
    "turned": (
        lambda m, x: [*(m.rot90(x, k) for k in range(-1, 5)), x.rot90(1, (1, 0)), x.fliplr(), m.flipud(x), m.adjoint(x), x.mH],
        X,
    ),
    "moved": (
        lambda m, x: [
            m.movedim(x, (0, 1), (2, 0)),
            m.moveaxis(x, 0, -1),
            m.swapaxes(x, 0, 2),
            x.swapdims(0, 1),
            x.moveaxis((2,), (0,)),
        ],
        Z,
    ),
    "vander": (lambda m, v: [m.vander(v.detach()), m.vander(v.detach(), 3, increasing=True), m.vander(v, N=1)], V),
    "cross": (lambda m, x, y: [m.cross(x, y, dim=1), x.cross(y, dim=-2)], Z, draw(2, 3, 4)),
}
SCATTERING = {
    "index_add": (lambda m, x, i, y: [m.index_add(x, 0, i, y), x.index_add(0, i, y, alpha=2)], X, PICK, Y),
    "index_copy": (lambda m, x, i, y: [m.index_copy(x, 0, i[:2], y[:2]), x.index_copy(1, i[:2], y[:, :2])], X, PICK, Y),
    "index_fill": (lambda m, x, i: [m.index_fill(x, 1, i, 2.0), x.index_fill(0, i, -1)], X, PICK),
    "index_put": (
        lambda m, x, i, v: [
            x.index_put((i, i), v[:3], accumulate=True),
            x.index_put((i,), v[:4], True),
            m.index_put(x, (x > 0,), v[0]),
        ],
        X,
        PICK,
        V,
    ),
    "slices": (
        lambda m, x, y: [
            m.select(x, 1, -1),
            x.select(0, 1),
            m.select_scatter(x, y[0], 0, 2),
            x.select_scatter(y[:, 0], -1, -2),
            m.slice_scatter(x, y[:2], 0, 1),
            x.slice_scatter(y[:, :2], dim=1, start=0, end=4, step=2),
        ],
        X,
        Y,
    ),
    "scatter of a number": (
        lambda m, x, i: [m.scatter(x, 0, i, 2.5), x.scatter(1, i, value=1.0), x.detach().scatter(0, i, 2.0, reduce="add")],
        X,
        INDEX,
    ),
    "scatter": (
        lambda m, x, i, y: [m.scatter(x[:, :3], 0, i[:, :3], y[:, :3]), x.scatter(1, i, y)],
        X,
        np.array([[2, 0, 1, 3], [0, 1, 2, 3], [1, 2, 0, 3]]),
        Y,
    ),
    "scatter_add": (lambda m, x, i, y: [m.scatter_add(x, 0, i, y), x.scatter_add(1, i, y)], X, INDEX, Y),
    "scatter_reduce by sum and mean": (
        lambda m, x, i, y: [
            m.scatter_reduce(x, d, i, y, r, include_self=s) for d in (0, 1) for r in ("sum", "mean") for s in (True, False)
        ],
        X,
        INDEX,
        Y,
    ),
    "masked": (
        lambda m, x, y: [
            m.masked_select(x, y > 0),
            x[0].masked_select(y > 0),
            m.masked_scatter(x, y > 0, y),
            x.masked_scatter(y[0] > 0, x),
        ],
        X,
        Y,
    ),
    "take and put": (
        lambda m, x, i, v: [m.take(x, i), x.take(i - 3), m.take_along_dim(x, i), x.put(i, v[:3], accumulate=True)],
        X,
        np.array([1, 7, 1]),
        V,
    ),
}
ONCE_ONLY = {
    "scatter_reduce by prod": (
        lambda m, x, i, y: [m.scatter_reduce(x, d, i, y, "prod", include_self=s) for d in (0, 1) for s in (True, False)],
        X,
        INDEX,
        Y,
    ),
    "scatter_reduce by extremes, with ties": (
        lambda m, x, i, y: [x.scatter_reduce(d, i, y, r) for d in (0, 1) for r in ("amax", "amin")],
        TIES,
        INDEX,
        TIES[::-1].copy(),
    ),
    "scatter_reduce by extremes, the tensor's own left out": (
        lambda m, x, i, y: [x.scatter_reduce(d, i, y, r, include_self=False) for d in (0, 1) for r in ("amax", "amin")],
        X,
        INDEX,
        TIES,
    ),
    "integers": (
        lambda m, x: [
            *x.scatter_reduce(0, x * 0, x, "amax").cummax(0),
            x.scatter_reduce(0, x * 0, x, "mean"),
            x.diff(),
            x.cumprod(0),
            x.nansum(),
            m.kron(x, x),
            m.vander(x),
            x.diag(),
            x.index_add(0, x * 0, x),
            x.index_fill(0, x * 0, 7),
        ],
        np.array([3, 1, 2]),
    ),
    "logcumsumexp of nothing": (lambda m, x: x.logcumsumexp(0), np.array([-3.0, -np.inf, -np.inf, 1.0])),
    "places": (
        lambda m, x: [m.nonzero(x), *x.nonzero(as_tuple=True), m.argwhere(x), m.nonzero(x[0, 0]), m.nonzero(x * 0)],
        TIES,
    ),
    "0-d": (
        lambda m, x: [
            *x.sort(), x.argsort(), *x.topk(1), *x.kthvalue(1), *x.median(0), x.median(), *x.mode(), x.quantile(0.5),
            *x.cummax(0), x.cumprod(0), x.logcumsumexp(0), x.ravel(), x.nansum(), x.tile(2), x.unfold(0, 1, 1), *x.aminmax(),
            m.diagflat(x), x.take(m.tensor([0])), x.repeat_interleave(2),
        ],
        np.array(2.0),
    ),
    "empty": (
        lambda m, x: [
            *x.sort(), *x.sort(1), *x.topk(0, 0), x.cumprod(0), *x.cummax(1), x.diff(dim=1), x.nansum(), x.count_nonzero(),
            x.diagonal(), x.tile(2, 1), m.block_diag(x, x), x.masked_select(x > 0), x.nonzero(), m.trapezoid(x, dim=0),
            x.logcumsumexp(0), x.flipud(), m.vstack([x, x]), x.median(), *x.tensor_split(2), x.repeat_interleave(2, 0),
            x.unflatten(1, (3, 1)), m.kron(x, x),
        ],
        np.zeros((0, 3)),
    ),
}  # fmt: skip
CASES = SORTING | STATISTICS | SCANS | JOINING | DIAGONALS | SCATTERING


@pytest.mark.parametrize("case", CASES | ONCE_ONLY)
def test_results_and_derivatives_are_pytorchs(case: str) -> None:
    if case in ("aminmax", "0-d"):
        needs_pytorch("2.13")  # with its derivative
    function, *arrays = (CASES | ONCE_ONLY)[case]
    agree(function, *arrays, second=case in CASES and case != "aminmax", rtol=1e-9)


@settings(max_examples=15)
@given(st.integers(0, 40), st.integers(1, 6), st.booleans(), st.sampled_from(["prod", "amax", "amin"]), st.data())
def test_scatter_reduce_combines_all_that_come_to_a_place(n: int, m: int, include_self: bool, reduce: str, data: Any) -> None:
    index = np.array(data.draw(st.lists(st.integers(0, m - 1), min_size=n, max_size=n)), np.int64)
    x, src = RNG.uniform(0.5, 1.5, m), RNG.uniform(0.5, 1.5, n)
    agree(lambda library, x, i, s: library.scatter_reduce(x, 0, i, s, reduce, include_self=include_self), x, index, src)


IN_PLACE = {
    "index_add_": lambda m, x, y, i, k: x.index_add_(0, i, y),
    "index_copy_": lambda m, x, y, i, k: x.index_copy_(0, i[:2], y[:2]),
    "index_fill_": lambda m, x, y, i, k: x.index_fill_(0, i, 1.5),
    "index_put_": lambda m, x, y, i, k: x.index_put_((i, i), y[0, :3], accumulate=True),
    "scatter_": lambda m, x, y, i, k: x.scatter_(1, k, 3.0),
    "scatter_add_": lambda m, x, y, i, k: x.scatter_add_(0, k, y),
    "scatter_reduce_": lambda m, x, y, i, k: x.scatter_reduce_(0, k, y, "amax", include_self=False),
    "masked_scatter_": lambda m, x, y, i, k: x.masked_scatter_(y > 0, y),
    "put_": lambda m, x, y, i, k: x.put_(i, y[0, :3], accumulate=True),
    "tril_": lambda m, x, y, i, k: x.tril_(),
    "triu_": lambda m, x, y, i, k: x.triu_(1),
    "cumsum_": lambda m, x, y, i, k: x.cumsum_(0),
    "cumprod_": lambda m, x, y, i, k: x.cumprod_(1),
    "fill_diagonal_": lambda m, x, y, i, k: x.fill_diagonal_(2.0),
    "fill_diagonal_ of a tall matrix": lambda m, x, y, i, k: m.cat([x, y, x, y])[:, :2].clone().fill_diagonal_(2.0, wrap=True),
    "fill_diagonal_ of a tall matrix once": lambda m, x, y, i, k: m.cat([x, y])[:, :2].clone().fill_diagonal_(2.0),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_forms_write_and_differentiate_as_pytorchs(name: str) -> None:
    agree(lambda m, x, y, i, k: IN_PLACE[name](m, x * 1, y, i, k), X, Y, PICK, INDEX)


def test_the_diagonal_shares_memory() -> None:
    x = ad.zeros(3, 4)
    x.diagonal(1).fill_(1)
    assert x.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


MISTAKES = {
    "topk of more than there are": (lambda x: x.topk(5), ValueError, "topk.*k = 5"),
    "kthvalue of none": (lambda x: x.kthvalue(0), ValueError, "kthvalue.*k = 0"),
    "no such axis": (lambda x: x.sort(2), IndexError, "sort.*axis 2"),
    "quantile above 1": (lambda x: x.quantile(1.5), ValueError, "from 0 to 1"),
    "quantile of another kind": (lambda x: x.quantile(0.5, interpolation="cubic"), ValueError, "interpolation"),
    "index out of range": (lambda x: x.index_add(0, ad.tensor([3]), x[:1]), IndexError, "index_add.*0 to 2"),
    "scatter beyond the end": (lambda x: x.scatter(0, ad.tensor([[3]]), 1.0), IndexError, "scatter.*0 to 2"),
    "an index that does not fit": (lambda x: x.scatter_add(0, ad.zeros(1, 5).long(), x), ValueError, "scatter_add.*fit"),
    "another reduction": (lambda x: x.scatter_reduce(0, ad.zeros(1, 4).long(), x, "median"), ValueError, "median"),
    "sections that do not divide": (lambda x: x.hsplit(3), ValueError, "hsplit.*3"),
    "a mask of numbers": (lambda x: x.masked_select(x), TypeError, "boolean"),
    "too short a source": (lambda x: x.masked_scatter(x == x, x[0]), ValueError, "12 times.*4"),
    "a diagonal of one axis": (lambda x: x.diagonal(0, 1, 1), ValueError, "the same"),
    "cross of four": (lambda x: ad.cross(x, x, dim=1), ValueError, "three"),
    "shapes that do not broadcast": (lambda x: ad.broadcast_tensors(x, x[0, :3]), ValueError, "do not broadcast"),
    "sum to a size that is not its own": (lambda x: x.sum_to_size(2, 4), ValueError, "sum_to_size"),
    "windows longer than the axis": (lambda x: x.unfold(0, 4, 1), ValueError, "unfold"),
    "moving an axis twice": (lambda x: x.movedim((0, 0), (0, 1)), ValueError, "movedim"),
    "unflatten to another size": (lambda x: x.unflatten(1, (3, -1)), ValueError, "unflatten"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str) -> None:
    function, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        function(ad.tensor(X))
