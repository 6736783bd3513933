"""What a word stands for: optimizers, activations and initialisers by name. Losses and metrics are in files of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .. import nn, optim
from ..data.table import nearest
from ..nn import init
from ..nn.init import _fans

T = TypeVar("T")

#: Optimizers with Keras' default numbers, which differ from PyTorch's; an optimizer that is made by hand has PyTorch's. The rules
#: are PyTorch's: Keras adds its epsilon inside RMSprop's root, and before Adam's bias is corrected, so that steps by very small
#: gradients differ.
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


def _cut_normal(scale: float, fan: Callable[[int, int], float]) -> Callable[[Any], Any]:
    """Fills by a normal distribution of variance ``scale`` / fan, as Keras has it: cut at two deviations of a wider one."""

    def fill(weight: Any) -> Any:
        wide = math.sqrt(scale / max(1.0, fan(*_fans("initialized", weight)))) / 0.87962566103423978
        return init.trunc_normal_(weight, 0.0, wide, -2.0 * wide, 2.0 * wide)

    return fill


INITIALIZERS: dict[str, Callable[[Any], Any]] = {
    "zeros": init.zeros_,
    "ones": init.ones_,
    "glorot_uniform": init.xavier_uniform_,
    "glorot_normal": _cut_normal(1.0, lambda inputs, outputs: (inputs + outputs) / 2),
    "he_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_normal": _cut_normal(2.0, lambda inputs, outputs: inputs),
    "lecun_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="linear"),
    "lecun_normal": _cut_normal(1.0, lambda inputs, outputs: inputs),
    "orthogonal": init.orthogonal_,
    "random_normal": lambda w: init.normal_(w, 0.0, 0.05),
    "random_uniform": lambda w: init.uniform_(w, -0.05, 0.05),
}


def found(kind: str, name: str, known: Mapping[str, T]) -> T:
    """What goes by that name; ``ValueError`` with the nearest one where nothing does."""
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}{nearest(name, known)}; use one of {', '.join(known)}")
    return known[name]


M = TypeVar("M", bound=nn.Module)


def initialized(module: M, weights: str = "glorot_uniform", biases: str = "zeros") -> M:
    """The module itself, its parameters filled anew: those of two axes and more by one initialiser, the others by the other.

    Keras' dense and convolutional layers begin with the defaults here, PyTorch's and those of :mod:`adjoint.nn` otherwise; the
    names are in :data:`INITIALIZERS`. Parameters that scale (of a normalization) should not be among them.

    Raises ``ValueError`` on an unknown name, with the nearest one.

    >>> import adjoint as ad
    >>> from adjoint import train
    >>> layer = train.initialized(nn.Linear(4, 3), "he_normal")
    >>> layer.bias.tolist()
    [0.0, 0.0, 0.0]
    """
    fill, fill_bias = (found("initialiser", name, INITIALIZERS) for name in (weights, biases))
    for p in module.parameters():
        (fill if p.ndim > 1 else fill_bias)(p)
    return module
