"""Saving and restoring: a model's weights, and checkpoints from which a training resumes bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .. import files, nn
from ..autograd import Tensor
from ..autograd.creation import as_tensor, tensor
from ..errors import FileFormatError
from .compiled import compiled_of, set_attributes
from .data_adapter import device_and_dtype
from .history import History
from .training_state import TrainingState, set_random_states


def get_weights(self: nn.Module) -> list[Any]:
    """Copies of all parameters and buffers as NumPy arrays, in the order of ``state_dict()``, in PyTorch's layout."""
    return [t.numpy(force=True).copy() for t in self.state_dict().values()]


def set_weights(self: nn.Module, weights: Iterable[Any]) -> None:
    """Write ``weights``, arrays such as :func:`get_weights` returns, into the parameters and buffers.

    Raises ``ValueError`` where their number or a shape differs; nothing is written then.
    """
    state, arrays = self.state_dict(), list(weights)
    if len(arrays) != len(state):
        raise ValueError(f"set_weights: {len(arrays)} arrays for {len(state)} weights ({', '.join(state)})")
    for (name, t), array in zip(state.items(), arrays, strict=True):
        if tuple(getattr(array, "shape", ())) != tuple(t.shape):
            raise ValueError(f"set_weights: {name} has the shape {tuple(t.shape)}, and the array {getattr(array, 'shape', ())}")
    self.load_state_dict({name: as_tensor(a).to(t.dtype) for (name, t), a in zip(state.items(), arrays, strict=True)})


def save(self: nn.Module, path: Any) -> None:
    """Write the weights atomically to the safetensors file ``path``. Raises what :func:`adjoint.save` does."""
    files.save(self.state_dict(), path)


def load(self: nn.Module, path: Any) -> None:
    """Read weights that :func:`save`, or PyTorch through safetensors, wrote to ``path``. Raises what :func:`adjoint.load` does."""
    self.load_state_dict(files.load(path))


def save_checkpoint(path: Any, model: nn.Module) -> None:
    """Write all that :func:`resume` needs, inside an epoch too, atomically to one safetensors file.

    It holds the weights, the optimizer's state, the history, the callbacks' states, the place in the epoch with its running
    metrics, and the states of the default random generators and of the loader's. :class:`~adjoint.train.ModelCheckpoint` calls it
    after epochs or batches; other callbacks may in ``on_epoch_end`` and ``on_train_batch_end``, but not before a batch, whose
    samples are already drawn.

    Args:
        path: the file.
        model: a compiled module.

    Raises ``RuntimeError`` before ``compile``, ``TypeError`` for a state that JSON cannot hold, and what :func:`adjoint.save`
    raises.
    """
    compiled = compiled_of(model, "save_checkpoint")
    history, callbacks = getattr(model, "history", None) or History(), getattr(model, "callbacks", None)
    state = getattr(model, "_resumed", None) or (getattr(model, "_training_state", None) or TrainingState(0)).state_dict()
    tensors: dict[str, Tensor] = {}
    checkpoint = {
        "model": dict(model.state_dict()),
        "optimizer": compiled.optimizer.state_dict(),
        "history": {"epoch": history.epoch, "history": history.history},
        "callbacks": [[name, callback.state_dict()] for name, callback in _stateful(callbacks.callbacks if callbacks else [])],
        "position": state,
    }
    text = json.dumps(_pack(checkpoint, "", tensors))
    files.save({name.removeprefix("."): t for name, t in tensors.items()}, path, {"checkpoint": text})


def resume(path: Any, model: nn.Module, callbacks: Any = ()) -> int:
    """Restore the model, the optimizer, the random generators and the callbacks from a checkpoint, to resume bit for bit.

    ``model.fit(x, y, epochs=50, initial_epoch=train.resume("run.safetensors", model, callbacks), callbacks=callbacks)``. Inside an
    epoch, ``fit`` redraws and skips the batches that were done.

    Args:
        path: the file.
        model: a module compiled as it was then.
        callbacks: those that ``fit`` will get.

    Returns:
        The epoch to resume with, from 0.

    Raises:
        RuntimeError: before ``compile``.
        FileFormatError: the file is truncated, corrupt or no checkpoint.
        ValueError: weights, optimizer or callbacks do not fit; where the weights do not, nothing has changed.
    """
    compiled = compiled_of(model, "resume")
    text = files.load_metadata(path).get("checkpoint")
    if text is None:
        raise FileFormatError(f"{path}: it has weights, but is no checkpoint; read it by model.load")
    tensors = files.load(path, device_and_dtype(model)[0])
    checkpoint = _unpack(json.loads(text), {f".{name}": t for name, t in tensors.items()})
    saved = sorted(checkpoint["callbacks"], key=lambda pair: pair[0])
    stateful = _stateful(callbacks if isinstance(callbacks, Iterable) else [callbacks])
    if saved and [name for name, _ in stateful] != [name for name, _ in saved]:
        raise ValueError(
            f"resume: the checkpoint has the states of {[name for name, _ in saved]}, and the callbacks with a state are "
            f"{[name for name, _ in stateful]}; give those that fit will get: resume(path, model, callbacks)"
        )
    model.load_state_dict(checkpoint["model"])
    compiled.optimizer.load_state_dict(checkpoint["optimizer"])
    for (_, callback), (_, state) in zip(stateful, saved, strict=False):  # a checkpoint may have none
        callback.load_state_dict(state)
    state = checkpoint["position"]
    set_random_states(state["random"], None)  # fit restores those of the loader
    history = History()
    history.epoch, history.history = checkpoint["history"]["epoch"], checkpoint["history"]["history"]
    set_attributes(model, history=history, _resumed=state)
    return int(state["epoch"])


def _stateful(callbacks: Iterable[Any]) -> list[tuple[str, Any]]:
    """The callbacks with a state, sorted by the names of their classes, so that their order in ``fit`` does not matter."""
    pairs = [(type(callback).__name__, callback) for callback in callbacks if getattr(callback, "state_dict", dict)()]
    return sorted(pairs, key=lambda pair: pair[0])


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """``value`` as JSON can hold it; its tensors are put into ``tensors`` under names that begin with ``name``."""
    if isinstance(value, Tensor):
        while name in tensors:
            name += "'"
        tensors[name] = value
        return {"tensor": name}
    if isinstance(value, dict):
        return {"items": [[_pack(k, f"{name}.key", tensors), _pack(v, f"{name}.{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {"tuple" if isinstance(value, tuple) else "list": [_pack(v, f"{name}.{i}", tensors) for i, v in enumerate(value)]}
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        return value.item()
    if hasattr(value, "__array__") and hasattr(value, "dtype"):
        return {"array": _pack(tensor(value), name, tensors)["tensor"]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"save_checkpoint: {name} is a {type(value).__name__}, which a checkpoint cannot hold")


def _unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of :func:`_pack`."""
    if not isinstance(value, dict):
        return value
    (kind, content), *_ = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return tensors[content].numpy(force=True).copy()
    if kind == "items":
        return {_unpack(k, tensors): _unpack(v, tensors) for k, v in content}
    parts = [_unpack(v, tensors) for v in content]
    return tuple(parts) if kind == "tuple" else parts
