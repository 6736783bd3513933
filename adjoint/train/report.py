"""What a training run shows: its progress, the layer table, the confusion matrix, the learning curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings

from .. import nn
from .loop import Epoch

if TYPE_CHECKING:
    from rich.console import Console


CONFUSIONS = 10  #: how many are shown where the matrix of all is too wide for the screen
HEADING = 4  #: letters in a line of a class's heading, at least


def console() -> Console:
    """Where everything is printed, as it is: names from the user's table are no markup."""
    from rich.console import Console

    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True)


@contextmanager
def progress(screen: Console, epochs: int, rows: int, score_name: str) -> Iterator[Any]:
    """A bar with loss, score and rate that moves with each epoch; lines instead, ten in all, where there is no terminal.

    Yields the function to call after each epoch with its number and its :class:`Epoch`.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=epochs)

        def advance(number: int, epoch: Epoch) -> None:
            speed = bar.tasks[task].speed
            rate = f"  {speed * rows:,.0f} rows/s" if speed else ""
            text = f"loss {epoch.loss:.4f}  {score_name} {epoch.score:.4g}"
            bar.update(task, advance=1, description=text + rate)
            if not screen.is_terminal and (number % max(1, epochs // 10) == 0 or number == epochs):
                screen.print(f"epoch {number}/{epochs}  {text}")

        yield advance


def layer_table(model: nn.Sequential) -> Any:
    """Each layer with its shape and how many parameters it has."""
    from rich.table import Table

    table = Table("layer", "module", title="Model")
    table.add_column("parameters", justify="right")
    for name, layer in model.named_children():
        table.add_row(name, repr(layer), f"{sum(p.numel() for p in layer.parameters()):,}")
    table.add_section()
    table.add_row("", "total", f"{sum(p.numel() for p in model.parameters()):,}")
    return table


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


def learning_curve(history: Sequence[Epoch], score_name: str, title: str, path: str) -> None:
    """A PNG of loss (training and held-out) and score by epoch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, parse_math=False)
    losses, scores = figure.subplots(1, 2)
    epochs = range(1, len(history) + 1)
    losses.plot(epochs, [e.loss for e in history], label="training")
    losses.plot(epochs, [e.held_out_loss for e in history], label="held-out")
    losses.set(xlabel="epoch", ylabel="loss", yscale="log")
    losses.legend()
    scores.plot(epochs, [e.score for e in history], color="C1")
    scores.set(xlabel="epoch", ylabel=f"held-out {score_name}")
    with catch_warnings(action="ignore"):  # a letter that the font lacks is drawn as a box
        figure.savefig(path, format="png", dpi=120)
