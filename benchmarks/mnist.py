"""The course's MNIST training, 784-512-10 by RMSprop, here and in PyTorch on the same rows: ``python benchmarks/mnist.py``.

The 10,000 images of MNIST's test are divided anew for each of five seeds, 8,000 to train on and 2,000 to test with. Both libraries
begin with the same weights, and take the rows in orders of their own. Prints the test accuracies and their medians.
"""

from __future__ import annotations

import statistics
from typing import Any

import torch

import adjoint as ad
from adjoint import data, nn, optim

EPOCHS, BATCH, RATE, ALPHA, EPS = 10, 128, 0.001, 0.9, 1e-7


def network(lib: Any) -> Any:
    return lib.Sequential(lib.Linear(784, 512), lib.ReLU(), lib.Linear(512, 10))


def train(lib: Any, model: Any, loss_fn: Any, optimizer: Any, x: Any, y: Any) -> None:
    """PyTorch's loop, in which ``lib`` is the one or the other."""
    for _ in range(EPOCHS):
        order = lib.randperm(len(x))
        for start in range(0, len(x), BATCH):
            rows = order[start : start + BATCH]
            optimizer.zero_grad()
            loss_fn(model(x[rows]), y[rows]).backward()
            optimizer.step()


def accuracy(model: Any, x: Any, y: Any) -> float:
    return float((model(x).argmax(1) == y).float().mean().item())


def both(seed: int, x: Any, y: Any) -> tuple[float, float]:
    """The test accuracies of one division, ours and PyTorch's."""
    ad.manual_seed(seed)
    torch.manual_seed(seed)
    training, test = data.train_test_split(ad.arange(len(x)), test_size=0.2, stratify=y)
    parts = [t[rows] for rows in (training, test) for t in (x, y)]
    ours, theirs = network(nn), network(torch.nn)
    ours.load_state_dict({name: ad.tensor(t.numpy()) for name, t in theirs.state_dict().items()})
    settings = {"lr": RATE, "alpha": ALPHA, "eps": EPS}
    train(ad, ours, nn.CrossEntropyLoss(), optim.RMSprop(ours.parameters(), **settings), *parts[:2])
    others = [torch.tensor(t.numpy()) for t in parts]
    train(torch, theirs, torch.nn.CrossEntropyLoss(), torch.optim.RMSprop(theirs.parameters(), **settings), *others[:2])
    return accuracy(ours, *parts[2:]), accuracy(theirs, *others[2:])


def main() -> None:
    digits = data.mnist(train=False)
    found = [both(seed, digits.x.flatten(1), digits.y) for seed in range(5)]
    for name, values in zip(("adjoint", "PyTorch"), zip(*found, strict=True), strict=True):
        print(f"{name}: {statistics.median(values):.4f}   ({', '.join(f'{value:.4f}' for value in values)})")


if __name__ == "__main__":
    main()
