"""Padding: axes made longer, or cut, at either end."""

from __future__ import annotations

from collections.abc import Sequence

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import index_at, reads_numbers, tensor_of
from ...autograd.creation import full
from ...autograd.rules import indexing

Pairs = list[tuple[int, int]]  #: how much at the beginning and at the end of each of the last axes, in the axes' order


@reads_numbers
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """The last axes of ``input`` made longer by what ``pad`` says, a pair an axis, the last axis first; negative cuts off.

    What is added is, by ``mode``: ``"constant"``, ``value`` (0 by default); ``"reflect"``, what lies inside, mirrored at the
    element at the end; ``"replicate"``, the element at the end; ``"circular"``, what lies at the other end. The last three pad
    all axes of (C, *size) or (N, C, *size) but these first ones.

    Raises ``ValueError`` on another mode, on pairs that are not whole or not as many as there are axes to pad, where there is
    less to reflect or to wrap around than is asked for, and where more is cut off than there is.

    >>> import adjoint as ad
    >>> pad(ad.tensor([1.0, 2.0, 3.0]), (2, -1), value=9.0)
    tensor([9., 9., 1., 2.])
    >>> pad(ad.tensor([[1.0, 2.0, 3.0]]), (2, 1), mode="reflect")
    tensor([[3., 2., 1., 2., 3., 2.]])
    """
    input, given = tensor_of("pad", input), tuple(pad)
    if mode not in ("constant", *_LONGER):
        raise ValueError(f"pad: mode is 'constant', 'reflect', 'replicate' or 'circular', not {mode!r}")
    if len(given) % 2 or len(given) > 2 * input.ndim:
        raise ValueError(f"pad: takes two numbers an axis, the last axis first, and got {given} for the shape {input.shape}")
    pairs = [(given[i], given[i + 1]) for i in range(len(given) - 2, -1, -2)]
    for n, (before, behind) in zip(input.shape[input.ndim - len(pairs) :], pairs, strict=True):
        if n + before + behind < 0:
            raise ValueError(f"pad: {given} cuts more off the shape {input.shape} than there is")
    if mode == "constant":
        return constant_pad(input, pairs, 0.0 if value is None else value)
    if value:
        raise ValueError(f"pad: value={value} is for mode='constant', and the mode is {mode!r}")
    if input.ndim - len(pairs) not in (1, 2) or not pairs:
        raise ValueError(
            f"pad: mode {mode!r} pads all axes of (C, *size) or (N, C, *size) but the first, two numbers an axis; it got {given} "
            f"for the shape {input.shape}"
        )
    for axis, (before, behind) in enumerate(pairs, input.ndim - len(pairs)):
        input = _LONGER[mode](input, axis, before, behind)
    return input


def cut(input: Tensor, pairs: Pairs) -> Tensor:
    """``input`` without what the pairs' negative numbers cut off."""
    if all(n >= 0 for pair in pairs for n in pair):
        return input
    return indexing.getitem(input, index=(..., *(slice(max(-a, 0), min(b, 0) or None) for a, b in pairs)))


def constant_pad(input: Tensor, pairs: Pairs, value: float) -> Tensor:
    """``value`` around the last axes; negative numbers cut off."""
    input = cut(input, pairs)
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


def _trimmed(input: Tensor, axis: int, before: int, behind: int) -> Tensor:
    """Without what negative numbers cut off one axis."""
    return _slice(input, axis, max(-before, 0), input.shape[axis] + min(behind, 0)) if min(before, behind) < 0 else input


def _reflected(input: Tensor, axis: int, before: int, behind: int) -> Tensor:
    n = input.shape[axis]
    if max(before, behind) >= n:
        raise ValueError(
            f"pad: mode 'reflect' adds less than there is, and ({before}, {behind}) is asked of axis {axis} of length {n}"
        )
    parts = [input]
    if before > 0:
        parts.insert(0, f.flip(_slice(input, axis, 1, before + 1), axis))
    if behind > 0:
        parts.append(f.flip(_slice(input, axis, n - 1 - behind, n - 1), axis))
    return _trimmed(f.concat(parts, axis) if len(parts) > 1 else input, axis, before, behind)


def _replicated(input: Tensor, axis: int, before: int, behind: int) -> Tensor:
    n = input.shape[axis]
    if not n:
        raise ValueError(f"pad: mode 'replicate' repeats what is at the end, and axis {axis} of {input.shape} is empty")

    def repeated(at: int, times: int) -> Tensor:
        return f.expand(_slice(input, axis, at, at + 1), *input.shape[:axis], times, *input.shape[axis + 1 :])

    parts = [input]
    if before > 0:
        parts.insert(0, repeated(0, before))
    if behind > 0:
        parts.append(repeated(n - 1, behind))
    return _trimmed(f.concat(parts, axis) if len(parts) > 1 else input, axis, before, behind)


def _wrapped(input: Tensor, axis: int, before: int, behind: int) -> Tensor:
    input = _trimmed(input, axis, before, behind)
    n = input.shape[axis]
    if max(before, behind) > n:
        raise ValueError(f"pad: mode 'circular' wraps around once, and ({before}, {behind}) is asked of axis {axis} of length {n}")
    parts = [input]
    if before > 0:
        parts.insert(0, _slice(input, axis, n - before, n))
    if behind > 0:
        parts.append(_slice(input, axis, 0, behind))
    return f.concat(parts, axis) if len(parts) > 1 else input


_LONGER = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}
