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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from ..backends import Array, Backend, Namespace
from ..errors import GraphError
from .modes import enable_grad, process, user_line

if TYPE_CHECKING:
    from .tensor import Tensor

Edge = Any  #: a Node, or a leaf Tensor

#: The differentiable namespace: each primitive under its own name, to be handed to kernels and rules as their ``xp``, so that
#: what they compute on Tensors is recorded in its turn. ``primitive.py`` fills it, and ``namespace.py`` completes it.
differentiable = Namespace()

tick = itertools.count(1).__next__
_new = object.__new__


class Node:
    """One recorded operation. ``shape`` and ``dtype`` are its output's, which its cotangent must have too.

    Attributes:
        plan: how to pull a cotangent back, from what ``saved`` holds.
        saved: a tuple of what the rules read; or what stands for it and can ``restore(node)`` it, or says why it can not.
        edges: to each input that needs a gradient, in order.
        aside: what only some nodes have, see :class:`Aside`.
    """

    __slots__ = ("__weakref__", "aside", "backend", "dtype", "edges", "plan", "saved", "shape", "time")

    plan: Any
    edges: tuple[Edge, ...]
    saved: Any
    backend: Backend
    shape: tuple[int, ...]
    dtype: Any
    time: int
    aside: Aside | None

    @property
    def name(self) -> str:
        """The operation's name."""
        name: str = self.plan.name
        return name

    def set_aside(self) -> Aside:
        """The node's :class:`Aside`, made where there is none."""
        if self.aside is None:
            self.aside = Aside()
        return self.aside

    def __repr__(self) -> str:
        return f"<{self.name}>"


def record(plan: Any, edges: tuple[Edge, ...], saved: tuple[Any, ...], backend: Backend, out: Array) -> Node:
    """The node of an operation that gave ``out``. A function, since it takes half the time that ``Node.__init__`` would."""
    node = _new(Node)
    node.plan, node.edges, node.saved, node.backend = plan, edges, saved, backend
    node.shape, node.dtype, node.time = out.shape, out.dtype, tick()
    node.aside = Aside(user_line()) if process.anomaly else None
    return node


class Aside:
    """What some nodes have beside their derivative: hooks, a tensor whose ``grad`` they fill, the line that called them."""

    __slots__ = ("hooks", "line", "retained_by")

    def __init__(self, line: str | None = None) -> None:
        self.hooks: list[Callable[[Tensor], Tensor | None]] = []
        self.retained_by: weakref.ref[Tensor] | None = None
        self.line = line

    def seen(self, g: Any, backend: Backend, create_graph: bool) -> Any:
        """The cotangent after the hooks have had it, and the tensor whose ``grad`` it fills."""
        if self.hooks:
            g = run_hooks(self.hooks, g, backend, create_graph)
        if self.retained_by is not None and (tensor := self.retained_by()) is not None:
            tensor._retain(g, create_graph)
        return g


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
        self.excused: dict[int, weakref.ref[Tensor]] = {}  # they share recorded memory, and may be used as they are
        self._last: dict[int, dict[tuple[int, int], tuple[int, str, str]]] = {}  # by owner, then by the bytes written to
        self._owners: dict[int, weakref.ref[Any]] = {}

    def note(self, backend: Backend, array: Array, operation: str, tensor: Tensor | None = None) -> None:
        """A write by ``operation`` to the array's memory; recorded as the node of ``tensor`` where one is given."""
        ranges = self._ranges(backend, array)
        self.latest, line = tick(), user_line()
        low, high = backend.extent(array)
        if len(ranges) >= MOST_RANGES:  # one that covers all: it may refuse a graph that it need not, and never misses one
            low, high = min(low, *(first for first, _ in ranges)), max(high, *(last for _, last in ranges))
            ranges.clear()
        ranges[low, high] = (self.latest, operation, line)
        if tensor is not None and tensor._node is not None:
            self.recorded[id(backend.owner(array))] = (weakref.ref(tensor), tensor._node.time, operation, line)

    def stamp(self, backend: Backend, written: list[tuple[Array, tuple[int, int]]], operation: str) -> Callable[[], None]:
        """A function that notes a write by ``operation`` to stretches of memory, again and again, with as little work as can be.

        A stretch is an array, and the addresses between which it is written to.
        """
        line = user_line()
        stretches: dict[int, tuple[int, int, Array]] = {}
        for array, (low, high) in written:
            before = stretches.get(key := id(backend.owner(array)), (low, high, array))
            stretches[key] = (min(low, before[0]), max(high, before[1]), array)
        held = [(self._ranges(backend, array), (low, high)) for low, high, array in stretches.values()]

        def again() -> None:
            self.latest = time = tick()
            for ranges, stretch in held:
                ranges[stretch] = (time, operation, line)

        return again

    def _ranges(self, backend: Backend, array: Array) -> dict[tuple[int, int], tuple[int, str, str]]:
        """The stretches of the array's memory that were written to."""
        owner = backend.owner(array)
        key = id(owner)
        if key not in self._owners:
            self._owners[key] = weakref.ref(owner, lambda _: self._forget(key))
        return self._last.setdefault(key, {})

    def notes(self, backend: Backend, array: Array) -> Callable[[], None]:
        """A function that forgets the writes to the array's memory from now on."""
        ranges, key = self._ranges(backend, array), id(backend.owner(array))
        before, recorded = dict(ranges), self.recorded.get(key)

        def forget() -> None:
            ranges.clear()
            ranges.update(before)
            self.recorded.pop(key, None)
            if recorded is not None:
                self.recorded[key] = recorded

        return forget

    def forget_since(self, backend: Backend, saved: tuple[Any, ...], time: int) -> None:
        """Forget the writes after ``time`` to the memory of arrays that are saved."""
        for array in arrays_in(saved):
            ranges = self._last.get(id(backend.owner(array)), {})
            for stretch in [stretch for stretch, note in ranges.items() if note[0] > time]:
                del ranges[stretch]

    def set_apart(self, backend: Backend, tensor: Tensor) -> None:
        """Where the memory of ``tensor`` has been written to under a gradient: it may be used all the same, as it is."""
        if self.recorded and id(backend.owner(tensor._array)) in self.recorded:
            key = id(tensor)
            self.excused[key] = weakref.ref(tensor, lambda _: self.excused.pop(key, None))

    def forget(self, backend: Backend, array: Array) -> None:
        """Whoever uses the array's memory from now on knows of all that was written to it."""
        self.recorded.pop(id(backend.owner(array)), None)

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


