"""How far a training has come: what a checkpoint keeps so that an epoch goes on from its midst, with the same random numbers."""

from __future__ import annotations

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
    """Where the default generators and the loader's own ones are."""
    return {
        "default": {backend.name: state for backend, state in get_states().items()},
        "own": [generator.get_state() for generator in own_generators(loader)],
    }


def set_random_states(states: dict[str, Any], loader: Any) -> None:
    """Put them back there. Raises ``ValueError`` where the loader has another number of its own."""
    own = own_generators(loader)
    if len(own) != len(states["own"]):
        raise ValueError(
            f"fit: the checkpoint has the states of {len(states['own'])} generators of the loader, which has {len(own)}"
        )
    for name, state in states["default"].items():
        with suppress(BackendError):  # of a device that is not here, and so draws nothing
            default_generator(name).set_state(state)
    for generator, state in zip(own, states["own"], strict=True):
        generator.set_state(state)


@dataclass
class Position:
    """A place in a training.

    Attributes:
        epoch: the number of the epoch at hand, or of the next one, from 0.
        batch: how many of its batches are done.
        loader: what the samples come from.
        begun: the random states from which this epoch's order of samples was drawn.
        tally: what the batches came to.
    """

    epoch: int
    batch: int = 0
    loader: Any = None
    begun: dict[str, Any] = field(default_factory=dict)
    tally: Any = None

    def state_dict(self) -> dict[str, Any]:
        inside = {"begun": self.begun, "tally": self.tally.state_dict()} if self.batch else {}
        return {"epoch": self.epoch, "batch": self.batch, "random": random_states(self.loader), **inside}
