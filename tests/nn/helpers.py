"""Comparing a function with PyTorch's, in value and in first and second derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")


def values(t: Any) -> Any:
    """A tensor's elements as a NumPy array, whichever library's it is."""
    return t.numpy(force=True)


def _derivatives(library: Any, grad: Any, function: Callable[..., Any], arrays: list[Any], weights: list[Any], second: bool) -> Any:
    """The value, the gradients of a weighted sum of it, and those of a weighted sum of the gradients."""
    inputs = [library.tensor(a, requires_grad=True) for a in arrays]
    out = function(*inputs)
    first = grad((out * library.tensor(weights[0])).sum(), inputs, create_graph=second)
    if not second:
        return [out, *first]
    total = sum((g * library.tensor(w)).sum() for g, w in zip(first, weights[1:], strict=True))
    found = grad(total, inputs, allow_unused=True) if total.requires_grad else [None] * len(inputs)  # else linear in all
    return [out, *first, *(x * 0.0 if g is None else g for g, x in zip(found, inputs, strict=True))]


def check_like_torch(
    ours: Callable[..., Any], theirs: Callable[..., Any], *arrays: Any, second: bool = True, rtol: float = 1e-9, atol: float = 1e-11
) -> None:
    """Hold that both functions of float64 arrays have equal values, gradients and second derivatives."""
    out = theirs(*(torch.tensor(a) for a in arrays))
    rng = np.random.default_rng(0)
    weights = [np.asarray(rng.normal(size=s)) for s in (tuple(out.shape), *(a.shape for a in arrays))]
    of_ours = _derivatives(ad, ad.autograd.grad, ours, list(arrays), weights, second)
    of_torch = _derivatives(torch, torch.autograd.grad, theirs, list(arrays), weights, second)
    assert len(of_ours) == len(of_torch)
    for mine, reference in zip(of_ours, of_torch, strict=True):
        assert mine.shape == tuple(reference.shape)
        np.testing.assert_allclose(values(mine), values(reference), rtol=rtol, atol=atol)
