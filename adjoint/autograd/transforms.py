"""Derivatives of functions: ``grad``, ``vjp``, ``jvp``, ``jacobian``, ``hessian``, ``hvp``; they nest to any order.

Arguments and results may be nested lists, tuples and dicts of tensors. Where a value depends on other tensors that require a
gradient (a model's parameters, say), its derivatives stay connected to them; not so under :class:`no_grad`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from ..backends.dtypes import finfo
from ..errors import GraphError
from . import functions as f
from .arguments import reads_numbers
from .creation import tensor
from .gradients import edge_of, one, roots_of
from .graph import pull_back, reachable
from .modes import enable_grad, no_grad, state
from .plan import Plan
from .primitive import as_input
from .rules.shapes import alias
from .tensor import Tensor

#: Forward mode is faster where a Jacobian has more rows than this times its columns, counting one column more for the setup.
FORWARD = 1.5


def leaves(tree: Any) -> list[Tensor]:
    """The tensors in nested lists, tuples and dicts, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in leaves(tree[key])]
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, (list, tuple)) else []


def rebuild(tree: Any, values: Iterator[Any]) -> Any:
    """``tree`` with its tensors replaced by ``values``, in order."""
    if isinstance(tree, Tensor):
        return next(values)
    if isinstance(tree, dict):
        return {key: rebuild(part, values) for key, part in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(rebuild(part, values) for part in tree))
    return type(tree)(rebuild(part, values) for part in tree) if isinstance(tree, (list, tuple)) else tree


@contextmanager
def differentiating() -> Iterator[bool]:
    """Count an open transform or tape; yields whether another one is open around it."""
    state.transforms += 1
    try:
        yield state.transforms > 1
    finally:
        state.transforms -= 1


def _own(name: str, x: Tensor) -> Tensor:
    """``x`` as an input of this transform alone: connected to what it was computed from, but with an edge of its own."""
    if x.dtype.kind != "float":
        raise TypeError(f"{name}: an argument to differentiate by is {x.dtype}; only floating-point tensors have gradients")
    own: Tensor = alias(x) if x.requires_grad else x.detach().requires_grad_()
    own._view = None  # what is written to it stays inside
    return own


