"""``Function``: a user's own operation with a ``forward`` and a ``backward``, as ``torch.autograd.Function`` has it."""

from __future__ import annotations

import copy
from typing import Any

from ..errors import GraphError
from . import graph
from .graph import Node, record
from .modes import enable_grad, no_grad, state
from .rules.shapes import alias
from .tensor import Tensor
from .transforms import leaves, rebuild


class Function:
    """An operation whose derivative is written by hand, over tensors.

    Subclass it with two static methods: ``forward(ctx, *inputs)``, which returns a tensor or a tuple of them and is not
    recorded, and ``backward(ctx, *cotangents)``, which takes a cotangent for each output and returns one for each input (None
    for what is no tensor). Call it by ``apply``. What ``backward`` does is recorded under ``create_graph``, so that
    derivatives of every order follow where it is made of differentiable operations. Instead of a ``forward`` with ``ctx``, one
    without it and a ``setup_context(ctx, inputs, output)`` do too.

    ``forward`` is not recorded, so a floating-point tensor that it computes, keeps in ``ctx`` and does not return has no
    derivative. A second derivative that depends on one raises :class:`GraphError`: return it as a further output.

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
        raise NotImplementedError("Function: a subclass has a static method forward(ctx, *inputs)")

    @staticmethod
    def backward(ctx: Context, *cotangents: Any) -> Any:
        raise NotImplementedError("Function: a subclass has a static method backward(ctx, *cotangents)")

    setup_context: Any = None

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """Call the operation, and record it where an input requires a gradient.

        Raises ``TypeError`` where ``forward`` returns something else than tensors.
        """
        if graph.writes.recorded and state.recording:
            graph.bring_up_to_date(cls.__name__, inputs)
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
            made = tuple(alias(out) if any(out is x for x in inputs) else out for out in outputs)
        if state.recording and any(ctx.needs_input_grad):
            made = _recorded(cls, ctx, inputs, outputs, made)
        return made if isinstance(result, tuple) else made[0]


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


def _recorded(cls: type[Function], ctx: Context, inputs: Any, outputs: Any, made: Any) -> tuple[Tensor, ...]:
    """The outputs with their place in the graph: behind one node, to which each of several leads by a node of its own."""
    at = tuple(i for i, needed in enumerate(ctx.needs_input_grad) if needed)
    edges = tuple([inputs[i]._node or inputs[i] for i in at])
    plan = _FunctionPlan(cls, ctx, at, made)
    known: dict[int, Any] = {id(x): x._node or (x if x._requires_grad else None) for x in leaves(list(inputs))}
    known |= {id(x): None if any(x is y for y in ctx._not_differentiable) else i for i, x in enumerate(outputs)}
    plan.places = [None if x is None else _place(x, known) for x in ctx.saved_tensors]
    arrays = tuple([None if x is None else x._array for x in ctx.saved_tensors])
    if len(vars(ctx)) > len(_CONTEXT):
        plan.attributes = {id(x): _place(x, known) for x in leaves([v for k, v in vars(ctx).items() if k not in _CONTEXT])}
    ctx.saved_tensors = ()
    trunk = record(plan, edges, arrays, made[0].backend, made[0]._array if len(made) == 1 else _Several({}))
    results = []
    for i, out in enumerate(made):
        if any(out is x or outputs[i] is x for x in ctx._not_differentiable) or out.dtype.kind != "float":
            results.append(out)
        else:
            results.append(Tensor(out._array, out.backend, plan.place(trunk, i)))
    ctx._not_differentiable = ()
    return tuple(results)


def _place(x: Tensor, known: dict[int, Any]) -> Any:
    """Where a tensor that ``ctx`` keeps stands in the graph: the position of the output that it is, else its edge.

    None for a constant, and :data:`_INTERMEDIATE` for what ``forward`` may have computed from its inputs.
    """
    if id(x) in known:
        return known[id(x)]
    return x._node or (x if x._requires_grad else _INTERMEDIATE if x.dtype.kind == "float" else None)


_INTERMEDIATE: Any = object()
_CONTEXT = frozenset(vars(Context(())))  #: the attributes of a context that are its own


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
        self.attributes: dict[int, Any] = {}  # the places of tensors that are kept as attributes of ctx, by their identity
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
                if create_graph and self.attributes:
                    for name in vars(ctx).keys() - _CONTEXT:
                        setattr(ctx, name, self._standing(node, name, vars(ctx)[name]))
                found = self.cls.backward(ctx, *cotangents)
            found = found if isinstance(found, tuple) else (found,)
            expected = len(self.ctx.needs_input_grad)
            if len(found) < expected or any(extra is not None for extra in found[expected:]):
                raise GraphError(
                    f"{self.name}: backward returned {len(found)} gradients for {expected} inputs; it returns one for each, None "
                    "for what is no tensor"
                )
            pulled = [found[self.at[k]] for k in chosen]
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

    def _standing(self, node: Node, name: str, value: Any) -> Any:
        """The attribute ``name`` of ``ctx``, with the tensors in it where they stood in the graph."""
        found = leaves(value)
        if not found:
            return value
        places = [self.attributes.get(id(x)) for x in found]
        return rebuild(
            value,
            iter(
                self._placed(node, x._array, place, f"ctx.{name}") if place is _INTERMEDIATE or isinstance(place, int) else x
                for x, place in zip(found, places, strict=True)
            ),
        )

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
