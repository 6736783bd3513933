"""Random programs, eager and captured: the same results at every call, in small arrays and tile by tile on two threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.numpy import threads
from adjoint.backends.numpy import tiles as numpy_tiles
from adjoint.errors import CaptureError, GraphError

from .steps import alike, arrays

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
