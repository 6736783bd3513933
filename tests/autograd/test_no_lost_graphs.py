"""What makes a new tensor of a tensor that requires a gradient passes the gradient on, or raises: no graph is lost in silence."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import data, nn
from adjoint.autograd import creation, random
from adjoint.errors import GraphError
from adjoint.testing import check_gradients

pytestmark = pytest.mark.usefixtures("backend")


def written(value: Any, index: Any = slice(None)) -> ad.Tensor:
    z = ad.zeros(2)
    z[index] = value
    return z


XP: Any = ad.zeros(1).__array_namespace__()

#: Of a 0-d tensor and a vector of two, both with a graph.
LOST: dict[str, Any] = {
    "tensor: a list": lambda t, v: ad.tensor([t, t**2]),
    "tensor: nested lists": lambda t, v: ad.tensor([[1.0, 2.0], (t, 3.0)]),
    "tensor: vectors": lambda t, v: ad.tensor([v, v]),
    "tensor: one": lambda t, v: ad.tensor(v),
    "tensor: its dtype": lambda t, v: ad.tensor(v, dtype=ad.float64),
    "tensor: a leaf": lambda t, v: ad.tensor(v.detach().requires_grad_()),
    "as_tensor: a list": lambda t, v: ad.as_tensor([t]),
    "asarray: a list": lambda t, v: ad.asarray([t, t]),
    "asarray: a copy of a list": lambda t, v: ad.asarray([t, t], copy=True),
    "new_tensor: a list": lambda t, v: ad.zeros(2).new_tensor([t]),
    "new_tensor: one": lambda t, v: ad.zeros(2).new_tensor(v),
    "the namespace's asarray": lambda t, v: XP.asarray([t]),
    "normal: mean": lambda t, v: ad.normal(v, 1.0),
    "normal: std": lambda t, v: ad.normal(0.0, v),
    "from_dlpack": lambda t, v: ad.from_dlpack(v),
    "numpy.asarray": lambda t, v: np.asarray(v),
    "numpy.array": lambda t, v: np.array([v, v]),
    "an index": lambda t, v: ad.ones(3)[[t]],
}

#: Parameters that are numbers.
AS_NUMBERS: dict[str, Any] = {
    "full": lambda t: ad.full((2,), t),
    "full_like": lambda t: ad.full_like(ad.zeros(2), t),
    "new_full": lambda t: ad.zeros(2).new_full((2,), t),
    "the namespace's full": lambda t: XP.full((2,), t),
    "arange: end": lambda t: ad.arange(0.0, t),
    "arange: step": lambda t: ad.arange(0.0, 3.0, t),
    "linspace: start": lambda t: ad.linspace(t, 3.0, 4),
    "linspace: end": lambda t: ad.linspace(0.0, t, 4),
    "the namespace's linspace": lambda t: XP.linspace(0.0, t, 4),
    "logspace: start": lambda t: ad.logspace(t, 3.0, 4),
    "logspace: base": lambda t: ad.logspace(0.0, 3.0, 4, t),
    "uniform_": lambda t: ad.zeros(2).uniform_(0.0, t),
    "pad": lambda t: nn.functional.pad(ad.ones(2), (1, 1), value=t),
    "scatter: value": lambda t: ad.zeros(2).scatter(0, ad.tensor([0]), value=t),
}

KEPT: dict[str, Any] = {
    "as_tensor": lambda t, v: ad.as_tensor(v, dtype=ad.float32),
    "the namespace's asarray": lambda t, v: XP.asarray(v, copy=True),
    "to": lambda t, v: v.to(ad.float32),
    "stack": lambda t, v: ad.stack([t, t]),
    "collate": lambda t, v: data.default_collate([v, v]),
    "collate a dict": lambda t, v: data.default_collate([{"a": t}, {"a": t}])["a"],
    "a data set": lambda t, v: data.TensorDataset(v)[0][0],
    "a loader": lambda t, v: next(iter(data.DataLoader(data.TensorDataset(v), batch_size=2)))[0],
    "setitem: a list": lambda t, v: written([t, t * 2]),
    "setitem: nested lists": lambda t, v: written([[t, 3.0]]),
    "setitem: a list with vectors": lambda t, v: written([v]),
    "setitem: a place": lambda t, v: written([t], [0]),
    "setitem: a number": lambda t, v: written(t, 0),
    "fill_": lambda t, v: ad.zeros(2).fill_(t),
    "copy_": lambda t, v: ad.zeros(2).copy_(v),
    "copy_: a list": lambda t, v: ad.zeros(2).copy_([t, 1.0]),
    "numpy.stack": lambda t, v: np.stack([v, v]),
    "numpy.add": lambda t, v: np.add(np.ones(2), v) if ad.backends.default().name == "numpy" else v,
}


def with_graphs() -> tuple[ad.Tensor, ad.Tensor]:
    return ad.tensor(2.0, requires_grad=True) * 1, ad.tensor([1.0, 2.0], requires_grad=True) * 1


@pytest.mark.parametrize("case", LOST)
def test_what_would_lose_the_graph_is_refused(case: str) -> None:
    refused = (GraphError, BufferError) if case == "from_dlpack" else GraphError
    if ad.backends.default().name != "numpy" and ("numpy" in case or "index" in case):
        refused = (GraphError, TypeError)
    with pytest.raises(refused, match=r"detach|index"):
        LOST[case](*with_graphs())


@pytest.mark.parametrize("case", AS_NUMBERS)
def test_a_number_is_not_taken_from_a_graph(case: str) -> None:
    with pytest.raises(TypeError, match=r"requires a gradient, which would be lost; pass \w+\.detach\(\)"):
        AS_NUMBERS[case](with_graphs()[0])


@pytest.mark.parametrize("case", KEPT)
def test_what_keeps_the_graph_passes_the_gradient_on(case: str) -> None:
    assert KEPT[case](*with_graphs()).grad_fn is not None


def test_the_message_names_what_to_do_instead() -> None:
    x = ad.tensor(3.0, requires_grad=True)
    with pytest.raises(GraphError, match=r"tensor: the lists hold a tensor that requires a gradient.*ad\.stack.*\.detach\(\)"):
        ad.tensor([x * 2, x**2])
    with pytest.raises(GraphError, match=r"tensor: the data is a tensor that requires a gradient.*\.clone\(\).*\.detach\(\)"):
        ad.tensor(x)


def test_outside_of_recording_and_without_a_graph_values_are_copied() -> None:
    t, v = with_graphs()
    with ad.no_grad():
        assert ad.tensor([t, t]).tolist() == [2.0, 2.0]
        assert ad.tensor(v).tolist() == v.tolist()
    assert ad.tensor([t.detach(), 3.0]).tolist() == [2.0, 3.0]
    assert not ad.asarray(v).requires_grad  # as its documentation says
    assert not ad.asarray(v, copy=True).requires_grad


def test_lists_of_tensors_that_are_assigned_have_gradients() -> None:
    def write(x: ad.Tensor) -> ad.Tensor:
        z = ad.zeros(2, 3, dtype=ad.float64)
        z[0] = [x[0] * 2, 1.0, x[1] ** 2]
        z[:, 1:] = [[x[0], 2.0], x * x]
        z[[0, 0]] = [x[0] * z[1].clone(), [x[1], 3.0, x[0]]]
        return z * z

    check_gradients(write, ad.tensor([0.5, -1.5]))


#: Parameters of functions that create tensors which are no data, and functions whose results have no derivative.
NO_DATA = {"dtype", "device", "requires_grad", "size", "shape", "generator", "copy", "steps", "num"}
NUMBERS = {"eye", "zeros", "ones", "empty", "tril_indices", "triu_indices"}
SHAPED_LIKE = {"zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "randint_like"}
DISCRETE = {"bernoulli", "multinomial", "poisson", "randint", "randperm", "from_numpy"}


def test_every_function_that_creates_tensors_is_looked_at() -> None:
    made = {
        name
        for module in (creation, random)
        for name, member in vars(module).items()
        if inspect.isfunction(member) and member.__module__ == module.__name__ and not name.startswith("_") and hasattr(ad, name)
        if any(parameter not in NO_DATA for parameter in inspect.signature(member).parameters)
    }
    looked_at = {case.partition(":")[0] for case in (*LOST, *KEPT, *AS_NUMBERS)}
    known = looked_at | NUMBERS | SHAPED_LIKE | DISCRETE | {"manual_seed", "rand", "randn", "fork_rng", "set_rng_state"}
    assert made <= known, sorted(made - known)


def test_parameters_begin_a_graph() -> None:
    assert nn.Parameter(with_graphs()[1]).is_leaf  # as PyTorch's
