"""Padding as layers, for one, two or three axes of size behind (N, C) or (C)."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .module import Module

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d",
    "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Module):
    """``padding`` at each end of the last ``axes`` axes: one number for all, or a pair an axis, the last axis first."""

    axes: int
    mode: str

    @reads_numbers
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self.axes) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self.axes:
            raise ValueError(f"{type(self).__name__}: padding is one number or {2 * self.axes}, not {self.padding}")

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
    """``value`` at both ends of the last axis."""

    axes = 1


class ConstantPad2d(_ConstantPad):
    """``value`` around the last two axes.

    >>> import adjoint as ad
    >>> ConstantPad2d((1, 0, 0, 1), 7.0)(ad.zeros(1, 1, 2))
    tensor([[[7., 0., 0.],
             [7., 7., 7.]]])
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """``value`` around the last three axes."""

    axes = 3


class _ZeroPad(_Pad):
    mode = "constant"


class ZeroPad1d(_ZeroPad):
    """Zeros at both ends of the last axis."""

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around the last two axes."""

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around the last three axes."""

    axes = 3


class _ReflectionPad(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPad):
    """What lies inside, mirrored at the last axis' ends."""

    axes = 1


class ReflectionPad2d(_ReflectionPad):
    """What lies inside, mirrored at the last two axes' ends."""

    axes = 2


class ReflectionPad3d(_ReflectionPad):
    """What lies inside, mirrored at the last three axes' ends."""

    axes = 3


class _ReplicationPad(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPad):
    """The last axis' end elements, repeated."""

    axes = 1


class ReplicationPad2d(_ReplicationPad):
    """The last two axes' end elements, repeated."""

    axes = 2


class ReplicationPad3d(_ReplicationPad):
    """The last three axes' end elements, repeated."""

    axes = 3


class _CircularPad(_Pad):
    mode = "circular"


class CircularPad1d(_CircularPad):
    """What lies at the other end of the last axis."""

    axes = 1


class CircularPad2d(_CircularPad):
    """What lies at the other ends of the last two axes."""

    axes = 2


class CircularPad3d(_CircularPad):
    """What lies at the other ends of the last three axes."""

    axes = 3
