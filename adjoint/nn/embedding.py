"""Layers of tables to look vectors up in, and the bilinear map."""

from __future__ import annotations

import math
from typing import Any, Self

from ..autograd import Tensor, no_grad
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty
from . import functional, init
from .functional.embedding import row_of
from .module import Module
from .parameter import Parameter

__all__ = ["Bilinear", "Embedding", "EmbeddingBag"]


class _Table(Module):
    """What both layers share: the table, its initial values, and how its rows are limited."""

    weight: Parameter

    @reads_numbers
    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        max_norm: float | None,
        norm_type: float,
        scale_grad_by_freq: bool,
        weight: Tensor | None,
        freeze: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = row_of(type(self).__name__, padding_idx, num_embeddings)
        self.max_norm, self.norm_type, self.scale_grad_by_freq = max_norm, norm_type, scale_grad_by_freq
        given = empty(num_embeddings, embedding_dim, device=device, dtype=dtype) if weight is None else weight
        self.weight = Parameter(given, requires_grad=not freeze)
        if weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew from the standard normal distribution, but 0 in the row of ``padding_idx``."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0


def _shape_of(name: str, embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise ValueError(f"{name}: the embeddings have shape {embeddings.shape}; they must be (rows, columns)")
    rows, columns = embeddings.shape
    return rows, columns


class Embedding(_Table):
    """Rows of a table by their numbers: integers of any shape (…) to (…, embedding_dim).

    Arguments are :func:`~adjoint.nn.functional.embedding`'s; PyTorch's ``sparse`` is not offered.

    Attributes:
        weight: the table, (num_embeddings, embedding_dim), from the standard normal distribution at first; 0 in the row of
            ``padding_idx``, which is not learned.

    >>> Embedding(3, 4, padding_idx=-1)
    Embedding(3, 4, padding_idx=2)
    """

    @reads_numbers
    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        *,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight, _freeze, device, dtype
        )

    @classmethod
    @reads_numbers
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
    ) -> Self:
        """A layer around a table (rows, columns), whose memory it shares; ``freeze`` leaves it unlearned."""
        shape = _shape_of("from_pretrained", embeddings)
        return cls(*shape, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        facts = {
            "padding_idx": (self.padding_idx, None),
            "max_norm": (self.max_norm, None),
            "norm_type": (self.norm_type, 2),
            "scale_grad_by_freq": (self.scale_grad_by_freq, False),
        }
        said = "".join(f", {name}={value}" for name, (value, default) in facts.items() if value != default)
        return f"{self.num_embeddings}, {self.embedding_dim}{said}"


class EmbeddingBag(_Table):
    """The sum, mean or largest of the rows of each bag: to (B, embedding_dim).

    Arguments are :func:`~adjoint.nn.functional.embedding_bag`'s, the table is :class:`Embedding`'s.
    """

    @reads_numbers
    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        *,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight, _freeze, device, dtype
        )
        self.mode, self.include_last_offset = mode, include_last_offset

    @classmethod
    @reads_numbers
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        *,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """A layer around a table (rows, columns), whose memory it shares; ``freeze`` leaves it unlearned."""
        return cls(
            *_shape_of("from_pretrained", embeddings),
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            _weight=embeddings,
            _freeze=freeze,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return functional.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            per_sample_weights=per_sample_weights,
            include_last_offset=self.include_last_offset,
            padding_idx=self.padding_idx,
        )

    def extra_repr(self) -> str:
        limits = "" if self.max_norm is None else f", max_norm={self.max_norm!r}"
        limits += "" if self.norm_type == 2 else f", norm_type={self.norm_type!r}"
        limits += ", scale_grad_by_freq=True" if self.scale_grad_by_freq else ""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{limits}, mode={self.mode!r}{padding}"


class Bilinear(Module):
    """y_k = input1^T weight_k input2 + bias_k: (…, in1_features) and (…, in2_features) to (…, out_features).

    Attributes:
        weight: (out_features, in1_features, in2_features), evenly within ±1/sqrt(in1_features) at first, as is the bias.
        bias: (out_features,), or None with ``bias=False``.
    """

    @reads_numbers
    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"Bilinear: in1_features is above 0, not {in1_features}")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values anew."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )
