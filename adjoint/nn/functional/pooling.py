"""Pooling over one, two or three axes: the maximum, mean or norm of every window; and unpooling of maxima."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any

from ...autograd import Tensor, functions as f, no_grad
from ...autograd.arguments import floating, index_at, optional_integers
from ...autograd.creation import arange, tensor, zeros
from ...autograd.precision import wide_inside
from ...autograd.rules import convolution as rules, indexing
from ...autograd.rules.convolution import Windows
from .convolution import Sizes, batched, check_fit, over_axes, per_axis
from .padding import constant_pad

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "lp_pool3d", "max_pool1d",
    "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d", "max_unpool3d",
]  # fmt: skip

OptionalSizes = int | None | Sequence[int | None]


def _windows(name: str, axes: int, kernel_size: Sizes, stride: Sizes | None, dilation: Sizes = 1) -> Windows:
    window = per_axis(name, "kernel_size", kernel_size, axes)
    step = window if stride is None else per_axis(name, "stride", stride, axes)
    return Windows(window, step, per_axis(name, "dilation", dilation, axes))


def _padding(name: str, size: tuple[int, ...], padding: Sizes, windows: Windows, ceil_mode: bool) -> rules.Padding:
    """Padding as pairs (before, after) with which windows tile the input exactly.

    With ``ceil_mode`` a last window may extend beyond the padding if it starts before its end. Raises ``ValueError`` if the padding
    is more than half a window, or no window fits.
    """
    pads = per_axis(name, "padding", padding, len(size), 0)
    if any(p > n // 2 for p, n in zip(pads, windows.shape, strict=True)):
        raise ValueError(f"{name}: the padding must be at most half of the window {windows.shape}, not {pads}")
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
    """The lower bound of all values of the dtype."""
    if x.dtype.kind == "float":
        return float("-inf")
    return -(2 ** (x.dtype.bits - 1)) if x.dtype.kind == "int" else 0


def _picked(x: Tensor, flat: Tensor) -> Tensor:
    """The elements of (N, C, *size) at their positions (N, C, *count) in the flattened size."""
    planes = f.reshape(x, (x.shape[0] * x.shape[1], prod(x.shape[2:])))
    rows = f.reshape(arange(planes.shape[0], device=x.backend), (planes.shape[0], 1))
    at = f.reshape(flat, (planes.shape[0], prod(flat.shape[2:])))
    return f.reshape(indexing.getitem(planes, index=(rows._array, at._array)), flat.shape)


def _flat_positions(out: Tensor, padded: Tensor, windows: Windows, padding: rules.Padding, size: tuple[int, ...]) -> Tensor:
    """The positions of each window's maximum in the input's flattened size."""
    axes = len(size)
    argmax = rules.window_argmax(padded, out, windows=windows).long()
    flat: Any = 0
    rest = prod(windows.shape)
    for i, (n, (before, _)) in enumerate(zip(size, padding, strict=True)):
        rest //= windows.shape[i]
        offset = (argmax // rest) % windows.shape[i] * windows.dilation[i] - before
        starts = arange(out.shape[2 + i], device=out.backend) * windows.stride[i]
        at = offset + f.reshape(starts, (-1, *(1,) * (axes - 1 - i)))
        flat = flat * n + f.clamp(at, 0, n - 1)
    return flat


def max_pool(name: str, axes: int) -> Any:
    """The maximum of every window along the last AXES axes. The gradient goes to the first of equal elements; NaN is the maximum.

    Args:
        input: (N, C, *size) or (C, *size).
        kernel_size: the window; an integer or AXES.
        stride: the step from window to window; ``kernel_size`` if None.
        padding: how much to pad at both ends with the lowest value; at most half a window.
        dilation: the step from element to element within a window.
        ceil_mode: whether the number of windows is rounded up, with the last one beyond the end.
        return_indices: whether to return also the maxima's positions in the flattened size, int64.

    Returns (N, C, *count) or (C, *count), count = (size + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1. Raises
    ``ValueError`` on another number of axes, if no window fits, or on too much padding.
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
    """The mean of every window along the last AXES axes.

    Args:
        input: (N, C, *size) or (C, *size).
        kernel_size: the window; an integer or AXES.
        stride: the step from window to window; ``kernel_size`` if None.
        padding: zeros at both ends; at most half a window.
        ceil_mode: whether the number of windows is rounded up, with the last one beyond the end.
        count_include_pad: whether the divisor counts the padding; what is beyond it in ``ceil_mode`` never counts.
        divisor_override: divides the sum instead of the number of elements.

    Returns and raises as :func:`max_poolAXESd` does, ``ValueError`` if ``divisor_override`` is 0, and ``TypeError`` on integers.
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
            raise ValueError(f"{name}: divisor_override must not be 0")
        windows = _windows(name, axes, kernel_size, stride)
        pairs = _padding(name, x.shape[2:], padding, windows, ceil_mode)
        total = rules.window_sum(constant_pad(x, list(pairs), 0.0), windows=windows)
        out = total / (divisor_override or _divisor(x, total, windows, pairs, count_include_pad))
        return out if in_batch else f.squeeze(out, 0)

    return pool


avg_pool1d, avg_pool2d, avg_pool3d = over_axes(avg_pool)


def _divisor(x: Tensor, total: Tensor, windows: Windows, padding: rules.Padding, with_padding: bool) -> Any:
    """The number of elements in each window within the bounds: a number if all are equal, else a tensor."""
    counts = []
    for n, (p, _), w, s, count in zip(x.shape[2:], padding, windows.shape, windows.stride, total.shape[2:], strict=True):
        low, high = (-p, n + p) if with_padding else (0, n)
        counts.append([min(i * s - p + w, high) - max(i * s - p, low) for i in range(count)])
    if all(set(axis_counts) == {w} for axis_counts, w in zip(counts, windows.shape, strict=True)):
        return prod(windows.shape)
    by_axis = [tensor(axis_counts, dtype=x.dtype, device=x.backend) for axis_counts in counts]
    return reduce(lambda product, axis_counts: f.unsqueeze(product, -1) * axis_counts, by_axis)


def lp_pool(name: str, axes: int) -> Any:
    """(sum of x^p)^(1/p) of every window along the last AXES axes.

    Args:
        input: (N, C, *size) or (C, *size).
        norm_type: p.
        kernel_size: the window; an integer or AXES.
        stride: the step from window to window; ``kernel_size`` if None.
        ceil_mode: whether the number of windows is rounded up, with the last one beyond the end.

    Returns and raises as :func:`avg_poolAXESd` does.
    """
    mean = (avg_pool1d, avg_pool2d, avg_pool3d)[axes - 1]

    @wide_inside
    def pool(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False) -> Tensor:
        elements = prod(per_axis(name, "kernel_size", kernel_size, axes))
        out = mean(input**norm_type, kernel_size, stride, 0, ceil_mode)
        return (f.sign(out) * f.relu(f.abs(out)) * elements) ** (1.0 / norm_type)

    return pool


lp_pool1d, lp_pool2d, lp_pool3d = over_axes(lp_pool)

# --- to a given size ---------------------------------------------------------------------------------------------------------


def _target(name: str, output_size: OptionalSizes, size: tuple[int, ...]) -> tuple[int, ...]:
    """The output size, with the input's own where ``output_size`` is None."""
    read = optional_integers(name, "output_size", output_size)
    target = read if isinstance(read, tuple) else (read,) * len(size)
    target = target * len(size) if len(target) == 1 else target
    if len(target) != len(size) or any(n is not None and n < 0 for n in target):
        raise ValueError(
            f"{name}: output_size must be an integer, None (the input's size) or {len(size)} of these, not {output_size!r}"
        )
    if not all(size):
        raise ValueError(f"{name}: the input's size {size} is empty; there is nothing to pool")
    return tuple(n if m is None else m for n, m in zip(size, target, strict=True))


def _ranges(n: int, count: int) -> list[tuple[int, int]]:
    """``count`` ranges that cover 0 to n, of lengths as equal as integers allow."""
    return [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]


def adaptive_avg_pool(name: str, axes: int) -> Any:
    """The means of ``output_size`` windows that cover the last AXES axes.

    Window i extends from floor(i size / output_size) to ceil((i + 1) size / output_size).

    Args:
        input: (N, C, *size) or (C, *size).
        output_size: an integer, or one per axis; None keeps an axis's size.

    Returns (N, C, *output_size) or (C, *output_size). Raises ``ValueError`` on another ``output_size``, ``TypeError`` on integers.
    """

    @wide_inside
    def pool(input: Tensor, output_size: OptionalSizes) -> Tensor:
        x, in_batch = batched(name, input, axes)
        floating(name, x)
        target = _target(name, output_size, x.shape[2:])
        if all(m and n % m == 0 for n, m in zip(x.shape[2:], target, strict=True)):  # windows of equal size
            tiles = (length for n, m in zip(x.shape[2:], target, strict=True) for length in (m, n // m))
            x = f.mean(f.reshape(x, (*x.shape[:2], *tiles)), tuple(range(3, 3 + 2 * axes, 2)))
        else:
            for axis, count in enumerate(target, 2):
                x = _means(x, axis, count)
        return x if in_batch else f.squeeze(x, 0)

    return pool


def _means(x: Tensor, axis: int, count: int) -> Tensor:
    if not count:
        return indexing.getitem(x, index=index_at(axis, slice(0)))
    parts = [indexing.getitem(x, index=index_at(axis, slice(*ends))) for ends in _ranges(x.shape[axis], count)]
    return f.concat([f.mean(part, axis, keepdim=True) for part in parts], axis)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = over_axes(adaptive_avg_pool)


def adaptive_max_pool(name: str, axes: int) -> Any:
    """The maxima of :func:`adaptive_avg_poolAXESd`'s windows. The gradient goes to the first of equal elements.

    Args:
        input: (N, C, *size) or (C, *size).
        output_size: an integer, or one per axis; None keeps an axis's size.
        return_indices: whether to return also the maxima's positions in the flattened size, int64.

    Returns (N, C, *output_size) or (C, *output_size). Raises ``ValueError`` on another ``output_size``.
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
    """The positions of each window's first maximum in the flattened size, reduced axis by axis from the last."""
    size = x.shape[2:]
    flat = f.expand(f.reshape(arange(prod(size), device=x.backend), size), *x.shape)
    for axis in range(x.ndim - 1, 1, -1):
        maxima = []
        for start, stop in _ranges(x.shape[axis], target[axis - 2]):
            values, positions = (indexing.getitem(y, index=index_at(axis, slice(start, stop))) for y in (x, flat))
            at = f.argmax(values, axis, keepdim=True)
            maxima.append([f.gather(y, axis, at) for y in (values, positions)])
        if maxima:
            x, flat = (f.concat(list(parts), axis) for parts in zip(*maxima, strict=True))
        else:
            x, flat = (indexing.getitem(y, index=index_at(axis, slice(0))) for y in (x, flat))
    return flat


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = over_axes(adaptive_max_pool)

# --- back to where maxima came from ------------------------------------------------------------------------------------------


def max_unpool(name: str, axes: int) -> Any:
    """Zeros with each element at its index in the flattened size: inverts :func:`max_poolAXESd`, except for the smaller elements.

    Args:
        input: (N, C, *count) or (C, *count).
        indices: positions that :func:`max_poolAXESd` returned, of the input's shape.
        kernel_size: the pooling's window; an integer or AXES.
        stride: the pooling's stride; ``kernel_size`` if None.
        padding: the pooling's padding.
        output_size: which of the sizes that pool to ``count`` to return; (count - 1) stride - 2 padding + kernel_size if None.

    Returns (N, C, *output_size) or (C, *output_size). Raises ``ValueError`` on another ``output_size`` or indices of another
    shape, ``IndexError`` on an index out of range.
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
                f"{name}: the indices must be integers of the input's shape {input.shape}, not {indices.dtype} of {indices.shape}"
            )
        windows = _windows(name, axes, kernel_size, stride)
        size = _unpooled_size(name, x.shape[2:], windows, per_axis(name, "padding", padding, axes, 0), output_size)
        planes, elements = x.shape[0] * x.shape[1], prod(size)
        if indices.numel() and not x.backend.truth(x.backend.xp.are_indices(indices._array, elements)):
            raise IndexError(f"{name}: indices must be from 0 to {elements - 1} for an output of size {size}")
        rows = f.reshape(arange(planes, device=x.backend), (planes, 1))
        at = f.reshape(indices, (planes, prod(x.shape[2:])))
        empty = zeros(planes, elements, dtype=x.dtype, device=x.backend)
        out = indexing.index_put(empty, f.reshape(x, at.shape), index=(rows._array, at._array))
        out = f.reshape(out, (*x.shape[:2], *size))
        return out if in_batch else f.squeeze(out, 0)

    return unpool


def _unpooled_size(
    name: str, count: tuple[int, ...], windows: Windows, padding: tuple[int, ...], output_size: Sequence[int] | None
) -> tuple[int, ...]:
    default = tuple((n - 1) * s - 2 * p + w for n, w, s, p in zip(count, windows.shape, windows.stride, padding, strict=True))
    if output_size is None:
        return default
    shape = tuple(output_size)
    size = shape[-len(default) :]
    leading_axes = len(shape) - len(default)
    if leading_axes not in (0, 2) or any(abs(n - m) >= s for n, m, s in zip(size, default, windows.stride, strict=True)):
        raise ValueError(f"{name}: output_size {shape} must differ from {default} by less than the stride {windows.stride}")
    return size


max_unpool1d, max_unpool2d, max_unpool3d = over_axes(max_unpool)
