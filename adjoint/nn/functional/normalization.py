"""Normalization over batches, layers, groups, instances and neighbouring channels, as functions.

All of them compute weight (x - mean) / sqrt(variance + eps) + bias. Group and layer normalization use the primitives of
:mod:`adjoint.autograd.rules.normalization`; batch and instance normalization compose them, by :func:`_normalized`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...autograd import Tensor, functions as f, no_grad
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
    """weight (x - mean) / sqrt(variance + ``eps``) + bias for each channel. Ioffe and Szegedy (2015).

    Args:
        input: x, (N, C, …).
        running_mean, running_var: (C,), or None; used unless ``training``, and updated in place, without recording it, if so:
            running = (1 - ``momentum``) running + ``momentum`` batch's, with the unbiased variance.
        weight, bias: (C,), or None for 1 and 0.
        training: whether to use the batch's mean and variance.
        momentum: the weight of the batch in the running statistics.
        eps: added to the variance.

    Returns the input's shape. Raises ``ValueError`` in training on one value per channel, otherwise without running statistics, and
    if shapes do not match.
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
    """:func:`batch_norm` with the mean and variance of each channel of each example. Ulyanov et al. (2016).

    Args:
        input: x, (N, C, …).
        running_mean, running_var: (C,), or None; averaged over the examples.
        weight, bias: (C,), or None for 1 and 0.
        use_input_stats: whether to use the input's statistics instead of the running ones, which are then updated.
        momentum: the weight of the input in the running statistics.
        eps: added to the variance.

    Returns and raises as :func:`batch_norm` does.
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
    """weight (x - mean) / sqrt(variance + ``eps``) + bias over groups of channels of each example. Wu and He (2018).

    Args:
        input: x, (N, C, …).
        num_groups: the number of groups, which divides C.
        weight, bias: (C,), or None for 1 and 0.
        eps: added to the variance.

    Returns the input's shape. Raises ``ValueError`` if ``num_groups`` does not divide C, or shapes do not match.
    """
    _check("group_norm", input, None, None, weight, bias)
    examples, channels, *rest = input.shape
    if num_groups < 1 or channels % num_groups:
        raise ValueError(f"group_norm: num_groups={num_groups} must divide the {channels} channels")
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
    """weight (x - mean) / sqrt(variance + ``eps``) + bias over the last axes. Ba, Kiros and Hinton (2016).

    Args:
        input: x, (…, *normalized_shape).
        normalized_shape: the lengths of the last axes, which share mean and variance.
        weight, bias: of the normalized shape, or None for 1 and 0.
        eps: added to the variance.

    Returns the input's shape. Raises ``ValueError`` if shapes do not match.
    """
    axes = _last_axes("layer_norm", input, normalized_shape, weight, bias)
    if type(eps) is not float:
        eps = number("layer_norm", "eps", eps)
    if weight is None or not weight.numel():
        return _affine(normalization.standardize(input, axis=axes, eps=eps), weight, bias, None)
    return normalization.layer_norm(input, weight, 0.0 if bias is None else bias, eps=eps).to(input.dtype)


def rms_norm(input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """weight x / sqrt(mean x^2 + ``eps``) over the last axes. Zhang and Sennrich (2019).

    Args:
        input: x, (…, *normalized_shape).
        normalized_shape: the lengths of the last axes, which share the mean.
        weight: of the normalized shape, or None for 1.
        eps: added to the mean; the dtype's machine epsilon if None.

    Returns the input's shape. Raises ``ValueError`` if shapes do not match.
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
    """x / (``k`` + ``alpha`` mean)^``beta``, with the mean of x^2 over ``size`` neighbouring channels. Krizhevsky et al. (2012).

    Args:
        input: x, (N, C, L) or with more axes.
        size: the number of channels around each, those beyond the first and the last counting as 0.
        alpha, beta, k: the formula's constants.

    Returns the input's shape. Raises ``ValueError`` on fewer than 3 axes, or if ``size`` is below 1.
    """
    if input.ndim < 3:
        raise ValueError(f"local_response_norm: the input has shape {input.shape}; it must be (N, C, L), or have more axes")
    if size < 1:
        raise ValueError(f"local_response_norm: size must be at least 1, not {size}")
    examples, channels, *rest = input.shape
    before, after = (zeros(examples, n, *rest, dtype=input.dtype, device=input.backend) for n in (size // 2, (size - 1) // 2))
    squares = f.concat([before, f.square(input), after], 1)
    total = squares[:, :channels]
    for i in range(1, size):
        total = total + squares[:, i : i + channels]
    return input / f.pow(total * (alpha / size) + k, beta)


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, axis: int | None) -> Tensor:
    """weight x + bias in the dtype of ``x``; both along ``axis``, or along the last axes if it is None."""
    result = x
    if weight is not None:
        result = result * (weight if axis is None else _along(weight, x))
    if bias is not None:
        result = result + (bias if axis is None else _along(bias, x))
    return result.to(x.dtype)


def _along(vector: Tensor, x: Tensor) -> Tensor:
    """A vector of C elements in a shape that broadcasts with ``x``, (N, C, …)."""
    return vector if x.ndim == 2 else f.reshape(vector, (-1,) + (1,) * (x.ndim - 2))


def _normalized(centred: Tensor, deviation: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """weight (x - mean) / deviation + bias; the weight scales the deviation first, which has fewer elements."""
    scale = (1.0 if weight is None else _along(weight, centred)) / deviation
    return _affine(centred * scale, None, bias, 1)


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
    """Normalize over ``axes``, and update the running statistics."""
    if not input.numel():
        return _affine(input, weight, bias, 1)
    x, n = wide(differentiable, input), reductions.count(input.shape, axes)
    centred = normalization.centre.call(x, axis=axes)
    with no_grad():
        if running_mean is not None:
            first = tuple([slice(0, 1) if i in axes else slice(None) for i in range(x.ndim)])
            _update(running_mean, x[first] - centred[first], momentum)
        if running_var is not None:
            unbiased = normalization.root_mean_square.call(centred, axis=axes, divisor=n - 1, eps=0.0)
            _update(running_var, f.square(unbiased), momentum)
    deviation = normalization.root_mean_square.call(centred, axis=axes, divisor=n, eps=eps)
    return _normalized(centred, deviation, weight, bias).to(input.dtype)


def _update(running: Tensor, statistic: Tensor, momentum: float | Tensor) -> None:
    """Move ``running`` in place towards the statistic of each channel, averaged over the examples that have their own."""
    mean = f.mean(f.reshape(statistic, -1, len(running)), 0)
    old, new = 1.0 - momentum, momentum
    if isinstance(old, Tensor) and isinstance(new, Tensor):
        old, new = old.to(running.dtype), new.to(running.dtype)
    running.copy_(old * running + new * mean)


@wide_inside
def _by_running_statistics(
    input: Tensor, name: str, mean: Tensor | None, var: Tensor | None, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    if mean is None or var is None:
        raise ValueError(f"{name}: running_mean and running_var are required unless the input's own statistics are used")
    deviation = _along(f.sqrt(var + eps), input)
    return _normalized(input - _along(mean, input), deviation, weight, bias).to(input.dtype)


def _check(name: str, input: Tensor, *vectors: Tensor | None) -> None:
    """Raise unless the input is floating-point of shape (N, C, …) and the vectors have C elements."""
    _check_dtype(name, input)
    if input.ndim < 2:
        raise ValueError(f"{name}: the input has shape {input.shape}; it must be (N, C) or (N, C, …)")
    channels = input.shape[1]
    for what, vector in zip(("running_mean", "running_var", "weight", "bias"), vectors, strict=True):
        if vector is not None and vector.shape != (channels,):
            raise ValueError(
                f"{name}: the {what} has shape {vector.shape} and the input {input.shape}; it must have an element for each of the "
                f"{channels} channels, axis 1"
            )


def _check_dtype(name: str, input: Tensor) -> None:
    if input.dtype.kind != "float":
        raise TypeError(f"{name}: the input is {input.dtype}; it must be floating-point, convert it with .float()")


def _check_count(name: str, group: str, input: Tensor, n: int) -> None:
    if n == 1:
        raise ValueError(
            f"{name}: an input of shape {input.shape} has one value per {group}, which has no variance; pass more, or use .eval()"
        )


def _last_axes(
    name: str, input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None
) -> tuple[int, ...]:
    _check_dtype(name, input)
    shape = sizes_of(name, normalized_shape if type(normalized_shape) is tuple else (normalized_shape,), "normalized_shape")
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(f"{name}: the input has shape {input.shape}; its last axes must have the normalized shape {shape}")
    for what, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != shape:
            raise ValueError(f"{name}: the {what} has shape {parameter.shape}; it must have the normalized shape {shape}")
    return tuple(range(-len(shape), 0))
