"""Indexing by 0-d tensors of integers in a captured function: no value is read, and the result has the bits of the view's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.errors import CaptureError, GraphError

from .steps import alike, arrays


def written(x: Any, index: Any, value: Any) -> Any:
    x = x * 1.0
    x[index] = value
    return x


def after(x: Any, write: Callable[[Any], Any]) -> Any:
    x = x * 1.0
    write(x)
    return x


#: Of a tensor of shape (2, 3, 4) and a place from 0 to 1.
CALLS: dict[str, Callable[[Any, Any], Any]] = {
    "first axis": lambda x, i: x[i],
    "from the end": lambda x, i: x[i - 2],
    "second axis": lambda x, i: x[:, i],
    "last axis": lambda x, i: x[..., i],
    "two places apart": lambda x, i: x[i, :, i],
    "with new axes": lambda x, i: x[None, i, None, i],
    "beside an integer": lambda x, i: x[0, :, i],
    "every axis": lambda x, i: x[i, i, i],
    "an array behind a slice": lambda x, i: x[i, :, ad.tensor([0, 1, 1])],
    "an array and a slice": lambda x, i: x[i, ad.tensor([0, 2]), 1:],
    "of a view": lambda x, i: x.permute(2, 0, 1)[1:, i],
    "of a place that is computed": lambda x, i: x[x.sum((1, 2)).argmax() * 0 + i],
    "index_put": lambda x, i: x.index_put((i,), x[0] * 3.0),
    "a number": lambda x, i: written(x, i, 5.0),
    "a tensor": lambda x, i: written(x, (slice(None), i), x[:, 0] * 2.0),
    "an element": lambda x, i: written(x, (i, i, i), 0.0),
    "beside an array": lambda x, i: written(x, (i, slice(None), ad.tensor([0, 2])), x[0, :, :2] * 2.0),
    "added to": lambda x, i: written(x, i, x[i] + x[0] * 2.0),
    "one place to another": lambda x, i: written(x, i, x[i - 1]),
    "index_copy_": lambda x, i: after(x, lambda y: y.index_copy_(1, i.reshape(1), x[:, :1] * 2.0)),
    "a copy is written to": lambda x, i: x[:, i].reshape(-1).mul_(3.0) + x[:, i].flatten(),
    "a copy of a column is written to": lambda x, i: x[0, :, i].contiguous().mul_(3.0),
    "kept before a write": lambda x, i: (lambda kept: after(x, lambda y: y.zero_()) + kept)(x[i].clone()),
}

#: Writes to a tensor of that shape, which is not the argument, by way of what a 0-d tensor picks.
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "in place": lambda x, i: x[i].mul_(3.0),
    "an operator": lambda x, i: x[:, i].__iadd__(1.0),
    "augmented": lambda x, i: x.__setitem__(i, x[i].__iadd__(1.0)),
    "by an index": lambda x, i: x[i].__setitem__(0, 1.0),
    "by a 0-d tensor": lambda x, i: x[i].__setitem__(i, 1.0),
    "copy_": lambda x, i: x[..., i].copy_(x[..., 0]),
    "a view of it": lambda x, i: x[i][1:].mul_(3.0),
    "one of it": lambda x, i: x[i][i].mul_(3.0),
    "one element": lambda x, i: x.reshape(-1)[i].mul_(3.0),
    "transposed": lambda x, i: x[:, i].T.zero_(),
    "reshaped": lambda x, i: x[i].reshape(-1).add_(1.0),
    "detached": lambda x, i: x[i].detach().add_(1.0),
    "by an operation": lambda x, i: x[i].exp_(),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_place_that_is_an_argument_is_replayed_with_the_same_bits(name: str, backend: Backend) -> None:
    function = CALLS[name]

    def with_gradient(x: Any, i: Any) -> Any:
        x = x.detach().requires_grad_()
        out = function(x, i)
        (g,) = ad.autograd.grad((out * out).sum(), [x], create_graph=True)
        (second,) = ad.autograd.grad((g * g).sum(), [x])
        return [out, g, second]

    x = ad.randn(2, 3, 4)
    for f in (lambda x, i: [function(x, i)], with_gradient):
        captured = ad.capture(f)
        for place in (0, 1, 1, 0):
            i = ad.tensor(place)
            assert alike(arrays(captured(x, i)), arrays(f(x, i)), backend)
        assert captured.stats[:2] == (1, 3)
        assert captured.program.guards, "it is known before anything is done whether the place is in range"
        with pytest.raises(IndexError):
            captured(x, ad.tensor(99))


@pytest.mark.parametrize("name", WRITES)
def test_writing_through_a_place_is_refused(name: str, backend: Backend) -> None:
    weight = ad.ones(2, 3, 4)
    for x in (lambda x: x * 1.0, lambda x: weight, lambda x: x.clone().requires_grad_() * 2.0):
        with pytest.raises(CaptureError, match=r"a 0-d tensor i, is a copy .* write x\[i\] = value .*index by a Python integer"):
            ad.capture(lambda y, i, x=x: [WRITES[name](x(y), i)])(ad.zeros(2, 3, 4), ad.tensor(1))
    assert weight.sum().item() == 24.0


def test_a_copy_in_place_of_a_view_is_not_read_after_a_write_to_what_it_is_of(backend: Backend) -> None:
    def function(x: Any, i: Any) -> Any:
        x = x * 1.0
        row = x[i]
        x.zero_()
        return row

    def accumulated(x: Any, i: Any) -> Any:
        x = x.clone().requires_grad_()
        (x * x).sum().backward()
        row = x.grad[i]
        (x * 3.0).sum().backward()
        return row

    x = ad.ones(2, 3)
    for f in (function, lambda x, i: function(x, i) * 2.0, accumulated):
        with pytest.raises(CaptureError, match=r"take x\[i\] again after the write, or clone\(\) it before"):
            ad.capture(f)(x, ad.tensor(1))


def test_a_message_about_an_index_reads_no_values(backend: Backend) -> None:
    captured = ad.capture(lambda x, i: written(x, i, 1.0))
    with pytest.raises(IndexError, match=r"tensor\[tensor of shape \(\)\] = …: index 2 is out of bounds for axis 0 with size 2"):
        captured(ad.ones(2), ad.tensor(2))


SUMS: dict[str, Callable[[Any, Any], Any]] = {
    "of a middle axis": lambda x, i: x[:, i].sum(),
    "of the last axis": lambda x, i: x[..., i].mean(1),
    "of a transposed tensor": lambda x, i: x.transpose(0, 2)[i].sum(),
    "of rows of a transposed tensor": lambda x, i: x.transpose(0, 2)[i.reshape(1).expand(7)].sum(),
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_add_in_the_order_of_the_view(name: str, backend: Backend) -> None:
    captured, x = ad.capture(SUMS[name]), ad.randn(33, 33, 33)
    for place in (5, 7, 30):
        i = ad.tensor(place)
        assert alike(arrays([captured(x, i)]), arrays([SUMS[name](x, i)]), backend)


#: Views, by 0-d tensors and otherwise, what reads them, and what writes to a tensor. Each is left out where it does not apply.
VIEWS: list[Callable[[Any, Any, Any], Any]] = [
    lambda x, i, j: x[i],
    lambda x, i, j: x[:, j],
    lambda x, i, j: x[..., i],
    lambda x, i, j: x[j, ..., i],
    lambda x, i, j: x[i.reshape(1).expand(7)],
    lambda x, i, j: x[:, None, i],
    lambda x, i, j: x[1:],
    lambda x, i, j: x[..., ::2],
    lambda x, i, j: x.transpose(0, -1),
    lambda x, i, j: x.flip(0),
    lambda x, i, j: x.reshape(-1),
    lambda x, i, j: x[:1].expand(3, *x.shape[1:]),
]
READS: list[Callable[[Any], Any]] = [
    lambda x: x * 1.5,
    lambda x: x.sum(),
    lambda x: x.mean(0),
    lambda x: x.sum(-1),
    lambda x: x.tanh().sum(),
    lambda x: x.flatten().cumsum(0),
    lambda x: x.contiguous().var(-1, correction=0),
    lambda x: x @ x.transpose(-2, -1),
    lambda x: ad.softmax(x, 0),
    lambda x: x.reshape(-1, 1).sum(0),
]
EDITS: list[Callable[[Any, Any], Any]] = [
    lambda x, i: x.add_(1.0),
    lambda x, i: x.__iadd__(x.mean()),
    lambda x, i: x.__setitem__(i, 2.0),
    lambda x, i: x.__setitem__((..., i), x[..., 0]),
    lambda x, i: x.flatten().mul_(0.7),
    lambda x, i: x.contiguous().mul_(0.7),
]
KINDS = {"view": [*VIEWS, *VIEWS[:6]], "read": READS, "edit": EDITS}
STEPS = [(kind, f) for kind, functions in KINDS.items() for f in functions]


def program(steps: list[tuple[int, int]]) -> Callable[..., Any]:
    def function(x: Any, i: Any, j: Any) -> Any:
        tensors, results = [x * 1.0], []
        for which, number in steps:
            kind, f = STEPS[which]
            x = tensors[number % len(tensors)]
            try:
                if kind == "view":
                    tensors.append(f(x, i, j))
                elif kind == "read":
                    results.append(f(x))
                else:
                    f(x, i)
            except (ValueError, IndexError, TypeError):  # an axis that is not there
                continue
        return [tensors[0] * 1.0, *results]

    return function


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 9)), min_size=2, max_size=9),
    gradient=st.booleans(),
    data=st.data(),
)
def test_picks_have_the_bits_of_views_or_are_refused(
    steps: list[tuple[int, int]], gradient: bool, data: st.DataObject, backend: Backend
) -> None:
    forward = program(steps)

    def function(x: Any, i: Any, j: Any) -> Any:
        x = x.clone().requires_grad_(gradient)
        results = forward(x, i, j)
        return [*results, *(ad.autograd.grad(sum((y * y).sum() for y in results), [x]) if gradient else [])]

    captured, x = ad.capture(function), ad.tensor(np.random.default_rng(3).normal(size=(5, 17, 9)).astype("float32"))
    for _ in range(3):
        i, j = (ad.tensor(data.draw(st.integers(0, 2))) for _ in "ij")
        try:
            eager = arrays(function(x, i, j))
            assert alike(arrays(captured(x, i, j)), eager, backend)
        except (CaptureError, GraphError):  # a write to a view, or to what a derivative reads
            return