@reads_numbers
def value_and_grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the value of ``function`` and its gradient with respect to the arguments ``argnums``.

    Args:
        function: returns a tensor with one element. Its arguments may be tensors, numbers, or nested lists, tuples and dicts of
            tensors; the gradient has their structure.
        argnums: the position of the argument to differentiate by, or a tuple of several, for a tuple of gradients.
        has_aux: ``function`` returns a pair; only its first half is differentiated, and the pair is returned as the value.

    Raises:
        GraphError: at the call, if the value has several elements.
        TypeError: at the call, if an argument to differentiate by is of integers or the value is no tensor.

    >>> import adjoint as ad
    >>> ad.value_and_grad(lambda x: x**3)(ad.tensor(2.0))
    (tensor(8.), tensor(12.))
    """

    @functools.wraps(function)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        with _Call("grad", function, args, kwargs, argnums, has_aux) as call:
            value = call.value
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: the function returned {type(value).__name__}, not a tensor")
            gradients = call.pulled([value], [None])
        results = call.results(has_aux=has_aux)
        return (results if has_aux else results[0]), call.in_arguments(gradients)

    return differentiated


class _Call:
    """One call of a function that is being differentiated by some of its arguments, as a block in which to ask for derivatives.

    Attributes:
        value, aux: what the function returned; ``aux`` is the second half with ``has_aux``.
        own: the tensors to differentiate by, as inputs of this call alone.
    """

    def __init__(
        self, name: str, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], argnums: int | tuple[int, ...], has_aux: bool
    ) -> None:
        self.name, self.argnums, recording = name, argnums, state.recording
        self.chosen = chosen = (argnums,) if isinstance(argnums, int) else argnums
        if any(not -len(args) <= n < len(args) for n in chosen):
            raise ValueError(f"{name}: argnums is {argnums}, and the function was called with {len(args)} arguments by position")
        self._block = ExitStack()
        nested = self._block.enter_context(differentiating())
        with self._block:
            self._block.enter_context(enable_grad())
            self.inputs = list(args)
            for n in chosen:
                self.inputs[n] = _differentiable(name, self.inputs[n])
            self.own = [_own(name, leaf) for n in chosen for leaf in leaves(self.inputs[n])]
            replacements = iter(self.own)
            for n in chosen:
                self.inputs[n] = rebuild(self.inputs[n], replacements)
            result = function(*self.inputs, **kwargs)
            self.value: Any
            self.aux: Any
            self.value, self.aux = result if has_aux else (result, None)
            self._block = self._block.pop_all()
        self.edges = [edge_of(x) for x in self.own]
        outputs = [out for out in leaves(self.value) if out.requires_grad]
        connected = recording and _reach_other_leaves([edge_of(out) for out in outputs], self.edges)
        self.create_graph = nested or connected

    def __enter__(self) -> _Call:
        return self

    def __exit__(self, *error: Any) -> None:
        self._block.close()

    def pulled(self, outputs: list[Tensor], cotangents: list[Any], retain_graph: bool = False) -> list[Tensor]:
        """The cotangent of each of :attr:`own`, given those of ``outputs`` (which need none where they are single elements)."""
        for out, g in zip(outputs, cotangents, strict=True):
            if g is None and out.numel() != 1:
                raise GraphError(f"{self.name}: the function returned shape {out.shape}, and a gradient is of a single element")
        pairs = [(out, g) for out, g in zip(outputs, cotangents, strict=True) if out.requires_grad]
        create_graph = self.create_graph or any(g is not None and g.requires_grad for _, g in pairs)
        roots = roots_of(self.name, [out for out, _ in pairs], [g for _, g in pairs], create_graph)
        with enable_grad():
            pulled = pull_back(roots, self.edges, retain_graph=retain_graph or create_graph, create_graph=create_graph)
        return [gradient_of(x, pulled.get(edge), create_graph) for x, edge in zip(self.own, self.edges, strict=True)]

    def check_floating(self, out: Tensor) -> None:
        """Raise ``TypeError`` on integers, which have no derivative."""
        if out.dtype.kind != "float":
            raise TypeError(f"{self.name}: the function returned {out.dtype}, of which there is no derivative")

    def pusher(self, outputs: list[Tensor]) -> Callable[[list[tuple[int, Tensor]]], list[Tensor]]:
        """A function from directions, each with the position in :attr:`own`, to the derivative of each of ``outputs`` along them.

        It is the derivative by u of u^T J t, where u^T J is pulled back once, for all directions.
        """
        weights = [one(out).requires_grad_() for out in outputs]
        pulled = self.pulled(outputs, weights, retain_graph=True)
        code = self._users_code(outputs)

        def push(directions: list[tuple[int, Tensor]]) -> list[Tensor]:
            along = [(pulled[i], t) for i, t in directions if pulled[i].requires_grad]
            create_graph = self.create_graph or any(t.requires_grad for _, t in along)
            roots = roots_of(self.name, [g for g, _ in along], [t for _, t in along], create_graph)
            derivatives = pull_back(roots, list(weights), retain_graph=True, create_graph=create_graph)
            pushed = [gradient_of(u, derivatives.get(u), create_graph) for u in weights]
            if code is not None and directions:
                self._check_linear(code, [(pulled[i], t) for i, t in directions], pushed)
            return pushed

        return push

    def _check_linear(self, code: str, along: list[tuple[Tensor, Tensor]], pushed: list[Tensor]) -> None:
        """Raise ``GraphError`` unless u^T J t, at u = 1, is the same by u^T J and by J t: ``code`` may have left the graph."""
        with no_grad(), pushed[0].backend.suppress_warnings():
            terms = [g * t.to(g.dtype) for g, t in along]
            by_rows, by_columns = (
                f.stack([f.stack([x.double().sum(), x.double().abs().sum()]).to(device=pushed[0].backend) for x in parts]).sum(0)
                for parts in (terms, pushed)
            )
            eps = max(finfo(x.dtype).eps for x in (*self.own, *pushed))
            differ = (by_rows[0] - by_columns[0]).abs() > eps**0.5 * (by_rows[1] + by_columns[1])
            if differ.backend.truth(differ._array):
                raise GraphError(
                    f"{self.name}: forward mode differentiates {code} by its gradient, and the result differs from reverse mode's; "
                    "write it in differentiable operations, linear in the gradient, or use mode='reverse' (ad.vjp)"
                )

    def jacobians(self, outputs: list[Tensor], mode: str) -> list[list[Tensor]]:
        """For each output its Jacobian by each of :attr:`own`, in shape ``out.shape + input.shape`` and the dtype of the input."""
        for out in outputs:
            self.check_floating(out)
        if mode == "forward" or (mode == "auto" and self._is_sooner_forward(outputs)):
            return self._by_columns(outputs)
        return [self._by_rows(out) for out in outputs]

    def _is_sooner_forward(self, outputs: list[Tensor]) -> bool:
        """Whether forward mode is faster, and differentiates no derivative but those of primitives."""
        rows = sum(out.numel() for out in outputs if out.requires_grad)
        return rows > FORWARD * (1 + sum(x.numel() for x in self.own)) and self._users_code(outputs) is None

    def _users_code(self, outputs: list[Tensor]) -> str | None:
        """What the user wrote that a walk back from ``outputs`` calls: a :class:`Function` or a tensor's hook; None for neither."""
        for node in reachable([edge_of(out) for out in outputs if out.requires_grad]):
            if not isinstance(node.plan, Plan):
                return f"the backward of {node.name}"
            if node.metadata is not None and node.metadata.hooks:
                return "a hook on an input" if node in self.edges else f"a hook on the output of {node.name}"
        return "a hook on an input" if any(x._hooks for x in self.own) else None

    def _by_columns(self, outputs: list[Tensor]) -> list[list[Tensor]]:
        push = self.pusher(outputs)
        blocks: list[list[Tensor]] = [[] for _ in outputs]
        for i, x in enumerate(self.own):
            columns = [push([(i, direction)]) for direction in _basis(x)]
            for k, out in enumerate(outputs):
                if columns and out.numel():
                    rows = f.stack([column[k] for column in columns], -1)
                    blocks[k].append(f.cast(rows.reshape(out.shape + x.shape), x.dtype))
                else:
                    blocks[k].append(_zeros(out.shape + x.shape, x))
        return blocks

    def _by_rows(self, out: Tensor) -> list[Tensor]:
        rows = jacobians(self.name, out, self.edges, self.create_graph)
        shapes = [out.shape + x.shape for x in self.own]
        return [
            _zeros(shape, x) if derivative is None else derivative.reshape(shape)
            for x, derivative, shape in zip(self.own, rows, shapes, strict=True)
        ]

    def results(self, *derivatives: Any, has_aux: bool) -> tuple[Any, ...]:
        """The value, the derivatives, and what else the function returned; without their graph, unless it is needed further."""
        value, aux = (part if self.create_graph else _without_graph(part) for part in (self.value, self.aux))
        return (value, *derivatives, aux) if has_aux else (value, *derivatives)

    def in_arguments(self, values: list[Any]) -> Any:
        """One value for each of :attr:`own` in the structure of the arguments: of the one, or a tuple of several."""
        each = iter(values)
        structured = tuple(rebuild(self.inputs[n], each) for n in self.chosen)
        return structured[0] if isinstance(self.argnums, int) else structured


