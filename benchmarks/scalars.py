"""A chain of operations on single numbers, forward and backward, beside micrograd's ``Value``: ``python benchmarks/scalars.py``.

Prints microseconds an operation and the ratio, medians of runs in turn. Needs micrograd (``pip install micrograd``).
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import adjoint as ad

try:
    from micrograd.engine import Value
except ImportError:
    sys.exit("this benchmark compares with micrograd, which is not installed: pip install micrograd")

LENGTH, RUNS = 900, 60


def chain(make: Callable[[float], Any]) -> tuple[float, float]:
    """Seconds of a forward and a backward pass over a chain of products, sums, differences and a few rectifiers."""
    x, scale, shift = make(0.5), make(1.001), make(0.002)
    begun = time.perf_counter()
    for i in range(LENGTH // 3):
        x = x * scale
        x = x + shift
        x = x.relu() if i % 8 == 0 else x - shift
    middle = time.perf_counter()
    x.backward()
    return middle - begun, time.perf_counter() - middle


def compare() -> None:
    makers: dict[str, Callable[[float], Any]] = {"micrograd": Value, "adjoint": lambda v: ad.tensor(v, requires_grad=True)}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
    for _ in range(RUNS):
        for name, make in makers.items():
            times[name].append(chain(make))
    for name, runs in times.items():
        forward, backward = (statistics.median(run[i] for run in runs) / LENGTH * 1e6 for i in (0, 1))
        print(f"{name:10} forward {forward:5.2f}  backward {backward:5.2f}  microseconds an operation")
    ratios = sorted(sum(a) / sum(b) for a, b in zip(times["micrograd"], times["adjoint"], strict=True))
    print(
        f"micrograd's time over adjoint's: median {statistics.median(ratios):.2f}, middle half {ratios[15]:.2f} to {ratios[45]:.2f}"
    )


if __name__ == "__main__":
    sys.setrecursionlimit(100_000)  # micrograd walks its graph by recursion
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=compare)
    thread.start()
    thread.join()
