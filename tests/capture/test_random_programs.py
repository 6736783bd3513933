"""Random programs, eager and captured: the same results at every call, in small arrays and tile by tile on two threads.

Those over square matrices run on PyTorch too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from hypothesis import event, given, settings, strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.numpy import threads, tiles as numpy_tiles
from adjoint.errors import CaptureError, GraphError

from .steps import alike, arrays

try:
    import torch
except ImportError:  # the oracle is in the dev extra
    torch = None  # type: ignore[assignment]

INDICES = [0, -1, ..., None, (slice(None), 1), slice(1, None), (0, slice(None, 2)), (-1, -1), (slice(None), slice(None, None, 2))]

VALUES: dict[str, Callable[..., Any]] = {
    "sine": lambda a, b: a.sin(),
    "exponential": lambda a, b: (a * 0.1).exp(),
    "tanh": lambda a, b: a.tanh(),
    "sigmoid": lambda a, b: a.sigmoid(),
    "square": lambda a, b: a**2,
    "cube": lambda a, b: a**3,
    "root": lambda a, b: (a * a + 1.0).sqrt(),
    "power of a half": lambda a, b: (a * a + 0.5) ** 0.5,
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - 0.5 * b,
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: a / (b * b + 1.0),
    "larger": lambda a, b: ad.maximum(a, b),
    "smaller": lambda a, b: ad.minimum(a, 0.3),
    "clamp": lambda a, b: a.clamp(-0.5, 0.5),
    "rectified": lambda a, b: a.relu(),
    "choice": lambda a, b: ad.where(a > b, a, b),
    "masked": lambda a, b: ad.where(a > 0, a, 0.0),
    "masked otherwise": lambda a, b: ad.where(b > 0, 0.0, a),
    "total": lambda a, b: a.sum(),
    "sums of rows": lambda a, b: a.sum(-1),
    "means of columns": lambda a, b: a.mean(0, keepdim=True),
    "spread": lambda a, b: a.var(-1, keepdim=True),
    "largest": lambda a, b: a.amax(-1),
    "running sum": lambda a, b: a.cumsum(0),
    "product of all": lambda a, b: (1.0 + 0.1 * a).prod(-1),
    "matrix product": lambda a, b: a @ b.mT,
    "softmax": lambda a, b: a.softmax(-1),
    "picked rows": lambda a, b: a[ad.tensor([1, 0, 1])],
    "joined": lambda a, b: ad.cat([a, a * 2.0])[1:-1],
    "stacked": lambda a, b: ad.stack([a, a.sin()]),
    "sorted": lambda a, b: a.sort(-1)[0],
    "clone": lambda a, b: a.clone(),
    "constant": lambda a, b: ad.ones_like(a) * 0.5,
    "drawn": lambda a, b: a + 0.1 * ad.randn_like(a),
    "compared": lambda a, b: (a > b).to(a.dtype),
    "other digits": lambda a, b: a.to(ad.float32 if a.dtype is ad.float64 else ad.float64).to(a.dtype),
}
VIEWS: dict[str, Callable[..., Any]] = {
    "indexed": lambda a, index: a[index],
    "transposed": lambda a, index: a.mT,
    "flattened": lambda a, index: a.reshape(-1),
    "with an axis": lambda a, index: a.unsqueeze(0),
    "diagonal": lambda a, index: a.diagonal(),
    "expanded": lambda a, index: a.expand(2, *a.shape),
    "of a view": lambda a, index: a.reshape(-1)[1:][::2],
    "backwards": lambda a, index: a.flip(0),
    "detached": lambda a, index: a.detach(),
}
WRITES: dict[str, Callable[..., Any]] = {
    "number by index": lambda a, b, index: a.__setitem__(index, 0.5),
    "total by index": lambda a, b, index: a.__setitem__(index, b.mean()),
    "tensor by index": lambda a, b, index: a.__setitem__(index, b),
    "last into first": lambda a, b, index: a.__setitem__(0, a[-1]),
    "shifted by one": lambda a, b, index: a.__setitem__(slice(1, None), a[:-1] * 0.5),
    "into a view": lambda a, b, index: a.reshape(-1)[1:].mul_(0.5),
    "into a view of a view": lambda a, b, index: a[1:].reshape(-1)[::2].add_(b.mean()),
    "into the transposed": lambda a, b, index: a.mT.add_(b.mT * 0.1),
    "copy": lambda a, b, index: a.copy_(b),
    "zero": lambda a, b, index: a[index].zero_(),
    "add": lambda a, b, index: a.add_(b),
    "multiply": lambda a, b, index: a.mul_(b),
    "square": lambda a, b, index: a.pow_(2),
    "clamp": lambda a, b, index: a.clamp_(-1.0, 1.0),
}
WHICH = st.integers(0, 12)
STEPS = st.one_of(
    st.tuples(st.just("value"), st.sampled_from(sorted(VALUES)), WHICH, WHICH, st.none()),
    st.tuples(st.just("view"), st.sampled_from(sorted(VIEWS)), WHICH, WHICH, st.sampled_from(INDICES)),
    st.tuples(st.just("write"), st.sampled_from(sorted(WRITES)), WHICH, WHICH, st.sampled_from(INDICES)),
    st.tuples(st.just("buffer"), st.sampled_from(sorted(WRITES)), WHICH, WHICH, st.sampled_from(INDICES)),
)


class Machine:
    """A program of such steps over two arguments, a parameter and a buffer. A step that fails is left out, and noted."""

    def __init__(self, steps: list[Any], shape: tuple[int, ...], dtype: Any) -> None:
        self.steps = steps
        self.p = (ad.arange(12 if shape == (4, 3) else 30, dtype=dtype).sin().reshape(shape) + 0.1).requires_grad_()
        self.buffer = self.p.detach().cos()
        self.failed: list[tuple[int, str]] = []

    def __call__(self, x: Any, y: Any) -> Any:
        self.failed = []
        self.p.grad = None
        constant = ad.arange(x.numel(), dtype=x.dtype).reshape(x.shape) * 0.1 - 0.4
        made = [x * 1.0, y, self.p * x, self.buffer, self.p, constant]
        own = {0, 2, 5}  # those that are the program's own memory
        for k, (kind, name, i, j, index) in enumerate(self.steps):
            a, b = made[i % len(made)], made[j % len(made)]
            try:
                if kind == "value":
                    made.append(VALUES[name](a, b))
                    own.add(len(made) - 1)
                elif not a.ndim:  # eager operations may save a 0-d tensor as a scalar, which no write reaches: they refuse less
                    continue
                elif kind == "view":
                    made.append(VIEWS[name](a, index))
                    if i % (len(made) - 1) in own:
                        own.add(len(made) - 1)
                elif kind == "write" and i % len(made) in own:
                    WRITES[name](a, b, index)
                elif kind == "buffer":
                    with ad.no_grad():
                        WRITES[name](self.buffer, b.detach(), index)
            except CaptureError:
                raise
            except (ValueError, TypeError, IndexError, RuntimeError) as error:
                self.failed.append((k, type(error).__name__))
        results = [part.detach() for part in made[:8]]
        try:
            loss = sum(part.mean() for part in made)
            results.append(loss.detach())
            loss.backward()
        except GraphError as error:  # of a tensor detached from one that was written to since
            self.failed.append((-1, type(error).__name__))
        return results


@contextmanager
def tiles(size: int | None) -> Iterator[None]:
    """Have arrays of so many bytes taken for large, and done on two threads."""
    before = threads.TILE, numpy_tiles.LONG
    if size is not None:
        threads.TILE, numpy_tiles.LONG = size, 2 * size
    try:
        yield
    finally:
        threads.TILE, numpy_tiles.LONG = before


def check(steps: list[Any], shape: tuple[int, ...], dtype: Any, size: int | None, backend: Backend) -> None:
    ad.manual_seed(1)
    calls = [[ad.randn(*shape, dtype=dtype) for _ in range(2)] for _ in range(4)]
    found = []
    with tiles(size), backend.suppress_warnings():
        for captured in (False, True):
            ad.manual_seed(2)
            machine = Machine(steps, shape, dtype)
            function: Any = ad.capture(machine.__call__) if captured else machine
            results = []
            for call in calls:
                results.append(arrays([*function(*call), machine.buffer, *([] if machine.p.grad is None else [machine.p.grad])]))
            found.append((results, arrays([ad.rand(2)])))
            if not captured:
                failed = machine.failed
            else:
                assert machine.failed == failed, "steps fail alike"
                assert function.stats.replays >= 2
    for k, (eager, replayed) in enumerate(zip(*(results for results, _ in found), strict=True)):
        assert alike(eager, replayed, backend), f"call {k}"
    assert alike(found[0][1], found[1][1], backend), "the random stream"


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=5, max_size=20), st.sampled_from(["float32", "float64"]))
def test_small_arrays(backend: Backend, steps: list[Any], dtype: str) -> None:
    check(steps, (4, 3), getattr(ad, dtype), None, backend)


@settings(max_examples=60)
@given(st.lists(STEPS, min_size=5, max_size=20), st.sampled_from(["float32", "float64"]), st.sampled_from([16, 32, 64]))
def test_large_arrays(steps: list[Any], dtype: str, size: int) -> None:
    with ad.use_backend("numpy") as numpy:
        check(steps, (6, 5), getattr(ad, dtype), size, numpy)


# --- programs over square matrices, where every step fits every tensor: views, writes and products, beside PyTorch -----------

#: Steps that give a new matrix of matrices a and b, of which either may be a view of the other.
SQUARE: dict[str, Callable[..., Any]] = {
    "sine": lambda m, a, b: a.sin(),
    "exponential": lambda m, a, b: (a * -0.3).exp(),
    "tanh": lambda m, a, b: m.tanh(a),
    "half the square": lambda m, a, b: a * a * 0.5,
    "rectified": lambda m, a, b: (a - 0.013).relu(),
    "clamped": lambda m, a, b: a.clamp(-1.03, 0.97),
    "sum": lambda m, a, b: a + b,
    "difference": lambda m, a, b: a - b * 0.5,
    "product": lambda m, a, b: a * b,
    "quotient": lambda m, a, b: a / (b * b + 1.0),
    "larger": lambda m, a, b: m.maximum(a, b + 0.031),
    "choice": lambda m, a, b: m.where(a > 0.253, a, b),
    "kept where positive": lambda m, a, b: m.where(b > 0.017, a, 0.0),
    "times the transposed": lambda m, a, b: a * b.t(),
    "plus the transposed": lambda m, a, b: a.t() + b,
    "plus the first row": lambda m, a, b: a + b[0],
    "times the last column": lambda m, a, b: a * b[:, -1:],
    "times its diagonal": lambda m, a, b: a * b.diagonal(),
    "rows moved down": lambda m, a, b: m.cat([b[-1:], a[:-1]]),
    "matrix product": lambda m, a, b: a @ b / len(a),
    "product with the transposed": lambda m, a, b: a @ b.t() / len(a),
    "square of a matrix": lambda m, a, b: a @ a / len(a),
    "less its means": lambda m, a, b: a - a.mean(0),
    "plus sums of rows": lambda m, a, b: a + b.sum(1, keepdim=True) / len(b),
    "over its total": lambda m, a, b: a / (1.0 + (b * b).mean()),
    "running sum": lambda m, a, b: a.cumsum(0) / len(a),
    "clone": lambda m, a, b: a.clone(),
}
#: Views of a matrix that are square too.
SQUARE_VIEWS: dict[str, Callable[..., Any]] = {
    "transposed": lambda m, a: a.t(),
    "itself": lambda m, a: a[:],
    "reshaped": lambda m, a: a.reshape(-1).reshape(len(a), len(a)) if a.is_contiguous() else a[:],
    "its first row, repeated": lambda m, a: a[:1].expand(len(a), len(a)),
    "its last column, repeated": lambda m, a: a[:, -1:].expand(len(a), len(a)),
}
#: Results of other shapes, which are outputs only.
RESULTS: dict[str, Callable[..., Any]] = {
    "sums of columns": lambda m, a: a.sum(0),
    "means of rows": lambda m, a: a.mean(1),
    "total": lambda m, a: a.sum(),
    "largest": lambda m, a: a.amax(1),
    "half of the rows": lambda m, a: a[: len(a) // 2] * 2.0,
    "a column": lambda m, a: a[:, 1],
    "the diagonal": lambda m, a: a.diagonal() + 0.5,
}
#: Writes to a, which no step reads where it is written, so that PyTorch defines what comes out.
SQUARE_WRITES: dict[str, Callable[..., Any]] = {
    "scaled": lambda m, a, b: a.mul_(0.5),
    "added to": lambda m, a, b: a.add_(b, alpha=0.5),
    "multiplied": lambda m, a, b: a.mul_(b),
    "copied to": lambda m, a, b: a.copy_(b),
    "copied to, transposed": lambda m, a, b: a.t().copy_(b),
    "its first rows": lambda m, a, b: a[: len(a) // 2].copy_(b[len(b) - len(b) // 2 :]),
    "its last columns": lambda m, a, b: a[:, 1:].copy_(b[:, :-1]),
    "a row": lambda m, a, b: a[0].copy_(b[-1]),
    "a column": lambda m, a, b: a[:, 0].copy_(b.sum(0) / len(b)),
    "every second row": lambda m, a, b: a[::2].mul_(0.5),
    "its diagonal": lambda m, a, b: a.diagonal().add_(b[0]),
    "zeros": lambda m, a, b: a[1:].zero_(),
    "clamped": lambda m, a, b: a.clamp_(-1.03, 0.97),
}
#: Mostly of what was computed last, so that much of it is needed once, and memory is free again.
RECENT = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 8])
MATRIX = st.one_of(RECENT.map(lambda k: -1 - k), st.integers(0, 3))  # the first ones are x, y, the state and the parameter
SQUARE_STEPS = st.one_of(
    st.tuples(st.just("matrix"), st.sampled_from(sorted(SQUARE)), MATRIX, MATRIX),
    st.tuples(st.just("matrix"), st.sampled_from(sorted(SQUARE)), MATRIX, MATRIX),
    st.tuples(st.just("view"), st.sampled_from(sorted(SQUARE_VIEWS)), MATRIX, MATRIX),
    st.tuples(st.just("result"), st.sampled_from(sorted(RESULTS)), MATRIX, MATRIX),
    st.tuples(st.just("write"), st.sampled_from(sorted(SQUARE_WRITES)), MATRIX, MATRIX),
    st.tuples(st.just("state"), st.sampled_from([*sorted(SQUARE_WRITES), *["copied to"] * 6]), MATRIX, MATRIX),
)
OUTPUTS = st.lists(MATRIX, min_size=1, max_size=2)
SQUARE_PROGRAMS = st.tuples(st.lists(SQUARE_STEPS, min_size=3, max_size=14), OUTPUTS, st.booleans())


class SquareMachine:
    """Such a program over arguments x and y, a state that it writes to and a parameter that takes a step of SGD, on ``m``."""

    def __init__(self, m: Any, program: Any, n: int, dtype: str) -> None:
        rng = np.random.default_rng(n)
        self.m, (self.steps, self.outputs, self.learns) = m, program
        self.state = m.tensor(rng.normal(size=(n, n)), dtype=getattr(m, dtype))
        self.weight = m.tensor(rng.normal(size=(n, n)), dtype=getattr(m, dtype), requires_grad=self.learns)

    def __call__(self, x: Any, y: Any) -> Any:
        m, results = self.m, []
        matrices = [x, y, self.state, self.weight]
        owners = [0, 1, 2, 3]  # by whose memory each lies in
        for kind, name, *operands in self.steps:
            i, j = (max(k, -len(matrices)) % len(matrices) for k in operands)
            a, b = matrices[i], matrices[j]
            if kind == "matrix":
                owners.append(len(matrices))
                matrices.append(SQUARE[name](m, a, b))
            elif kind == "view":
                owners.append(owners[i] if "repeated" not in name else 0)
                matrices.append(SQUARE_VIEWS[name](m, a))
            elif kind == "result":
                results.append(RESULTS[name](m, a))
            elif kind == "state":
                with m.no_grad():
                    SQUARE_WRITES[name](m, self.state, b.clone() if owners[j] == 2 else b)
            elif owners[i] > 3:
                SQUARE_WRITES[name](m, a, b.clone() if owners[j] == owners[i] else b)
        results += [matrices[max(k, -len(matrices))] for k in self.outputs]
        if self.learns:
            (g,) = m.autograd.grad(sum((r * r).mean() for r in [*results, self.weight]), [self.weight])
            with m.no_grad():
                self.weight.add_(g, alpha=-0.1)
            results.append(g)
        return [r.detach() for r in results]


def check_square(program: Any, n: int, dtype: str, size: int | None, backend: Backend) -> None:
    """The same bits of eager calls and replays, in float64 PyTorch's values too; a refusal where PyTorch's backward refuses."""
    rng = np.random.default_rng(1)
    calls = [rng.normal(size=(2, n, n)) for _ in range(3)]
    calls.append(calls[-1])  # the same arguments again
    with tiles(size):
        machines = [SquareMachine(m, program, n, dtype) for m in (ad, ad, *([torch] if torch else []))]
        functions = [machines[0], ad.capture(machines[1].__call__), *machines[2:]]
        kept: list[Any] = []
        for k, call in enumerate(calls):
            found: list[Any] = []
            for machine, function in zip(machines, functions, strict=True):
                args = [machine.m.tensor(x, dtype=getattr(machine.m, dtype)) for x in call]
                try:
                    results = function(*args)
                except RuntimeError as error:
                    if isinstance(error, CaptureError) or not re.search("in ?place", str(error)):
                        raise
                    found.append(None)  # a derivative needs what was written to since
                    continue
                found.append(arrays([*results, machine.state, machine.weight, *args]))
                if function is functions[1]:
                    kept += zip(results, found[-1], strict=False)
            eager, replayed, *theirs = found
            if None in found:
                assert found == [None] * len(found), "refused alike"
                event("refused")
                return
            assert alike(eager, replayed, backend), f"call {k}"
            if theirs and dtype == "float64":
                for a, b in zip(eager, theirs[0], strict=True):
                    np.testing.assert_allclose(a, b, 1e-8, 1e-8 * max(1.0, float(abs(b).max())))
        for result, before in kept:
            assert alike(arrays([result]), [before], backend), "a later replay changed what an earlier one gave"
        assert functions[1].stats.replays >= 2


FLOATS = st.sampled_from(["float32", "float64"])


@settings(max_examples=60)
@given(SQUARE_PROGRAMS, st.integers(2, 6), FLOATS)
def test_programs_over_square_matrices(backend: Backend, program: Any, n: int, dtype: str) -> None:
    check_square(program, n, dtype, None, backend)


@settings(max_examples=150)
@given(SQUARE_PROGRAMS, st.integers(4, 9), FLOATS, st.sampled_from([16, 64, 128]))
def test_programs_over_square_matrices_in_tiles(program: Any, n: int, dtype: str, size: int) -> None:
    with ad.use_backend("numpy") as numpy:
        check_square(program, n, dtype, size, numpy)


@settings(max_examples=12)
@given(SQUARE_PROGRAMS, st.sampled_from([130, 257, 300]), FLOATS)
def test_programs_over_matrices_on_both_sides_of_the_real_thresholds(program: Any, n: int, dtype: str) -> None:
    with ad.use_backend("numpy") as numpy:
        check_square(program, n, dtype, None, numpy)
