"""Contenders in turn: blocks of steps, round by round, so that what else the machine does falls on all of them alike.

Threads disturb the next contender: OpenBLAS's workers (NumPy's) go on spinning for some 70 ms after a call and OpenMP's
(PyTorch's) for some 10, and on a machine of two cores that takes half of the next one's time. So a block lasts at least
``BLOCK`` seconds, it begins when the process has used next to no processor time for ``PAUSE`` seconds, its first step is not
timed where it has others, and the order of the contenders is drawn anew each round.
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
    """A contender does not apply to a row, for the reason given."""


@dataclass
class Contender:
    """Something to run.

    Attributes:
        step: does the row's work once. Returns its loss where the row trains, or the quantity where the row is not about time.
        wait: returns when the device has done all that it was given.
    """

    step: Callable[[], Any]
    wait: Callable[[], Any] = lambda: None
    count: int = 1
    samples: list[float] = field(default_factory=list)
    losses: tuple[float, float] | None = None

    def loss(self) -> float:
        """The mean over ten steps, or over at least three where these take long."""
        begun, losses = time.perf_counter(), []
        while len(losses) < 3 or (len(losses) < 10 and time.perf_counter() - begun < WARM_SECONDS):
            losses.append(self.step())
        return statistics.fmean(loss if isinstance(loss, float) else loss.item() for loss in losses)

    def warm(self) -> None:
        """Run it until what is made at first use has been made, and find how many steps make a block."""
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
        settle()
        if self.count > 1:
            self.step()
            self.wait()
        begun = time.perf_counter()
        for _ in range(self.count):
            self.step()
        self.wait()
        self.samples.append((time.perf_counter() - begun) / self.count)


def settle() -> None:
    """Sleep until the threads of this process do."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < LONGEST_PAUSE:
        used = time.process_time()
        time.sleep(PAUSE)
        if time.process_time() - used < PAUSE / 5:
            return


def interleave(contenders: dict[str, Contender], seconds: float, timed: bool) -> None:
    """Fill the contenders' samples: seconds a step of each block, or what the step returned."""
    shuffle = random.Random(0).shuffle
    gc.collect()
    gc.freeze()  # a collection walks the imported libraries no more, whoever's turn it is when it comes
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
    """The median, the first and third quartile (``low`` and ``high`` hold the middle half), and the least."""
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high, "least": min(samples)}
