"""``GradientTape``: TensorFlow's way to ask the same graph for gradients."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from ..errors import GraphError
from .gradients import edge_of, one, roots_of
from .graph import pull_back
from .modes import enable_grad, state
from .tensor import Tensor
from .transforms import gradient_of, jacobians, leaves, rebuild


class GradientTape:
    """Record what happens in a ``with`` block, then ask for gradients.

    Inside another tape's block, the computation of the gradient is itself recorded.

    Args:
        persistent: allow several calls of :meth:`gradient` and :meth:`jacobian` instead of one.
        watch_accessed_variables: watch all tensors with ``requires_grad``; otherwise only those given to :meth:`watch`.

    >>> import adjoint as ad
    >>> x = ad.tensor(3.0)
    >>> with ad.GradientTape() as tape:
    ...     tape.watch(x)
    ...     y = x * x
    >>> tape.gradient(y, x)
    tensor(6.)
    """

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self.persistent = persistent
        self.watch_accessed_variables = watch_accessed_variables
        self._watched: list[Tensor] = []  # held as made differentiable by this tape, to be put back when it closes
        self._named: dict[int, Tensor] = {}
        self._open = self._spent = False
        self._recording = enable_grad()

    def __enter__(self) -> GradientTape:
        if self._open:
            raise GraphError("GradientTape: this tape is recording already; make another one")
        self._open = True
        self._recording.__enter__()
        state.transforms += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open = False
        state.transforms -= 1
        self._recording.__exit__(kind, error, trace)
        for tensor in self._watched:
            tensor._requires_grad = tensor._node is not None
        self._watched.clear()

    def watch(self, tensor: Any) -> None:
        """Record operations on ``tensor``, or on each in a list, tuple or dict, from here to the end of the block.

        Raises :class:`GraphError` outside the block, ``TypeError`` on integers.
        """
        if not self._open:
            raise GraphError("GradientTape: watch works inside the tape's with block")
        for leaf in leaves(tensor):
            self._named[id(leaf)] = leaf
            if not leaf.requires_grad:
                leaf.requires_grad = True
                self._watched.append(leaf)

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: str = "none") -> Any:
        """The gradient of the sum of ``target`` with respect to ``sources``, in their structure.

        Args:
            target: a tensor, or nested lists, tuples and dicts of tensors.
            sources: the same; tensors that the tape watched.
            output_gradients: weights of the target's elements in the sum, in the target's structure.
            unconnected_gradients: ``"none"`` gives None for a source on which the target does not depend, ``"zero"`` zeros.

        Raises:
            GraphError: the tape is not persistent and was used before.
            ValueError: ``unconnected_gradients`` is something else, or the ``output_gradients`` do not match the target.
        """
        if unconnected_gradients not in ("none", "zero"):
            raise ValueError(f"GradientTape: unconnected_gradients is 'none' or 'zero', not {unconnected_gradients!r}")
        self._spend()
        targets, inputs = leaves(target), leaves(sources)
        weights: list[Any] = [None] * len(targets) if output_gradients is None else leaves(output_gradients)
        if len(weights) != len(targets):
            raise ValueError(f"GradientTape: {len(weights)} output_gradients for {len(targets)} targets; give one for each")
        create_graph = state.transforms > 0
        roots: list[Any] = []
        for tensor, weight in zip(targets, weights, strict=True):
            if tensor.requires_grad or tensor._node is not None:
                roots += roots_of("gradient", [tensor], [one(tensor) if weight is None else weight], create_graph)
        edges = self._edges(inputs)
        with enable_grad():
            cotangents = pull_back(roots, edges, retain_graph=self.persistent or create_graph, create_graph=create_graph)
        gradients: list[Tensor | None] = []
        for x, edge in zip(inputs, edges, strict=True):
            g = cotangents.get(edge)
            none = g is None and unconnected_gradients == "none"
            gradients.append(None if none else gradient_of(x, g, create_graph))
        return rebuild(sources, iter(gradients))

    def _edges(self, inputs: list[Tensor]) -> list[Any]:
        """What stands for the inputs in the graph; None for one that is not watched."""
        watches = self.watch_accessed_variables
        return [edge_of(x) if watches or id(x) in self._named else None for x in inputs]

    def _spend(self) -> None:
        if self._spent:
            raise GraphError("GradientTape: this tape has given its gradient; make it with persistent=True to ask again")
        self._spent = not self.persistent

    def jacobian(self, target: Tensor, sources: Any) -> Any:
        """The derivative of each element of ``target`` by each of ``sources``, in their structure: of shape target's + source's.

        A source on which the target does not depend gives None. Takes one backward pass per element of the target.
        """
        self._spend()
        inputs = leaves(sources)
        with enable_grad():
            rows = jacobians("jacobian", target, self._edges(inputs), state.transforms > 0)
        shaped = [None if j is None else j.reshape(target.shape + x.shape) for x, j in zip(inputs, rows, strict=True)]
        return rebuild(sources, iter(shaped))
