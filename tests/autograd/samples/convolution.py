"""Samples of the primitives on sliding windows."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st

from adjoint.autograd.rules.convolution import Padding, Windows

from .drawing import BOOLS, Sample, array, distinct, sample


def some_windows(draw: Any, axes: int) -> Windows:
    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    return Windows(each(1, 3), each(1, 2), each(1, 2))


def axis_with(draw: Any, windows: Windows) -> tuple[int, ...]:
    """A size in which one to three windows fit, with a rest or without."""
    return tuple(
        r + s * draw(st.integers(0, 2)) + draw(st.integers(0, s - 1)) for r, s in zip(windows.reach(), windows.stride, strict=True)
    )


def taken(x: Any, windows: Windows, count: tuple[int, ...]) -> Any:
    """Every window, an element at a time: (…, *size) to (…, *count, *window)."""
    axes = len(count)
    lead = x.shape[: x.ndim - axes]
    result = np.zeros((*lead, *count, *windows.shape))
    for place, offset in product(np.ndindex(*count), np.ndindex(*windows.shape)):
        at = tuple(p * s + o * d for p, o, s, d in zip(place, offset, windows.stride, windows.dilation, strict=True))
        result[(..., *place, *offset)] = x[(..., *at)]
    return result


@sample("sliding_windows")
def _(draw: Any) -> Sample:
    windows = some_windows(draw, draw(st.integers(1, 2)))
    x = array(draw, (*((2,) if draw(BOOLS) else ()), *axis_with(draw, windows)))
    size = x.shape[x.ndim - len(windows.shape) :]
    names = ("window", "stride", "dilation")
    return Sample([x], dict(zip(names, windows, strict=True)), taken(x, windows, windows.how_many(size)))


@sample("overlap_add")
def _(draw: Any) -> Sample:
    windows = some_windows(draw, draw(st.integers(1, 2)))
    shape = (2, *axis_with(draw, windows))
    count = windows.how_many(shape[1:])
    x = array(draw, (2, *count, *windows.shape))
    value = np.zeros(shape)
    for place, offset in product(np.ndindex(*count), np.ndindex(*windows.shape)):
        at = (p * s + o * d for p, o, s, d in zip(place, offset, windows.stride, windows.dilation, strict=True))
        value[(..., *at)] += x[(..., *place, *offset)]
    return Sample([x], {"shape": shape, "stride": windows.stride, "dilation": windows.dilation}, value)


def reduction(name: str, reduce: Any, numbers: Any) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        axes = draw(st.integers(1, 2))
        windows = some_windows(draw, axes)
        x = numbers(draw, (2, *axis_with(draw, windows)))
        each = taken(x, windows, windows.how_many(x.shape[1:]))
        return Sample([x], {"windows": windows}, reduce(each, axis=tuple(range(-axes, 0))))


reduction("window_sum", np.sum, array)
reduction("window_max", np.max, distinct)


def pooled(draw: Any) -> tuple[Any, Windows, Any]:
    """Some numbers, windows of them, and which of its elements is each window's largest."""
    axes = draw(st.integers(1, 2))
    windows = some_windows(draw, axes)
    x = distinct(draw, (draw(st.integers(1, 3)), 2, *axis_with(draw, windows)))
    each = taken(x, windows, windows.how_many(x.shape[2:]))
    return x, windows, each.reshape(*each.shape[: 2 + axes], -1).argmax(-1)


def chosen(which: Any, windows: Windows, shape: tuple[int, ...]) -> Any:
    """The indices, an array an axis, of the element ``which`` of each window in an array of ``shape``."""
    places, offsets = np.indices(which.shape), np.unravel_index(which, windows.shape)
    lead = len(shape) - len(offsets)
    inside = (p * s + o * d for p, o, s, d in zip(places[lead:], offsets, windows.stride, windows.dilation, strict=True))
    return (*places[:lead], *inside)


@sample("window_argmax")
def _(draw: Any) -> Sample:
    x, windows, which = pooled(draw)
    return Sample([x, x[chosen(which, windows, x.shape)]], {"windows": windows}, which.astype(np.int8))


