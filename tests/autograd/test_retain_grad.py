"""``retain_grad``: a retained gradient is the tensor's own copy. Neither the walk nor other gradients share its memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import adjoint as ad

from .oracle import to_numpy, torch

#: Operations whose derivative passes a cotangent on as it is, or as a view of it, beside one that makes a new array.
STEPS: dict[str, Callable[[Any, Any], Any]] = {
    "plus": lambda x, y: x + y,
    "minus": lambda x, y: x - y,
    "plus a number": lambda x, y: x + 1.0,
    "reshaped": lambda x, y: x.reshape(3, 2).reshape(2, 3),
    "transposed twice": lambda x, y: x.transpose(0, 1).transpose(0, 1),
    "unsqueezed": lambda x, y: x.unsqueeze(0).squeeze(0),
    "indexed": lambda x, y: x[...],
    "cloned": lambda x, y: x.clone(),
    "times": lambda x, y: x * y,
    "with itself": lambda x, y: x + x,
}
PROGRAMS = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=8)


def run(m: Any, program: Any, backwards: int, create_graph: bool, meddle: bool) -> list[Any]:
    """Every tensor of the program, all retained, after that many walks back.

    Where ``meddle``, a hook overwrites the gradients retained so far in the middle of each walk.
    """
    values = np.linspace(0.5, 1.5, 6).reshape(2, 3)
    tensors = [
        m.tensor(values, dtype=m.float64, requires_grad=True),
        m.tensor(values[::-1].copy(), dtype=m.float64, requires_grad=True),
    ]
    for name, i, j in program:
        tensors.append(STEPS[name](tensors[-min(i, len(tensors))], tensors[-min(j, len(tensors))]))
        tensors[-1].retain_grad()
    if meddle:

        def overwrite(g: Any) -> None:
            with m.no_grad():
                for tensor in tensors:
                    if tensor.grad is not None:
                        tensor.grad.fill_(100.0)

        for tensor in tensors[2:]:
            tensor.register_hook(overwrite)
    total = sum((t * t).sum() for t in tensors[-2:])
    for _ in range(backwards):
        total.backward(retain_graph=True, create_graph=create_graph)
    return tensors


def gradients(tensors: list[Any]) -> list[Any]:
    return [None if t.grad is None else to_numpy(t.grad).copy() for t in tensors]


@pytest.mark.usefixtures("backend")
@settings(max_examples=60)
@given(PROGRAMS, st.integers(1, 2), st.booleans())
@example([("plus", 1, 2), ("cloned", 1, 1)], 1, False)  # both leaves have one cotangent
@example([("plus", 1, 2), ("cloned", 1, 1)], 1, True)
def test_retained_gradients_are_pytorchs_and_share_no_memory(program: Any, backwards: int, create_graph: bool) -> None:
    tensors = run(ad, program, backwards, create_graph, False)
    found, expected = gradients(tensors), gradients(run(torch, program, backwards, False, False))
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, 1e-12)
    for i, tensor in enumerate(tensors):
        if tensor.grad is None:
            continue
        with ad.no_grad():
            tensor.grad.fill_(float(i))
        found[i] = np.full((2, 3), float(i))
        for a, b in zip(gradients(tensors), found, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("backend")
@settings(max_examples=60)
@given(PROGRAMS, st.booleans())
def test_writing_to_a_retained_gradient_during_a_walk_changes_nothing_upstream(program: Any, create_graph: bool) -> None:
    found = gradients(run(ad, program, 1, create_graph, True)[:2])
    expected = gradients(run(ad, program, 1, create_graph, False)[:2])
    for a, b in zip(found, expected, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, 1e-12)
