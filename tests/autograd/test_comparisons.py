"""Functions that compare: NaN in any operand, a bound too, gives what PyTorch gives, and no gradient from where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad

from .oracle import torch

pytestmark = pytest.mark.usefixtures("backend")
NAN = float("nan")
NUMBERS = st.sampled_from([NAN, -2.0, -1.0, 0.0, 1.0, 2.0])
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=6)

#: Of a library, three tensors and a number.
BOUNDED: dict[str, Any] = {
    "clamp": lambda m, x, a, b, n: m.clamp(x, a, b),
    "clamp from below": lambda m, x, a, b, n: m.clamp(x, min=a),
    "clamp from above": lambda m, x, a, b, n: m.clamp(x, max=a),
    "clamp by numbers": lambda m, x, a, b, n: m.clamp(x, n, 1.0),
    "clamp by a number from above": lambda m, x, a, b, n: x.clamp(max=n),
    "clip": lambda m, x, a, b, n: m.clip(x, a, b),
    "clamp_min": lambda m, x, a, b, n: m.clamp_min(x, a),
    "clamp_max": lambda m, x, a, b, n: m.clamp_max(x, a),
    "clamp_min by a number": lambda m, x, a, b, n: m.clamp_min(x, n),
    "clamp in place": lambda m, x, a, b, n: (x * 1).clamp_(a, b),
    "clip in place": lambda m, x, a, b, n: (x * 1).clip_(n, 1.0),
    "maximum": lambda m, x, a, b, n: m.maximum(x, a),
    "minimum": lambda m, x, a, b, n: m.minimum(x, a),
    "fmax": lambda m, x, a, b, n: m.fmax(x, a),
    "fmin": lambda m, x, a, b, n: m.fmin(x, a),
    "max of two": lambda m, x, a, b, n: m.max(x, a),
    "min of two": lambda m, x, a, b, n: m.min(x, a),
    "amax": lambda m, x, a, b, n: m.amax(m.stack([x, a, b]), 0),
    "amin": lambda m, x, a, b, n: m.amin(m.stack([x, a, b]), 0),
    "max": lambda m, x, a, b, n: m.max(m.stack([x, a, b]), 0).values,
    "min": lambda m, x, a, b, n: m.min(m.stack([x, a, b]), 0).values,
    "median": lambda m, x, a, b, n: m.median(m.stack([x, a, b]), 0).values,
    "nanmedian": lambda m, x, a, b, n: m.nanmedian(m.stack([x, a, b]), 0).values,
    "cummax": lambda m, x, a, b, n: m.cummax(m.stack([x, a, b]), 0).values,
    "cummin": lambda m, x, a, b, n: m.cummin(m.stack([x, a, b]), 0).values,
    "sort": lambda m, x, a, b, n: m.sort(m.stack([x, a, b]), 0).values,
    "where": lambda m, x, a, b, n: m.where(x > a, a, b),
    **{
        f"F.{name}": lambda m, x, a, b, n, name=name: getattr(m.nn.functional, name)(x)
        for name in "relu relu6 hardtanh hardsigmoid hardswish hardshrink softshrink leaky_relu elu celu selu softplus".split()
    },
    "F.threshold": lambda m, x, a, b, n: m.nn.functional.threshold(x, 0.5, 3.0),
    "F.margin_ranking_loss": lambda m, x, a, b, n: m.nn.functional.margin_ranking_loss(x, a, b, 0.5, reduction="none"),
}  # fmt: skip

ANY_OF_EQUALS = {"cummax", "cummin", "sort", "median", "nanmedian"}  # which of equals gets the gradient; nor of two equal bounds


@pytest.mark.parametrize("case", BOUNDED)
@settings(max_examples=30)
@given(rows=ROWS, number=st.sampled_from([NAN, -1.0, 1.0]))
def test_nan_in_any_operand_gives_what_pytorch_gives(case: str, rows: Any, number: float) -> None:
    columns = np.array(rows).T.copy()
    found = []
    for m in (ad, torch):
        leaves = [m.tensor(column, requires_grad=True) for column in columns]
        with ad.backends.default().suppress_warnings():
            out = BOUNDED[case](m, *leaves, number)
            out.sum().backward()
        gradients = [np.zeros(len(rows)) if x.grad is None else x.grad.cpu().numpy() for x in leaves]
        found.append((out.detach().cpu().numpy(), gradients))
    (value, gradients), (wanted, wanted_gradients) = found
    np.testing.assert_array_equal(value.round(12), wanted.round(12))
    known = ~np.isnan(columns).any(0) & (columns[1] != columns[2]) & (case not in ANY_OF_EQUALS)
    for g, h in zip(gradients, wanted_gradients, strict=True):
        np.testing.assert_allclose(g[known], h[known], 1e-6)
    if case.startswith("cl"):  # a bound that is NaN makes it a constant
        np.testing.assert_array_equal(gradients[0], wanted_gradients[0])


def test_integers_are_clamped_by_tensors_as_integers() -> None:
    x = ad.tensor([1, 5, 9])
    assert ad.clamp(x, ad.tensor([2, 2, 2]), ad.tensor([7, 7, 7])).tolist() == [2, 5, 7]
    assert ad.clamp(x, ad.tensor([2, 2, 2])).dtype is ad.int64
