"""Recording a function once, and replaying it as a straight program over arrays.

To read it in order: ``captured`` (what users hold), ``recording`` and ``patches`` (how a call is recorded), ``recorder`` and
``arrays`` (the log), ``expressions`` (numbers that change), ``following``, ``lookups`` and ``attributes`` (everything of Python
that the call reads), ``dependencies`` and ``guards`` (how that is compared at each replay), ``replays``; then
:mod:`adjoint.replay`, which compiles the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..lazy import LazyModule

if TYPE_CHECKING:
    from . import captured
    from .captured import Captured
else:  # most programs record nothing
    captured = LazyModule(".captured", __package__)

__all__ = ["capture"]


def capture(function: Callable[..., Any]) -> Captured:
    """``function``, recorded at its first call and replayed at each later one, without the Python code in between.

    Capture a whole training step (forward, loss, backward, update), a part of one, or a model that only predicts. The first call
    with arguments of a form runs the function and records every operation on arrays. Later calls of that form copy their arguments
    into the recorded program and run it. On NumPy the results are the function's own bit for bit, including random numbers; only
    arguments with another memory layout than the first call's are copied to that layout, so that the last bit of a matrix product
    may differ.

    The function may use everything that is differentiable here, optimizers, schedulers, and modules in training or evaluation
    mode. It returns tensors, in tuples, lists and dicts, which have no graph. The next call overwrites gradients (``p.grad``):
    ``.clone()`` those to keep.

    Everything of Python that the function reads is guarded: attributes of objects, entries of containers, functions and classes,
    down to tensors and plain values. A call that reads something else (another number, model or method, a parameter of another
    dtype) is recorded again; the earlier recording is used again when its state returns.

    Side effects other than optimizers' and schedulers' happen only when a call is recorded, and random numbers of ``random`` or
    ``numpy.random`` are those of the recording. Threads take turns.

    Args:
        function: any function, method or module. Calls have the same form if shapes, dtypes, devices and nesting of their
            arguments are equal, and numbers and strings among them have equal values.

    Returns:
        The captured function, a :class:`Captured`. Its ``program`` prints the recorded operations, ``stats`` counts recordings and
        replays, ``reset()`` forgets all recordings.

    Raises:
        TypeError: ``function`` is not callable.
        CaptureError: from a call, on anything that a replay cannot reproduce: a value is read (``item()``, ``if loss > 1``, a
            print), the call itself changes a number that it reads, a tensor is kept anywhere but in the result, a global or
            closure variable was rebound after recording.

    >>> import adjoint as ad
    >>> w = ad.zeros(3, requires_grad=True)
    >>> optimizer = ad.optim.SGD([w], lr=0.1)
    >>> @ad.capture
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = ((x @ w - y) ** 2).mean()
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss
    >>> for _ in range(100):
    ...     loss = step(ad.eye(3), ad.ones(3))
    >>> step.stats.programs, step.stats.replays
    (1, 99)
    """
    if not callable(function):
        raise TypeError(f"capture: takes a function or a module, not a {type(function).__name__}")
    return captured.Captured(function)
