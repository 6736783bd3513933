"""Recording a function once, and replaying it as a straight program over arrays.

To read it in order: ``captured`` (what users hold), ``recording`` and ``recorder`` (how a call is logged), ``guards``, ``reads``
and ``conditions`` (what it reads, and how that is compared), ``adjoint.replay`` (what the log is, and how it
is compiled), ``adjoint.backends.numpy.emit`` (how it is replayed).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .captured import Captured

__all__ = ["capture"]


def capture(function: Callable[..., Any]) -> Captured:
    """``function``, recorded at its first call and replayed at each later one, without the Python in between.

    For a whole training step (forward, loss, backward, update), for a part of one, or for a model that only predicts. The first
    call with arguments of a form (shapes, dtypes, device, nesting; numbers by their value) runs the function and logs every
    operation on arrays below it. The log becomes a program that works in memory laid out once. Later calls of that form copy
    their arguments into it and run it: on NumPy with the same bits as the function itself, random numbers included (of arguments
    that do not lie in memory as the first call's did, as those copied to lie so: a matrix product differs by the last bit then).

    The function may use anything that is differentiated here, and optimizers, schedulers, modules in training or evaluation. What
    it returns are tensors, in tuples, lists and dicts, without a graph. Gradients (``p.grad``) are left where the first call
    put them, and the next call writes them anew: ``.clone()`` what is to stay.

    Everything that the function reads of Python is guarded: attributes of objects, entries of containers, functions and classes,
    down to tensors and plain values. A later call that finds something else there (another number, model or method, a parameter
    of another dtype) is recorded anew, and the earlier recording is used again if what it read returns.

    Refused, with :class:`~adjoint.errors.CaptureError`, is what a replay cannot reproduce: reading a value (``item()``,
    ``if loss > 1``, a print), a global or closure variable that was rebound after recording, a number that the call itself reads
    and changes, a tensor that is kept anywhere but in what is returned. Other side effects happen only when a call is recorded.
    Random numbers of ``random`` or ``numpy.random`` are those of the recording. Threads take turns.

    Attributes of the result: ``program``, to be printed; ``stats``; ``reset()`` forgets all recordings. Raises ``TypeError`` if
    ``function`` is not callable.

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
    from .captured import Captured  # with all that records and replays, which a program that captures nothing does not load

    if not callable(function):
        raise TypeError(f"capture: takes a function or a module, not a {type(function).__name__}")
    return Captured(function)
