"""``ad.graph``: the computation graph behind a tensor, drawn as Mermaid or Graphviz text, or as a picture in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .graph import Node, reachable
from .tensor import Tensor

SMALL = 6  #: arrays of up to so many elements show their values
LAID_OUT = 1000  #: Graphviz is not asked for pictures of more boxes: laying them out takes long, and nobody could read them
MERMAIDS = 500  #: Mermaid refuses more edges


@dataclass(frozen=True)
class Box:
    """A leaf or an operation, and what is written on it, line by line."""

    kind: str  #: "leaf" or "operation"
    lines: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Graph:
    """What :func:`graph` found, as text: it holds no tensor, and keeps no graph alive.

    ``str()`` is Mermaid, :meth:`dot` Graphviz. A notebook shows Graphviz's picture where the Python package ``graphviz`` (the extra
    ``graph``) and its program ``dot`` are installed, and else Mermaid, which JupyterLab and others draw (up to 500 edges).

    Attributes:
        boxes: the leaves, then the operations, each after all it was computed from; the last one made the tensor.
        edges: pairs of numbers of boxes, from an input to the operation that took it; a pair for each time it did.
    """

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int], ...]

    def __repr__(self) -> str:
        leaves = sum(box.kind == "leaf" for box in self.boxes)
        return (
            f"<graph of {len(self.boxes) - leaves} operations and {leaves} leaves; print() gives it as Mermaid, dot() as Graphviz>"
        )

    def __str__(self) -> str:
        """The graph as Mermaid."""
        lines = ["flowchart LR"]
        for number, box in enumerate(self.boxes):
            label = "<br>".join(map(_in_mermaid, box.lines))
            lines.append(f'    n{number}["{label}"]' if box.kind == "leaf" else f'    n{number}(["{label}"])')
        return "\n".join([*lines, *(f"    n{source} --> n{target}" for source, target in self.edges)])

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = ["digraph {", "    rankdir=LR"]
        for number, box in enumerate(self.boxes):
            label = "\\n".join(map(_in_dot, box.lines))
            lines.append(f'    n{number} [label="{label}", shape={"box" if box.kind == "leaf" else "ellipse"}]')
        return "\n".join([*lines, *(f"    n{source} -> n{target}" for source, target in self.edges), "}"])

    def _repr_svg_(self) -> str | None:
        """Graphviz's picture, or None if it is not installed."""
        try:
            import graphviz
        except ImportError:
            return None
        if len(self.boxes) > LAID_OUT:
            return None
        try:
            picture: str = graphviz.Source(self.dot()).pipe(format="svg", encoding="utf-8")
        except graphviz.ExecutableNotFound:
            return None
        return picture

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the picture, or Mermaid; the numbers of boxes where there are too many for either."""
        picture = self._repr_svg_()
        if picture is not None:
            return {"image/svg+xml": picture, "text/plain": repr(self)}
        if len(self.edges) > MERMAIDS:
            return {"text/plain": repr(self)}
        return {"text/vnd.mermaid": str(self), "text/markdown": f"```mermaid\n{self}\n```", "text/plain": repr(self)}


def graph(
    tensor: Tensor,
    names: Mapping[str, Tensor] | Iterable[tuple[str, Tensor]] = (),
    *,
    values: bool = False,
    limit: int = 10_000,
) -> Graph:
    """The computation graph behind ``tensor``: the leaves that require a gradient, the operations on the way, and what took what.

    Constants have no gradient and are no part of the graph. The graph is neither changed nor freed, and a ``backward`` that freed
    what its rules read leaves all that is drawn here.

    Args:
        tensor: a result that requires a gradient.
        names: names of leaves or of results on the way, as a mapping or as pairs, such as a module's ``named_parameters()``. What
            is not in the graph is left out.
        values: write value and gradient on the boxes of single numbers, and of arrays of up to 6 elements, as they are now. A graph
            does not keep the values of intermediate results: known are those of leaves, of ``tensor``, and of results that are in
            ``names`` or had ``retain_grad()`` called and are still held. Gradients are there after ``backward``, of results where
            ``retain_grad()`` was called.
        limit: the most boxes.

    Raises:
        TypeError: ``tensor`` or a named one is no tensor.
        ValueError: there is no graph: it is a leaf, or nothing it was computed from requires a gradient; or there are more boxes
            than ``limit``.

    >>> import adjoint as ad
    >>> w = ad.tensor([1.0, 2.0], requires_grad=True)
    >>> print(ad.graph((w * w).sum(), names={"w": w}))
    flowchart LR
        n0["w<br>(2,) float32"]
        n1(["multiply<br>(2,)"])
        n2(["sum"])
        n0 --> n1
        n0 --> n1
        n1 --> n2
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"graph: it takes a tensor, not {type(tensor).__name__}")
    root = tensor.grad_fn
    if root is None:
        why = "it is a leaf, made by no operation" if tensor.requires_grad else "nothing it was computed from requires a gradient"
        raise ValueError(f"graph: the tensor has no graph: {why}; give the result of operations on tensors that require one")
    operations = reachable([root])[::-1]
    leaves = list(dict.fromkeys(edge for node in operations for edge in node.edges if isinstance(edge, Tensor)))
    if len(operations) + len(leaves) > limit:
        raise ValueError(
            f"graph: there are {len(operations)} operations and {len(leaves)} leaves, and the limit is {limit} boxes; take the "
            "graph of a smaller part, or give a larger limit="
        )
    called, tensors = _named(names)
    tensors[root] = tensor
    boxes = [Box("leaf", (*called.get(leaf, ()), _kind(leaf), *(_numbers(leaf) if values else ()))) for leaf in leaves]
    for node in operations:
        result = tensors.get(node, _retained(node))
        shape = (str(tuple(node.shape)),) if node.shape else ()
        numbers = _numbers(result) if values and result is not None else ()
        boxes.append(Box("operation", (node.name, *called.get(node, ()), *shape, *numbers)))
    place = {edge: number for number, edge in enumerate([*leaves, *operations])}
    edges = [(place[edge], place[node]) for node in operations for edge in node.edges if edge is not None]
    return Graph(tuple(boxes), tuple(edges))


