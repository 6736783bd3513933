"""``backward`` and ``grad``: from tensors to the graph behind them, and from its cotangents to gradients."""

from __future__ import annotations

from sys import getrefcount
from typing import Any

from ..backends import Array, Backend
from ..errors import BackendError, GraphError
from . import functions as f
from .graph import Edge, pull_back
from .primitive import as_input
from .tensor import Tensor
from .versions import sync_views, writes


def edge_of(tensor: Tensor) -> Edge:
    """What stands for the tensor in the graph: the node that made it, or a leaf itself."""
    return tensor if tensor._node is None else tensor._node


def one(tensor: Tensor) -> Tensor:
    """The cotangent 1 of every element; of a 0-d tensor as the backend holds single numbers."""
    backend = tensor.backend
    if not tensor.shape:
        return Tensor(backend.asarray(1.0, tensor.dtype, copy=True), backend)
    return Tensor(backend.xp.ones(tensor.shape, dtype=tensor._array.dtype), backend)


def roots_of(name: str, tensors: list[Tensor], cotangents: list[Tensor | None], create_graph: Any) -> list[tuple[Any, Any]]:
    """Each tensor's edge with its cotangent, checked."""
    roots = []
    if writes.recorded:
        sync_views(name, tensors)
    for tensor, g in zip(tensors, cotangents, strict=True):
        if not tensor._requires_grad:
            raise GraphError(
                f"{name}: the tensor has no graph: nothing it was computed from requires a gradient, or it was made under no_grad()"
            )
        if g is None:
            if tensor.numel() != 1:
                raise GraphError(
                    f"{name}: a non-scalar tensor requires its cotangent (gradient=) of shape {tensor.shape}; or reduce it to a "
                    "scalar with .sum() or .mean() first"
                )
            g = one(tensor)
        else:
            g = as_input(name, g)
            if not isinstance(g, Tensor):
                raise TypeError(f"{name}: a cotangent is a tensor, not {type(g).__name__}")
            if g.shape != tensor.shape:
                raise ValueError(f"{name}: the cotangent has shape {g.shape} and the tensor {tensor.shape}; they must agree")
            if g.backend is not tensor.backend:
                raise BackendError(f"{name}: the cotangent is on '{g.device}' and the tensor on '{tensor.device}'")
            g = f.cast(g, tensor.dtype)
        roots.append((edge_of(tensor), g if create_graph else g._array))
    return roots


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: Any = None, create_graph: Any = False, *, inputs: Any = None
) -> None:
    """Accumulate the gradients of ``tensors`` in the ``grad`` of the leaves behind them, as ``torch.autograd.backward`` does.

    Args:
        tensors: a tensor or several.
        grad_tensors: a cotangent for each tensor, of its shape; None where the tensor has one element.
        retain_graph: keep the graph for another backward pass. Default: ``create_graph``.
        create_graph: record the computation of the gradients, for derivatives of higher order.
        inputs: the only leaves to accumulate in; None for all.

    Raises ``ValueError`` if the numbers of tensors and cotangents differ.
    """
    outs = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    cotangents = [grad_tensors] if isinstance(grad_tensors, Tensor) else list(grad_tensors or [None] * len(outs))
    if len(cotangents) != len(outs):
        raise ValueError(f"backward: {len(cotangents)} cotangents for {len(outs)} tensors; give one for each, or none")
    roots = roots_of("backward", outs, cotangents, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        for leaf_tensor, g in pull_back(roots, retain_graph=retain, create_graph=create_graph).items():
            accumulate(leaf_tensor, g, create_graph)
        return
    requested = {edge_of(x): x for x in ([inputs] if isinstance(inputs, Tensor) else inputs)}
    for edge, g in pull_back(roots, list(requested), retain_graph=retain, create_graph=create_graph).items():
        accumulate(requested[edge], g, create_graph)


class GradientBuffer:
    """A leaf's place in the memory that an optimizer keeps for gradients: :attr:`tensor`, a view of ``owner``.

    It is free while nobody holds a gradient in it, or a view of one: while there are as many references to both as when
    :meth:`mark_free` was called, with everything in place and no gradient out.
    """

    __slots__ = ("at_rest", "owner", "tensor")

    def __init__(self, array: Array, backend: Backend) -> None:
        self.tensor, self.owner, self.at_rest = Tensor(array, backend), backend.owner(array), (0, 0)

    def mark_free(self) -> None:
        """Take the present references as those of a free buffer."""
        self.at_rest = self._references()

    def allow(self, references: int) -> None:
        """Not to count so many references to the owner, which are no gradient's."""
        self.at_rest = self.at_rest[0], self.at_rest[1] + references

    def taken(self, leaf: Tensor, g: Array) -> Array:
        """The first cotangent of a leaf that has no gradient yet, in this memory where it is free; else as it is."""
        if leaf.grad is not None or not self.free():
            return g
        array = self.tensor._array
        array[...] = g
        return array

    def free(self) -> bool:
        return self._references() == self.at_rest

    def _references(self) -> tuple[int, int]:
        return getrefcount(self.tensor._array), getrefcount(self.owner)


def accumulate(leaf_tensor: Tensor, g: Any, create_graph: Any) -> None:
    """Add ``g`` to the leaf's ``grad``, in the buffer an optimizer keeps for it where there is one.

    A buffer in which someone still holds an earlier gradient is left alone.
    """
    if leaf_tensor.grad is not None and leaf_tensor.grad.shape != leaf_tensor.shape:
        raise ValueError(
            f"backward: the tensor's grad has shape {leaf_tensor.grad.shape} and the tensor {leaf_tensor.shape}; the gradient can "
            "not be added to it, set it to None or to a tensor of that shape"
        )
    if create_graph:
        leaf_tensor.grad = f.clone(g) if leaf_tensor.grad is None else leaf_tensor.grad + g
        return
    backend, buffer = leaf_tensor.backend, leaf_tensor._grad_buffer
    if leaf_tensor.grad is not None:
        gradient = leaf_tensor.grad._array
        if leaf_tensor.grad._node is None and hasattr(gradient, "__setitem__") and gradient.dtype == g.dtype:
            gradient += g
            writes.note(backend, gradient, "backward")
        else:
            leaf_tensor.grad = Tensor(gradient + g, backend)
    elif buffer is not None and (g is buffer.tensor._array or buffer.free()):
        array = buffer.tensor._array
        if g is not array:
            array[...] = g
        leaf_tensor.grad = Tensor(array, backend)
    else:  # the walk may share g among leaves, which matters where it can be written to
        leaf_tensor.grad = Tensor(backend.xp.asarray(g, copy=True) if hasattr(g, "__setitem__") else g, backend)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: Any = None,
    create_graph: Any = False,
    allow_unused: Any = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of ``outputs`` with respect to ``inputs``, as ``torch.autograd.grad``; no ``grad`` changes.

    Args:
        outputs: a tensor or several.
        inputs: a tensor or several that require a gradient.
        grad_outputs: a cotangent for each output, of its shape; None where the output has one element.
        retain_graph: keep the graph for another backward pass. Default: ``create_graph``.
        create_graph: record the computation of the gradients, for derivatives of higher order.
        allow_unused: give None for an input on which the outputs do not depend, instead of raising.
        materialize_grads: give zeros for such an input.

    Returns:
        A tuple with one gradient per input, of its shape and dtype.

    Raises :class:`GraphError` if an input does not require a gradient, or the outputs do not depend on it.
    """
    outs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    ins = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    cotangents = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs or [None] * len(outs))
    for x in ins:
        if not x._requires_grad:
            raise GraphError("grad: an input does not require a gradient; set requires_grad=True before it is used")
    edges = [edge_of(x) for x in ins]
    gradients = pull_back(
        roots_of("grad", outs, cotangents, create_graph),
        edges,
        retain_graph=create_graph if retain_graph is None else retain_graph,
        create_graph=create_graph,
    )
    result: list[Tensor | None] = []
    for i, (x, edge) in enumerate(zip(ins, edges, strict=True)):
        g = gradients.get(edge)
        if g is None and materialize_grads:
            result.append(Tensor(x.backend.xp.zeros(x.shape, dtype=x._array.dtype), x.backend))
            continue
        if g is None and not allow_unused:
            raise GraphError(f"grad: input {i} (shape {x.shape}) is not behind the outputs; allow_unused=True gives None for it")
        result.append(g if g is None or create_graph else Tensor(g, x.backend))
    return tuple(result)
