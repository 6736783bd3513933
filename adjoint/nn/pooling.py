"""Pooling as layers, for one, two or three axes of size behind (N, C) or (C)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .functional.convolution import Sizes, per_axis
from .functional.pooling import OptionalSizes
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d",
    "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _MaxPool(Module):
    """What :func:`functional.max_pool1d` and its like compute; see there."""

    axes: int

    @reads_numbers
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, input: Tensor) -> Any:
        pool = getattr(functional, f"max_pool{self.axes}d")
        return pool(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """The largest element of every window: (N, C, L) or (C, L) to (N, C, count) or (C, count)."""

    axes = 1


class MaxPool2d(_MaxPool):
    """The largest element of every window: (N, C, H, W) or (C, H, W) to (N, C, *count) or (C, *count).

    >>> import adjoint as ad
    >>> MaxPool2d(2)(ad.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    axes = 2


class MaxPool3d(_MaxPool):
    """The largest element of every window: (N, C, D, H, W) or (C, D, H, W) to (N, C, *count) or (C, *count)."""

    axes = 3


class _MaxUnpool(Module):
    """What :func:`functional.max_unpool1d` and its like compute; see there."""

    axes: int

    @reads_numbers
    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, self.axes)
        self.stride = self.kernel_size if stride is None else per_axis(name, "stride", stride, self.axes)
        self.padding = per_axis(name, "padding", padding, self.axes, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Any:
        unpool = getattr(functional, f"max_unpool{self.axes}d")
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Maxima put back to where :class:`MaxPool1d` found them, among zeros."""

    axes = 1


class MaxUnpool2d(_MaxUnpool):
    """Maxima put back to where :class:`MaxPool2d` found them, among zeros."""

    axes = 2


class MaxUnpool3d(_MaxUnpool):
    """Maxima put back to where :class:`MaxPool3d` found them, among zeros."""

    axes = 3


class _AvgPool(Module):
    """What :func:`functional.avg_pool2d` and its like compute; see there."""

    axes: int

    @reads_numbers
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Any:
        pool = getattr(functional, f"avg_pool{self.axes}d")
        how = (self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)
        return pool(input, *how, self.divisor_override)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """The mean of every window: (N, C, L) or (C, L) to (N, C, count) or (C, count)."""

    axes = 1

    @reads_numbers
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        window = per_axis("AvgPool1d", "kernel_size", kernel_size, 1)
        step = window if stride is None else per_axis("AvgPool1d", "stride", stride, 1)
        super().__init__(window, step, per_axis("AvgPool1d", "padding", padding, 1, 0), ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of every window: (N, C, H, W) or (C, H, W) to (N, C, *count) or (C, *count)."""

    axes = 2


class AvgPool3d(_AvgPool):
    """The mean of every window: (N, C, D, H, W) or (C, D, H, W) to (N, C, *count) or (C, *count)."""

    axes = 3


class _LPPool(Module):
    """What :func:`functional.lp_pool1d` and its like compute; see there."""

    axes: int

    @reads_numbers
    def __init__(self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def forward(self, input: Tensor) -> Any:
        pool = getattr(functional, f"lp_pool{self.axes}d")
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


class LPPool1d(_LPPool):
    """(sum of x^p)^(1/p) of every window, p being ``norm_type``: (N, C, L) or (C, L) to (N, C, count) or (C, count)."""

    axes = 1


class LPPool2d(_LPPool):
    """(sum of x^p)^(1/p) of every window, p being ``norm_type``: (N, C, H, W) or (C, H, W) to (N, C, *count) or (C, *count)."""

    axes = 2


class LPPool3d(_LPPool):
    """(sum of x^p)^(1/p) of every window, p being ``norm_type``, over the last three axes."""

    axes = 3


class _AdaptiveAvgPool(Module):
    """What :func:`functional.adaptive_avg_pool1d` and its like compute; see there."""

    axes: int

    @reads_numbers
    def __init__(self, output_size: OptionalSizes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Any:
        return getattr(functional, f"adaptive_avg_pool{self.axes}d")(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of ``output_size`` windows that cover the last axis."""

    axes = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of windows that cover the last two axes, as many as ``output_size`` says; None keeps an axis as it is."""

    axes = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of windows that cover the last three axes, as many as ``output_size`` says; None keeps an axis as it is."""

    axes = 3


class _AdaptiveMaxPool(Module):
    """What :func:`functional.adaptive_max_pool1d` and its like compute; see there."""

    axes: int

    @reads_numbers
    def __init__(self, output_size: OptionalSizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:
        return getattr(functional, f"adaptive_max_pool{self.axes}d")(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maxima of ``output_size`` windows that cover the last axis."""

    axes = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maxima of windows that cover the last two axes, as many as ``output_size`` says; None keeps an axis as it is."""

    axes = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maxima of windows that cover the last three axes, as many as ``output_size`` says; None keeps an axis as it is."""

    axes = 3
