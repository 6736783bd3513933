"""Losses as layers. Formulas, shapes, sources and errors are those of :mod:`adjoint.nn.functional`'s functions.

Every loss takes ``reduction``: ``"mean"``, ``"sum"``, or ``"none"`` for the losses of all elements. PyTorch's deprecated
``size_average`` and ``reduce`` are not offered; parameters that follow them in PyTorch's signatures are keyword-only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from . import functional
from .distance import PairwiseDistance
from .functional.loss import check_reduction
from .module import Module

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss", "HingeEmbeddingLoss",
    "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss", "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss",
    "MultiMarginLoss", "NLLLoss", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]  # fmt: skip


class _Loss(Module):
    """A loss declared by its function, which takes the attributes named in ``_arguments``, and ``reduction``, by keyword."""

    _function: ClassVar[Callable[..., Tensor]]
    _arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(type(self).__name__, reduction)
        self.reduction = reduction

    def _loss(self, *tensors: Any) -> Tensor:
        return self._function(*tensors, reduction=self.reduction, **{name: getattr(self, name) for name in self._arguments})


class _TargetLoss(_Loss):
    """A loss of an input and a target."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._loss(input, target)


class _WeightedLoss(_TargetLoss):
    """A loss with a buffer ``weight``, which moves with the module."""

    weight: Tensor | None
    _arguments: ClassVar[tuple[str, ...]] = ("weight",)

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.register_buffer("weight", weight)


# --- regression --------------------------------------------------------------------------------------------------------------


class MSELoss(_TargetLoss):
    """The mean squared error: (input - target)^2, averaged; see :func:`~adjoint.nn.functional.mse_loss`."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_TargetLoss):
    """The mean absolute error: abs(input - target), averaged; see :func:`~adjoint.nn.functional.l1_loss`."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.l1_loss(input, target, reduction=self.reduction)


class HuberLoss(_TargetLoss):
    """Quadratic for errors up to ``delta``, linear beyond; see :func:`~adjoint.nn.functional.huber_loss`."""

    _function, _arguments = staticmethod(functional.huber_loss), ("delta",)

    @reads_numbers
    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta


