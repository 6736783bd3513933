"""``backward`` and ``grad`` as functions: their defaults, unused inputs, and a ``grad`` that cannot be added to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.errors import GraphError

from .oracle import to_numpy, torch


@pytest.mark.parametrize("shape", [(), (1,), (2,), (4,), (3, 1), (1, 3)])
def test_a_grad_of_another_shape_is_not_added_to(shape: tuple[int, ...]) -> None:
    x = ad.ones(3, requires_grad=True)
    x.grad = ad.ones(shape)
    with pytest.raises(ValueError, match=r"the tensor's grad has shape"):
        (x * 2.0).sum().backward()
    assert x.grad.tolist() == ad.ones(shape).tolist()


@pytest.mark.parametrize("m", [ad, torch])
def test_backward_makes_no_graph_and_frees_the_one_it_goes_through(m: Any) -> None:
    x = m.ones(3, requires_grad=True)
    y = (x * x).sum()
    m.autograd.backward(y)
    assert not x.grad.requires_grad
    with pytest.raises(GraphError if m is ad else RuntimeError):
        m.autograd.backward(y)
    y = (x * x).sum()
    (g,) = m.autograd.grad(y, x)
    assert not g.requires_grad
    with pytest.raises(GraphError if m is ad else RuntimeError):
        m.autograd.grad(y, x)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("m", [ad, torch])
def test_the_gradient_by_an_unused_input_is_none_zeros_or_an_error(m: Any, create_graph: bool) -> None:
    def gradients(**options: Any) -> Any:
        x, unused = m.full((2,), 3.0, requires_grad=True), m.ones(4, requires_grad=True)
        return m.autograd.grad((x * x).sum(), [x, unused], create_graph=create_graph, **options)

    g, none = gradients(allow_unused=True)
    assert none is None
    h, zeros = gradients(materialize_grads=True)
    np.testing.assert_array_equal(to_numpy(zeros), np.zeros(4, "f"))
    for found in (g, h):
        np.testing.assert_array_equal(to_numpy(found), [6.0, 6.0])
        assert found.requires_grad is create_graph
    with pytest.raises(GraphError if m is ad else RuntimeError):
        gradients()


def test_cotangents_are_one_for_each_tensor_or_none_at_all() -> None:
    def gradient(m: Any, cotangents: Any) -> Any:
        x = m.tensor([1.0, 2.0], requires_grad=True)
        m.autograd.backward([(x * x).sum(), x * 3.0], cotangents(m))
        return to_numpy(x.grad)

    for cotangents in (lambda m: [m.tensor(2.0), m.tensor([1.0, -1.0])], lambda m: [None, m.tensor([1.0, -1.0])]):
        np.testing.assert_array_equal(gradient(ad, cotangents), gradient(torch, cotangents))
    with pytest.raises(ValueError, match="1 cotangents for 2 tensors"):
        gradient(ad, lambda m: [m.tensor(2.0)])
