"""Plans: what the node of a call saves, and the derivative rules as direct calls on what was saved.

The inputs that need a gradient decide which rules will run, and so what is saved. A primitive creates one plan for each set of
inputs when it first occurs. A plan is generated functions, such as these of a product both of whose factors need a gradient::

    def save(arrays, out, params):
        return (arrays[0], arrays[1],)

    def pull(node, g, xp):
        saved = node.saved
        return (rule0(g, saved[1]), rule1(g, saved[0]),)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..codegen import compile_function
from ..errors import GraphError
from .graph import Node, record
from .tensor import Tensor
from .versions import writes

if TYPE_CHECKING:
    from .primitive import Primitive

Source = tuple[str, Any]  #: where a rule's argument comes from: a kind, and which one of it


def shape_of(array: Any) -> tuple[int, ...]:
    """The shape of an array, or () of a number."""
    shape: tuple[int, ...] = getattr(array, "shape", ())
    return shape


class Rule:
    """A derivative rule, and where its arguments come from."""

    __slots__ = ("function", "sources")

    def __init__(self, primitive: Primitive, function: Callable[..., Any]) -> None:
        code = function.__code__
        self.function = function
        self.sources = [primitive.source(name) for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]]


#: What ``save`` writes for each kind of source, and ``pull`` for the kinds that are not saved.
_TO_SAVE = {
    "input": "arrays[{}]", "inputs": "tuple(arrays)", "shape": "shape_of(arrays[{}])", "shapes": "tuple(map(shape_of, arrays))",
    "param": "params[{!r}]", "out": "out", "kept": "params['kept']",
}  # fmt: skip
_AT_HAND = {"g": "g", "xp": "xp", "wanted": "the names of the requested inputs"}


class Plan:
    """What a call saves, and how it pulls a cotangent back, if the inputs at the positions ``at`` need a gradient.

    Attributes:
        primitive: the primitive called.
        at: the positions of the inputs that need a gradient, in order.
        save: a function of the arrays, the output and the parameters that returns what a node saves.
        slots: by source, the position in what is saved.
        edges: a function of the inputs that returns the node's edges; None for any number of inputs.
        pull: :meth:`puller` of arrays for all edges.
        whole: whether the arrays of the call are saved and nothing else.
        holds: whether arrays are saved, whose memory the walk back frees.
    """

    __slots__ = ("_pullers", "at", "edges", "holds", "primitive", "pull", "rules", "save", "slots", "whole")

    def __init__(self, primitive: Primitive, at: tuple[int, ...]) -> None:
        self.primitive, self.at = primitive, at
        if primitive.joint is not None:
            self.rules = [primitive.joint]
        else:
            for i in at:
                if i not in primitive.rules:
                    raise no_rule(primitive, i)
            self.rules = [primitive.rules[i] for i in at]
        self.slots: dict[Source, int] = {}
        inputs = range(len(primitive.inputs))
        sources = [source for rule in self.rules for source in rule.sources if source[0] not in _AT_HAND]
        if any(kind == "kept" for kind, _ in sources):  # it is recomputed if the derivative is itself recorded
            sources += [("input", i) for i in inputs] + [("param", name) for name in primitive.parameters]
        first = [("input", i) for i in inputs if ("input", i) in sources]  # often they are just the arrays of the call
        for source in dict.fromkeys(first + sources):
            self.slots[source] = len(self.slots)
        self.whole = list(self.slots) == [("input", i) for i in inputs]
        self.holds = any(kind in ("input", "inputs", "out", "kept") for kind, _ in self.slots)
        saved = "".join(_TO_SAVE[kind].format(key) + ", " for kind, key in self.slots)
        self.save: Callable[..., tuple[Any, ...]] = self._function("save(arrays, out, params)", f"({saved})", shape_of=shape_of)
        self.edges: Any = None
        if max(at) in inputs:
            edges = "".join(f"x{i}._node or x{i}, " for i in at)
            self.edges = self._function(f"edges({', '.join(f'x{i}' for i in inputs)})", f"({edges})")
        self._pullers: dict[Any, Callable[..., tuple[Any, ...]]] = {}
        self.pull = self.puller(False, tuple(range(len(at))))

    def _function(self, head: str, result: str, **names: Any) -> Callable[..., Any]:
        """The generated function ``head`` that returns ``result``."""
        name = head.partition("(")[0]
        return compile_function(f"def {head}:\n    return {result}\n", name, names, f"{name} of {self.primitive.name}")

    @property
    def name(self) -> str:
        """The primitive's name."""
        return self.primitive.name

    def name_of(self, k: int) -> str:
        """The name of the input that edge ``k`` leads to."""
        return self.primitive.name_of(self.at[k])

    def puller(self, create_graph: bool, chosen: tuple[int, ...]) -> Callable[..., tuple[Any, ...]]:
        """A function of a node, its cotangent and the namespace that gives the cotangents of the edges ``chosen``.

        It works on arrays; with ``create_graph`` on Tensors in the graph positions of the saved values, and is recorded.
        """
        puller = self._pullers.get((create_graph, chosen))
        if puller is None:
            puller = self._pullers[create_graph, chosen] = self._generated(create_graph, chosen)
        return puller

    def _generated(self, create_graph: bool, chosen: tuple[int, ...]) -> Callable[..., tuple[Any, ...]]:
        requested = tuple(self.name_of(k) for k in chosen)

        def call(j: int) -> str:
            arguments = (
                repr(requested) if source[0] == "wanted" else self._argument(source, create_graph)
                for source in self.rules[j].sources
            )
            return f"rule{j}({', '.join(arguments)})"

        names: dict[str, Any] = {f"rule{j}": rule.function for j, rule in enumerate(self.rules)}
        names |= {"as_tensor": as_tensor, "kernel": self.primitive.kernel}
        if self.primitive.joint is not None:
            lines = [f"cotangents = {call(0)}", f"return ({''.join(f'cotangents[{self.at[k]}], ' for k in chosen)})"]
        else:
            lines = [f"return ({''.join(call(k) + ', ' for k in chosen)})"]
        source = "\n    ".join(["def pull(node, g, xp):", "saved = node.saved", *lines, ""])
        return compile_function(source, "pull", names, f"derivative of {self.primitive.name}")

    def _argument(self, source: Source, create_graph: bool) -> str:
        kind, key = source
        if kind in _AT_HAND:
            return _AT_HAND[kind]
        if kind == "kept" and create_graph:
            inputs = (self._argument(("input", i), True) for i in range(len(self.primitive.inputs)))
            params = (f"{name}={self._argument(('param', name), True)}" for name in self.primitive.parameters)
            return f"kernel({', '.join(('xp', *inputs, *params))})[1]"
        slot = f"saved[{self.slots[source]}]"
        if not create_graph or kind not in ("input", "inputs", "out"):
            return slot
        if kind == "inputs":
            return f"[as_tensor(node, a, i) for i, a in enumerate({slot})]"
        return f"as_tensor(node, {slot}, {key!r})"


