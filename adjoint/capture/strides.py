"""Copies with the memory layout of a view: the order in which a sum adds its elements, and so its bits, depends on the layout."""

from __future__ import annotations

from typing import Any

from ..backends import Array

EVERY = slice(None)


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
    kept = [EVERY] * len(shape)
    for at in range(1, len(shape)):
        outer, inner = order[at - 1], order[at]
        if long[outer] and steps[outer] != steps[inner] * shape[inner]:
            out = xp.concat([out, xp.getitem(out, (*[EVERY] * at, slice(0, 1)))], axis=at)
            kept[at] = slice(0, shape[inner])
    if any(long) and steps[order[-1]] != itemsize:
        pairs = xp.reshape(out, (*out.shape, 1))
        out = xp.getitem(xp.concat([pairs, pairs], axis=-1), (..., 0))
    out = xp.permute_dims(xp.getitem(out, tuple(kept)), tuple(sorted(range(len(order)), key=order.__getitem__)))
    out = xp.getitem(out, reverse)
    return xp.broadcast_to(out, shape) if any(repeated) else out
