"""The adjoint of broadcasting and of promotion: cotangents are summed to their input's shape and cast to its dtype.

A rule returns its cotangent in the output's broadcast shape and any dtype. The walk back calls :func:`fit`, once for all rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .precision import wide

if TYPE_CHECKING:
    from .graph import Edge, Node


def fit(node: Node, g: Any, edge: Edge, xp: Any, create_graph: bool) -> Any:
    """The cotangent ``g`` that a rule of ``node`` returned, in the shape and dtype of the input that ``edge`` leads to."""
    like: Any = getattr(edge, "_array", edge)
    try:
        if g.shape != like.shape:
            g = sum_to(xp, g, like.shape)
        if g.dtype is like.dtype:
            return g
        dtype = edge.backend.dtypes[like.dtype] if create_graph else like.dtype
        return g if g.dtype == dtype else xp.astype(g, dtype)
    except (ValueError, AttributeError) as error:
        if hasattr(g, "_node") and not create_graph:
            raise ValueError(
                f"{node.name}: the vjp rule returned an adjoint.Tensor; compute with xp (lambda xp, g, x: …)"
            ) from error
        raise ValueError(
            f"{node.name}: its derivative rule returned {getattr(g, 'shape', type(g).__name__)} for an output of shape "
            f"{node.shape}; a rule returns arrays that broadcast to the output's shape or have the input's ({error})"
        ) from error


def sum_to(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of broadcasting from ``shape``: ``g`` summed over the axes that were added or repeated."""
    lead = g.ndim - len(shape)
    if lead == 1 and g.shape[1:] == shape:
        return xp.sum(wide(xp, g), axis=0)
    if lead < 0:  # an index_put dropped the value's leading axes of length one
        return sum_to(xp, xp.reshape(g, (1,) * -lead + g.shape), shape)
    repeated = tuple([i + lead for i, n in enumerate(shape) if n == 1 and g.shape[i + lead] != 1])
    if lead and not repeated:
        return xp.sum(wide(xp, g), axis=tuple(range(lead)))
    if repeated:
        g = xp.sum(wide(xp, g), axis=(*range(lead), *repeated), keepdims=True)
    return xp.reshape(g, shape)
