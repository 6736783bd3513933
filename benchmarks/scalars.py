"""Scalar operations compared with micrograd's ``Value``: a chain of operations, and the scalar MLP of micrograd's demo.

``python benchmarks/scalars.py`` prints microseconds per operation of the chain and the ratio, medians of interleaved runs. It needs
micrograd (``pip install micrograd``).
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from itertools import cycle, pairwise
from typing import Any

import numpy as np
from measure import Contender

LENGTH, RUNS = 900, 60
SIZES, BATCH, LR, WEIGHT_DECAY = (2, 16, 16, 1), 4, 0.05, 1e-4


def value(number: float) -> Any:
    from micrograd.engine import Value

    return Value(number)


def parameter(number: float) -> Any:
    import adjoint as ad

    return ad.tensor(number, requires_grad=True)


MAKERS: dict[str, Callable[[float], Any]] = {"micrograd": value, "adjoint": parameter}


def chain(make: Callable[[float], Any]) -> tuple[float, float]:
    """Seconds of a forward and a backward pass over a chain of products, sums, differences and a few ReLUs."""
    x, scale, shift = make(0.5), make(1.001), make(0.002)
    begun = time.perf_counter()
    for i in range(LENGTH // 3):
        x = x * scale
        x = x + shift
        x = x.relu() if i % 8 == 0 else x - shift
    middle = time.perf_counter()
    x.backward()
    return middle - begun, time.perf_counter() - middle


class Perceptron:
    """Layers of neurons, each a sum of products of scalars, followed by ReLU except in the last layer."""

    def __init__(self, make: Callable[[float], Any]) -> None:
        draw = random.Random(0).uniform
        self.layers = [[([make(draw(-1, 1)) for _ in range(n)], make(0.0)) for _ in range(m)] for n, m in pairwise(SIZES)]

    def __call__(self, x: list[Any]) -> Any:
        for layer in self.layers:
            x = [sum((w * v for w, v in zip(weights, x, strict=True)), bias) for weights, bias in layer]
            if layer is not self.layers[-1]:
                x = [unit.relu() for unit in x]
        return x[0]

    def parameters(self) -> list[Any]:
        return [p for layer in self.layers for weights, bias in layer for p in (*weights, bias)]


def objective(model: Perceptron, points: list[list[Any]], signs: list[Any]) -> Any:
    """The mean hinge loss max(0, 1 - y f(x)) plus L2 regularization of the parameters."""
    losses = [(1 + -y * model(x)).relu() for x, y in zip(points, signs, strict=True)]
    return sum(losses) * (1.0 / len(losses)) + WEIGHT_DECAY * sum(p * p for p in model.parameters())


def moons() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Two interlocking half circles (100, 2), the sign of each point, and batches of point indices."""
    rng = np.random.default_rng(0)
    angle, lower = rng.uniform(0, np.pi, 100), np.arange(100) % 2
    points = np.stack([np.cos(angle) * (1 - 2 * lower) + lower, np.sin(angle) * (1 - 2 * lower) + 0.5 * lower], axis=1)
    points += 0.1 * rng.standard_normal(points.shape)
    return points.astype(np.float32), (2 * lower - 1).astype(np.float32), list(rng.integers(0, 100, (256, BATCH)))


def with_micrograd() -> Contender:
    points, signs, batches = moons()
    following = cycle(batches).__next__
    model = Perceptron(value)
    parameters = model.parameters()

    def step() -> float:
        idx = following()
        for p in parameters:
            p.grad = 0
        inputs = [[value(number) for number in point] for point in points[idx].tolist()]
        loss = objective(model, inputs, signs[idx].tolist())
        loss.backward()
        for p in parameters:
            p.data -= LR * p.grad
        return loss.data

    return Contender(step)


def with_adjoint(capture: bool = False) -> Contender:
    import adjoint as ad

    points, signs, batches = moons()
    x, y = ad.tensor(points), ad.tensor(signs)
    following = cycle([ad.tensor(idx) for idx in batches]).__next__
    model = Perceptron(parameter)
    optimizer = ad.optim.SGD(model.parameters(), lr=LR)

    def train_step(idx: Any) -> Any:
        optimizer.zero_grad()
        loss = objective(model, [list(point) for point in x[idx]], list(y[idx]))
        loss.backward()
        optimizer.step()
        return loss

    step = ad.capture(train_step) if capture else train_step
    return Contender(lambda: step(following()))


def compare() -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in MAKERS}
    for _ in range(RUNS):
        for name, make in MAKERS.items():
            times[name].append(chain(make))
    for name, runs in times.items():
        forward, backward = (statistics.median(run[i] for run in runs) / LENGTH * 1e6 for i in (0, 1))
        print(f"{name:10} forward {forward:5.2f}  backward {backward:5.2f}  microseconds per operation")
    ratios = sorted(sum(a) / sum(b) for a, b in zip(times["micrograd"], times["adjoint"], strict=True))
    print(
        f"micrograd's time over adjoint's: median {statistics.median(ratios):.2f}, middle half {ratios[15]:.2f} to {ratios[45]:.2f}"
    )


if __name__ == "__main__":
    sys.setrecursionlimit(100_000)  # micrograd traverses its graph recursively
    try:
        compare()
    except ImportError:
        sys.exit("this benchmark compares with micrograd, which is not installed: pip install micrograd")
