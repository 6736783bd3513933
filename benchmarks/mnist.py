"""The courses' MNIST trainings in this library and in PyTorch on the same rows: ``python benchmarks/mnist.py``.

Each of five seeds splits MNIST's 10,000 test images into 8,000 for training and 2,000 for testing. Both libraries start from the
same weights; each has its own order of samples. Prints the test accuracies and their medians.
"""

from __future__ import annotations

import statistics
from typing import Any, NamedTuple

import torch

import adjoint as ad
from adjoint import data, nn


class Course(NamedTuple):
    """A course's network and training settings; the learning rates are Keras' defaults."""

    hidden: int
    optimizer: str
    settings: dict[str, float]
    batch: int
    scaled: bool
    epochs: int = 10


COURSES = (
    Course(512, "RMSprop", {"lr": 0.001, "alpha": 0.9, "eps": 1e-7}, 128, scaled=False),
    Course(30, "Adam", {"lr": 0.001, "eps": 1e-7}, 32, scaled=True),
    Course(100, "Adam", {"lr": 0.001, "eps": 1e-7}, 32, scaled=True),
)


def train(lib: Any, model: Any, loss_fn: Any, optimizer: Any, x: Any, y: Any, course: Course) -> None:
    """A PyTorch-style loop; ``lib`` is ``adjoint`` or ``torch``."""
    for _ in range(course.epochs):
        order = lib.randperm(len(x))
        for start in range(0, len(x), course.batch):
            rows = order[start : start + course.batch]
            optimizer.zero_grad()
            loss_fn(model(x[rows]), y[rows]).backward()
            optimizer.step()


def accuracy(model: Any, x: Any, y: Any) -> float:
    return float((model(x).argmax(1) == y).float().mean().item())


def both(course: Course, seed: int, x: Any, y: Any) -> tuple[float, float]:
    """The test accuracies of one split, ours and PyTorch's."""
    ad.manual_seed(seed)
    torch.manual_seed(seed)
    training, test = data.train_test_split(ad.arange(len(x)), test_size=0.2, stratify=y)
    if course.scaled:
        means, deviations = x[training].mean(dim=0), x[training].std(dim=0)
        kept = (deviations > 0).nonzero()[:, 0]
        x = (x[:, kept] - means[kept]) / deviations[kept]
    parts = [t[rows] for rows in (training, test) for t in (x, y)]
    others = [torch.tensor(t.numpy()) for t in parts]
    ours, theirs = (
        lib.Sequential(lib.Linear(x.shape[1], course.hidden), lib.ReLU(), lib.Linear(course.hidden, 10)) for lib in (nn, torch.nn)
    )
    ours.load_state_dict({name: ad.tensor(t.numpy()) for name, t in theirs.state_dict().items()})
    for lib, model, rows in ((ad, ours, parts), (torch, theirs, others)):
        optimizer = getattr(lib.optim, course.optimizer)(model.parameters(), **course.settings)
        train(lib, model, lib.nn.CrossEntropyLoss(), optimizer, *rows[:2], course)
    return accuracy(ours, *parts[2:]), accuracy(theirs, *others[2:])


def main() -> None:
    digits = data.mnist(train=False)
    for course in COURSES:
        found = [both(course, seed, digits.x.flatten(1), digits.y) for seed in range(5)]
        print(f"{course.hidden} units, {course.optimizer}")
        for name, values in zip(("adjoint", "PyTorch"), zip(*found, strict=True), strict=True):
            print(f"  {name}: {statistics.median(values):.4f}   ({', '.join(f'{value:.4f}' for value in values)})")


if __name__ == "__main__":
    main()
