"""``one_hot``: class indices as vectors of zeros and ones."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd.arguments import reads_numbers
from ...autograd.creation import arange
from ...autograd.functions.indexing import ends

__all__ = ["one_hot"]


@reads_numbers
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """1 at each class index and 0 elsewhere, along a new last axis: integers (…) to int64 (…, ``num_classes``).

    ``num_classes`` is the largest index + 1 by default. Raises ``TypeError`` on indices that are not integers, ``ValueError`` on
    one that is negative or not below ``num_classes``.

    >>> import adjoint as ad
    >>> one_hot(ad.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype.kind not in ("int", "uint"):
        raise TypeError(f"one_hot: class indices must be integers, not {tensor.dtype}; convert them with .long()")
    if tensor.numel() == 0:
        if num_classes < 1:
            raise ValueError("one_hot: the number of classes cannot be inferred from an empty tensor; pass num_classes")
    else:
        num_classes = tensor.max().item() + 1 if num_classes == -1 else num_classes
        if not tensor.backend.truth(tensor.backend.xp.are_indices(tensor._array, num_classes)):
            low, high = ends(tensor)
            raise ValueError(f"one_hot: class indices must be from 0 to {num_classes - 1}, and one is {low if low < 0 else high}")
    return (tensor.unsqueeze(-1) == arange(num_classes, dtype=tensor.dtype, device=tensor.backend)).long()
