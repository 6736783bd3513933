"""Replays of programs whose tensors share memory: copies left out, operands' memory reused, views inside fusion groups.

Each program is called eagerly, captured and on PyTorch, small, tile by tile, and at a size that is tiled and threaded as it is.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.backends.numpy import threads, tiles

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")

#: Programs of an argument x and a state w, both (n, n), that write to w. What they return is compared, and w.
WRITES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "read between result and write": lambda m, x, w: (new := w * x, s := w.sum(0), w.copy_(new), s)[1],
    "a slice read between": lambda m, x, w: (new := w * x, s := w[1:].sum(0), w.copy_(new), s)[1],
    "written to by a boolean index": lambda m, x, w: (w.__setitem__(True, x * 2.0), w.sum())[1],
    "a scalar that is written to later": lambda m, x, w: (s := w.sum().round(), s.add_(1.0), w.copy_(x), s)[3],
    "another part read between": lambda m, x, w: (new := w[:2] * x[:2], s := w[2:].sum(0), w[:2].copy_(new), s)[1],
    "copied between": lambda m, x, w: (new := w * x, s := w.clone(), w.copy_(new), s)[1],
    "a view read between, of rows": lambda m, x, w: (new := x + 1.0, s := w[::2] * 2.0, w.copy_(new), s)[1],
    "a transposed view read between": lambda m, x, w: (new := w + x, s := w.t() @ x, w.copy_(new), s)[1],
    "read as a product's operand": lambda m, x, w: w.copy_(w @ x / len(x)).sum(),
    "product right into it": lambda m, x, w: (new := w @ x, w.copy_(new), w.sum())[2],
    "product of it with itself": lambda m, x, w: (new := w @ w.t(), w.copy_(new), w.sum())[2],
    "read transposed in its own group": lambda m, x, w: w.copy_((w.t() * x).sin()).sum(),
    "read transposed first in its group": lambda m, x, w: w.copy_((w.t() * 0.5).tanh() + x).sum(),
    "read transposed last in its group": lambda m, x, w: w.copy_((x * 0.5).tanh() + w.t()).sum(),
    "its first row in its group": lambda m, x, w: w.copy_((x * 0.5).tanh() + w[0]).sum(),
    "its last row in its group": lambda m, x, w: w.copy_((x + w[-1]).tanh() * 0.5).sum(),
    "its first column in its group": lambda m, x, w: w.copy_((x + w[:, :1]).tanh() * 0.5).sum(),
    "read in place in its group": lambda m, x, w: w.copy_((w * x).tanh() + w).sum(),
    "read by a later group": lambda m, x, w: (a := (x * 2.0).tanh(), b := (w * x).sin(), w.copy_(a), b)[3],
    "read in its group after its result": lambda m, x, w: (a := (x * 2.0).tanh(), b := w * a, w.copy_(a), b)[3],
    "read transposed after its result": lambda m, x, w: (a := (x * 2.0).tanh(), b := w.t() * a, w.copy_(a), b)[3],
    "the result is needed after the write": lambda m, x, w: (a := (x * w).tanh(), w.copy_(a), a + x)[2],
    "the result is written to after the write": lambda m, x, w: (a := (x * w).tanh(), w.copy_(a), a.mul_(2.0), a + w)[3],
    "w is written to after the write": lambda m, x, w: (a := (x * w).tanh(), w.copy_(a), w.mul_(0.5), a + w)[3],
    "the result is an output": lambda m, x, w: (a := (x * w).tanh(), w.copy_(a), a)[0],
    "written twice, once as a whole": lambda m, x, w: (a := x * w, w[0].copy_(a[1]), w.copy_(a), w.sum())[3],
    "written to two rows": lambda m, x, w: (a := (x * w)[1], w[0].copy_(a), w[-1].copy_(a), a.sum())[3],
    "written to transposed": lambda m, x, w: w.t().copy_(x * 2.0).sum(),
    "a group written to transposed": lambda m, x, w: w.t().copy_((x * 2.0).tanh() + w).sum(),
    "a product written to transposed": lambda m, x, w: w.t().copy_(x @ x).sum(),
    "a product written to every second row": lambda m, x, w: w[::2].copy_(x[::2] @ x).sum(),
    "a product written to the first row, kept an axis": lambda m, x, w: w[:1].copy_(x[0] @ x).sum(),
    "a sum written to a row": lambda m, x, w: w[0].copy_(x.sum(0)).sum(),
    "a sum written to a column": lambda m, x, w: w[:, 0].copy_(x.sum(0)).sum(),
    "its own sum written to a row": lambda m, x, w: w[1].copy_(w.sum(0)).sum(),
    "its own means written to a column": lambda m, x, w: w[:, 1].copy_(w.mean(1)).sum(),
    "a row written to all rows": lambda m, x, w: w.copy_(x[0] * 2.0).sum(),
    "a number written to all": lambda m, x, w: w.copy_(x.mean() * 2.0).sum(),
    "written in another shape": lambda m, x, w: w.reshape(-1).copy_((x * 2.0).tanh().reshape(-1)).sum(),
    "written to columns in another shape": lambda m, x, w: w[:, :2].copy_((x[:2] * 2.0).tanh().reshape(len(x), 2)).sum(),
    "in another dtype": lambda m, x, w: w.copy_((x * 0.3).to(m.float32) * 1.1).sum(),
    "the inputs' dtype, from a group in another": lambda m, x, w: w.copy_((x.to(m.float32) * 0.3).tanh() * w.to(m.float32)).sum(),
    "shifted by a row": lambda m, x, w: w[1:].copy_(w[:-1] * x[1:]).sum(),
    "shifted by a column": lambda m, x, w: w[:, :-1].copy_(w[:, 1:] * x[:, 1:]).sum(),
    "two states swapped by way of one": lambda m, x, w: (a := w * 1.0, b := x * w.t(), w.copy_(b), w.add_(a), a - b)[4],
    "in place by its transposed": lambda m, x, w: w.mul_(w.t().clone()).add_(x).sum(),
    "in place by its first row": lambda m, x, w: w.sub_(w[0].clone()).add_(x).sum(),
    "in place and then copied to": lambda m, x, w: (a := x * w, a.mul_(0.5), a.add_(x.t()), w.copy_(a), w.sum())[4],
    "a view of the result is written to": lambda m, x, w: (a := x * w, a.t().mul_(x), w.copy_(a), w.sum())[3],
    "a part of the result is written to": lambda m, x, w: (a := x * w, a[0].mul_(3.0), w.copy_(a), w.sum())[3],
}  # fmt: skip

#: Programs of x alone, in which an operand is viewed where its memory may be reused.
VIEWS: dict[str, Callable[[Any, Any], Any]] = {
    "transposed operand, reused": lambda m, x: (p := x @ x / len(x), a := x.exp() * p.t(), c := p * a, c @ x)[3],
    "first row of an operand": lambda m, x: (p := x @ x / len(x), a := x.sin() * p[0], c := p * a, c @ x)[3],
    "last row of an operand": lambda m, x: (p := x @ x / len(x), a := x.sin() * p[-1], c := p * a, c @ x)[3],
    "first column of an operand": lambda m, x: (p := x @ x / len(x), a := x.sin() * p[:, :1], c := p * a, c @ x)[3],
    "diagonal of an operand": lambda m, x: (p := x @ x / len(x), a := x.sin() * p.diagonal(), c := p * a, c @ x)[3],
    "after the operand": lambda m, x: (p := x @ x / len(x), a := p * 0.5, c := a.sin() + p.t(), c @ x)[3],
    "of a result inside": lambda m, x: (a := x.sin() * 0.5, b := a * x, c := b + a.t(), c @ x)[3],
    "of the first of a group, twice": lambda m, x: (a := (x * 0.5).sin(), b := a.t() + a, c := b.t() * b, c.sum(0))[3],
    "in place, transposed": lambda m, x: (p := x @ x / len(x), a := x.sin() * p.t(), p.mul_(a), p @ x)[3],
    "in place, into the view": lambda m, x: (p := x @ x / len(x), q := p.t(), a := x.sin() * p, q.add_(a), p @ x)[4],
    "in place, the result inside": lambda m, x: (a := x.sin() * 0.5, b := a.t() * x, a.add_(b), a.mul_(0.5), a @ x)[4],
    "in place, of a row": lambda m, x: (p := x @ x / len(x), a := x.sin() + p[0], p.mul_(0.5), p.add_(a), p.sum(0))[4],
    "in place, a half by the other": lambda m, x: (
        p := x @ x / len(x), h := len(x) // 2, p[:h].mul_(p[-h:].clone()), p[-h:].add_(p[:h] * 0.5), p.sum(0)
    )[4],
    "a view kept to the end": lambda m, x: (p := x @ x / len(x), q := p.t(), a := (p * 0.5).sin() + x, b := a * q, a - b)[4],
    "a view of a view": lambda m, x: (p := x @ x / len(x), q := p.t()[1:], a := x.sin() * p, (a[1:] * q).sum(0) + a.sum(0))[3],
    "reshaped": lambda m, x: (p := x @ x / len(x), q := p.reshape(-1)[: len(x)], a := x.sin() + q, c := p * a, c @ x)[4],
    "expanded": lambda m, x: (p := x.sum(0), q := p.expand(len(x), len(x)), a := x.sin() + q, p.mul_(0.5), a + p)[4],
    "where": lambda m, x: (p := x @ x / len(x), a := m.where(p.t() > 0.01, p, 0.0), c := p * a, m.where(c > 0.02, c, p.t()))[3],
    "a matrix product reads what it would write": lambda m, x: (p := x.sin(), q := p @ p.t(), r := q @ q, r / len(x) ** 2)[3],
    "a sum reads what it would write": lambda m, x: (p := x.sin().sum(0, keepdim=True), q := p.sum(0), q + x.sum(1))[2],
    "of all of a result inside": lambda m, x: (a := x.sin() * 0.5, b := a[:] * x, c := a.reshape(len(x), -1) + b, c.sum(0))[3],
    "of an output": lambda m, x: (a := (x * 0.5).sin(), b := a[1:] * 2.0, (a, b, b.sum(0) + a[0]))[2],
}  # fmt: skip

SIZES = {"small": (4, None), "in tiles": (9, 128), "in tiles of one row": (5, 16), "large": (300, None)}


@pytest.fixture(params=SIZES)
def n(request: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """A number of rows, with the thresholds that it is to be seen with, and two threads."""
    n, tile = SIZES[request.param]
    monkeypatch.setenv("ADJOINT_NUM_THREADS", "2")
    if tile is not None:
        monkeypatch.setattr(threads, "TILE", tile)
        monkeypatch.setattr(tiles, "LONG", 2 * tile)
    return n


def check(function: Callable[..., Any], n: int, state: bool) -> None:
    """Eager calls, replays and PyTorch's have the same results, and leave the same state, call after call."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(n, n))
    arguments = [rng.normal(size=(n, n)) for _ in range(3)]
    arguments.append(arguments[-1])

    def calls(m: Any, captured: bool) -> list[Any]:
        w = m.tensor(first)
        extra = (w,) if state else ()

        def call(x: Any) -> Any:
            return function(m, x, *extra)

        called = ad.capture(call) if captured else call
        found, outputs = [], []
        for array in arguments:
            result = called(m.tensor(array))
            parts = list(result) if isinstance(result, tuple) else [result]
            found.append([part.numpy().copy() for part in (*parts, *extra)])
            outputs += zip(parts, found[-1], strict=False)
        if captured:
            assert called.stats.replays >= 2
            assert called.stats.reason == ""
            for part, before in outputs:
                np.testing.assert_array_equal(part.numpy(), before, "a later replay changed the output of an earlier one")
        return found

    eager, replayed, theirs = calls(ad, False), calls(ad, True), calls(torch, False)
    for number, (ours, others, oracle) in enumerate(zip(eager, replayed, theirs, strict=True)):
        for a, b, c in zip(ours, others, oracle, strict=True):
            np.testing.assert_array_equal(b, a, f"call {number}")
            near = 1e-5 if "dtype" in str(function.__name__) else 1e-9
            np.testing.assert_allclose(a, c, near, near * max(1.0, float(abs(c).max())))


