"""The graph: a node for each recorded operation, and the walk that pulls cotangents back through them.

A :class:`Node` has its primitive's plan, an edge to each input that needs a gradient (the input's node, or the leaf tensor
itself), and the values that the primitive's rules read. It has no reference to its output tensor, so there are no reference
cycles, and a graph is freed with its last tensor.

Nodes take their time from the clock of ``versions.py``: creation order is a topological order, and comparing two numbers tells
whether an array was written to after a node was recorded.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from heapq import heappop, heappush
from typing import Any

from ..backends import Array, Backend, Namespace
from ..errors import GraphError
from .broadcasting import fit
from .modes import enable_grad, process, user_line
from .tensor import Tensor
from .versions import check_unchanged, tick, writes

Edge = Any  #: a Node, or a leaf Tensor

#: The differentiable namespace: every primitive by name. Kernels and rules take it as their ``xp`` so that what they compute on
#: Tensors is recorded. ``primitive.py`` fills it, and ``namespace.py`` completes it.
differentiable = Namespace()

_new = object.__new__


class Node:
    """One recorded operation. ``shape`` and ``dtype`` are those of its output, and of its output's cotangent.

    Attributes:
        plan: pulls a cotangent back, given ``saved``.
        saved: a tuple of what the rules read; or an object whose ``restore(node)`` sets that tuple or raises.
        edges: to each input that needs a gradient, in order.
        metadata: what few nodes have, or None.
    """

    __slots__ = ("__weakref__", "backend", "dtype", "edges", "metadata", "plan", "saved", "shape", "time")

    plan: Any
    edges: tuple[Edge, ...]
    saved: Any
    backend: Backend
    shape: tuple[int, ...]
    dtype: Any
    time: int
    metadata: NodeMetadata | None

    @property
    def name(self) -> str:
        """The operation's name."""
        name: str = self.plan.name
        return name

    def ensure_metadata(self) -> NodeMetadata:
        """The node's metadata, created if it has none."""
        if self.metadata is None:
            self.metadata = NodeMetadata()
        return self.metadata

    def __repr__(self) -> str:
        return f"<{self.name}>"


def record(plan: Any, edges: tuple[Edge, ...], saved: tuple[Any, ...], backend: Backend, out: Array) -> Node:
    """The node of an operation whose output is ``out``. A function, which takes half the time of a ``Node.__init__``."""
    node = _new(Node)
    node.plan, node.edges, node.saved, node.backend = plan, edges, saved, backend
    node.shape, node.dtype, node.time = out.shape, out.dtype, tick()
    node.metadata = NodeMetadata(user_line()) if process.anomaly else None
    return node


class NodeMetadata:
    """What few nodes have.

    Attributes:
        hooks: called with the cotangent of the output.
        retained_by: the tensor whose ``grad`` that cotangent is added to.
        line: the user's line that called the operation, recorded under :class:`detect_anomaly`.
    """

    __slots__ = ("hooks", "line", "retained_by")

    def __init__(self, line: str | None = None) -> None:
        self.hooks: list[Callable[[Tensor], Tensor | None]] = []
        self.retained_by: weakref.ref[Tensor] | None = None
        self.line = line

    def receive(self, g: Any, backend: Backend, create_graph: bool) -> Any:
        """Run the hooks on the cotangent, add it to the ``grad`` that retains it, and return it."""
        if self.hooks:
            g = run_hooks(self.hooks, g, backend, create_graph)
        if self.retained_by is not None and (tensor := self.retained_by()) is not None:
            tensor._retain(g, create_graph)
        return g


# --- the walk back -----------------------------------------------------------------------------------------------------------


def reachable(roots: Iterable[Edge]) -> list[Node]:
    """Every node behind ``roots``, latest first: a topological order."""
    nodes: dict[Node, None] = {}
    stack = [root for root in roots if isinstance(root, Node)]
    while stack:
        node = stack.pop()
        if node not in nodes:
            nodes[node] = None
            stack.extend([edge for edge in node.edges if isinstance(edge, Node)])
    return sorted(nodes, key=lambda node: node.time, reverse=True)


def on_paths_to(targets: set[Edge], order: list[Node]) -> set[Edge]:
    """``targets``, and the nodes of ``order`` that depend on one of them."""
    edges = set(targets)
    for node in reversed(order):
        if any(edge in edges for edge in node.edges if edge is not None):
            edges.add(node)
    return edges


