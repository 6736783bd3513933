"""Hypothesis strategies for shapes, dtypes, tensors, matrices and indices, including zero-size and 0-d ones.

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

from ..autograd import functions as f
from ..autograd.creation import eye, tensor
from ..autograd.modes import no_grad
from ..autograd.tensor import Tensor
from ..backends import DType, as_dtype, default
from ..backends.dtypes import ALL, float64
from ..errors import MissingExtra

try:
    from hypothesis import strategies as st
except ImportError as error:
    raise MissingExtra("hypothesis", "testing", "drawing tensors") from error

Strategy = st.SearchStrategy
Shape = tuple[int, ...]


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> Strategy[Shape]:
    """Shapes as tuples.

    Args:
        min_dims: the smallest number of axes.
        max_dims: the largest number of axes.
        min_side: the smallest length of an axis.
        max_side: the largest length of an axis.
    """
    return st.lists(st.integers(min_side, max_side), min_size=min_dims, max_size=max_dims).map(tuple)


@st.composite
def broadcastable_shapes(draw: Any, n: int = 2, max_dims: int = 3, min_side: int = 0, max_side: int = 4) -> tuple[Shape, ...]:
    """Shapes that broadcast against each other: one shape, without some leading axes and with some lengths set to one.

    Args:
        n: the number of shapes; returned as a tuple.
        max_dims: as in :func:`shapes`, for the common shape.
        min_side: likewise.
        max_side: likewise.
    """
    whole = draw(shapes(0, max_dims, min_side, max_side))
    drawn = []
    for _ in range(n):
        trailing = whole[draw(st.integers(0, len(whole))) :]
        ones = draw(st.lists(st.booleans(), min_size=len(trailing), max_size=len(trailing)))
        drawn.append(tuple(1 if one else length for one, length in zip(ones, trailing, strict=True)))
    return tuple(drawn)


def floats_away_from(kinks: Sequence[float], margin: float = 0.1, low: float = -3.0, high: float = 3.0) -> Strategy[float]:
    """Floats that keep a distance from kinks, where a function has no derivative.

    Args:
        kinks: the numbers to avoid.
        margin: the smallest distance from each of them.
        low: the lower bound, included.
        high: the upper bound, included.

    Raises ``ValueError`` if no such number exists.
    """
    edges = [low - margin, *sorted(k for k in kinks if low <= k <= high), high + margin]
    gaps = [(a + margin, b - margin) for a, b in pairwise(edges) if a + margin < b - margin]
    if not gaps:
        raise ValueError(f"floats_away_from: no number in [{low}, {high}] is {margin} away from each of {list(kinks)}")
    return st.one_of(*(st.floats(a, b) for a, b in gaps))


def dtypes(*kinds: str) -> Strategy[DType]:
    """Dtypes of the default backend, of the given ``kinds`` (``"float"``, ``"int"``, ``"uint"``, ``"bool"``) or of all."""
    return st.deferred(
        lambda: st.sampled_from([d for d in ALL if d in default().dtypes.values() and (not kinds or d.kind in kinds)])
    )


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
        shape: a shape or a strategy for one; None for :func:`shapes`.
        dtype: a dtype or a strategy for one.
        elements: a strategy for the elements; None for small numbers of the dtype.
        requires_grad: whether the tensors require a gradient.
    """
    size = _drawn(draw, shapes() if shape is None else shape)
    kind = as_dtype(_drawn(draw, dtype))
    drawn = draw(st.lists(_ELEMENTS[kind.kind] if elements is None else elements, min_size=prod(size), max_size=prod(size)))
    return tensor(drawn, dtype=kind).reshape(size).detach().requires_grad_(requires_grad)


@st.composite
def broadcastable_tensors(
    draw: Any,
    n: int = 2,
    dtype: Any = "float64",
    elements: Strategy[Any] | None = None,
    requires_grad: bool = False,
    max_dims: int = 3,
    min_side: int = 0,
    max_side: int = 4,
) -> tuple[Tensor, ...]:
    """Tensors whose shapes broadcast against each other.

    Args:
        n: the number of tensors; returned as a tuple.
        dtype: as in :func:`tensors`.
        elements: likewise.
        requires_grad: likewise.
        max_dims: as in :func:`broadcastable_shapes`.
        min_side: likewise.
        max_side: likewise.
    """
    drawn = draw(broadcastable_shapes(n, max_dims, min_side, max_side))
    return tuple(draw(tensors(shape, dtype, elements, requires_grad)) for shape in drawn)


