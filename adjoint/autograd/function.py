"""``Function``: a user's own operation with a ``forward`` and a ``backward``, as ``torch.autograd.Function`` has it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from ..errors import GraphError
from .graph import Node, record
from .modes import enable_grad, no_grad, state
from .rules.shapes import alias
from .tensor import Tensor
from .transforms import leaves
from .versions import sync_views, writes


class Function:
    """An operation whose derivative is written by hand, over tensors.

    Subclass it with two static methods: ``forward(ctx, *inputs)``, which returns a tensor or a tuple of them and is not
    recorded, and ``backward(ctx, *cotangents)``, which takes a cotangent for each output and returns one for each input (None
    for what is no tensor). Call it by ``apply``. What ``backward`` does is recorded under ``create_graph``, so that
    derivatives of every order follow where it is made of differentiable operations. Instead of a ``forward`` with ``ctx``, one
    without it and a ``setup_context(ctx, inputs, output)`` do too.

    ``forward`` is not recorded, so a floating-point tensor that it computes, keeps in ``ctx`` and does not return has no
    derivative. A second derivative that depends on one raises :class:`GraphError`: return it as a further output. That covers
    tensors in lists, tuples, dicts and the attributes of objects. It does not cover NumPy arrays and Python numbers that
    ``forward`` computes from tensors, nor tensors in closures: ``backward`` uses them as constants.

    >>> import adjoint as ad
    >>> class Cube(ad.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         (x,) = ctx.saved_tensors
    ...         return g * 3 * x * x
    >>> x = ad.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any) -> Any:
        """Compute the output, a tensor or a tuple of tensors, from ``ctx`` and the inputs. To be overridden; not recorded."""
        raise NotImplementedError("Function: a subclass has a static method forward(ctx, *inputs)")

    @staticmethod
    def backward(ctx: Context, *cotangents: Any) -> Any:
        """The cotangent of each input, None for non-tensors, given ``ctx`` and one cotangent per output. To be overridden."""
        raise NotImplementedError("Function: a subclass has a static method backward(ctx, *cotangents)")

    setup_context: Any = None

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """Call the operation, and record it where an input requires a gradient.

        Raises ``TypeError`` where ``forward`` returns something else than tensors.
        """
        if writes.recorded and state.recording:
            sync_views(cls.__name__, inputs)
        ctx = Context(tuple(isinstance(x, Tensor) and x._requires_grad for x in inputs))
        with no_grad():
            if cls.setup_context is None:
                result = cls.forward(ctx, *inputs)
            else:
                result = cls.forward(*inputs)
                cls.setup_context(ctx, inputs, result)
            outputs = result if isinstance(result, tuple) else (result,)
            for out in outputs:
                if not isinstance(out, Tensor):
                    raise TypeError(
                        f"{cls.__name__}: forward returned {type(out).__name__}; it returns a tensor or a tuple of them"
                    )
            results = tuple(alias(out) if any(out is x for x in inputs) else out for out in outputs)
        if state.recording and any(ctx.needs_input_grad):
            results = _recorded(cls, ctx, inputs, outputs, results)
        return results if isinstance(result, tuple) else results[0]


class Context:
    """What ``forward`` leaves for ``backward``: tensors by :meth:`save_for_backward`, anything else as attributes.

    Attributes:
        needs_input_grad: for each input, whether it is a tensor that requires a gradient.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.saved_tensors: tuple[Tensor | None, ...] = ()
        self._not_differentiable: tuple[Tensor, ...] = ()
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs, outputs or intermediate tensors for ``backward``, which finds them in ``ctx.saved_tensors``.

        A change in place to one of them, until then, is refused there. So is a second derivative by way of an intermediate tensor.
        """
        self.saved_tensors = tensors

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Have these outputs require no gradient."""
        self._not_differentiable = outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros, rather than None, for outputs that were not used."""
        self._materialize = value