def pull_back(
    roots: list[tuple[Edge, Any]],
    targets: list[Edge] | None = None,
    *,
    retain_graph: bool = False,
    create_graph: bool = False,
) -> dict[Edge, Any]:
    """Cotangents of ``targets``, given those of ``roots``.

    Each node is visited once, after every node that was computed from it.

    Args:
        roots: pairs of an edge and its cotangent: an array, or a Tensor if ``create_graph``.
        targets: the edges whose cotangents are returned; every leaf if None.
        retain_graph: keep what the nodes saved, which is freed on the way otherwise.
        create_graph: compute on Tensors and record the walk itself.

    Returns:
        The cotangent by edge; edges that no root depends on are missing.
    """
    if not roots:
        return {}
    aims = None if targets is None else set(targets)
    needed = None if aims is None else on_paths_to(aims, reachable(edge for edge, _ in roots))
    plain = needed is None and not create_graph
    cotangents: dict[Edge, Any] = {}
    result: dict[Edge, Any] = {}
    pending: list[tuple[int, Node]] = []  # a heap of the nodes that have a cotangent, the latest first
    for edge, g in roots:
        if edge in cotangents:
            cotangents[edge] = cotangents[edge] + g
        else:
            cotangents[edge] = g
            if isinstance(edge, Node):
                heappush(pending, (-edge.time, edge))
    with roots[0][0].backend.suppress_warnings(), enable_grad() if create_graph else _NOTHING:
        while pending:
            node = heappop(pending)[1]  # nodes computed from it are later, so its cotangent is complete
            g = cotangents.pop(node)
            line = None
            if node.metadata is not None:
                line = node.metadata.line
                g = node.metadata.receive(g, node.backend, create_graph)
            if aims is not None and node in aims:
                result[node] = g
            edges, pull, xp = node.edges, node.plan.pull, node.backend.xp
            if not plain:
                chosen = tuple([k for k, edge in enumerate(edges) if needed is None or edge in needed])
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
            for edge, gx in zip(edges, pulled):  # noqa: B905 (a plan's functions return one for each edge)
                if gx is None:
                    continue
                like = edge if type(edge) is Node else edge._array
                try:
                    of = node if gx is g else gx  # reading a node's attributes is faster than reading an array's
                    if of.shape != like.shape or of.dtype is not like.dtype or create_graph:
                        gx = fit(node, gx, edge, xp, create_graph)
                except AttributeError:  # the rule returned a number
                    gx = fit(node, gx, edge, xp, create_graph)
                if line is not None:
                    check_not_nan(node, edge, gx, create_graph)
                if edge in cotangents:
                    cotangents[edge] = cotangents[edge] + gx
                elif like is edge:
                    cotangents[edge] = gx
                    heappush(pending, (-edge.time, edge))
                else:
                    buffer = edge._grad_buffer if plain else None
                    cotangents[edge] = gx if buffer is None else buffer.taken(edge, gx)
    for edge, g in cotangents.items():
        if needed is None or edge in needed:
            result[edge] = run_hooks(edge._hooks, g, edge.backend, create_graph) if edge._hooks else g
    return result


class Released:
    """Replaces the saved values of a node that were freed."""

    def restore(self, node: Node) -> None:
        raise GraphError(
            f"backward: the values saved for the derivative of '{node.name}' were freed by an earlier backward; "
            "pass retain_graph=True to the first one to go through the graph again"
        )


RELEASED: Any = Released()
_NOTHING: Any = nullcontext()


def check_not_nan(node: Node, edge: Edge, g: Any, create_graph: bool) -> None:
    """Raise :class:`GraphError`, naming the line that called the operation, if its derivative is NaN."""
    xp = edge.backend.xp
    if edge.backend.truth(xp.any(xp.isnan(g._array if create_graph else g))):
        assert node.metadata is not None
        name = node.plan.name_of(node.edges.index(edge))
        raise GraphError(f"{node.name}: its derivative by '{name}' made a NaN; called at {node.metadata.line}")


def run_hooks(hooks: list[Callable[[Any], Any]], g: Any, backend: Backend, create_graph: bool) -> Any:
    """The cotangent after each hook was called with it, and replaced it unless it returned None."""
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
