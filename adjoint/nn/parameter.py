"""``Parameter``: a tensor that a module learns."""

from __future__ import annotations

from ..autograd import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that a :class:`~adjoint.nn.Module` lists among its parameters when it is one of its attributes.

    Shares memory with ``data``. Requires a gradient unless ``requires_grad=False``.

    Raises:
        TypeError: ``data`` is not a tensor, or is of integers and ``requires_grad``.

    >>> import adjoint as ad
    >>> Parameter(ad.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __init__(self, data: Tensor, requires_grad: bool = True) -> None:
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: holds a tensor, not {type(data).__name__}; make one with ad.tensor(…)")
        super().__init__(data._array, data.backend)
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
