"""Attention as a function."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.creation import arange
from .dropout import dropout

NEVER = float("-inf")


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
    """softmax(``scale`` query key^T + mask) value: (…, L, E), (…, S, E), (…, S, V) to (…, L, V), batch axes broadcast.

    Vaswani et al., "Attention Is All You Need" (2017).

    Args:
        attn_mask: broadcasts to (…, L, S); booleans, True where a query attends to a key, or numbers that are added to the scores.
            A query that attends to no key gives 0.
        dropout_p: each weight is dropped with this probability, in evaluation too: give 0 there.
        is_causal: query i attends to the keys 0 to i; without ``attn_mask``.
        scale: 1 / sqrt(E) where it is None.
        enable_gqa: key and value may have fewer heads, axis -3, each shared by as many of the query's.

    Raises ``ValueError`` where shapes do not fit, ``TypeError`` on a mask of integers.

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
    if is_causal:
        if attn_mask is not None:
            raise ValueError(f"{name}: attn_mask and is_causal are both given; leave one out")
        attn_mask = _causal(query, key)
    weights, without = attention_weights(query, key, attn_mask, scale)
    out = dropout(weights, dropout_p) @ value
    return out if without is None else f.where(without, 0.0, out)


def _causal(query: Tensor, key: Tensor) -> Tensor:
    rows, columns = (arange(x.shape[-2], device=query.backend) for x in (query, key))
    return f.unsqueeze(rows, 1) >= columns


def attention_weights(query: Tensor, key: Tensor, mask: Tensor | None, scale: float | None = None) -> tuple[Tensor, Tensor | None]:
    """softmax(``scale`` query key^T + mask), and where there is a mask, which queries it keeps from every key.

    The weights of these are as if they had no mask: what is made of them is to be set to 0.
    """
    if scale is None:
        scale = query.shape[-1] ** -0.5 if query.shape[-1] else 1.0
    scores = (query * scale) @ key.mT
    if not scores.shape[-1]:
        return scores, None
    if mask is None:
        return f.softmax(scores), None
    bias = additive(mask, query, True)
    without = f.amax(bias.detach(), -1, True) == NEVER
    return f.softmax(scores + f.where(without, 0.0, bias)), without


def additive(mask: Tensor, like: Tensor, attends: bool) -> Tensor:
    """A mask as numbers to be added to scores, where its booleans, if it has these, say ``attends`` of a query and a key."""
    if mask.dtype.kind == "float":
        return mask
    if mask.dtype.kind != "bool":
        raise TypeError(f"attention: the mask is {mask.dtype}; it must be of booleans, or of numbers that are added to the scores")
    return f.where(mask, *((0.0, NEVER) if attends else (NEVER, 0.0))).to(like.dtype)
