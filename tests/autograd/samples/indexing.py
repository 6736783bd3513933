"""Samples of the primitives that pick and place by index."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import adjoint as ad
from adjoint.testing import strategies

from .drawing import BOOLS, SMALL, Sample, array, on_backend, sample


def indices(shape: tuple[int, ...], advanced: bool = True, backwards: bool = True) -> st.SearchStrategy[Any]:
    """Indices into a NumPy array."""
    return strategies.indices(shape, advanced, backwards).map(on_host)


def on_host(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(on_host(part) for part in index)
    return index.cpu().numpy() if isinstance(index, ad.Tensor) else index


@sample("getitem")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    index = draw(indices(x.shape))
    return Sample([x], {"index": on_backend(index)}, x[index])


@sample("scatter_add")
def _(draw: Any) -> Sample:
    shape = draw(SMALL)
    index = draw(indices(shape))
    x = array(draw, np.zeros(shape)[index].shape)
    value = np.zeros(shape)
    np.add.at(value, index, x)
    return Sample([x], {"index": on_backend(index), "shape": shape}, value)


@sample("index_put")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    index = draw(indices(x.shape, advanced=False))
    target = x[index].shape
    kept = target[draw(st.integers(0, len(target))) :]
    shape = tuple(1 if draw(BOOLS) else n for n in kept)
    value, result = array(draw, shape), x.copy()
    result[index] = value
    return Sample([x, value], {"index": on_backend(index)}, result)