def _recorded(cls: type[Function], ctx: Context, inputs: Any, outputs: Any, results: Any) -> tuple[Tensor, ...]:
    """The outputs with their place in the graph: behind one node, to which each of several leads by a node of its own."""
    at = tuple(i for i, needed in enumerate(ctx.needs_input_grad) if needed)
    edges = tuple([inputs[i]._node or inputs[i] for i in at])
    plan = _FunctionPlan(cls, ctx, at, results)
    plan.in_graph = {id(x): x._node or (x if x._requires_grad else None) for x in leaves(list(inputs))}
    plan.in_graph |= {id(x): None if any(x is y for y in ctx._not_differentiable) else i for i, x in enumerate(outputs)}
    plan.places = [None if x is None else _place(x, plan.in_graph) for x in ctx.saved_tensors]
    arrays = tuple([None if x is None else x._array for x in ctx.saved_tensors])
    ctx.saved_tensors = ()
    trunk = record(plan, edges, arrays, results[0].backend, results[0]._array if len(results) == 1 else _Several({}))
    recorded = []
    for i, out in enumerate(results):
        if any(out is x or outputs[i] is x for x in ctx._not_differentiable) or out.dtype.kind != "float":
            recorded.append(out)
        else:
            recorded.append(Tensor(out._array, out.backend, plan.place(trunk, i)))
    ctx._not_differentiable = ()
    return tuple(recorded)


def _place(x: Tensor, in_graph: dict[int, Any]) -> Any:
    """Where a tensor that ``ctx`` keeps stands in the graph: the position of the output that it is, else its edge.

    None for a constant, and :data:`_INTERMEDIATE` for what ``forward`` may have computed from its inputs.
    """
    if id(x) in in_graph:
        return in_graph[id(x)]
    return x._node or (x if x._requires_grad else _INTERMEDIATE if x.dtype.kind == "float" else None)


_INTERMEDIATE: Any = object()
_WITHOUT_PARTS = (type, ModuleType, FunctionType, MethodType, BuiltinFunctionType)
_CONTEXT = frozenset(vars(Context(())))  #: the attributes of a context that are its own


