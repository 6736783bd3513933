"""Samples of the primitives that rearrange, repeat and join."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import adjoint as ad
from adjoint.autograd.primitive import registry
from adjoint.testing.strategies import broadcastable_shapes, shapes

from .drawing import BOOLS, SMALL, SMALL_INTS, WITH_AXES, Sample, an_axis, array, sample, some_axes


@sample("alias")
@sample("contiguous")
@sample("copy")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    return Sample([x], {}, x)


@sample("astype")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    return Sample([x], {"dtype": ad.backends.default().xp.float64}, x)


@sample("transfer")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    here = ad.backends.default()
    there = ad.backends.get("strict" if here.name == "numpy" else "numpy")
    return Sample([x], {"source": here, "target": there}, x)


@sample("reshape")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    shape = draw(st.sampled_from([x.shape[::-1], (x.size,), (1, x.size), (x.size, 1, 1), x.shape]))
    return Sample([x], {"shape": shape}, x.reshape(shape))


@sample("permute_dims")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axes = tuple(a - x.ndim if draw(BOOLS) else a for a in draw(st.permutations(range(x.ndim))))
    return Sample([x], {"axes": axes}, x.transpose(axes) if axes else x)


@sample("matrix_transpose")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3)))
    return Sample([x], {}, np.swapaxes(x, -1, -2))


@sample("broadcast_to")
def _(draw: Any) -> Sample:
    a, b = draw(broadcastable_shapes(2, 3, 0, 3))
    x, shape = array(draw, a), np.broadcast_shapes(a, b)
    return Sample([x], {"shape": shape}, np.broadcast_to(x, shape))


@sample("expand_dims")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axis = an_axis(draw, x.ndim + 1)
    return Sample([x], {"axis": axis}, np.expand_dims(x, axis))


@sample("squeeze")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(max_dims=4, max_side=2)))
    axis = tuple(i for i, n in enumerate(x.shape) if n == 1 and draw(BOOLS))
    return Sample([x], {"axis": axis}, np.squeeze(x, axis))


@sample("flip")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axis = some_axes(draw, x.ndim)
    return Sample([x], {"axis": axis}, np.flip(x, axis))


@sample("roll")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    axis = some_axes(draw, x.ndim)
    shift = tuple(draw(SMALL_INTS) for _ in axis) if isinstance(axis, tuple) else draw(SMALL_INTS)
    return Sample([x], {"shift": shift, "axis": axis}, np.roll(x, shift, axis))


@sample("tril")
def _(draw: Any) -> Sample:
    x, k = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3))), draw(SMALL_INTS)
    return Sample([x], {"k": k}, np.tril(x, k))


@sample("triu")
def _(draw: Any) -> Sample:
    x, k = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3))), draw(SMALL_INTS)
    return Sample([x], {"k": k}, np.triu(x, k))


@sample("concat")
def _(draw: Any) -> Sample:
    shape = draw(WITH_AXES)
    axis = an_axis(draw, len(shape))
    at = axis % len(shape)
    arrays = [array(draw, (*shape[:at], n, *shape[at + 1 :])) for n in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))]
    return Sample(arrays, {"axis": axis}, np.concatenate(arrays, axis))


@sample("diagonal")
def _(draw: Any) -> Sample:
    x, offset = array(draw, draw(shapes(min_dims=2, max_dims=3, max_side=3))), draw(SMALL_INTS)
    return Sample([x], {"offset": offset}, np.diagonal(x, offset, -2, -1))


@sample("write_through")
def _(draw: Any) -> Sample:
    x = array(draw, draw(shapes(min_dims=2, max_dims=2, min_side=1, max_side=3)))
    positions = np.arange(x.size).reshape(x.shape)
    taken: dict[str, Any] = {
        "getitem": ({"index": (0,)}, positions[0]),
        "permute_dims": ({"axes": (1, 0)}, positions.T),
        "reshape": ({"shape": (x.size, 1)}, positions.reshape(-1, 1)),
        "diagonal": ({"offset": 0}, np.diagonal(positions)),
        "expand_dims": ({"axis": 0}, positions[None]),
    }
    name = draw(st.sampled_from(sorted(taken)))
    params, seen = taken[name]
    steps = [(registry[name], params)]
    if draw(BOOLS):
        steps.append((registry["getitem"], {"index": (Ellipsis, slice(None, None, 2))}))
        seen = seen[..., ::2]
    value, result = array(draw, seen.shape), x.copy()
    result.reshape(-1)[seen] = value
    return Sample([x, value], {"steps": tuple(steps), "backend": ad.backends.default()}, result)
