"""Modules: what they list, print, save, load and move, as PyTorch's do; and what they refuse."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn

from .helpers import values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
pytestmark = pytest.mark.usefixtures("backend")


def make(library: Any) -> Any:
    """The same nested model in both libraries, with a shared layer, buffers, and a layer without bias."""
    lib = library.nn

    class Block(lib.Module):  # type: ignore[name-defined,misc]
        def __init__(self, width: int) -> None:
            super().__init__()
            self.linear = lib.Linear(width, width, bias=False)
            self.scale = lib.Parameter(library.ones(width))
            self.register_buffer("count", library.zeros(1))
            self.register_buffer("scratch", library.zeros(2), persistent=False)
            self.register_buffer("absent", None)
            self.register_parameter("shift", None)
            self.act = lib.LeakyReLU(0.2, inplace=True)

        def forward(self, x: Any) -> Any:
            return self.act(self.linear(x) * self.scale)

        def extra_repr(self) -> str:
            return "two\nlines"

    class Model(lib.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.body = lib.Sequential(lib.Linear(4, 8), lib.ReLU(), Block(8), lib.Dropout(0.25))
            self.heads = lib.ModuleDict({"a": lib.Linear(8, 2), "b": lib.Identity()})
            self.stack = lib.ModuleList([lib.Linear(8, 8) for _ in range(3)] + [lib.GELU("tanh"), Block(8)])
            self.tied = self.heads["a"]
            self.named = lib.Sequential(OrderedDict([("flat", lib.Flatten()), ("soft", lib.Softmax(dim=1))]))
            self.loss = lib.CrossEntropyLoss(library.ones(2), ignore_index=0)

        def forward(self, x: Any) -> Any:
            return self.heads["a"](self.body(x))

    return Model()


MODULES = {
    "linear": lambda n, t: n.Linear(3, 4, bias=False),
    "relu": lambda n, t: n.ReLU(inplace=True),
    "elu": lambda n, t: n.ELU(0.5, inplace=True),
    "silu": lambda n, t: n.SiLU(inplace=True),
    "leaky": lambda n, t: n.LeakyReLU(),
    "gelu": lambda n, t: n.GELU(),
    "softplus": lambda n, t: n.Softplus(),
    "log_softmax": lambda n, t: n.LogSoftmax(),
    "tanh": lambda n, t: n.Tanh(),
    "identity": lambda n, t: n.Identity(54, unused=1),
    "empty": lambda n, t: n.Sequential(),
    "one": lambda n, t: n.Sequential(n.ReLU()),
    "empty list": lambda n, t: n.ModuleList(),
    "empty dict": lambda n, t: n.ModuleDict(),
    "repeated": lambda n, t: n.ModuleList([n.Sequential(n.ReLU(), n.Tanh())] * 2 + [n.ReLU()] * 2 + [n.Tanh()]),
    "mse": lambda n, t: n.MSELoss(reduction="sum"),
    "huber": lambda n, t: n.HuberLoss(delta=2.0),
    "bce": lambda n, t: n.BCEWithLogitsLoss(pos_weight=t.ones(2)),
    "nll": lambda n, t: n.NLLLoss(),
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_prints_as_pytorchs(name: str) -> None:
    assert repr(MODULES[name](nn, ad)) == repr(MODULES[name](torch.nn, torch))


def test_a_nested_model_prints_as_pytorchs() -> None:
    assert repr(make(ad)) == repr(make(torch))


def test_a_model_lists_the_names_that_pytorchs_lists_in_its_order() -> None:
    ours, theirs = make(ad), make(torch)
    for listing in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, listing)()] == [n for n, _ in getattr(theirs, listing)()], listing
    for recurse in (True, False):
        names = [n for n, _ in ours.body[2].named_parameters(prefix="p", recurse=recurse)]
        assert names == [n for n, _ in theirs.body[2].named_parameters(prefix="p", recurse=recurse)]
    every = [n for n, _ in ours.named_parameters(remove_duplicate=False)]
    assert every == [n for n, _ in theirs.named_parameters(remove_duplicate=False)]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert len(list(ours.parameters())) == len(list(theirs.parameters()))
    assert len(list(ours.modules())) == len(list(theirs.modules()))
    assert [tuple(v.shape) for v in ours.state_dict().values()] == [tuple(v.shape) for v in theirs.state_dict().values()]


def test_a_model_with_pytorchs_weights_gives_its_outputs_and_gradients() -> None:
    ours, theirs = make(ad), make(torch)
    assert repr(ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})) == "<All keys matched successfully>"
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    out, reference = ours.eval()(ad.tensor(x)), theirs.eval()(torch.tensor(x))
    np.testing.assert_allclose(values(out), values(reference), rtol=1e-5, atol=1e-6)
    (out * out).sum().backward()
    (reference * reference).sum().backward()
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if q.grad is not None:
            np.testing.assert_allclose(values(p.grad), values(q.grad), rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            assert p.grad is None, name


def test_a_state_round_trips_and_is_no_copy() -> None:
    first, second = make(ad), make(ad)
    found = second.load_state_dict(first.state_dict())
    assert found.missing_keys == found.unexpected_keys == []
    for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        np.testing.assert_array_equal(values(a), values(b))
    with ad.no_grad():
        first.body[0].bias.fill_(7.0)
    assert (values(first.state_dict()["body.0.bias"]) == 7).all()
    assert not any(v.requires_grad for v in first.state_dict().values())
    assert first.state_dict(keep_vars=True)["body.0.bias"] is first.body[0].bias


def test_loading_keeps_the_parameters_themselves_and_converts_device_and_dtype() -> None:
    layer = nn.Linear(2, 2)
    weight = layer.weight
    layer.load_state_dict({"weight": ad.ones(2, 2, dtype=ad.float64, device="cpu"), "bias": [1.0, 2.0]})
    assert layer.weight is weight
    assert weight.dtype is ad.float32
    assert weight.device == ad.backends.default().device
    assert weight.requires_grad
    np.testing.assert_array_equal(values(weight), np.ones((2, 2)))


def test_a_strict_load_that_fails_lists_every_mismatch_and_changes_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    before = {name: values(v).copy() for name, v in model.state_dict().items()}
    state = {"0.weight": ad.ones(3, 2), "0.bias": ad.ones(4), "1.weight": ad.ones(3), "2.weight": ad.ones(1)}
    with pytest.raises(RuntimeError) as failure:
        model.load_state_dict(state)
    for part in ("'1.bias' is missing", "'2.weight' is unknown", "'0.bias' has shape (4,)", "'1.weight' has shape (3,)", "(1, 3)"):
        assert part in str(failure.value)
    with pytest.raises(RuntimeError, match="has shape"):
        model.load_state_dict(state, strict=False)
    for name, v in model.state_dict().items():
        np.testing.assert_array_equal(values(v), before[name])


def test_a_load_that_is_not_strict_returns_what_did_not_match() -> None:
    layer = nn.Linear(1, 1)
    found = layer.load_state_dict({"weight": ad.ones(1, 1), "other": ad.ones(1)}, strict=False)
    assert found == (["bias"], ["other"])
    assert repr(found) == "IncompatibleKeys(missing_keys=['bias'], unexpected_keys=['other'])"
    assert layer.weight.item() == 1
    with pytest.raises(TypeError, match="dict"):
        layer.load_state_dict([("weight", ad.ones(1, 1))])  # type: ignore[arg-type]


def test_a_model_moves_between_devices_and_dtypes_in_place() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.register_buffer("steps", ad.tensor([1, 2]))
    model.register_buffer("mean", ad.zeros(2))
    weight = model[0].weight
    model(ad.ones(1, 2)).sum().backward()
    assert model.double() is model
    assert model[0].weight is weight
    assert weight.dtype is weight.grad.dtype is model.mean.dtype is ad.float64
    assert model.steps.dtype is ad.int64
    assert model(ad.ones(1, 2, dtype=ad.float64)).dtype is ad.float64
    model.float().to("cpu")
    assert weight.device == weight.grad.device == model.steps.device == "cpu"
    assert weight.dtype is ad.float32
    assert weight.requires_grad
    assert weight.is_leaf
    model.to(ad.ones(1, dtype=ad.float64))
    assert weight.dtype is ad.float64
    assert weight.device == ad.backends.default().device
    with pytest.raises(TypeError, match="floating-point"):
        model.to(ad.int64)


def test_train_and_eval_reach_every_module() -> None:
    model = make(ad)
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert all(m.training for m in model.train().modules())
    with pytest.raises(ValueError, match="train"):
        model.train(1)


def test_gradients_can_be_forgotten_zeroed_and_switched_off() -> None:
    model = nn.Linear(2, 1)
    model(ad.ones(1, 2)).backward()
    model.zero_grad(set_to_none=False)
    assert (values(model.weight.grad) == 0).all()
    model.zero_grad()
    assert model.weight.grad is None
    assert not any(p.requires_grad for p in model.requires_grad_(False).parameters())
    assert not model(ad.ones(1, 2)).requires_grad


def test_apply_visits_children_first() -> None:
    seen: list[str] = []
    model = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Tanh()))
    assert model.apply(lambda m: seen.append(type(m).__name__)) is model
    assert seen == ["ReLU", "Tanh", "Sequential", "Sequential"]


def test_copies_and_pickles_are_whole_and_separate_and_keep_ties() -> None:
    model = make(ad)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(nn.Sequential(nn.Linear(2, 2), nn.ReLU())))):
        assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in twin.parameters())
    twin = copy.deepcopy(model)
    assert twin.tied is twin.heads["a"]
    with ad.no_grad():
        twin.tied.weight.fill_(9.0)
    assert not (values(model.tied.weight) == 9).any()


def test_attributes_are_checked_where_a_mistake_would_be_silent() -> None:
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"'weight' is a Parameter.*copy_"):
        layer.weight = ad.ones(2, 2)
    layer.weight = nn.Parameter(ad.ones(2, 2))
    layer.bias = None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    model = nn.Sequential(nn.ReLU())
    model.register_buffer("mean", ad.zeros(2))
    with pytest.raises(TypeError, match="buffer"):
        model.mean = 3  # type: ignore[assignment]
    model.mean = ad.ones(2)
    assert [name for name, _ in model.named_buffers()] == ["mean"]
    del model.mean
    assert list(model.buffers()) == []
    with pytest.raises(TypeError, match="Module"):
        setattr(model, "0", 3)
    for name in ("", "a.b", "training", "forward"):
        with pytest.raises(KeyError):
            model.add_module(name, nn.ReLU())
    with pytest.raises(TypeError, match="Module"):
        model.add_module("x", 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Parameter"):
        model.register_parameter("x", ad.ones(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tensor"):
        model.register_buffer("x", 1.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="tensor"):
        nn.Parameter([1.0])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="floating-point"):
        nn.Parameter(ad.ones(2, dtype=int))
    with pytest.raises(AttributeError, match="no module 'c'"):
        make(ad).get_submodule("heads.c")
    assert isinstance(make(ad).get_submodule("body.2.linear"), nn.Linear)


def test_a_module_without_forward_says_so() -> None:
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match=r"Empty.*forward"):
        Empty()(1)


def test_hooks_see_and_replace_arguments_and_outputs_until_they_are_removed() -> None:
    layer = nn.Identity()
    seen: list[Any] = []
    handles = [
        layer.register_forward_pre_hook(lambda m, args: seen.append((m, args))),
        layer.register_forward_pre_hook(lambda m, args: args[0] + 1),
        layer.register_forward_pre_hook(lambda m, args, kwargs: (args, kwargs), with_kwargs=True),
        layer.register_forward_hook(lambda m, args, out: out * 10),
        layer.register_forward_hook(lambda m, args, kwargs, out: seen.append((args, kwargs, out)), with_kwargs=True),
        layer.register_forward_hook(lambda m, args, out: out + 5, prepend=True),
    ]
    assert layer(1) == 70
    assert seen == [(layer, (1,)), ((2,), {}, 70)]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert layer(1) == 1
    with layer.register_forward_hook(lambda m, args, out: 0):
        assert layer(1) == 0
    assert layer(1) == 1


def test_containers_behave_as_lists_and_dicts() -> None:
    a, b, c = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(a, b).append(c)
    assert [*model] == [a, b, c]
    assert model[-1] is c
    assert [*model[1:]] == [b, c]
    assert type(model[:2]) is nn.Sequential
    model[0] = c
    model.insert(1, a)
    assert [*model] == [c, a, b, c]
    assert model.pop(0) is c
    del model[0]
    assert [name for name, _ in model.named_children()] == ["0", "1"]
    assert [*(nn.Sequential(a) + nn.Sequential(b))] == [a, b]
    with pytest.raises(IndexError, match="no module 5"):
        model[5]
    named = nn.Sequential({"first": a, "second": b})
    assert named.first is named[0] is a
    assert [name for name, _ in named[1:].named_children()] == ["second"]

    stack = nn.ModuleList([a])
    stack += [b]
    stack.extend([c])
    assert len(stack) == 3
    assert [*(stack + nn.ModuleList([a]))] == [a, b, c, a]
    assert type(stack[1:]) is nn.ModuleList

    table = nn.ModuleDict({"x": a})
    table["y"] = b
    table.update([("z", c)])
    assert [*table] == [*table.keys()] == ["x", "y", "z"]
    assert [*table.values()] == [a, b, c]
    assert table.pop("y") is b
    assert "y" not in table
    assert len(table) == 2
    assert dict(table.items()) == {"x": a, "z": c}
    del table["x"]
    table.clear()
    assert len(table) == 0
    with pytest.raises(KeyError, match="attribute 'keys'"):
        table["keys"] = a
    with pytest.raises(KeyError):
        table["missing"]
