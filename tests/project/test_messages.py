"""Mistakes of a first hour get an error that names the operation and the mend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import adjoint as ad
from adjoint import nn, optim

W = ad.ones(2, requires_grad=True)
MISTAKES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a module for its parameters": (lambda: optim.SGD(nn.Linear(2, 2)), TypeError, r"give its \.parameters\(\)"),
    "a learning rate of text": (lambda: optim.SGD([W], lr="x"), TypeError, "SGD: lr must be a number, not 'x'"),
    "a schedule of no steps": (lambda: optim.lr_scheduler.StepLR(optim.SGD([W]), 0), ValueError, "step_size"),
    "a list for a tensor": (lambda: nn.Linear(4, 2)([[1.0, 2.0, 3.0, 4.0]]), TypeError, r"linear: the input is a list.*ad\.tensor"),
    "an argument that is not there": (lambda: ad.grad(lambda x: x, argnums=3)(W), ValueError, "argnums is 3"),
    "a range that goes nowhere": (lambda: ad.arange(0, 5, 0), ValueError, "step is 0"),
    "shapes that do not broadcast": (lambda: ad.ones(2) + ad.ones(3), ValueError, r"add: .*\(2,\).*\(3,\)"),
    "matrices that do not meet": (lambda: ad.ones(2, 3) @ ad.ones(4, 2), ValueError, "matmul: .* 3 columns against 4 rows"),
    "a wrong number of features": (lambda: nn.Linear(4, 2)(ad.ones(1, 3)), ValueError, "in_features=4"),
    "a class that is not there": (lambda: nn.CrossEntropyLoss()(ad.ones(1, 3), ad.tensor([3])), IndexError, "3 classes"),
    "backward of many elements": (lambda: (W * 2).backward(), ad.errors.GraphError, "non-scalar tensor requires"),
    "backward without a graph": (lambda: ad.ones(1).sum().backward(), ad.errors.GraphError, "no graph"),
    "an index too far": (lambda: ad.ones(2)[5], IndexError, "getitem: .*5"),
    "words for numbers": (lambda: ad.tensor(["a"]), TypeError, "tensor: cannot hold"),
    "rows of different lengths": (lambda: ad.tensor([[1], [1, 2]]), ValueError, "ragged"),
    "an unknown device": (lambda: ad.ones(2, device="tpu"), ad.errors.BackendError, "unknown backend or device 'tpu'"),
    "an unknown dtype": (lambda: ad.ones(2, dtype="float99"), TypeError, "unknown dtype"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_names_the_operation_and_the_mend(mistake: str) -> None:
    act, kind, pattern = MISTAKES[mistake]
    with pytest.raises(kind, match=pattern):
        act()


def test_backward_twice_says_how_to_keep_the_graph() -> None:
    loss = (W * W).sum()
    loss.backward()
    with pytest.raises(ad.errors.GraphError, match="retain_graph=True"):
        loss.backward()
