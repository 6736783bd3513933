"""Layers that normalize over batches, layers, groups, instances and neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import ones, tensor, zeros
from . import functional, init
from .layer import FunctionLayer
from .module import Module
from .parameter import Parameter

__all__ = [
    "BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d",
    "LayerNorm", "LocalResponseNorm", "RMSNorm",
]  # fmt: skip


class _Channelwise(Module):
    """Normalization of (N, C, …) with running statistics, weight and bias of C channels."""

    axes: tuple[int, ...]
    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    @reads_numbers
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = Parameter(ones(num_features, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(num_features, device=device, dtype=dtype)) if affine and bias else None
        track = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if track else None)
        self.register_buffer("num_batches_tracked", tensor(0, device=device) if track else None)

    def reset_running_stats(self) -> None:
        """Reset the running statistics to mean 0, variance 1 and no batches."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Reset weight and bias to 1 and 0, and the running statistics."""
        self.reset_running_stats()
        _reset(self.weight, self.bias)

    def _check_axes(self, input: Tensor) -> None:
        if input.ndim not in self.axes:
            axes = " or ".join(map(str, self.axes))
            raise ValueError(f"{type(self).__name__}: the input has shape {input.shape}; it must have {axes} axes")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_Channelwise):
    def forward(self, input: Tensor) -> Tensor:
        self._check_axes(input)
        momentum: float | Tensor = self.momentum or 0.0
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / self.num_batches_tracked.double()
        return functional.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """weight (x - mean) / sqrt(variance + eps) + bias for each channel of (N, C) or (N, C, L). Ioffe and Szegedy (2015).

    In training, mean and variance are the batch's; in evaluation the running averages, if they are tracked.

    Args:
        num_features: the number of channels C.
        eps: added to the variance.
        momentum: the weight of a batch in the running averages; None averages all batches equally.
        affine: whether there are a weight and a bias.
        track_running_stats: whether there are running averages.
        bias: whether there is a bias.

    Attributes:
        weight, bias: (C,), initially 1 and 0; or None.
        running_mean, running_var: buffers (C,), initially 0 and 1; the variance is the unbiased one. Or None.
        num_batches_tracked: the number of batches in the running averages.

    Raises ``ValueError`` in training on one value per channel, and on another number of axes or channels.

    >>> BatchNorm1d(3)
    BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    """:class:`BatchNorm1d` of (N, C, H, W), with the same arguments."""

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    """:class:`BatchNorm1d` of (N, C, D, H, W), with the same arguments."""

    axes = (5,)


class _InstanceNorm(_Channelwise):
    @reads_numbers
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_axes(input)
        batch = input if input.ndim == self.axes[1] else input.unsqueeze(0)
        result = functional.instance_norm(
            batch,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            self.momentum or 0.0,
            self.eps,
        )
        return result if batch is input else result.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """(x - mean) / sqrt(variance + eps) for each channel of each example of (N, C, L) or (C, L). Ulyanov et al. (2016).

    Arguments and attributes are :class:`BatchNorm1d`'s; by default there are neither weight and bias nor running averages.
    """

    axes = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """:class:`InstanceNorm1d` of (N, C, H, W) or (C, H, W); arguments are :class:`BatchNorm1d`'s."""

    axes = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """:class:`InstanceNorm1d` of (N, C, D, H, W) or (C, D, H, W); arguments are :class:`BatchNorm1d`'s."""

    axes = (4, 5)


class LayerNorm(Module):
    """weight (x - mean) / sqrt(variance + eps) + bias over the last axes of (…, *normalized_shape). Ba et al. (2016).

    Args:
        normalized_shape: the lengths of the last axes, which share mean and variance.
        eps: added to the variance.
        elementwise_affine: whether there are a weight and a bias.
        bias: whether there is a bias.

    Attributes:
        weight, bias: of the normalized shape, initially 1 and 0; or None.

    >>> LayerNorm(3)
    LayerNorm((3,), eps=1e-05, elementwise_affine=True, bias=True)
    """

    @reads_numbers
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        shape = self.normalized_shape
        self.weight = Parameter(ones(shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape, device=device, dtype=dtype)) if elementwise_affine and bias else None

    def reset_parameters(self) -> None:
        """Reset weight and bias to 1 and 0."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """weight (x - mean) / sqrt(variance + eps) + bias over groups of channels of each example of (N, C, …). Wu and He (2018).

    Args:
        num_groups: the number of groups.
        num_channels: the number of channels C, which ``num_groups`` divides.
        eps: added to the variance.
        affine: whether there are a weight and a bias.
        bias: whether there is a bias.

    Attributes:
        weight, bias: (C,), initially 1 and 0; or None.

    Raises ``ValueError`` if ``num_groups`` does not divide ``num_channels``.
    """

    @reads_numbers
    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_groups={num_groups} must divide num_channels={num_channels}")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = Parameter(ones(num_channels, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(zeros(num_channels, device=device, dtype=dtype)) if affine and bias else None

    def reset_parameters(self) -> None:
        """Reset weight and bias to 1 and 0."""
        _reset(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class RMSNorm(Module):
    """weight x / sqrt(mean x^2 + eps) over the last axes of (…, *normalized_shape). Zhang and Sennrich (2019).

    Args:
        normalized_shape: the lengths of the last axes, which share the mean.
        eps: added to the mean; the dtype's machine epsilon if None.
        elementwise_affine: whether there is a weight.

    Attributes:
        weight: of the normalized shape, initially 1; or None.
    """

    @reads_numbers
    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None

    def reset_parameters(self) -> None:
        """Reset the weight to 1."""
        _reset(self.weight, None)

    def forward(self, input: Tensor) -> Tensor:
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(FunctionLayer):
    """x / (k + alpha mean)^beta, with the mean of x^2 over channels; see :func:`~adjoint.nn.functional.local_response_norm`."""

    _function, _arguments = staticmethod(functional.local_response_norm), ("size", "alpha", "beta", "k")

    @reads_numbers
    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


def _reset(weight: Parameter | None, bias: Parameter | None) -> None:
    if weight is not None:
        init.ones_(weight)
    if bias is not None:
        init.zeros_(bias)
