"""``LearningRateScheduler``: set the learning rate by a function or an ``optim.lr_scheduler``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import Parameter, signature
from typing import Any

from .base import Callback, Logs

__all__ = ["LearningRateScheduler"]


def _positional(function: Callable[..., Any]) -> list[Parameter]:
    """The function's positional parameters."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [parameter for parameter in signature(function).parameters.values() if parameter.kind in kinds]


class LearningRateScheduler(Callback):
    """Set the learning rate to ``schedule(epoch, lr)`` before each epoch, or step an ``optim.lr_scheduler`` after it.

    Args:
        schedule: a function of the epoch, from 0, and optionally of the current rate; or a scheduler of :mod:`adjoint.optim`.

    Raises ``TypeError`` on anything else, and ``ValueError`` in ``fit`` where the schedule returns a negative rate or NaN.
    """

    def __init__(self, schedule: Any) -> None:
        if not callable(schedule) and not hasattr(schedule, "step"):
            raise TypeError(
                f"LearningRateScheduler: schedule is a function (epoch, rate) or a scheduler, not {type(schedule).__name__}"
            )
        step = getattr(schedule, "step", None)
        if step is not None and any(p.default is p.empty for p in _positional(step)):
            raise TypeError(f"LearningRateScheduler: {type(schedule).__name__}.step needs a metric; use train.ReduceLROnPlateau")
        self.schedule, self._takes = schedule, 2
        if step is None:
            with suppress(ValueError):  # some built-in functions have no signature
                self._takes = len(_positional(schedule))
        self._epoch = self._begun = -1  # the current epoch, and the one in which a checkpoint was saved

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        resumed_inside, self._epoch, self._begun = epoch == self._begun, epoch, -1
        if hasattr(self.schedule, "step") or resumed_inside:
            return
        for group in self.model.compiled.optimizer.param_groups:
            rate = float(self.schedule(*(epoch, group["lr"])[: self._takes]))
            if not rate >= 0.0:
                raise ValueError(f"LearningRateScheduler: the schedule returned {rate!r} for epoch {epoch}; a rate must be >= 0")
            group["lr"] = rate

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if hasattr(self.schedule, "step"):
            self.schedule.step()

    def state_dict(self) -> dict[str, Any]:
        state = self.schedule.state_dict() if hasattr(self.schedule, "state_dict") else {}
        return {"begun": self._epoch, "schedule": dict(state)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._begun = state["begun"]
        if hasattr(self.schedule, "load_state_dict"):
            self.schedule.load_state_dict(dict(state["schedule"]))
