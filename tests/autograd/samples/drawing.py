"""What samples are made of: arrays of numbers away from kinks, axes, layouts, and the table that each family adds to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

import adjoint as ad
from adjoint.testing.strategies import floats_away_from, shapes


@dataclass
class Sample:
    inputs: list[Any]
    params: dict[str, Any] = field(default_factory=dict)
    value: Any = None  #: what NumPy or SciPy computes of them


SAMPLES: dict[str, st.SearchStrategy[Sample]] = {}
ANY = st.floats(-3, 3, width=32)
SMALL = shapes(max_dims=3, max_side=3)
WITH_AXES = shapes(min_dims=1, max_dims=3, max_side=3)
OFF_ZERO = floats_away_from([0.0])
FAR_FROM_ZERO = floats_away_from([0.0], 0.5)
OFF_WHOLE = st.builds(lambda whole, rest: whole + rest, st.integers(-3, 2), st.floats(0.3, 0.7))
OFF_HALF_TOO = floats_away_from([k / 2 for k in range(-6, 7)])
POSITIVE = st.floats(0.3, 3)
NEAR_QUARTER = st.builds(lambda whole, rest: whole + 0.25 + rest, st.integers(-2, 2), st.floats(-0.1, 0.1))
NEAR_THREE_QUARTERS = NEAR_QUARTER.map(lambda v: v + 0.5)
BOOLS, SMALL_INTS = st.booleans(), st.integers(-3, 3)


def array(draw: Any, shape: tuple[int, ...], elements: Any = ANY, dtype: Any = np.float64) -> Any:
    drawn = draw(st.lists(elements, min_size=prod(shape), max_size=prod(shape)))
    return np.array(drawn, dtype).reshape(shape)


def distinct(draw: Any, shape: tuple[int, ...]) -> Any:
    """Numbers at least half apart, in random order."""
    return np.array(draw(st.permutations(range(prod(shape)))), np.float64).reshape(shape) * 0.5 - 1


@st.composite
def laid_out(draw: Any, values: Any) -> ad.Tensor:
    """The values as a tensor, some of them in memory that is transposed, strided, reversed or spread out."""
    how = draw(st.sampled_from(["plain", "transposed", "strided", "reversed", "offset"]))
    if values.ndim == 0 or how == "plain":
        return ad.tensor(values)
    if how == "transposed":
        return ad.tensor(np.ascontiguousarray(values.T)).permute(*reversed(range(values.ndim)))
    if how == "strided":
        return ad.tensor(np.repeat(values, 2, axis=-1))[..., ::2]
    if how == "reversed":
        return ad.tensor(np.ascontiguousarray(values[::-1]))[::-1]
    return ad.tensor(np.concatenate([values[:0], np.ones((1, *values.shape[1:]), values.dtype), values]))[1:]


def sample(name: str) -> Callable[[Any], Any]:
    def add(build: Any) -> Any:
        assert name not in SAMPLES
        SAMPLES[name] = st.composite(build)()
        return build

    return add


def an_axis(draw: Any, ndim: int) -> int:
    return draw(st.integers(-ndim, ndim - 1))


def some_axes(draw: Any, ndim: int) -> Any:
    """None, one axis or several, counted from either end."""
    if ndim == 0:
        return None
    several = st.lists(st.integers(0, ndim - 1), unique=True, min_size=1).map(
        lambda axes: tuple(a - ndim if i % 2 else a for i, a in enumerate(axes))
    )
    return draw(st.one_of(st.none(), st.integers(-ndim, ndim - 1), several))


def on_backend(index: Any) -> Any:
    """The index with its arrays on the default backend, as primitives take it."""
    if isinstance(index, tuple):
        return tuple(on_backend(part) for part in index)
    return ad.backends.default().asarray(index) if isinstance(index, np.ndarray) else index
