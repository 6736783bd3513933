"""First derivatives at 0, -0, infinity and NaN: of every public function of one or two numbers, against PyTorch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad

from .oracle import torch

pytestmark = pytest.mark.usefixtures("backend")
VALUES = (0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 3.0, np.inf, -np.inf, np.nan)
PLACES = {
    "": (ad, torch),
    "special.": (ad.special, torch.special),
    "nn.functional.": (ad.nn.functional, torch.nn.functional),
}
RANDOM = frozenset("bernoulli dropout alpha_dropout feature_alpha_dropout rrelu normal gumbel_softmax".split())
NOT_OF_NUMBERS = frozenset("adjoint tensor asarray softmax log_softmax softmin".split())
REDUCES = frozenset("amax amin max min mean nanmean nansum var std median nanmedian logsumexp prod norm dist".split())


def _outside(low: float, high: float) -> Callable[..., bool]:
    return lambda x: not low <= x <= high


#: Where a derivative is another than PyTorch's: of the arguments, and why.
EXEMPT: dict[str, tuple[Callable[..., bool], str]] = {
    "abs absolute": (np.isnan, "NaN stays NaN, as in NumPy; PyTorch's sign of NaN is 0"),
    "acosh arccosh": (_outside(1, np.inf), "outside the domain it is NaN, as the value"),
    "atan2 arctan2": (lambda x, y: np.isinf(x) != np.isinf(y), "it is 0, the limit; PyTorch's by the infinite number is NaN"),
    "copysign": (lambda x, y: np.isinf(x), "it is 1 or -1; PyTorch divides infinity by infinity"),
    "digamma special.digamma special.psi": (lambda x: x == -1 or x == -np.inf, "it is infinite at the poles; PyTorch rounds pi"),
    "nn.functional.celu nn.functional.elu nn.functional.selu": (np.isnan, "NaN stays NaN; PyTorch takes the branch for x > 0"),
    "nn.functional.hardsigmoid": (np.isnan, "it is the slope between the bounds, as clamp's; PyTorch's is 0"),
    "nn.functional.hardswish": (np.isnan, "NaN stays NaN, PyTorch takes the branch for x >= 3"),
    "nn.functional.softshrink": (np.isnan, "it is 0, as between the bounds; PyTorch takes the branch outside them"),
    "remainder": (lambda x, y: np.isinf(x), "it is infinite, as that of fmod"),
    "logit special.logit": (lambda x: x == 0, "the sign of an infinite slope is that of the zero"),
    "special.log_ndtr": (lambda x: x == -np.inf, "it is infinite, the limit; PyTorch's is NaN"),
    "xlogy special.xlogy special.xlog1py": (lambda x, y: x == 0, "it is 0 where the value is 0 for any second number"),
}  # fmt: skip
REASONS = {name: exempt for names, exempt in EXEMPT.items() for name in names.split()}


def _names(count: int) -> list[str]:
    return [
        prefix + name
        for prefix, (ours, theirs) in list(PLACES.items())[: 4 - count]  # two arguments in nn.functional: losses
        for name in sorted(set(dir(ours)) & set(dir(theirs)) - RANDOM - REDUCES - NOT_OF_NUMBERS)
        if not name.startswith("_") and callable(getattr(theirs, name)) and not isinstance(getattr(theirs, name), type)
    ]


def _slopes(m: Any, function: Any, arguments: tuple[float, ...]) -> list[float] | None:
    """The derivatives by each number; None where the function does not take them, or has no derivative."""
    numbers = [m.tensor(v, dtype=m.float64, requires_grad=True) for v in arguments]
    out = function(*numbers)
    if not isinstance(out, m.Tensor) or out.shape != () or not out.requires_grad:
        return None
    gradients = m.autograd.grad(out, numbers, allow_unused=True)
    return [0.0 if g is None else g.item() for g in gradients]


def _compared(count: int) -> dict[str, list[tuple[Any, ...]]]:
    """Of each function of so many numbers the arguments at which a derivative differs."""
    differences: dict[str, list[tuple[Any, ...]]] = {}
    for full_name in _names(count):
        prefix, name = full_name[: -len(full_name.rpartition(".")[2])], full_name.rpartition(".")[2]
        ours, theirs = (getattr(module, name) for module in PLACES[prefix])
        for arguments in itertools.product(VALUES, repeat=count):
            try:
                expected = _slopes(torch, theirs, arguments)
            except Exception:  # not a function of so many numbers
                break
            if expected is None:
                break
            differences.setdefault(full_name, [])
            computed = _slopes(ad, ours, arguments)
            if computed is not None and not np.allclose(computed, expected, 1e-7, 1e-290, equal_nan=True):
                differences[full_name].append((arguments, computed, expected))
    return differences


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("count", "least"), [(1, 90), (2, 25)])
def test_derivatives_at_special_values_are_pytorchs(count: int, least: int) -> None:
    with ad.backends.default().suppress_warnings():
        differences = _compared(count)
    assert len(differences) >= least
    unexplained = {
        name: some
        for name, cases in differences.items()
        if (some := [case for case in cases if name not in REASONS or not REASONS[name][0](*case[0])])
    }
    assert not unexplained
    taking = {name for name, cases in differences.items() if cases}
    assert not {name for name in REASONS if name in differences and name not in taking}, "an exemption that nothing needs"


@pytest.mark.parametrize("x", VALUES)
@pytest.mark.parametrize("y", VALUES)
def test_the_second_derivatives_of_atan2_are_finite_wherever_the_first_are(x: float, y: float) -> None:
    numbers = [ad.tensor(v, dtype=ad.float64, requires_grad=True) for v in (x, y)]
    with ad.backends.default().suppress_warnings():
        first = ad.autograd.grad(ad.atan2(*numbers), numbers, create_graph=True)
        for g in first:
            for second in ad.autograd.grad(g, numbers, retain_graph=True):
                assert np.isfinite(second.item()) == all(np.isfinite(h.item()) for h in first)


@pytest.mark.parametrize(("name", "quotient"), [("remainder", 9), ("fmod", 9)])
def test_a_remainders_derivative_is_by_the_quotient_that_it_left(name: str, quotient: int) -> None:
    divisor = ad.tensor(0.1, dtype=ad.float64, requires_grad=True)  # 1 / 0.1 rounds to 10, and the remainder is 1 - 9 * 0.1
    getattr(ad, name)(ad.tensor(1.0, dtype=ad.float64), divisor).backward()
    assert divisor.grad.item() == -quotient
