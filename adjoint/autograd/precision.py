"""float16 is computed in float32: its range and precision are soon exhausted by sums, squares and counts.

Kernels and rules widen what they sum by :func:`wide`. Whole operations on tensors, and so their derivatives, are widened by
:func:`call_wide`: primitives declared with ``wide=True``, and composed functions decorated with :func:`wide_inside`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..backends import as_dtype
from ..backends.dtypes import float16, float32, float64


def wide(xp: Any, x: Any) -> Any:
    """``x``, of the namespace ``xp``, in float32 if it is float16, else unchanged."""
    return xp.astype(x, xp.float32) if x.dtype == getattr(xp, "float16", None) else x


def call_wide(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``function(*args, **kwargs)`` with float16 tensors in float32, and float32 results in float16.

    Results stay in float32 if a float32 or float64 tensor with axes was among the arguments.
    """
    tensors = [x for x in (*args, *kwargs.values()) if hasattr(x, "_node")]
    mixed = any(x.dtype in (float32, float64) and x.ndim for x in tensors)

    def widened(x: Any) -> Any:
        return x.to(float32) if hasattr(x, "_node") and x.dtype is float16 else x

    def narrowed(x: Any) -> Any:
        return x.to(float16) if not mixed and hasattr(x, "_node") and x.dtype is float32 else x

    out = function(*map(widened, args), **{name: widened(x) for name, x in kwargs.items()})
    if not isinstance(out, tuple):
        return narrowed(out)
    return type(out)(*map(narrowed, out)) if hasattr(out, "_fields") else tuple(map(narrowed, out))


def wide_inside(function: Any) -> Any:
    """``function`` of tensors, by :func:`call_wide` if the first one, or the parameter ``dtype`` if given, is float16."""

    @functools.wraps(function)
    def computed(x: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = kwargs.get("dtype")
        if (getattr(x, "dtype", None) if dtype is None else as_dtype(dtype)) is not float16:
            return function(x, *args, **kwargs)
        if dtype is not None:
            x = x.to(kwargs.pop("dtype"))
        return call_wide(function, (x, *args), kwargs)

    return computed
