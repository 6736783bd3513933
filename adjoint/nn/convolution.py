"""Convolutions, and windows as columns, as layers, over the last one, two or three axes of (N, C, *size) or (C, *size)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty
from ..autograd.rules.convolution import Windows
from . import functional, init
from .functional.convolution import Sizes, padding_of, per_axis
from .layer import FunctionLayer
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Fold", "Unfold"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """Sizes, weight and bias of all convolutions.

    Weight and bias start uniform within ±1/sqrt(n), where n is the number of elements of weight[0], as in PyTorch.
    """

    axes: int
    transposed: bool
    _function: ClassVar[Callable[..., Tensor]]

    @reads_numbers
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: str | Sizes,
        dilation: Sizes,
        output_padding: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        name, axes = type(self).__name__, self.axes
        if not isinstance(groups, int) or groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}")
        if padding_mode not in PADDING_MODES:
            raise ValueError(f"{name}: padding_mode must be one of {', '.join(PADDING_MODES)}, not {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups, self.padding_mode = in_channels, out_channels, groups, padding_mode
        self.kernel_size = per_axis(name, "kernel_size", kernel_size, axes)
        self.stride = per_axis(name, "stride", stride, axes)
        self.dilation = per_axis(name, "dilation", dilation, axes)
        self.output_padding = per_axis(name, "output_padding", output_padding, axes, 0)
        pairs = padding_of(name, padding, Windows(self.kernel_size, self.stride, self.dilation))
        self.padding: str | tuple[int, ...] = padding if isinstance(padding, str) else tuple(before for before, _ in pairs)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the initial values again."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(1, math.prod(self.weight.shape[1:])))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        defaults = {"padding": 0, "dilation": 1, "output_padding": 0}
        for name, value in defaults.items():
            if getattr(self, name) != (value,) * self.axes:
                text += f", {name}={getattr(self, name)}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode}"


class _Conv(_Convolution):
    transposed = False

    @reads_numbers
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype
        )

    def forward(self, input: Tensor) -> Any:
        padding = self.padding
        if self.padding_mode != "zeros":
            windows = Windows(self.kernel_size, self.stride, self.dilation)
            pairs = padding_of(type(self).__name__, self.padding, windows)
            input, padding = functional.pad(input, [n for pair in reversed(pairs) for n in pair], self.padding_mode), "valid"
        return self._function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """:func:`~adjoint.nn.functional.conv1d` with a trainable weight and bias; arguments are :class:`Conv2d`'s.

    (N, in_channels, L) or (in_channels, L) to (N, out_channels, count) or (out_channels, count).
    """

    axes, _function = 1, staticmethod(functional.conv1d)


class Conv2d(_Conv):
    """:func:`~adjoint.nn.functional.conv2d` with a trainable weight and bias.

    (N, in_channels, H, W) or (in_channels, H, W) to (N, out_channels, *count) or (out_channels, *count), where
    count = (size + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.

    Args:
        in_channels: the number of channels of the input.
        out_channels: the number of channels of the output.
        kernel_size: the window; an integer, or one per axis.
        stride: the step from window to window.
        padding: how much to pad at both ends; ``"valid"`` (none) or ``"same"`` (count = size) too.
        dilation: the step from element to element within a window.
        groups: each group of output channels sees only its own group of input channels.
        bias: whether there is a bias.
        padding_mode: ``"zeros"``, or a mode of :func:`~adjoint.nn.functional.pad`: ``"reflect"``, ``"replicate"``, ``"circular"``.

    Attributes:
        weight: (out_channels, in_channels / groups, *kernel_size).
        bias: (out_channels,), or None.

    Raises ``ValueError`` if ``groups`` does not divide the channels, or another argument is out of range.

    >>> Conv2d(1, 32, 3, padding=1)
    Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    axes, _function = 2, staticmethod(functional.conv2d)


class Conv3d(_Conv):
    """:func:`~adjoint.nn.functional.conv3d` with a trainable weight and bias; arguments are :class:`Conv2d`'s.

    (N, in_channels, D, H, W) or (in_channels, D, H, W) to (N, out_channels, *count) or (out_channels, *count).
    """

    axes, _function = 3, staticmethod(functional.conv3d)


class _ConvTranspose(_Convolution):
    transposed = True

    @reads_numbers
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros" or isinstance(padding, str):
            raise ValueError(f"{type(self).__name__}: padding must be integers, of zeros, not {padding!r} of {padding_mode!r}")
        sizes = (kernel_size, stride, padding, dilation, output_padding)
        super().__init__(in_channels, out_channels, *sizes, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Any:
        more = self.output_padding if output_size is None else self._output_padding(input, tuple(output_size))
        return self._function(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def _output_padding(self, input: Tensor, output_size: tuple[int, ...]) -> tuple[int, ...]:
        """The output padding that results in ``output_size``. Raises ``ValueError`` if it is not below the stride."""
        size = output_size[-self.axes :]
        least = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1  # type: ignore[operator]
            for n, s, p, d, k in zip(
                input.shape[-self.axes :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        )
        more = tuple(n - m for n, m in zip(size, least, strict=len(size) == self.axes))
        if len(output_size) not in (self.axes, input.ndim) or any(not 0 <= m < s for m, s in zip(more, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ValueError(f"{type(self).__name__}: output_size={output_size} must be from {least} to {most}")
        return more


class ConvTranspose1d(_ConvTranspose):
    """:func:`~adjoint.nn.functional.conv_transpose1d` with a trainable weight and bias; arguments are :class:`ConvTranspose2d`'s.

    (N, in_channels, L) or (in_channels, L) to (N, out_channels, size) or (out_channels, size).
    """

    axes, _function = 1, staticmethod(functional.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """:func:`~adjoint.nn.functional.conv_transpose2d` with a trainable weight and bias.

    (N, in_channels, H, W) or (in_channels, H, W) to (N, out_channels, *size) or (out_channels, *size), where
    size = (count - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.
    Called with ``output_size``, it chooses the ``output_padding``.

    Args:
        in_channels: the number of channels of the input.
        out_channels: the number of channels of the output.
        kernel_size: the window; an integer, or one per axis.
        stride: the step from window to window.
        padding: how much to crop at both ends.
        output_padding: how much to add at the end, below stride or dilation.
        groups: each group of input channels contributes only to its own group of output channels.
        bias: whether there is a bias.
        dilation: the step from element to element within a window.
        padding_mode: ``"zeros"``; there is no other.

    Attributes:
        weight: (in_channels, out_channels / groups, *kernel_size).
        bias: (out_channels,), or None.

    Raises ``ValueError`` if ``groups`` does not divide the channels, or another argument is out of range.
    """

    axes, _function = 2, staticmethod(functional.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """:func:`~adjoint.nn.functional.conv_transpose3d` with a trainable weight and bias; arguments are :class:`ConvTranspose2d`'s.

    (N, in_channels, D, H, W) or (in_channels, D, H, W) to (N, out_channels, *size) or (out_channels, *size).
    """

    axes, _function = 3, staticmethod(functional.conv_transpose3d)


class Unfold(FunctionLayer):
    """Every window as a column, (N, C, H, W) to (N, C prod(kernel_size), windows); see :func:`~adjoint.nn.functional.unfold`."""

    _function, _arguments = staticmethod(functional.unfold), ("kernel_size", "dilation", "padding", "stride")

    @reads_numbers
    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride


class Fold(FunctionLayer):
    """Columns added up where :class:`Unfold` takes them from; see :func:`~adjoint.nn.functional.fold`."""

    _function, _arguments = staticmethod(functional.fold), ("output_size", "kernel_size", "dilation", "padding", "stride")

    @reads_numbers
    def __init__(self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride
