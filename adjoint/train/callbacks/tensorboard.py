"""``TensorBoard``: write the numbers of each epoch for TensorBoard."""

from __future__ import annotations

import os
from typing import Any

from ...lazy import import_extra
from .base import Callback, Logs

__all__ = ["TensorBoard"]


class TensorBoard(Callback):
    """Write the logs of each epoch for TensorBoard, with the library tensorboardX.

    Args:
        log_dir: the folder, in which ``train`` and ``validation`` are written.

    Raises ``MissingExtra`` in ``fit`` without tensorboardX.
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs") -> None:
        self.log_dir = os.fsdecode(log_dir)
        self._writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Logs) -> None:
        library = import_extra("tensorboardX", "tensorboard", "logs for TensorBoard")
        self._writers = {part: library.SummaryWriter(os.path.join(self.log_dir, part)) for part in ("train", "validation")}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            part = "validation" if name.startswith("val_") else "train"
            self._writers[part].add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)

    def on_train_end(self, logs: Logs) -> None:
        for writer in self._writers.values():
            writer.close()
