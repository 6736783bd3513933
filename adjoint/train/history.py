"""``History``: the loss and the metrics of each epoch, and their plot."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from ..lazy import import_extra


class History:
    """The loss and the metrics of each epoch of a training.

    Args:
        params: the training's parameters, as callbacks have them.
        earlier: the history of the training that this one resumes.
        first_epoch: the first epoch of this training; those of ``earlier`` before it are copied.

    Attributes:
        history: by name, a list with a value per epoch: ``"loss"``, the metrics, and ``"val_loss"``, … with validation.
        epoch: the numbers of the epochs, from 0.
        params: the training's parameters.
        interrupted: whether Ctrl-C ended the training.
    """

    def __init__(self, params: Mapping[str, Any] | None = None, earlier: History | None = None, first_epoch: int = 0) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []
        self.params = dict(params or {})
        self.interrupted = False
        if first_epoch and isinstance(earlier, History):
            for number, epoch in enumerate(earlier.epoch):
                if epoch < first_epoch:
                    self.append(epoch, {name: values[number] for name, values in earlier.history.items()})

    def append(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Append an epoch's logs. A name that appears later has NaN for the epochs before."""
        for name in logs:
            self.history.setdefault(name, [float("nan")] * len(self.epoch))
        for name, values in self.history.items():
            values.append(float(logs.get(name, float("nan"))))
        self.epoch.append(epoch)

    def __repr__(self) -> str:
        """The last epoch's numbers."""
        if not self.epoch:
            return "History of no epoch"
        width = max(map(len, self.history))
        lines = [f"{name:>{width}}: {values[-1]:.4g}" for name, values in self.history.items()]
        return "\n".join([f"Last of {len(self.epoch)} epochs (plot() shows all):", *lines])

    def plot(self, smooth: bool = False) -> Any:
        """A figure of matplotlib: loss and metrics by epoch, training and validation together.

        Args:
            smooth: draw a smoothed line over the points: the mean of all epochs, weighted by 2^-distance.

        Raises ``ValueError`` where there is no epoch, ``MissingExtra`` without matplotlib.
        """
        if not self.epoch:
            raise ValueError("History.plot: no epoch has ended yet")
        matplotlib_figure = import_extra("matplotlib.figure", "plot", "the learning curve")
        names = [name for name in self.history if not name.startswith("val_") or name[4:] not in self.history]
        figure = matplotlib_figure.Figure(figsize=(4.5 * len(names), 3.4), layout="constrained")

        def png() -> bytes:
            figure.savefig(file := BytesIO(), format="png")
            return file.getvalue()

        figure._repr_png_ = png  # with which a notebook shows it without pyplot
        for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
            for label, key in (("training", name), ("validation", f"val_{name}")):
                if key not in self.history:
                    continue
                values, numbers = self.history[key], [number + 1 for number in self.epoch]
                if smooth:
                    (line,) = axes.plot(numbers, smoothed(values), label=label)
                    axes.plot(numbers, values, ".", color=line.get_color(), alpha=0.5)
                else:
                    axes.plot(numbers, values, label=label, marker="." if len(values) < 3 else None)
            axes.set(xlabel="epoch", ylabel=name)
            axes.legend()
        return figure


def smoothed(values: list[float]) -> list[float]:
    """The mean of all values weighted by 2^-distance, at each place; NaN has no weight."""
    result = []
    for i in range(len(values)):
        weights = [0.5 ** abs(i - j) if values[j] == values[j] else 0.0 for j in range(len(values))]
        total = sum(weights)
        result.append(sum(w * v for w, v in zip(weights, values, strict=True) if w) / total if total else float("nan"))
    return result
