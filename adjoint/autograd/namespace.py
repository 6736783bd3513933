"""The differentiable namespace: the Array API's functions on Tensors, which makes any code written against it differentiable.

Its primitives entered it as they were declared. Here come the rest: creation, dtypes, constants, and what is composed.
"""

from __future__ import annotations

from typing import Any

from ..backends import dtypes
from . import creation, functions
from .graph import differentiable as xp
from .tensor import Tensor


def _concat(arrays: list[Tensor], *, axis: int = 0) -> Tensor:
    return functions.concat(arrays, axis)


def _like(make: Any) -> Any:
    def made_like(x: Tensor, *args: Any, dtype: Any = None) -> Tensor:
        result: Tensor = make(x.shape, *args, dtype=x.dtype if dtype is None else dtype, device=x.backend)
        return result

    return made_like


def _asarray(data: Any, *, dtype: Any = None, copy: bool | None = None, device: Any = None) -> Tensor:
    if isinstance(data, Tensor):
        converted = data if dtype is None else data.to(dtype)
        return converted.clone() if copy and converted is data else converted
    return creation.tensor(data, dtype=dtype, device=device)


def _astype(x: Tensor, dtype: Any) -> Tensor:
    return x.to(dtype)


def complete() -> None:
    for dtype in dtypes.ALL:
        setattr(xp, dtype.name, dtype)
    xp.pi, xp.e, xp.inf, xp.nan, xp.newaxis = 3.141592653589793, 2.718281828459045, float("inf"), float("nan"), None
    xp.concat, xp.asarray, xp.astype = _concat, _asarray, _astype
    xp.prod, xp.linalg = functions.prod, functions.linalg
    xp.matmul = functions.matmul  # with vectors too, which the primitive leaves to it
    xp.zeros, xp.ones, xp.full, xp.empty = creation.zeros, creation.ones, creation.full, creation.empty
    xp.arange, xp.linspace, xp.eye = creation.arange, creation.linspace, creation.eye
    xp.zeros_like, xp.ones_like, xp.full_like = _like(creation.zeros), _like(creation.ones), _like(creation.full)
    xp.empty_like = _like(creation.empty)


complete()
