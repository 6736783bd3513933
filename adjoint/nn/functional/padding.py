"""Padding, or cropping, of axes at both ends."""

from __future__ import annotations

from collections.abc import Sequence

from ...autograd import Tensor, functions as f
from ...autograd.arguments import index_at, reads_numbers, tensor_of
from ...autograd.creation import full
from ...autograd.rules import indexing

__all__ = ["pad"]

Pairs = list[tuple[int, int]]  #: how much to add before and after each of the last axes, in the axes' order


@reads_numbers
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Pad the last axes of a tensor.

    Args:
        input: a tensor; (C, *size) or (N, C, *size) for all modes but ``"constant"``, which pad all axes of size.
        pad: two integers (before, after) per axis, the last axis first; negative ones crop.
        mode: ``"constant"``; ``"reflect"``, mirrored at the end element; ``"replicate"``, the end element repeated; or
            ``"circular"``, the elements of the other end.
        value: the constant; 0 if None.

    Raises ``ValueError`` on another mode, on pairs that do not match the axes, on more to reflect or wrap around than there is, and
    on cropping more than there is.

    >>> import adjoint as ad
    >>> pad(ad.tensor([1.0, 2.0, 3.0]), (2, -1), value=9.0)
    tensor([9., 9., 1., 2.])
    >>> pad(ad.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    input, amounts = tensor_of("pad", input), tuple(pad)
    if mode not in ("constant", *_PAD):
        raise ValueError(f"pad: mode must be 'constant', 'reflect', 'replicate' or 'circular', not {mode!r}")
    if len(amounts) % 2 or len(amounts) > 2 * input.ndim:
        raise ValueError(f"pad: pad must have two numbers per axis, the last axis first, not {amounts} for the shape {input.shape}")
    pairs = [(amounts[i], amounts[i + 1]) for i in range(len(amounts) - 2, -1, -2)]
    for n, (before, after) in zip(input.shape[input.ndim - len(pairs) :], pairs, strict=True):
        if n + before + after < 0:
            raise ValueError(f"pad: {amounts} crops more than there is of the shape {input.shape}")
    if mode == "constant":
        return constant_pad(input, pairs, 0.0 if value is None else value)
    if value:
        raise ValueError(f"pad: value={value} needs mode='constant', not {mode!r}")
    if input.ndim - len(pairs) not in (1, 2) or not pairs:
        raise ValueError(
            f"pad: mode {mode!r} pads all axes of size in (C, *size) or (N, C, *size) with two numbers each, not {amounts} for the "
            f"shape {input.shape}"
        )
    for axis, (before, after) in enumerate(pairs, input.ndim - len(pairs)):
        input = _PAD[mode](input, axis, before, after)
    return input


def constant_pad(input: Tensor, pairs: Pairs, value: float) -> Tensor:
    """``value`` around the last axes; negative numbers crop."""
    if any(n < 0 for pair in pairs for n in pair):
        input = indexing.getitem(input, index=(..., *(slice(max(-a, 0), min(b, 0) or None) for a, b in pairs)))
    grown = [(max(a, 0), max(b, 0)) for a, b in pairs]
    if not any(map(any, grown)):
        return input
    lead = input.ndim - len(pairs)
    inside = (..., *(slice(a, a + n) for n, (a, _) in zip(input.shape[lead:], grown, strict=True)))
    shape = (*input.shape[:lead], *(a + n + b for n, (a, b) in zip(input.shape[lead:], grown, strict=True)))
    if not value:
        return indexing.scatter_add(input, index=inside, shape=shape)
    return indexing.index_put(full(shape, value, dtype=input.dtype, device=input.backend), input, index=inside)


def _slice(input: Tensor, axis: int, start: int, stop: int) -> Tensor:
    return indexing.getitem(input, index=index_at(axis, slice(start, stop)))


def _cropped(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    """One axis without what negative numbers crop."""
    return _slice(input, axis, max(-before, 0), input.shape[axis] + min(after, 0)) if min(before, after) < 0 else input


def _reflected(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    n = input.shape[axis]
    if max(before, after) >= n:
        raise ValueError(
            f"pad: mode 'reflect' must add less than the axis's length, not ({before}, {after}) to axis {axis} of length {n}"
        )
    parts = [input]
    if before > 0:
        parts.insert(0, f.flip(_slice(input, axis, 1, before + 1), axis))
    if after > 0:
        parts.append(f.flip(_slice(input, axis, n - 1 - after, n - 1), axis))
    return _cropped(f.concat(parts, axis) if len(parts) > 1 else input, axis, before, after)


def _replicated(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    n = input.shape[axis]
    if not n:
        raise ValueError(f"pad: mode 'replicate' has no element to repeat: axis {axis} of {input.shape} is empty")

    def repeated(at: int, times: int) -> Tensor:
        return f.expand(_slice(input, axis, at, at + 1), *input.shape[:axis], times, *input.shape[axis + 1 :])

    parts = [input]
    if before > 0:
        parts.insert(0, repeated(0, before))
    if after > 0:
        parts.append(repeated(n - 1, after))
    return _cropped(f.concat(parts, axis) if len(parts) > 1 else input, axis, before, after)


def _wrapped(input: Tensor, axis: int, before: int, after: int) -> Tensor:
    input = _cropped(input, axis, before, after)
    n = input.shape[axis]
    if max(before, after) > n:
        raise ValueError(
            f"pad: mode 'circular' can add ({before}, {after}) only to an axis at least as long, and axis {axis} has length {n}"
        )
    parts = [input]
    if before > 0:
        parts.insert(0, _slice(input, axis, n - before, n))
    if after > 0:
        parts.append(_slice(input, axis, 0, after))
    return f.concat(parts, axis) if len(parts) > 1 else input


_PAD = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}
