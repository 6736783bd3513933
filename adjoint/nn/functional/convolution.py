"""Convolution, transposed convolution, and windows as columns (im2col), over one, two or three axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ...autograd import Tensor, functions as f
from ...autograd.arguments import integers, reads_numbers, tensor_of
from ...autograd.rules import convolution as rules, shapes
from ...autograd.rules.convolution import Windows
from .padding import constant_pad

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "fold", "unfold",
]  # fmt: skip

Sizes = int | Sequence[int]


def over_axes(make: Callable[[str, int], Any]) -> tuple[Any, Any, Any]:
    """The functions that ``make(name, axes)`` returns for one, two and three axes, with its name and docstring."""
    functions = []
    for axes in (1, 2, 3):
        name = f"{make.__name__}{axes}d"
        function: Any = make(name, axes)
        function.__name__ = function.__qualname__ = name
        function.__doc__ = (make.__doc__ or "").replace("AXES", str(axes))
        functions.append(reads_numbers(function))
    return functions[0], functions[1], functions[2]


def per_axis(name: str, argument: str, sizes: Sizes, axes: int, least: int = 1) -> tuple[int, ...]:
    """One integer per axis, from one for all or a sequence. Raises ``ValueError`` on another number of them, or below ``least``.

    Args:
        name, argument: the function's and the argument's name, for messages.
        sizes: the argument.
        axes: how many axes there are.
        least: the smallest valid integer.
    """
    read = integers(name, argument, sizes)
    each = (read,) * axes if isinstance(read, int) else read
    each = each * axes if len(each) == 1 else each
    if len(each) != axes or any(n < least for n in each):
        raise ValueError(f"{name}: {argument} must be an integer of at least {least}, or {axes} of them, not {sizes!r}")
    return each


def batched(name: str, input: Tensor, axes: int) -> tuple[Tensor, bool]:
    """The input as (N, C, *size), and whether it had a batch. Raises ``ValueError`` unless it is that or (C, *size)."""
    input = tensor_of(name, input)
    if input.ndim == axes + 2:
        return input, True
    if input.ndim != axes + 1:
        size = ", ".join("DHW"[3 - axes :]) if axes > 1 else "L"
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (N, C, {size}) or (C, {size})")
    return f.unsqueeze(input, 0), False


def check_fit(name: str, size: tuple[int, ...], padding: rules.Padding, windows: Windows) -> None:
    """Raise ``ValueError`` if a window is longer than its padded axis."""
    padded = tuple(n + a + b for n, (a, b) in zip(size, padding, strict=True))
    if any(r > n for r, n in zip(windows.reach(), padded, strict=True)):
        raise ValueError(
            f"{name}: a window of {windows.shape} with dilation {windows.dilation} spans {windows.reach()} elements, and the "
            f"padded input only {padded}"
        )


def fitting(size: tuple[int, ...], padding: rules.Padding, windows: Windows) -> rules.Padding:
    """The padding, without what no window covers at the end."""
    return tuple(
        (a, b - (n + a + b - r) % s) for n, (a, b), r, s in zip(size, padding, windows.reach(), windows.stride, strict=True)
    )


def padding_of(name: str, padding: str | Sizes, windows: Windows) -> rules.Padding:
    """Padding as pairs (before, after), from numbers, ``"valid"`` (none) or ``"same"`` (as many windows as elements)."""
    axes = len(windows.shape)
    if padding == "same":
        if any(s != 1 for s in windows.stride):
            raise ValueError(f"{name}: padding='same' needs a stride of 1, not {windows.stride}")
        return tuple(((r - 1) // 2, r // 2) for r in windows.reach())
    if isinstance(padding, str) and padding != "valid":
        raise ValueError(f"{name}: padding must be an integer, one per axis, 'same' or 'valid', not {padding!r}")
    return tuple((p, p) for p in per_axis(name, "padding", 0 if isinstance(padding, str) else padding, axes, 0))


def _out_channels(name: str, input: Tensor, weight: Tensor, bias: Tensor | None, axes: int, groups: int, transposed: bool) -> int:
    """The number of output channels. Raises ``ValueError`` if input, weight, bias and groups do not match."""
    layout = "(in_channels, out_channels / groups, *window)" if transposed else "(out_channels, in_channels / groups, *window)"
    if weight.ndim != axes + 2 or not all(weight.shape[2:]):
        raise ValueError(f"{name}: the weight has shape {weight.shape}; it must be {layout}, with a window that is not empty")
    if not isinstance(groups, int) or groups < 1 or weight.shape[0] % groups:
        raise ValueError(
            f"{name}: groups={groups} must divide the {weight.shape[0]} channels, the first axis of the weight's {weight.shape}"
        )
    expected, out = (weight.shape[0], weight.shape[1] * groups) if transposed else (weight.shape[1] * groups, weight.shape[0])
    if input.shape[1] != expected:
        raise ValueError(
            f"{name}: the input of shape {input.shape} has {input.shape[1]} channels; the weight {weight.shape}, {layout}, with "
            f"groups={groups} takes {expected}"
        )
    if bias is not None and bias.shape != (out,):
        raise ValueError(f"{name}: the bias has shape {bias.shape}; for {out} output channels it must be ({out},)")
    return out


def conv(name: str, axes: int) -> Any:
    """Cross-correlation along the last AXES axes, as PyTorch's convolution.

    out[n, o, i] = bias[o] + sum over channels c and offsets k of weight[o, c, k] input[n, c, stride i + dilation k - padding].

    Args:
        input: (N, C, *size) or (C, *size).
        weight: (O, C / groups, *window).
        bias: (O,), or None.
        stride: the step from window to window; an integer or AXES.
        padding: zeros at both ends; an integer, AXES, ``"valid"`` (none) or ``"same"`` (count = size, at stride 1).
        dilation: the step from element to element within a window; an integer or AXES.
        groups: each group of O / groups output channels sees only its own C / groups input channels.

    Returns (N, O, *count) or (O, *count), count = (size + 2 padding - dilation (window - 1) - 1) // stride + 1. Raises
    ``ValueError`` if shapes, channels and groups do not match, or a window is longer than the padded input.

    Computed as products of matrices with windows as columns: Chellapilla et al. (2006).
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
        _out_channels(name, x, weight, bias, axes, groups, transposed=False)
        windows = Windows(weight.shape[2:], per_axis(name, "stride", stride, axes), per_axis(name, "dilation", dilation, axes))
        pairs = padding_of(name, padding, windows)
        check_fit(name, x.shape[2:], pairs, windows)
        out = rules.convolution(
            x, weight, 0.0 if bias is None else bias, windows=windows, padding=fitting(x.shape[2:], pairs, windows), groups=groups
        )
        return out if in_batch else f.squeeze(out, 0)

    return convolve


