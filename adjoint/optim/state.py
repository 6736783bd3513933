"""Reading and validating optimizer state: a parameter's entries in a ``state_dict``, and a group's hyperparameters."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import plain
from ..autograd.creation import tensor


def python_numbers(name: str, group: dict[str, Any]) -> dict[str, Any]:
    """A group's hyperparameters as Python numbers, which files can store."""
    return {key: plain(name, key, value) for key, value in group.items() if key != "params"}


def read_state(p: Tensor, state: dict[str, Any]) -> tuple[int, dict[str, Tensor]]:
    """The step count of a parameter's state, and copies of its tensors in the parameter's dtype and on its device."""
    tensors = {
        name: tensor(value, dtype=p.dtype, device=p.backend)
        for name, value in state.items()
        if name != "step" and value is not None
    }
    return (int(float(state["step"])) if "step" in state else int(bool(tensors))), tensors


def check_state(optimizer: str, i: int, shape: tuple[int, ...], state: dict[str, Any], names: set[str], required: set[str]) -> None:
    """Raise ``ValueError`` unless ``state`` is one that the optimizer keeps for a parameter.

    Args:
        optimizer: the class's name, for messages.
        i: the parameter's index.
        shape: the parameter's shape.
        state: the state to check.
        names: the names that it may have.
        required: the names that it must have.
    """
    if unknown := state.keys() - names:
        raise ValueError(f"load_state_dict: {optimizer} has no state called {_quoted(unknown)}, which parameter {i} was saved with")
    if missing := required - state.keys():
        raise ValueError(f"load_state_dict: {optimizer} needs {_quoted(missing)} in the state of parameter {i}")
    for name, value in state.items():
        if name != "step" and value is not None and tuple(value.shape) != shape:
            raise ValueError(f"load_state_dict: {name} of parameter {i} has shape {tuple(value.shape)}, the parameter {shape}")


def _quoted(names: set[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
