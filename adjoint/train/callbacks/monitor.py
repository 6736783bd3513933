"""``Monitor``: read a monitored value from the logs, and decide whether it has improved."""

from __future__ import annotations

import math
import re

from .base import Logs, require

__all__ = ["Monitor"]


class Monitor:
    """A monitored value: its name in the logs, and whether smaller or larger values are better.

    Args:
        owner: the callback's name, for messages.
        name: the value's name in the logs.
        mode: ``"min"``, ``"max"``, or ``"auto"``: "max" for the names of accuracies and scores.
        min_delta: the least change that counts as an improvement, >= 0.

    Raises ``ValueError`` on another mode or a negative ``min_delta``.
    """

    RISING = ("acc", "accuracy", "auc", "precision", "recall")  #: names with a word that ends so are better when larger
    SCORES = ("f1", "r2")  #: and names with one of these words, with or without "score"

    def __init__(self, owner: str, name: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{owner}: mode is 'auto', 'min' or 'max', not {mode!r}")
        if not min_delta >= 0:
            raise ValueError(f"{owner}: min_delta must be >= 0, not {min_delta!r}")
        words = re.split("[^a-z0-9]+", name.lower())
        is_score = any(word.endswith(self.RISING) or word.removesuffix("score") in self.SCORES for word in words)
        rising = mode == "max" or (mode == "auto" and is_score)
        self.owner, self.name, self.min_delta = owner, name, min_delta
        self.sign = -1.0 if rising else 1.0  #: ``sign * value`` is better when smaller

    def value(self, logs: Logs) -> float:
        """The monitored value. Raises ``ValueError`` where the logs lack it."""
        require(self.owner, self.name, logs)
        return logs[self.name]

    def improved(self, value: float, best: float | None) -> bool:
        """Whether ``value`` is better than ``best`` by more than ``min_delta``. NaN is never better."""
        if math.isnan(value):
            return False
        return best is None or self.sign * value < self.sign * best - self.min_delta
