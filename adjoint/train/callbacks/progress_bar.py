"""The progress display of ``fit`` and of the command line: a bar in a terminal or notebook, lines elsewhere."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import Any

from ...lazy import import_extra
from .base import Callback, Logs

__all__ = ["ProgressBar", "ProgressLines", "progress"]

LINES = 10  #: about how many lines are printed in all, unless one per epoch was asked for


def progress(verbose: int | str, per_epoch: bool = False, console: Any = None) -> Callback:
    """The display that ``fit``'s ``verbose`` asks for.

    Args:
        verbose: 0 nothing, 1 a bar, 2 a line per epoch, ``"auto"`` a bar in a terminal or notebook and about ten lines elsewhere.
        per_epoch: whether the bar advances by epochs of the training, rather than by batches of each epoch.
        console: rich's console for the bar; a new one by default.

    Raises ``ValueError`` on another ``verbose``.
    """
    if verbose not in (0, 1, 2, "auto"):
        raise ValueError(f"fit: verbose is 0 (silent), 1 (a bar), 2 (a line per epoch) or 'auto', not {verbose!r}")
    if not verbose:
        return Callback()
    notebook = "ipykernel" in sys.modules
    interactive = verbose == 1 or (verbose == "auto" and (notebook or sys.stdout.isatty()))
    available = find_spec("rich") and (not notebook or find_spec("ipywidgets"))  # which rich's bars in notebooks need
    return ProgressBar(per_epoch, console) if interactive and available else ProgressLines(every=1 if verbose == 2 else 0)


def formatted(logs: Logs) -> str:
    """``loss: 0.1234 - accuracy: 0.9``, as in Keras."""
    return " - ".join(f"{name}: {value:.4g}" for name, value in logs.items())


class ProgressLines(Callback):
    """Print a line with the logs after every ``every`` epochs; 0 for about :data:`LINES` in all."""

    def __init__(self, every: int = 0) -> None:
        self.every = every

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        epochs = self.params["epochs"]
        every = self.every or max(1, epochs // LINES)
        if (epoch + 1) % every == 0 or epoch + 1 == epochs or self.model.stop_training:
            print(f"epoch {epoch + 1}/{epochs} - {formatted(logs)}")


class ProgressBar(Callback):
    """A bar of rich with the logs of the last epoch and the samples per second.

    Args:
        per_epoch: whether it advances by epochs of the training, rather than by batches of each epoch.
        console: rich's console; a new one by default.
    """

    def __init__(self, per_epoch: bool = False, console: Any = None) -> None:
        self.per_epoch, self.console = per_epoch, console

    def on_train_begin(self, logs: Logs) -> None:
        rich = import_extra("rich.progress", "cli", "the progress bar")
        self._bar = rich.Progress(
            rich.TextColumn("{task.description}"), rich.BarColumn(20), rich.MofNCompleteColumn(),
            rich.TextColumn("{task.fields[numbers]}"), rich.TimeElapsedColumn(), console=self.console,
        )  # fmt: skip
        total = self.params["epochs"] if self.per_epoch else self.params["steps"]
        self._task = self._bar.add_task("epoch", total=total, numbers="")
        self._numbers, self._samples, self._start = "", 0, time.perf_counter()
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._samples, self._start = 0, time.perf_counter()
        if not self.per_epoch:
            self._bar.reset(self._task, total=self.params["steps"], description=f"epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._samples += int(logs["size"])
        if not self.per_epoch:
            self._bar.update(self._task, advance=1, numbers=self._numbers or f"loss: {logs['loss']:.4g}")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        speed = self._samples / max(time.perf_counter() - self._start, 1e-9)
        self._numbers = f"{formatted(logs)} - {speed:,.0f} samples/s"
        self._bar.update(self._task, advance=int(self.per_epoch), numbers=self._numbers)

    def on_train_end(self, logs: Logs) -> None:
        self._bar.stop()
