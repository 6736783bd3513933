"""Pooling as layers, over the last one, two or three axes of (N, C, *size) or (C, *size).

Arguments, shapes and errors are those of the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .functional.convolution import Sizes, per_axis
from .functional.pooling import OptionalSizes
from .layer import FunctionLayer
from .module import Module

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d",
    "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip

# --- windows of a given size -------------------------------------------------------------------------------------------------


class _MaxPool(FunctionLayer):
    _arguments = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
    _shown = _arguments[:-1]

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

    def forward(self, input: Tensor) -> Any:  # a pair with return_indices
        return super().forward(input)


class MaxPool1d(_MaxPool):
    """The maximum of every window of (N, C, L) or (C, L); see :func:`~adjoint.nn.functional.max_pool1d`."""

    _function = staticmethod(functional.max_pool1d)


class MaxPool2d(_MaxPool):
    """The maximum of every window of (N, C, H, W) or (C, H, W); see :func:`~adjoint.nn.functional.max_pool2d`.

    >>> import adjoint as ad
    >>> MaxPool2d(2)(ad.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    _function = staticmethod(functional.max_pool2d)


class MaxPool3d(_MaxPool):
    """The maximum of every window of (N, C, D, H, W) or (C, D, H, W); see :func:`~adjoint.nn.functional.max_pool3d`."""

    _function = staticmethod(functional.max_pool3d)


class _AvgPool(FunctionLayer):
    _arguments = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    _shown = _arguments[:3]

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


class AvgPool1d(_AvgPool):
    """The mean of every window of (N, C, L) or (C, L); see :func:`~adjoint.nn.functional.avg_pool1d`."""

    _function = staticmethod(functional.avg_pool1d)

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
    """The mean of every window of (N, C, H, W) or (C, H, W); see :func:`~adjoint.nn.functional.avg_pool2d`."""

    _function = staticmethod(functional.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of every window of (N, C, D, H, W) or (C, D, H, W); see :func:`~adjoint.nn.functional.avg_pool3d`."""

    _function = staticmethod(functional.avg_pool3d)


class _LPPool(FunctionLayer):
    _arguments = ("norm_type", "kernel_size", "stride", "ceil_mode")

    @reads_numbers
    def __init__(self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode


class LPPool1d(_LPPool):
    """The p-norm of every window of (N, C, L) or (C, L); see :func:`~adjoint.nn.functional.lp_pool1d`."""

    _function = staticmethod(functional.lp_pool1d)


class LPPool2d(_LPPool):
    """The p-norm of every window of (N, C, H, W) or (C, H, W); see :func:`~adjoint.nn.functional.lp_pool2d`."""

    _function = staticmethod(functional.lp_pool2d)


class LPPool3d(_LPPool):
    """The p-norm of every window of (N, C, D, H, W) or (C, D, H, W); see :func:`~adjoint.nn.functional.lp_pool3d`."""

    _function = staticmethod(functional.lp_pool3d)


# --- to a given size ---------------------------------------------------------------------------------------------------------


class _AdaptiveAvgPool(FunctionLayer):
    _arguments = ("output_size",)

    @reads_numbers
    def __init__(self, output_size: OptionalSizes) -> None:
        super().__init__()
        self.output_size = output_size


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of ``output_size`` windows that cover L; see :func:`~adjoint.nn.functional.adaptive_avg_pool1d`."""

    _function = staticmethod(functional.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of ``output_size`` windows that cover (H, W); see :func:`~adjoint.nn.functional.adaptive_avg_pool2d`."""

    _function = staticmethod(functional.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of ``output_size`` windows that cover (D, H, W); see :func:`~adjoint.nn.functional.adaptive_avg_pool3d`."""

    _function = staticmethod(functional.adaptive_avg_pool3d)


class _AdaptiveMaxPool(FunctionLayer):
    _arguments, _shown = ("output_size", "return_indices"), ("output_size",)

    @reads_numbers
    def __init__(self, output_size: OptionalSizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Any:  # a pair with return_indices
        return super().forward(input)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maxima of ``output_size`` windows that cover L; see :func:`~adjoint.nn.functional.adaptive_max_pool1d`."""

    _function = staticmethod(functional.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maxima of ``output_size`` windows that cover (H, W); see :func:`~adjoint.nn.functional.adaptive_max_pool2d`."""

    _function = staticmethod(functional.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maxima of ``output_size`` windows that cover (D, H, W); see :func:`~adjoint.nn.functional.adaptive_max_pool3d`."""

    _function = staticmethod(functional.adaptive_max_pool3d)


# --- unpooling ---------------------------------------------------------------------------------------------------------------


class _MaxUnpool(Module):
    _function: ClassVar[Callable[..., Any]]
    _axes: int

    @reads_numbers
    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        name, axes = type(self).__name__, self._axes
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, axes)
        self.stride = self.kernel_size if stride is None else per_axis(name, "stride", stride, axes)
        self.padding = per_axis(name, "padding", padding, axes, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Any:
        return self._function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """Maxima at their positions before :class:`MaxPool1d`, among zeros; see :func:`~adjoint.nn.functional.max_unpool1d`."""

    _function, _axes = staticmethod(functional.max_unpool1d), 1


class MaxUnpool2d(_MaxUnpool):
    """Maxima at their positions before :class:`MaxPool2d`, among zeros; see :func:`~adjoint.nn.functional.max_unpool2d`."""

    _function, _axes = staticmethod(functional.max_unpool2d), 2


class MaxUnpool3d(_MaxUnpool):
    """Maxima at their positions before :class:`MaxPool3d`, among zeros; see :func:`~adjoint.nn.functional.max_unpool3d`."""

    _function, _axes = staticmethod(functional.max_unpool3d), 3
