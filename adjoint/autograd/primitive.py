"""Primitives: one forward kernel and one derivative rule per input, compiled when they are declared.

.. code-block:: python

    @primitive
    def divide(xp, x, y):
        return xp.divide(x, y)

    divide.vjp(
        x=lambda g, y: g / y,
        y=lambda g, out, y: -g * out / y,
    )

A kernel takes the namespace, then its inputs by position and its parameters by keyword. A rule's parameter names say what it
needs: ``g`` (the cotangent of the output), ``out``, ``xp``, any input or parameter by name, or an input's shape as
``x_shape``. Only what a rule that will run names is kept alive. A rule returns the cotangent in the output's broadcast shape
and any dtype; summing it to the input's shape and casting it to the input's dtype is done here, once for all rules.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import MethodType
from typing import TYPE_CHECKING, Any, overload

from .. import backends
from ..backends import Array, Backend, Namespace, dtypes
from ..errors import BackendError, GraphError
from . import graph
from .graph import Edge, Node
from .modes import state

if TYPE_CHECKING:
    from . import tensor as _tensor
else:  # it imports this module in its turn; its Tensor is there by the time a primitive is called
    _tensor = import_module(".tensor", __package__)

#: Every primitive by name. The test suite walks it.
registry: dict[str, Primitive] = {}

#: The differentiable namespace: each primitive under its own name, to be handed to kernels and rules as their ``xp``, so that
#: what they compute on Tensors is recorded in its turn. ``namespace.py`` completes it.
differentiable = Namespace()

_NUMBERS = frozenset((int, float, bool))
Kernel = Callable[..., Any]


class _Rule:
    """A derivative rule, compiled to straight calls that fetch its arguments from a node."""

    __slots__ = ("_on_arrays", "_on_tensors", "function", "saves", "sources")

    def __init__(self, primitive: Primitive, function: Kernel) -> None:
        code = function.__code__
        self.function = function
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        self.sources: list[tuple[str, Any]] = [primitive.source(name) for name in names]
        self.saves: set[Any] = {key if kind == "input" else kind for kind, key in self.sources if kind in ("input", "out", "shape")}
        self._on_arrays: Kernel | None = None
        self._on_tensors: Kernel | None = None

    def on_arrays(self) -> Kernel:
        """The rule as a function of the node, the cotangent and the namespace, all arrays."""
        if self._on_arrays is None:
            self._on_arrays = self._compiled("node.arrays[{}]", "node.arrays", "node.out")
        return self._on_arrays

    def on_tensors(self) -> Kernel:
        """The same on Tensors that stand where the saved values stood, to be recorded in its turn."""
        if self._on_tensors is None:
            every = "[saved(node, i) for i in range(len(node.edges))]"
            self._on_tensors = self._compiled("saved(node, {})", every, "Tensor(node.out, node.backend, node)")
        return self._on_tensors

    def _compiled(self, one: str, every: str, out: str) -> Kernel:
        where = {"g": "g", "xp": "xp", "out": out, "inputs": every, "input": one, "param": "node.params[{!r}]"}
        arguments = [
            ("node.shapes" if key is None else f"node.shapes[{key}]") if kind == "shape" else where[kind].format(key)
            for kind, key in self.sources
        ]
        code = f"lambda node, g, xp: rule({', '.join(arguments)})"
        call: Kernel = eval(code, {"rule": self.function, "saved": _saved, "Tensor": _tensor.Tensor})
        return call


def _saved(node: Node, i: int) -> Any:
    """Input ``i`` as a Tensor that stands where the input stood; a Python number as it is."""
    array = node.arrays[i]  # type: ignore[index]
    if not hasattr(array, "dtype"):
        return array
    edge = node.edges[i]
    if edge is None:
        return _tensor.Tensor(array, node.backend)
    if isinstance(edge, Node):
        if array.dtype == edge.dtype:
            return _tensor.Tensor(array, node.backend, edge)
        return astype(_tensor.Tensor(array, node.backend, edge), dtype=array.dtype)  # it was promoted on the way in
    if edge._array is array:
        return edge
    return _tensor.Tensor(array, node.backend, Node(astype, (edge,), None, None, {"dtype": array.dtype}, node.backend, array))


class Primitive:
    """A differentiable operation. Made by :func:`primitive`; called like a function of Tensors.

    Attributes:
        name: the kernel's name, which is also its name in the differentiable namespace.
        inputs: the names of its differentiable inputs, in order.
        parameters: the names of its keyword parameters.
        rules: the derivative rule of each input that has one.
    """

    def __init__(
        self,
        kernel: Kernel,
        promotes: bool | tuple[str, ...] = True,
        floating: bool = False,
        moves: bool = False,
        views: bool = False,
        differentiable: bool = True,
    ) -> None:
        code = kernel.__code__
        last = code.co_argcount + code.co_kwonlyargcount
        self.kernel, self.name, self.__doc__ = kernel, kernel.__name__, kernel.__doc__
        self.__name__ = self.__qualname__ = self.name
        self.__module__, self.__wrapped__ = kernel.__module__, kernel
        self.inputs: tuple[str, ...] = code.co_varnames[1 : code.co_argcount]
        self.parameters: tuple[str, ...] = code.co_varnames[code.co_argcount : last]
        self.defaults: dict[str, Any] = kernel.__kwdefaults__ or {}
        self.variadic = code.co_varnames[last] if code.co_flags & 0x04 else None
        self.promotes, self.floating, self.moves, self.views = promotes, floating, moves, views
        self.differentiable = differentiable
        self.rules: dict[int, _Rule] = {}
        self.joint: _Rule | None = None
        self._plans: dict[tuple[int, int], tuple[tuple[bool, ...] | None, bool, bool]] = {}

    def __repr__(self) -> str:
        return f"<primitive {self.name}({', '.join((*self.inputs, *self.parameters))})>"

    def __get__(self, tensor: Any, owner: Any = None) -> Callable[..., Any]:
        """As a method: ``Tensor.exp = exp``."""
        return self if tensor is None else MethodType(self, tensor)

    # --- declaring ---

    def source(self, name: str) -> tuple[str, Any]:
        """Where a rule's argument called ``name`` comes from, as a kind and a key."""
        if name in ("g", "out", "xp"):
            return name, name
        if name in self.inputs:
            return "input", self.inputs.index(name)
        if name in self.parameters:
            return "param", name
        if name == self.variadic:
            return "inputs", None
        if name.endswith("_shape") and name[:-6] in self.inputs:
            return "shape", self.inputs.index(name[:-6])
        if self.variadic and name == f"{self.variadic}_shapes":
            return "shape", None
        known = ", ".join(("g", "out", "xp", *self.inputs, *self.parameters))
        raise TypeError(f"{self.name}: a derivative rule asks for '{name}'; it may ask for {known}, or an input's shape as x_shape")

    def vjp(self, joint: Kernel | None = None, /, **rules: Kernel) -> Primitive:
        """Declare the derivative by each input named, or one ``joint`` rule that returns those of all inputs as a tuple.

        An input without a rule (an index, a condition) is refused where it requires a gradient.
        """
        self._plans.clear()
        if joint is not None:
            self.joint = _Rule(self, joint)
        for name, rule in rules.items():
            if name not in self.inputs:
                raise TypeError(f"{self.name}: it has no input '{name}', only {', '.join(self.inputs)}")
            self.rules[self.inputs.index(name)] = _Rule(self, rule)
        return self

    # --- calling ---

    def __call__(self, *inputs: Any, **params: Any) -> Any:
        if len(inputs) > len(self.inputs) and self.variadic is None:  # a parameter given by position
            n = len(self.inputs)
            if len(inputs) > n + len(self.parameters):
                raise TypeError(f"{self.name}: {len(inputs)} arguments, and it takes {', '.join((*self.inputs, *self.parameters))}")
            params |= zip(self.parameters, inputs[n:], strict=False)
            inputs = inputs[:n]
        if self.defaults and len(params) < len(self.parameters):
            params = self.defaults | params
        Tensor = _tensor.Tensor
        backend: Backend | None = None
        dtype: Any = None
        arrays: list[Any] = []
        plain = True  # all inputs are tensors of one dtype
        recorded = False
        for x in inputs:
            if isinstance(x, Tensor):
                array = x._array
                if backend is None:
                    backend, dtype = x.backend, array.dtype
                elif x.backend is not backend:
                    raise self._mixed(inputs)
                elif array.dtype != dtype:
                    plain = False
                if x._requires_grad:
                    recorded = True
            elif type(x) in _NUMBERS:
                array, plain = x, False
            else:
                return self(*(as_input(self.name, x) for x in inputs), **params)
            arrays.append(array)
        if backend is None:
            if not inputs:
                raise TypeError(f"{self.name}: there is no input; it takes {', '.join(self.inputs) or 'tensors'}")
            backend = backends.default()
        if graph.writes.recorded and state.recording:
            graph.check_not_stale(self.name, inputs)
        if self.views and not hasattr(arrays[0], "__setitem__") and isinstance(inputs[0], Tensor):
            arrays[0] = inputs[0]._make_writable()  # a NumPy scalar, of which there is no view
        if self.promotes and not (plain and (not self.floating or backend.dtypes[dtype].kind == "float")):
            arrays = self._promote(backend, arrays)
        xp = backend.xp
        try:
            out = self.kernel(xp, *arrays, **params)
        except (ValueError, IndexError, OverflowError) as error:
            raise type(error)(self._explain(backend, arrays, params, error)) from error
        if self.moves:
            backend = params["target"]
        if recorded and state.recording and self.differentiable:
            return Tensor(out, backend, self._record(inputs, arrays, params, backend, out))
        return Tensor(out, backend)

    def _record(
        self, inputs: tuple[Any, ...], arrays: list[Any], params: dict[str, Any], backend: Backend, out: Any
    ) -> Node | None:
        edges: list[Edge | None] = []
        mask = 0
        for i, x in enumerate(inputs):
            if isinstance(x, _tensor.Tensor) and x._requires_grad:
                edges.append(x if x._node is None else x._node)
                mask |= 1 << i
            else:
                edges.append(None)
        plan = self._plans.get((len(inputs), mask)) or self._plan(len(inputs), mask)
        keep, shapes, keep_out = plan
        kept = None if keep is None else tuple([a if k else None for a, k in zip(arrays, keep, strict=True)])
        node = Node(
            self, tuple(edges), kept, tuple([getattr(a, "shape", ()) for a in arrays]) if shapes else None, params, backend, out
        )
        if keep_out:
            node.out = out
        return node

    def _plan(self, n: int, mask: int) -> tuple[tuple[bool, ...] | None, bool, bool]:
        """What a node of ``n`` inputs keeps where those in ``mask`` need gradients: which arrays, the shapes, the output."""
        needed = [i for i in range(n) if mask >> i & 1]
        if self.joint is not None:
            rules = [self.joint]
        else:
            for i in needed:
                if i not in self.rules:
                    raise self._no_rule(i)
            rules = [self.rules[i] for i in needed]
        saves = {key for rule in rules for key in rule.saves}
        every = any(kind == "inputs" for rule in rules for kind, _ in rule.sources)
        keep = tuple(every or i in saves for i in range(n))
        plan = (keep if any(keep) else None, "shape" in saves, "out" in saves)
        self._plans[n, mask] = plan
        return plan

    def pull(self, node: Node, g: Any, wanted: set[Edge] | None, create_graph: bool) -> list[tuple[int, Any]]:
        """The cotangent of each input that has an edge (and is wanted), fitted to its shape and dtype, with its position."""
        at = [i for i, edge in enumerate(node.edges) if edge is not None and (wanted is None or edge in wanted)]
        if not at:
            return []
        graph.check_not_released(node)
        if node.time < graph.writes.latest:
            graph.check_unchanged(node)
        xp = differentiable if create_graph else node.backend.xp
        if self.joint is not None:
            every = (self.joint.on_tensors() if create_graph else self.joint.on_arrays())(node, g, xp)
            pulled = [(i, every[i]) for i in at if every[i] is not None]
        elif create_graph:
            pulled = [(i, self.rules[i].on_tensors()(node, g, xp)) for i in at]
        else:
            pulled = [(i, self.rules[i].on_arrays()(node, g, xp)) for i in at]
        try:
            fitted = [(i, fit(xp, gx, node.edges[i], create_graph)) for i, gx in pulled]
        except (ValueError, AttributeError) as error:
            shown = ", ".join(str(getattr(gx, "shape", type(gx).__name__)) for _, gx in pulled)
            raise ValueError(
                f"{self.name}: its derivative rule returned {shown} for an output of shape {node.shape}; a rule returns arrays "
                f"that broadcast to the output's shape or have the input's ({error})"
            ) from error
        if node.line is not None:
            for i, gx in fitted:
                self._check_nan(node, i, gx, create_graph)
        return fitted

    # --- what goes wrong ---

    def _no_rule(self, i: int) -> GraphError:
        name = self.inputs[i] if i < len(self.inputs) else f"input {i}"
        return GraphError(
            f"{self.name}: its input '{name}' requires a gradient, and there is no derivative by it; declare one with "
            f"{self.name}.vjp({name}=…), .detach() the input, or declare the primitive with differentiable=False"
        )

    def _check_nan(self, node: Node, i: int, gx: Any, create_graph: bool) -> None:
        xp = node.edges[i].backend.xp  # type: ignore[union-attr]
        if bool(xp.any(xp.isnan(gx._array if create_graph else gx))):
            name = self.inputs[i] if i < len(self.inputs) else f"input {i}"
            raise GraphError(f"{self.name}: its derivative by '{name}' made a NaN; called at {node.line}")

    def _promote(self, backend: Backend, arrays: list[Any]) -> list[Any]:
        """The inputs that promote in the dtype PyTorch's rules give: dimensioned over 0-d over Python numbers, by category."""
        if isinstance(self.promotes, tuple):
            chosen = [self.inputs.index(name) for name in self.promotes]
            for i, a in zip(chosen, self._in_common(backend, [arrays[i] for i in chosen]), strict=True):
                arrays[i] = a
            return arrays
        return self._in_common(backend, arrays)

    def _in_common(self, backend: Backend, arrays: list[Any]) -> list[Any]:
        of_dims = of_zero = of_numbers = None
        for a in arrays:
            if type(a) in _NUMBERS:
                of_numbers = dtypes.of_number(a) if of_numbers is None else dtypes.promote(of_numbers, dtypes.of_number(a))
            elif a.shape:
                of_dims = backend.dtypes[a.dtype] if of_dims is None else dtypes.promote(of_dims, backend.dtypes[a.dtype])
            else:
                of_zero = backend.dtypes[a.dtype] if of_zero is None else dtypes.promote(of_zero, backend.dtypes[a.dtype])
        common = dtypes.combine(of_dims, dtypes.combine(of_zero, of_numbers))
        assert common is not None
        if self.floating and common.kind != "float":
            common = dtypes.float32
        xp = backend.xp
        target = getattr(xp, common.name)
        only_numbers = of_dims is None and of_zero is None
        promoted = []
        for a in arrays:
            if type(a) in _NUMBERS:
                promoted.append(xp.asarray(a, dtype=target) if only_numbers else _as_kind(a, common.kind))
            else:
                promoted.append(a if a.dtype == target else xp.astype(a, target))
        return promoted

    def _mixed(self, inputs: tuple[Any, ...]) -> BackendError:
        found = dict.fromkeys(f"'{x.device}' ({x.backend.name})" for x in inputs if isinstance(x, _tensor.Tensor))
        return BackendError(f"{self.name}: its tensors are on different devices, {' and '.join(found)}; move one with .to(device)")

    def _explain(self, backend: Backend, arrays: list[Any], params: dict[str, Any], error: Exception) -> str:
        shown = [f"{a.shape} {backend.dtypes[a.dtype].name}" if hasattr(a, "dtype") else repr(a) for a in arrays]
        given = "".join(f", {name}={value!r}" for name, value in params.items() if isinstance(value, (int, float, tuple, str)))
        return f"{self.name}: {error} (given {' and '.join(shown)}{given})"


