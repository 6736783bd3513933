"""Pooling: the maximum, mean or norm of every window, over one, two or three axes, and putting maxima back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any

from ...autograd import Tensor, no_grad
from ...autograd import functions as f
from ...autograd.arguments import floating, index_at, optional_integers
from ...autograd.creation import arange, tensor, zeros
from ...autograd.precision import wide_inside
from ...autograd.rules import convolution as rules
from ...autograd.rules import indexing
from ...autograd.rules.convolution import Windows
from .convolution import Sizes, batched, check_fit, entries, over_axes
from .padding import constant_pad

OptionalSizes = int | None | Sequence[int | None]


def _windows(name: str, axes: int, kernel_size: Sizes, stride: Sizes | None, dilation: Sizes = 1) -> Windows:
    window = entries(name, "kernel_size", kernel_size, axes)
    step = window if stride is None else entries(name, "stride", stride, axes)
    return Windows(window, step, entries(name, "dilation", dilation, axes))


def _padding(name: str, size: tuple[int, ...], padding: Sizes, windows: Windows, ceil_mode: bool) -> rules.Padding:
    """The pairs that make the windows fit without a rest. With ``ceil_mode`` a last window may reach over the padding's end, if
    it begins before it. Raises ``ValueError`` where the padding is more than half a window, or no window fits.
    """
    pads = entries(name, "padding", padding, len(size), 0)
    if any(p > n // 2 for p, n in zip(pads, windows.shape, strict=True)):
        raise ValueError(f"{name}: the padding is at most half of the window {windows.shape}, not {pads}")
    pairs = []
    for n, p, r, s in zip(size, pads, windows.reach(), windows.stride, strict=True):
        rest = n + 2 * p - r
        steps = -(-rest // s) if ceil_mode else rest // s
        if ceil_mode and steps * s >= n + p:
            steps -= 1
        pairs.append((p, steps * s + r - n - p))
    if any(p[0] + n + p[1] < r for n, p, r in zip(size, pairs, windows.reach(), strict=True)):
        check_fit(name, size, tuple((p, p) for p in pads), windows)
    return tuple(pairs)


def _lowest(x: Tensor) -> float:
    """What is below every other value of the dtype."""
    if x.dtype.kind == "float":
        return float("-inf")
    return -(2 ** (x.dtype.bits - 1)) if x.dtype.kind == "int" else 0


def _picked(x: Tensor, flat: Tensor) -> Tensor:
    """The elements (N, C, *count) of (N, C, *size) at their positions in the flattened size."""
    planes = f.reshape(x, (x.shape[0] * x.shape[1], prod(x.shape[2:])))
    rows = f.reshape(arange(planes.shape[0], device=x.backend), (planes.shape[0], 1))
    at = f.reshape(flat, (planes.shape[0], prod(flat.shape[2:])))
    return f.reshape(indexing.getitem(planes, index=(rows._array, at._array)), flat.shape)


def _flat_positions(out: Tensor, padded: Tensor, windows: Windows, padding: rules.Padding, size: tuple[int, ...]) -> Tensor:
    """Where in the input, its size flattened, each window's maximum stands."""
    axes = len(size)
    which = rules.window_argmax(padded, out, windows=windows).long()
    flat: Any = 0
    rest = prod(windows.shape)
    for i, (n, (before, _)) in enumerate(zip(size, padding, strict=True)):
        rest //= windows.shape[i]
        offset = (which // rest) % windows.shape[i] * windows.dilation[i] - before
        starts = arange(out.shape[2 + i], device=out.backend) * windows.stride[i]
        at = offset + f.reshape(starts, (-1, *(1,) * (axes - 1 - i)))
        flat = flat * n + f.clamp(at, 0, n - 1)
    return flat


def max_pool(name: str, axes: int) -> Any:
    """The largest element of every window along the last AXES axes: (N, C, *size) or (C, *size) to (N, C, *count).

    count = (size + 2 padding - dilation (window - 1) - 1) // stride + 1, rounded up with ``ceil_mode``, but that no window begins
    behind the input. ``stride`` is ``kernel_size`` by default; what is padded is below any number. The gradient goes to the first
    of equals; a NaN outdoes any number. With ``return_indices``, also where each stands in the flattened size, int64.

    Raises ``ValueError`` where the input has other axes, no window fits, or the padding is more than half a window.
    """

    def pool(
        input: Tensor,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        x, in_batch = batched(name, input, axes)
        windows = _windows(name, axes, kernel_size, stride, dilation)
        pairs = _padding(name, x.shape[2:], padding, windows, ceil_mode)
        padded = constant_pad(x, list(pairs), _lowest(x))
        out = rules.window_max(padded, windows=windows)
        if not return_indices:
            return out if in_batch else f.squeeze(out, 0)
        flat = _flat_positions(out, padded, windows, pairs, x.shape[2:])
        return (out, flat) if in_batch else (f.squeeze(out, 0), f.squeeze(flat, 0))

    return pool


max_pool1d, max_pool2d, max_pool3d = over_axes(max_pool)


def avg_pool(name: str, axes: int) -> Any:
    """The mean of every window along the last AXES axes: (N, C, *size) or (C, *size) to (N, C, *count).

    The windows are those of :func:`max_poolAXESd`, padded with zeros. The sum is divided by how many elements the window has:
    with the padding, or without where ``count_include_pad`` is False, and never what it reaches over in ``ceil_mode``; or by
    ``divisor_override``.

    Raises ``ValueError`` as :func:`max_poolAXESd` does, and ``TypeError`` on integers.
    """

    @wide_inside
    def pool(
        input: Tensor,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        x, in_batch = batched(name, input, axes)
        floating(name, x)
        if divisor_override == 0:
            raise ValueError(f"{name}: divisor_override can not be 0")
        windows = _windows(name, axes, kernel_size, stride)
        pairs = _padding(name, x.shape[2:], padding, windows, ceil_mode)
        total = rules.window_sum(constant_pad(x, list(pairs), 0.0), windows=windows)
        out = total / (divisor_override or _divisor(x, total, windows, pairs, count_include_pad))
        return out if in_batch else f.squeeze(out, 0)

    return pool


avg_pool1d, avg_pool2d, avg_pool3d = over_axes(avg_pool)


def _divisor(x: Tensor, total: Tensor, windows: Windows, padding: rules.Padding, with_padding: bool) -> Any:
    """How many elements each window has, not counting what it reaches over: a number where all have as many, else a tensor."""
    counts = []
    for n, (p, _), w, s, count in zip(x.shape[2:], padding, windows.shape, windows.stride, total.shape[2:], strict=True):
        low, high = (-p, n + p) if with_padding else (0, n)
        counts.append([min(i * s - p + w, high) - max(i * s - p, low) for i in range(count)])
    if all(set(along) == {w} for along, w in zip(counts, windows.shape, strict=True)):
        return prod(windows.shape)
    by_axis = [tensor(along, dtype=x.dtype, device=x.backend) for along in counts]
    return reduce(lambda before, along: f.unsqueeze(before, -1) * along, by_axis)


def lp_pool(name: str, axes: int) -> Any:
    """(sum of x^p)^(1/p) of every window along the last AXES axes, p being ``norm_type``; windows as in :func:`avg_poolAXESd`."""
    mean = (avg_pool1d, avg_pool2d, avg_pool3d)[axes - 1]

    @wide_inside
    def pool(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False) -> Tensor:
        elements = prod(entries(name, "kernel_size", kernel_size, axes))
        out = mean(input**norm_type, kernel_size, stride, 0, ceil_mode)
        return (f.sign(out) * f.relu(f.abs(out)) * elements) ** (1.0 / norm_type)

    return pool


lp_pool1d, lp_pool2d, lp_pool3d = over_axes(lp_pool)

# --- to a given size ---------------------------------------------------------------------------------------------------------


def _target(name: str, output_size: OptionalSizes, size: tuple[int, ...]) -> tuple[int, ...]:
    """The size to come to, with the input's own where None is given."""
    read = optional_integers(name, "output_size", output_size)
    given = read if isinstance(read, tuple) else (read,) * len(size)
    given = given * len(size) if len(given) == 1 else given
    if len(given) != len(size) or any(n is not None and n < 0 for n in given):
        raise ValueError(f"{name}: output_size is a number, None (as it is), or {len(size)} of these, not {output_size!r}")
    if not all(size):
        raise ValueError(f"{name}: there is nothing to pool in an input of size {size}")
    return tuple(n if wanted is None else wanted for n, wanted in zip(size, given, strict=True))


def _ranges(n: int, count: int) -> list[tuple[int, int]]:
    """``count`` ranges that cover 0 to n, of lengths as even as whole ends allow."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def adaptive_avg_pool(name: str, axes: int) -> Any:
    """The means of windows so chosen that ``output_size`` of them cover the last AXES axes: (N, C, *size) or (C, *size) to
    (N, C, *output_size).

    Window i goes from floor(i size / output_size) up to ceil((i + 1) size / output_size). ``output_size`` is a number, or one
    an axis; None keeps an axis as it is. Raises ``ValueError`` on another, and ``TypeError`` on integers.
    """

    @wide_inside
    def pool(input: Tensor, output_size: OptionalSizes) -> Tensor:
        x, in_batch = batched(name, input, axes)
        floating(name, x)
        target = _target(name, output_size, x.shape[2:])
        if all(wanted and n % wanted == 0 for n, wanted in zip(x.shape[2:], target, strict=True)):  # all windows are alike
            parted = (length for n, wanted in zip(x.shape[2:], target, strict=True) for length in (wanted, n // wanted))
            x = f.mean(f.reshape(x, (*x.shape[:2], *parted)), tuple(range(3, 3 + 2 * axes, 2)))
        else:
            for axis, wanted in enumerate(target, 2):
                x = _means(x, axis, wanted)
        return x if in_batch else f.squeeze(x, 0)

    return pool


def _means(x: Tensor, axis: int, count: int) -> Tensor:
    if not count:
        return indexing.getitem(x, index=index_at(axis, slice(0)))
    parts = [indexing.getitem(x, index=index_at(axis, slice(*ends))) for ends in _ranges(x.shape[axis], count)]
    return f.concat([f.mean(part, axis, keepdim=True) for part in parts], axis)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = over_axes(adaptive_avg_pool)


def adaptive_max_pool(name: str, axes: int) -> Any:
    """The largest elements of the windows of :func:`adaptive_avg_poolAXESd`; with ``return_indices``, also where each
    stands in the flattened size, int64. The gradient goes to the first of equals.
    """

    def pool(input: Tensor, output_size: OptionalSizes, return_indices: bool = False) -> Tensor | tuple[Tensor, Tensor]:
        x, in_batch = batched(name, input, axes)
        target = _target(name, output_size, x.shape[2:])
        with no_grad():
            flat = _positions_of_maxima(x, target)
        out = _picked(x, flat)
        if not in_batch:
            out, flat = f.squeeze(out, 0), f.squeeze(flat, 0)
        return (out, flat) if return_indices else out

    return pool


def _positions_of_maxima(x: Tensor, target: tuple[int, ...]) -> Tensor:
    """Where in the flattened size each window's maximum stands: the first of equals, found an axis after another from the last."""
    size = x.shape[2:]
    flat = f.expand(f.reshape(arange(prod(size), device=x.backend), size), *x.shape)
    for axis in range(x.ndim - 1, 1, -1):
        found = []
        for start, stop in _ranges(x.shape[axis], target[axis - 2]):
            values, places = (indexing.getitem(y, index=index_at(axis, slice(start, stop))) for y in (x, flat))
            at = f.argmax(values, axis, keepdim=True)
            found.append([f.gather(y, axis, at) for y in (values, places)])
        if found:
            x, flat = (f.concat(list(parts), axis) for parts in zip(*found, strict=True))
        else:
            x, flat = (indexing.getitem(y, index=index_at(axis, slice(0))) for y in (x, flat))
    return flat


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = over_axes(adaptive_max_pool)

# --- back to where maxima came from ------------------------------------------------------------------------------------------


def max_unpool(name: str, axes: int) -> Any:
    """Zeros in which each element stands at its index in the flattened size: the inverse of :func:`max_poolAXESd` with
    ``return_indices``, but for what was not largest.

    ``output_size``, by default (count - 1) stride - 2 padding + kernel_size, says which of the sizes that are pooled to the
    input's it was. Raises ``ValueError`` on one that is not, or where the indices have another shape than the input, and
    ``IndexError`` where one is outside.
    """

    def unpool(
        input: Tensor,
        indices: Tensor,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        output_size: Sequence[int] | None = None,
    ) -> Tensor:
        x, in_batch = batched(name, input, axes)
        if indices.shape != input.shape or indices.dtype.kind == "float":
            raise ValueError(
                f"{name}: the indices are whole numbers of the input's shape {input.shape}, not {indices.dtype} of {indices.shape}"
            )
        windows = _windows(name, axes, kernel_size, stride)
        size = _unpooled_size(name, x.shape[2:], windows, entries(name, "padding", padding, axes, 0), output_size)
        planes, room = x.shape[0] * x.shape[1], prod(size)
        if indices.numel() and not x.backend.truth(x.backend.xp.are_indices(indices._array, room)):
            raise IndexError(f"{name}: an index is outside of an output of size {size}, which has positions 0 to {room - 1}")
        rows = f.reshape(arange(planes, device=x.backend), (planes, 1))
        at = f.reshape(indices, (planes, prod(x.shape[2:])))
        empty = zeros(planes, room, dtype=x.dtype, device=x.backend)
        out = indexing.index_put(empty, f.reshape(x, at.shape), index=(rows._array, at._array))
        out = f.reshape(out, (*x.shape[:2], *size))
        return out if in_batch else f.squeeze(out, 0)

    return unpool


def _unpooled_size(
    name: str, count: tuple[int, ...], windows: Windows, padding: tuple[int, ...], output_size: Sequence[int] | None
) -> tuple[int, ...]:
    usual = tuple((n - 1) * s - 2 * p + w for n, w, s, p in zip(count, windows.shape, windows.stride, padding, strict=True))
    if output_size is None:
        return usual
    given = tuple(output_size)
    wanted = given[-len(usual) :]
    fits = len(given) - len(usual) in (0, 2) and all(abs(n - m) < s for n, m, s in zip(wanted, usual, windows.stride, strict=True))
    if not fits:
        raise ValueError(f"{name}: output_size {given} must be within a stride of {windows.stride} of {usual}")
    return wanted


max_unpool1d, max_unpool2d, max_unpool3d = over_axes(max_unpool)
