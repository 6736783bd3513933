"""Layers that drop elements or channels at random in training, and return their input in evaluation."""

from __future__ import annotations

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .functional.dropout import check_probability
from .layer import FunctionLayer

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class Dropout(FunctionLayer):
    """In training, each element is 0 with probability ``p``, else divided by 1 - p. Srivastava et al. (2014).

    Raises ``ValueError`` if ``p`` is not within [0, 1].
    """

    _function = staticmethod(functional.dropout)

    @reads_numbers
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        check_probability("Dropout", p)
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout1d(Dropout):
    """:class:`Dropout` of whole channels of (N, C, L) or (C, L)."""

    _function = staticmethod(functional.dropout1d)


class Dropout2d(Dropout):
    """:class:`Dropout` of whole channels of (N, C, H, W)."""

    _function = staticmethod(functional.dropout2d)


class Dropout3d(Dropout):
    """:class:`Dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W)."""

    _function = staticmethod(functional.dropout3d)


class AlphaDropout(Dropout):
    """:class:`Dropout` to SELU's lower limit, which preserves mean 0 and variance 1. Klambauer et al. (2017)."""

    _function = staticmethod(functional.alpha_dropout)


class FeatureAlphaDropout(Dropout):
    """:class:`AlphaDropout` of whole channels of (N, C, …), each with probability ``p``."""

    _function = staticmethod(functional.feature_alpha_dropout)
