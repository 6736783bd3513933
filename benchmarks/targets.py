"""The project's speed and size targets, compared with the measurements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

SMALL = ("perceptron", "sine", "iris", "airquality", "717-30-10")
WIDE = ("784-512-10", "784-2048-2048-10")
DEEP = ("cnn", "gpt", "lstm")
MEMORY = ("memory-784-2048-2048-10", "memory-cnn", "memory-gpt")


@dataclass(frozen=True)
class Target:
    """A lower bound on peer / adjoint over some rows: on the geometric mean and on the worst row.

    Attributes:
        mean: None where only the worst row has a bound.
        cost: instead an upper bound on adjoint / peer.
    """

    title: str
    rows: tuple[str, ...]
    peer: str
    ours: str
    mean: float | None
    worst: float | None
    cost: bool = False


EAGER, CAPTURED = "adjoint", "adjoint captured"
TARGETS = [
    Target("five small MLPs", SMALL, "torch fused", EAGER, 3.5, 2.5),
    Target("five small MLPs", SMALL, "torch fused", CAPTURED, 7.0, 4.0),
    Target("five small MLPs", SMALL, "jax", EAGER, 1.0, 0.8),
    Target("five small MLPs", SMALL, "jax", CAPTURED, 2.5, 1.7),
    Target("wide MLPs", WIDE, "torch fused", EAGER, None, 1.0),
    Target("wide MLPs", WIDE, "torch fused", CAPTURED, None, 1.2),
    Target("wide MLPs", WIDE, "jax", CAPTURED, None, 1.0),
    Target("CNN, GPT, LSTM", DEEP, "torch fused", EAGER, None, 0.7),
    Target("CNN, GPT, LSTM", DEEP, "torch fused", CAPTURED, None, 1.0),
    Target("scalar MLP", ("moons",), "micrograd", EAGER, None, 1.0),
    Target("scalar MLP", ("moons",), "micrograd", CAPTURED, None, 10.0),
    Target("loader", ("loader",), "torch", EAGER, None, 5.0),
    Target("import", ("import",), "numpy", EAGER, None, 1.3, cost=True),
    Target("installed size", ("size",), "torch", EAGER, None, 0.125, cost=True),
    Target("peak memory", MEMORY, "torch fused", EAGER, None, 1.0, cost=True),
    Target("peak memory", MEMORY, "torch fused", CAPTURED, None, 0.7, cost=True),
]


def summary(results: list[dict]) -> list[dict]:
    """Each target with the geometric mean of its rows' ratios, the worst ratio, and its row."""
    found = {row["name"]: row["ratios"] for row in results}
    lines = []
    for target in TARGETS:
        ratios = {}
        for name in target.rows:
            measured = found.get(name, {}).get(target.ours, {}).get(target.peer)
            if measured:
                ratios[name] = 1 / measured["median"] if target.cost else measured["median"]
        if not ratios:
            continue
        mean = prod(ratios.values()) ** (1 / len(ratios))
        worst = max(ratios, key=ratios.__getitem__) if target.cost else min(ratios, key=ratios.__getitem__)
        met = within(mean, target.mean, target.cost) and within(ratios[worst], target.worst, target.cost)
        lines.append({
            "title": target.title, "ours": target.ours, "peer": target.peer, "cost": target.cost, "rows": list(ratios),
            "missing": [name for name in target.rows if name not in ratios], "mean": mean, "worst": ratios[worst],
            "worst_row": worst, "target_mean": target.mean, "target_worst": target.worst, "met": met,
        })  # fmt: skip
    return lines


def within(value: float, bound: float | None, cost: bool) -> bool:
    return bound is None or (value <= bound if cost else value >= bound)
