"""What is trained in a row: sizes, data, loss, optimizer, batch; and the arrays, which are made up but can be learnt.

No loss can be brought to zero, as most samples are there twice with targets that differ. Where gradients vanish, their squares
are subnormal numbers, with which some processors are many times slower, and that is not what is compared here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Task:
    """One training, told so that every contender can build it. Everything is float32, and classes are int64.

    A batch is looked up by ``idx``, (batch,) random numbers of samples: ``inputs[idx]`` and ``targets[idx]``. Where there is a
    ``context`` the data are two long sequences, and a sample is that many places of them from ``idx`` on.
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
        """``count`` batches of samples' numbers, the same for every contender; a run goes round them."""
        length = len(self.data()[0]) - self.context
        return list(np.random.default_rng(1).integers(0, length, (count, self.batch)))

    def shrunk(self) -> Task:
        """The same kind of model at sizes that take next to no memory."""
        return replace(self, sizes=self.tiny)


def twice(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, x])


def regression(samples: int, inputs: int) -> Arrays:
    """x (samples, inputs), each twice, and y (samples, 1), a linear function of it and noise."""
    rng = np.random.default_rng(0)
    x = twice(rng.standard_normal((samples // 2, inputs), np.float32))
    y = x @ rng.standard_normal((inputs, 1), np.float32) + 0.1 * rng.standard_normal((len(x), 1), np.float32)
    return x, y


def sine() -> Arrays:
    x = np.linspace(-3, 3, 1000, dtype=np.float32)[:, None]
    return x, np.sin(x)


def classes(samples: int, shape: tuple[int, ...], count: int) -> Arrays:
    """x (samples, *shape), noise about the centre of its class, each twice; the class (samples,), a fifth of it chance."""
    rng = np.random.default_rng(0)
    y = twice(rng.integers(0, count, samples // 2))
    x = rng.standard_normal((len(y) // 2, *shape), np.float32)
    centres = rng.standard_normal((count, *shape), np.float32)
    x += 10 * centres[y[: len(x)]] / np.float32(centres[0].size ** 0.5)
    return twice(x), np.where(rng.random(len(y)) < 0.2, rng.integers(0, count, len(y)), y)


def text() -> Arrays:
    """100,000 characters of 65, of which some are far more frequent than others, and the characters that follow them."""
    tokens = np.random.default_rng(0).geometric(0.1, 100_001) % 65
    return tokens[:-1], tokens[1:]


def sequences() -> Arrays:
    """x (1000, 32, 32) and y (1000, 32, 8): at each step a linear function of the mean of the steps so far."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 32, 32), np.float32)
    mean = np.cumsum(x, axis=1) / np.arange(1, 33, dtype=np.float32)[:, None]
    return x, mean @ rng.standard_normal((32, 8), np.float32)


def dense_weights(sizes: tuple[int, ...]) -> list[np.ndarray]:
    """Weights (in, out) and biases (out,) by turns, uniform within 1 / sqrt(in), as PyTorch's Linear has them."""
    rng = np.random.default_rng(0)
    weights = []
    for n, m in pairwise(sizes):
        bound = 1 / n**0.5
        weights += [rng.uniform(-bound, bound, shape).astype(np.float32) for shape in ((n, m), (m,))]
    return weights