class SmoothL1Loss(_TargetLoss):
    """Quadratic for errors below ``beta``, linear beyond; see :func:`~adjoint.nn.functional.smooth_l1_loss`."""

    _function, _arguments = staticmethod(functional.smooth_l1_loss), ("beta",)

    @reads_numbers
    def __init__(self, *, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.beta = beta


class PoissonNLLLoss(_TargetLoss):
    """Negative log likelihood of a Poisson distribution; see :func:`~adjoint.nn.functional.poisson_nll_loss`."""

    _function, _arguments = staticmethod(functional.poisson_nll_loss), ("log_input", "full", "eps")

    @reads_numbers
    def __init__(self, log_input: bool = True, full: bool = False, *, eps: float = 1e-8, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return self._loss(log_input, target)


class GaussianNLLLoss(_Loss):
    """Negative log likelihood of a normal distribution; see :func:`~adjoint.nn.functional.gaussian_nll_loss`."""

    _function, _arguments = staticmethod(functional.gaussian_nll_loss), ("full", "eps")

    @reads_numbers
    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        return self._loss(input, target, var)


# --- classification ----------------------------------------------------------------------------------------------------------


class CrossEntropyLoss(_WeightedLoss):
    """Cross entropy of logits with class indices or probabilities; see :func:`~adjoint.nn.functional.cross_entropy`."""

    @reads_numbers
    def __init__(
        self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ) -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """-input[target], the input being log-probabilities; see :func:`~adjoint.nn.functional.nll_loss`."""

    _function, _arguments = staticmethod(functional.nll_loss), ("weight", "ignore_index")

    @reads_numbers
    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean") -> None:
        super().__init__(weight, reduction=reduction)
        self.ignore_index = ignore_index


class BCELoss(_WeightedLoss):
    """Cross entropy of probabilities of one class; see :func:`~adjoint.nn.functional.binary_cross_entropy`."""

    _function = staticmethod(functional.binary_cross_entropy)


class BCEWithLogitsLoss(_WeightedLoss):
    """Cross entropy of one class's logits; see :func:`~adjoint.nn.functional.binary_cross_entropy_with_logits`."""

    pos_weight: Tensor | None
    _function, _arguments = staticmethod(functional.binary_cross_entropy_with_logits), ("weight", "pos_weight")

    def __init__(self, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None) -> None:
        super().__init__(weight, reduction=reduction)
        self.register_buffer("pos_weight", pos_weight)


class KLDivLoss(_TargetLoss):
    """The Kullback-Leibler divergence of log-probabilities from a target; see :func:`~adjoint.nn.functional.kl_div`.

    ``reduction="batchmean"`` divides the sum by the batch size; ``log_target`` says that the target is log-probabilities too.
    """

    _function, _arguments = staticmethod(functional.kl_div), ("log_target",)

    def __init__(self, *, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction="sum" if reduction == "batchmean" else reduction)
        self.reduction, self.log_target = reduction, log_target


class SoftMarginLoss(_TargetLoss):
    """log(1 + exp(-target input)), averaged; see :func:`~adjoint.nn.functional.soft_margin_loss`."""

    _function = staticmethod(functional.soft_margin_loss)


class MultiMarginLoss(_WeightedLoss):
    """The target class's score exceeds all others by ``margin``; see :func:`~adjoint.nn.functional.multi_margin_loss`.

    Raises ``ValueError`` on another ``p``.
    """

    _function, _arguments = staticmethod(functional.multi_margin_loss), ("p", "margin", "weight")

    @reads_numbers
    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, *, reduction: str = "mean") -> None:
        super().__init__(weight, reduction=reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: p must be 1 or 2, not {p}")
        self.p, self.margin = p, margin


class MultiLabelMarginLoss(_TargetLoss):
    """The target classes' scores exceed all others by 1; see :func:`~adjoint.nn.functional.multilabel_margin_loss`."""

    _function = staticmethod(functional.multilabel_margin_loss)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """Binary cross entropy of each class's logits; see :func:`~adjoint.nn.functional.multilabel_soft_margin_loss`."""

    _function = staticmethod(functional.multilabel_soft_margin_loss)


# --- distances ---------------------------------------------------------------------------------------------------------------


class _MarginLoss(_Loss):
    _arguments: ClassVar[tuple[str, ...]] = ("margin",)

    @reads_numbers
    def __init__(self, margin: float = 0.0, *, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.margin = margin


class HingeEmbeddingLoss(_MarginLoss):
    """Distances small for target 1, beyond ``margin`` for -1; see :func:`~adjoint.nn.functional.hinge_embedding_loss`."""

    _function = staticmethod(functional.hinge_embedding_loss)

    @reads_numbers
    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return self._loss(input, target)


class MarginRankingLoss(_MarginLoss):
    """Input 1 above input 2 for target 1, below for -1; see :func:`~adjoint.nn.functional.margin_ranking_loss`."""

    _function = staticmethod(functional.margin_ranking_loss)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return self._loss(input1, input2, target)


class CosineEmbeddingLoss(_MarginLoss):
    """Vectors of equal direction for target 1, others for -1; see :func:`~adjoint.nn.functional.cosine_embedding_loss`."""

    _function = staticmethod(functional.cosine_embedding_loss)

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return self._loss(input1, input2, target)


class _TripletLoss(_MarginLoss):
    @reads_numbers
    def __init__(self, margin: float = 1.0, *, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)
        if margin <= 0:
            raise ValueError(f"{type(self).__name__}: margin must be above 0, not {margin}")

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return self._loss(anchor, positive, negative)


class TripletMarginLoss(_TripletLoss):
    """The positive nearer to the anchor than the negative, by the p-norm; see :func:`~adjoint.nn.functional.triplet_margin_loss`.

    Raises ``ValueError`` if ``margin`` is not above 0.
    """

    _function, _arguments = staticmethod(functional.triplet_margin_loss), ("margin", "p", "eps", "swap")

    @reads_numbers
    def __init__(
        self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False, *, reduction: str = "mean"
    ) -> None:
        super().__init__(margin, reduction=reduction)
        self.p, self.eps, self.swap = p, eps, swap


class TripletMarginWithDistanceLoss(_TripletLoss):
    """:class:`TripletMarginLoss` by any distance; see :func:`~adjoint.nn.functional.triplet_margin_with_distance_loss`.

    Raises ``ValueError`` if ``margin`` is not above 0.
    """

    _function = staticmethod(functional.triplet_margin_with_distance_loss)
    _arguments = ("distance_function", "margin", "swap")

    @reads_numbers
    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(margin, reduction=reduction)
        self.distance_function: Any = PairwiseDistance() if distance_function is None else distance_function
        self.swap = swap
