"""``plot_decision``: what a model of two inputs decides, as a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..autograd import Tensor, no_grad
from ..autograd.creation import as_tensor, linspace
from ..autograd.functions import meshgrid, stack
from ..errors import MissingExtra
from .trainer import threshold as threshold_of

MARGIN = 0.1  #: of the samples' extent is shown around them
FILL, POINTS, CLASSES = "RdBu", "coolwarm_r", "viridis"


def plot_decision(
    model: nn.Module | Callable[[Tensor], Tensor],
    x: Any,
    y: Any,
    *,
    threshold: float | None = None,
    points: int = 120,
    labels: tuple[str, str] = ("x1", "x2"),
) -> Any:
    """A figure: the plane coloured by what the model gives there, and the samples on it by their class.

    A model of one output is shown by that output, with a line where it crosses ``threshold``; one of several by the number of the
    largest.

    Args:
        model: a module of two inputs, or a function of a tensor (N, 2).
        x: the samples, (N, 2): an array, a tensor or a data frame.
        y: their classes, (N,) or (N, 1), or one-hot (N, C).
        threshold: where one output tells the classes apart; as ``predict_classes`` has it by default, 1/2, and 0 where the model
            was compiled with a loss of logits.
        points: so many places a side are asked of the model.
        labels: names of the two inputs.

    Raises ``ValueError`` on other shapes, ``MissingExtra`` without matplotlib.

    >>> import adjoint as ad
    >>> from adjoint import train
    >>> figure = train.plot_decision(nn.Linear(2, 3), [[0.0, 0.0], [1.0, 1.0]], [0, 2])
    >>> figure.savefig("classes.png")  # doctest: +SKIP
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("matplotlib", "plot", "the picture of a decision") from error
    samples, classes = (as_tensor(part.to_numpy() if hasattr(part, "to_numpy") else part).detach() for part in (x, y))
    if samples.ndim != 2 or samples.shape[1] != 2 or not len(samples):
        raise ValueError(f"plot_decision: x has the shape {tuple(samples.shape)}; the samples have two numbers each, (N, 2)")
    if classes.ndim == 2:
        classes = classes.argmax(dim=1) if classes.shape[1] > 1 else classes.squeeze(1)
    if classes.shape != (len(samples),):
        raise ValueError(f"plot_decision: y has the shape {tuple(classes.shape)}, and there are {len(samples)} samples")
    across, up = (_places(samples[:, i], points) for i in (0, 1))
    plane = stack([part.flatten() for part in meshgrid(across, up, indexing="xy")], dim=1)
    given = _outputs(model, plane)
    if given.ndim not in (1, 2) or len(given) != len(plane):
        raise ValueError(
            f"plot_decision: the model gave the shape {tuple(given.shape)} for {len(plane)} samples; (N,) or (N, C) is due"
        )

    figure = Figure(figsize=(4.5, 3.6), layout="constrained")
    axes = figure.subplots()
    place: list[Any] = [t.numpy(force=True) for t in (across, up)]
    if given.ndim == 2 and given.shape[1] > 1:
        last = max(given.shape[1] - 1, 1)
        decided = given.argmax(dim=1).reshape(points, points).numpy(force=True)
        axes.contourf(*place, decided, levels=[k - 0.5 for k in range(last + 2)], alpha=0.4, cmap=CLASSES)
        low, high, colours = 0, last, CLASSES
    else:
        edge = threshold_of(model) if threshold is None else threshold
        surface = given.reshape(points, points).numpy(force=True)
        reach = max(float(abs(surface - edge).max()), 1e-6)
        filled = axes.contourf(*place, surface, levels=[edge + reach * k / 8 for k in range(-8, 9)], cmap=FILL, alpha=0.6)
        if surface.min() < edge < surface.max():
            axes.contour(*place, surface, levels=[edge], colors="black", linewidths=1)
        figure.colorbar(filled, ax=axes, label="output")
        low, high, colours = None, None, POINTS
    across_at, up_at = samples.numpy(force=True).T
    marks: dict[str, Any] = {"s": 14, "edgecolors": "black", "linewidths": 0.4}
    axes.scatter(across_at, up_at, c=classes.numpy(force=True), cmap=colours, vmin=low, vmax=high, **marks)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    return figure


def _places(values: Tensor, points: int) -> Tensor:
    low, high = values.min().item(), values.max().item()
    margin = MARGIN * ((high - low) or 1.0)
    return linspace(low - margin, high + margin, points)


def _outputs(model: Any, plane: Tensor) -> Tensor:
    if isinstance(model, nn.Module):
        return model.predict(plane, batch_size=len(plane))
    with no_grad():
        return model(plane)
