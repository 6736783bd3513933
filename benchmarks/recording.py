"""The cost of a captured function's first call: recording, passes, memory planning and code generation."""

from __future__ import annotations

from typing import Any

from measure import Contender

#: Steps of Euler's method, each with about 10 operations including derivatives.
STEPS = 1000


def energy(m: Any, x: Any) -> Any:
    """The final energy of a pendulum that starts at ``x``."""
    angle, speed = x[0], x[1]
    for _ in range(STEPS):
        angle, speed = angle + 0.01 * speed, speed - 0.01 * m.sin(angle)
    return 0.5 * speed * speed - m.cos(angle)


def adjoint(capture: bool = False) -> Contender:
    import adjoint as ad

    x, gradient = ad.tensor([0.5, 0.0]), ad.grad(lambda x: energy(ad, x))
    return Contender(lambda: (ad.capture(gradient) if capture else gradient)(x))
