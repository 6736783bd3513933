"""How far a training has come: what a checkpoint keeps so that an epoch goes on from its midst, with the same random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..autograd.random import Generator, default_generator, get_states
from ..errors import BackendError


def own_generators(loader: Any) -> list[Generator]:
    """Those that a loader, its samplers or its dataset hold, each once."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    holders = (loader, getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None))
    found = [getattr(holder, "generator", None) for holder in (*holders, getattr(loader, "dataset", None))]
    return list({id(one): one for one in found if isinstance(one, Generator)}.values())


def random_states(loader: Any) -> dict[str, Any]:
    """Where the default generators and the loader's own ones are, and how many passes it has begun."""
    return {
        "default": {backend.name: state for backend, state in get_states().items()},
        "own": [generator.get_state() for generator in own_generators(loader)],
        "passes": getattr(loader, "epoch", None),
    }


def set_random_states(states: Mapping[str, Any], loader: Any) -> None:
    """Put them back there."""
    for name, state in states["default"].items():
        with suppress(BackendError):  # of a device that is not here, and so draws nothing
            default_generator(name).set_state(state)
    for generator, state in zip(own_generators(loader), states["own"], strict=False):
        generator.set_state(state)
    if states["passes"] is not None and hasattr(loader, "epoch"):
        loader.epoch = states["passes"]


def refuse_another_loader(resumed: Mapping[str, Any], loader: Any, steps: int | None) -> None:
    """Raise ``ValueError`` where the loader has other batches than the one inside of whose pass the checkpoint was written."""
    for what, saved, there in (
        ("batches", resumed["steps"], steps),
        ("generators", len(resumed["random"]["own"]), len(own_generators(loader))),
    ):
        if saved != there:
            raise ValueError(f"fit: the checkpoint, inside an epoch, is of a loader with {saved} {what}, and this one has {there}")


def placed(model: Any, loader: Any, epoch: int, steps: int | None) -> tuple[Position, Mapping[str, Any] | None]:
    """Where a training begins, with the generators there; and what the checkpoint has, if it goes on from one of that epoch."""
    if epoch and hasattr(loader, "epoch"):
        loader.epoch = epoch
    resumed = vars(model).get("_resumed")
    if resumed is not None and resumed["epoch"] != epoch:
        resumed = None
    if resumed is not None:
        if "begun" in resumed:
            refuse_another_loader(resumed, loader, steps)
        set_random_states(resumed["random"], loader)
    return Position(epoch, loader=loader, steps=steps), resumed


@dataclass
class Position:
    """A place in a training.

    Attributes:
        epoch: the number of the epoch at hand, or of the next one, from 0.
        batch: how many of its batches are done.
        loader: what the samples come from, while they do.
        begun: inside an epoch, the random states from which its order of samples was drawn.
        tally: inside an epoch, what its batches came to.
        last: where the generators were when the training ended.
        steps: how many batches a pass has; None where that is not known.
    """

    epoch: int
    batch: int = 0
    loader: Any = None
    begun: dict[str, Any] = field(default_factory=dict)
    tally: Any = None
    last: dict[str, Any] = field(default_factory=lambda: random_states(None))
    steps: int | None = None

    def end_epoch(self) -> None:
        self.epoch, self.batch, self.begun, self.tally = self.epoch + 1, 0, {}, None

    def end(self) -> None:
        """Let go of the loader, but for where its generators are."""
        self.last, self.loader = random_states(self.loader), None

    def state_dict(self) -> dict[str, Any]:
        now = random_states(self.loader)
        if self.loader is None:
            now = {**self.last, "default": now["default"]}
        inside = {"begun": self.begun, "tally": self.tally.state_dict(), "steps": self.steps} if self.begun else {}
        return {"epoch": self.epoch, "batch": self.batch, "random": now, **inside}
