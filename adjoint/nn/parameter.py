"""``Parameter``: a trainable tensor of a module."""

from __future__ import annotations

from ..autograd import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A trainable tensor: as an attribute of a :class:`~adjoint.nn.Module`, it is one of the module's parameters.

    Shares memory with ``data``. Requires a gradient unless ``requires_grad=False``.

    Raises ``TypeError`` if ``data`` is not a tensor, or requires a gradient and is not floating-point.

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
