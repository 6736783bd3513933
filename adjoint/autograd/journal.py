"""``Journal``: the state before the in-place writes and assignments of a stretch of code, so that the code can be run again."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..backends import Array, Backend
from .modes import state
from .versions import writes

if TYPE_CHECKING:
    from .tensor import Tensor

_MISSING = object()
_OF_TENSORS = ("_array", "backend", "_node", "_requires_grad", "_view", "_was")


class Journal:
    """Notes, in a ``with`` block of this thread, the former state of what is written to or assigned, the first time.

    That is the memory of tensors, their place in the graph, and the attributes of modules. What is freed is forgotten, so that
    only what outlives the block takes memory.
    """

    def __init__(self) -> None:
        self._former: dict[Any, Callable[[], Callable[[], None]]] = {}  # sets the former state, gives what sets the present one

    def __enter__(self) -> Journal:
        state.journals = (*state.journals, self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        state.journals = state.journals[:-1]

    @contextmanager
    def former_state(self) -> Iterator[None]:
        """Everything as it was before the block, and then again as it is now."""
        present: list[Callable[[], None]] = []
        try:
            for former in list(self._former.values())[::-1]:
                present.append(former())
            yield
        finally:
            for restore in present[::-1]:
                restore()

    def has(self, backend: Backend, array: Array) -> bool:
        """Whether the array's memory was written to, so that its former values are known."""
        return _key(backend, array) in self._former

    def writing(self, backend: Backend, array: Array) -> None:
        """The array's memory is about to be written to."""
        key = _key(backend, array)
        if key in self._former:
            return
        xp = backend.xp
        reference: Callable[[], Any] = lambda: array  # noqa: E731
        if type(key) is int:
            array = backend.owner(array)
            reference = weakref.ref(array, self._forgetting(key))
        values = xp.asarray(array, copy=True)

        def former() -> Callable[[], None]:
            target = reference()
            if target is None:
                return _nothing
            now, forget = xp.asarray(target, copy=True), writes.snapshot(backend, target)
            xp.setitem(target, values, ...)

            def restore() -> None:
                xp.setitem(target, now, ...)
                forget()

            return restore

        self._former[key] = former

    def moving(self, tensor: Tensor) -> None:
        """The tensor is about to be given another place in the graph, or another array."""
        key = ("tensor", id(tensor))
        if key in self._former:
            return
        reference, values = weakref.ref(tensor, self._forgetting(key)), _of(tensor)

        def former() -> Callable[[], None]:
            target = reference()
            if target is None:
                return _nothing
            now = _of(target)
            _set(target, values)
            return lambda: _set(target, now)

        self._former[key] = former

    def assigning(self, holder: Any, name: str) -> None:
        """The attribute ``name`` of ``holder`` is about to be assigned or deleted."""
        key = ("attribute", id(holder), name)
        if key in self._former:
            return
        value = vars(holder).get(name, _MISSING)

        def former() -> Callable[[], None]:
            now = vars(holder).get(name, _MISSING)
            _assign(holder, name, value)
            return lambda: _assign(holder, name, now)

        self._former[key] = former

    def _forgetting(self, key: Any) -> Callable[[Any], None]:
        of = weakref.ref(self)  # no cycle

        def forget(_: Any) -> None:
            journal = of()
            if journal is not None:
                journal._former.pop(key, None)

        return forget


def _key(backend: Backend, array: Array) -> Any:
    """A key for the memory of an array: the identity of its owner, with the extent where the owner is no array of the backend."""
    owner = backend.owner(array)
    if isinstance(array, backend.array_types) and isinstance(owner, backend.array_types):
        return id(owner)
    return id(owner), backend.extent(array)


def _of(tensor: Tensor) -> dict[str, Any]:
    return {name: getattr(tensor, name) for name in _OF_TENSORS}


def _set(tensor: Tensor, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if getattr(tensor, name) is not value:
            setattr(tensor, name, value)


def _assign(holder: Any, name: str, value: Any) -> None:
    if value is not _MISSING:
        object.__setattr__(holder, name, value)
    elif name in vars(holder):
        object.__delattr__(holder, name)


def _nothing() -> None:
    """Restore nothing: the tensor or array was freed."""
