"""Layers that drop elements at random in training."""

from __future__ import annotations

from ..autograd import Tensor
from . import functional
from .module import Module


class Dropout(Module):
    """In training each element is 0 with probability ``p``, else divided by 1 - p; in evaluation nothing changes.

    Raises ``ValueError`` where ``p`` is not within [0, 1]. Srivastava et al., "Dropout" (2014).
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: p is a probability from 0 to 1, not {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input: Tensor) -> Tensor:
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
