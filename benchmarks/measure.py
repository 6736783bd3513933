"""Interleaved timing: contenders run blocks of steps in rounds, so that other load on the machine affects all of them alike.

Threads disturb the next contender: after a call, OpenBLAS's workers (NumPy) spin for about 70 ms and OpenMP's (PyTorch) for about
10, which halves the speed of the next contender on two cores. So a block lasts at least ``BLOCK`` seconds, it starts after the
process has used almost no processor time for ``PAUSE`` seconds, its first step is not timed if it has others, and the order of the
contenders is shuffled in each round.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BLOCK, PAUSE, LONGEST_PAUSE = 0.02, 0.005, 0.5
WARM_STEPS, WARM_SECONDS, LEAST_ROUNDS = 30, 1.0, 3


class LeftOut(Exception):
    """A contender does not apply to a row; the message says why."""


@dataclass
class Contender:
    """Something to run.

    Attributes:
        step: does the row's work once. Returns the loss in a training row, or the quantity in a row that is not about time.
        wait: blocks until the device is idle.
    """

    step: Callable[[], Any]
    wait: Callable[[], Any] = lambda: None
    count: int = 1
    samples: list[float] = field(default_factory=list)
    losses: tuple[float, float] | None = None

    def loss(self) -> float:
        """The mean loss of ten steps, or of at least three if they take long."""
        begun, losses = time.perf_counter(), []
        while len(losses) < 3 or (len(losses) < 10 and time.perf_counter() - begun < WARM_SECONDS):
            losses.append(self.step())
        return statistics.fmean(loss if isinstance(loss, float) else loss.item() for loss in losses)

    def warm(self) -> None:
        """Run until caches and compiled code exist, then determine the number of steps per block."""
        begun, steps = time.perf_counter(), 0
        while steps < WARM_STEPS and time.perf_counter() - begun < WARM_SECONDS:
            self.step()
            steps += 1
        self.wait()
        begun, steps = time.perf_counter(), 0
        while time.perf_counter() - begun < BLOCK:
            self.step()
            steps += 1
        self.wait()
        self.count = max(1, round(steps * BLOCK / (time.perf_counter() - begun)))

    def time_a_block(self) -> None:
        wait_for_idle_threads()
        if self.count > 1:
            self.step()
            self.wait()
        begun = time.perf_counter()
        for _ in range(self.count):
            self.step()
        self.wait()
        self.samples.append((time.perf_counter() - begun) / self.count)


def wait_for_idle_threads() -> None:
    """Sleep until this process's threads are idle."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < LONGEST_PAUSE:
        used = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - used < PAUSE / 5:
            return


def interleave(contenders: dict[str, Contender], seconds: float, timed: bool) -> None:
    """Fill the contenders' samples: seconds per step of each block, or the step's return value."""
    shuffle = random.Random(0).shuffle
    gc.collect()
    gc.freeze()  # garbage collections then skip the imported libraries
    begun, rounds = time.perf_counter(), 0
    while rounds < LEAST_ROUNDS or time.perf_counter() - begun < seconds:
        order = list(contenders.values())
        shuffle(order)
        for contender in order:
            if timed:
                contender.time_a_block()
            else:
                contender.samples.append(contender.step())
        rounds += 1
    gc.unfreeze()


def spread(samples: list[float]) -> dict[str, float]:
    """The median, the first and third quartile (``low``, ``high``), and the minimum."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high, "least": min(samples)}