@pytest.mark.parametrize("name", WRITES)
def test_a_state_that_a_program_writes_to_is_read_before_and_not_after(name: str, n: int) -> None:
    function = WRITES[name]

    def program(m: Any, x: Any, w: Any) -> Any:
        result = function(m, x, w)
        return result.clone() if isinstance(result, (ad.Tensor, torch.Tensor)) else tuple(part.clone() for part in result)

    program.__name__ = name
    with ad.use_backend("numpy"):
        check(program, n, True)


@pytest.mark.parametrize("name", VIEWS)
def test_an_operand_keeps_its_memory_while_a_view_of_it_is_read(name: str, n: int) -> None:
    with ad.use_backend("numpy"):
        check(VIEWS[name], n, False)


#: Kernels that write to an array from an overlapping view of it.
OVERLAPPING: dict[str, Callable[[Any, Any], Any]] = {
    "itself": lambda xp, a: operator.iadd(a, a),
    "itself, times": lambda xp, a: operator.imul(a, a),
    "its transpose": lambda xp, a: operator.iadd(a, xp.permute_dims(a, (1, 0))),
    "its first row": lambda xp, a: operator.iadd(a, a[0]),
    "the rows before": lambda xp, a: operator.iadd(a[1:], a[:-1]),
}


@pytest.mark.parametrize("name", OVERLAPPING)
def test_an_operation_that_overlaps_its_own_result_is_not_done_tile_by_tile(name: str, n: int) -> None:
    def kernel(x: ad.Tensor) -> ad.Tensor:
        xp = x.backend.xp
        written = OVERLAPPING[name](xp, xp.asarray(x._array, copy=True))
        return ad.Tensor(written * 2.0 + 1.0, x.backend)

    with ad.use_backend("numpy"):
        captured, x = ad.capture(kernel), ad.randn(n, n)
        for _ in range(3):
            assert captured(x).tolist() == kernel(x).tolist()
