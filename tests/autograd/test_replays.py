"""A replay gives what the function itself does: over every primitive with its derivatives, on every backend at hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from capture.steps import alike, arrays
from capture.test_random_programs import tiles
from hypothesis import Phase, given, settings, strategies as st

import adjoint as ad
from adjoint.autograd.primitive import registry
from adjoint.backends import Backend
from adjoint.errors import CaptureError

from .samples import SAMPLES
from .test_primitives import BUILT_IN, DIFFERENTIABLE, elsewhere, varying

#: What cannot be replayed, and how the refusal says why.
REFUSED = {"argwhere": "depends on values", "transfer": "a value is read"}


def near(x: ad.Tensor) -> ad.Tensor:
    """Other numbers that a sample of ``x`` could have had."""
    return x * (1.0 - 2.0**-10) if x.dtype.is_floating_point else x.clone()


def with_derivatives(name: str, at: list[int], params: dict[str, Any]) -> Any:
    """A function of the inputs: the primitive's value, its first and its second derivatives with respect to those ``at`` …"""

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


# --- where an operand comes from ---------------------------------------------------------------------------------------------


def filled(x: ad.Tensor) -> ad.Tensor:
    made = ad.empty(*x.shape, dtype=x.dtype, device=x.device)
    made[...] = x
    return made


def constant(values: Any) -> ad.Tensor:
    """The values, by operations on numbers alone."""
    numbers = [ad.full((), value, dtype=str(values.dtype)) for value in values.reshape(-1).tolist()]
    return ad.stack(numbers).reshape(values.shape) if numbers else ad.zeros(*values.shape, dtype=str(values.dtype))


def computed(x: ad.Tensor) -> ad.Tensor:
    return x | x if x.dtype is ad.bool else x * 1


#: From an argument, an external tensor, and what both hold at the first call.
ORIGINS: dict[str, Callable[[ad.Tensor, ad.Tensor, Any], ad.Tensor]] = {
    "an argument": lambda argument, external, values: argument,
    "an external tensor": lambda argument, external, values: external,
    "a constant": lambda argument, external, values: constant(values),
    "a literal": lambda argument, external, values: ad.tensor(values),
    "computed from an argument": lambda argument, external, values: computed(argument),
    "computed from an external tensor": lambda argument, external, values: computed(external),
    "written to": lambda argument, external, values: filled(argument),
}

#: How an operand lies in memory: its values as they are stored, and the view of them.
VIEWS: dict[str, tuple[Callable[[Any], Any], Callable[[ad.Tensor], ad.Tensor]]] = {
    "all": (lambda x: x, lambda x: x),
    "transposed": (lambda x: x.T.copy(), lambda x: x.permute(*reversed(range(x.ndim)))),
    "a row": (lambda x: np.stack([x, x]), lambda x: x[1]),
    "every other": (lambda x: np.repeat(x, 2, axis=-1) if x.ndim else x, lambda x: x[..., ::2] if x.ndim else x),
    "reversed": (lambda x: x[::-1].copy() if x.ndim else x, lambda x: x[::-1] if x.ndim else x),
}


class Operand(NamedTuple):
    """One operand of a primitive: values, where they come from, and how they lie."""

    values: Any
    origin: str
    view: str

    def stored(self) -> Any:
        return VIEWS[self.view][0](self.values)

    def made(self, argument: ad.Tensor, external: ad.Tensor) -> ad.Tensor:
        return VIEWS[self.view][1](ORIGINS[self.origin](argument, external, self.stored()))


def operands(values: Any) -> st.SearchStrategy[Operand]:
    return st.builds(Operand, st.just(values), st.sampled_from(sorted(ORIGINS)), st.sampled_from(sorted(VIEWS)))


def indices_in(part: Any) -> list[Any]:
    """The arrays of integers in a parameter, in nested tuples too; masks have to be known where a function is recorded."""
    if type(part) is tuple:
        return [array for inner in part for array in indices_in(inner)]
    return [part] if isinstance(part, np.ndarray) and part.dtype.kind == "i" else []


def with_indices(part: Any, placed: Any, found: Any) -> Any:
    """The parameter as it is ``placed`` on a backend, its arrays of integers replaced by those of the next tensors of ``found``."""
    if type(part) is tuple:
        return tuple(with_indices(*both, found) for both in zip(part, placed, strict=True))
    return next(found)._array if indices_in(part) else placed


