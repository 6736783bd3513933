"""What is asked of a tensor, or of dtypes, before anything is computed."""

from __future__ import annotations

from typing import Any

from ..backends import DType, as_dtype, dtypes
from .tensor import Tensor


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(x: Tensor) -> bool:
    """Whether the elements are floating-point numbers, so that a gradient by them can be had."""
    return x.dtype.is_floating_point


def numel(x: Tensor) -> int:
    """How many elements ``x`` has."""
    return x.numel()


def promote_types(type1: Any, type2: Any) -> DType:
    """The smallest dtype that holds both, any float outranking any integer.

    >>> promote_types("int64", "float16")
    adjoint.float16
    """
    return dtypes.promote(as_dtype(type1), as_dtype(type2))
