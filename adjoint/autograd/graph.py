"""The graph: what each operation leaves behind, and the walk that pulls cotangents back through it.

A :class:`Node` stands for one executed operation. It knows its primitive, an edge to each input that needs a gradient (the
node that made it, or the leaf tensor itself), and the arrays that the primitive's rules name. It never knows its own output
tensor, so there are no reference cycles and a graph dies with its last tensor.

Nodes and in-place writes take their number from one clock: creation order is a topological order, and an array written to
after a node was made can be told by comparing two numbers.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..backends import Array, Backend
from ..errors import GraphError
from .modes import enable_grad, state, user_line

if TYPE_CHECKING:
    from .primitive import Primitive
    from .tensor import Tensor

Edge = Any  #: a Node, or a leaf Tensor
_clock = itertools.count(1)


class Node:
    """One recorded operation. ``shape`` and ``dtype`` are its output's, which its cotangent must have too."""

    __slots__ = (
        "arrays", "backend", "dtype", "edges", "hooks", "line", "out", "params", "primitive", "retained_by", "shape", "shapes",
        "time",
    )  # fmt: skip

    def __init__(
        self,
        primitive: Primitive,
        edges: tuple[Edge | None, ...],
        arrays: tuple[Any, ...] | None,
        shapes: tuple[tuple[int, ...], ...] | None,
        params: dict[str, Any],
        backend: Backend,
        out: Array,
    ) -> None:
        self.primitive, self.edges, self.params, self.backend = primitive, edges, params, backend
        self.arrays, self.shapes = arrays, shapes
        self.out: Array | None = None
        self.shape, self.dtype = out.shape, out.dtype
        self.hooks: list[Callable[[Tensor], Tensor | None]] | None = None
        self.retained_by: weakref.ref[Tensor] | None = None  # the tensor whose grad this node's cotangent is to fill
        self.time = next(_clock)
        self.line = user_line() if state.anomaly else None

    def __repr__(self) -> str:
        return f"<{self.primitive.name}>"


# --- in-place writes ---------------------------------------------------------------------------------------------------------


#: So many stretches of one piece of memory are told apart.
MOST_RANGES = 256


class _Writes:
    """The last in-place write to each stretch of memory: when, by what operation and on what line of the user's.

    A write that the graph recorded also names the tensor whose node it became, and when: that tensor's gradient knows of the
    write, as do those of tensors made since, and no older one over the same memory does.
    """

    def __init__(self) -> None:
        self.latest = 0
        self.recorded: dict[int, tuple[weakref.ref[Tensor], int, str, str]] = {}
        self.constants: dict[int, weakref.ref[Tensor]] = {}  # detached from recorded memory: no gradient is expected of them
        self._last: dict[int, dict[tuple[int, int], tuple[int, str, str]]] = {}  # by owner, then by the bytes written to
        self._owners: dict[int, weakref.ref[Any]] = {}

    def note(self, backend: Backend, array: Array, operation: str, tensor: Tensor | None = None) -> None:
        """A write by ``operation`` to the array's memory; recorded as the node of ``tensor`` where one is given."""
        owner = backend.owner(array)
        key = id(owner)
        if key not in self._owners:
            self._owners[key] = weakref.ref(owner, lambda _: self._forget(key))
        self.latest, line = next(_clock), user_line()
        ranges = self._last.setdefault(key, {})
        low, high = backend.extent(array)
        if len(ranges) >= MOST_RANGES:  # one that covers all: it may refuse a graph that it need not, and never misses one
            low, high = min(low, *(first for first, _ in ranges)), max(high, *(last for _, last in ranges))
            ranges.clear()
        ranges[low, high] = (self.latest, operation, line)
        if tensor is not None and tensor._node is not None:
            self.recorded[key] = (weakref.ref(tensor), tensor._node.time, operation, line)

    def set_apart(self, backend: Backend, tensor: Tensor) -> None:
        """Where the memory of ``tensor`` has been written to under a gradient: it may be used all the same, as a constant."""
        if self.recorded and id(backend.owner(tensor._array)) in self.recorded:
            key = id(tensor)
            self.constants[key] = weakref.ref(tensor, lambda _: self.constants.pop(key, None))

    def _forget(self, key: int) -> None:
        for held in (self._owners, self._last, self.recorded):
            held.pop(key, None)

    def since(self, backend: Backend, array: Array, time: int) -> tuple[str, str] | None:
        """The operation and line that wrote to the array's memory after ``time``, if one did."""
        found = self._last.get(id(backend.owner(array)))
        if found is None:
            return None
        low, high = backend.extent(array)
        for (first, last), (written, operation, line) in found.items():
            if written > time and first < high and low < last:
                return operation, line
        return None


writes = _Writes()


def check_not_stale(name: str, inputs: Iterable[Any]) -> None:
    """Raise :class:`GraphError` where an input shares memory with a tensor that a recorded write went through since."""
    for x in inputs:
        if not hasattr(x, "_node"):
            continue
        write = writes.recorded.get(id(x.backend.owner(x._array)))
        if write is None or write[0]() is x or id(x) in writes.constants or (x._node is not None and x._node.time >= write[1]):
            continue
        raise GraphError(
            f"{name}: an input shares its memory with a tensor that '{write[2]}' changed in place at {write[3]}, under a "
            "gradient that this input does not have; take the view again after the change, or use .clone() before it"
        )