def _without_graph(tree: Any) -> Any:
    tensors = leaves(tree)
    return rebuild(tree, iter([x.detach() for x in tensors])) if any(x.requires_grad for x in tensors) else tree


def _differentiable(name: str, argument: Any) -> Any:
    """An argument to differentiate by: a number as a tensor, a backend's array too."""
    if isinstance(argument, (int, float)):
        return tensor(float(argument))
    return argument if isinstance(argument, (Tensor, list, tuple, dict)) else as_input(name, argument)


def _reach_other_leaves(edges: list[Any], own: list[Any]) -> bool:
    """Whether a tensor other than ``own`` is behind the edges: one that the function closes over, or that made its arguments."""
    mine = {id(x) for x in own}
    return any(isinstance(behind, Tensor) and id(behind) not in mine for node in reachable(edges) for behind in node.edges)


def gradient_of(x: Tensor, g: Any, create_graph: bool) -> Tensor:
    """The gradient found, or zeros where the value does not depend on ``x``."""
    if g is None:
        return _zeros(x.shape, x)
    return g if create_graph else Tensor(g, x.backend)


def _zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    return Tensor(like.backend.xp.zeros(shape, dtype=like._array.dtype), like.backend)


def _basis(x: Tensor) -> Iterator[Tensor]:
    """For each element of ``x`` a tensor of its form that is 1 there, and 0 elsewhere."""
    backend, n = x.backend, x.numel()
    identity = backend.xp.eye(n, dtype=x._array.dtype)
    for k in range(n):
        yield Tensor(backend.xp.reshape(backend.xp.getitem(identity, k), x.shape), backend)