conv1d, conv2d, conv3d = over_axes(conv)


def conv_transpose(name: str, axes: int) -> Any:
    """Transposed convolution: the gradient of :func:`convAXESd` by its input, as a layer. Zeiler et al. (2010).

    Args:
        input: (N, C, *count) or (C, *count).
        weight: (C, O / groups, *window).
        bias: (O,), or None.
        stride: the step from window to window; an integer or AXES.
        padding: how much to crop at both ends; an integer or AXES.
        output_padding: how much to add at the end, below stride or dilation; an integer or AXES.
        groups: each group of C / groups input channels contributes only to its own O / groups output channels.
        dilation: the step from element to element within a window; an integer or AXES.

    Returns (N, O, *size) or (O, *size), size = (count - 1) stride - 2 padding + dilation (window - 1) + output_padding + 1. Raises
    ``ValueError`` if shapes, channels and groups do not match, or ``output_padding`` is too large.
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
        channels = _out_channels(name, x, weight, bias, axes, groups, transposed=True)
        windows = Windows(weight.shape[2:], per_axis(name, "stride", stride, axes), per_axis(name, "dilation", dilation, axes))
        crop = per_axis(name, "padding", padding, axes, 0)
        more = per_axis(name, "output_padding", output_padding, axes, 0)
        if any(m >= max(s, d) for m, s, d in zip(more, windows.stride, windows.dilation, strict=True)):
            raise ValueError(
                f"{name}: output_padding {more} must be below the stride {windows.stride} or the dilation {windows.dilation}"
            )
        full = (s * (n - 1) + r for n, s, r in zip(x.shape[2:], windows.stride, windows.reach(), strict=True))
        size = tuple(n - 2 * p + m for n, p, m in zip(full, crop, more, strict=True))
        if min(size) < 1:
            raise ValueError(f"{name}: the padding {crop} leaves an output of size {size} for the input of shape {input.shape}")
        pairs = tuple((p, p - m) for p, m in zip(crop, more, strict=True))
        out = rules.convolution_transpose(x, weight, windows=windows, padding=pairs, groups=groups)
        if bias is not None:
            out = out + f.reshape(bias, (channels, *(1,) * axes))
        return out if in_batch else f.squeeze(out, 0)

    return convolve


conv_transpose1d, conv_transpose2d, conv_transpose3d = over_axes(conv_transpose)


@reads_numbers
def unfold(input: Tensor, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> Tensor:
    """Every window of an image as a column (im2col).

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size: the window; this and the following are an integer or two.
        dilation: the step from element to element within a window.
        padding: zeros at both ends.
        stride: the step from window to window.

    Returns (N, C prod(kernel_size), windows), or without N. Raises ``ValueError`` on other inputs, and if a window is longer than
    the padded input.
    """
    x, in_batch = batched("unfold", input, 2)
    windows, pairs = _of_image("unfold", kernel_size, dilation, padding, stride)
    check_fit("unfold", x.shape[2:], pairs, windows)
    views = shapes.sliding_windows(constant_pad(x, list(pairs), 0.0), *windows)
    rows = x.shape[1] * prod(windows.shape)
    out = f.reshape(f.permute(views, 0, 1, 4, 5, 2, 3), (x.shape[0], rows, prod(views.shape[2:4])))
    return out if in_batch else f.squeeze(out, 0)


@reads_numbers
def fold(
    input: Tensor, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """Columns added up where :func:`unfold` takes them from: its adjoint.

    Args:
        input: (N, C prod(kernel_size), windows), or without N.
        output_size: (H, W) of the result; this and the following are an integer or two.
        kernel_size: the window.
        dilation: the step from element to element within a window.
        padding: zeros at both ends.
        stride: the step from window to window.

    Returns (N, C, H, W), or without N. Raises ``ValueError`` if the input's shape does not match.
    """
    input = tensor_of("fold", input)
    windows, pairs = _of_image("fold", kernel_size, dilation, padding, stride)
    size = per_axis("fold", "output_size", output_size, 2)
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
    out = shapes.overlap_add(views, shape=(*columns.shape[:lead], *padded), stride=windows.stride, dilation=windows.dilation)
    return constant_pad(out, [(-a, -b) for a, b in pairs], 0.0)


def _of_image(name: str, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> tuple[Windows, rules.Padding]:
    shape, step, spread = (
        per_axis(name, argument, sizes, 2)
        for argument, sizes in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation))
    )
    return Windows(shape, step, spread), tuple((p, p) for p in per_axis(name, "padding", padding, 2, 0))
