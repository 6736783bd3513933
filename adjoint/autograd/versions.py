"""Version tracking: which memory was written to in place, when and where, and how views follow a recorded write to their base.

Nodes and writes take their time from one clock. A derivative rule that would read a value written to after its node was recorded
raises :class:`~adjoint.errors.GraphError`.

A view is a tensor that shares the memory of another, its base. A recorded write through a view becomes part of the base's graph:
the base's new node says that one region now holds the written values. Every view of that base is recorded again, by the steps
that lead from the base to it, the next time it is used.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from ..backends import Array, Backend
from ..errors import GraphError
from .modes import enable_grad, user_line

if TYPE_CHECKING:
    from .graph import Node
    from .primitive import Primitive
    from .tensor import Tensor

Span = tuple[int, int]  #: the first address and the one after the last
Write = tuple[int, str, str]  #: its time, the operation and the user's line
Steps = tuple[tuple["Primitive", dict[str, Any]], ...]  #: primitives, each with its parameters, one after another

tick = itertools.count(1).__next__

#: Maximum number of byte ranges tracked per buffer.
MAX_RANGES = 256


# --- writes ------------------------------------------------------------------------------------------------------------------


class WriteLog:
    """The last in-place write to each range of each buffer.

    A recorded write also names its tensor and that tensor's new node's time. That tensor and tensors recorded later take the write
    into account in their gradients; older tensors over the same memory do not.

    Attributes:
        latest: the time of the last write to any memory.
        recorded: by the identity of the buffer, the last recorded write: the tensor, its node's time, the operation and line.
        exempted: tensors that share recorded memory and may be used unchanged, by identity.
    """

    def __init__(self) -> None:
        self.latest = 0
        self.recorded: dict[int, tuple[weakref.ref[Tensor], int, str, str]] = {}
        self.exempted: dict[int, weakref.ref[Tensor]] = {}
        self._last: dict[int, dict[Span, Write]] = {}  # by the identity of the buffer
        self._owners: dict[int, weakref.ref[Any]] = {}

    def note(self, backend: Backend, array: Array, operation: str, tensor: Tensor | None = None) -> None:
        """Log a write by ``operation`` to the array's memory; a recorded one where ``tensor`` has become its result."""
        ranges = self._ranges(backend, array)
        self.latest, line = tick(), user_line()
        low, high = backend.extent(array)
        if len(ranges) >= MAX_RANGES:  # merge them into one, which may refuse a valid graph and never accepts an invalid one
            low, high = min(low, *(first for first, _ in ranges)), max(high, *(last for _, last in ranges))
            ranges.clear()
        ranges[low, high] = (self.latest, operation, line)
        if tensor is not None and tensor._node is not None:
            self.recorded[id(backend.owner(array))] = (weakref.ref(tensor), tensor._node.time, operation, line)

    def stamp(self, backend: Backend, written: list[tuple[Array, Span]], operation: str) -> Callable[[], None]:
        """A fast function that logs the same write again each time it is called.

        Args:
            backend: the arrays' backend.
            written: arrays, each with the range of addresses that is written to.
            operation: the operation's name.
        """
        line = user_line()
        merged: dict[int, tuple[int, int, Array]] = {}
        for array, (low, high) in written:
            before = merged.get(key := id(backend.owner(array)), (low, high, array))
            merged[key] = (min(low, before[0]), max(high, before[1]), array)
        targets = [(self._ranges(backend, array), (low, high)) for low, high, array in merged.values()]

        def again() -> None:
            self.latest = time = tick()
            for ranges, span in targets:
                ranges[span] = (time, operation, line)

        return again

    def _ranges(self, backend: Backend, array: Array) -> dict[Span, Write]:
        """The ranges of the array's buffer that were written to."""
        owner = backend.owner(array)
        key = id(owner)
        if key not in self._owners:
            self._owners[key] = weakref.ref(owner, lambda _: self._drop(key))
        return self._last.setdefault(key, {})

    def _drop(self, key: int) -> None:
        for table in (self._owners, self._last, self.recorded):
            table.pop(key, None)

    def snapshot(self, backend: Backend, array: Array) -> Callable[[], None]:
        """A function that restores what is logged now about the array's buffer."""
        ranges, key = self._ranges(backend, array), id(backend.owner(array))
        before, recorded = dict(ranges), self.recorded.get(key)

        def restore() -> None:
            ranges.clear()
            ranges.update(before)
            self.recorded.pop(key, None)
            if recorded is not None:
                self.recorded[key] = recorded

        return restore

    def forget_since(self, backend: Backend, saved: tuple[Any, ...], time: int) -> None:
        """Delete writes after ``time`` to the memory of saved arrays."""
        for array in arrays_in(saved):
            ranges = self._last.get(id(backend.owner(array)), {})
            for span in [span for span, write in ranges.items() if write[0] > time]:
                del ranges[span]

    def exempt(self, backend: Backend, tensor: Tensor) -> None:
        """Let ``tensor`` be used although a recorded write went to its memory."""
        if self.recorded and id(backend.owner(tensor._array)) in self.recorded:
            key = id(tensor)
            self.exempted[key] = weakref.ref(tensor, lambda _: self.exempted.pop(key, None))

    def forget(self, backend: Backend, array: Array) -> None:
        """Let every tensor over the array's memory be used although a recorded write went to it."""
        self.recorded.pop(id(backend.owner(array)), None)

    def since(self, backend: Backend, array: Array, time: int) -> tuple[str, str] | None:
        """The operation and line of a write to the array's memory after ``time``, or None."""
        ranges = self._last.get(id(backend.owner(array)))
        if ranges is None:
            return None
        low, high = backend.extent(array)
        for (first, last), (written, operation, line) in ranges.items():
            if written > time and first < high and low < last:
                return operation, line
        return None


