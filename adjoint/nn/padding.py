"""Padding as layers, over the last one, two or three axes of (N, C, *size) or (C, *size); see :func:`functional.pad`."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d",
    "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """A layer declared by the number of axes that it pads, and the mode of :func:`functional.pad`."""

    axes: int
    mode: str

    @reads_numbers
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self.axes) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self.axes:
            raise ValueError(f"{type(self).__name__}: padding must be one integer or {2 * self.axes}, not {self.padding}")

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    @reads_numbers
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Pad the last axis with ``value``; ``padding`` is an integer or (before, after), negative to crop."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Pad the last two axes with ``value``; ``padding`` is an integer or (left, right, top, bottom), negative to crop.

    >>> import adjoint as ad
    >>> ConstantPad2d((1, 0, 0, 1), 7.0)(ad.zeros(1, 1, 2))
    tensor([[[7., 0., 0.],
             [7., 7., 7.]]])
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Pad the last three axes with ``value``; ``padding`` is an integer or a pair per axis, the last axis first."""

    axes = 3


class ZeroPad1d(_Pad):
    """Pad the last axis with zeros; ``padding`` is :class:`ConstantPad1d`'s."""

    axes, mode = 1, "constant"


class ZeroPad2d(_Pad):
    """Pad the last two axes with zeros; ``padding`` is :class:`ConstantPad2d`'s."""

    axes, mode = 2, "constant"


class ZeroPad3d(_Pad):
    """Pad the last three axes with zeros; ``padding`` is :class:`ConstantPad3d`'s."""

    axes, mode = 3, "constant"


class ReflectionPad1d(_Pad):
    """Pad the last axis with elements mirrored at its ends; ``padding`` is :class:`ConstantPad1d`'s."""

    axes, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Pad the last two axes with elements mirrored at their ends; ``padding`` is :class:`ConstantPad2d`'s."""

    axes, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Pad the last three axes with elements mirrored at their ends; ``padding`` is :class:`ConstantPad3d`'s."""

    axes, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Pad the last axis with its end elements; ``padding`` is :class:`ConstantPad1d`'s."""

    axes, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Pad the last two axes with their end elements; ``padding`` is :class:`ConstantPad2d`'s."""

    axes, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Pad the last three axes with their end elements; ``padding`` is :class:`ConstantPad3d`'s."""

    axes, mode = 3, "replicate"


class CircularPad1d(_Pad):
    """Pad the last axis with elements from its other end; ``padding`` is :class:`ConstantPad1d`'s."""

    axes, mode = 1, "circular"


class CircularPad2d(_Pad):
    """Pad the last two axes with elements from their other ends; ``padding`` is :class:`ConstantPad2d`'s."""

    axes, mode = 2, "circular"


class CircularPad3d(_Pad):
    """Pad the last three axes with elements from their other ends; ``padding`` is :class:`ConstantPad3d`'s."""

    axes, mode = 3, "circular"
