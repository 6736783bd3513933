"""Convolutions as layers, and windows laid out as columns, for one, two or three axes of size behind (N, C) or (C)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import empty
from ..autograd.rules.convolution import Windows
from . import functional, init
from .functional.convolution import Sizes, padding_of, per_axis
from .module import Module
from .parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d", "Fold", "Unfold"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What all convolutions have: their sizes, a weight and a bias.

    Both start evenly within ±1/sqrt(n), where n is the number of elements of weight[0], as in PyTorch.
    """

    axes: int
    transposed: bool

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
            raise ValueError(f"{name}: padding_mode is one of {', '.join(PADDING_MODES)}, not {padding_mode!r}")
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
        """Draw the initial values anew."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(1, math.prod(self.weight.shape[1:])))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        usual = {"padding": 0, "dilation": 1, "output_padding": 0}
        for name, value in usual.items():
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
        convolve, padding = getattr(functional, f"conv{self.axes}d"), self.padding
        if self.padding_mode != "zeros":
            input, padding = functional.pad(input, self._around(), self.padding_mode), "valid"
        return convolve(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _around(self) -> list[int]:
        """The padding as :func:`functional.pad` takes it."""
        windows = Windows(self.kernel_size, self.stride, self.dilation)
        return [n for pair in reversed(padding_of(type(self).__name__, self.padding, windows)) for n in pair]


class Conv1d(_Conv):
    """:func:`functional.conv1d` of a weight and bias of its own: (N, in_channels, L) to (N, out_channels, count).

    Attributes:
        weight: (out_channels, in_channels / groups, *kernel_size).
        bias: (out_channels,), or None with ``bias=False``.
    """

    axes = 1


class Conv2d(_Conv):
    """:func:`functional.conv2d` of a weight and bias of its own: (N, in_channels, H, W) to (N, out_channels, *count).

    ``padding_mode`` is what stands in the padding: ``"zeros"``, or as :func:`functional.pad` has it, ``"reflect"``,
    ``"replicate"`` or ``"circular"``.

    Attributes:
        weight: (out_channels, in_channels / groups, *kernel_size).
        bias: (out_channels,), or None with ``bias=False``.

    >>> Conv2d(1, 32, 3, padding=1)
    Conv2d(1, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    axes = 2


class Conv3d(_Conv):
    """:func:`functional.conv3d` of a weight and bias of its own: (N, in_channels, D, H, W) to (N, out_channels, *count).

    Attributes:
        weight: (out_channels, in_channels / groups, *kernel_size).
        bias: (out_channels,), or None with ``bias=False``.
    """

    axes = 3


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
            raise ValueError(f"{type(self).__name__}: its padding is numbers, of zeros, not {padding!r} of {padding_mode!r}")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Any:
        convolve = getattr(functional, f"conv_transpose{self.axes}d")
        more = self.output_padding if output_size is None else self._output_padding(input, tuple(output_size))
        return convolve(input, self.weight, self.bias, self.stride, self.padding, more, self.groups, self.dilation)

    def _output_padding(self, input: Tensor, output_size: tuple[int, ...]) -> tuple[int, ...]:
        """What makes the output that large. Raises ``ValueError`` where nothing below the stride does."""
        wanted = output_size[-self.axes :]
        least = tuple(
            (n - 1) * s - 2 * p + d * (k - 1) + 1  # type: ignore[operator]
            for n, s, p, d, k in zip(
                input.shape[-self.axes :], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        )
        more = tuple(n - m for n, m in zip(wanted, least, strict=len(wanted) == self.axes))
        if len(output_size) not in (self.axes, input.ndim) or any(not 0 <= m < s for m, s in zip(more, self.stride, strict=True)):
            most = tuple(m + s - 1 for m, s in zip(least, self.stride, strict=True))
            raise ValueError(f"{type(self).__name__}: output_size {output_size} must be from {least} to {most} for {input.shape}")
        return more


class ConvTranspose1d(_ConvTranspose):
    """:func:`functional.conv_transpose1d` of a weight and bias of its own: (N, in_channels, L) to (N, out_channels, size).

    Attributes:
        weight: (in_channels, out_channels / groups, *kernel_size).
        bias: (out_channels,), or None with ``bias=False``.
    """

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """:func:`functional.conv_transpose2d` of a weight and bias of its own: (N, in_channels, H, W) to (N, out_channels, *size).

    Called with ``output_size``, it takes the ``output_padding`` that makes the output that large.

    Attributes:
        weight: (in_channels, out_channels / groups, *kernel_size).
        bias: (out_channels,), or None with ``bias=False``.
    """

    axes = 2


class ConvTranspose3d(_ConvTranspose):
    """:func:`functional.conv_transpose3d` of a weight and bias of its own: (N, in_channels, D, H, W) to (N, out_channels, *size).

    Attributes:
        weight: (in_channels, out_channels / groups, *kernel_size).
        bias: (out_channels,), or None with ``bias=False``.
    """

    axes = 3


class Unfold(Module):
    """Every window as a column: (N, C, H, W) to (N, C prod(kernel_size), windows)."""

    @reads_numbers
    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size, self.dilation, self.padding, self.stride = kernel_size, dilation, padding, stride

    def forward(self, input: Tensor) -> Tensor:
        return functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, stride={self.stride}"


class Fold(Module):
    """Columns added up where :class:`Unfold` takes them from: (N, C prod(kernel_size), windows) to (N, C, *output_size)."""

    @reads_numbers
    def __init__(self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, input: Tensor) -> Tensor:
        how = (self.kernel_size, self.dilation, self.padding, self.stride)
        return functional.fold(input, self.output_size, *how)

    def extra_repr(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, dilation={self.dilation}, "
            f"padding={self.padding}, stride={self.stride}"
        )
