"""What a training run shows: its progress, the confusion matrix, the learning curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

from .callbacks import Callback, Logs
from .history import History

if TYPE_CHECKING:
    from rich.console import Console


CONFUSIONS = 10  #: how many are shown where the matrix of all is too wide for the screen
HEADING = 4  #: letters in a line of a class's heading, at least


def console() -> Console:
    """Where everything is printed, as it is: names from the user's table are no markup."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True)


class EpochBar(Callback):
    """A bar with loss, held-out score and rate that moves with each epoch; lines instead, ten in all, where there is no terminal.

    Args:
        screen: where it is shown.
        rows: how many an epoch has.
        score: the metric's name.
    """

    def __init__(self, screen: Console, rows: int, score: str) -> None:
        self.screen, self.rows, self.score = screen, rows, score

    def on_train_begin(self, logs: Logs) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar: Any = Progress(*columns, console=self.screen, disable=not self.screen.is_terminal)
        self._task = self._bar.add_task("", total=self.params["epochs"])
        self._bar.start()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        number, epochs, speed = epoch + 1, self.params["epochs"], self._bar.tasks[self._task].speed
        rate = f"  {speed * self.rows:,.0f} rows/s" if speed else ""
        text = f"loss {logs['loss']:.4f}  {self.score} {logs[f'val_{self.score}']:.4g}"
        self._bar.update(self._task, advance=1, description=text + rate)
        if not self.screen.is_terminal and (number % max(1, epochs // 10) == 0 or number == epochs):
            self.screen.print(f"epoch {number}/{epochs}  {text}")

    def on_train_end(self, logs: Logs) -> None:
        self._bar.stop()


def confusion(true: Sequence[int], predicted: Sequence[int], classes: Sequence[str], width: int) -> Any:
    """How many rows of each true class (down) were taken for each class (across); the most frequent confusions where that
    is wider than ``width``."""
    from rich.table import Table

    counts = Counter(zip(true, predicted, strict=True))
    digits = len(str(max(counts.values())))
    cells = [max(digits, min(len(name), HEADING)) for name in classes]
    first = max(map(len, classes))
    if 4 + first + sum(cells) + 3 * len(cells) <= width:
        table = Table(title="Confusion matrix, held-out rows")
        table.add_column("true \\ predicted", overflow="fold", min_width=first)
        for name, cell in zip(classes, cells, strict=True):
            table.add_column(name, justify="right", overflow="fold", min_width=cell)
        for t, name in enumerate(classes):
            table.add_row(name, *(str(counts[t, p]) for p in range(len(classes))))
        return table
    wrong = [(t, p, n) for (t, p), n in counts.most_common() if t != p]
    of = Counter(true)
    table = Table(title=f"The most frequent of {len(wrong)} confusions among {len(classes)} classes, held-out rows")
    table.add_column("true", overflow="fold")
    table.add_column("predicted", overflow="fold")
    table.add_column("rows", justify="right")
    for t, p, n in wrong[:CONFUSIONS]:
        table.add_row(classes[t], classes[p], f"{n} of {of[t]}")
    return table


def learning_curve(history: History, title: str, path: str) -> None:
    """A PNG of loss, on a log scale, and score by epoch, training and held-out."""
    figure = history.plot()
    figure.suptitle(title, parse_math=False)
    figure.axes[0].set_yscale("log")
    with catch_warnings(action="ignore"):  # a letter that the font lacks is drawn as a box
        figure.savefig(path, format="png", dpi=120)
