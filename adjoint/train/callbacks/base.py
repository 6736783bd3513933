"""The base class of all callbacks, and the list of callbacks that ``fit`` calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ... import nn
from ...errors import nearest

__all__ = ["MOMENTS", "Callback", "CallbackList", "Logs"]

Logs = Mapping[str, float]
MOMENTS = (
    "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end",
    "on_test_begin", "on_test_end",
)  # fmt: skip


class Callback:
    """The base of all callbacks: methods that ``fit`` and ``evaluate`` call at certain moments, and that do nothing here.

    ``logs`` holds the numbers known at that moment. ``self.model.stop_training = True`` ends the training after the epoch.

    Attributes:
        model: the module being trained.
        params: ``"epochs"``, ``"initial_epoch"``, ``"verbose"``, ``"steps"`` (batches per epoch, None where unknown) and
            ``"metrics"``, the names in an epoch's logs.
    """

    model: Any = None
    params: Mapping[str, Any] = {}
    last = False  #: whether it is called after the others, because it saves their state
    restored = False  #: whether :meth:`load_state_dict` was called since the last training

    def on_train_begin(self, logs: Logs) -> None:
        """Called before the first epoch, with empty ``logs``."""

    def on_train_end(self, logs: Logs) -> None:
        """Called after the last epoch, with empty ``logs``, also where the training ends early or by an error."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Called before each ``epoch``, numbered from 0, with empty ``logs``."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Called after each ``epoch`` with its ``logs``: ``loss``, the metrics, and ``val_…`` of them."""

    def on_train_batch_begin(self, batch: int, logs: Logs) -> None:
        """Called before each ``batch`` of an epoch, numbered from 0, with empty ``logs``."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Called after each ``batch`` with its ``loss`` and ``size`` in ``logs``."""

    def on_test_begin(self, logs: Logs) -> None:
        """Called before a validation or an evaluation, with empty ``logs``."""

    def on_test_end(self, logs: Logs) -> None:
        """Called after a validation or an evaluation with its ``logs``."""

    def state_dict(self) -> dict[str, Any]:
        """The state to save in a checkpoint: numbers, strings, tensors, and lists and dicts of these."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that :meth:`state_dict` returned, for the next training."""
        for name, value in state.items():
            setattr(self, name, value)
        self.restored = True

    def starts_fresh(self) -> bool:
        """Whether the training that begins does not resume from a restored state; to be called in :meth:`on_train_begin`."""
        fresh, self.restored = not self.restored, False
        return fresh


class CallbackList:
    """The callbacks of a training, called in order; those with ``last`` come last.

    Args:
        model: becomes their ``model``.
        params: becomes their ``params``.
        groups: callbacks, each argument one or several.

    Raises ``TypeError`` on an object without any of the methods.
    """

    def __init__(self, model: nn.Module, params: Mapping[str, Any], *groups: Any) -> None:
        several = [callback for group in groups for callback in (group if isinstance(group, Iterable) else [group])]
        self.callbacks = sorted(several, key=lambda callback: getattr(callback, "last", False))
        for callback in self.callbacks:
            if isinstance(callback, type) or not any(hasattr(callback, moment) for moment in MOMENTS):
                raise TypeError(f"callbacks: {callback!r} is not a callback; give objects of adjoint.train.Callback's subclasses")
            callback.model, callback.params = model, params
            if getattr(callback, "monitor", None) and getattr(callback, "monitors", True) and "metrics" in params:
                require(type(callback).__name__, callback.monitor, params["metrics"])

    def call(self, moment: str, *args: Any) -> None:
        """Call the method ``moment`` of each. An exception gets a note that names the callback."""
        for callback in self.callbacks:
            self._call(callback, moment, *args)

    def _call(self, callback: Any, moment: str, *args: Any) -> None:
        try:
            if (method := getattr(callback, moment, None)) is not None:
                method(*args)
        except Exception as error:
            error.add_note(f"raised by the callback {type(callback).__name__} in {moment}")
            raise

    @contextmanager
    def training(self) -> Iterator[None]:
        """Call ``on_train_begin`` before the block, and after it ``on_train_end`` of all that have begun, however it ends.

        The first exception at the end is raised, unless the block raised one, which then gets a note of it.
        """
        begun: list[Any] = []
        block_error: BaseException | None = None
        try:
            for callback in self.callbacks:
                self._call(callback, "on_train_begin", {})
                begun.append(callback)
            yield
        except BaseException as error:
            block_error = error
            raise
        finally:
            errors: list[BaseException] = []
            for callback in begun:
                try:
                    self._call(callback, "on_train_end", {})
                except BaseException as another:  # Ctrl-C too
                    errors.append(another)
            if errors and block_error is None:
                raise errors[0]
            for later in errors:
                reason = getattr(later, "__notes__", ["raised at the end"])[-1]
                block_error.add_note(f"and then {later!r} was {reason}")  # type: ignore[union-attr]


def require(owner: str, name: str, names: Iterable[str]) -> None:
    """Raise ``ValueError`` where ``name``, which the callback ``owner`` monitors, is not one of the ``names`` in the logs."""
    if name in names:
        return
    hint = nearest(name, names)
    if name.startswith("val_") and not any(other.startswith("val_") for other in names):
        hint = " (there is no validation: give validation_split or validation_data)"
    raise ValueError(f"{owner}: there is no {name!r} to monitor{hint}; there are {', '.join(names)}")