def _in(params: Any) -> Iterator[Any]:
    """Whatever is in nested tuples: an index may hold arrays."""
    for param in params:
        if isinstance(param, tuple):
            yield from _in(param)
        else:
            yield param


def check_unchanged(node: Node) -> None:
    """Raise :class:`GraphError` where a value the node's rules read was written to since it was recorded."""
    for array in (*(node.arrays or ()), node.out, *_in(tuple(node.params.values()))):
        if hasattr(array, "dtype") and (write := writes.since(node.backend, array, node.time)):
            raise GraphError(
                f"backward: a value that the derivative of '{node.primitive.name}' reads was changed in place by "
                f"'{write[0]}' at {write[1]}; use the operation that returns a new tensor, or .clone() first"
            )


# --- the walk ----------------------------------------------------------------------------------------------------------------


def reachable(roots: Iterable[Edge]) -> list[Node]:
    """Every node behind ``roots``, latest first: each comes before all it was computed from."""
    found: dict[Node, None] = {}
    stack = [root for root in roots if isinstance(root, Node)]
    while stack:
        node = stack.pop()
        if node not in found:
            found[node] = None
            stack.extend([edge for edge in node.edges if isinstance(edge, Node)])
    return sorted(found, key=lambda node: node.time, reverse=True)


def on_the_way(order: list[Node], targets: set[Edge]) -> set[Edge]:
    """``targets`` and the nodes of ``order`` that have one of them behind them."""
    wanted = set(targets)
    for node in reversed(order):
        if any(edge in wanted for edge in node.edges if edge is not None):
            wanted.add(node)
    return wanted


def pull_back(
    roots: list[tuple[Edge, Any]],
    targets: list[Edge] | None = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[Edge, Any]:
    """Cotangents of ``targets`` (of every leaf where None), given those of ``roots`` as pairs of edge and cotangent.

    Cotangents are arrays; with ``create_graph`` they are Tensors and the walk itself is recorded. Each node is visited once,
    after all that was computed from it; what its rules saved is let go of on the way unless ``retain_graph``.
    """
    if not roots:
        return {}
    order = reachable(edge for edge, _ in roots)
    aims = None if targets is None else set(targets)
    wanted = None if aims is None else on_the_way(order, aims)
    held: dict[Edge, Any] = {}
    result: dict[Edge, Any] = {}
    for edge, cotangent in roots:
        held[edge] = held[edge] + cotangent if edge in held else cotangent
    with roots[0][0].backend.quiet():
        for node in order:
            g = held.pop(node, None)
            if g is None or (wanted is not None and node not in wanted):
                continue
            if node.hooks:
                g = run_hooks(node.hooks, g, node.backend, create_graph)
            if node.retained_by is not None and (tensor := node.retained_by()) is not None:
                tensor._retain(g, create_graph)
            if aims is not None and node in aims:
                result[node] = g
            if create_graph:
                with enable_grad():
                    _gather(held, node, node.primitive.pull(node, g, wanted, True))
            else:
                _gather(held, node, node.primitive.pull(node, g, wanted, False))
            if not retain_graph:
                release(node)
    for edge, g in held.items():
        if not isinstance(edge, Node) and (wanted is None or edge in wanted):
            result[edge] = run_hooks(edge._hooks, g, edge.backend, create_graph) if edge._hooks else g
    return result


def _gather(held: dict[Edge, Any], node: Node, pulled: list[tuple[int, Any]]) -> None:
    for i, cotangent in pulled:
        edge = node.edges[i]
        held[edge] = held[edge] + cotangent if edge in held else cotangent


def release(node: Node) -> None:
    """Let go of what the node's rules saved. Rules that need none of it still work."""
    if node.arrays is not None or node.out is not None:
        node.arrays = RELEASED
        node.out = None


RELEASED: tuple[Any, ...] = ("released",)


def check_not_released(node: Node) -> None:
    if node.arrays is RELEASED:
        raise GraphError(
            f"backward: the values saved for the derivative of '{node.primitive.name}' were freed by an earlier backward; "
            "pass retain_graph=True to the first one to go through the graph again"
        )


def run_hooks(hooks: list[Callable[[Any], Any]], g: Any, backend: Backend, create_graph: bool) -> Any:
    """The cotangent after each hook has seen it, and replaced it where it returned one."""
    from .tensor import Tensor

    tensor = g if create_graph else Tensor(g, backend)
    for hook in list(hooks):
        replacement = hook(tensor)
        if replacement is None:
            continue
        if replacement.shape != tensor.shape or replacement.dtype is not tensor.dtype:
            raise ValueError(
                f"backward: a hook returned a gradient of shape {replacement.shape}, {replacement.dtype}, for one of "
                f"{tensor.shape}, {tensor.dtype}"
            )
        tensor = replacement
    return tensor if create_graph else tensor._array
