"""An epoch of a data loader, and a prediction for a single row."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import models
import with_jax
from measure import Contender
from tasks import Task, classes

SAMPLES, WIDTH, BATCH = 60_000, 784, 128


def epoch(lib: Any, data: Any) -> Contender:
    """All batches of a shuffled data set of two tensors, (60000, 784) and (60000,)."""
    x, y = classes(SAMPLES, (WIDTH,), 10)
    loader = data.DataLoader(data.TensorDataset(lib.from_numpy(x), lib.from_numpy(y)), batch_size=BATCH, shuffle=True)

    def step() -> None:
        for _ in loader:
            pass

    return Contender(step)


def adjoint_epoch() -> Contender:
    import adjoint as ad

    return epoch(ad, ad.data)


def torch_epoch() -> Contender:
    import torch
    import torch.utils.data

    return epoch(torch, torch.utils.data)


def predictions(lib: Any, task: Task, mode: Callable[[], Any]) -> Contender:
    """The scores (1, classes) of one row (1, features), which is already a tensor; no graph is recorded."""
    model = models.MODELS[task.model](lib, task)
    model.eval()
    rows = cycle([lib.tensor(row) for row in task.data()[0][:64, None]])

    def step() -> None:
        with mode():
            model(next(rows))

    return Contender(step)


def adjoint_predict(task: Task) -> Contender:
    import adjoint as ad

    return predictions(ad, task, ad.no_grad)


def torch_predict(task: Task) -> Contender:
    import torch

    return predictions(torch, task, torch.inference_mode)


def sklearn_predict(task: Task) -> Contender:
    """``predict``, which validates its input and returns the class. The model is trained on one batch with Adam."""
    from sklearn.neural_network import MLPClassifier

    x, y = task.data()
    model = MLPClassifier(hidden_layer_sizes=task.sizes[1:-1], activation=task.activation, batch_size=len(y))
    model.partial_fit(x, y, classes=list(range(task.sizes[-1])))
    rows = cycle(list(x[:64, None]))
    return Contender(lambda: model.predict(next(rows)))


PREDICTORS: dict[str, Callable[[Task], Contender]] = {
    "adjoint": adjoint_predict, "torch": torch_predict, "jax": with_jax.predict, "sklearn": sklearn_predict,
}  # fmt: skip
