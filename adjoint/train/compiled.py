"""``compile``: the optimizer, the loss and the metrics of a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import nn, optim
from ..autograd import Tensor
from . import losses
from .metrics import Metric, as_metric
from .registry import OPTIMIZERS, lookup

#: The attributes that ``compile`` and ``fit`` set on a model.
ATTRIBUTES = ("compiled", "history", "callbacks", "stop_training")


@dataclass
class Compiled:
    """What ``compile`` sets: the optimizer, the loss and the metrics."""

    optimizer: optim.Optimizer
    loss: Callable[[Tensor, Tensor], Tensor]
    metrics: list[Metric]

    def loss_of(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """The loss of a batch of N samples, without the penalty: mean_i(weight_i loss_i).

        Args:
            output: the model's output, (N, ...).
            target: in the shape and dtype that the loss takes.
            weight: of each sample, (N,); 1 by default.

        Returns:
            A 0-d tensor.

        Raises:
            ValueError: there is no target, or the loss has no value per sample to multiply with weights.
            TypeError: the output is not a tensor.
        """
        if target is None:
            raise ValueError("fit: the batch has no y; a dataset or loader gives (x, y) or (x, y, weight)")
        if not isinstance(output, Tensor):
            raise TypeError(f"fit: the model returned a {type(output).__name__}, but a loss takes one tensor; define a train_step")
        if self.loss not in losses.LOSSES.values() and not isinstance(self.loss, nn.Module):
            output, target = losses.without_column(output, target)  # a user's function might broadcast (N, 1) with (N,)
        if weight is None:
            value = self.loss(output, target)
            return value if not value.ndim else value.mean()
        return (losses.per_sample(self.loss)(output, target) * weight).mean()


def compile(self: nn.Module, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = ()) -> None:
    """Set the optimizer, the loss and the metrics for ``fit`` and ``evaluate``.

    Args:
        optimizer: a name with Keras' defaults (:data:`adjoint.train.registry.OPTIMIZERS`), or an optimizer of the module's
            parameters.
        loss: a name (:data:`adjoint.train.losses.LOSSES`), a module such as ``nn.CrossEntropyLoss()``, or a function of output and
            target.
        metrics: one or several: names (:data:`adjoint.train.metrics.METRICS`), :class:`~adjoint.train.Metric` objects, or
            functions of output and target.

    Raises:
        ValueError: an unknown name; two metrics of one name, or one named "loss"; an optimizer of other parameters; a part of the
            module that is named like an attribute of ``fit``.
        TypeError: an object that is neither a name nor of these kinds.
    """
    parts = {
        name for name, _ in (*self.named_children(), *self.named_parameters(recurse=False), *self.named_buffers(recurse=False))
    }
    if taken := sorted(parts.intersection(ATTRIBUTES)):
        raise ValueError(f"compile: the model has a part named {taken[0]!r}, which is an attribute that fit sets; rename it")
    if loss is None:
        raise ValueError("compile: a loss is needed; give a name such as 'mse', or a function of output and target")
    loss_fn = lookup("loss", loss.lower(), losses.LOSSES) if isinstance(loss, str) else loss
    if not callable(loss_fn) or isinstance(loss_fn, type):
        raise TypeError(f"compile: loss is a name or a function of output and target, not {loss!r}")
    single = isinstance(metrics, (str, Metric)) or callable(metrics)
    metric_list = [as_metric(metric, loss_fn) for metric in ([metrics] if single else metrics or ())]
    names = ["loss", *(metric.name for metric in metric_list)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"compile: two of the metrics {', '.join(names)} are named {name!r}; give the metric another name")
    if isinstance(optimizer, str):
        rule, defaults = lookup("optimizer", optimizer.lower(), OPTIMIZERS)
        optimizer = rule(self.parameters(), **defaults)
    elif not isinstance(optimizer, optim.Optimizer):
        raise TypeError(f"compile: optimizer is a name or an optimizer of the model's parameters, not {optimizer!r}")
    else:
        own = {id(p) for p in self.parameters()}
        if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
            raise ValueError("compile: the optimizer has none of the model's parameters; make it of model.parameters()")
    set_attributes(self, compiled=Compiled(optimizer, loss_fn, metric_list))


def compiled_of(model: nn.Module, who: str) -> Compiled:
    """What :func:`compile` set. Raises ``RuntimeError``, which names ``who`` needs it, before that."""
    compiled = getattr(model, "compiled", None)
    if not isinstance(compiled, Compiled):
        raise RuntimeError(f"{who}: the model has no loss and no optimizer yet; call model.compile(optimizer=…, loss=…) first")
    return compiled


def set_attributes(model: nn.Module, **attributes: Any) -> None:
    """Set attributes of a model that are none of its parts, whatever they hold."""
    for name, value in attributes.items():
        object.__setattr__(model, name, value)


def loss_of(model: Any) -> Any:
    """The loss that a model is compiled with; None before :func:`compile`."""
    compiled = getattr(model, "compiled", None)
    return compiled.loss if isinstance(compiled, Compiled) else None


def threshold(model: Any) -> float:
    """The threshold of a single output for the second of two classes: 0 for losses of logits and hinges, else 1/2."""
    return losses.decides_at(loss_of(model))
