"""Attention as a function."""

from __future__ import annotations

from ...autograd import Tensor, functions as f
from ...autograd.arguments import reads_numbers
from ...autograd.rules import activations
from .dropout import dropout

__all__ = ["scaled_dot_product_attention"]

NEVER = float("-inf")


@reads_numbers
def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(``scale`` query key^T + mask) value. Vaswani et al., "Attention Is All You Need" (2017).

    Args:
        query: (…, L, E). The leading axes of all inputs broadcast.
        key: (…, S, E).
        value: (…, S, V).
        attn_mask: broadcasts to (…, L, S): booleans, True where a query attends to a key, or numbers added to the scores. A query
            that attends to no key gives 0.
        dropout_p: the probability of dropping each weight, in evaluation too: pass 0 there.
        is_causal: whether query i attends only to keys 0 to i; not with ``attn_mask``.
        scale: 1 / sqrt(E) if None.
        enable_gqa: whether key and value may have fewer heads, axis -3, each shared by equally many of the query's.

    Returns (…, L, V). Raises ``ValueError`` if shapes do not match, ``TypeError`` on an integer mask.

    >>> import adjoint as ad
    >>> x = ad.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> scaled_dot_product_attention(x, x, x, is_causal=True, scale=0.0)
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    name = "scaled_dot_product_attention"
    if min(query.ndim, key.ndim, value.ndim) < 2 or query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"{name}: the query has shape {query.shape}, the key {key.shape} and the value {value.shape}; they must be (…, L, E), "
            "(…, S, E) and (…, S, V)"
        )
    if enable_gqa:
        if min(query.ndim, key.ndim, value.ndim) < 3 or query.shape[-3] % key.shape[-3] or query.shape[-3] % value.shape[-3]:
            raise ValueError(f"{name}: {query.shape} has heads, axis -3, that those of {key.shape} and {value.shape} must divide")
        key, value = (f.repeat_interleave(x, query.shape[-3] // x.shape[-3], -3) for x in (key, value))
    if is_causal and attn_mask is not None:
        raise ValueError(f"{name}: attn_mask and is_causal exclude each other; pass one of them")
    return dropout(attention_weights(query, key, attn_mask, scale, is_causal), dropout_p) @ value


def attention_weights(
    query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None = None, is_causal: bool = False
) -> Tensor:
    """softmax(``scale`` query key^T + mask), (…, L, S); 0 for a query that attends to no key.

    Args:
        query, key: (…, L, E) and (…, S, E).
        mask, scale, is_causal: as :func:`scaled_dot_product_attention` takes them.
    """
    if scale is None:
        scale = query.shape[-1] ** -0.5 if query.shape[-1] else 1.0
    if not (query.shape[-2] and key.shape[-2]):
        return query @ key.mT
    bias = 0.0 if mask is None else additive(mask, query, True)
    return activations.attention_weights(query, key, bias, scale=scale, causal=is_causal)


def additive(mask: Tensor, like: Tensor, attends: bool) -> Tensor:
    """A mask as numbers to add to scores; a boolean one is ``attends`` where a query attends to a key."""
    if mask.dtype.kind == "float":
        return mask
    if mask.dtype.kind != "bool":
        raise TypeError(f"attention: the mask is {mask.dtype}; it must be boolean, or floating-point numbers to add to the scores")
    return f.where(mask, *((0.0, NEVER) if attends else (NEVER, 0.0))).to(like.dtype)
