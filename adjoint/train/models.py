"""``mlp``: the multilayer perceptron that the command line and the estimators train."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .registry import ACTIVATIONS, lookup
from .regularization import penalized


def mlp(
    inputs: int, hidden: Sequence[int], outputs: int, activation: str = "relu", dropout: float = 0.0, penalty: float = 0.0
) -> nn.Sequential:
    """A multilayer perceptron, (N, inputs) to (N, outputs): hidden layers with an activation each, then a linear layer.

    Args:
        inputs: features per sample.
        hidden: the width of each hidden layer; with none the model is linear.
        outputs: outputs per sample, which have no activation.
        activation: a name in :data:`adjoint.train.registry.ACTIVATIONS`.
        dropout: the probability of zeroing a hidden layer's outputs in training; at 0 there are no dropout layers.
        penalty: L2 penalty coefficient (biases excluded), as in :func:`~adjoint.train.penalized`.

    Returns:
        Its layers in an ``nn.Sequential``.

    Raises ``ValueError`` on an unknown activation, with the most similar ones, and on a probability or coefficient out of range.

    >>> from adjoint import train
    >>> [layer.out_features for layer in train.mlp(4, [50, 20], 3, "tanh") if isinstance(layer, nn.Linear)]
    [50, 20, 3]
    """
    make_activation = lookup("activation", activation, ACTIVATIONS)
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), make_activation()]
        layers += [nn.Dropout(dropout)] if dropout else []
        inputs = width
    model = nn.Sequential(*layers, nn.Linear(inputs, outputs))
    if penalty:
        for layer in model:
            if isinstance(layer, nn.Linear):
                penalized(layer, l2=penalty)
    return model
