"""The same small network on both sides, built from plain tensors: what the optimizer tests train."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

import adjoint as ad

SIZES = (4, 8, 8, 3)


def start(dtype: str, seed: int = 0) -> tuple[list[Any], Any, Any]:
    """Initial weights, 100 batches of 16 inputs, and their targets, all as NumPy arrays."""
    rng = np.random.default_rng(seed)
    weights: list[Any] = []
    for fan_in, fan_out in pairwise(SIZES):
        weights.append(rng.normal(0, fan_in**-0.5, (fan_in, fan_out)).astype(dtype))
        weights.append(rng.normal(0, 0.1, fan_out).astype(dtype))
    x = rng.normal(size=(100, 16, SIZES[0])).astype(dtype)
    y = np.tanh(x @ rng.normal(size=(SIZES[0], SIZES[-1]))).astype(dtype)
    return weights, x, y


def parameters(weights: list[Any]) -> list[ad.Tensor]:
    return [ad.tensor(w, requires_grad=True) for w in weights]


def loss_of(params: list[Any], x: Any, y: Any) -> Any:
    """Mean squared error of an MLP with tanh, in operations that adjoint's tensors and PyTorch's both have."""
    for i in range(0, len(params), 2):
        x = x @ params[i] + params[i + 1]
        x = x.tanh() if i < len(params) - 2 else x
    return ((x - y) ** 2).mean()


def train(optimizer: Any, params: list[Any], x: Any, y: Any, steps: range = range(100)) -> list[float]:
    """The loss before each step, over one batch a step."""
    losses = []
    for i in steps:
        optimizer.zero_grad()
        loss = loss_of(params, x[i], y[i])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def values(params: list[Any]) -> list[Any]:
    return [p.detach().cpu().numpy() for p in params]
