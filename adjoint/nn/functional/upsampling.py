"""Interpolation of images and sequences to another size, and channels rearranged into pixels and back, as functions."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import ceil, floor, prod
from typing import Any

from ...autograd import Tensor, functions as f
from ...autograd.arguments import index_at, reads_numbers
from ...autograd.creation import tensor
from ...autograd.precision import wide_inside
from ...autograd.rules import indexing, reductions

__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle"]

#: The numbers of axes that each mode takes.
AXES = {"nearest": (3, 4, 5), "nearest-exact": (3, 4, 5), "area": (3, 4, 5), "linear": (3,), "bilinear": (4,), "bicubic": (4,),
        "trilinear": (5,)}  # fmt: skip
SMOOTH = ("linear", "bilinear", "bicubic", "trilinear")
SHARPNESS = -0.75  #: the slope of the cubic's side lobes

Taps = tuple[list[list[int]], list[list[float]]]


@reads_numbers
@wide_inside
def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Interpolate the axes after the channels to another size. Bicubic: Keys, "Cubic convolution interpolation" (1981).

    Args:
        input: (N, C, d1, …).
        size: the new lengths; an integer for all of them.
        scale_factor: the factor of each length, instead of ``size``.
        mode: ``"nearest"``; ``"nearest-exact"``, nearest to the pixel's centre; ``"linear"`` for 3 axes, ``"bilinear"`` and
            ``"bicubic"`` for 4, ``"trilinear"`` for 5; or ``"area"``, the mean over what a new pixel covers.
        align_corners: whether the centres of the corner pixels, rather than their outer edges, coincide; False if None.
        recompute_scale_factor: whether to use the quotient of the rounded lengths instead of ``scale_factor``.
        antialias: not offered.

    Returns (N, C, *size). In all but the nearest modes, a NaN spreads along its row and column. Raises ``ValueError`` on arguments
    that do not match each other or the input, ``TypeError`` on integers in all but the nearest modes.

    >>> import adjoint as ad
    >>> interpolate(ad.tensor([[[0.0, 1.0]]]), scale_factor=2, mode="linear")
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    if mode not in AXES or input.ndim not in AXES[mode]:
        fix = f"it takes {' or '.join(map(str, AXES[mode]))} axes" if mode in AXES else f"the modes are {', '.join(AXES)}"
        raise ValueError(f"interpolate: the input has shape {input.shape} and the mode is {mode!r}; {fix}")
    if antialias:
        raise ValueError("interpolate: antialias is not offered; leave it out, or use mode='area' to shrink an image")
    if align_corners is not None and mode not in SMOOTH:
        raise ValueError(f"interpolate: align_corners needs one of the modes {', '.join(SMOOTH)}, not {mode!r}")
    if input.dtype.kind != "float" and not mode.startswith("nearest"):
        raise TypeError(f"interpolate: the input is {input.dtype}; mode {mode!r} takes floats, convert it with .float()")
    old = input.shape[2:]
    new, factors = _lengths(old, size, scale_factor, recompute_scale_factor)
    kind = "linear" if mode.endswith("linear") else mode
    for axis, (n, m, factor) in enumerate(zip(old, new, factors, strict=True), 2):
        input = _along(input, axis, kind, n, m, factor, bool(align_corners))
    return input


def _lengths(
    old: tuple[int, ...], size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The new lengths, and the factors if positions are computed from them."""
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: pass either size or scale_factor")
    target = size if scale_factor is None else scale_factor
    each = tuple(target) if isinstance(target, Sequence) else (target,) * len(old)
    if len(each) != len(old):
        raise ValueError(f"interpolate: {target} must have one number for each of the axes {old} after the channels")
    if recompute and scale_factor is None:
        raise ValueError("interpolate: recompute_scale_factor needs scale_factor instead of size")
    new = each if scale_factor is None else tuple(floor(n * factor) for n, factor in zip(old, each, strict=True))
    if min(old + new) < 1:
        raise ValueError(f"interpolate: lengths must be at least 1, not {old} to {new}")
    return new, ((None,) * len(old) if scale_factor is None or recompute else tuple(map(float, each)))


