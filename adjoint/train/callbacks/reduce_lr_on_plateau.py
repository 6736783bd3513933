"""``ReduceLROnPlateau``: lower the learning rate when a monitored value stops improving."""

from __future__ import annotations

from typing import Any

from .base import Callback, Logs
from .monitor import Monitor

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by ``factor`` when a monitored value has not improved for ``patience`` epochs.

    Args:
        monitor: the name of the value in the epoch's logs.
        factor: between 0 and 1.
        patience: how many epochs without improvement to wait.
        mode: ``"min"``, ``"max"`` or ``"auto"``, as in :class:`EarlyStopping`.
        min_delta: the least change that counts as an improvement.
        cooldown: how many epochs after a reduction to ignore.
        min_lr: the least learning rate.

    Raises ``ValueError`` on a factor or mode out of range, and in ``fit`` where there is no value of that name.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if not 0.0 < factor < 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be between 0 and 1, not {factor}")
        self.monitor, self.factor, self.patience, self.cooldown, self.min_lr = monitor, factor, patience, cooldown, min_lr
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.best: float | None = None
        self.wait = self.cooling = 0

    def on_train_begin(self, logs: Logs) -> None:
        if self.starts_fresh():
            self.best, self.wait, self.cooling = None, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        value = self._monitor.value(logs)
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        if self._monitor.improved(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience:
                for group in self.model.compiled.optimizer.param_groups:
                    if group["lr"] > self.min_lr:
                        group["lr"] = max(group["lr"] * self.factor, self.min_lr)
                self.wait, self.cooling = 0, self.cooldown

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait, "cooling": self.cooling}
