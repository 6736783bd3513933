"""Functions along an axis: running products and extremes, differences, integrals and slopes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...backends import dtypes
from ..arguments import NUMBERS, Dims, axes_of, axis_of, plain, publish, reads_numbers, shaped_like, widened, with_axis
from ..creation import full
from ..precision import wide_inside
from ..rules import elementwise as e, shapes, sorting
from .elementwise import logical_xor, where
from .indexing import along_axis
from .reductions import ValuesIndices, cumsum, sum
from .shapes import concat, movedim, narrow

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = [
    "cummax", "cummin", "cumprod", "cumulative_trapezoid", "diff", "gradient", "logcumsumexp", "trapezoid",
]  # fmt: skip


def _scan(name: str, combine: Callable[[Tensor, Tensor], Tensor], x: Tensor, dim: int) -> Tensor:
    """Each element combined with all before it along ``dim``, by doubling (Hillis and Steele, 1986)."""
    at = axis_of(name, dim, x.ndim)
    if not x.ndim:
        return x
    n, step = x.shape[at], 1
    while step < n:
        combined = combine(narrow(x, at, 0, n - step), narrow(x, at, step, n - step))
        x = concat([narrow(x, at, 0, step), combined], at)
        step *= 2
    return x


@wide_inside
def cumprod(x: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """The running product along ``dim``; its derivatives hold at zeros too."""
    return _scan("cumprod", e.multiply, widened(x) if dtype is None else x.to(dtype), dim)


@wide_inside
def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    """log of the running sum of exp(x) along ``dim``, without overflow."""
    return _scan("logcumsumexp", _logaddexp, x, dim)


def _logaddexp(x: Tensor, y: Tensor) -> Tensor:
    """log(exp(x) + exp(y)), with a derivative where both are -inf."""
    neither = e.logical_and(x == float("-inf"), y == float("-inf"))
    return where(neither, x, e.logaddexp(where(neither, 0.0, x), where(neither, 0.0, y)))


def _running(name: str, x: Tensor, dim: int, least: bool) -> ValuesIndices:
    rows, at = with_axis(name, x, dim)
    rows = movedim(rows, at, 0)
    comparable = rows.to(dtypes.uint8) if x.dtype is dtypes.bool_ else rows
    indices = sorting.cumulative_argmax(comparable, least=least)
    return ValuesIndices(*(shaped_like(x, movedim(y, 0, at)) for y in (along_axis(rows, indices, 0), indices)))


def cummax(x: Tensor, dim: int) -> ValuesIndices:
    """The running maximum along ``dim`` and where it stands, the latest of equals. From a NaN on it is NaN."""
    return _running("cummax", x, dim, False)


def cummin(x: Tensor, dim: int) -> ValuesIndices:
    """The running minimum along ``dim`` and where it stands, the latest of equals. From a NaN on it is NaN."""
    return _running("cummin", x, dim, True)


@reads_numbers
def diff(x: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The difference of each element from the one before it; of booleans, whether they differ.

    Args:
        x: the tensor; raises ``ValueError`` on a 0-d one.
        n: how many times differences are taken; raises ``ValueError`` where negative.
        dim: the axis.
        prepend, append: joined before and behind first.
    """
    at = axis_of("diff", dim, x.ndim)
    if n < 0:
        raise ValueError(f"diff: n is at least 0, not {n}")
    if not x.ndim:
        raise ValueError("diff: takes at least 1 axis, not a 0-d tensor")
    parts = [part for part in (prepend, x, append) if part is not None]
    x = concat(parts, at) if len(parts) > 1 else x
    for _ in range(min(n, x.shape[at])):
        m = max(x.shape[at] - 1, 0)
        later, earlier = narrow(x, at, x.shape[at] - m, m), narrow(x, at, 0, m)
        x = logical_xor(later, earlier) if x.dtype is dtypes.bool_ else later - earlier
    return x