def _along(x: Tensor, axis: int, kind: str, n: int, m: int, factor: float | None, align: bool) -> Tensor:
    """Resize axis ``axis`` from length n to m."""
    if n == m and kind != "bicubic":  # whatever the factor is
        return x
    if kind == "area" and n % m == 0:  # means of whole pixels
        return reductions.mean(f.unflatten(x, axis, (m, n // m)), axis=axis + 1)
    if kind.startswith("nearest"):
        nearest = _nearest(n, m, factor, kind == "nearest-exact", x.dtype.name == "float64")
        if nearest == [i * n // m for i in range(m)] and m % n == 0:  # repeats whole pixels: the gradient is a sum
            return f.repeat_interleave(x, m // n, axis)
        return indexing.getitem(x, index=index_at(axis, tensor(nearest, device=x.backend)._array))
    matrix = _matrix(x, _taps(kind, n, m, factor, align), n)
    lead, rest = x.shape[:axis], x.shape[axis + 1 :]
    if not rest:
        return x @ matrix.mT
    return f.reshape(matrix @ f.reshape(x, *lead, n, prod(rest)), *lead, m, *rest)


def _matrix(x: Tensor, taps: Taps, n: int) -> Tensor:
    """The taps as a matrix (m, n): its product takes no longer than gathering, and its transpose's much less."""
    index, weights = tensor(taps[0], device=x.backend), tensor(taps[1], dtype=x.dtype, device=x.backend)
    xp, m = x.backend.xp, index.shape[1]
    return Tensor(xp.scatter_add(weights._array, (xp.arange(m), index._array), (m, n)), x.backend)


def _single(x: float) -> float:
    """Round to float32, as PyTorch does: the nearest pixel depends on rounding."""
    rounded: float = struct.unpack("f", struct.pack("f", x))[0]
    return rounded


@lru_cache
def _nearest(n: int, m: int, factor: float | None, centre: bool, double: bool) -> list[int]:
    step = n / m if factor is None else 1 / factor
    step = step if double else _single(step)
    return [min(floor(_single((i + 0.5 * centre) * step)), n - 1) for i in range(m)]


@lru_cache
def _taps(kind: str, n: int, m: int, factor: float | None, align: bool) -> Taps:
    """The indices among n elements that contribute to each of m, and their weights: both of shape (taps, m)."""
    if kind == "area":
        bounds = [(i * n // m, ceil((i + 1) * n / m)) for i in range(m)]
        longest = max(stop - start for start, stop in bounds)
        index = [[min(start + k, stop - 1) for start, stop in bounds] for k in range(longest)]
        return index, [[(start + k < stop) / (stop - start) for start, stop in bounds] for k in range(longest)]
    if align:
        step = (n - 1) / (m - 1) if m > 1 else 0.0
        positions = [i * step for i in range(m)]
    else:
        step = n / m if factor is None else 1 / factor
        positions = [(i + 0.5) * step - 0.5 for i in range(m)]
    if kind == "linear":
        positions = [min(max(x, 0.0), n - 1.0) for x in positions]
    weigh: Callable[[float], tuple[float, ...]] = _linear if kind == "linear" else _cubic
    first = 0 if kind == "linear" else -1
    weights = [weigh(x - floor(x)) for x in positions]
    index = [[min(max(floor(x) + first + k, 0), n - 1) for x in positions] for k in range(len(weights[0]))]
    return index, [list(tap) for tap in zip(*weights, strict=True)]


def _linear(t: float) -> tuple[float, ...]:
    return 1 - t, t


def _cubic(t: float) -> tuple[float, ...]:
    def near(x: float) -> float:
        return ((SHARPNESS + 2) * x - (SHARPNESS + 3)) * x * x + 1

    def far(x: float) -> float:
        return SHARPNESS * (((x - 5) * x + 8) * x - 4)

    return far(1 + t), near(t), near(1 - t), far(2 - t)


# --- channels and pixels -----------------------------------------------------------------------------------------------------


@reads_numbers
def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Rearrange channels into pixels: (…, C r^2, H, W) to (…, C, H r, W r), r = ``upscale_factor``. Shi et al. (2016).

    Raises ``ValueError`` on fewer than 3 axes, or if r^2 does not divide the channels.
    """
    r = upscale_factor
    lead, (channels, height, width) = _image("pixel_shuffle", input)
    if r < 1 or channels % (r * r):
        raise ValueError(f"pixel_shuffle: upscale_factor {r}, squared, must divide the {channels} channels of shape {input.shape}")
    n, rest = len(lead), channels // (r * r)
    parts = f.reshape(input, *lead, rest, r, r, height, width)
    order = (*range(n + 1), n + 3, n + 1, n + 4, n + 2)
    return f.reshape(f.permute(parts, order), *lead, rest, height * r, width * r)


@reads_numbers
def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Rearrange pixels into channels, the inverse of :func:`pixel_shuffle`: (…, C, H r, W r) to (…, C r^2, H, W).

    r is ``downscale_factor``. Raises ``ValueError`` on fewer than 3 axes, or if r does not divide height and width.
    """
    r = downscale_factor
    lead, (channels, height, width) = _image("pixel_unshuffle", input)
    if r < 1 or height % r or width % r:
        raise ValueError(f"pixel_unshuffle: downscale_factor {r} must divide height and width of shape {input.shape}")
    n = len(lead)
    parts = f.reshape(input, *lead, channels, height // r, r, width // r, r)
    order = (*range(n + 1), n + 2, n + 4, n + 1, n + 3)
    return f.reshape(f.permute(parts, order), *lead, channels * r * r, height // r, width // r)


def _image(name: str, input: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if input.ndim < 3:
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (…, C, H, W)")
    return input.shape[:-3], input.shape[-3:]


@reads_numbers
def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Interleave the channels of ``groups`` groups of (N, C, …): channel 0 of each group, then channel 1 of each.

    Zhang et al., "ShuffleNet" (2018). Raises ``ValueError`` on fewer than 3 axes, or if ``groups`` does not divide C.
    """
    if input.ndim < 3 or groups < 1 or input.shape[1] % groups:
        raise ValueError(f"channel_shuffle: groups={groups} must divide the channels, axis 1 of at least 3, of shape {input.shape}")
    n, channels, *rest = input.shape
    return f.reshape(f.transpose(f.reshape(input, n, groups, channels // groups, *rest), 1, 2), input.shape)
