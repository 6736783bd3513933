"""A call of another form is another recording: whatever was called before, a captured function gives what the function gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import pytest

import adjoint as ad
from adjoint import nn
from adjoint.backends import Backend
from adjoint.errors import CaptureError, GraphError

from .steps import alike, arrays

WORDS = {"numpy": 1.0, "strict": 2.0, "cupy": 3.0}


class Form(NamedTuple):
    """A way to call: the arguments, in which mode, and of a module in training or not."""

    args: Callable[[], tuple[Any, ...]]
    mode: Callable[[], AbstractContextManager[Any]] = nullcontext
    training: bool = True


def x(*shape: int, **how: Any) -> ad.Tensor:
    return ad.ones(*shape, **how) * 3 if not how.get("requires_grad") else ad.ones(*shape, **how).mul_(3).detach().requires_grad_()


FORMS: dict[str, Form] = {
    "a tensor": Form(lambda: (x(2),)),
    "of another dtype": Form(lambda: (x(2, dtype="float64"),)),
    "of integers": Form(lambda: (x(2, dtype="int64"),)),
    "of another shape": Form(lambda: (x(3),)),
    "of another rank": Form(lambda: (x(2, 1),)),
    "of no axes": Form(lambda: (x(),)),
    "on NumPy": Form(lambda: (x(2, device="numpy"),)),
    "on NumPy, which is the default": Form(lambda: (x(2, device="numpy"),), lambda: ad.use_backend("numpy")),
    "that requires a gradient": Form(lambda: (ad.full((2,), 3.0, requires_grad=True),)),
    "that requires a gradient, without a graph": Form(lambda: (ad.full((2,), 3.0, requires_grad=True),), ad.no_grad),
    "on a graph, without another one": Form(lambda: (ad.full((2,), 1.5, requires_grad=True) * 2,), ad.no_grad),
    "without a graph": Form(lambda: (x(2),), ad.no_grad),
    "in evaluation": Form(lambda: (x(2),), training=False),
    "two tensors": Form(lambda: (x(2), x(2))),
    "two tensors, the second of another dtype": Form(lambda: (x(2), x(2, dtype="float64"))),
    "a number": Form(lambda: (3.0,)),
    "an integer": Form(lambda: (3,)),
    "a tensor and a number": Form(lambda: (x(2), 3)),
    "a number and a tensor": Form(lambda: (3, x(2))),
    "a list": Form(lambda: ([x(2)],)),
    "nothing": Form(lambda: ()),
    "nothing, on NumPy": Form(lambda: (), lambda: ad.use_backend("numpy")),
}


def function_of(model: nn.Module) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        """All that a function may decide by, as numbers beside the arguments' sum."""
        total = ad.zeros(2, device=device_of(args))
        tensors = []
        for arg in args:
            part = arg[0] if isinstance(arg, list) else arg
            total = part * 2 + (total if getattr(part, "shape", (2,)) == (2,) else 0)
            if isinstance(part, ad.Tensor):
                tensors += [float(part.requires_grad), float(part.ndim), float(part.is_leaf)]
        facts = [float(ad.is_grad_enabled()), float(model.training), WORDS[ad.zeros(()).backend.name], len(args), *tensors]
        return [total.detach(), ad.tensor(facts, device=device_of(args))]

    return function


def device_of(args: Any) -> Any:
    flat = [part for arg in args for part in (arg if isinstance(arg, list) else [arg])]
    return next((part.device for part in flat if isinstance(part, ad.Tensor)), None)


@pytest.mark.parametrize("first", FORMS)
def test_a_call_after_one_of_another_form_gives_what_the_function_gives(first: str, backend: Backend) -> None:
    for second in FORMS:
        model = nn.Linear(1, 1)
        function = function_of(model)
        captured = ad.capture(function)
        for name in (first, first, second, second, first):
            form = FORMS[name]
            model.train(form.training)
            with form.mode():
                args = form.args()
                found, wanted = captured(*args), function(*args)
            assert [t.device for t in found] == [t.device for t in wanted], (first, second)
            assert alike(arrays(found), arrays(wanted), backend), (first, second)


def test_an_argument_on_a_graph_is_refused_whatever_was_called_before(backend: Backend) -> None:
    for form in FORMS.values():
        captured = ad.capture(function_of(nn.Linear(1, 1)))
        for _ in range(2):
            with form.mode():
                captured(*form.args())
        with pytest.raises(CaptureError, match="on a graph"):
            captured(ad.full((2,), 1.5, requires_grad=True) * 2)
    with pytest.raises(CaptureError, match="on a graph"):
        captured(x(2), ad.full((2,), 1.5, requires_grad=True) * 2)


def test_a_nan_is_looked_for_where_it_is_asked_for(backend: Backend) -> None:
    captured = ad.capture(lambda x: ad.grad(lambda x: (x * x).sqrt().sum())(x))
    with backend.suppress_warnings():
        for value in (1.0, 2.0, 0.0):
            captured(ad.full((1,), value))  # not here
        with ad.autograd.detect_anomaly():
            for value in (1.0, 2.0):
                assert captured(ad.full((1,), value)).item() == 1.0
            with pytest.raises(GraphError, match="made a NaN"):
                captured(ad.zeros(1))
    assert captured.stats.replays == 3
