"""Backends: the array libraries that compute, and the registry that finds one by name.

``get("numpy")`` (also ``"cpu"``), ``get("cupy")`` (also ``"cuda"``, ``"cuda:1"``), ``get("strict")``, or the name of one that
another package registers by the entry point ``adjoint.backends``. A backend's library is imported when it is first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Any

from ..errors import BackendError
from .base import Array, Backend, Index, RandomState
from .dtypes import DType, as_dtype
from .numpy import parse, seed_global
from .standard import Namespace
from .text import to_text

__all__ = [
    "Array", "Backend", "DType", "Index", "Namespace", "RandomState",
    "as_dtype", "default", "device_count", "get", "names", "of_array", "parse", "seed_global", "to_text", "use_backend",
]  # fmt: skip

_BUILT_IN = {"numpy": ".numpy", "cupy": ".cupy.backend", "strict": ".strict"}
_SYNONYMS = {"cpu": "numpy", "cuda": "cupy", "gpu": "cupy"}
_created: dict[str, Backend] = {}
_by_array_type: dict[type, Backend] = {}
_default: Backend | None = None


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group="adjoint.backends")}


def names() -> list[str]:
    """The names that :func:`get` knows, installed or not: the built-in ones and those other packages register."""
    return [*_BUILT_IN, *(name for name in _entry_points() if name not in _BUILT_IN)]


def _factory(name: str) -> Callable[[int | None], Backend]:
    if name in _BUILT_IN:
        factory: Callable[[int | None], Backend] = import_module(_BUILT_IN[name], __package__).create
        return factory
    point = _entry_points().get(name)
    if point is None:
        choices = ", ".join([*names(), *_SYNONYMS])
        raise BackendError(f"unknown backend or device '{name}': use one of {choices}, with a device number as in 'cuda:0'")
    return point.load()


def get(device: str | Backend | Any) -> Backend:
    """The backend called ``device``: a name, a device such as ``"cuda:0"``, or a backend itself.

    Raises :class:`BackendError` if the name is unknown, the library is not installed, or there is no such device, and ``TypeError``
    on anything else.

    >>> get("cpu") is get("numpy")
    True
    """
    if not isinstance(device, str):
        if hasattr(device, "xp"):
            backend: Backend = device
            return backend
        raise TypeError(f"a backend or device is a name such as 'numpy' or 'cuda:0', not {type(device).__name__}")
    existing = _created.get(device)
    if existing is not None:
        return existing
    name, _, number = device.partition(":")
    if number and not number.isdigit():
        raise BackendError(f"unknown device '{device}': a device number follows the colon, as in 'cuda:0'")
    created = _factory(_SYNONYMS.get(name, name))(int(number) if number else None)
    backend = _created.setdefault(created.device, created)
    _created[device] = backend
    for array_type in backend.array_types:
        _by_array_type.setdefault(array_type, backend)
    return backend


def of_array(array: Any) -> Backend | None:
    """The backend whose array ``array`` is, or None where it is no backend's (a list, a number, a string)."""
    for array_type in type(array).__mro__:
        if (backend := _by_array_type.get(array_type)) is not None:
            return backend
    return None


def default() -> Backend:
    """The backend of new tensors: as set by ``use_backend``, else by the variable ``ADJOINT_BACKEND``, else NumPy."""
    global _default
    if _default is None:
        _default = get(os.environ.get("ADJOINT_BACKEND") or "numpy")
    return _default


class use_backend:
    """Make new tensors on this backend: for good when called, or inside a ``with`` block.

    >>> with use_backend("numpy") as backend:
    ...     backend.device
    'cpu'
    """

    def __init__(self, device: str | Backend) -> None:
        global _default
        self._before = _default
        self.backend = _default = get(device)

    def __enter__(self) -> Backend:
        return self.backend

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        global _default
        _default = self._before


def device_count(name: str) -> int:
    """How many devices the backend ``name`` finds here; 0 where it is not installed."""
    try:
        backend = get(name)
    except BackendError:
        return 0
    return backend.device_count()


get("numpy")
