"""The cost of guards: a captured operation of a trainer that reads 20 attributes, compared with one that reads none."""

from __future__ import annotations

from measure import Contender

NAMES = [f"weight{i}" for i in range(20)]


class Trainer:
    def __init__(self) -> None:
        for i, name in enumerate(NAMES):
            setattr(self, name, 1.0 + i / 7)

    def with_attributes(self, x):
        return x * sum(getattr(self, name) for name in NAMES)

    def without(self, x):
        return x * 1.5


def replays(attributes: bool) -> Contender:
    import adjoint as ad

    trainer, x = Trainer(), ad.ones(4)
    step = ad.capture(trainer.with_attributes if attributes else trainer.without)
    return Contender(lambda: step(x))
