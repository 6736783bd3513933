"""Moving between backends: the one primitive whose output is not on its input's device."""

from __future__ import annotations

from typing import Any

from ...backends import Array, Backend
from ..primitive import primitive


@primitive(moves=True)
def transfer(xp: Any, x: Array, *, source: Backend, target: Backend) -> Array:
    """``x``, which is on ``source``, as an array of ``target``."""
    return target.asarray(source.to_numpy(x))


def _back(xp: Any, g: Any, source: Backend, target: Backend) -> Any:
    if hasattr(g, "backend"):  # a Tensor: the move back is recorded
        return transfer(g, source=target, target=source)
    return source.asarray(target.to_numpy(g))


transfer.vjp(x=_back)


def move(x: Any, target: Backend) -> Any:
    """The tensor ``x`` on ``target``."""
    return transfer(x, source=x.backend, target=target)
