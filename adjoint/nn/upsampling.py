"""Layers that resize images and sequences, or rearrange channels into pixels and back."""

from __future__ import annotations

from collections.abc import Sequence

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .layer import FunctionLayer
from .module import Module

__all__ = ["ChannelShuffle", "PixelShuffle", "PixelUnshuffle", "Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """Interpolate (N, C, d1, …) to another size; arguments are those of :func:`~adjoint.nn.functional.interpolate`.

    >>> Upsample(scale_factor=2, mode="bilinear")
    Upsample(scale_factor=2.0, mode='bilinear')
    """

    @reads_numbers
    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.mode = size, mode
        self.scale_factor: float | tuple[float, ...] | None
        if isinstance(scale_factor, Sequence):
            self.scale_factor = tuple(map(float, scale_factor))
        else:
            self.scale_factor = None if scale_factor is None else float(scale_factor)
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return functional.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extra_repr(self) -> str:
        target = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{target}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """:class:`Upsample` of images to ``size`` or by ``scale_factor``, nearest."""

    @reads_numbers
    def __init__(self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """:class:`Upsample` of images to ``size`` or by ``scale_factor``, bilinear with aligned corners."""

    @reads_numbers
    def __init__(self, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", align_corners=True)


class PixelShuffle(FunctionLayer):
    """(…, C r^2, H, W) to (…, C, H r, W r), r = ``upscale_factor``; see :func:`~adjoint.nn.functional.pixel_shuffle`."""

    _function, _arguments = staticmethod(functional.pixel_shuffle), ("upscale_factor",)

    @reads_numbers
    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor


class PixelUnshuffle(FunctionLayer):
    """(…, C, H r, W r) to (…, C r^2, H, W), r = ``downscale_factor``; see :func:`~adjoint.nn.functional.pixel_unshuffle`."""

    _function, _arguments = staticmethod(functional.pixel_unshuffle), ("downscale_factor",)

    @reads_numbers
    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor


class ChannelShuffle(FunctionLayer):
    """(N, C, …) with the channels of its ``groups`` interleaved; see :func:`~adjoint.nn.functional.channel_shuffle`."""

    _function, _arguments = staticmethod(functional.channel_shuffle), ("groups",)

    @reads_numbers
    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups
