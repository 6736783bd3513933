"""The rows of the benchmark, with their contenders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import feeding
import guarding
import processes
import recording
import scalars
import training
import with_jax
import with_numpy
from measure import Contender
from tasks import Task, classes, regression, sequences, sine, text


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        contenders: functions that each build a contender; one may be left out (``LeftOut``, a missing library or layer).
        unit: "s" for timed rows; otherwise the unit of a step's return value.
        trains: whether a step returns a loss, which must fall.
        task: the training task, in training rows.
    """

    name: str
    title: str
    contenders: dict[str, Callable[[], Contender]]
    unit: str = "s"
    trains: bool = False
    task: Task | None = None


TRAINING: dict[str, Callable[[Task], Contender]] = {
    "adjoint": training.adjoint,
    "adjoint captured": training.captured,
    "torch": training.torch,
    "torch fused": training.torch_fused,
    "jax": with_jax.train,
    "sklearn": with_numpy.sklearn,
    "mygrad": with_numpy.mygrad,
    "autograd": with_numpy.autograd,
}
ON_A_GPU: dict[str, Callable[[Task], Contender]] = {
    "adjoint": partial(training.adjoint, device="cuda"),
    "adjoint captured": partial(training.captured, device="cuda"),
    "torch": partial(training.torch, device="cuda"),
    "torch fused": partial(training.torch_fused, device="cuda"),
    "torch compiled": partial(training.torch_compiled, device="cuda"),
    "jax": with_jax.train,
}

#: Name, title and task.
TASKS: list[tuple[str, str, Task]] = [
    ("perceptron", "1-1, SGD, batch 32, squared error",
     Task("mlp", (1, 1), partial(regression, 1000, 1), "mse", "SGD", 0.01, 32)),
    ("sine", "1-64-1, tanh, Adam, batch 100, squared error",
     Task("mlp", (1, 64, 1), sine, "mse", "Adam", 1e-3, 100, "tanh")),
    ("iris", "4-50-50-50-3, Adam, batch 30, cross entropy",
     Task("mlp", (4, 50, 50, 50, 3), partial(classes, 150, (4,), 3), "cross_entropy", "Adam", 1e-3, 30)),
    ("airquality", "5-50-50-50-1, Adam, batch 30, squared error",
     Task("mlp", (5, 50, 50, 50, 1), partial(regression, 111, 5), "mse", "Adam", 1e-3, 30)),
    ("717-30-10", "717-30-10, Adam, batch 32, cross entropy",
     Task("mlp", (717, 30, 10), partial(classes, 2000, (717,), 10), "cross_entropy", "Adam", 1e-3, 32)),
    ("784-512-10", "784-512-10, RMSprop, batch 128, cross entropy",
     Task("mlp", (784, 512, 10), partial(classes, 10_000, (784,), 10), "cross_entropy", "RMSprop", 1e-4, 128)),
    ("784-2048-2048-10", "784-2048-2048-10, Adam, batch 256, cross entropy",
     Task("mlp", (784, 2048, 2048, 10), partial(classes, 10_000, (784,), 10), "cross_entropy", "Adam", 1e-4, 256,
          tiny=(784, 8, 8, 10))),
    ("cnn", "PyTorch's MNIST example, Adam, batch 64",
     Task("cnn", (32, 64, 128), partial(classes, 2000, (1, 28, 28), 10), "cross_entropy", "Adam", 1e-3, 64, tiny=(2, 2, 4))),
    ("gpt", "character GPT, 4 layers of 128, 4 heads, context 64, AdamW, batch 16",
     Task("gpt", (4, 4, 128, 65), text, "cross_entropy", "AdamW", 1e-3, 16, context=64, tiny=(1, 1, 4, 65))),
    ("lstm", "LSTM, 128 units, 32 steps of 32, Adam, batch 32",
     Task("lstm", (32, 128, 8), sequences, "mse", "Adam", 1e-3, 32)),
]  # fmt: skip


def trainings(contenders: dict[str, Callable[[Task], Contender]]) -> list[Row]:
    return [
        Row(name, title, {who: partial(build, task) for who, build in contenders.items()}, trains=True, task=task)
        for name, title, task in TASKS
    ]


def predicting(names: tuple[str, ...]) -> list[Row]:
    return [
        Row(
            f"predict-{name}",
            f"one row through {title.split(',')[0]}",
            {w: partial(f, t) for w, f in feeding.PREDICTORS.items()},
        )
        for name, title, t in TASKS
        if name in names
    ]


def memory(names: tuple[str, ...]) -> list[Row]:
    return [
        Row(
            f"memory-{name}", f"peak memory of training, {title}",
            {who: partial(processes.peak, name, who) for who in ("adjoint", "adjoint captured", "torch", "torch fused")},
            unit="MiB",
        )
        for name, title, _ in TASKS
        if name in names
    ]  # fmt: skip


ROWS: list[Row] = [
    *trainings(TRAINING),
    Row(
        "moons", "scalar MLP 2-16-16-1, a batch of 4 points, SGD, hinge loss",
        {
            "adjoint": scalars.with_adjoint,
            "adjoint captured": partial(scalars.with_adjoint, capture=True),
            "micrograd": scalars.with_micrograd,
        },
        trains=True,
    ),
    Row(
        "loader", "an epoch of 60,000 x 784, batch 128, shuffled",
        {"adjoint": feeding.adjoint_epoch, "torch": feeding.torch_epoch},
    ),
    Row(
        "guards", "a replay of x * k on 4 numbers, with and without 20 guarded attributes of a trainer",
        {"adjoint captured": partial(guarding.replays, True), "adjoint captured, no attributes": partial(guarding.replays, False)},
    ),
    Row(
        "recording", "the first call of a captured function of 12,000 operations, compared with the function",
        {"adjoint": recording.adjoint, "adjoint captured": partial(recording.adjoint, capture=True)},
    ),
    *predicting(("iris", "784-512-10")),
    Row(
        "import", "a process that imports and ends",
        {name: partial(processes.imports, name) for name in ("adjoint", "numpy", "torch", "jax")},
    ),
    Row(
        "size", "installed size, including dependencies",
        {name: partial(processes.installed, name) for name in ("adjoint", "torch", "jax")}, unit="MiB",
    ),
    *memory(("784-2048-2048-10", "cnn", "gpt")),
]  # fmt: skip
#: The rows of ``make bench-quick``.
QUICK = ("sine", "iris", "717-30-10", "784-512-10", "cnn", "gpt", "lstm", "moons", "loader", "import")
GPU_ROWS: list[Row] = trainings(ON_A_GPU)[4:]
