"""PyTorch as the oracle: the same expression on both libraries must give the same values, dtypes and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")


def needs_pytorch(version: str) -> None:
    """Skip a test of what PyTorch has, or says otherwise, since that version."""
    if tuple(map(int, torch.__version__.split(".")[:2])) < tuple(map(int, version.split("."))):
        pytest.skip(f"compared with PyTorch {version}, not {torch.__version__}")


def outputs(result: Any) -> list[Any]:
    return list(result) if isinstance(result, (tuple, list)) else [result]


def to_numpy(tensor: Any) -> Any:
    return tensor.detach().cpu().numpy()


def dtype_name(tensor: Any) -> str:
    return str(tensor.dtype).partition(".")[2]


def same(ours: Any, theirs: Any, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert dtype_name(ours) == dtype_name(theirs)
    np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), rtol, atol)


def cotangent(shape: Any, seed: int) -> Any:
    return np.random.default_rng(seed).uniform(0.5, 1.5, shape)


def weighted(library: Any, results: list[Any]) -> Any:
    """The floating-point results made one number."""
    total = 0.0
    for i, result in enumerate(results):
        if "float" in str(result.dtype):
            w = cotangent(tuple(result.shape), i)
            total = total + (result * (torch.tensor(w) if library is torch else ad.tensor(w)).to(result.dtype)).sum()
    return total


def agree(function: Callable[..., Any], *arrays: Any, second: bool = False, rtol: float = 1e-10) -> None:
    """``function(library, *tensors)`` gives the same results and gradients on adjoint and PyTorch; second order where asked."""
    ours = [ad.tensor(a, requires_grad=np.asarray(a).dtype.kind == "f") for a in arrays]
    theirs = [torch.tensor(a, requires_grad=np.asarray(a).dtype.kind == "f") for a in arrays]
    got, wanted = outputs(function(ad, *ours)), outputs(function(torch, *theirs))
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted, strict=True):
        same(a, b, rtol)
    a, b = weighted(ad, got), weighted(torch, wanted)
    if not getattr(b, "requires_grad", False):
        return
    our_leaves, their_leaves = [x for x in ours if x.requires_grad], [x for x in theirs if x.requires_grad]
    of_ours = ad.autograd.grad(a, our_leaves, create_graph=second, allow_unused=True)
    of_theirs = torch.autograd.grad(b, their_leaves, create_graph=second, allow_unused=True)
    for g, h in zip(of_ours, of_theirs, strict=True):
        assert (g is None) == (h is None)
        if h is not None:
            same(g, h, rtol)
    if second:
        a, b = weighted(ad, [g for g in of_ours if g is not None]), weighted(torch, [h for h in of_theirs if h is not None])
        if not getattr(b, "requires_grad", False):
            return
        for x, y in zip(our_leaves, their_leaves, strict=True):
            (g,) = ad.autograd.grad(a, [x], retain_graph=True, allow_unused=True) if a.requires_grad else (None,)
            (h,) = torch.autograd.grad(b, [y], retain_graph=True, allow_unused=True)
            zero = np.zeros(tuple(x.shape))
            np.testing.assert_allclose(zero if g is None else to_numpy(g), zero if h is None else to_numpy(h), rtol, 1e-12)
