"""Hypothesis strategies that draw shapes and tensors, zero-size and 0-d ones included.

>>> from hypothesis import given
>>> import adjoint as ad
>>> @given(tensors(elements=floats_away_from([0.0])))
... def test_inverse_of_the_inverse(x):
...     ad.testing.assert_close(1 / (1 / x), x)
>>> test_inverse_of_the_inverse()
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

from ..autograd.creation import tensor
from ..autograd.tensor import Tensor
from ..backends import as_dtype
from ..errors import MissingExtra

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtra("hypothesis", "testing", "drawing tensors") from error

Strategy = st.SearchStrategy
Shape = tuple[int, ...]


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> Strategy[Shape]:
    """Shapes of ``min_dims`` to ``max_dims`` axes, each ``min_side`` to ``max_side`` long."""
    return st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def broadcastable_shapes(draw: Any, n: int = 2, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> tuple[Shape, ...]:
    """``n`` shapes that broadcast against each other: one shape with leading axes left out and lengths set to one."""
    whole = draw(shapes(0, max_dims, min_side, max_side))
    found = []
    for _ in range(n):
        kept = whole[draw(st.integers(0, len(whole))) :]
        ones = draw(st.lists(st.booleans(), min_size=len(kept), max_size=len(kept)))
        found.append(tuple(1 if one else length for one, length in zip(ones, kept, strict=True)))
    return tuple(found)


def floats_away_from(kinks: Sequence[float], margin: float = 0.1, low: float = -3.0, high: float = 3.0) -> Strategy[float]:
    """Numbers from [low, high], at least ``margin`` from each of ``kinks``."""
    edges = [low - margin, *sorted(k for k in kinks if low <= k <= high), high + margin]
    gaps = [(a + margin, b - margin) for a, b in pairwise(edges) if a + margin < b - margin]
    if not gaps:
        raise ValueError(f"floats_away_from: no number in [{low}, {high}] is {margin} away from each of {list(kinks)}")
    return st.one_of(*(st.floats(a, b) for a, b in gaps))


_ELEMENTS: dict[str, Any] = {
    "bool": st.booleans(),
    "uint": st.integers(0, 100),
    "int": st.integers(-100, 100),
    "float": st.floats(-3, 3, width=16),
}


@st.composite
def tensors(
    draw: Any,
    shape: Shape | Strategy[Shape] | None = None,
    dtype: Any = "float64",
    elements: Strategy[Any] | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Tensors on the default backend.

    Args:
        shape: one shape or a strategy of them; :func:`shapes` where None.
        dtype: one dtype or a strategy of them.
        elements: what the elements are drawn from; small numbers of the dtype where None.
    """
    size = draw(shapes() if shape is None else shape) if shape is None or isinstance(shape, Strategy) else shape
    kind = as_dtype(draw(dtype) if isinstance(dtype, Strategy) else dtype)
    drawn = draw(st.lists(_ELEMENTS[kind.kind] if elements is None else elements, min_size=prod(size), max_size=prod(size)))
    return tensor(drawn, dtype=kind).reshape(size).detach().requires_grad_(requires_grad)
