"""Primitives on windows that slide along the last axes: views of them, sums and maxima in them, and convolution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import accumulate, product
from math import prod
from operator import add
from typing import Any, NamedTuple

from ...backends import Array
from ..precision import wide
from ..primitive import on, primitive
from .shapes import Shape

Padding = tuple[tuple[int, int], ...]  #: how many zeros before and behind each axis; a negative number cuts off


class Windows(NamedTuple):
    """What the windows are like along the last axes, an entry an axis."""

    shape: Shape  #: how many elements a window has
    stride: Shape  #: how many elements further on the next one begins
    dilation: Shape  #: every which element is in it

    def reach(self) -> Shape:
        """How many elements there are from a window's first to its last, with both."""
        return tuple(d * (n - 1) + 1 for n, d in zip(self.shape, self.dilation, strict=True))

    def apart(self) -> bool:
        """Whether no two windows reach over the same element."""
        return all(s >= r for s, r in zip(self.stride, self.reach(), strict=True))

    def how_many(self, size: Shape) -> Shape:
        """How many windows fit into axes of that size."""
        return tuple((n - r) // s + 1 for n, r, s in zip(size, self.reach(), self.stride, strict=True))

    def offsets(self) -> Iterator[Shape]:
        """Where in a window its elements stand, in row-major order."""
        return product(*map(range, self.shape))

    def at(self, offset: Shape, count: Shape) -> tuple[Any, ...]:
        """The index of that element of each of the first ``count`` windows."""
        starts = (d * o for o, d in zip(offset, self.dilation, strict=True))
        return (..., *(slice(a, a + s * (n - 1) + 1, s) for a, n, s in zip(starts, count, self.stride, strict=True)))


def _by_samples(xp: Any, function: Callable[[list[slice]], Any], x: Any, *size: int) -> list[Any]:
    """``function`` in lanes, of slices of as many samples as make arrays of ``size`` a sample that are quick to work on."""
    n, each = x.shape[0], prod(size) * (8 if x.dtype == xp.float64 else 4)
    count = max(1, -(-n * each // xp.block_bytes))
    step = max(1, -(-n // (count + count % 2 if count > 1 else 1)))
    result: list[Any] = xp.run_parallel(function, [slice(start, start + step) for start in range(0, n, step)])
    return result


# --- reductions of windows ---------------------------------------------------------------------------------------------------


def _combined(combine: Any, xp: Any, x: Any, windows: Windows) -> Any:
    """The elements of each window combined, one axis after another, in whole slices."""
    first = x.ndim - len(windows.shape)
    for axis, (n, s, d) in enumerate(zip(*windows, strict=True), first):
        along = Windows((n,), (s,), (d,))
        count, after = along.how_many((x.shape[axis],)), (slice(None),) * (x.ndim - axis - 1)
        x = reduce(combine, (xp.getitem(x, (*along.at(offset, count), *after)) for offset in along.offsets()))
    return x


@primitive(wide=True)
def window_sum(xp: Any, x: Array, *, windows: Windows) -> Array:
    """The sum of each window along the last axes: (…, *size) to (…, *count)."""
    return _combined(xp.add, xp, x, windows)


def _to_every_element(xp: Any, g: Any, x_shape: Shape, windows: Windows) -> Any:
    """g added to every element of its window."""
    each = xp.reshape(g, (*g.shape, *(1,) * len(windows.shape)))
    return xp.overlap_add(xp.broadcast_to(each, (*g.shape, *windows.shape)), x_shape, *windows[1:])


window_sum.vjp(x=_to_every_element)


def _to_the_maximum(xp: Any, g: Any, x: Any, out: Any, windows: Windows) -> Any:
    """g added to the first maximum of its window."""
    which = on(xp, window_argmax)(x, out, windows=windows)
    return on(xp, window_put)(wide(xp, g), which, shape=x.shape, windows=windows)


@primitive(views=True)
def window_max(xp: Any, x: Array, *, windows: Windows) -> Array:
    """The largest element of each window along the last axes, NaN where there is one: (…, *size) to (…, *count)."""
    return _combined(xp.maximum, xp, x, windows)


window_max.vjp(x=_to_the_maximum)


@primitive(differentiable=False)
def window_argmax(xp: Any, x: Array, out: Array, *, windows: Windows) -> Array:
    """Which of its window's elements, counted row after row, each maximum ``out`` is: the first of equals, the last of NaNs.

    (N, …, *size) and (N, …, *count) to (N, …, *count), int8 where that is enough.
    """
    count, elements = out.shape[out.ndim - len(windows.shape) :], prod(windows.shape)
    integers = xp.int8 if elements < 128 else xp.int32
    result = xp.empty(out.shape, dtype=integers)

    def find(parts: list[slice]) -> None:
        for part in parts:
            largest = xp.getitem(out, part)
            each = [xp.contiguous(xp.getitem(x, (part, *windows.at(offset, count)))) for offset in windows.offsets()]
            before = _how_many_until(xp, integers, (element != largest for element in each))
            behind = _how_many_until(xp, integers, (element == element for element in each[::-1]))
            xp.setitem(result, xp.where(before == elements, elements - 1 - behind, before), part)

    _by_samples(xp, find, x, *x.shape[1:])
    return result


def _how_many_until(xp: Any, integers: Any, conditions: Iterable[Any]) -> Any:
    """How many of the conditions hold before the first that does not."""
    return reduce(xp.add, (xp.astype(condition, integers) for condition in accumulate(conditions, xp.logical_and)))


@primitive(promotes=("x",), wide=True)
def window_put(xp: Any, x: Array, which: Array, *, shape: Shape, windows: Windows) -> Array:
    """Zeros to which ``x`` was added at the element ``which`` of each window: (N, …, *count) twice to ``shape``, (N, …, *size)."""
    count = x.shape[x.ndim - len(windows.shape) :]
    result = xp.zeros(shape, dtype=x.dtype)

    def put(parts: list[slice]) -> None:
        for part, (i, offset) in product(parts, enumerate(windows.offsets())):
            value = xp.where(xp.getitem(which, part) == i, xp.getitem(x, part), 0.0)
            index = (part, *windows.at(offset, count))
            if windows.apart():
                xp.setitem(result, value, index)
            else:
                taken = xp.getitem(result, index)
                taken += value

    _by_samples(xp, put, x, *shape[1:])
    return result


@primitive(promotes=("x",))
def window_take(xp: Any, x: Array, which: Array, *, windows: Windows) -> Array:
    """The element ``which`` of each window of ``x``: the adjoint of :func:`window_put`."""
    count = which.shape[which.ndim - len(windows.shape) :]
    result = xp.zeros(which.shape, dtype=x.dtype)
    for i, offset in enumerate(windows.offsets()):
        result += xp.where(which == i, xp.getitem(x, windows.at(offset, count)), 0.0)
    return result


window_put.vjp(x=lambda xp, g, which, windows: on(xp, window_take)(g, which, windows=windows))
window_take.vjp(x=lambda xp, g, x_shape, which, windows: on(xp, window_put)(wide(xp, g), which, shape=x_shape, windows=windows))


# --- convolution -------------------------------------------------------------------------------------------------------------

# Convolution is linear in its input x and in its weight w: with the cotangent g of its result, the sum of g convolution(x, w) is
# linear in all three. Its derivatives by each are the three primitives below, and so the derivatives of these are each other.
# All are matrix products with the windows as columns, which are copied again each time, for a block of samples at a time.


def _padded(xp: Any, x: Any, padding: Padding) -> Any:
    """``x`` with zeros around its last axes, or cut off there."""
    if any(n < 0 for pair in padding for n in pair):
        x = xp.getitem(x, (..., *(slice(max(-a, 0), min(b, 0) or None) for a, b in padding)))
        padding = tuple((max(a, 0), max(b, 0)) for a, b in padding)
    if not any(map(any, padding)):
        return x
    first = x.ndim - len(padding)
    placed = [(slice(a, a + n), a + n + b) for n, (a, b) in zip(x.shape[first:], padding, strict=True)]
    inside, size = zip(*placed, strict=True)
    return xp.scatter_add(x, (..., *inside), (*x.shape[:first], *size))


def _channels_first(xp: Any, x: Any, groups: int) -> Any:
    """A row a channel: (N, C, *size) to (groups, C / groups, N * prod(size))."""
    rows = xp.permute_dims(x, (1, 0, *range(2, x.ndim)))
    return xp.reshape(rows, (groups, x.shape[1] // groups, x.shape[0] * prod(x.shape[2:])))


def _as_columns(xp: Any, x: Any, windows: Windows, groups: int) -> Any:
    """A column a window: (N, C, *size) to (groups, C / groups * prod(window), N * prod(count))."""
    views, k = xp.sliding_windows(x, *windows), len(windows.shape)
    rows = xp.permute_dims(views, (1, *range(2 + k, 2 + 2 * k), 0, *range(2, 2 + k)))
    return xp.reshape(rows, (groups, x.shape[1] // groups * prod(windows.shape), x.shape[0] * prod(views.shape[2 : 2 + k])))


def _as_matrix(xp: Any, weight: Any, groups: int) -> Any:
    """(O, C / groups, *window) to (groups, O / groups, C / groups * prod(window))."""
    return xp.reshape(weight, (groups, weight.shape[0] // groups, prod(weight.shape[1:])))


def _reversed(xp: Any, weight: Any, groups: int) -> Any:
    """The weight of the transposed convolution: (O, C / groups, *window) to (C, O / groups, *window reversed)."""
    outputs, inputs, *window = weight.shape
    each = xp.reshape(xp.flip(weight, axis=tuple(range(2, weight.ndim))), (groups, outputs // groups, inputs, *window))
    return xp.reshape(xp.permute_dims(each, (0, 2, 1, *range(3, each.ndim))), (groups * inputs, outputs // groups, *window))


@primitive
def convolution(xp: Any, x: Array, weight: Array, bias: Array, *, windows: Windows, padding: Padding, groups: int) -> Array:
    """Each window's product with the weight, and ``bias`` (an array or a number): (N, C, *size), (O, C / groups, *window) and
    (O,) to (N, O, *count). The last window must end where the padded axis ends.
    """
    channels, matrix = weight.shape[0], _as_matrix(xp, weight, groups)
    count = windows.how_many(tuple(n + a + b for n, (a, b) in zip(x.shape[2:], padding, strict=True)))
    if hasattr(bias, "shape"):
        bias = xp.reshape(bias, (channels, *(1,) * (1 + len(count))))
    result = xp.empty((x.shape[0], channels, *count), dtype=x.dtype)

    def multiply(parts: list[slice]) -> None:
        for part in parts:
            some = _padded(xp, xp.getitem(x, part), padding)
            block = xp.reshape(xp.matmul(matrix, _as_columns(xp, some, windows, groups)), (channels, some.shape[0], *count))
            block += bias
            xp.setitem(result, xp.permute_dims(block, (1, 0, *range(2, block.ndim))), part)

    _by_samples(xp, multiply, x, groups * matrix.shape[2] + channels, prod(count))
    return result


@primitive
def convolution_transpose(xp: Any, x: Array, weight: Array, *, windows: Windows, padding: Padding, groups: int) -> Array:
    """Each element's product with the weight, added up where :func:`convolution` has its windows: (N, O, *count) and
    (O, C / groups, *window) to (N, C, *size).
    """
    channels, count = weight.shape[1] * groups, x.shape[2:]
    if x.shape[1] <= channels and all(s == 1 for s in windows.stride):  # fewer columns than there are to be added up
        around = tuple((r - 1 - a, r - 1 - b) for r, (a, b) in zip(windows.reach(), padding, strict=True))
        return convolution.kernel(xp, x, _reversed(xp, weight, groups), 0.0, windows=windows, padding=around, groups=groups)
    matrix, k = xp.matrix_transpose(_as_matrix(xp, weight, groups)), len(windows.shape)
    whole = tuple(s * (n - 1) + r for n, s, r in zip(count, windows.stride, windows.reach(), strict=True))
    size = (n - a - b for n, (a, b) in zip(whole, padding, strict=True))
    result = xp.empty((x.shape[0], channels, *size), dtype=x.dtype)

    def spread(parts: list[slice]) -> None:
        for part in parts:
            some = xp.getitem(x, part)
            columns = xp.matmul(matrix, _channels_first(xp, some, groups))
            columns = xp.reshape(columns, (channels, *windows.shape, some.shape[0], *count))
            columns = xp.permute_dims(columns, (1 + k, 0, *range(2 + k, 2 + 2 * k), *range(1, 1 + k)))
            added = xp.overlap_add(wide(xp, columns), (some.shape[0], channels, *whole), *windows[1:])
            xp.setitem(result, _padded(xp, added, tuple((-a, -b) for a, b in padding)), part)

    _by_samples(xp, spread, x, groups * matrix.shape[1] + weight.shape[0], prod(count))
    return result


@primitive
def convolution_weight(xp: Any, x: Array, y: Array, *, windows: Windows, padding: Padding, groups: int) -> Array:
    """Each window's product with the element of ``y`` that :func:`convolution` makes of it, added up over samples and windows:
    (N, C, *size) and (N, O, *count) to (O, C / groups, *window).
    """
    rows, channels = x.shape[1] // groups * prod(windows.shape), y.shape[1]

    def add_up(parts: list[slice]) -> Any:
        total = wide(xp, xp.zeros((groups, rows, channels // groups), dtype=x.dtype))
        for part in parts:
            columns = _as_columns(xp, _padded(xp, xp.getitem(x, part), padding), windows, groups)
            total += wide(xp, xp.matmul(columns, xp.matrix_transpose(_channels_first(xp, xp.getitem(y, part), groups))))
        return total

    total = reduce(add, _by_samples(xp, add_up, x, groups * rows + channels, prod(y.shape[2:])))
    return xp.reshape(xp.matrix_transpose(xp.astype(total, x.dtype)), (channels, x.shape[1] // groups, *windows.shape))


convolution.vjp(
    x=lambda xp, g, weight, windows, padding, groups: on(xp, convolution_transpose)(
        g, weight, windows=windows, padding=padding, groups=groups
    ),
    weight=lambda xp, g, x, windows, padding, groups: on(xp, convolution_weight)(
        x, g, windows=windows, padding=padding, groups=groups
    ),
    bias=lambda xp, g: xp.sum(wide(xp, g), axis=(0, *range(2, g.ndim))),
)
convolution_transpose.vjp(
    x=lambda xp, g, weight, windows, padding, groups: on(xp, convolution)(
        g, weight, 0.0, windows=windows, padding=padding, groups=groups
    ),
    weight=lambda xp, g, x, windows, padding, groups: on(xp, convolution_weight)(
        g, x, windows=windows, padding=padding, groups=groups
    ),
)
convolution_weight.vjp(
    x=lambda xp, g, y, windows, padding, groups: on(xp, convolution_transpose)(
        y, g, windows=windows, padding=padding, groups=groups
    ),
    y=lambda xp, g, x, windows, padding, groups: on(xp, convolution)(x, g, 0.0, windows=windows, padding=padding, groups=groups),
)
