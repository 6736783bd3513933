"""What the first call of a captured function costs: recording, passes, memory layout and the generated code."""

from __future__ import annotations

from typing import Any

from measure import Contender

#: Steps of Euler's method, of some 10 operations each with their derivatives.
STEPS = 1000


def energy(m: Any, x: Any) -> Any:
    """The last energy of a pendulum that begins at ``x``."""
    angle, speed = x[0], x[1]
    for _ in range(STEPS):
        angle, speed = angle + 0.01 * speed, speed - 0.01 * m.sin(angle)
    return 0.5 * speed * speed - m.cos(angle)


def adjoint(capture: bool = False) -> Contender:
    import adjoint as ad

    x, gradient = ad.tensor([0.5, 0.0]), ad.grad(lambda x: energy(ad, x))
    return Contender(lambda: (ad.capture(gradient) if capture else gradient)(x))
