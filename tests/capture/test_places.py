"""Indexing by 0-d tensors of integers in a captured function: no value is read, and what would be a view behaves as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import adjoint as ad
from adjoint.backends import Backend
from adjoint.errors import CaptureError

from .steps import alike, arrays


def written(x: Any, index: Any, value: Any) -> Any:
    x = x * 1.0
    x[index] = value
    return x


def through(x: Any, i: Any, write: Callable[[Any], Any]) -> Any:
    x = x * 1.0
    write(x)
    return x


def added(x: Any, i: Any) -> Any:
    x = x * 1.0
    x[i] += x[0] * 2.0
    x[:, i] *= 2.0
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
    "augmented": added,
    "written through": lambda x, i: through(x, i, lambda x: x[i].mul_(3.0)),
    "written through an element": lambda x, i: through(x.reshape(-1), i, lambda x: x[i].mul_(3.0)),
    "written through a view of it": lambda x, i: through(x, i, lambda x: x[i][1:].mul_(3.0)),
    "written through one of it": lambda x, i: through(x, i, lambda x: x[i][i].mul_(3.0)),
    "kept before a write": lambda x, i: (lambda kept: through(x, i, lambda x: x.zero_()) + kept)(x[i].clone()),
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
        assert captured.program.checks, "it is known before anything is done whether the place is in range"
        with pytest.raises(IndexError):
            captured(x, ad.tensor(99))


def test_a_copy_in_place_of_a_view_is_not_read_after_a_write_to_what_it_is_of(backend: Backend) -> None:
    def function(x: Any, i: Any) -> Any:
        x = x * 1.0
        row = x[i]
        x.zero_()
        return row

    x = ad.ones(2, 3)
    for f in (function, lambda x, i: function(x, i) * 2.0):
        with pytest.raises(CaptureError, match=r"take x\[i\] again after the write, or clone\(\) it before"):
            ad.capture(f)(x, ad.tensor(1))


def test_a_message_about_an_index_reads_no_values(backend: Backend) -> None:
    captured = ad.capture(lambda x, i: written(x, i, 1.0))
    with pytest.raises(IndexError, match=r"tensor\[tensor of shape \(\)\] = …: index 2 is out of bounds for axis 0 with size 2"):
        captured(ad.ones(2), ad.tensor(2))
