"""Views: tensors that share the memory of another, their base, and follow the graph of what is written to it.

A write in place through a view changes the base, so it becomes part of the base's graph: the base's new node says that one
region of it now holds the written values. Every view of that base takes its place in the graph again, by the steps that led
from the base to it, the next time it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import GraphError
from .graph import Node
from .modes import enable_grad

if TYPE_CHECKING:
    from .primitive import Primitive
    from .tensor import Tensor

Steps = tuple[tuple["Primitive", dict[str, Any]], ...]  #: primitives, each with its parameters, one after another


class View:
    """How a tensor came to share the memory of ``base``: by :attr:`steps` from its ``array``, when the base's node was ``seen``."""

    __slots__ = ("_path", "array", "base", "seen")

    def __init__(self, source: Tensor, primitive: Primitive, params: dict[str, Any]) -> None:
        before = source._view
        self.base: Tensor = source if before is None else before.base
        self._path: Any = None if before is None else before._path, (primitive, params)  # the path before, and the last step
        self.array, self.seen = self.base._array, self.base._node

    @property
    def steps(self) -> Steps:
        """The primitives, each with its parameters, that lead from the base to the view."""
        found, path = [], self._path
        while path is not None:
            path, step = path
            found.append(step)
        return tuple(reversed(found))

    def follow(self, tensor: Tensor) -> None:
        """Give ``tensor``, which this is the view of, its place in the graph again if the base's has changed."""
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
        """The base's node after ``result``, which is recorded or whose base is, was written to where the view looks."""
        from .rules.shapes import write_through

        base, mask = self.base, self.base._requires_grad + 2 * result._requires_grad
        params = {"steps": self.steps, "backend": base.backend}
        return write_through.node(mask, (base, result), (base._array, result._array), params, base.backend, base._array)
