"""``TerminateOnNaN``: end the training when the loss is not finite."""

from __future__ import annotations

import math

from .base import Callback, Logs

__all__ = ["TerminateOnNaN"]


class TerminateOnNaN(Callback):
    """End the training at once after a batch whose loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not math.isfinite(logs["loss"]):
            self.model.stop_training = "now"
