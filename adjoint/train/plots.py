"""``plot_decision``: the decision surface of a model with two inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..autograd import Tensor, no_grad
from ..autograd.creation import as_tensor, linspace
from ..autograd.functions import meshgrid, stack
from ..lazy import import_extra
from .compiled import threshold as threshold_of

MARGIN = 0.1  #: around the samples, as a fraction of their extent
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
    """A figure of matplotlib: the plane colored by the model's output, and the samples colored by class.

    A single output is shown with a line where it crosses ``threshold``; of several outputs the class of the largest one is shown.

    Args:
        model: a module with two inputs, or a function of a tensor (N, 2).
        x: the samples, (N, 2): an array, a tensor or a data frame.
        y: their classes, (N,) or (N, 1), or one-hot (N, C).
        threshold: of a single output; by default that of ``predict_classes``: 1/2, or 0 for a model compiled with a loss of logits.
        points: grid points per side.
        labels: names of the two inputs.

    Raises ``ValueError`` on other shapes, ``MissingExtra`` without matplotlib.

    >>> import adjoint as ad
    >>> from adjoint import train
    >>> figure = train.plot_decision(nn.Linear(2, 3), [[0.0, 0.0], [1.0, 1.0]], [0, 2])
    >>> figure.savefig("classes.png")  # doctest: +SKIP
    """
    matplotlib_figure = import_extra("matplotlib.figure", "plot", "the plot of a decision surface")
    samples, classes = (as_tensor(part.to_numpy() if hasattr(part, "to_numpy") else part).detach() for part in (x, y))
    if samples.ndim != 2 or samples.shape[1] != 2 or not len(samples):
        raise ValueError(f"plot_decision: x has the shape {tuple(samples.shape)}; the samples have two numbers each, (N, 2)")
    if classes.ndim == 2:
        classes = classes.argmax(dim=1) if classes.shape[1] > 1 else classes.squeeze(1)
    if classes.shape != (len(samples),):
        raise ValueError(f"plot_decision: y has the shape {tuple(classes.shape)}, and there are {len(samples)} samples")
    x1, x2 = (_grid(samples[:, i], points) for i in (0, 1))
    plane = stack([part.flatten() for part in meshgrid(x1, x2, indexing="xy")], dim=1)
    output = _outputs(model, plane)
    if output.ndim not in (1, 2) or len(output) != len(plane):
        raise ValueError(
            f"plot_decision: the model gave the shape {tuple(output.shape)} for {len(plane)} samples; it must give (N,) or (N, C)"
        )

    figure = matplotlib_figure.Figure(figsize=(4.5, 3.6), layout="constrained")
    axes = figure.subplots()
    axis_values: list[Any] = [t.numpy(force=True) for t in (x1, x2)]
    if output.ndim == 2 and output.shape[1] > 1:
        last = max(output.shape[1] - 1, 1)
        classes_there = output.argmax(dim=1).reshape(points, points).numpy(force=True)
        axes.contourf(*axis_values, classes_there, levels=[k - 0.5 for k in range(last + 2)], alpha=0.4, cmap=CLASSES)
        low, high, colours = 0, last, CLASSES
    else:
        edge = threshold_of(model) if threshold is None else threshold
        surface = output.reshape(points, points).numpy(force=True)
        extent = max(float(abs(surface - edge).max()), 1e-6)
        filled = axes.contourf(*axis_values, surface, levels=[edge + extent * k / 8 for k in range(-8, 9)], cmap=FILL, alpha=0.6)
        if surface.min() < edge < surface.max():
            axes.contour(*axis_values, surface, levels=[edge], colors="black", linewidths=1)
        figure.colorbar(filled, ax=axes, label="output")
        low, high, colours = None, None, POINTS
    x1_samples, x2_samples = samples.numpy(force=True).T
    marks: dict[str, Any] = {"s": 14, "edgecolors": "black", "linewidths": 0.4}
    axes.scatter(x1_samples, x2_samples, c=classes.numpy(force=True), cmap=colours, vmin=low, vmax=high, **marks)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    return figure


def _grid(values: Tensor, points: int) -> Tensor:
    low, high = values.min().item(), values.max().item()
    margin = MARGIN * ((high - low) or 1.0)
    return linspace(low - margin, high + margin, points)


def _outputs(model: Any, plane: Tensor) -> Tensor:
    if isinstance(model, nn.Module):
        return model.predict(plane, batch_size=len(plane))
    with no_grad():
        return model(plane)
