"""Samples of the primitives that pick and place by index."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import adjoint as ad
from adjoint.testing import strategies

from .drawing import BOOLS, SMALL, Sample, array, on_backend, sample


def indices(shape: tuple[int, ...], advanced: bool = True, backwards: bool = True) -> st.SearchStrategy[Any]:
    """Indices into a NumPy array, half of those with arrays naming places again and again."""
    every = strategies.indices(shape, advanced, backwards).map(on_host)
    return st.one_of(every, repeating(shape, backwards)) if advanced and shape and 0 not in shape else every


@st.composite
def repeating(draw: Any, shape: tuple[int, ...], backwards: bool = True) -> Any:
    """Arrays of integers for some axes, of two numbers each, in any order of memory; slices for the others."""
    together = draw(st.sampled_from([(3,), (5,), (2, 3), (3, 2), (3, 1)]))
    some = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    parts: list[Any] = []
    for axis, n in enumerate(shape):
        if axis not in some:
            parts.append(slice(None, None, draw(st.sampled_from([None, -1] if backwards else [None]))))
            continue
        own = tuple(1 if draw(st.integers(0, 4)) == 0 and m > 2 else m for m in together) if len(some) > 1 else together
        two = st.sampled_from([draw(st.integers(-n, n - 1)), draw(st.integers(-n, n - 1))])
        numbers = array(draw, own, two, np.int64)
        orders: list[Any] = [np.asfortranarray, lambda a: np.ascontiguousarray(a[::-1])[::-1], lambda a: a]
        parts.append(draw(st.sampled_from(orders))(numbers))
    return tuple(parts)


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


def in_order(x: Any, index: Any, value: Any) -> Any:
    """A copy of ``x`` to which the values were written one by one, in the order of the index."""
    result, numbers = x.copy(), np.arange(x.size).reshape(x.shape)[index]
    for number, one in zip(numbers.flat, np.broadcast_to(value, numbers.shape).flat, strict=True):
        result.flat[number] = one
    return result


@sample("last_writes")
def _(draw: Any) -> Sample:
    lead, rest = draw(strategies.shapes(1, 2, 1, 3)), draw(strategies.shapes(0, 1))
    index = tuple(part if isinstance(part, np.ndarray) else np.zeros(1, int) for part in draw(repeating(lead)))
    first = np.zeros(lead + (1,) * len(rest), np.int64)  # what slices pick is one element to it
    numbers = np.arange(first[index].size).reshape(first[index].shape)
    return Sample([np.zeros(lead + rest)], {"index": on_backend(index)}, in_order(first, index, numbers)[index] == numbers)


@sample("index_put")
def _(draw: Any) -> Sample:
    x = array(draw, draw(SMALL))
    index = draw(indices(x.shape))
    target = x[index].shape
    kept = target[draw(st.integers(0, len(target))) :]
    shape = tuple(1 if draw(BOOLS) else n for n in kept)
    value = array(draw, shape)
    return Sample([x, value], {"index": on_backend(index)}, in_order(x, index, value))
