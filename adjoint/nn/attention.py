"""Multi-head attention, and the transformer encoder."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ..autograd import Tensor, functions as f
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty
from . import functional, init
from .containers import ModuleList
from .dropout import Dropout
from .functional.attention import additive, attention_weights
from .linear import Linear
from .module import Module
from .normalization import LayerNorm
from .parameter import Parameter

__all__ = ["MultiheadAttention", "TransformerEncoder", "TransformerEncoderLayer"]


class MultiheadAttention(Module):
    """Scaled dot-product attention in ``num_heads`` heads of E / num_heads columns each. Vaswani et al. (2017).

    Args:
        embed_dim: E, the embedding dimension of query and output.
        num_heads: the number of heads, which divides E.
        dropout: the probability of dropping a weight in training.
        bias: whether the projections have a bias.
        add_bias_kv, add_zero_attn: PyTorch's; not offered.
        kdim, vdim: the embedding dimensions of key and value; E if None.
        batch_first: whether inputs are (N, L, E) and (N, S, E) instead of (L, N, E) and (S, N, E). Without a batch: (L, E), (S, E).

    Attributes:
        in_proj_weight: (3 E, E), the projections of query, key and value; None if ``kdim`` or ``vdim`` is not E, and then there are
            ``q_proj_weight``, ``k_proj_weight`` and ``v_proj_weight``.
        in_proj_bias: (3 E,), or None.
        out_proj: the projection of the heads' output.

    Raises ``ValueError`` if ``num_heads`` does not divide E, or for what is not offered.
    """

    @reads_numbers
    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ValueError(f"MultiheadAttention: num_heads={num_heads} must divide embed_dim={embed_dim}")
        if add_bias_kv or add_zero_attn:
            raise ValueError("MultiheadAttention: add_bias_kv and add_zero_attn are not offered; leave them out")
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        factory = {"device": device, "dtype": dtype}
        together = self.kdim == self.vdim == embed_dim
        self.in_proj_weight = Parameter(empty(3 * embed_dim, embed_dim, **factory)) if together else None
        self.q_proj_weight = None if together else Parameter(empty(embed_dim, embed_dim, **factory))
        self.k_proj_weight = None if together else Parameter(empty(embed_dim, self.kdim, **factory))
        self.v_proj_weight = None if together else Parameter(empty(embed_dim, self.vdim, **factory))
        self.in_proj_bias = Parameter(empty(3 * embed_dim, **factory)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, **factory)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the input projections Xavier-uniform, and set all biases to 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Attend to ``value`` by the similarity of ``query`` and ``key``.

        Args:
            query: (L, N, E), or (N, L, E) with ``batch_first``, or (L, E).
            key: (S, N, kdim), or likewise.
            value: (S, N, vdim), or likewise.
            key_padding_mask: (N, S), or (S,) without a batch: True at keys to ignore, or numbers added to the scores.
            need_weights: whether to return the weights.
            attn_mask: (L, S) or (N num_heads, L, S): True where a query must not attend to a key, or numbers added to the scores.
            average_attn_weights: whether to average the weights over the heads.
            is_causal: a hint that ``attn_mask`` is causal, which must be passed too.

        Returns the output, of the query's shape, and the weights: (N, L, S), (N, num_heads, L, S) if not averaged, or None. A query
        that attends to no key gives the projection of 0. Raises ``ValueError`` if shapes do not match.
        """
        batched = self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise ValueError("MultiheadAttention: is_causal is a hint about attn_mask, which is missing; pass the mask too")
        q, k, v = self._projected(query, key, value, batched)
        mask = self._mask(key_padding_mask, attn_mask, q, k, batched)
        p = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = functional.dropout(attention_weights(q, k, mask), p)
            heads = weights @ v
            weights = f.mean(weights, 1) if average_attn_weights else weights
            weights = weights if batched else f.squeeze(weights, 0)
        else:
            heads = functional.scaled_dot_product_attention(q, k, v, mask, p)
        n, length = heads.shape[0], heads.shape[2]
        out = self.out_proj(f.reshape(f.transpose(heads, 1, 2), n, length, self.embed_dim))
        return (out if self.batch_first else f.transpose(out, 0, 1)) if batched else f.squeeze(out, 0), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        """Whether there is a batch. Raises ``ValueError`` if the inputs' shapes do not match."""
        batch, ndim = 0 if self.batch_first else 1, query.ndim
        columns = self.embed_dim, self.kdim, self.vdim
        if (
            ndim not in (2, 3)
            or ndim != key.ndim
            or key.shape[:-1] != value.shape[:-1]
            or (ndim == 3 and query.shape[batch] != key.shape[batch])
            or (query.shape[-1], key.shape[-1], value.shape[-1]) != columns
        ):
            order = "(N, L, …), (N, S, …) and (N, S, …)" if self.batch_first else "(L, N, …), (S, N, …) and (S, N, …)"
            raise ValueError(
                f"MultiheadAttention: query {query.shape}, key {key.shape} and value {value.shape} must be {order}, or all without "
                f"N, of {self.embed_dim}, {self.kdim} and {self.vdim} columns"
            )
        return ndim == 3

    def _projected(self, query: Tensor, key: Tensor, value: Tensor, batched: bool) -> list[Tensor]:
        """Query, key and value, projected and split into heads: (N, num_heads, length, columns)."""
        if self.in_proj_weight is not None and query is key and key is value:
            parts = f.chunk(functional.linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1)
        else:
            each = (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight)
            weights: Any = each if self.in_proj_weight is None else f.chunk(self.in_proj_weight, 3)
            biases: Any = (None,) * 3 if self.in_proj_bias is None else f.chunk(self.in_proj_bias, 3)
            parts = tuple(map(functional.linear, (query, key, value), weights, biases))
        if not batched:
            parts = tuple(f.unsqueeze(part, 0) for part in parts)
        elif not self.batch_first:
            parts = tuple(f.transpose(part, 0, 1) for part in parts)
        columns = self.embed_dim // self.num_heads
        return [f.transpose(f.reshape(part, *part.shape[:2], self.num_heads, columns), 1, 2) for part in parts]

    def _mask(self, padding: Tensor | None, mask: Tensor | None, q: Tensor, k: Tensor, batched: bool) -> Tensor | None:
        """Both masks as one that is added to the scores and broadcasts to (N, num_heads, L, S)."""
        (n, heads, length, _), keys = q.shape, k.shape[2]
        total = None
        if mask is not None:
            one, each = (length, keys), (n * heads, length, keys)
            if mask.shape not in (one, each):
                raise ValueError(f"MultiheadAttention: attn_mask has shape {mask.shape}; it must be {one} or {each}")
            total = additive(mask, q, False)
            total = total if mask.ndim == 2 else f.reshape(total, n, heads, length, keys)
        if padding is not None:
            shape = (n, keys) if batched else (keys,)
            if padding.shape != shape:
                raise ValueError(f"MultiheadAttention: key_padding_mask has shape {padding.shape}; it must be {shape}")
            ignored = f.reshape(additive(padding, q, False), n, 1, 1, keys)
            total = ignored if total is None else total + ignored
        return total