def _as_kind(number: bool | int | float, kind: str) -> bool | int | float:
    return float(number) if kind == "float" else int(number) if kind in ("int", "uint") else number


def as_input(name: str, x: Any) -> Any:
    """``x`` as a primitive's input: Tensors and Python numbers as they are, a backend's arrays wrapped, NumPy scalars unwrapped."""
    if isinstance(x, _tensor.Tensor) or type(x) in _NUMBERS:
        return x
    if getattr(x, "shape", None) == () and hasattr(x, "item") and not hasattr(x, "__setitem__"):
        return x.item()
    backend = backends.of_array(x)
    if backend is None:
        raise TypeError(
            f"{name}: an input is a {type(x).__module__}.{type(x).__name__}; it takes tensors, arrays and numbers "
            "(ad.tensor(…) makes one)"
        )
    if x.dtype not in backend.dtypes:
        raise TypeError(f"{name}: an input has dtype {x.dtype}, which tensors can not hold")
    return _tensor.Tensor(x, backend)


@overload
def primitive(kernel: Kernel, /) -> Primitive: ...
@overload
def primitive(
    *,
    promotes: bool | tuple[str, ...] = True,
    floating: bool = False,
    moves: bool = False,
    views: bool = False,
    differentiable: bool = True,
) -> Callable[[Kernel], Primitive]: ...
def primitive(kernel: Kernel | None = None, /, **options: Any) -> Any:
    """Declare a primitive from its kernel. Used as ``@primitive``, or with options as ``@primitive(floating=True)``.

    Options:
        promotes: bring all inputs to one dtype first, by PyTorch's rules (default True); or the names of those to bring.
        floating: that dtype is float32 where it would be an integer or bool.
        views: the output may share the first input's memory.
        differentiable: where False (a comparison, an index), the output never requires a gradient.
        moves: the output is on the backend that the parameter ``target`` names, not on the inputs'.

    Raises ``ValueError`` where a primitive of that name is registered already.
    """
    if kernel is None:
        return lambda kernel: primitive(kernel, **options)
    if kernel.__name__ in registry:
        raise ValueError(f"there is already a primitive '{kernel.__name__}'")
    registry[kernel.__name__] = made = Primitive(kernel, **options)
    setattr(differentiable, made.name, made)
    return made


def fit(xp: Any, g: Any, edge: Edge, create_graph: bool) -> Any:
    """The cotangent summed over what broadcasting repeated, and cast, so that it has its input's shape and dtype."""
    like = edge if isinstance(edge, Node) else edge._array
    if g.shape != like.shape:
        g = sum_to(xp, g, like.shape)
    dtype = edge.backend.dtypes[like.dtype] if create_graph else like.dtype
    return g if g.dtype == dtype else xp.astype(g, dtype)


def sum_to(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of broadcasting from ``shape``: ``g`` summed over the axes that were added or repeated."""
    lead = g.ndim - len(shape)
    if lead < 0:  # an index_put dropped the value's leading axes of length one
        return sum_to(xp, xp.reshape(g, (1,) * -lead + g.shape), shape)
    repeated = tuple(range(lead)) + tuple(i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1)
    if repeated:
        g = xp.sum(g, axis=repeated, keepdims=True)
    return xp.reshape(g, shape)


@primitive(promotes=False)
def astype(xp: Any, x: Array, *, dtype: Any) -> Array:
    """``x`` converted to ``dtype``."""
    return xp.astype(x, dtype)


astype.vjp(x=lambda g: g)
