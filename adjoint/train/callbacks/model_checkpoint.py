"""``ModelCheckpoint``: save the model, or the whole training, after epochs or batches."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import Any

from ..checkpoint import save_checkpoint
from .base import Callback, Logs
from .monitor import Monitor

__all__ = ["ModelCheckpoint"]


class ModelCheckpoint(Callback):
    """Save a checkpoint after epochs or batches, atomically; :func:`adjoint.train.resume` continues from it.

    Args:
        filepath: the file to write. ``{epoch}`` (from 1), ``{batch}`` (from 1, where it saves after batches) and the names in the
            logs are filled in: ``"{epoch:02d}-{val_loss:.3f}.safetensors"``.
        monitor: the value that decides which epoch is the best, with ``save_best_only``.
        mode: ``"min"``, ``"max"`` or ``"auto"``, as in :class:`EarlyStopping`.
        save_best_only: save only when the monitored value has improved.
        save_weights_only: save the weights alone, without optimizer, random states, history and callbacks.
        save_freq: ``"epoch"``, or the number of batches between two checkpoints.

    Raises ``ValueError`` on another ``save_freq``, on one in batches with ``save_best_only``, and in ``fit`` where the logs lack a
    name in ``filepath``; what :func:`adjoint.save` raises.
    """

    last = True

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        mode: str = "auto",
        save_best_only: bool = False,
        save_weights_only: bool = False,
        save_freq: int | str = "epoch",
    ) -> None:
        if save_freq != "epoch" and (isinstance(save_freq, bool) or not isinstance(save_freq, Integral) or int(save_freq) < 1):
            raise ValueError(f"ModelCheckpoint: save_freq is 'epoch' or a number of batches >= 1, not {save_freq!r}")
        if save_best_only and save_freq != "epoch":
            raise ValueError("ModelCheckpoint: the best is only known after an epoch; save_best_only needs save_freq='epoch'")
        self.filepath, self.monitor, self.save_best_only = os.fsdecode(filepath), monitor, save_best_only
        self.save_weights_only, self.save_freq, self.monitors = save_weights_only, save_freq, save_best_only
        self._monitor = Monitor("ModelCheckpoint", monitor, mode)
        self.best: float | None = None
        self._epoch = self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._save({**logs, "epoch": self._epoch + 1, "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self.save_freq != "epoch":
            return
        if self.save_best_only:
            value = self._monitor.value(logs)
            if not self._monitor.improved(value, self.best):
                return
            self.best = value
        self._save({**logs, "epoch": epoch + 1})

    def _save(self, values: Logs) -> None:
        try:
            path = self.filepath.format(**values)
        except KeyError as error:
            raise ValueError(f"ModelCheckpoint: filepath asks for {error}; there are {', '.join(values)}") from None
        Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save(path)
        else:
            save_checkpoint(path, self.model)

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best} if self.save_best_only else {}