class TransformerEncoderLayer(Module):
    """Self-attention, then a network of one hidden layer at each position, each with a residual connection and layer norm.

    y = norm1(x + attention(x)), out = norm2(y + linear2(activation(linear1(y)))); with ``norm_first`` y = x + attention(norm1(x)),
    out = y + linear2(activation(linear1(norm2(y)))). Vaswani et al. (2017).

    Args:
        d_model: the embedding dimension E.
        nhead: the number of heads, which divides E.
        dim_feedforward: the size of the hidden layer.
        dropout: the probability of dropping attention weights, hidden units, and elements of both outputs in training.
        activation: ``"relu"``, ``"gelu"`` or a function.
        layer_norm_eps: the layer norms' eps.
        batch_first: whether inputs are (N, L, E) instead of (L, N, E).
        norm_first: whether inputs are normalized instead of sums.
        bias: whether linear layers and layer norms have a bias.

    Raises ``ValueError`` on another ``activation``.
    """

    @reads_numbers
    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str | Callable[[Tensor], Tensor] = functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in ("relu", "gelu"):
            raise ValueError(f"TransformerEncoderLayer: activation must be 'relu', 'gelu' or a function, not {activation!r}")
        factory = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **factory)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **factory)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **factory)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **factory)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **factory)
        self.dropout1, self.dropout2 = Dropout(dropout), Dropout(dropout)
        self.activation: Any = getattr(functional, activation) if isinstance(activation, str) else activation

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Encode ``src``, preserving its shape; the masks are those of :meth:`MultiheadAttention.forward`."""

        def attention(x: Tensor) -> Tensor:
            out, _ = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)
            return self.dropout1(out)

        def feed_forward(x: Tensor) -> Tensor:
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        if self.norm_first:
            src = src + attention(self.norm1(src))
            return src + feed_forward(self.norm2(src))
        src = self.norm1(src + attention(src))
        return self.norm2(src + feed_forward(src))


class TransformerEncoder(Module):
    """``num_layers`` copies of a layer in sequence, with the same initial values, as in PyTorch.

    Args:
        encoder_layer: the layer to copy.
        num_layers: the number of copies.
        norm: a layer for the output; None for none.
    """

    @reads_numbers
    def __init__(self, encoder_layer: TransformerEncoderLayer, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Encode ``src``, preserving its shape; the masks are those of :meth:`MultiheadAttention.forward`."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)