class Call(NamedTuple):
    """A primitive called with operands and parameters, and the operands that are differentiated by."""

    name: str
    inputs: list[Operand]
    indices: list[Operand]
    params: dict[str, Any]
    at: list[int]

    def tensors(self, backend: Backend) -> list[ad.Tensor]:
        return [ad.tensor(operand.stored(), device=backend) for operand in [*self.inputs, *self.indices]]

    def on(self, backend: Backend, external: list[ad.Tensor]) -> Callable[..., Any]:
        """What is captured: the operands are made, and the primitive is called and differentiated."""

        placed = {key: elsewhere(part, backend) for key, part in self.params.items()}

        def function(*arguments: ad.Tensor) -> Any:
            made = [operand.made(*both) for operand, *both in zip([*self.inputs, *self.indices], arguments, external, strict=True)]
            n, found = len(self.inputs), iter(made[len(self.inputs) :])
            params = {key: with_indices(part, placed[key], found) for key, part in self.params.items()}
            return with_derivatives(self.name, self.at, params)(*made[:n])

        return function


@st.composite
def calls(draw: Any, name: str) -> Call:
    with ad.use_backend("numpy"):
        sample = draw(SAMPLES[name])
    numbers = [array for part in sample.params.values() for array in indices_in(part)]
    at = varying(name, sample.inputs) if name in DIFFERENTIABLE else []
    chosen = draw(st.sampled_from([at, [], *([i] for i in at)]))
    return Call(name, [draw(operands(x)) for x in sample.inputs], [draw(operands(x)) for x in numbers], sample.params, chosen)


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@settings(max_examples=5, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(data=st.data())
def test_a_replay_gives_the_same_wherever_the_operands_come_from(name: str, data: Any, backend: Backend) -> None:
    call = data.draw(calls(name))
    moved, external = call.tensors(backend), call.tensors(backend)
    function = call.on(backend, external)
    captured = ad.capture(function)
    others = [near(x) for x in moved]
    if name in REFUSED:
        with pytest.raises(CaptureError, match=REFUSED[name]):
            captured(*others)
        return
    with tiles(data.draw(st.sampled_from([None, 16]))):
        for given_now in (others, moved, others):
            for x, new in zip(external, given_now, strict=True):
                x.copy_(new)
            assert alike(arrays(captured(*given_now)), arrays(function(*given_now)), backend)
    assert captured.stats[:2] == (1, 2), "a later call was not a replay"


BASES = [np.linspace(0.3, 3.0, max(1, int(np.prod(shape))), dtype=dtype).reshape(shape) for dtype in ("float32", "float64", "int64")
         for shape in ((), (1,), (7,))]  # fmt: skip
EXPONENTS = [
    0,
    1,
    2,
    3,
    -1,
    0.0,
    0.5,
    1.0,
    1.5,
    2.0,
    -0.5,
    -2.0,
    *(np.asarray(y) for y in (2.0, 0.5, 1.7, [1.7], np.float32(0.3), 3)),
]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_power_has_the_same_bits_eager_and_replayed(swapped: bool, backend: Backend) -> None:
    for base, exponent in itertools.product(BASES, EXPONENTS):
        if base.dtype.kind == "i" and not swapped and type(exponent) is int and exponent < 0:
            continue
        x, y = ad.tensor(base), ad.tensor(exponent) if isinstance(exponent, np.ndarray) else exponent
        function = (lambda x, y: [y**x]) if swapped else (lambda x, y: [x**y])
        captured = ad.capture(function)
        for _ in range(2):
            with backend.suppress_warnings():
                assert alike(arrays(captured(x, y)), arrays(function(x, y)), backend), (base, exponent)


def test_a_power_of_a_single_number_does_not_depend_on_how_it_is_stored(backend: Backend) -> None:
    x, y = ad.rand(300, dtype=ad.float64) + 0.3, ad.randn(300, dtype=ad.float64)
    for a, b in zip(x.unbind(), y.unbind(), strict=True):  # views, and what is computed: arrays and scalars on NumPy
        assert alike(arrays([a**b, a**3, 2.0**b]), arrays([(a * 1) ** (b * 1), (a * 1) ** 3, 2.0 ** (b * 1)]), backend)
