"""Samples of the primitives that pick and place by index."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from adjoint.testing.strategies import shapes

from .drawing import BOOLS, SMALL, Sample, array, on_backend, sample


@st.composite
def indices(draw: Any, shape: tuple[int, ...], advanced: bool = True, backwards: bool = True) -> Any:
    """An index into an array of ``shape``: whole numbers, slices, None, an ellipsis, integer arrays that broadcast, a mask."""
    parts: list[Any] = []
    together = draw(shapes(max_dims=2, max_side=3))  # the shape that this index's integer arrays broadcast to
    axis, stop = 0, draw(st.integers(0, len(shape)))
    while axis < stop:
        n = shape[axis]
        kinds = ["slice", "whole", *(["numbers", "mask"] if advanced else [])]
        kind = draw(st.sampled_from([kind for kind in kinds if n or kind in ("slice", "mask")]))
        if kind == "slice":
            step = draw(st.sampled_from([None, 1, 2, *([-1, -2] if backwards else [])]))
            a, b = sorted(draw(st.tuples(st.integers(-n, n), st.integers(-n, n))))
            parts.append(slice(b, a, step) if step and step < 0 else slice(draw(st.sampled_from([None, a])), b, step))
        elif kind == "whole":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "numbers":
            parts.append(array(draw, together, st.integers(-n, n - 1), np.int64))
        else:  # exactly as many chosen as the integer arrays are long, so that they go together
            if together and together[-1] <= n and len(together) == 1:
                mask = np.zeros(n, np.bool_)
                mask[draw(st.permutations(range(n)))[: together[0]]] = True
                parts.append(mask)
            else:
                parts.append(slice(None))
        axis += 1
    if draw(BOOLS):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(BOOLS):
        left_out = [i for i in range(len(parts) + 1) if i == len(parts)]
        parts.insert(left_out[0], Ellipsis)
    return parts[0] if len(parts) == 1 and draw(BOOLS) else tuple(parts)


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
