"""``Flat``: parameters laid end to end in one buffer, and beside it one for their gradients and one for each state quantity.

Each parameter's array becomes a view of the buffer, so that an update rule runs over all parameters at once, and no view
needs to be gathered or scattered.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any

from ..autograd import Tensor
from ..autograd.gradients import GradientBuffer
from ..backends import Array
from ..capture.recording import aside, piece_by_piece
from ..errors import BackendError

Rule = Callable[..., tuple[Array, dict[str, Array]]]


class Flat:
    """The parameters of one group that share a dtype and a device.

    Attributes:
        params: the parameters, in the group's order.
        steps: how many updates the state of each has seen.
        values, gradients: the two buffers, of as many elements as all the parameters have.
        states: the buffer of each state quantity, by its name.
    """

    def __init__(self, params: list[Tensor]) -> None:
        self.params, self.steps = params, [0] * len(params)
        self.backend, self.dtype = params[0].backend, params[0]._array.dtype
        self.shapes = [p.shape for p in params]
        self.bounds: list[tuple[int, int]] = []
        stop = 0
        for p in params:
            self.bounds.append((stop, stop + p.numel()))
            stop += p.numel()
        xp = self.backend.xp
        self.values = Tensor(xp.empty(stop, dtype=self.dtype), self.backend)
        self.states: dict[str, Tensor] = {}
        self._values = [self.view(self.values, i) for i in range(len(params))]
        self._keep_gradients(Tensor(xp.zeros(stop, dtype=self.dtype), self.backend))
        self._settle()
        for i in range(len(params)):
            self._home(i)

    def view(self, buffer: Tensor, i: int) -> Tensor:
        """Parameter ``i``'s part of one of the buffers, in its shape and in the buffer's memory."""
        start, stop = self.bounds[i]
        return Tensor(self.backend.xp.reshape(buffer._array[start:stop], self.shapes[i]), self.backend)

    def _keep_gradients(self, buffer: Tensor) -> None:
        """Have the parameters' gradients written to ``buffer`` from now on."""
        self.gradients = buffer
        self._gradients = [GradientBuffer(self.view(buffer, i)._array, self.backend) for i in range(len(self.params))]
        for p, place in zip(self.params, self._gradients, strict=True):
            p._grad_buffer = place

    def _settle(self) -> None:
        """Called when :meth:`_keep_gradients` has returned, and its own references are gone."""
        for place in self._gradients:
            place.settle()

    def held(self) -> int:
        """How many references there are to the memory of the gradients."""
        return getrefcount(self.backend.owner(self.gradients._array))

    def allow(self, references: int) -> None:
        """Not to take so many references to the memory of the gradients for gradients that somebody holds."""
        for place in self._gradients:
            place.allow(references)

    def state(self, name: str, initial: float) -> Tensor:
        """The buffer of the state quantity ``name``, filled with ``initial`` where there was none."""
        if name not in self.states:
            with aside():
                self.states[name] = Tensor(self.backend.xp.full(self.values.shape, initial, dtype=self.dtype), self.backend)
        return self.states[name]

    def _home(self, i: int) -> None:
        """Take the parameter's values into the buffer, and make it a view of its place there."""
        p, view = self.params[i], self._values[i]
        if p.shape != self.shapes[i]:
            raise ValueError(
                f"step: parameter {i} now has shape {p.shape}; the optimizer was given it in shape {self.shapes[i]}. "
                "Make a new optimizer for it"
            )
        with aside():
            view._array[...] = p._array
            p._array, p._grad_buffer = view._array, self._gradients[i]

    # --- what there is to update ---------------------------------------------------------------------------------------------

    def runs(self) -> list[tuple[int, int]] | None:
        """The runs of neighbours that have gradients and equal step counts, as first and last (not included) parameter.

        Their values and gradients are in the buffers when this returns: what was replaced since has been copied in. None
        where a parameter has moved to another dtype or device, and does not belong here any more.
        """
        found: list[tuple[int, int]] = []
        first, last, steps = 0, 0, self.steps
        for i, p in enumerate(self.params):
            grad = p.grad
            if grad is None:
                continue
            if p._array is not self._values[i]._array:
                if p.backend is not self.backend or p._array.dtype != self.dtype:
                    return None
                self._home(i)
            if getattr(grad, "_array", None) is not self._gradients[i].tensor._array:
                self._take(i, grad)
            if i != last or steps[i] != steps[first]:
                if last > first:
                    found.append((first, last))
                first = i
            last = i + 1
        if last > first:
            found.append((first, last))
        return found

    def _take(self, i: int, grad: Any) -> None:
        """Copy in a gradient that is not in the buffer: it was assigned, recorded, or accumulated elsewhere."""
        p = self.params[i]
        if not isinstance(grad, Tensor):
            raise TypeError(f"step: the gradient of parameter {i} is a {type(grad).__name__}; it must be a tensor or None")
        if grad.backend is not self.backend:
            raise BackendError(
                f"step: parameter {i} is on '{p.device}' ({self.backend.name}) and its gradient on '{grad.device}' "
                f"({grad.backend.name}); move one with .to(device)"
            )
        if grad.shape != p.shape or grad.dtype is not p.dtype:
            raise ValueError(
                f"step: parameter {i} is {p.shape} {p.dtype} and its gradient {grad.shape} {grad.dtype}; they must agree"
            )
        p._grad_buffer = self._gradients[i]
        if not p._grad_buffer.free():  # leave that memory to whoever still holds an earlier gradient in it
            self._keep_gradients(Tensor(self.backend.xp.asarray(self.gradients._array, copy=True), self.backend))
            self._settle()
        self._gradients[i].tensor._array[...] = grad._array

    def count(self, first: int, last: int, every: bool) -> None:
        """Count a step of the parameters from ``first`` up to ``last``: every one, or only whether there was any."""
        self.steps[first:last] = [self.steps[first] + 1 if every else 1] * (last - first)

    # --- the update ----------------------------------------------------------------------------------------------------------

    def update(self, rule: Rule, first: int, last: int, states: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Replace values and ``states`` of the parameters from ``first`` up to ``last`` by what ``rule`` makes of them."""
        start, stop = self.bounds[first][0], self.bounds[last - 1][1]

        def on(part: slice, numbers: dict[str, Any]) -> None:
            values, gradients = self.values._array, self.gradients._array
            held = {name: buffer._array for name, buffer in states.items()}
            now = {name: array[part] for name, array in held.items()}
            with self.backend.quiet():
                values[part], new = rule(self.backend.xp, values[part], gradients[part], **now, **numbers)
                for name, array in new.items():
                    held[name][part] = array

        piece_by_piece(on, start, stop, numbers)
