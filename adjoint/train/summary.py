"""``summary``: a table of a model's layers, their output shapes and numbers of parameters."""

from __future__ import annotations

from typing import Any, NamedTuple

from .. import nn
from ..autograd import Tensor, no_grad
from ..autograd.creation import zeros
from ..lazy import import_extra
from .data_adapter import device_and_dtype, eval_mode, keeps_integers


class Line(NamedTuple):
    """A layer's line in the summary."""

    name: str
    kind: str
    shape: tuple[int | None, ...] | None  #: of its output, with None for the batch size; None where unknown
    parameters: int


def lines(model: nn.Module, input_shape: tuple[int, ...] | None = None) -> list[Line]:
    """A line per layer without sublayers, in order; with shapes where ``input_shape`` is given or the first layer is linear."""
    parts = [(name, part) for name, part in model.named_modules() if not list(part.children())] or [("", model)]
    shapes: dict[int, Any] = {}
    example = _example(model, input_shape, [part for _, part in parts])
    if example is not None:
        hooks = [part.register_forward_hook(lambda part, _, out: shapes.__setitem__(id(part), _shape(out))) for _, part in parts]
        try:
            with eval_mode(model), no_grad():
                model(example)
        finally:
            for hook in hooks:
                hook.remove()
    return [Line(name, type(part).__name__, shapes.get(id(part)), _count(part)) for name, part in parts]


def _example(model: nn.Module, shape: tuple[int, ...] | None, parts: list[nn.Module]) -> Tensor | None:
    if shape is None:
        first = parts[0]
        if not isinstance(first, nn.Linear):
            return None
        shape = (first.in_features,)
    device, dtype = device_and_dtype(model)
    return zeros(1, *shape, dtype="int64" if keeps_integers(model) else dtype, device=device)


def _shape(out: Any) -> tuple[int | None, ...] | None:
    out = out[0] if isinstance(out, tuple) else out
    return (None, *out.shape[1:]) if isinstance(out, Tensor) else None


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def layer_table(model: nn.Module, input_shape: tuple[int, ...] | None = None) -> Any:
    """The summary as a table of rich."""
    rows = import_extra("rich.table", "cli", "the table of layers").Table(
        "layer", "kind", "output shape", title=type(model).__name__
    )
    rows.add_column("parameters", justify="right")
    for line in lines(model, input_shape):
        text = "" if line.shape is None else str(line.shape).replace("None", "N", 1)
        rows.add_row(line.name, line.kind, text, f"{line.parameters:,}")
    rows.add_section()
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    rows.add_row("", "all", "", f"{_count(model):,}")
    rows.add_row("", "trainable", "", f"{trainable:,}")
    return rows


def summary(self: nn.Module, input_shape: tuple[int, ...] | int | None = None) -> None:
    """Print a table of the module's layers: name, kind, output shape and number of parameters, and the sums of these.

    Args:
        input_shape: a sample's shape, without the batch axis, for the output shapes; not needed where the first layer is an
            ``nn.Linear``.

    Raises ``MissingExtra`` without rich.
    """
    console = import_extra("rich.console", "cli", "the table of layers").Console(markup=False, highlight=False)
    shape = (input_shape,) if isinstance(input_shape, int) else input_shape
    console.print(layer_table(self, shape))
