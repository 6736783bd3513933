"""Padding, as a function and as layers, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, torch, values

T = torch.nn.functional
rng = np.random.default_rng(0)


@settings(max_examples=30)
@given(data=st.data())
def test_padding_is_pytorchs_negative_or_not(data: Any) -> None:
    mode = data.draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    axes = data.draw(st.integers(1, 3))
    lead = data.draw(st.sampled_from([(2,), (1, 2)]))
    shape = (*lead, *(data.draw(st.integers(4, 5)) for _ in range(axes)))
    pad = [data.draw(st.integers(-1, 3)) for _ in range(2 * axes)]
    x = rng.normal(size=shape)
    value = data.draw(st.sampled_from([None, 0.0, 2.5])) if mode == "constant" else None
    ours, theirs = (lambda a, f=library: f.pad(a, pad, mode, value) for library in (F, T))
    check_like_torch(ours, theirs, x, second=False)


def test_constant_padding_takes_any_axes_and_keeps_the_dtype() -> None:
    for array in (np.arange(6).reshape(2, 3), np.ones((2, 3), np.bool_), np.float32([[1, np.nan, np.inf]])):
        for pad in ((), (1, 2), (1, -1, 0, 2), (-1, -1)):
            ours, theirs = F.pad(ad.tensor(array), pad, value=1), T.pad(torch.tensor(array), pad, value=1)
            assert str(ours.dtype).split(".")[-1] == str(theirs.dtype).split(".")[-1]
            np.testing.assert_array_equal(values(ours), values(theirs))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Constant", "Zero", "Reflection", "Replication", "Circular"])
def test_layers_are_pytorchs(kind: str, axes: int) -> None:
    x = rng.normal(size=(2, 3, 4, 5)[-axes - 1 :])
    for padding in (1, tuple(range(2 * axes)[::-1])[: 2 * axes] if kind in ("Constant", "Replication") else (1, 2) * axes):
        arguments = (padding, 3.5) if kind == "Constant" else (padding,)
        ours, theirs = (getattr(library, f"{kind}Pad{axes}d")(*arguments) for library in (nn, torch.nn))
        assert repr(ours) == repr(theirs)
        np.testing.assert_array_equal(values(ours(ad.tensor(x))), values(theirs(torch.tensor(x))))


def test_padding_on_every_backend(backend: ad.backends.Backend) -> None:
    x = ad.tensor(rng.normal(size=(2, 3, 4)), requires_grad=True)
    for mode in ("constant", "reflect", "replicate", "circular"):
        out = F.pad(x, (2, -1), mode)
        (gradient,) = ad.autograd.grad((out * out).sum(), [x])
        theirs = torch.tensor(values(x), requires_grad=True)
        expected = T.pad(theirs, (2, -1), mode)
        np.testing.assert_array_equal(values(out), values(expected))
        np.testing.assert_allclose(values(gradient), values(torch.autograd.grad((expected * expected).sum(), theirs)[0]))
        assert out.device == backend.device


X = ad.ones(1, 3, 3)
MISTAKES = {
    "mode": (lambda: F.pad(X, (1, 1), "mirror"), "mode must be 'constant', 'reflect', 'replicate' or 'circular', not 'mirror'"),
    "half a pair": (lambda: F.pad(X, (1, 1, 1)), r"two numbers per axis"),
    "too many pairs": (lambda: F.pad(X, (1,) * 8), r"two numbers per axis"),
    "nothing left": (lambda: F.pad(X, (-2, -2)), r"crops more than there is of the shape \(1, 3, 3\)"),
    "a value to reflect": (lambda: F.pad(X, (1, 1), "reflect", 1.0), "value=1.0 needs mode='constant'"),
    "too few axes": (lambda: F.pad(ad.ones(1, 1, 3, 3), (1, 1), "reflect"), r"all axes of size in \(C, \*size\)"),
    "too little to reflect": (lambda: F.pad(X, (3, 0), "reflect"), "axis 2 of length 3"),
    "too little to wrap": (lambda: F.pad(X, (4, 0), "circular"), "only to an axis at least as long"),
    "a layer's numbers": (lambda: nn.ZeroPad2d((1, 1)), "ZeroPad2d: padding must be one integer or 4"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_can_not_be_padded(mistake: str) -> None:
    act, pattern = MISTAKES[mistake]
    with pytest.raises(ValueError, match=pattern):
        act()
