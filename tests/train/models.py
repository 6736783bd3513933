"""What the tests of training share: a small compiled model, its data, and callbacks that measure, stop and fail on request."""

from __future__ import annotations

from typing import Any

import numpy as np

import adjoint as ad
from adjoint import nn, train

RNG = np.random.default_rng(0)
X = RNG.standard_normal((20, 3)).astype(np.float32)
Y = X[:, :1] - X[:, 1:2] ** 2


def model(dropout: float = 0.0) -> nn.Sequential:
    ad.manual_seed(0)
    found = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(dropout), nn.Linear(4, 1))
    found.compile("adam", "mse", metrics=["mae"])
    return found


def bits(m: nn.Module) -> list[bytes]:
    return [t.numpy(force=True).tobytes() for t in m.state_dict().values()]


class Scripted(train.Callback):
    """Puts given numbers into the place of what was measured, before the others see them."""

    def __init__(self, **numbers: list[float]) -> None:
        self.numbers = numbers

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        logs.update({name: values[epoch] for name, values in self.numbers.items()})


class Interrupting(train.Callback):
    """Ctrl-C at a batch of an epoch."""

    def __init__(self, epoch: int, batch: int) -> None:
        self.at, self.now = (epoch, batch), 0

    def on_epoch_begin(self, epoch: int, logs: Any) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any) -> None:
        if (self.now, batch) == self.at:
            raise KeyboardInterrupt


class Failing(train.Callback):
    """Raises at the begin, once."""

    def __init__(self, error: type[BaseException] = OSError) -> None:
        self.errors = [error]

    def on_train_begin(self, logs: Any) -> None:
        if self.errors:
            raise self.errors.pop()()
