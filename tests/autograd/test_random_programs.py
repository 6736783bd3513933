"""Random programs, a step at a time on this library and on PyTorch: the same values and gradients after each, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import event, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import adjoint as ad
from adjoint.errors import GraphError

from .oracle import to_numpy, torch

WHICH = st.integers(0, 20)
INDICES = [
    0, -1, ..., None, (slice(None), 1), slice(1, None), (0, slice(None, 2)), (-1, -1), (slice(None), slice(None, None, 2)),
    (..., None, slice(0, 1)),
]  # fmt: skip

VALUES: dict[str, Callable[..., Any]] = {
    "sine": lambda m, a, b: m.sin(a),
    "exponential": lambda m, a, b: m.exp(a * 0.1),
    "tanh": lambda m, a, b: m.tanh(a),
    "square": lambda m, a, b: m.square(a),
    "root": lambda m, a, b: m.sqrt(a * a + 1.0),
    "sum": lambda m, a, b: a + b,
    "difference": lambda m, a, b: a - 0.5 * b,
    "product": lambda m, a, b: a * b,
    "quotient": lambda m, a, b: a / (b * b + 1.0),
    "larger": lambda m, a, b: m.maximum(a, b + 0.3),
    "choice": lambda m, a, b: m.where(a > 0.25, a, b),
    "total": lambda m, a, b: a.sum(),
    "sums of rows": lambda m, a, b: a.sum(-1),
    "means of columns": lambda m, a, b: a.mean(0, keepdim=True),
    "largest": lambda m, a, b: m.amax(a + m.arange(a.numel(), dtype=m.float64).reshape(a.shape) * 1e-3, -1),
    "running sum": lambda m, a, b: a.cumsum(0),
    "matrix product": lambda m, a, b: a @ b.t(),
    "matrix with itself": lambda m, a, b: (a @ a.t()) * 0.1,
    "picked rows": lambda m, a, b: a[m.tensor([1, 0, 1])],
    "masked": lambda m, a, b: m.where(a.detach() > 0, a, 0.0),
    "joined": lambda m, a, b: m.cat([a, a * 2.0])[:3],
    "clone": lambda m, a, b: a.clone(),
    "constant": lambda m, a, b: m.ones(2, 3, dtype=m.float64),
}
VIEWS: dict[str, Callable[..., Any]] = {
    "indexed": lambda m, a, index: a[index],
    "transposed": lambda m, a, index: a.transpose(0, -1) if a.ndim else a.t(),
    "flattened": lambda m, a, index: a.reshape(-1),
    "with an axis": lambda m, a, index: a.unsqueeze(0),
    "without one": lambda m, a, index: a.squeeze(0),
    "diagonal": lambda m, a, index: a.diagonal(),
    "expanded": lambda m, a, index: a.expand(2, *a.shape),
    "of a view of a view": lambda m, a, index: a.reshape(-1)[1:][::2],
    "detached": lambda m, a, index: a.detach(),
}
#: What is written; the tensor written to is returned.
WRITES: dict[str, Callable[..., Any]] = {
    "number by index": lambda m, a, b, index: put(a, index, 0.5),
    "total by index": lambda m, a, b, index: put(a, index, b.sum()),
    "tensor by index": lambda m, a, b, index: put(a, index, b),
    "its own last into its first": lambda m, a, b, index: put(a, 0, a[-1]),
    "twice itself": lambda m, a, b, index: put(a, ..., a * 2.0),
    "into a view": lambda m, a, b, index: a.reshape(-1)[1:].mul_(0.5),
    "into a view of a view": lambda m, a, b, index: a[1:].reshape(-1)[::2].add_(b.sum()),
    "copy": lambda m, a, b, index: a.copy_(b),
    "zero": lambda m, a, b, index: a[index].zero_(),
    "add": lambda m, a, b, index: a.add_(b),
    "scale": lambda m, a, b, index: a.mul_(0.5),
    "multiply": lambda m, a, b, index: a.mul_(b),
    "square": lambda m, a, b, index: a.pow_(2),
    "clamp": lambda m, a, b, index: a.clamp_(-1.03, 1.07),
    "sine": lambda m, a, b, index: a.sin_(),
}


def put(a: Any, index: Any, value: Any) -> Any:
    a[index] = value
    return a


class Programs(RuleBasedStateMachine):
    """``made`` holds what each library has; the two leaves come first and are never written to but under no_grad.

    A step may be refused with a GraphError, though PyTorch takes it, where :attr:`apart`: a tensor that no graph knows, detached
    or a view taken under no_grad, shares the memory of others.
    """

    ours: list[Any]
    theirs: list[Any]
    apart: bool

    @initialize()
    def begin(self) -> None:
        self.ours, self.theirs, self.apart = [], [], False
        for values in ([[0.3, -1.2, 0.7], [1.1, 0.4, -0.6]], [[1.3, 0.2, -0.7], [0.1, -0.4, 0.6]]):
            self.ours.append(ad.tensor(values, dtype="float64", requires_grad=True))
            self.theirs.append(torch.tensor(values, dtype=torch.float64, requires_grad=True))
        self.step("value", lambda m, made: made[0] * made[1])

    # --- steps ---------------------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(sorted(VALUES)), i=WHICH, j=WHICH)
    def value(self, name: str, i: int, j: int) -> None:
        self.step("value", lambda m, made: VALUES[name](m, made[i % len(made)], made[j % len(made)]))

    @rule(name=st.sampled_from(sorted(VIEWS)), i=WHICH, index=st.sampled_from(INDICES))
    def view(self, name: str, i: int, index: Any) -> None:
        self.apart = self.apart or name == "detached"
        self.step("view", lambda m, made: VIEWS[name](m, made[i % len(made)], index))

    @rule(i=WHICH, index=st.sampled_from(INDICES))
    def view_without_gradient(self, i: int, index: Any) -> None:
        def act(m: Any, made: list[Any]) -> Any:
            with m.no_grad():
                return made[i % len(made)][index]

        self.apart = True
        self.step("no_grad view", act)

    @rule(name=st.sampled_from(sorted(WRITES)), i=WHICH, j=WHICH, index=st.sampled_from(INDICES))
    def write(self, name: str, i: int, j: int, index: Any) -> None:
        self.step("write", lambda m, made: WRITES[name](m, made[2 + i % (len(made) - 2)], made[j % len(made)], index))

    @rule(i=WHICH, index=st.sampled_from(INDICES))
    def write_without_gradient(self, i: int, index: Any) -> None:
        def act(m: Any, made: list[Any]) -> Any:
            with m.no_grad():
                return put(made[i % len(made)], index, 0.25)

        self.step("no_grad write", act)

    def step(self, kind: str, act: Callable[..., Any]) -> None:
        """``act`` on both libraries; what it gives is kept, unless it is large. After half a write a new program begins."""
        before = [x.detach().clone() for x in self.theirs]
        try:
            theirs = act(torch, self.theirs)
        except (RuntimeError, IndexError, ValueError):
            if any(not torch.equal(x, y) for x, y in zip(before, self.theirs, strict=True)):
                self.begin()
            return
        try:
            ours = act(ad, self.ours)
        except (GraphError, ValueError) as error:
            spread_out = "write" in kind and "read-only" in str(error)  # PyTorch writes to some that were expanded
            if not spread_out and not (self.apart and isinstance(error, GraphError)):
                raise
            event(f"refused: {kind}")
            if "write" in kind:
                self.begin()
            return
        if theirs.numel() <= 12 and not any(x is theirs for x in self.theirs):
            self.ours.append(ours)
            self.theirs.append(theirs)

    # --- what holds after each -----------------------------------------------------------------------------------------------

    @invariant()
    def values_are_pytorchs(self) -> None:
        for a, b in zip(self.ours, self.theirs, strict=True):
            np.testing.assert_allclose(to_numpy(a), to_numpy(b), 1e-8, 1e-10)

    @invariant()
    def gradients_are_pytorchs(self) -> None:
        try:
            wanted = gradients(torch, self.theirs, second=False)
        except RuntimeError:
            event("PyTorch refuses the gradient")
            return
        try:
            found = gradients(ad, self.ours, second=False)
        except GraphError:
            assert self.apart
            event("refused: gradient")
            return
        same(found, wanted)

    @rule()
    def second_derivatives_are_pytorchs(self) -> None:
        try:
            wanted = gradients(torch, self.theirs, second=True)
        except RuntimeError:
            return
        try:
            found = gradients(ad, self.ours, second=True)
        except GraphError:
            assert self.apart
            return
        same(found, wanted)


def gradients(m: Any, made: list[Any], second: bool) -> list[Any]:
    """Of a weighted sum of all that was made, by the leaves; where ``second``, of a weighted sum of that."""
    leaves = made[:2]
    total = sum((x * (0.5 + 0.25 * k)).sum() for k, x in enumerate(made))
    found = m.autograd.grad(total, leaves, create_graph=second, retain_graph=True, allow_unused=True)
    if second:
        total = sum(((g * g).sum() for g in found if g is not None), m.zeros((), dtype=m.float64))
        if not total.requires_grad:
            return []
        found = m.autograd.grad(total, leaves, retain_graph=True, allow_unused=True)
    return [None if g is None else to_numpy(g) for g in found]


def same(found: list[Any], wanted: list[Any]) -> None:
    zero = np.zeros((2, 3))
    assert len(found) == len(wanted)
    for g, h in zip(found, wanted, strict=True):
        np.testing.assert_allclose(zero if g is None else g, zero if h is None else h, 1e-7, 1e-9)


@pytest.mark.usefixtures("backend")
def test_each_step_of_a_random_program_gives_pytorchs_value_and_gradient_or_is_refused() -> None:
    run_state_machine_as_test(Programs, settings=settings(max_examples=100, stateful_step_count=12))
