"""Samples of the normalizations' primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.autograd.rules.normalization import centre, layer_norm, root_mean_square, standardize
from adjoint.testing.strategies import shapes

from .drawing import Sample, array, sample, some_axes


@sample(centre.name)
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(max_dims=3, max_side=3)))
    axis = some_axes(draw, x.ndim)
    return Sample([x], {"axis": axis}, x - x.sum(axis, keepdims=True) / max(x.size // max(x.sum(axis).size, 1), 1))


@sample(root_mean_square.name)
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(max_dims=3, max_side=3)))
    axis = some_axes(draw, x.ndim)
    return Sample([x], {"axis": axis, "divisor": 3.0, "eps": 0.5}, np.sqrt((x * x).sum(axis, keepdims=True) / 3.0 + 0.5))


@sample(standardize.name)
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(max_dims=3, min_side=1, max_side=3)))
    axis = some_axes(draw, x.ndim)
    value = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 0.5)
    return Sample([x], {"axis": axis, "eps": 0.5}, value)


@sample(layer_norm.name)
def _(draw: Any) -> Sample:
    lead = draw(shapes(max_dims=2, max_side=3))
    last = draw(shapes(min_dims=1, max_dims=2, min_side=1, max_side=3))
    x, weight, bias = array(draw, lead + last), array(draw, last), array(draw, last)
    axes = tuple(range(-len(last), 0))
    normalized = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 0.5)
    return Sample([x, weight, bias], {"eps": 0.5}, normalized * weight + bias)
