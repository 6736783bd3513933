"""The training task of a row: sizes, synthetic data, loss, optimizer, batch.

No loss can reach zero, because most samples occur twice with different targets. Vanishing gradients would have subnormal squares,
on which some processors are many times slower, and the comparison is not about those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """A training task that every contender can build. Everything is float32; class labels are int64.

    A batch is ``inputs[idx]`` and ``targets[idx]`` for (batch,) random sample indices ``idx``. With a ``context``, the data are two
    long sequences, and a sample is the ``context`` elements from its index on.
    """

    model: str
    sizes: tuple[int, ...]
    data: Callable[[], Arrays]
    loss: str
    optimizer: str
    lr: float
    batch: int
    activation: str = "relu"
    context: int = 0
    tiny: tuple[int, ...] = ()

    def indices(self, count: int = 256) -> list[np.ndarray]:
        """``count`` batches of sample indices, the same for every contender; a run cycles through them."""
        length = len(self.data()[0]) - self.context
        return list(np.random.default_rng(1).integers(0, length, (count, self.batch)))

    def shrunk(self) -> Task:
        """The same kind of model with sizes that need almost no memory."""
        return replace(self, sizes=self.tiny)


def twice(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, x])


def regression(samples: int, inputs: int) -> Arrays:
    """x (samples, inputs), each twice, and y (samples, 1), a linear function of x plus noise."""
    rng = np.random.default_rng(0)
    x = twice(rng.standard_normal((samples // 2, inputs), np.float32))
    y = x @ rng.standard_normal((inputs, 1), np.float32) + 0.1 * rng.standard_normal((len(x), 1), np.float32)
    return x, y


def sine() -> Arrays:
    x = np.linspace(-3, 3, 1000, dtype=np.float32)[:, None]
    return x, np.sin(x)


def classes(samples: int, shape: tuple[int, ...], count: int) -> Arrays:
    """x (samples, *shape), noise around the class centre, each twice; labels (samples,), a fifth of them random."""
    rng = np.random.default_rng(0)
    y = twice(rng.integers(0, count, samples // 2))
    x = rng.standard_normal((len(y) // 2, *shape), np.float32)
    centres = rng.standard_normal((count, *shape), np.float32)
    x += 10 * centres[y[: len(x)]] / np.float32(centres[0].size ** 0.5)
    return twice(x), np.where(rng.random(len(y)) < 0.2, rng.integers(0, count, len(y)), y)


def text() -> Arrays:
    """100,000 characters from an alphabet of 65 with unequal frequencies, and the characters that follow them."""
    tokens = np.random.default_rng(0).geometric(0.1, 100_001) % 65
    return tokens[:-1], tokens[1:]


def sequences() -> Arrays:
    """x (1000, 32, 32) and y (1000, 32, 8): at each step a linear function of the mean of the steps so far."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 32, 32), np.float32)
    mean = np.cumsum(x, axis=1) / np.arange(1, 33, dtype=np.float32)[:, None]
    return x, mean @ rng.standard_normal((32, 8), np.float32)


def dense_weights(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Alternating weights (in, out) and biases (out,), uniform within ±1 / sqrt(in), as in PyTorch's Linear."""
    rng = np.random.default_rng(0)
    weights = []
    for n, m in pairwise(sizes):
        bound = 1 / n**0.5
        weights += [rng.uniform(-bound, bound, shape).astype(np.float32) for shape in ((n, m), (m,))]
    return weights
