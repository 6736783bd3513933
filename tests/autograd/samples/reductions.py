"""Samples of the primitives that reduce, accumulate, sort and search."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from adjoint.testing.strategies import shapes

from .drawing import BOOLS, SMALL, SMALL_INTS, WITH_AXES, Sample, an_axis, array, distinct, sample, some_axes


def reduction(name: str, make: Any, min_side: int = 1, one_axis: bool = False) -> None:
    @sample(name)
    def build(draw: Any) -> Sample:
        shape = draw(shapes(max_dims=3, min_side=min_side, max_side=3))
        axis = (an_axis(draw, len(shape)) if shape and draw(BOOLS) else None) if one_axis else some_axes(draw, len(shape))
        x = make(draw, shape)
        params = {"axis": axis, "keepdims": draw(BOOLS)}
        return Sample([x], params, getattr(np, name)(x, **params))


reduction("sum", array, min_side=0)
reduction("mean", array)
reduction("max", distinct)
reduction("min", distinct)
reduction("argmax", distinct, one_axis=True)
reduction("argmin", distinct, one_axis=True)
reduction("all", lambda draw, shape: array(draw, shape, SMALL_INTS), min_side=0)
reduction("any", lambda draw, shape: array(draw, shape, SMALL_INTS), min_side=0)


@sample("cumulative_sum")
def _(draw: Any) -> Sample:
    x = array(draw, draw(WITH_AXES))
    axis = an_axis(draw, x.ndim)
    return Sample([x], {"axis": axis}, np.cumsum(x, axis))


@sample("argsort")
def _(draw: Any) -> Sample:
    x = array(draw, draw(WITH_AXES), SMALL_INTS)
    axis, descending = an_axis(draw, x.ndim), draw(BOOLS)
    return Sample([x], {"axis": axis, "descending": descending}, np.argsort(-x if descending else x, axis, kind="stable"))


@sample("cumulative_argmax")
def _(draw: Any) -> Sample:
    x, least = array(draw, draw(WITH_AXES), SMALL_INTS), draw(BOOLS)
    best = (np.minimum if least else np.maximum).accumulate(x)
    at = np.arange(len(x)).reshape((-1, *(1,) * (x.ndim - 1)))
    return Sample([x], {"least": least}, np.maximum.accumulate(np.where(x == best, at, 0)))


@sample("argwhere")
def _(draw: Any) -> Sample:
    x = array(draw, draw(WITH_AXES), SMALL_INTS)
    return Sample([x], {}, np.argwhere(x))


@sample("searchsorted")
def _(draw: Any) -> Sample:
    x, values = np.sort(array(draw, draw(shapes(1, 1, max_side=4)), SMALL_INTS)), array(draw, draw(SMALL), SMALL_INTS)
    side = draw(st.sampled_from(["left", "right"]))
    return Sample([x, values], {"side": side}, np.searchsorted(x, values, side))