def bring_up_to_date(name: str, inputs: Iterable[Any]) -> None:
    """Have views among ``inputs`` follow a recorded write to the tensor that they are views of.

    Raise :class:`GraphError` where one shares memory with a tensor that a recorded write went through since, and is none.
    """
    for x in inputs:
        if not hasattr(x, "_node"):
            continue
        if x._view is not None:
            x._view.follow(x)
        write = writes.recorded.get(id(x.backend.owner(x._array)))
        if write is None or write[0]() is x or id(x) in writes.excused or (x._node is not None and x._node.time >= write[1]):
            continue
        raise GraphError(
            f"{name}: an input shares its memory with a tensor that '{write[2]}' changed in place at {write[3]}, under a "
            "gradient that this input does not have; take the view again after the change, or use .clone() before it"
        )


def arrays_in(saved: Iterable[Any]) -> Iterator[Any]:
    """The arrays in nested tuples: an index may hold some."""
    for part in saved:
        if isinstance(part, tuple):
            yield from arrays_in(part)
        elif hasattr(part, "dtype"):
            yield part


def check_unchanged(node: Node) -> None:
    """Raise :class:`GraphError` where a value the node's rules read was written to since it was recorded."""
    for array in arrays_in(node.saved):
        if write := writes.since(node.backend, array, node.time):
            raise GraphError(
                f"backward: a value that the derivative of '{node.name}' reads was changed in place by "
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
    aims = None if targets is None else set(targets)
    wanted = None if aims is None else on_the_way(reachable(edge for edge, _ in roots), aims)
    straight = wanted is None and not create_graph
    held: dict[Edge, Any] = {}
    result: dict[Edge, Any] = {}
    ahead: list[tuple[int, Node]] = []  # the nodes that have a cotangent, the latest first
    for edge, g in roots:
        if edge in held:
            held[edge] = held[edge] + g
        else:
            held[edge] = g
            if isinstance(edge, Node):
                heappush(ahead, (-edge.time, edge))
    with roots[0][0].backend.quiet(), enable_grad() if create_graph else _NOTHING:
        while ahead:
            node = heappop(ahead)[1]  # all that was computed from it is later, so its cotangent is complete
            g = held.pop(node)
            line = None
            if node.aside is not None:
                line = node.aside.line
                g = node.aside.seen(g, node.backend, create_graph)
            if aims is not None and node in aims:
                result[node] = g
            edges, pull, xp = node.edges, node.plan.pull, node.backend.xp
            if not straight:
                chosen = tuple([k for k, edge in enumerate(edges) if wanted is None or edge in wanted])
                edges, pull = tuple([edges[k] for k in chosen]), node.plan.puller(create_graph, chosen)
                xp = differentiable if create_graph else xp
                if not edges:
                    continue
            while type(node.saved) is not tuple:
                node.saved.restore(node)
            if node.time < writes.latest:
                check_unchanged(node)
            pulled = pull(node, g, xp)
            if not retain_graph and node.plan.holds:
                node.saved = RELEASED
            for edge, gx in zip(edges, pulled):  # noqa: B905 (the plan's functions give one for each edge)
                if gx is None:
                    continue
                like = edge if type(edge) is Node else edge._array
                try:
                    of = node if gx is g else gx  # asking a node is quicker than asking an array
                    if of.shape != like.shape or of.dtype is not like.dtype or create_graph:
                        gx = fitted(node, gx, edge, xp, create_graph)
                except AttributeError:  # the rule returned a number
                    gx = fitted(node, gx, edge, xp, create_graph)
                if line is not None:
                    check_not_nan(node, edge, gx, create_graph)
                if edge in held:
                    held[edge] = held[edge] + gx
                elif like is edge:
                    held[edge] = gx
                    heappush(ahead, (-edge.time, edge))
                else:
                    held[edge] = edge._grad_buffer.taken(edge, gx) if straight and edge._grad_buffer is not None else gx
    for edge, g in held.items():
        if wanted is None or edge in wanted:
            result[edge] = run_hooks(edge._hooks, g, edge.backend, create_graph) if edge._hooks else g
    return result


class Released:
    """What stands where saved values were that are gone."""

    def restore(self, node: Node) -> None:
        raise GraphError(
            f"backward: the values saved for the derivative of '{node.name}' were freed by an earlier backward; "
            "pass retain_graph=True to the first one to go through the graph again"
        )


RELEASED: Any = Released()
_NOTHING: Any = nullcontext()


def fitted(node: Node, g: Any, edge: Edge, xp: Any, create_graph: bool) -> Any:
    """The cotangent summed over what broadcasting repeated, and cast, so that it has its input's shape and dtype."""
    like = edge if isinstance(edge, Node) else edge._array
    try:
        if g.shape != like.shape:
            g = sum_to(xp, g, like.shape)
        if g.dtype is like.dtype:
            return g
        dtype = edge.backend.dtypes[like.dtype] if create_graph else like.dtype
        return g if g.dtype == dtype else xp.astype(g, dtype)
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"{node.name}: its derivative rule returned {getattr(g, 'shape', type(g).__name__)} for an output of shape "
            f"{node.shape}; a rule returns arrays that broadcast to the output's shape or have the input's ({error})"
        ) from error


