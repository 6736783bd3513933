"""Programs of any number of operations, and a count of the work that Python does for a call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import adjoint as ad
from adjoint import nn, optim
from adjoint.nn import functional as F

LIBRARY = str(Path(ad.__file__).parent)

#: By name: from a number that the operations grow with, a function and its arguments.
PROGRAMS: dict[str, Callable[[int], tuple[Callable[..., Any], tuple[Any, ...]]]] = {}


def growing(make: Callable[[int], Any]) -> Callable[[int], Any]:
    PROGRAMS[make.__name__.replace("_", " ")] = make
    return make


def bytecodes(function: Callable[..., Any], *args: Any) -> int:
    """How many bytecode instructions a call executes in the library and in code that it generates: a clock that never varies."""
    count = 0

    def step(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return step

    def enter(frame: FrameType, event: str, arg: Any) -> Any:
        file = frame.f_code.co_filename
        if file.startswith(LIBRARY) or file == "<string>":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return step
        return None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        function(*args)
    finally:
        sys.settrace(before)
    return count


def _chained(x: ad.Tensor, n: int) -> ad.Tensor:
    for _ in range(n):
        x = ad.tanh(x * 1.01)
    return x


@growing
def small_arrays(n: int) -> Any:
    return lambda x: _chained(x, n), (ad.randn(4),)


@growing
def large_arrays(n: int) -> Any:
    return lambda x: _chained(x, n), (ad.randn(8, 4096),)


@growing
def single_numbers(n: int) -> Any:
    return lambda x: _chained(x, n), (ad.tensor(0.5),)


@growing
def gradients_of_small_arrays(n: int) -> Any:
    return ad.grad(lambda x: _chained(x, n).sum()), (ad.randn(4),)


@growing
def gradients_of_large_arrays(n: int) -> Any:
    return ad.grad(lambda x: _chained(x, n).sum()), (ad.randn(8, 4096),)


@growing
def products(n: int) -> Any:
    w = ad.randn(4, 4)

    def function(x: ad.Tensor) -> ad.Tensor:
        for _ in range(n):
            x = ad.tanh(x @ w)
        return x

    return function, (ad.randn(4, 4),)


@growing
def all_needed_to_the_end(n: int) -> Any:
    return lambda x: ad.stack([x * float(i) for i in range(n)]).sum(0), (ad.randn(4),)


@growing
def views_of_views(n: int) -> Any:
    w = ad.randn(2, 2)

    def function(x: ad.Tensor) -> ad.Tensor:
        view = w
        for i in range(n):
            view = view.t() if i % 2 else view.reshape(4, 1).reshape(2, 2)
            view[0] = x  # through all views before
        return view * 1.0

    return function, (ad.randn(2),)


@growing
def rows_written_outside(n: int) -> Any:
    buffer = ad.zeros(n, 4)

    def function(x: ad.Tensor) -> ad.Tensor:
        rows = [x * float(i) for i in range(n)]
        for i, row in enumerate(rows):
            buffer[i] = row
        for _ in range(n):
            buffer.copy_(buffer * 0.5)
        return buffer.sum()

    return function, (ad.randn(4),)


@growing
def rows_written_inside(n: int) -> Any:
    def function(x: ad.Tensor) -> ad.Tensor:
        rows = ad.zeros(n + 1, 4)
        rows[0] = x
        for i in range(n):
            rows[i + 1] = rows[i] * 1.01
        return rows

    return function, (ad.randn(4),)


@growing
def large_rows_written(n: int) -> Any:
    buffer = ad.zeros(n, 4, 8192)

    def function(x: ad.Tensor) -> ad.Tensor:
        for i in range(n):
            buffer[i] = x * float(i)
        return buffer.sum()

    return function, (ad.randn(4, 8192),)


@growing
def in_place(n: int) -> Any:
    def function(x: ad.Tensor) -> ad.Tensor:
        y = x * 1.0
        half = y[:2]
        for _ in range(n):
            y += 1.0
            half *= 0.9
        return y

    return function, (ad.randn(4),)


@growing
def many_outside(n: int) -> Any:
    weights = [ad.randn(3) for _ in range(n)]
    return lambda x: sum([x * w for w in weights], ad.zeros(3)), (ad.randn(3),)


@growing
def many_arguments(n: int) -> Any:
    total = ad.zeros(3)

    def function(xs: list[ad.Tensor]) -> list[ad.Tensor]:
        for x in xs:
            total.add_(x)
        return [x * 2.0 for x in xs]

    return function, ([ad.randn(3) for _ in range(n)],)


@growing
def constants(n: int) -> Any:
    return lambda x: sum([x + ad.tensor([float(i), 2.0, 3.0]) for i in range(n)], ad.zeros(3)), (ad.randn(3),)


@growing
def computed_twice(n: int) -> Any:
    def function(x: ad.Tensor) -> ad.Tensor:
        for _ in range(n):
            x = (x * 0.5).t() - (x * 0.5).t() * 0.1  # of which the second is a view of what is gone
        return x

    return function, (ad.randn(2, 2),)


@growing
def random_numbers(n: int) -> Any:
    def function(x: ad.Tensor) -> ad.Tensor:
        for _ in range(n):
            x = x + ad.rand(3)
        return x

    return function, (ad.randn(3),)


@growing
def checked_indices(n: int) -> Any:
    table, x = nn.Embedding(5, 3), ad.randn(4, 5)

    def function(indices: list[ad.Tensor]) -> ad.Tensor:
        return sum([table(i).sum() + F.cross_entropy(x, i) for i in indices], ad.zeros(()))

    return function, ([ad.randint(0, 5, (4,)) for _ in range(n // 2)],)


@growing
def checks_of_what_is_drawn(n: int) -> Any:
    table = nn.Embedding(5, 3)
    return lambda x: sum([table(ad.randint(0, 5, (4,))).sum() for _ in range(n)], x), (ad.zeros(()),)


@growing
def recurrence(n: int) -> Any:
    cell = nn.RNNCell(3, 3)

    def function(xs: ad.Tensor) -> ad.Tensor:
        cell.zero_grad()
        h = ad.zeros(2, 3)
        for x in xs:
            h = cell(x, h)
        h.sum().backward()
        return h.detach()

    return function, (ad.randn(-(-n // 8), 2, 3),)


@growing
def parallel_branches(n: int) -> Any:
    attention = nn.MultiheadAttention(16, 2, batch_first=True)

    def function(x: ad.Tensor) -> ad.Tensor:
        with ad.no_grad():
            for _ in range(-(-n // 8)):
                x = attention(x, x, x)[0] + x
        return x

    return function, (ad.randn(2, 8, 16),)


@growing
def parameters_and_groups(n: int) -> Any:
    parameters = [nn.Parameter(ad.randn(3)) for _ in range(n // 2)]
    optimizer = optim.Adam([{"params": parameters[i : i + 4], "lr": 0.01 * i} for i in range(0, n // 2, 4)])

    def function(x: ad.Tensor) -> ad.Tensor:
        optimizer.zero_grad()
        loss = sum([(p * x).sum() for p in parameters], ad.zeros(()))
        loss.backward()
        optimizer.step()
        return loss.detach()

    for _ in range(2):  # the optimizer records its own steps
        function(ad.ones(3))
    return function, (ad.randn(3),)


@growing
def runge_kutta(n: int) -> Any:
    def slope(y: ad.Tensor) -> ad.Tensor:
        return ad.stack([y[1], -ad.sin(y[0])])

    def function(y: ad.Tensor) -> ad.Tensor:
        for _ in range(-(-n // 16)):
            a = slope(y)
            b = slope(y + 0.01 * a)
            y = y + 0.01 * (a + b)
        return y

    return lambda y: ad.jacobian(function)(y), (ad.tensor([0.5, 0.0]),)