def _parts(value: Any) -> dict[Any, tuple[str, Any]]:
    """The elements or attributes of a container or an object, by key, each with how it is written after the object's name."""
    if isinstance(value, dict):
        return {key: (f"[{key!r}]", part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return {i: (f"[{i}]", part) for i, part in enumerate(value)}
    if isinstance(value, _WITHOUT_PARTS) or hasattr(value, "_buffers"):  # a module has state, not what forward computed
        return {}
    slots = [name for of in type(value).__mro__ for name in _names(of.__dict__.get("__slots__", ())) if hasattr(value, name)]
    attributes = {name: getattr(value, name) for name in slots} | getattr(value, "__dict__", {})
    return {name: (f".{name}", part) for name, part in attributes.items()}


def _names(slots: str | Iterable[str]) -> Iterable[str]:
    return (slots,) if isinstance(slots, str) else slots


def _with_parts(value: Any, parts: dict[Any, Any]) -> Any:
    """A shallow copy of a container or an object with these elements or attributes."""
    if isinstance(value, tuple):
        elements = [parts.get(i, part) for i, part in enumerate(value)]
        return type(value)(*elements) if hasattr(value, "_fields") else type(value)(elements)
    twin = copy.copy(value)
    for key, part in parts.items():
        if isinstance(value, (dict, list)):
            twin[key] = part
        else:
            object.__setattr__(twin, key, part)
    return twin


class _NoDerivative:
    """The plan of the node of an intermediate tensor of ``forward``: a second derivative by way of it is refused."""

    holds = False

    def __init__(self, name: str, where: str) -> None:
        self.name, self.where = name, where

    def pull(self, node: Node, g: Any, xp: Any) -> tuple[Any, ...]:
        raise GraphError(
            f"{self.name}: the second derivative depends on {self.where}, which forward computed without a graph and did not "
            "return; return it from forward as a further output (with ctx.mark_non_differentiable if it is a constant), or "
            "compute it again in backward from the inputs"
        )

    def puller(self, create_graph: bool, chosen: tuple[int, ...]) -> Any:
        return self.pull

    def name_of(self, k: int) -> str:
        return self.where


class _Several:
    """Cotangents of some of several outputs, by position, which add up as one cotangent does."""

    shape, dtype = "several", "several"

    def __init__(self, parts: dict[int, Any]) -> None:
        self.parts = parts

    def __add__(self, other: _Several) -> _Several:
        both = dict(self.parts)
        for i, g in other.parts.items():
            both[i] = both[i] + g if i in both else g
        return _Several(both)


class _Pick:
    """The plan of the node between the node of several outputs and output ``i``."""

    holds = False

    def __init__(self, name: str, i: int) -> None:
        self.name, self.i = name, i

    def pull(self, node: Node, g: Any, xp: Any) -> tuple[Any, ...]:
        return (_Several({self.i: g}),)

    def puller(self, create_graph: bool, chosen: tuple[int, ...]) -> Any:
        return self.pull

    def name_of(self, k: int) -> str:
        return self.name


class _FunctionPlan:
    """How to pull cotangents back through one call of a :class:`Function`."""

    holds = True

    def __init__(self, cls: type[Function], ctx: Context, at: tuple[int, ...], outputs: tuple[Tensor, ...]) -> None:
        self.cls, self.name, self.ctx, self.at = cls, cls.__name__, ctx, at
        self.outputs = [(out.backend, out.shape, out._array.dtype) for out in outputs]
        self.places: list[Any] = []
        self.in_graph: dict[int, Any] = {}  # the places of the inputs and outputs, by their identity
        self.pull = self.puller(False, tuple(range(len(at))))

    def name_of(self, k: int) -> str:
        return f"argument {self.at[k]}"

    def place(self, trunk: Node, i: int) -> Node:
        """The node of output ``i``."""
        if len(self.outputs) == 1:
            return trunk
        backend, shape, dtype = self.outputs[i]
        return record(_Pick(self.name, i), (trunk,), (), backend, backend.xp.empty(shape, dtype=dtype))

    def puller(self, create_graph: bool, chosen: tuple[int, ...]) -> Any:
        def pull(node: Node, g: Any, xp: Any) -> tuple[Any, ...]:
            parts = g.parts if isinstance(g, _Several) else {0: g}
            with enable_grad() if create_graph else no_grad():
                cotangents = [self._cotangent(i, parts.get(i), create_graph) for i in range(len(self.outputs))]
                ctx = copy.copy(self.ctx)  # one for this walk alone: another may be under way
                ctx.saved_tensors = self._saved(node)
                if create_graph:
                    vars(ctx).update(
                        (name, self._standing(node, value, f"ctx.{name}", set()))
                        for name, value in list(vars(ctx).items())
                        if name not in _CONTEXT
                    )
                gradients = self.cls.backward(ctx, *cotangents)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            expected = len(self.ctx.needs_input_grad)
            if len(gradients) < expected or any(extra is not None for extra in gradients[expected:]):
                raise GraphError(
                    f"{self.name}: backward returned {len(gradients)} gradients for {expected} inputs; it returns one for each, "
                    "None for what is no tensor"
                )
            pulled = [gradients[self.at[k]] for k in chosen]
            for x in pulled:
                if x is not None and not isinstance(x, Tensor):
                    raise TypeError(f"{self.name}: backward returned {type(x).__name__}; it returns tensors and None")
            return tuple(x if x is None or create_graph else x._array for x in pulled)

        return pull

    def _cotangent(self, i: int, g: Any, create_graph: bool) -> Tensor | None:
        backend, shape, dtype = self.outputs[i]
        if g is None:
            if not self.ctx._materialize:
                return None
            return Tensor(backend.xp.zeros(shape, dtype=dtype), backend)
        return g if create_graph else Tensor(g, backend)

    def _saved(self, node: Node) -> tuple[Tensor | None, ...]:
        """The saved tensors, where they stood in the graph."""
        return tuple(
            place
            if array is None or (isinstance(place, Tensor) and place._array is array)
            else self._placed(node, array, place, f"ctx.saved_tensors[{i}]")
            for i, (array, place) in enumerate(zip(node.saved, self.places, strict=True))
        )

    def _standing(self, node: Node, value: Any, where: str, seen: set[int]) -> Any:
        """``value``, in which tensors, in containers and objects too, are where they stood in the graph; copied where one is."""
        if isinstance(value, Tensor):
            place = _place(value, self.in_graph)
            apart = place is _INTERMEDIATE or isinstance(place, int)
            return self._placed(node, value._array, place, where) if apart else value
        if id(value) in seen:
            return value
        seen.add(id(value))
        parts = _parts(value)
        replaced = {key: self._standing(node, part, where + path, seen) for key, (path, part) in parts.items()}
        replaced = {key: part for key, part in replaced.items() if part is not parts[key][1]}
        return _with_parts(value, replaced) if replaced else value

    def _placed(self, node: Node, array: Any, place: Any, where: str) -> Tensor:
        """The tensor over ``array`` that stands at ``place`` in the graph."""
        edge: Node | None
        if isinstance(place, int):
            edge = self.place(node, place)
        elif place is _INTERMEDIATE:
            edge = record(_NoDerivative(self.name, where), node.edges, (), node.backend, array)
        else:
            edge = place if isinstance(place, Node) else None
        return Tensor(array, node.backend, edge)