@reads_numbers
def grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of ``function`` with respect to the arguments ``argnums``.

    ``function``, ``argnums``, ``has_aux`` and errors are those of :func:`value_and_grad`.

    >>> import adjoint as ad
    >>> cube = lambda x: x**3
    >>> ad.grad(cube)(ad.tensor(2.0)), ad.grad(ad.grad(cube))(ad.tensor(2.0))
    (tensor(12.), tensor(12.))
    """
    both = value_and_grad(function, argnums, has_aux)

    @functools.wraps(function)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, g = both(*args, **kwargs)
        return (g, value[1]) if has_aux else g

    return gradient


def vjp(function: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of ``function`` at ``primals``, and a function that computes v^T J from v, where J is the Jacobian.

    As ``torch.func.vjp``: returns ``(value, pull)``, with ``has_aux`` ``(value, pull, aux)``. ``pull`` takes cotangents in the
    structure of the value and returns those of the primals, as a tuple if there are several; it may be called repeatedly.

    >>> import adjoint as ad
    >>> value, pull = ad.vjp(lambda x: x * x, ad.tensor([1.0, 2.0]))
    >>> value, pull(ad.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    with _Call("vjp", function, primals, {}, tuple(range(len(primals))), has_aux) as call:
        pass
    outputs = leaves(call.value)

    def pull(cotangents: Any) -> Any:
        parts = leaves(cotangents)
        if len(parts) != len(outputs):
            raise ValueError(f"vjp: {len(parts)} cotangents for {len(outputs)} outputs; give one for each, in their structure")
        gradients = call.in_arguments(call.pulled(outputs, parts, retain_graph=True))
        return gradients[0] if len(primals) == 1 else gradients

    return call.results(pull, has_aux=has_aux)


def jvp(function: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...], has_aux: bool = False) -> Any:
    """The value of ``function`` at ``primals`` and its directional derivative J t, where J is the Jacobian.

    As ``torch.func.jvp``. J t is the derivative of u^T J with respect to u along t (Townsend, "A new trick for calculating
    Jacobian vector products", 2017), so every operation with a derivative rule has a forward derivative.

    Args:
        function: takes the primals as its arguments.
        primals: a tuple of tensors or nested structures of them.
        tangents: the direction t, in the structure and shapes of the primals.
        has_aux: ``function`` returns a pair; only its first half is differentiated.

    Returns:
        ``(value, J t)``, with ``has_aux`` ``(value, J t, aux)``.

    Raises:
        ValueError: the tangents do not match the primals.
        GraphError: the ``backward`` of a :class:`Function` or a hook left the graph, or is not linear in its gradient.

    >>> import adjoint as ad
    >>> ad.jvp(lambda x: x * x, (ad.tensor([1.0, 2.0]),), (ad.tensor([1.0, 0.5]),))
    (tensor([1., 4.]), tensor([2., 2.]))
    """
    directions = leaves(tangents)
    with _Call("jvp", function, primals, {}, tuple(range(len(primals))), has_aux) as call:
        for x, t in zip(call.own, directions, strict=False):
            if x.shape != t.shape:
                raise ValueError(f"jvp: a primal has shape {x.shape} and its tangent {t.shape}; they must agree")
        if len(directions) != len(call.own):
            raise ValueError(f"jvp: {len(directions)} tangents for {len(call.own)} primals; give one for each, in their structure")
        outputs = leaves(call.value)
        for out in outputs:
            call.check_floating(out)
        pushed = call.pusher(outputs)(list(enumerate(directions)))
    product = rebuild(call.value, iter(pushed))
    return call.results(product, has_aux=has_aux)


@reads_numbers
def jacobian(
    function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False, mode: str = "auto"
) -> Callable[..., Any]:
    """A function that returns the Jacobian of ``function``: the derivatives of all output elements by all input elements.

    As ``torch.func.jacrev`` and ``jacfwd``. For an output of shape S and an input of shape T its shape is S + T, and its dtype the
    input's. For nested outputs and inputs, it has the structure of the outputs, with that of the inputs in place of each output.

    Args:
        function: returns tensors, or nested lists, tuples and dicts of them.
        argnums: the position of the argument to differentiate by, or a tuple of several.
        has_aux: ``function`` returns a pair; only its first half is differentiated, and the second is returned beside the Jacobian.
        mode: ``"reverse"`` takes a backward pass per output element, ``"forward"`` a :func:`jvp` per input element. ``"auto"``
            chooses forward if the outputs have many more elements than the inputs, unless the function uses a :class:`Function`
            or a tensor's hook, since forward mode differentiates ``backward`` and the hook by their gradient.

    Raises:
        GraphError: in forward mode a ``backward`` or a hook left the graph, or is not linear in its gradient.
        TypeError: an argument to differentiate by, or a result, is of integers.
        ValueError: ``mode`` is something else.

    >>> import adjoint as ad
    >>> ad.jacobian(lambda x: x * x)(ad.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    if mode not in ("auto", "forward", "reverse"):
        raise ValueError(f"jacobian: mode must be 'auto', 'forward' or 'reverse' (got {mode!r})")

    @functools.wraps(function)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        with _Call("jacobian", function, args, kwargs, argnums, has_aux) as call:
            blocks = [call.in_arguments(derivatives) for derivatives in call.jacobians(leaves(call.value), mode)]
        structured = rebuild(call.value, iter(blocks))
        return (structured, *call.results(has_aux=True)[1:]) if has_aux else structured

    return differentiated


def jacobians(name: str, out: Tensor, edges: list[Any], create_graph: bool) -> list[Tensor | None]:
    """For each edge the derivatives of ``out`` by it, a row an element of ``out``; None for one that is not behind ``out``."""
    if not (out.numel() and out.requires_grad):
        return [None] * len(edges)
    rows = []
    for weights in _basis(out):
        roots = roots_of(name, [out], [weights], create_graph)
        rows.append(pull_back(roots, edges, retain_graph=True, create_graph=create_graph))
    stacked: list[Tensor | None] = []
    for edge in edges:
        parts = [row.get(edge) for row in rows]
        tensors = [g if create_graph or g is None else Tensor(g, edge.backend) for g in parts]
        like = next((g for g in tensors if g is not None), None)
        if like is None:
            stacked.append(None)
        else:
            zeros = _zeros(like.shape, like)
            stacked.append(f.stack([zeros if g is None else g for g in tensors]))
    return stacked


@reads_numbers
def hessian(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """A function that returns the Hessian of ``function``, which returns one element, by the arguments ``argnums``.

    As ``torch.func.hessian``, but reverse over reverse, which is faster here; ``ad.jacobian(ad.grad(function), mode="forward")`` is
    forward over reverse. For an input of shape T its shape is T + T; for several inputs, their structure is nested twice.

    >>> import adjoint as ad
    >>> ad.hessian(lambda x: (x**3).sum())(ad.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Callable[..., Any], inputs: Any, v: Any) -> tuple[Tensor, Any]:
    """The value of ``function`` at ``inputs``, and its Hessian times ``v``, as ``torch.autograd.functional.hvp``.

    It takes the time of about four calls, whatever the size of the Hessian (Pearlmutter, "Fast exact multiplication by the
    Hessian", 1994).

    Args:
        function: returns a tensor with one element.
        inputs: a tensor, or a tuple of arguments.
        v: the vector, in the structure of ``inputs``.

    Returns:
        A pair: the value, and the product in the structure of ``inputs``.

    >>> import adjoint as ad
    >>> ad.hvp(lambda x: (x**3).sum(), ad.tensor([1.0, 2.0]), ad.tensor([1.0, 1.0]))
    (tensor(9.), tensor([ 6., 12.]))
    """
    primals = inputs if isinstance(inputs, tuple) else (inputs,)
    both = value_and_grad(function, argnums=tuple(range(len(primals))))
    _, pull, value = vjp(lambda *args: both(*args)[::-1], *primals, has_aux=True)
    return value, pull(v if isinstance(inputs, tuple) else (v,))
