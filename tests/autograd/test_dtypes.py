"""The dtype of a result: PyTorch's promotion lattice, with 0-d tensors and Python numbers weaker than dimensions."""

from __future__ import annotations

from typing import Any

import pytest

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.dtypes import ALL, promote

from .oracle import dtype_name, torch

NAMES = [dtype.name for dtype in ALL]
OPERATIONS: dict[str, Any] = {
    "add": lambda m, x, y: x + y,
    "multiply": lambda m, x, y: x * y,
    "divide": lambda m, x, y: x / y,
    "pow": lambda m, x, y: x**y,
    "maximum": lambda m, x, y: m.maximum(x, y),
    "remainder": lambda m, x, y: x % y,
    "where": lambda m, x, y: m.where(m.tensor(True), x, y),
    "equal": lambda m, x, y: x == y,
    "less": lambda m, x, y: x < y,
    "atan2": lambda m, x, y: m.atan2(x, y),
    "concat": lambda m, x, y: m.cat([x.reshape(-1), y.reshape(-1)]),
}
UNARY: dict[str, Any] = {
    name: lambda m, x, name=name: getattr(m, name)(x)
    for name in "exp sin sqrt sigmoid abs sum prod square floor isnan isfinite reciprocal argmax all any logical_not".split()
} | {
    "cumsum": lambda m, x: m.cumsum(x, 0),
    "max": lambda m, x: m.max(x),
    "plus a whole number": lambda m, x: x + 1,
    "plus a fraction": lambda m, x: x + 1.5,
    "a fraction less": lambda m, x: 1.5 - x,
    "times a truth": lambda m, x: x * True,
    "over a whole number": lambda m, x: x / 2,
    "squared": lambda m, x: x**2,
    "to a fraction": lambda m, x: x**1.5,
    "two to it": lambda m, x: 2**x,
    "compared": lambda m, x: x > 0.5,
    "clamped": lambda m, x: m.clamp(x, min=1),
    "clamped to a fraction": lambda m, x: m.clamp(x, max=1.5),
    "or a fraction": lambda m, x: m.where(m.tensor([True]), x, 0.5),
}


def held(backend: Backend) -> list[str]:
    """The dtypes of the backend but bool, with which the standard has no arithmetic."""
    return [name for name in NAMES if hasattr(backend.xp, name) and name != "bool"]


def test_two_dtypes_promote_as_in_pytorch() -> None:
    for a in ALL:
        for b in ALL:
            wanted = torch.promote_types(getattr(torch, a.name), getattr(torch, b.name))
            assert promote(a, b).name == str(wanted).partition(".")[2], (a, b)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_results_of_two_tensors_have_pytorchs_dtype(operation: str, backend: Backend) -> None:
    function = OPERATIONS[operation]
    for a in held(backend):
        for b in held(backend):
            for shape_a, shape_b in (((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())):
                ours = function(ad, ad.ones(shape_a, dtype=a), ad.ones(shape_b, dtype=b))
                theirs = function(torch, torch.ones(shape_a, dtype=getattr(torch, a)), torch.ones(shape_b, dtype=getattr(torch, b)))
                assert dtype_name(ours) == dtype_name(theirs), (operation, a, shape_a, b, shape_b)


@pytest.mark.parametrize("operation", UNARY)
def test_results_of_one_tensor_have_pytorchs_dtype(operation: str, backend: Backend) -> None:
    function = UNARY[operation]
    for name in held(backend):
        for shape in ((2,), ()):
            if operation in ("all", "any") and name == "uint8":
                continue  # PyTorch keeps uint8, for code from before it had bool
            if operation in ("floor", "reciprocal") and not name.startswith("float") and backend.name == "strict":
                continue
            ours, theirs = function(ad, ad.ones(shape, dtype=name)), function(torch, torch.ones(shape, dtype=getattr(torch, name)))
            assert dtype_name(ours) == dtype_name(theirs), (operation, name, shape)


def test_gradients_arrive_in_each_inputs_own_dtype(backend: Backend) -> None:
    x, y = ad.ones(2, requires_grad=True), ad.ones(2, 2, dtype="float64", requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (ad.float32, ad.float64)


@pytest.mark.usefixtures("backend")
def test_a_number_does_not_widen_float32_in_forward_or_backward() -> None:
    x = ad.ones(3, requires_grad=True)
    y = ((x * 2.0 + 1.5) / 3.0) ** 2.0 - 1.0
    assert y.dtype is ad.float32
    (g,) = ad.autograd.grad(y.sum(), x, create_graph=True)
    assert g.dtype is ad.float32
    assert ad.where(x > 0, x, 0.0).dtype is ad.float32


def test_a_dtype_is_taken_by_name_object_and_python_type() -> None:
    for spelled in ("float64", ad.float64, ad.double):
        assert ad.ones(1, dtype=spelled).dtype is ad.float64
    assert ad.tensor([1.5], dtype=int).tolist() == [1]
    with pytest.raises(TypeError, match="unknown dtype 'float128'"):
        ad.zeros(1, dtype="float128")


def test_integers_can_not_require_a_gradient() -> None:
    with pytest.raises(TypeError, match="int64"):
        ad.tensor([1], requires_grad=True)
