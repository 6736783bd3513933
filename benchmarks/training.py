"""PyTorch-style training steps; ``lib`` is ``adjoint`` or ``torch``."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import models
from measure import Contender
from tasks import Task


def loss_function(lib: Any, task: Task) -> Callable[[Any, Any], Any]:
    functional = lib.nn.functional
    if task.loss == "mse":
        return functional.mse_loss
    if task.context:
        return lambda logits, target: functional.cross_entropy(logits.flatten(0, 1), target.flatten())
    return functional.cross_entropy


def make_step(lib: Any, task: Task, device: str | None, **options: Any) -> tuple[Callable[[Any], Any], list[Any]]:
    """The train step, a function of a batch's sample indices that returns the loss; and the batches, as tensors."""
    lib.manual_seed(0)
    model = models.MODELS[task.model](lib, task).to(device or "cpu")
    optimizer = getattr(lib.optim, task.optimizer)(model.parameters(), lr=task.lr, **options)
    inputs, targets = (lib.tensor(array, device=device) for array in task.data())
    loss_fn = loss_function(lib, task)
    places = lib.arange(task.context, device=device)

    def train_step(idx: Any) -> Any:
        at = idx.unsqueeze(1) + places if task.context else idx
        optimizer.zero_grad()
        loss = loss_fn(model(inputs[at]), targets[at])
        loss.backward()
        optimizer.step()
        return loss

    return train_step, [lib.tensor(idx, device=device) for idx in task.indices()]


def cycling(step: Callable[[Any], Any], batches: list[Any]) -> Callable[[], Any]:
    following = cycle(batches).__next__
    return lambda: step(following())


def waiting(ad: Any) -> Callable[[], Any]:
    return ad.backends.default().synchronize


def adjoint(task: Task, device: str | None = None) -> Contender:
    import adjoint as ad

    return Contender(cycling(*make_step(ad, task, device)), waiting(ad))


def captured(task: Task, device: str | None = None) -> Contender:
    """The same train step, recorded once and replayed."""
    import adjoint as ad

    step, batches = make_step(ad, task, device)
    return Contender(cycling(ad.capture(step), batches), waiting(ad))


def torch(task: Task, device: str | None = None, wrap: Callable[[Any], Any] | None = None, **options: Any) -> Contender:
    import torch

    step, batches = make_step(torch, task, device, **options)
    return Contender(cycling(wrap(step) if wrap else step, batches), torch.cuda.synchronize if device else lambda: None)


def torch_fused(task: Task, device: str | None = None) -> Contender:
    """With the fused optimizer, or ``foreach`` for RMSprop, which has no fused one."""
    return torch(task, device, **{"foreach" if task.optimizer == "RMSprop" else "fused": True})


def torch_compiled(task: Task, device: str | None = None) -> Contender:
    """The whole step through ``torch.compile``; its CUDA-graph mode rejects steps that contain backward and update."""
    import torch as lib

    return torch(task, device, wrap=lib.compile)