def _named(names: Any) -> tuple[dict[Any, tuple[str, ...]], dict[Any, Tensor]]:
    """By leaf or node: how it is called, and the tensor."""
    called: dict[Any, tuple[str, ...]] = {}
    tensors: dict[Any, Tensor] = {}
    for name, tensor in names.items() if isinstance(names, Mapping) else names:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"graph: {name!r} names no tensor but {type(tensor).__name__}; names are given as {{'w': w}}")
        edge = tensor.grad_fn or tensor
        called[edge] = (*called.get(edge, ()), str(name))
        tensors[edge] = tensor
    return called, tensors


def _retained(node: Node) -> Tensor | None:
    """The tensor that keeps the node's gradient, where there is one and it is still the node's result."""
    if node.metadata is None or node.metadata.retained_by is None:
        return None
    tensor = node.metadata.retained_by()
    return tensor if tensor is not None and tensor._node is node else None


def _kind(leaf: Tensor) -> str:
    return f"{tuple(leaf.shape)} {leaf.dtype.name}"


def _numbers(tensor: Tensor) -> tuple[str, ...]:
    """Lines with the value and the gradient, where they are few numbers."""
    parts = (("value", tensor), ("gradient", tensor.grad))
    return tuple(f"{what} {_text(t.tolist())}" for what, t in parts if t is not None and t.numel() <= SMALL)


def _text(value: Any) -> str:
    return f"[{', '.join(map(_text, value))}]" if isinstance(value, list) else f"{value:.4g}"


def _in_mermaid(line: str) -> str:
    """Signs that Mermaid or HTML could read as their own are written by number."""
    return "".join(c if c.isalnum() or c in " _.,:()[]+-=/" else f"#{ord(c)};" for c in _printable(line))


def _in_dot(line: str) -> str:
    return _printable(line).replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)
