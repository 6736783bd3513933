"""The display of a training: a bar that moves where there is a terminal, or a notebook with ipywidgets; plain lines elsewhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from .callbacks import Callback, Logs

LINES = 10  #: so many lines about, where nobody asked for one an epoch


def told(logs: Logs) -> str:
    """``loss: 0.1234 - accuracy: 0.9``, as Keras has it."""
    return " - ".join(f"{name}: {value:.4g}" for name, value in logs.items())


class Progress(Callback):
    """Nothing, a bar, or lines."""

    def __init__(self, every: int = 0) -> None:
        self.every = every  #: every which epoch has a line; 0 for about :data:`LINES` in all

    @staticmethod
    def of(verbose: int | str) -> Callback:
        """What ``fit``'s ``verbose`` asks for: 0 nothing, 1 a bar, 2 a line an epoch, "auto" what suits the place.

        Raises ``ValueError`` on anything else.
        """
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f"fit: verbose is 0 (silent), 1 (a bar), 2 (a line an epoch) or 'auto', not {verbose!r}")
        if not verbose:
            return Callback()
        notebook = "ipykernel" in sys.modules
        live = verbose == 1 or (verbose == "auto" and (notebook or sys.stdout.isatty()))
        able = find_spec("rich") and (not notebook or find_spec("ipywidgets"))  # without it rich shows nothing in a notebook
        return Bar() if live and able else Progress(1 if verbose == 2 else 0)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        epochs = self.params["epochs"]
        every = self.every or max(1, epochs // LINES)
        if (epoch + 1) % every == 0 or epoch + 1 == epochs or self.model.stop_training:
            print(f"epoch {epoch + 1}/{epochs} - {told(logs)}")


class Bar(Callback):
    """A bar for the epoch under way, and its numbers so far; the last line has those of the last epoch."""

    def on_train_begin(self, logs: Logs) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[numbers]}"))
        self._bar: Any = Progress(*columns, TimeElapsedColumn())
        self._task = self._bar.add_task("epoch 0", total=self.params["steps"], numbers="")
        self._numbers = ""
        self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        self._bar.reset(self._task, total=self.params["steps"], description=f"epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._bar.update(self._task, advance=1, numbers=self._numbers or f"loss: {logs['loss']:.4g}")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._numbers = told(logs)
        self._bar.update(self._task, numbers=self._numbers)

    def on_train_end(self, logs: Logs) -> None:
        self._bar.stop()
