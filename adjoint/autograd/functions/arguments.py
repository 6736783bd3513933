"""How PyTorch's functions read their arguments: ``dim`` or ``axis``, sizes, tensors, and what they refuse."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...backends import DType, as_dtype, dtypes
from ..graph import widely
from ..primitive import as_input
from ..rules import reductions

if TYPE_CHECKING:
    from ..tensor import Tensor

Number = bool | int | float
Dims = int | Sequence[int] | None
NUMBERS = (int, float, bool)


def axes_of(dim: Dims, axis: Dims) -> Any:
    """The one of PyTorch's and NumPy's arguments that was given, as an int, a tuple or None."""
    chosen = dim if axis is None else axis
    return chosen if chosen is None or isinstance(chosen, int) else tuple(chosen)


def reduced_of(dim: Dims, axis: Dims) -> Any:
    """:func:`axes_of` to reduce over: no ``dim`` is all of them, as PyTorch has it, and no ``axis`` none, as NumPy does."""
    chosen = axes_of(dim, axis)
    return None if axis is None and chosen == () else chosen


def tensor_of(name: str, x: Any) -> Tensor:
    """``x`` as a tensor. Raises ``TypeError`` on a Python number, which has no shape to work on."""
    x = as_input(name, x)
    if type(x) in NUMBERS:
        raise TypeError(f"{name}: takes tensors, not the number {x}; ad.tensor({x}) makes one")
    return x


def floating(name: str, x: Tensor) -> Tensor:
    if x.dtype.kind != "float":
        raise TypeError(f"{name}: takes floating-point tensors, not {x.dtype}; convert with .float() first")
    return x


def result_type(*arrays_and_dtypes: Any) -> DType:
    """The dtype that these tensors, dtypes and Python numbers promote to: dimensioned over 0-d over numbers, by category.

    >>> import adjoint as ad
    >>> ad.result_type(ad.ones(2, dtype="float16"), ad.float64.name, 1.5)
    adjoint.float64
    """
    dims: list[DType] = []
    zeros: list[DType] = []
    numbers: list[DType] = []
    for part in arrays_and_dtypes:
        if type(part) in NUMBERS:
            numbers.append(dtypes.of_number(part))
        else:
            (zeros if getattr(part, "shape", None) == () else dims).append(as_dtype(getattr(part, "dtype", part)))
    common = dtypes.common(dims, zeros, numbers)
    if common is None:
        raise ValueError("result_type: give at least one tensor, dtype or number")
    return common


def in_floats(name: str, *inputs: Any) -> Any:
    """The inputs in the floating-point dtype they promote to; Python numbers as they are."""
    inputs = tuple(as_input(name, x) for x in inputs)
    common = result_type(*inputs)
    dtype = common if common.kind == "float" else dtypes.float32
    return tuple(x if type(x) in NUMBERS else x.to(dtype) for x in inputs)


def wide_inside(function: Any) -> Any:
    """``function`` of tensors, computed in float32 where the first is float16, whose squares and sums soon leave its range."""

    @functools.wraps(function)
    def computed(x: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = kwargs.get("dtype")
        if (getattr(x, "dtype", None) if dtype is None else as_dtype(dtype)) is not dtypes.float16:
            return function(x, *args, **kwargs)
        if dtype is not None:
            x = x.to(kwargs.pop("dtype"))
        return widely(function, (x, *args), kwargs)

    return computed


def widened(x: Tensor) -> Tensor:
    """Integers and booleans in int64, the dtype that sums and products of them have."""
    return x if x.dtype.kind == "float" else x.to(dtypes.int64)


def nonempty(name: str, x: Tensor, axis: Any) -> None:
    if reductions.count(x.shape, axis) == 0:
        raise ValueError(f"{name}: there is no element to choose from in shape {x.shape} along axis {axis}")


def axis_of(name: str, dim: int, ndim: int) -> int:
    """``dim`` counted from 0. Raises ``IndexError`` where there is no such axis."""
    if not -ndim <= dim < ndim:
        raise IndexError(f"{name}: there is no axis {dim} in {ndim} axes")
    return dim % ndim


def sizes_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes that were given as numbers, or as one tuple of them."""
    return tuple(size[0]) if len(size) == 1 and not hasattr(size[0], "__index__") else size


def index_at(axis: int, part: Any) -> tuple[Any, ...]:
    """The index that is ``part`` along ``axis`` and everything along the axes around it."""
    return (*(slice(None),) * axis, part)
