"""``x[i]`` of a 0-d tensor i: a copy in a recording, with the memory layout of the view that an integer would give."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..backends import Array, Backend, Namespace
from ..errors import CaptureError
from ..replay.program import Buffer
from .arrays import RecordedArray

EVERY = slice(None)


class Picks:
    """The copies that were made instead of views, which may be read as long as the original is not written to."""

    def __init__(self, backend: Backend, plain: Namespace) -> None:
        self._backend, self._plain = backend, plain
        #: of each copy's buffer: the original's, and the number of writes to that before
        self._originals: dict[Buffer, tuple[Buffer, int]] = {}
        self._writes: Counter[Buffer] = Counter()

    def copy(self, xp: Namespace, picked: Any, x: RecordedArray, view: Array) -> Any:
        """``picked``, copied from ``x``, in the memory layout of ``view``: the bits of sums depend on it."""
        if picked.size:
            picked = laid_out(xp, picked, *self._strides(view))
        self._originals[picked.value.buffer] = x.value.buffer, self._writes[x.value.buffer]
        return picked

    def check_current(self, recorded: RecordedArray) -> None:
        """Raise :class:`CaptureError` on a copy whose original was written to since."""
        buffer = recorded.value.buffer
        while buffer in self._originals:
            buffer, writes = self._originals[buffer]
            if self._writes[buffer] != writes:
                raise CaptureError(
                    "capture: x[i], of a 0-d tensor i, is a copy while the function is recorded, and x was written to since; take "
                    "x[i] again after the write, or clone() it before"
                )

    def write(self, buffer: Buffer) -> None:
        """Count a write. Raises :class:`CaptureError` on one to a copy, which would not reach the original."""
        if buffer in self._originals:
            raise CaptureError(
                "capture: x[i], of a 0-d tensor i, is a copy while the function is recorded, so a write to it would not reach "
                "x; write x[i] = value (x[i] = x[i] + 1 for x[i] += 1), use index_copy_, or index by a Python integer"
            )
        self._writes[buffer] += 1

    def _strides(self, array: Array) -> tuple[list[int], int]:
        """The strides and the size of an element, in bytes, from the elements' addresses; 0 where an axis has one element."""

        def extent(axis: int | None = None) -> tuple[int, int]:
            element = tuple([slice(1, 2) if k == axis else slice(1) for k in range(array.ndim)])
            return self._backend.extent(self._plain.getitem(array, element))

        low, high = extent()
        return [extent(k)[0] - low if n > 1 else 0 for k, n in enumerate(array.shape)], high - low


def laid_out(xp: Any, x: Array, strides: list[int], itemsize: int) -> Array:
    """A copy of ``x`` with axes in the memory order of ``strides`` (in bytes), and the same gaps and repeated elements.

    Gaps have another length than in ``strides``, but lie between the same axes: adjacent elements remain adjacent, and axes that
    can be merged into one remain so. Only operations that every backend has are used: copies, and views of copies.
    """
    shape, steps = x.shape, [abs(step) for step in strides]
    repeated = [n > 1 and step == 0 for n, step in zip(shape, steps, strict=True)]
    long = [n > 1 and step != 0 for n, step in zip(shape, steps, strict=True)]
    order = sorted(range(len(shape)), key=lambda k: (long[k], -steps[k] * long[k]))
    reverse = tuple([slice(None, None, -1) if step < 0 else EVERY for step in strides])

    out = xp.getitem(x, tuple([slice(0, 1) if many else EVERY for many in repeated]))
    out = xp.contiguous(xp.permute_dims(xp.getitem(out, reverse), tuple(order)))
    without_gaps = [EVERY] * len(shape)
    for at in range(1, len(shape)):
        outer, inner = order[at - 1], order[at]
        if long[outer] and steps[outer] != steps[inner] * shape[inner]:
            out = xp.concat([out, xp.getitem(out, (*[EVERY] * at, slice(0, 1)))], axis=at)
            without_gaps[at] = slice(0, shape[inner])
    if any(long) and steps[order[-1]] != itemsize:
        pairs = xp.reshape(out, (*out.shape, 1))
        out = xp.getitem(xp.concat([pairs, pairs], axis=-1), (..., 0))
    out = xp.permute_dims(xp.getitem(out, tuple(without_gaps)), tuple(sorted(range(len(order)), key=order.__getitem__)))
    out = xp.getitem(out, reverse)
    return xp.broadcast_to(out, shape) if any(repeated) else out
