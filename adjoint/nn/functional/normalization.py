"""Normalization over batches, layers, groups, instances and neighbouring channels, as functions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...autograd import Tensor, no_grad
from ...autograd import functions as f
from ...autograd.arguments import number, reads_numbers, sizes_of
from ...autograd.creation import zeros
from ...autograd.graph import differentiable
from ...autograd.precision import wide, wide_inside
from ...autograd.rules import normalization, reductions
from ...backends import dtypes

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "local_response_norm", "rms_norm"]


@reads_numbers
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """weight (x - mean) / sqrt(variance + ``eps``) + bias, channel by channel of (N, C, …). Ioffe and Szegedy (2015).

    In ``training`` mean and variance are the batch's, and the running ones, where given, move towards them in place, unseen by
    the graph: running = (1 - ``momentum``) running + ``momentum`` batch's, with the unbiased variance. Otherwise the running
    ones are used.

    Raises ``ValueError`` in training on one value a channel, otherwise without running statistics, or where a shape does not fit.
    """
    _check("batch_norm", input, running_mean, running_var, weight, bias)
    if not training:
        return _by_running_statistics(input, "batch_norm", running_mean, running_var, weight, bias, eps)
    _check_count("batch_norm", "channel", input, input.numel() // (input.shape[1] or 1))
    return _by_own_statistics(input, (0, *range(2, input.ndim)), running_mean, running_var, weight, bias, momentum, eps)


@reads_numbers
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """:func:`batch_norm` with mean and variance of each channel of each example of (N, C, …). Ulyanov et al. (2016).

    Running statistics are averaged over the examples; they are used where ``use_input_stats`` is False.
    """
    _check("instance_norm", input, running_mean, running_var, weight, bias)
    if not use_input_stats:
        return _by_running_statistics(input, "instance_norm", running_mean, running_var, weight, bias, eps)
    _check_count("instance_norm", "channel of an example", input, prod(input.shape[2:]))
    return _by_own_statistics(input, tuple(range(2, input.ndim)), running_mean, running_var, weight, bias, momentum, eps)


@reads_numbers
def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Normalized over each of ``num_groups`` groups of channels of each example of (N, C, …), then scaled by channel.

    Wu and He (2018). Raises ``ValueError`` where ``num_groups`` does not divide C.
    """
    _check("group_norm", input, None, None, weight, bias)
    examples, channels, *rest = input.shape
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"group_norm: {channels} channels can not be cut into {num_groups} groups; it must divide them")
    _check_count("group_norm", "group", input, examples * channels // num_groups * prod(rest))
    groups = f.reshape(input, examples, num_groups, channels // num_groups, *rest)
    normalized = normalization.standardize(groups, axis=tuple(range(2, groups.ndim)), eps=eps)
    return _affine(f.reshape(normalized, input.shape), weight, bias, 1)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """weight (x - mean) / sqrt(variance + ``eps``) + bias over the last axes, those of ``normalized_shape``.

    Weight and bias have that shape. Ba, Kiros and Hinton (2016). Raises ``ValueError`` where the input's shape does not end so.
    """
    axes = _last_axes("layer_norm", input, normalized_shape, weight, bias)
    if type(eps) is not float:
        eps = number("layer_norm", "eps", eps)
    if weight is None or not weight.numel():
        return _affine(normalization.standardize(input, axis=axes, eps=eps), weight, bias, None)
    return normalization.layer_norm(input, weight, 0.0 if bias is None else bias, eps=eps).to(input.dtype)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """weight x / sqrt(mean x^2 + ``eps``) over the last axes, those of ``normalized_shape``. Zhang and Sennrich (2019).

    ``eps`` is the dtype's distance from 1 to the next number where it is None.
    """
    axes = _last_axes("rms_norm", input, normalized_shape, weight, None)
    eps = dtypes.finfo(input.dtype).eps if eps is None else number("rms_norm", "eps", eps)
    x = wide(differentiable, input)
    deviation = normalization.root_mean_square.call(x, axis=axes, divisor=reductions.count(x.shape, axes) or 1, eps=eps)
    normalized = x * f.reciprocal(deviation)
    return _affine(normalized.to(input.dtype), weight, None, None)


@reads_numbers
@wide_inside
def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (``k`` + ``alpha`` mean)^``beta``, the mean of x^2 over the ``size`` channels around each one's of (N, C, …).

    Channels beyond the first and the last count as 0. Krizhevsky et al. (2012). Raises ``ValueError`` on fewer than 3 axes.
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: the input has shape {input.shape}; it must be (N, C, L) or have more axes")
    if size < 1:
        raise ValueError(f"local_response_norm: size is at least 1, not {size}")
    examples, channels, *rest = input.shape
    before, after = (zeros(examples, n, *rest, dtype=input.dtype, device=input.backend) for n in (size // 2, (size - 1) // 2))
    squares = f.concat([before, f.square(input), after], 1)
    total = squares[:, :channels]
    for i in range(1, size):
        total = total + squares[:, i : i + channels]
    return input / f.pow(total * (alpha / size) + k, beta)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, axis: int | None) -> Tensor:
    """weight x + bias in the dtype of ``x``; both along ``axis``, or along the last axes where it is None."""
    result = x
    if weight is not None:
        result = result * (weight if axis is None else _along(weight, x))
    if bias is not None:
        result = result + (bias if axis is None else _along(bias, x))
    return result.to(x.dtype)


def _along(vector: Tensor, x: Tensor) -> Tensor:
    """A number a channel, in a shape that broadcasts against ``x`` of (N, C, …)."""
    return vector if x.ndim == 2 else f.reshape(vector, (-1,) + (1,) * (x.ndim - 2))


def _by_own_statistics(
    input: Tensor,
    axes: tuple[int, ...],
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float | Tensor,
    eps: float,
) -> Tensor:
    """Normalized over ``axes``; the running statistics, of a mean over the examples too, move towards what was found.

    Composed, since mean and variance are wanted by themselves, and the weight goes into what the elements are multiplied by.
    """
    if not input.numel():
        return _affine(input, weight, bias, 1)
    x, n = wide(differentiable, input), reductions.count(input.shape, axes)
    centred = normalization.centre.call(x, axis=axes)
    with no_grad():
        if running_mean is not None:
            first = tuple([slice(0, 1) if i in axes else slice(None) for i in range(x.ndim)])
            _move(running_mean, x[first] - centred[first], momentum)
        if running_var is not None:
            unbiased = normalization.root_mean_square.call(centred, axis=axes, divisor=n - 1, eps=0.0)
            _move(running_var, f.square(unbiased), momentum)
    deviation = normalization.root_mean_square.call(centred, axis=axes, divisor=n, eps=eps)
    scale = (1.0 if weight is None else _along(weight, x)) / deviation
    return _affine(centred * scale, None, bias, 1).to(input.dtype)


def _move(running: Tensor, statistic: Tensor, momentum: float | Tensor) -> None:
    """Move ``running`` in place towards the statistic of each channel, averaged over the examples where they have their own."""
    each = f.mean(f.reshape(statistic, -1, len(running)), 0)
    kept, moved = 1.0 - momentum, momentum
    if isinstance(kept, Tensor) and isinstance(moved, Tensor):
        kept, moved = kept.to(running.dtype), moved.to(running.dtype)
    running.copy_(kept * running + moved * each)


@wide_inside
def _by_running_statistics(
    input: Tensor, name: str, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    if mean is None or var is None:
        raise ValueError(f"{name}: running_mean and running_var must be given where the input's own statistics are not used")
    scale = f.rsqrt(var + eps)
    scale = scale if weight is None else scale * weight
    return _affine(input - _along(mean, input), scale, bias, 1).to(input.dtype)


def _check(name: str, input: Tensor, *vectors: Tensor | None) -> None:
    """Raise unless the input is floating-point of shape (N, C, …) and the vectors have an element for each of the C channels."""
    _check_dtype(name, input)
    if input.ndim < 2:
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (N, C) or (N, C, …)")
    channels = input.shape[1]
    for what, vector in zip(("running_mean", "running_var", "weight", "bias"), vectors, strict=True):
        if vector is not None and vector.shape != (channels,):
            raise ValueError(
                f"{name}: the {what} has shape {vector.shape} and the input {input.shape}; it must have an element for each of "
                f"the {channels} channels, axis 1"
            )


def _check_dtype(name: str, input: Tensor) -> None:
    if input.dtype.kind != "float":
        raise TypeError(f"{name}: the input is {input.dtype}; it must be floating-point, convert it with .float()")


def _check_count(name: str, group: str, input: Tensor, n: int) -> None:
    if n == 1:
        raise ValueError(
            f"{name}: an input of shape {input.shape} has one value a {group}, which has no variance; give more, or use .eval()"
        )


def _last_axes(
    name: str, input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None
) -> tuple[int, ...]:
    _check_dtype(name, input)
    shape = sizes_of(name, normalized_shape if type(normalized_shape) is tuple else (normalized_shape,), "normalized_shape")
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(f"{name}: the input has shape {input.shape}; its last axes must be of the normalized shape {shape}")
    for what, given in (("weight", weight), ("bias", bias)):
        if given is not None and given.shape != shape:
            raise ValueError(f"{name}: the {what} has shape {given.shape}; it must have the normalized shape {shape}")
    return tuple(range(-len(shape), 0))
