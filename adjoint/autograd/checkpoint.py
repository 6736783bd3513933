"""``checkpoint``: compute a part of the forward pass again in the backward pass, rather than keep what its rules read."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import GraphError
from ..lazy import LazyModule
from . import random
from .gradients import edge_of
from .graph import Node
from .modes import enable_grad, state
from .versions import check_unchanged, tick, writes

if TYPE_CHECKING:
    from . import journal, transforms
else:
    journal, transforms = LazyModule(".journal", __package__), LazyModule(".transforms", __package__)


def checkpoint(
    function: Callable[..., Any], *args: Any, use_reentrant: bool = False, preserve_rng_state: bool = True, **kwargs: Any
) -> Any:
    """``function(*args, **kwargs)`` without its intermediate values, which ``backward`` recomputes.

    Saves memory at the cost of one more forward pass; gradients of every order are bit-for-bit the same (see
    ``preserve_rng_state``). In-place writes of the function (running statistics, rows of a table) and its assignments to modules'
    attributes take effect once: the recomputation starts from the state before the first call, and the state after it is
    restored. Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016).

    Args:
        function: returns a tensor, or nested lists, tuples and dicts of them; the same at both calls.
        use_reentrant: must be False, as PyTorch recommends.
        preserve_rng_state: whether the recomputation draws the first call's numbers from the default generators. An explicit
            ``Generator`` is not rewound, so the gradients would belong to other numbers: do not draw from one.

    Raises:
        ValueError: ``use_reentrant`` is True.
        GraphError: in ``backward``, if the second call did something else, or an argument or parameter was written to in between.

    >>> import adjoint as ad
    >>> x = ad.tensor(2.0, requires_grad=True)
    >>> checkpoint(lambda x: ad.exp(x) * x, x).backward()
    >>> x.grad
    tensor(22.1672)
    """
    if use_reentrant:
        raise ValueError("checkpoint: there is no re-entrant way here, and no need of one; leave out use_reentrant=True")
    if not state.recording:
        return function(*args, **kwargs)
    recomputation = _Recomputation(function, args, kwargs, preserve_rng_state)
    with recomputation.before:
        result = recomputation.call()
    recomputation.ended = tick()
    nodes = recomputation.nodes_behind(result)
    recomputation.names, recomputation.nodes = [node.name for node in nodes], [weakref.ref(node) for node in nodes]
    for node in nodes:
        if node.plan.holds:
            node.saved = recomputation
    return result


class _Recomputation:
    """Callback that recomputes the saved values of :attr:`nodes`; nodes are weakly referenced to avoid a cycle."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, preserve_rng_state: bool) -> None:
        self.function, self.args, self.kwargs = function, args, kwargs
        self.drawn = random.get_states() if preserve_rng_state else None
        self.begun = self.ended = tick()
        self.nodes: list[weakref.ref[Node]] = []
        self.names: list[str] = []
        self.before = journal.Journal()  # of the first call
        self.read: list[Any] = transforms.leaves([list(args), kwargs])

    def call(self) -> Any:
        return self.function(*self.args, **self.kwargs)

    def nodes_behind(self, result: Any) -> list[Node]:
        """The nodes of this call that are behind ``result``, oldest first; the leaves among their inputs join :attr:`read`."""
        nodes: set[Node] = set()
        stack = [edge_of(x) for x in transforms.leaves(result)]
        while stack:
            edge = stack.pop()
            if not isinstance(edge, Node):
                self.read.append(edge)
            elif edge.time > self.begun and edge not in nodes:
                nodes.add(edge)
                stack.extend(edge.edges)
        return sorted(nodes, key=lambda node: node.time)

    def restore(self, node: Node) -> None:
        """Call the function again, and set what every node saved."""
        for x in self.read:
            write = writes.since(x.backend, x._array, self.ended)
            if write is not None and not self.before.has(x.backend, x._array):
                raise GraphError(
                    f"checkpoint: an input of the function was changed in place by '{write[0]}' at {write[1]}, so it cannot be "
                    "recomputed; use the operation that returns a new tensor"
                )
        before, begun = random.get_states(), self.begun
        try:
            if self.drawn is not None:
                random.set_states(self.drawn)
            self.begun = tick()
            with enable_grad(), self.before.former_state():
                again = self.nodes_behind(self.call())
                refused = {new: error for new in again if (error := _changed(new))}
            for new in again:
                if type(new.saved) is tuple:
                    writes.forget_since(new.backend, new.saved, self.begun)
        finally:
            random.set_states(before)
            self.begun = begun
        if [node.name for node in again] != self.names:
            raise GraphError(
                f"checkpoint: the function did {len(self.names)} operations at first and {len(again)} when backward recomputed it, "
                "or different ones; it must do the same at both calls"
            )
        replaced = dict(zip(again, self.nodes, strict=True))
        for new, reference in replaced.items():
            if isinstance(new.saved, _Recomputation):  # of a nested checkpoint, which restores the old node from now on
                new.saved.nodes = [replaced.get(inner(), inner) for inner in new.saved.nodes]  # type: ignore[arg-type]
            old = reference()
            if old is not None and old.saved is self:
                old.saved = _Refused(refused[new]) if new in refused else new.saved


def _changed(node: Node) -> GraphError | None:
    """The error to raise where a value that a node saved was written to since."""
    try:
        if type(node.saved) is tuple:
            check_unchanged(node)
    except GraphError as error:
        return error
    return None


class _Refused:
    """Placeholder for saved values that the function itself changed in place: restoring them raises the error."""

    def __init__(self, error: GraphError) -> None:
        self.error = error

    def restore(self, node: Node) -> None:
        raise self.error