@st.composite
def matrices(
    draw: Any,
    rows: int | Strategy[int] | None = None,
    columns: int | Strategy[int] | None = None,
    *,
    condition: float = 10.0,
    symmetric: bool = False,
    positive_definite: bool = False,
    batch: Shape | Strategy[Shape] = (),
    dtype: Any = "float64",
    requires_grad: bool = False,
) -> Tensor:
    """Matrices whose largest singular value is at most ``condition`` times the smallest, which is at least 1.

    They are made as U diag(s) V^T, where U and V are products of two random reflections (Householder, 1958).

    Args:
        rows, columns: the size, or strategies for it; None for 1 to 4, and for a square matrix where required.
        condition: the bound on the ratio of singular values.
        symmetric: V = U, and the eigenvalues are the singular values with random signs.
        positive_definite: symmetric with positive eigenvalues.
        batch: leading axes, or a strategy for their shape.
        dtype: a dtype or a strategy for one.
        requires_grad: whether the matrices require a gradient.

    >>> import adjoint as ad
    >>> from hypothesis import given
    >>> @given(matrices(3, positive_definite=True))
    ... def test_the_eigenvalues_of_a_positive_definite_matrix_sum_up_to_its_trace(a):
    ...     assert ad.trace(a) >= 3 - 1e-9
    >>> test_the_eigenvalues_of_a_positive_definite_matrix_sum_up_to_its_trace()
    """
    n = _drawn(draw, st.integers(1, 4) if rows is None else rows)
    square = symmetric or positive_definite
    m = n if square else _drawn(draw, st.integers(1, 4) if columns is None else columns)
    lead = _drawn(draw, batch)
    drawn = []
    with no_grad():
        for _ in range(prod(lead)):
            k = min(n, m)
            sizes = [condition**power for power in draw(st.lists(st.floats(0, 1, width=16), min_size=k, max_size=k))]
            if symmetric and not positive_definite:
                signs = draw(st.lists(st.sampled_from([1.0, -1.0]), min_size=k, max_size=k))
                sizes = [sign * size for sign, size in zip(signs, sizes, strict=True)]
            left = _orthogonal(draw, n)
            right = left if square else _orthogonal(draw, m)
            product = (left[:, :k] * tensor(sizes, dtype=float64)) @ right[:, :k].t()
            drawn.append((product + product.t()) / 2 if square else product)
        whole = f.stack(drawn).reshape(*lead, n, m) if drawn else tensor([], dtype=float64).reshape(*lead, n, m)
    return whole.to(as_dtype(_drawn(draw, dtype))).detach().requires_grad_(requires_grad)


def _drawn(draw: Any, value: Any) -> Any:
    return draw(value) if isinstance(value, Strategy) else value


def _orthogonal(draw: Any, n: int) -> Tensor:
    """A product of two reflections, or fewer."""
    product = eye(n, dtype=float64)
    for _ in range(2):
        v = tensor(draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), dtype=float64)
        length = (v * v).sum().item()
        if length:
            product = product - (product @ v)[:, None] * (v * (2 / length))
    return product


@st.composite
def indices(draw: Any, shape: Shape, advanced: bool = True, backwards: bool = True) -> Any:
    """Indices into a tensor: integers, slices, ``None``, ``...``, integer tensors that broadcast, a mask.

    Args:
        shape: the tensor's shape.
        advanced: include integer tensors and masks.
        backwards: include slices with a negative step, which PyTorch lacks.
    """
    parts: list[Any] = []
    together = draw(shapes(max_dims=2, max_side=3))  # the shape to which the integer tensors broadcast
    for n in shape[: draw(st.integers(0, len(shape)))]:
        kinds = ["slice", *(["whole"] if n else []), *(["numbers"] if advanced and n else []), *(["mask"] if advanced else [])]
        kind = draw(st.sampled_from(kinds))
        if kind == "whole":
            parts.append(draw(st.integers(-n, n - 1)))
        elif kind == "numbers":
            parts.append(draw(tensors(together, "int64", st.integers(-n, n - 1))))
        elif kind == "mask" and len(together) == 1 and together[0] <= n:  # selects as many elements as the integer tensors
            picked = draw(st.permutations(range(n)))[: together[0]]
            parts.append(tensor([i in picked for i in range(n)], dtype="bool"))
        else:
            step = draw(st.sampled_from([None, 1, 2, *([-1, -2] if backwards else [])]))
            a, b = sorted(draw(st.tuples(st.integers(-n, n), st.integers(-n, n))))
            parts.append(slice(b, a, step) if step and step < 0 else slice(draw(st.sampled_from([None, a])), b, step))
    if draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), None)
    if draw(st.booleans()):
        parts.append(...)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)
