"""The fully connected trainings in scikit-learn, MyGrad and HIPS autograd, which compute with NumPy.

MyGrad and autograd bring no optimizer for a step of one's own, so the update is written here as one would, parameter by
parameter. MyGrad's memory guard is off, as its manual advises where speed matters.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
from measure import Contender, LeftOut
from tasks import Task, dense_weights


def only_mlp(task: Task) -> None:
    if task.model != "mlp":
        raise LeftOut("no such layers")


def updates(task: Task, params: list[np.ndarray]) -> Callable[[list[Any]], None]:
    """The update rule in place: SGD; Adam (Kingma and Ba, 2015); RMSprop (Tieleman and Hinton, 2012)."""
    lr, eps, t = task.lr, 1e-8, 0
    means, squares = ([np.zeros_like(p) for p in params] for _ in range(2))

    def sgd(gradients: list[Any]) -> None:
        for p, g in zip(params, gradients, strict=True):
            p -= lr * g

    def rmsprop(gradients: list[Any]) -> None:
        for p, g, s in zip(params, gradients, squares, strict=True):
            s *= 0.99
            s += 0.01 * g * g
            p -= lr * g / (np.sqrt(s) + eps)

    def adam(gradients: list[Any]) -> None:
        nonlocal t
        t += 1
        rate, correction = lr / (1 - 0.9**t), (1 - 0.999**t) ** 0.5
        for p, g, m, s in zip(params, gradients, means, squares, strict=True):
            m *= 0.9
            m += 0.1 * g
            s *= 0.999
            s += 0.001 * g * g
            p -= rate * m / (np.sqrt(s) / correction + eps)

    return {"SGD": sgd, "RMSprop": rmsprop, "Adam": adam}[task.optimizer]


def sklearn(task: Task) -> Contender:
    """``partial_fit`` on a batch; the loss that scikit-learn reports is half the mean square."""
    only_mlp(task)
    if task.optimizer not in ("SGD", "Adam"):
        raise LeftOut(f"scikit-learn has no {task.optimizer}")
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    (x, y), batches = task.data(), cycle(task.indices())
    kind, target, options = MLPRegressor, y.ravel(), {}
    if task.loss == "cross_entropy":
        kind, options = MLPClassifier, {"classes": np.unique(y)}
    model = kind(
        hidden_layer_sizes=task.sizes[1:-1], activation=task.activation, solver=task.optimizer.lower(), alpha=0.0,
        batch_size=task.batch, learning_rate_init=task.lr, momentum=0.0, nesterovs_momentum=False, random_state=0,
    )  # fmt: skip

    def step() -> float:
        idx = next(batches)
        model.partial_fit(x[idx], target[idx], **options)
        return model.loss_

    return Contender(step)


def mygrad(task: Task) -> Contender:
    only_mlp(task)
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    mg.turn_memory_guarding_off()
    act = {"relu": relu, "tanh": mg.tanh}[task.activation]
    params = [mg.tensor(w) for w in dense_weights(task.sizes)]
    update = updates(task, [p.data for p in params])
    (x, y), batches = task.data(), cycle(task.indices())

    def step() -> Any:
        idx = next(batches)
        out, target = x[idx], y[idx]
        for i in range(0, len(params), 2):
            out = mg.matmul(out, params[i]) + params[i + 1]
            if i + 2 < len(params):
                out = act(out)
        loss = mg.mean((out - target) ** 2) if task.loss == "mse" else softmax_crossentropy(out, target)
        loss.backward()
        update([p.grad for p in params])
        return loss.data

    return Contender(step)


def autograd(task: Task) -> Contender:
    only_mlp(task)
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    act = {"relu": lambda a: anp.maximum(a, 0), "tanh": anp.tanh}[task.activation]
    params = dense_weights(task.sizes)
    update = updates(task, params)
    (x, y), batches, samples = task.data(), cycle(task.indices()), np.arange(task.batch)

    def objective(params: Any, inputs: Any, target: Any) -> Any:
        out = inputs
        for i in range(0, len(params), 2):
            out = anp.dot(out, params[i]) + params[i + 1]
            if i + 2 < len(params):
                out = act(out)
        if task.loss == "mse":
            return anp.mean((out - target) ** 2)
        return anp.mean(logsumexp(out, axis=1) - out[samples, target])

    differentiated = value_and_grad(objective)

    def step() -> Any:
        idx = next(batches)
        loss, gradients = differentiated(params, x[idx], y[idx])
        update(gradients)
        return loss

    return Contender(step)
