"""A replay gives what the function itself does: over every primitive with its derivatives, on every backend at hand."""

from __future__ import annotations

from typing import Any

import pytest
from capture.steps import alike, arrays
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint.autograd.primitive import registry
from adjoint.backends import Backend
from adjoint.errors import CaptureError

from .samples import SAMPLES, laid_out
from .test_primitives import BUILT_IN, DIFFERENTIABLE, elsewhere, varying

#: What can not be replayed, and how the refusal says why.
REFUSED = {"argwhere": "depends on values", "transfer": "a value is read"}


def near(x: ad.Tensor) -> ad.Tensor:
    """Other numbers that a sample of ``x`` could have had."""
    return x * (1.0 - 2.0**-10) if x.dtype.is_floating_point else x.clone()


def with_derivatives(name: str, at: list[int], params: dict[str, Any]) -> Any:
    """A function of the inputs: the primitive's value, its first and its second derivatives."""

    def function(*inputs: ad.Tensor) -> Any:
        floats = [inputs[i].detach().requires_grad_() for i in at]
        replaced = list(inputs)
        for i, x in zip(at, floats, strict=True):
            replaced[i] = x
        out = registry[name](*replaced, **params)
        if not floats or not out.dtype.is_floating_point or not out.requires_grad:
            return [out]
        weights = ad.linspace(0.5, 1.5, max(out.numel(), 1), dtype=out.dtype, device=out.device)[: out.numel()].reshape(out.shape)
        first = ad.autograd.grad((out * weights).sum(), floats, create_graph=True)
        total = sum((g * g).sum() for g in first)
        second = ad.autograd.grad(total, floats, allow_unused=True) if total.requires_grad else [None]
        return [out, *first, *(g for g in second if g is not None)]

    return function


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@settings(max_examples=4, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_a_replay_of_a_primitive_and_its_derivatives_gives_the_same(name: str, data: Any, backend: Backend) -> None:
    with ad.use_backend("numpy"):
        sample = data.draw(SAMPLES[name])
        inputs = [data.draw(laid_out(x)).detach() for x in sample.inputs]
    at = varying(name, sample.inputs) if name in DIFFERENTIABLE else []
    function = with_derivatives(name, at, {key: elsewhere(value, backend) for key, value in sample.params.items()})
    captured = ad.capture(function)
    moved = [x.to(backend).clone() for x in inputs]  # arguments are copied, and of steps wider than one the last bits may differ
    others = [near(x) for x in moved]
    if name in REFUSED:
        with pytest.raises(CaptureError, match=REFUSED[name]):
            captured(*others)
        return
    for given_now in (others, moved, others):
        assert alike(arrays(captured(*given_now)), arrays(function(*given_now)), backend)
    assert captured.stats[:2] == (1, 2), "a later call was not a replay"
