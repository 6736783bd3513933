"""Convolution, transposed convolution, and windows laid out as columns, over one, two or three axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ...autograd import Tensor
from ...autograd import functions as f
from ...autograd.arguments import integers, reads_numbers, tensor_of
from ...autograd.rules import convolution as rules
from ...autograd.rules.convolution import Windows
from .padding import constant_pad

Sizes = int | Sequence[int]


def over_axes(make: Callable[[str, int], Any]) -> tuple[Any, Any, Any]:
    """The functions that ``make(name, axes)`` makes for one, two and three axes, called after it, with its docstring."""
    made = []
    for axes in (1, 2, 3):
        name = f"{make.__name__}{axes}d"
        function: Any = make(name, axes)
        function.__name__ = function.__qualname__ = name
        function.__doc__ = (make.__doc__ or "").replace("AXES", str(axes))
        made.append(reads_numbers(function))
    return made[0], made[1], made[2]


def entries(name: str, argument: str, given: Sizes, axes: int, least: int = 1) -> tuple[int, ...]:
    """One number an axis, of one number for all or a sequence of them. Raises ``ValueError`` on others, or below ``least``."""
    read = integers(name, argument, given)
    every = (read,) * axes if isinstance(read, int) else read
    every = every * axes if len(every) == 1 else every
    if len(every) != axes or any(n < least for n in every):
        raise ValueError(f"{name}: {argument} is a whole number of at least {least}, or {axes} of them, not {given!r}")
    return every


def batched(name: str, input: Tensor, axes: int) -> tuple[Tensor, bool]:
    """The input as (N, C, *size), and whether it was. Raises ``ValueError`` unless it is that or (C, *size)."""
    input = tensor_of(name, input)
    if input.ndim == axes + 2:
        return input, True
    if input.ndim != axes + 1:
        size = ", ".join("DHW"[3 - axes :]) if axes > 1 else "L"
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (N, C, {size}) or (C, {size})")
    return f.unsqueeze(input, 0), False


def check_fit(name: str, size: tuple[int, ...], padding: rules.Padding, windows: Windows) -> None:
    """Raise ``ValueError`` where a window is longer than its padded axis."""
    padded = tuple(n + a + b for n, (a, b) in zip(size, padding, strict=True))
    if any(r > n for r, n in zip(windows.reach(), padded, strict=True)):
        raise ValueError(
            f"{name}: a window of {windows.shape} with dilation {windows.dilation} reaches over {windows.reach()} elements; the "
            f"padded input has {padded}"
        )


def fitting(size: tuple[int, ...], padding: rules.Padding, windows: Windows) -> rules.Padding:
    """The padding without what no window reaches at the end."""
    return tuple(
        (a, b - (n + a + b - r) % s) for n, (a, b), r, s in zip(size, padding, windows.reach(), windows.stride, strict=True)
    )


def padding_of(name: str, padding: str | Sizes, windows: Windows) -> rules.Padding:
    """The pairs that ``padding`` means: numbers, ``"valid"`` (none), or ``"same"`` (as many windows as elements)."""
    axes = len(windows.shape)
    if padding == "same":
        if any(s != 1 for s in windows.stride):
            raise ValueError(f"{name}: padding='same' goes with a stride of 1, not {windows.stride}")
        return tuple(((r - 1) // 2, r // 2) for r in windows.reach())
    if isinstance(padding, str) and padding != "valid":
        raise ValueError(f"{name}: padding is a number, one an axis, 'same' or 'valid', not {padding!r}")
    return tuple((p, p) for p in entries(name, "padding", 0 if isinstance(padding, str) else padding, axes, 0))


def _channels_made(name: str, input: Tensor, weight: Tensor, bias: Tensor | None, axes: int, groups: int, transposed: bool) -> int:
    """How many channels come out. Raises ``ValueError`` where input, weight, bias and groups do not go together."""
    layout = "(in_channels, out_channels / groups, *window)" if transposed else "(out_channels, in_channels / groups, *window)"
    if weight.ndim != axes + 2 or not all(weight.shape[2:]):
        raise ValueError(f"{name}: the weight has shape {weight.shape}; it must be {layout}, the window not empty")
    if not isinstance(groups, int) or groups < 1 or weight.shape[0] % groups:
        raise ValueError(f"{name}: groups={groups} must divide the {weight.shape[0]} channels that come first in {weight.shape}")
    expected, made = (weight.shape[0], weight.shape[1] * groups) if transposed else (weight.shape[1] * groups, weight.shape[0])
    if input.shape[1] != expected:
        raise ValueError(
            f"{name}: the input of shape {input.shape} has {input.shape[1]} channels, and the weight {weight.shape}, {layout}, "
            f"with groups={groups} takes {expected}"
        )
    if bias is not None and bias.shape != (made,):
        raise ValueError(
            f"{name}: the bias has shape {bias.shape}; there are {made} channels to add it to, so it must be ({made},)"
        )
    return made


def conv(name: str, axes: int) -> Any:
    """The product of ``weight`` with every window of ``input`` along its last AXES axes, plus ``bias``.

    out[n, o] = bias[o] + sum over c and offsets k of weight[o, c, k] input[n, c, stride i + dilation k - padding] at place i:
    (N, C, *size) or (C, *size), (O, C / groups, *window) and (O,) to (N, O, *count) or (O, *count), where
    count = (size + 2 padding - dilation (window - 1) - 1) // stride + 1.

    ``stride``, ``padding`` and ``dilation`` are a number, or AXES; ``padding`` may be ``"valid"`` (none) or ``"same"`` (count =
    size, at stride 1). With ``groups``, each group of O / groups channels is made of its own C / groups ones.

    Raises ``ValueError`` where shapes, channels and groups do not go together, or a window does not fit the padded input.
    Computed as products of matrices that have the windows as columns: Chellapilla et al. (2006).
    """

    def convolve(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: str | Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
    ) -> Tensor:
        x, in_batch = batched(name, input, axes)
        _channels_made(name, x, weight, bias, axes, groups, transposed=False)
        windows = Windows(weight.shape[2:], entries(name, "stride", stride, axes), entries(name, "dilation", dilation, axes))
        pairs = padding_of(name, padding, windows)
        check_fit(name, x.shape[2:], pairs, windows)
        out = rules.convolution(
            x, weight, 0.0 if bias is None else bias, windows=windows, padding=fitting(x.shape[2:], pairs, windows), groups=groups
        )
        return out if in_batch else f.squeeze(out, 0)

    return convolve


conv1d, conv2d, conv3d = over_axes(conv)


def conv_transpose(name: str, axes: int) -> Any:
    """The derivative of :func:`convAXESd` by its input, as a layer: each element's product with ``weight``, added up.

    (N, C, *count) or (C, *count), (C, O / groups, *window) and (O,) to (N, O, *size) or (O, *size), where
    size = (count - 1) stride - 2 padding + dilation (window - 1) + output_padding + 1: ``padding`` is cut off at both ends, and
    ``output_padding`` left on, or added, at the end.

    Raises ``ValueError`` where shapes, channels and groups do not go together, and where ``output_padding`` is neither below
    the stride nor below the dilation. Zeiler et al., "Deconvolutional networks" (2010).
    """

    def convolve(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        dilation: Sizes = 1,
    ) -> Tensor:
        x, in_batch = batched(name, input, axes)
        made = _channels_made(name, x, weight, bias, axes, groups, transposed=True)
        windows = Windows(weight.shape[2:], entries(name, "stride", stride, axes), entries(name, "dilation", dilation, axes))
        cut = entries(name, "padding", padding, axes, 0)
        more = entries(name, "output_padding", output_padding, axes, 0)
        if any(m >= max(s, d) for m, s, d in zip(more, windows.stride, windows.dilation, strict=True)):
            raise ValueError(
                f"{name}: output_padding {more} must be below the stride {windows.stride} or the dilation {windows.dilation}"
            )
        whole = (s * (n - 1) + r for n, s, r in zip(x.shape[2:], windows.stride, windows.reach(), strict=True))
        size = tuple(n - 2 * p + m for n, p, m in zip(whole, cut, more, strict=True))
        if min(size) < 1:
            raise ValueError(f"{name}: the padding {cut} leaves an output of size {size} of an input of shape {input.shape}")
        pairs = tuple((p, p - m) for p, m in zip(cut, more, strict=True))
        out = rules.convolution_transpose(x, weight, windows=windows, padding=pairs, groups=groups)
        if bias is not None:
            out = out + f.reshape(bias, (made, *(1,) * axes))
        return out if in_batch else f.squeeze(out, 0)

    return convolve


conv_transpose1d, conv_transpose2d, conv_transpose3d = over_axes(conv_transpose)


@reads_numbers
def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """Every window of an image as a column: (N, C, H, W) to (N, C prod(kernel_size), windows), or without N.

    Raises ``ValueError`` on other inputs, and where a window does not fit the padded input.
    """
    x, in_batch = batched("unfold", input, 2)
    windows, pairs = _of_image("unfold", kernel_size, dilation, padding, stride)
    check_fit("unfold", x.shape[2:], pairs, windows)
    views = rules.sliding_windows(constant_pad(x, list(pairs), 0.0), *windows)
    rows = x.shape[1] * prod(windows.shape)
    out = f.reshape(f.permute(views, 0, 1, 4, 5, 2, 3), (x.shape[0], rows, prod(views.shape[2:4])))
    return out if in_batch else f.squeeze(out, 0)


@reads_numbers
def fold(
    input: Tensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """Columns added up where :func:`unfold` takes them from: (N, C prod(kernel_size), windows) to (N, C, *output_size), or
    without N. Raises ``ValueError`` where the input has not as many rows and columns.
    """
    input = tensor_of("fold", input)
    windows, pairs = _of_image("fold", kernel_size, dilation, padding, stride)
    size = entries("fold", "output_size", output_size, 2)
    check_fit("fold", size, pairs, windows)
    padded = tuple(n + a + b for n, (a, b) in zip(size, pairs, strict=True))
    count, elements = windows.how_many(padded), prod(windows.shape)
    if input.ndim not in (2, 3) or input.shape[-2] % elements or input.shape[-1] != prod(count):
        raise ValueError(
            f"fold: the input has shape {input.shape}; for windows of {windows.shape} in {size} it must be (N, C * {elements}, "
            f"{prod(count)}) or (C * {elements}, {prod(count)})"
        )
    channels = input.shape[-2] // elements
    columns = f.reshape(input, (*input.shape[:-2], channels, *windows.shape, *count))
    lead = columns.ndim - 4
    views = f.permute(columns, *range(lead), lead + 2, lead + 3, lead, lead + 1)
    out = rules.overlap_add(views, shape=(*columns.shape[:lead], *padded), stride=windows.stride, dilation=windows.dilation)
    return constant_pad(out, [(-a, -b) for a, b in pairs], 0.0)


def _of_image(name: str, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> tuple[Windows, rules.Padding]:
    shape, step, spread = (
        entries(name, argument, given, 2)
        for argument, given in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
    )
    return Windows(shape, step, spread), tuple((p, p) for p in entries(name, "padding", padding, 2, 0))
