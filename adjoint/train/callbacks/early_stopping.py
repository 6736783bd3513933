"""``EarlyStopping``: end the training when a monitored value stops improving."""

from __future__ import annotations

from typing import Any

from .base import Callback, Logs
from .monitor import Monitor

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """End the training when a monitored value has not improved for ``patience`` epochs.

    Prechelt, "Early Stopping - But When?" (1998).

    Args:
        monitor: the name of the value in the epoch's logs.
        min_delta: the least change that counts as an improvement.
        patience: how many epochs without improvement to wait.
        mode: ``"min"`` or ``"max"``, whichever is better, or ``"auto"`` to infer it from the name.
        baseline: only values better than this one reset the waiting.
        restore_best_weights: restore the weights of the best epoch at the end.
        start_from_epoch: ignore the epochs before this one, counted from 0.

    Raises ``ValueError`` on a negative patience or an unknown mode, and in ``fit`` where there is no value of that name.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor, self.patience, self.baseline = monitor, patience, baseline
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        if patience < 0:
            raise ValueError(f"EarlyStopping: patience must be >= 0, not {patience}")
        self._monitor = Monitor("EarlyStopping", monitor, mode, abs(min_delta))
        self.best: float | None = None
        self.best_epoch = self.stopped_epoch = 0
        self.wait = 0
        self._weights: dict[str, Any] | None = None

    def on_train_begin(self, logs: Logs) -> None:
        if self.starts_fresh():
            self.best, self.wait, self.best_epoch, self.stopped_epoch, self._weights = None, 0, 0, 0, None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self._monitor.value(logs)
        if epoch < self.start_from_epoch:
            return
        improved = self._monitor.improved(value, self.best)
        if self.restore_best_weights and (improved or self._weights is None):
            self._weights, self.best_epoch = {name: t.clone() for name, t in self.model.state_dict().items()}, epoch
        self.wait += 1
        if improved:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self._monitor.improved(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs) -> None:
        if self.restore_best_weights and self._weights is not None:
            self.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, "_weights": self._weights}
