"""What a word stands for: optimizers, activations and initialisers by name. Losses and metrics are in files of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .. import nn, optim
from ..data.table import nearest
from ..nn import init

T = TypeVar("T")

#: Optimizers with Keras' defaults, which differ from PyTorch's; an optimizer that is made by hand has PyTorch's.
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

INITIALIZERS: dict[str, Callable[[Any], Any]] = {
    "zeros": init.zeros_,
    "ones": init.ones_,
    "glorot_uniform": init.xavier_uniform_,
    "glorot_normal": init.xavier_normal_,
    "he_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="relu"),
    "he_normal": lambda w: init.kaiming_normal_(w, nonlinearity="relu"),
    "lecun_uniform": lambda w: init.kaiming_uniform_(w, nonlinearity="linear"),
    "lecun_normal": lambda w: init.kaiming_normal_(w, nonlinearity="linear"),
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

    Keras' layers begin with the defaults here, PyTorch's and those of :mod:`adjoint.nn` otherwise; the names are in
    :data:`INITIALIZERS`. Parameters that scale (of a normalization) should not be among them.

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