@sample("window_put")
def _(draw: Any) -> Sample:
    x, windows, which = pooled(draw)
    added = array(draw, which.shape)
    value = np.zeros(x.shape)
    np.add.at(value, chosen(which, windows, x.shape), added)
    return Sample([added, which], {"shape": x.shape, "windows": windows}, value)


@sample("window_take")
def _(draw: Any) -> Sample:
    x, windows, which = pooled(draw)
    return Sample([x, which], {"windows": windows}, x[chosen(which, windows, x.shape)])


def drawn_convolution(draw: Any) -> tuple[tuple[int, ...], Any, dict[str, Any], Padding]:
    """The shape of an input whose padded axes end with the last window, a weight and how they go together."""
    windows = some_windows(draw, draw(st.integers(1, 2)))
    groups, samples = draw(st.integers(1, 2)), draw(st.integers(0, 3))
    weight = array(draw, (groups * draw(st.integers(1, 2)), draw(st.integers(1, 2)), *windows.shape))
    size, padding = [], []
    for r, s in zip(windows.reach(), windows.stride, strict=True):
        whole = r + s * draw(st.integers(0, 2))
        before = draw(st.integers(-1, min(1, whole - 1)))
        behind = draw(st.integers(-1, min(1, whole - before - 1)))
        size.append(whole - before - behind)
        padding.append((before, behind))
    params = {"windows": windows, "padding": tuple(padding), "groups": groups}
    return (samples, groups * weight.shape[1], *size), weight, params, tuple(padding)


def padded(x: Any, padding: Padding) -> Any:
    cut = x[(..., *(slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape[2:], padding, strict=True)))]
    return np.pad(cut, ((0, 0), (0, 0), *((max(a, 0), max(b, 0)) for a, b in padding)))


def bilinear(x_shape: tuple[int, ...], weight_shape: tuple[int, ...], params: dict[str, Any]) -> Any:
    """How much of each element of the input and each of the weight there is in each of the result, as one array."""
    windows, groups = params["windows"], params["groups"]
    n, o, c = x_shape[0], weight_shape[0], weight_shape[1]
    one = np.eye(int(np.prod(x_shape[1:]))).reshape(-1, *x_shape[1:])
    each = taken(padded(one, params["padding"]), windows, windows.how_many(padded(one, params["padding"]).shape[2:]))
    count = each.shape[2 : 2 + len(windows.shape)]
    form = np.zeros((*x_shape[1:], *weight_shape, o, *count))
    flat = form.reshape(len(one), o, c, int(np.prod(windows.shape)), o, int(np.prod(count)))
    each = each.reshape(len(one), groups * c, int(np.prod(count)), -1)
    for out in range(o):
        first = out // (o // groups) * c
        flat[:, out, :, :, out] = each[:, first : first + c].transpose(0, 1, 3, 2)
    return flat.reshape(len(one), int(np.prod(weight_shape)), o * int(np.prod(count))), (n, o, *count)


@sample("convolution")
def _(draw: Any) -> Sample:
    shape, weight, params, _ = drawn_convolution(draw)
    x, bias = array(draw, shape), array(draw, weight.shape[:1])
    form, out = bilinear(shape, weight.shape, params)
    value = np.einsum("xwg,nx,w->ng", form, x.reshape(shape[0], form.shape[0]), weight.ravel()).reshape(out)
    return Sample([x, weight, bias], params, value + bias.reshape(-1, *(1,) * (len(out) - 2)))


@sample("convolution_transpose")
def _(draw: Any) -> Sample:
    shape, weight, params, _ = drawn_convolution(draw)
    form, out = bilinear(shape, weight.shape, params)
    x = array(draw, out)
    value = np.einsum("xwg,ng,w->nx", form, x.reshape(out[0], form.shape[2]), weight.ravel()).reshape(shape)
    return Sample([x, weight], params, value)


@sample("convolution_weight")
def _(draw: Any) -> Sample:
    shape, weight, params, _ = drawn_convolution(draw)
    form, out = bilinear(shape, weight.shape, params)
    x, y = array(draw, shape), array(draw, out)
    value = np.einsum(
        "xwg,nx,ng->w", form, x.reshape(shape[0], -1 if shape[0] else form.shape[0]), y.reshape(out[0], form.shape[2])
    )
    return Sample([x, y], params, value.reshape(weight.shape))
