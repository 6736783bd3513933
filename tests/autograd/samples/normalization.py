"""Samples of the normalizations' primitive."""

from __future__ import annotations

from typing import Any

import numpy as np

from adjoint.autograd.rules.normalization import standardize
from adjoint.testing.strategies import shapes

from .drawing import Sample, array, sample, some_axes


@sample(standardize.name)
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(max_dims=3, min_side=1, max_side=3)))
    axis = some_axes(draw, x.ndim)
    value = (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 0.5)
    return Sample([x], {"axis": axis, "eps": 0.5}, value)
