"""``CSVLogger``: write the numbers of each epoch to a CSV file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ...files import atomic_write
from ...lazy import LazyModule
from .base import Callback, Logs

__all__ = ["CSVLogger"]

csv: Any = LazyModule("csv", None)


class CSVLogger(Callback):
    """Write a line per epoch to a CSV file: its number, from 0, and its logs.

    Args:
        filename: the file.
        append: continue an existing file, whose header must match. A resumed training replaces the lines at its end that are of
            its first epoch and later ones.

    Raises ``ValueError`` in ``fit`` where the file lacks a column, and ``OSError`` where it cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], append: bool = False) -> None:
        self.filename, self.append = os.fsdecode(filename), append
        self._file: Any = None
        self._names: list[str] = []

    def on_train_begin(self, logs: Logs) -> None:
        continued = self.append and Path(self.filename).exists() and Path(self.filename).stat().st_size > 0
        if continued:
            with open(self.filename, encoding="utf-8", newline="") as file:
                self._names = file.readline().strip().split(",")[1:]
            if missing := [name for name in self.params.get("metrics", ()) if name not in self._names]:
                raise ValueError(
                    f"CSVLogger: {self.filename} has the columns {', '.join(self._names)}, and none for {', '.join(missing)}; "
                    "write to another file, or overwrite it (append=False)"
                )
            self._truncate(self.params.get("initial_epoch", 0))
        else:
            self._names = []
        self._file = open(self.filename, "a" if continued else "w", encoding="utf-8", newline="")  # noqa: SIM115 (until the end)

    def _truncate(self, epoch: int) -> None:
        """Remove the lines at the end that are of that epoch and later ones, where a training resumes with it."""
        lines = Path(self.filename).read_text(encoding="utf-8").splitlines(keepends=True)
        remaining = len(lines)
        while epoch and remaining > 1 and int(lines[remaining - 1].partition(",")[0]) >= epoch:
            remaining -= 1
        if remaining < len(lines):
            with atomic_write(self.filename) as path:
                Path(path).write_text("".join(lines[:remaining]), encoding="utf-8", newline="")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        writer = csv.writer(self._file, lineterminator="\n")
        if not self._names:
            self._names = list(logs)
            writer.writerow(["epoch", *self._names])
        writer.writerow([epoch, *(logs.get(name, "") for name in self._names)])
        self._file.flush()

    def on_train_end(self, logs: Logs) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