def _trapezoids(name: str, y: Tensor, x: Tensor | None, dx: float | None, dim: int) -> tuple[Tensor, int]:
    """The area of each strip between neighbours along ``dim``."""
    at = axis_of(name, dim, y.ndim)
    if x is not None and dx is not None:
        raise ValueError(f"{name}: give the places x or their distance dx, not both")
    if not y.ndim:
        raise ValueError(f"{name}: takes at least 1 axis, not a 0-d tensor")
    m = max(y.shape[at] - 1, 0)
    heights = narrow(y, at, y.shape[at] - m, m) + narrow(y, at, 0, m)
    if x is None:
        return heights * ((1 if dx is None else dx) / 2), at
    if x.ndim == 1:
        if x.shape[0] != y.shape[at]:
            raise ValueError(f"{name}: {x.shape[0]} places for the {y.shape[at]} values along axis {dim}")
        widths = shapes.reshape(diff(x), shape=(m, *(1,) * (y.ndim - 1 - at)))
    else:
        widths = diff(x, dim=at - y.ndim)
    return heights * widths / 2, at


@reads_numbers
@wide_inside
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The integral of ``y`` by the trapezoidal rule.

    Args:
        y: the values.
        x: where they are, a vector or as ``y``.
        dx: their distance, 1 where x is None too; raises ``ValueError`` where both are given.
        dim: the axis.
    """
    return sum(*_trapezoids("trapezoid", y, x, dx, dim))


@reads_numbers
@wide_inside
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1) -> Tensor:
    """The running integral of ``y`` by the trapezoidal rule, one element shorter than ``y``.

    Args:
        y: the values.
        x: where they are, a vector or as ``y``.
        dx: their distance, 1 where x is None too; raises ``ValueError`` where both are given.
        dim: the axis.
    """
    return cumsum(*_trapezoids("cumulative_trapezoid", y, x, dx, dim))


@reads_numbers
def gradient(
    x: Tensor,
    *,
    spacing: float | Sequence[float] | Sequence[Tensor] = 1,
    dim: Dims = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """The slopes of ``x`` along axes, by second-order differences.

    Args:
        x: the values.
        spacing: the distance of neighbours, one for each axis, or the positions themselves as vectors.
        dim: one axis or several; None is all.
        edge_order: 1 or 2, the order of the slope at the edges.

    Returns:
        A tensor in the shape of ``x`` for each axis.

    Raises ``ValueError`` where the spacings do not match the axes, or an axis is too short.
    """
    chosen = axes_of("gradient", x, dim, None)
    axes = range(x.ndim) if dim is None else (chosen,) if isinstance(chosen, int) else chosen
    if chosen is None and dim is not None:
        raise ValueError("gradient: takes at least 1 axis, not a 0-d tensor")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order is 1 or 2, not {edge_order}")
    distances = plain("gradient", "spacing", spacing)
    spacings = [distances] * len(axes) if type(distances) in NUMBERS else list(distances)
    if len(spacings) != len(axes):
        raise ValueError(f"gradient: {len(spacings)} spacings for {len(axes)} axes")
    return tuple(_slope(x, h, axis_of("gradient", axis, x.ndim), edge_order) for h, axis in zip(spacings, axes, strict=True))


def _slope(x: Tensor, spacing: Any, along: int, edge_order: int) -> Tensor:
    y = movedim(x, along, -1)
    n = y.shape[-1]
    if n < edge_order + 1:
        raise ValueError(f"gradient: axis {along} of shape {x.shape} has fewer than {edge_order + 1} elements")
    if type(spacing) in NUMBERS:
        dtype = y.dtype if y.dtype.kind == "float" else dtypes.float32
        widths = full((n - 1,), spacing, dtype=dtype, device=x.backend)
    else:
        widths = diff(spacing)
    slopes = diff(y) / widths
    a, b = widths[:-1], widths[1:]
    inside = (b * slopes[..., :-1] + a * slopes[..., 1:]) / (a + b)
    first, last = slopes[..., :1], slopes[..., -1:]
    if edge_order == 2:
        first = first + (first - slopes[..., 1:2]) * (widths[:1] / (widths[:1] + widths[1:2]))
        last = last + (last - slopes[..., -2:-1]) * (widths[-1:] / (widths[-1:] + widths[-2:-1]))
    return movedim(concat([first, inside, last], -1), -1, along)


publish(globals())