def wide(xp: Any, x: Any) -> Any:
    """``x`` as sums of it are taken: float16 in float32, as its own range and precision are soon used up."""
    return xp.astype(x, xp.float32) if x.dtype == getattr(xp, "float16", None) else x


def widely(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """``function`` of these arguments with the float16 tensors among them in float32; float32 tensors that it gives, in float16,
    unless one with axes was among the arguments.

    The one way in which an operation on tensors is computed in float32, and so its derivative: :func:`primitive`'s ``wide``, and
    ``wide_inside`` of composed functions, call it.
    """
    xp = differentiable
    mixed = any(x.dtype in (xp.float32, xp.float64) and x.ndim for x in (*args, *kwargs.values()) if hasattr(x, "_node"))

    def widened(x: Any) -> Any:
        return wide(xp, x) if hasattr(x, "_node") else x

    def narrowed(x: Any) -> Any:
        return xp.astype(x, xp.float16) if not mixed and hasattr(x, "_node") and x.dtype == xp.float32 else x

    out = function(*map(widened, args), **{name: widened(x) for name, x in kwargs.items()})
    if not isinstance(out, tuple):
        return narrowed(out)
    return type(out)(*map(narrowed, out)) if hasattr(out, "_fields") else tuple(map(narrowed, out))


def sum_to(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of broadcasting from ``shape``: ``g`` summed over the axes that were added or repeated."""
    lead = g.ndim - len(shape)
    if lead == 1 and g.shape[1:] == shape:
        return xp.sum(wide(xp, g), axis=0)
    if lead < 0:  # an index_put dropped the value's leading axes of length one
        return sum_to(xp, xp.reshape(g, (1,) * -lead + g.shape), shape)
    repeated = tuple([i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1])
    if lead and not repeated:
        return xp.sum(wide(xp, g), axis=tuple(range(lead)))
    if repeated:
        g = xp.sum(wide(xp, g), axis=(*range(lead), *repeated), keepdims=True)
    return xp.reshape(g, shape)


def check_not_nan(node: Node, edge: Edge, g: Any, create_graph: bool) -> None:
    """Raise :class:`GraphError`, with the line that called the operation, where its derivative is NaN."""
    xp = edge.backend.xp
    if edge.backend.truth(xp.any(xp.isnan(g._array if create_graph else g))):
        assert node.aside is not None
        name = node.plan.name_of(node.edges.index(edge))
        raise GraphError(f"{node.name}: its derivative by '{name}' made a NaN; called at {node.aside.line}")


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
