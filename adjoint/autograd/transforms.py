"""Gradients of functions: ``grad`` and ``value_and_grad``, on nested lists, tuples and dicts of tensors; they nest to any order."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .gradients import edge_of, roots_of
from .graph import pull_back, reachable
from .modes import enable_grad, state
from .primitive import as_input
from .rules.shapes import alias
from .tensor import Tensor


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


def _own(x: Tensor) -> Tensor:
    """``x`` as an input of this transform alone: connected to what it was computed from, but with an edge of its own."""
    if x.dtype.kind != "float":
        raise TypeError(f"grad: an argument to differentiate by is {x.dtype}; only floating-point tensors have gradients")
    own: Tensor = alias(x) if x.requires_grad else x.detach().requires_grad_()
    own._view = None  # what is written to it stays inside
    return own


def value_and_grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns what ``function`` returns and its gradient by the arguments ``argnums``.

    Arguments may be tensors, numbers, or nested lists, tuples and dicts of tensors; the gradient has their structure. With
    ``has_aux``, ``function`` returns a pair whose first half is differentiated.

    Where the value depends on other tensors that require a gradient (a model's parameters, say), value and gradient stay
    connected to them, so that a loss of gradients can be trained; not so under :class:`no_grad`.

    Raises:
        GraphError: the value is not a single element.
        TypeError: an argument to differentiate by is of integers.

    >>> import adjoint as ad
    >>> ad.value_and_grad(lambda x: x**3)(ad.tensor(2.0))
    (tensor(8.), tensor(12.))
    """

    @functools.wraps(function)
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        chosen = (argnums,) if isinstance(argnums, int) else argnums
        recording = state.recording
        if any(not -len(args) <= n < len(args) for n in chosen):
            raise ValueError(f"grad: argnums is {argnums}, and the function was called with {len(args)} arguments by position")
        with differentiating() as nested, enable_grad():
            inputs = list(args)
            for n in chosen:
                if isinstance(inputs[n], (int, float)):
                    from .creation import tensor

                    inputs[n] = tensor(float(inputs[n]))
                elif not isinstance(inputs[n], (Tensor, list, tuple, dict)):
                    inputs[n] = as_input("grad", inputs[n])
            by = [leaf for n in chosen for leaf in leaves(inputs[n])]
            own = [_own(leaf) for leaf in by]
            replacements = iter(own)
            for n in chosen:
                inputs[n] = rebuild(inputs[n], replacements)
            result = function(*inputs, **kwargs)
            value, aux = result if has_aux else (result, None)
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: the function returned {type(value).__name__}, not a tensor")
            edges = [edge_of(x) for x in own]
            create_graph = nested or (recording and value.requires_grad and _reaches_other_leaves(value._node, edges))
            found: dict[Any, Any] = {}
            if value.requires_grad:
                found = pull_back(
                    roots_of("grad", [value], [None], create_graph), edges, retain_graph=create_graph, create_graph=create_graph
                )
            gradients = [gradient_of(x, found.get(edge), create_graph) for x, edge in zip(own, edges, strict=True)]
        values = iter(gradients)
        structured = tuple(rebuild(inputs[n], values) for n in chosen)
        out = value if create_graph else value.detach()
        return ((out, aux) if has_aux else out), (structured[0] if isinstance(argnums, int) else structured)

    return differentiated


def _reaches_other_leaves(edge: Any, own: list[Any]) -> bool:
    """Whether a tensor other than ``own`` is behind the node: one that the function closes over, or that made its arguments."""
    mine = {id(x) for x in own}
    return any(isinstance(behind, Tensor) and id(behind) not in mine for node in reachable([edge]) for behind in node.edges)


def gradient_of(x: Tensor, g: Any, create_graph: bool) -> Tensor:
    """The gradient found, or zeros where the value does not depend on ``x``."""
    if g is None:
        return Tensor(x.backend.xp.zeros(x.shape, dtype=x._array.dtype), x.backend)
    return g if create_graph else Tensor(g, x.backend)


def grad(function: Callable[..., Any], argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that returns the gradient of ``function`` by the arguments ``argnums``; see :func:`value_and_grad`.

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
