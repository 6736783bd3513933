"""``ParameterBuffer``: parameters concatenated in one buffer, with one more for their gradients and one for each state quantity.

Each parameter's array is a view of the buffer, so that an update rule runs over all parameters at once, without gathering or
scattering them.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getrefcount
from typing import Any

from ..autograd import Tensor
from ..autograd.gradients import GradientBuffer
from ..backends import Array
from ..capture.recording import piecewise, unrecorded
from ..errors import BackendError

Rule = Callable[..., tuple[Array, dict[str, Array]]]


class ParameterBuffer:
    """The parameters of one group that share a dtype and a device.

    Args:
        params: the parameters, at least one.

    Attributes:
        params: the parameters, in the group's order.
        steps: the number of updates that the state of each parameter has seen.
        bounds: where each parameter's elements start and stop in the buffers.
        values, gradients: the two buffers, vectors of all the parameters' elements.
        states: the buffer of each state quantity, by name.
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
        self._set_gradients(Tensor(xp.zeros(stop, dtype=self.dtype), self.backend))
        self._count_references()
        for i in range(len(params)):
            self._move_in(i)

    def view(self, buffer: Tensor, i: int) -> Tensor:
        """Parameter ``i``'s part of one of the buffers, as a view in the parameter's shape."""
        start, stop = self.bounds[i]
        return Tensor(self.backend.xp.reshape(buffer._array[start:stop], self.shapes[i]), self.backend)

    def state(self, name: str, initial: float) -> Tensor:
        """The buffer of the state quantity ``name``, created with ``initial`` in each element at the first call."""
        if name not in self.states:
            with unrecorded():
                self.states[name] = Tensor(self.backend.xp.full(self.values.shape, initial, dtype=self.dtype), self.backend)
        return self.states[name]

    def _move_in(self, i: int) -> None:
        """Copy the parameter's values into the buffer, and make its array a view of it."""
        p, view = self.params[i], self._values[i]
        if p.shape != self.shapes[i]:
            raise ValueError(
                f"step: parameter {i} now has shape {p.shape}; the optimizer was given it in shape {self.shapes[i]}. "
                "Make a new optimizer for it"
            )
        with unrecorded():
            view._array[...] = p._array
            p._array, p._grad_buffer = view._array, self._gradients[i]

    # --- references to the gradients' memory ---------------------------------------------------------------------------------

    def _set_gradients(self, buffer: Tensor) -> None:
        """Make backward passes write the parameters' gradients to ``buffer``."""
        self.gradients = buffer
        self._gradients = [GradientBuffer(self.view(buffer, i)._array, self.backend) for i in range(len(self.params))]
        for p, gradient in zip(self.params, self._gradients, strict=True):
            p._grad_buffer = gradient

    def _count_references(self) -> None:
        """Count our own references to the gradients; call it after :meth:`_set_gradients` has returned and dropped its own."""
        for gradient in self._gradients:
            gradient.mark_free()

    def gradient_references(self) -> int:
        """The number of references to the gradients' memory."""
        return getrefcount(self.backend.owner(self.gradients._array))

    def exclude_references(self, count: int) -> None:
        """Exclude ``count`` references of our own when checking whether a gradient is still in use."""
        for gradient in self._gradients:
            gradient.allow(count)

    # --- the parameters to update --------------------------------------------------------------------------------------------

    def runs(self) -> list[tuple[int, int]] | None:
        """Runs of neighbouring parameters that have gradients and equal step counts, as ranges [first, last).

        On return all values and gradients are in the buffers: those that were replaced have been copied in. None if a parameter
        has moved to another dtype or device, so that new buffers are needed.
        """
        runs: list[tuple[int, int]] = []
        first, last, steps = 0, 0, self.steps
        for i, p in enumerate(self.params):
            grad = p.grad
            if grad is None:
                continue
            if p._array is not self._values[i]._array:
                if p.backend is not self.backend or p._array.dtype != self.dtype:
                    return None
                self._move_in(i)
            if getattr(grad, "_array", None) is not self._gradients[i].tensor._array:
                self._copy_gradient(i, grad)
            if i != last or steps[i] != steps[first]:
                if last > first:
                    runs.append((first, last))
                first = i
            last = i + 1
        if last > first:
            runs.append((first, last))
        return runs

    def _copy_gradient(self, i: int, grad: Any) -> None:
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
        if not p._grad_buffer.free():  # leave that memory to the holder of an earlier gradient
            self._set_gradients(Tensor(self.backend.xp.asarray(self.gradients._array, copy=True), self.backend))
            self._count_references()
        self._gradients[i].tensor._array[...] = grad._array

    # --- the update ----------------------------------------------------------------------------------------------------------

    def update(self, rule: Rule, first: int, last: int, states: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """Apply ``rule`` to parameters [first, last): it replaces their values and ``states``.

        Args:
            rule: an optimizer's ``update``.
            first, last: the range of parameters.
            states: the state buffers that the rule reads and writes, by name.
            numbers: the rule's hyperparameters, by name.
        """
        start, stop = self.bounds[first][0], self.bounds[last - 1][1]

        def update_piece(part: slice, numbers: dict[str, Any]) -> None:
            values, gradients = self.values._array, self.gradients._array
            arrays = {name: buffer._array for name, buffer in states.items()}
            parts = {name: array[part] for name, array in arrays.items()}
            with self.backend.suppress_warnings():
                values[part], new = rule(self.backend.xp, values[part], gradients[part], **parts, **numbers)
                for name, array in new.items():
                    arrays[name][part] = array

        piecewise(update_piece, start, stop, numbers)

    def count_step(self, first: int, last: int, every: bool) -> None:
        """Count a step of parameters [first, last): each step if ``every``, otherwise only that there was one."""
        self.steps[first:last] = [self.steps[first] + 1 if every else 1] * (last - first)
