"""The training loop that the command line runs, from the public pieces a user would write it with."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import nn, optim
from ..autograd import Tensor, no_grad
from ..capture import capture as captured
from ..data import DataLoader, TensorDataset

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU, "elu": nn.ELU}
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": optim.SGD,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "adamax": optim.Adamax,
    "rmsprop": optim.RMSprop,
    "adagrad": optim.Adagrad,
}


def mlp(inputs: int, hidden: list[int], outputs: int, activation: str = "relu") -> nn.Sequential:
    """A multilayer perceptron: a linear layer and an activation for each width in ``hidden``, then a linear layer."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), ACTIVATIONS[activation]()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Epoch(NamedTuple):
    """What one pass over the data gave: the mean training loss, and loss and score on the held-out rows.

    The score is the accuracy of a classifier, the mean absolute error of a regression in the target's units.
    """

    loss: float
    held_out_loss: float
    score: float


class Split(NamedTuple):
    """Features (n, inputs), and a target for each row: class numbers, or values as (n, 1)."""

    x: Tensor
    y: Tensor


def score(output: Tensor, y: Tensor, unit: float) -> float:
    """Accuracy of logits against class numbers, or mean absolute error in multiples of ``unit``."""
    if y.dtype.kind == "float":
        return float((output - y).abs().mean().item()) * unit
    return float((output.argmax(dim=1) == y).float().mean().item())


def fit(
    model: nn.Module,
    train: Split,
    held_out: Split,
    *,
    optimizer: str,
    lr: float,
    penalty: float,
    epochs: int,
    batch_size: int,
    unit: float = 1.0,
    capture: bool = False,
    watch: Callable[[int, Epoch], Any] = lambda number, epoch: None,
) -> list[Epoch]:
    """Train by mini-batches in random order: cross entropy for class numbers, mean squared error for values.

    The learning rate falls from ``lr`` to 0 along half a cosine (Loshchilov and Hutter, 2017): the last weights settle.
    ``penalty`` is shared among the rows: the optimizer's weight decay is ``penalty`` over their number, so that it counts for
    less the more there is to learn from.

    With ``capture``, steps and evaluations are recorded and replayed by :func:`~adjoint.capture`, for the same numbers sooner; a
    last, smaller batch is a recording of its own.

    Raises ``RuntimeError`` after an epoch that ends with a loss that is not finite: the training has diverged.

    ``watch`` is called after each epoch with its number, from 1, and its :class:`Epoch`; all of them are returned.
    """
    loss_fn = nn.MSELoss() if train.y.dtype.kind == "float" else nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(*train), batch_size=batch_size, shuffle=True)
    rule = OPTIMIZERS[optimizer](model.parameters(), lr=lr, weight_decay=penalty / len(train.x))
    schedule = optim.lr_scheduler.CosineAnnealingLR(rule, T_max=epochs)

    def step(x: Tensor, y: Tensor) -> Tensor:
        rule.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        rule.step()
        return loss

    def evaluate(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        with no_grad():
            output = model(x)
            return loss_fn(output, y), output

    if capture:
        step, evaluate = captured(step), captured(evaluate)
    history = []
    for number in range(1, epochs + 1):
        model.train()
        total = 0.0
        for x, y in loader:
            total += step(x, y).item() * len(x)
        schedule.step()
        model.eval()
        loss, output = evaluate(*held_out)
        held_out_loss = loss.item()
        history.append(Epoch(total / len(train.x), held_out_loss, score(output, held_out.y, unit)))
        if not math.isfinite(total + held_out_loss):
            raise RuntimeError(
                f"the training diverged in epoch {number}: the loss is {history[-1].loss:.3g}, "
                f"{held_out_loss:.3g} on the held-out rows; use a smaller learning rate (--lr, here {lr:g})"
            )
        watch(number, history[-1])
    return history
