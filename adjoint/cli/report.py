"""What ``adjoint train`` shows of a trained model: the confusion matrix and the learning curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

from ..lazy import import_extra
from ..train import History

if TYPE_CHECKING:
    from rich.console import Console


CONFUSIONS = 10  #: how many confusions are listed where the whole matrix is too wide for the screen
HEADING = 4  #: the least width of a class's heading, in letters


def console() -> Console:
    """The console that everything is printed on, without markup: names from the user's table are printed verbatim."""
    return import_extra("rich.console", "cli", "the command line").Console(
        markup=False, emoji=False, highlight=False, soft_wrap=True
    )


def confusion(true: Sequence[int], predicted: Sequence[int], classes: Sequence[str], width: int) -> Any:
    """The confusion matrix as a table of rich, or the most frequent confusions where that is wider than ``width``."""
    Table = import_extra("rich.table", "cli", "the command line").Table
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
    totals = Counter(true)
    table = Table(title=f"The most frequent of {len(wrong)} confusions among {len(classes)} classes, held-out rows")
    table.add_column("true", overflow="fold")
    table.add_column("predicted", overflow="fold")
    table.add_column("rows", justify="right")
    for t, p, n in wrong[:CONFUSIONS]:
        table.add_row(classes[t], classes[p], f"{n} of {totals[t]}")
    return table


def learning_curve(history: History, title: str, path: str) -> None:
    """Write a PNG of the loss, on a log scale, and the metric by epoch, training and held-out."""
    figure = history.plot()
    figure.suptitle(title, parse_math=False)
    figure.axes[0].set_yscale("log")
    with catch_warnings(action="ignore"):  # of a letter that the font lacks
        figure.savefig(path, format="png", dpi=120)
