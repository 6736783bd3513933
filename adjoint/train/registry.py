"""Optimizers, activations and initializers by name; ``losses.LOSSES`` and ``metrics.METRICS`` are the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .. import nn, optim
from ..errors import nearest
from ..nn import init
from ..nn.init import _fans

T = TypeVar("T")

#: Optimizers with Keras' defaults, which differ from PyTorch's. The update rules are PyTorch's: Keras adds epsilon inside RMSprop's
#: square root, and before Adam's bias correction, so that steps differ where gradients are very small.
OPTIMIZERS: dict[str, tuple[Callable[..., optim.Optimizer], dict[str, float]]] = {
    "sgd": (optim.SGD, {"lr": 0.01}),
    "adam": (optim.Adam, {"lr": 0.001, "eps": 1e-7}),
    "adamw": (optim.AdamW, {"lr": 0.001, "eps": 1e-7, "weight_decay": 0.004}),
    "adamax": (optim.Adamax, {"lr": 0.001, "eps": 1e-7}),
    "rmsprop": (optim.RMSprop, {"lr": 0.001, "alpha": 0.9, "eps": 1e-7}),
    "adagrad": (optim.Adagrad, {"lr": 0.001, "initial_accumulator_value": 0.1, "eps": 1e-7}),
}

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "softsign": nn.Softsign,
    "softmax": lambda: nn.Softmax(dim=-1),
    "log_softmax": lambda: nn.LogSoftmax(dim=-1),
}


def _truncated_normal(scale: float, fan: Callable[[int, int], float]) -> Callable[[Any], Any]:
    """An initializer of variance ``scale`` / fan, as in Keras: a wider normal distribution truncated at two deviations."""

    def fill(weight: Any) -> Any:
        std = math.sqrt(scale / max(1.0, fan(*_fans("initialized", weight)))) / 0.87962566103423978
        return init.trunc_normal_(weight, 0.0, std, -2.0 * std, 2.0 * std)

    return fill


INITIALIZERS: dict[str, Callable[[Any], Any]] = {
    "zeros": init.zeros_,
    "ones": init.ones_,
    "glorot_uniform": init.xavier_uniform_,
    "glorot_normal": _truncated_normal(1.0, lambda inputs, outputs: (inputs + outputs) / 2),
    "he_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_normal": _truncated_normal(2.0, lambda inputs, outputs: inputs),
    "lecun_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="linear"),
    "lecun_normal": _truncated_normal(1.0, lambda inputs, outputs: inputs),
    "orthogonal": init.orthogonal_,
    "random_normal": lambda w: init.normal_(w, 0.0, 0.05),
    "random_uniform": lambda w: init.uniform_(w, -0.05, 0.05),
}


def lookup(kind: str, name: str, registry: Mapping[str, T]) -> T:
    """The entry of that name. Raises ``ValueError``, with the ``kind`` and the most similar names, where there is none."""
    if name not in registry:
        raise ValueError(f"unknown {kind} {name!r}{nearest(name, registry)}; use one of {', '.join(registry)}")
    return registry[name]


M = TypeVar("M", bound=nn.Module)


def initialized(module: M, weights: str = "glorot_uniform", biases: str = "zeros") -> M:
    """Re-initialize a module's parameters, by default as Keras' dense and convolutional layers do, and return the module.

    Args:
        module: without normalization layers, whose scales would be set as well.
        weights: a name in :data:`INITIALIZERS`, for parameters of two or more axes.
        biases: a name in :data:`INITIALIZERS`, for the others.

    Raises ``ValueError`` on an unknown name, with the most similar ones.

    >>> import adjoint as ad
    >>> from adjoint import train
    >>> layer = train.initialized(nn.Linear(4, 3), "he_normal")
    >>> layer.bias.tolist()
    [0.0, 0.0, 0.0]
    """
    fill, fill_bias = (lookup("initializer", name, INITIALIZERS) for name in (weights, biases))
    for p in module.parameters():
        (fill if p.ndim > 1 else fill_bias)(p)
    return module