writes = WriteLog()


def arrays_in(saved: Iterable[Any]) -> Iterator[Any]:
    """The arrays in nested tuples; an index may contain some."""
    for part in saved:
        if isinstance(part, tuple):
            yield from arrays_in(part)
        elif hasattr(part, "dtype"):
            yield part


def check_unchanged(node: Node) -> None:
    """Raise :class:`GraphError` if a value that the node's rules read was written to after the node was recorded."""
    for array in arrays_in(node.saved):
        if write := writes.since(node.backend, array, node.time):
            raise GraphError(
                f"backward: a value that the derivative of '{node.name}' reads was changed in place by "
                f"'{write[0]}' at {write[1]}; use the operation that returns a new tensor, or .clone() first"
            )


# --- views -------------------------------------------------------------------------------------------------------------------


class View:
    """How a tensor came to share the memory of its base.

    Attributes:
        base: the tensor whose memory it is.
        array: the base's array when the view was taken.
        seen: the base's node when the view was last recorded.
        write_through: the primitive that records a write through a view; ``rules/shapes.py`` sets it.
    """

    __slots__ = ("_path", "array", "base", "seen")

    write_through: ClassVar[Any]

    def __init__(self, source: Tensor, primitive: Primitive, params: dict[str, Any]) -> None:
        before = source._view
        self.base: Tensor = source if before is None else before.base
        self._path: Any = None if before is None else before._path, (primitive, params)  # the path before, and the last step
        self.array, self.seen = self.base._array, self.base._node

    @property
    def steps(self) -> Steps:
        """The primitives, each with its parameters, that lead from the base to the view."""
        steps, path = [], self._path
        while path is not None:
            path, step = path
            steps.append(step)
        return tuple(reversed(steps))

    def follow(self, tensor: Tensor) -> None:
        """Record ``tensor``, whose view this is, again if the base's node has changed."""
        if self.array is not self.base._array and self.base._was is not None:
            self.base = self.base._was  # what it was before its shape changed
        if self.seen is self.base._node:
            return
        if self.array is not self.base._array:
            raise GraphError("a view's base was given other memory since the view was taken; take the view again")
        self.seen = self.base._node
        with enable_grad():
            taken = self.base
            for step, params in self.steps:
                taken = step(taken, **params)
        tensor._node, tensor._requires_grad = taken._node, taken._requires_grad

    def written(self, result: Tensor) -> Node:
        """The base's new node after ``result`` was written to the region of the view; one of the two requires a gradient."""
        base, mask = self.base, self.base._requires_grad + 2 * result._requires_grad
        params = {"steps": self.steps, "backend": base.backend}
        node: Node = View.write_through.node(mask, (base, result), (base._array, result._array), params, base.backend, base._array)
        return node


def sync_views(name: str, inputs: Iterable[Any]) -> None:
    """Have views among ``inputs`` follow recorded writes to their bases.

    Raise :class:`GraphError` for an input that shares memory with a recorded write's tensor and is no view of it.
    """
    for x in inputs:
        if not hasattr(x, "_node"):
            continue
        if x._view is not None:
            x._view.follow(x)
        write = writes.recorded.get(id(x.backend.owner(x._array)))
        if write is None or write[0]() is x or id(x) in writes.exempted or (x._node is not None and x._node.time >= write[1]):
            continue
        raise GraphError(
            f"{name}: an input shares its memory with a tensor that '{write[2]}' changed in place at {write[3]}, under a "
            "gradient that this input does not have; take the view again after the change, or use .clone() before it"
        )
