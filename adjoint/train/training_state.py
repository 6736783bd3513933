"""``TrainingState``: how far a training has come, and where its random generators are, so that a checkpoint can resume it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from .. import nn
from ..autograd.random import Generator, default_generator, get_states
from ..errors import BackendError


def generators_of(loader: Any) -> list[Generator]:
    """The distinct generators of a loader, its samplers and its dataset."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    owners = (loader, getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None))
    generators = [getattr(owner, "generator", None) for owner in (*owners, getattr(loader, "dataset", None))]
    return list({id(generator): generator for generator in generators if isinstance(generator, Generator)}.values())


def random_states(loader: Any) -> dict[str, Any]:
    """The states of the default generators and of the loader's own, and the number of passes it has begun."""
    return {
        "default": {backend.name: state for backend, state in get_states().items()},
        "own": [generator.get_state() for generator in generators_of(loader)],
        "passes": getattr(loader, "epoch", None),
    }


def set_random_states(states: Mapping[str, Any], loader: Any) -> None:
    """Restore what :func:`random_states` returned."""
    for name, state in states["default"].items():
        with suppress(BackendError):  # a device that is missing here draws nothing
            default_generator(name).set_state(state)
    for generator, state in zip(generators_of(loader), states["own"], strict=False):
        generator.set_state(state)
    if states["passes"] is not None and hasattr(loader, "epoch"):
        loader.epoch = states["passes"]


@dataclass
class TrainingState:
    """The place in a training.

    Attributes:
        epoch: the number of the current epoch, or between epochs of the next one, from 0.
        batch: how many of its batches are done.
        loader: where the samples come from; None after the training.
        steps: batches per epoch; None where unknown.
        begun: inside an epoch, the random states at its begin.
        running: inside an epoch, its running loss and metrics.
        last: the random states at the end of the training.
        checkpoint: the state to resume from, until the first epoch has begun.
    """

    epoch: int
    batch: int = 0
    loader: Any = None
    steps: int | None = None
    begun: dict[str, Any] = field(default_factory=dict)
    running: Any = None
    last: dict[str, Any] = field(default_factory=lambda: random_states(None))
    checkpoint: Mapping[str, Any] | None = None

    @classmethod
    def begin(cls, model: nn.Module, loader: Any, epoch: int, steps: int | None) -> TrainingState:
        """Start with an epoch, with the random states of the checkpoint that the model was resumed from, if it is of that epoch.

        Raises ``ValueError`` where the checkpoint is inside an epoch of a loader with other batches or generators.
        """
        if epoch and hasattr(loader, "epoch"):
            loader.epoch = epoch
        checkpoint = vars(model).get("_resumed")
        if checkpoint is None or checkpoint["epoch"] != epoch:
            return cls(epoch, loader=loader, steps=steps)
        if "begun" in checkpoint:
            for what, saved, present in (
                ("batches", checkpoint["steps"], steps),
                ("generators", len(checkpoint["random"]["own"]), len(generators_of(loader))),
            ):
                if saved != present:
                    raise ValueError(
                        f"fit: the checkpoint, inside an epoch, is of a loader with {saved} {what}, and this one has {present}"
                    )
        set_random_states(checkpoint["random"], loader)
        return cls(epoch, loader=loader, steps=steps, checkpoint=checkpoint)

    def begin_epoch(self, model: nn.Module, batches: Iterator[Any], running: Any) -> None:
        """Begin an epoch; where the checkpoint is inside it, redraw and skip the batches that were done."""
        self.begun, self.running = random_states(self.loader), running
        checkpoint, self.checkpoint = self.checkpoint, None
        vars(model).pop("_resumed", None)  # a checkpoint saved from here on is of this state
        if checkpoint is not None and "begun" in checkpoint:
            self.batch, self.begun = checkpoint["batch"], checkpoint["begun"]
            set_random_states(self.begun, self.loader)
            for _ in islice(batches, self.batch):
                pass
            set_random_states(checkpoint["random"], self.loader)
            running.load_state_dict(checkpoint["tally"])

    def end_epoch(self) -> None:
        """Advance to the next epoch."""
        self.epoch, self.batch, self.begun, self.running = self.epoch + 1, 0, {}, None

    def end(self) -> None:
        """Release the loader, and keep the states of its generators."""
        self.last, self.loader = random_states(self.loader), None

    def state_dict(self) -> dict[str, Any]:
        """The state to save in a checkpoint."""
        random = random_states(self.loader)
        if self.loader is None:
            random = {**self.last, "default": random["default"]}
        inside = {"begun": self.begun, "tally": self.running.state_dict(), "steps": self.steps} if self.begun else {}
        return {"epoch": self.epoch, "batch": self.batch, "random": random, **inside}
