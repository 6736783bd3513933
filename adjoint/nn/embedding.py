"""Embedding tables, looked up by index, as layers."""

from __future__ import annotations

from typing import Any, Self

from ..autograd import Tensor, no_grad
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty
from . import functional, init
from .functional.embedding import row_of
from .module import Module
from .parameter import Parameter

__all__ = ["Embedding", "EmbeddingBag"]


class _Table(Module):
    """The table, its initial values and the constraints on its rows."""

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
        table = empty(num_embeddings, embedding_dim, device=device, dtype=dtype) if weight is None else weight
        self.weight = Parameter(table, requires_grad=not freeze)
        if weight is None:
            self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table from the standard normal distribution, with 0 in the row of ``padding_idx``."""
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
    """Rows of a table by their indices: integers of any shape (…) to (…, embedding_dim).

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the length of a row.
        padding_idx: a row that starts as 0 and gets no gradient; negative counts from the end.
        max_norm: rows looked up are first scaled down to this norm, in place.
        norm_type: the order of that norm.
        scale_grad_by_freq: whether to divide a row's gradient by the number of its look-ups.

    PyTorch's ``sparse`` is not offered.

    Attributes:
        weight: the table, (num_embeddings, embedding_dim), initially from the standard normal distribution.

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
        """A layer that shares the memory of a table.

        Args:
            embeddings: the table, (rows, columns).
            freeze: whether the table is not trainable.
            padding_idx, max_norm, norm_type, scale_grad_by_freq: as in the constructor.

        Raises ``ValueError`` if the table does not have two axes.
        """
        shape = _shape_of("from_pretrained", embeddings)
        return cls(*shape, padding_idx, max_norm, norm_type, scale_grad_by_freq, _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        options = {
            "padding_idx": (self.padding_idx, None),
            "max_norm": (self.max_norm, None),
            "norm_type": (self.norm_type, 2),
            "scale_grad_by_freq": (self.scale_grad_by_freq, False),
        }
        changed = "".join(f", {name}={value}" for name, (value, default) in options.items() if value != default)
        return f"{self.num_embeddings}, {self.embedding_dim}{changed}"


class EmbeddingBag(_Table):
    """The sum, mean or maximum over each bag of rows of a table: to (B, embedding_dim).

    Args:
        num_embeddings: the number of rows.
        embedding_dim: the length of a row.
        max_norm, norm_type, scale_grad_by_freq: as in :class:`Embedding`.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        include_last_offset: whether ``offsets`` ends with the end of the last bag.
        padding_idx: a row that does not count.

    Inputs and errors are those of :func:`~adjoint.nn.functional.embedding_bag`; the table is :class:`Embedding`'s.
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
        """A layer that shares the memory of a table.

        Args:
            embeddings: the table, (rows, columns).
            freeze: whether the table is not trainable.
            max_norm, norm_type, scale_grad_by_freq, mode, include_last_offset, padding_idx: as in the constructor.

        Raises ``ValueError`` if the table does not have two axes.
        """
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
