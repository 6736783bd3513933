"""``mlp``: the multilayer perceptron that the command line and the estimators train."""

from __future__ import annotations

from collections.abc import Sequence

from .. import nn
from .names import ACTIVATIONS, found
from .penalty import penalized


def mlp(
    inputs: int, hidden: Sequence[int], outputs: int, activation: str = "relu", dropout: float = 0.0, penalty: float = 0.0
) -> nn.Sequential:
    """A multilayer perceptron, (N, inputs) to (N, outputs): hidden layers, each with its activation, then a linear layer.

    Args:
        inputs: how many numbers a sample has.
        hidden: the width of each hidden layer; with none the model is linear.
        outputs: how many numbers it gives for a sample, without an activation.
        activation: a name in :data:`adjoint.train.names.ACTIVATIONS`.
        dropout: the share of each hidden layer's outputs that is left out at random in training; there is no such layer at 0.
        penalty: what ``fit`` multiplies the squares of the weights, but for biases, with, and adds to the loss
            (:func:`~adjoint.train.penalized`).

    Raises ``ValueError`` on an unknown activation, with the nearest known one, and on a share or factor out of range.

    >>> from adjoint import train
    >>> [layer.out_features for layer in train.mlp(4, [50, 20], 3, "tanh") if isinstance(layer, nn.Linear)]
    [50, 20, 3]
    """
    between = found("activation", activation, ACTIVATIONS)
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), between()]
        layers += [nn.Dropout(dropout)] if dropout else []
        inputs = width
    model = nn.Sequential(*layers, nn.Linear(inputs, outputs))
    if penalty:
        for layer in model:
            if isinstance(layer, nn.Linear):
                penalized(layer, l2=penalty)
    return model
