"""Checkpoints: all that a training needs to go on as if it had not been stopped, in one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .. import nn
from ..autograd import Tensor
from ..autograd.creation import tensor
from ..errors import FileFormatError
from ..files import load, load_metadata, save
from .callbacks import in_order
from .feeding import device_and_dtype
from .history import History
from .position import Position, set_random_states
from .trainer import compiled_of


def packed(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """``value`` as JSON can have it: its tensors go to ``tensors``, under names that begin with ``name``."""
    if isinstance(value, Tensor):
        while name in tensors:
            name += "'"
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        return {"items": [[packed(k, f"{name}.key", tensors), packed(v, f"{name}.{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"tuple" if isinstance(value, tuple) else "list": [packed(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]}
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        return value.item()
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        return {"array": packed(tensor(value), name, tensors)["tensor"]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save_checkpoint: {name} is a {type(value).__name__}, which a checkpoint can not hold")


def unpacked(value: Any, tensors: dict[str, Tensor]) -> Any:
    """What :func:`packed` was given."""
    if not isinstance(value, dict):
        return value
    (kind, held), *_ = value.items()
    if kind == "tensor":
        return tensors[held]
    if kind == "array":
        return tensors[held].numpy(force=True).copy()
    if kind == "items":
        return {unpacked(k, tensors): unpacked(v, tensors) for k, v in held}
    parts = [unpacked(v, tensors) for v in held]
    return tuple(parts) if kind == "tuple" else parts


def with_states(callbacks: Iterable[Any]) -> list[Any]:
    """Those of the callbacks that have something to keep, in the order in which they are told."""
    return [callback for callback in in_order(callbacks) if getattr(callback, "state_dict", dict)()]


def states_of(callbacks: Iterable[Any]) -> list[list[Any]]:
    """The class and the state of each."""
    return [[type(callback).__name__, callback.state_dict()] for callback in with_states(callbacks)]


def save_checkpoint(path: Any, model: nn.Module) -> None:
    """Write all that a training needs to go on, in the midst of an epoch too, to a file that is whole or not there.

    That is weights, the optimizer's state, the history, the callbacks' states, the place in the epoch and what its batches came to,
    and where the random generators are, the default ones and those of the loader. :class:`~adjoint.train.ModelCheckpoint` does it
    after epochs or batches; a callback of one's own does it in ``on_epoch_end`` or ``on_train_batch_end``, since before a batch its
    samples are drawn already. Raises ``RuntimeError`` before ``compile`` and what
    :func:`adjoint.save` raises.
    """
    compiled = compiled_of(model, "save_checkpoint")
    history, told = getattr(model, "history", None) or History(), getattr(model, "callbacks", None)
    position = getattr(model, "_resumed", None) or (getattr(model, "_position", None) or Position(0)).state_dict()
    tensors: dict[str, Tensor] = {}
    state = {
        "model": dict(model.state_dict()),
        "optimizer": compiled.optimizer.state_dict(),
        "history": {"epoch": history.epoch, "history": history.history},
        "callbacks": states_of(told.all if told else []),
        "position": position,
    }
    text = json.dumps(packed(state, "", tensors))
    save({name.removeprefix("."): tensor for name, tensor in tensors.items()}, path, {"checkpoint": text})


def resume(path: Any, model: nn.Module, callbacks: Any = ()) -> int:
    """Put model, optimizer, random generators and callbacks in the state of a checkpoint; the number of the epoch to go on with.

    The model is compiled as it was, and then goes on to the same bits; of an epoch that was under way the batches that are done are
    passed over:
    ``model.fit(x, y, epochs=50, initial_epoch=train.resume("run.safetensors", model, callbacks), callbacks=callbacks)``.

    Args:
        callbacks: those that ``fit`` will be given.

    Raises:
        RuntimeError: before ``compile``.
        FileFormatError: the file is truncated, corrupt or no checkpoint.
        ValueError: weights, optimizer or callbacks do not fit; nothing is changed by that of the weights.
    """
    compiled = compiled_of(model, "resume")
    text = load_metadata(path).get("checkpoint")
    if text is None:
        raise FileFormatError(f"{path}: it has weights, but is no checkpoint; read it by model.load")
    tensors = load(path, device_and_dtype(model)[0])
    state = unpacked(json.loads(text), {f".{name}": tensor for name, tensor in tensors.items()})
    callbacks = in_order(callbacks)
    saved, given = state["callbacks"], states_of(callbacks)
    if saved and [name for name, _ in given] != [name for name, _ in saved]:
        names = [type(callback).__name__ for callback in callbacks]
        raise ValueError(
            f"resume: the checkpoint has the states of {[name for name, _ in saved]}, and the callbacks are {names}; give those "
            "that fit will be given: resume(path, model, callbacks)"
        )
    model.load_state_dict(state["model"])
    compiled.optimizer.load_state_dict(state["optimizer"])
    for callback, (_, held) in zip(with_states(callbacks), saved, strict=False):  # with no callbacks saved there are none to load
        callback.load_state_dict(held)
    position = state["position"]
    set_random_states(position["random"], None)  # the loader's are set by fit, which has it
    history = History()
    history.epoch, history.history = state["history"]["epoch"], state["history"]["history"]
    for name, value in (("history", history), ("_resumed", position)):
        object.__setattr__(model, name, value)
    return int(position["epoch"])
