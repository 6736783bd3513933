"""A step is noted on the memory it writes to: graphs that read the old values raise, others do not."""

from __future__ import annotations

import pytest

import adjoint as ad
from adjoint import optim
from adjoint.errors import GraphError

pytestmark = pytest.mark.usefixtures("backend")


def parameters() -> tuple[ad.Tensor, ad.Tensor]:
    return ad.tensor([1.0, 2.0], requires_grad=True), ad.tensor([3.0, 4.0], requires_grad=True)


def test_a_graph_that_reads_a_parameter_raises_after_a_step_that_changed_it() -> None:
    a, b = parameters()
    optimizer = optim.SGD([a, b], lr=0.1)
    loss = (a * a).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(GraphError, match=r"SGD\.step"):
        loss.backward()


def test_a_step_or_a_write_to_one_parameter_leaves_the_graphs_of_others_alone() -> None:
    a, b = parameters()
    optimizer = optim.SGD([a, b], lr=0.1)
    loss = (b * b).sum()
    (a * a).sum().backward()
    optimizer.step()  # b has no gradient and is skipped, though it lies in the same buffer
    with ad.no_grad():
        a.mul_(2)
    loss.backward()
    assert b.grad is not None
    assert b.grad.tolist() == [6.0, 8.0]