class _Cast:
    """The plan of a conversion between floating-point dtypes: its derivative is the cast that the walk back does anyway."""

    name, holds = "astype", False

    def pull(self, node: Node, g: Any, xp: Any) -> tuple[Any, ...]:
        return (g,)

    def puller(self, create_graph: bool, chosen: tuple[int, ...]) -> Callable[..., tuple[Any, ...]]:
        return self.pull

    def name_of(self, k: int) -> str:
        return "x"


_CAST = _Cast()


def as_tensor(node: Node, array: Any, i: Any) -> Any:
    """A saved array as a Tensor in the graph position of input ``i``, or of the output for "out"; a Python number unchanged."""
    if i == "out":
        return Tensor(array, node.backend, node)
    if not hasattr(array, "dtype"):
        return array
    edge = node.edges[node.plan.at.index(i)] if i in node.plan.at else None
    if isinstance(edge, Tensor):
        if edge._array is array:
            return edge
        edge = record(_CAST, (edge,), (), node.backend, array)  # promoted or moved since
    elif edge is not None and edge.dtype != array.dtype:
        edge = record(_CAST, (edge,), (), node.backend, array)
    tensor = Tensor(array, node.backend, edge)
    writes.exempt(node.backend, tensor)  # the walk has checked that this part of the memory is unchanged
    return tensor


def no_rule(primitive: Primitive, i: int) -> GraphError:
    """What to raise where input ``i`` needs a gradient that the primitive has no rule for."""
    name = primitive.name_of(i)
    return GraphError(
        f"{primitive.name}: its input '{name}' requires a gradient, and there is no derivative by it; declare one with "
        f"{primitive.name}.vjp({name}=…), .detach() the input, or declare the primitive with differentiable=False"
    )
