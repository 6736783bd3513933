"""Names that one who knows PyTorch reaches for: that they are there, and do what PyTorch's do."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn
from adjoint.errors import GraphError
from adjoint.nn import functional as F

from .oracle import agree, dtype_name, outputs, same, torch

pytestmark = pytest.mark.usefixtures("backend")
X = np.array([[0.5, -0.25, 0.0], [0.75, 0.125, -0.5]])
REPEATED = np.array([1, 1, 4, 4, 4, 0, 1])

ALIASES = {
    "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh", "arctan": "atan", "arctanh": "atanh",
    "arctan2": "atan2", "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne",
}  # fmt: skip

CALLS: dict[str, Any] = {
    "where of a condition": lambda m, x: m.where(x > 0),
    "where of a 0-d condition": lambda m, x: m.where(x[0, 0]),
    "empty_like": lambda m, x: m.empty_like(x, dtype=m.float32).fill_(1.0),
    "logspace": lambda m, x: m.logspace(-1, 2, 7, dtype=m.float64),
    "logspace of another base": lambda m, x: m.logspace(0, 8, 5, base=2.0),
    "tril_indices": lambda m, x: [m.tril_indices(3, 4), m.tril_indices(4, 2, -1), m.tril_indices(2, 2, -5)],
    "triu_indices": lambda m, x: [m.triu_indices(3, 4), m.triu_indices(4, 2, 1), m.triu_indices(2, 2, dtype=m.int32)],
    "concat and concatenate": lambda m, x: [m.concat([x, x], 1), m.concatenate([x, x])],
    "cartesian_prod": lambda m, x: m.cartesian_prod(x[0], x[1], x[0, :2]),
    "cartesian_prod of one": lambda m, x: m.cartesian_prod(x[0]),
    "heaviside": lambda m, x: m.heaviside(x.detach(), m.tensor([0.5, 2.0, float("nan")], dtype=m.float64)),
    "newaxis": lambda m, x: x[:, m.newaxis] * m.pi + m.e,
    "special": lambda m, x: [
        m.special.softmax(x, 1), m.special.log_softmax(x, 0), m.special.logsumexp(x, 1), m.special.exp2(x),
    ],
    "special.round": lambda m, x: m.special.round(x.detach(), decimals=1),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_call_gives_what_pytorchs_gives(name: str) -> None:
    agree(CALLS[name], X)


@pytest.mark.parametrize(("name", "plain"), ALIASES.items())
def test_an_alias_is_the_function_it_stands_for(name: str, plain: str) -> None:
    assert getattr(ad, name) is getattr(ad, plain)
    assert hasattr(torch, name)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: m.bincount(x),
        lambda m, x: m.bincount(x, minlength=9),
        lambda m, x: m.bincount(x[:0], minlength=2),
        lambda m, x: m.bincount(x[:0]),
        lambda m, x: m.bincount(x.to(m.uint8), x * 2),
        lambda m, x: m.bincount(x, x.to(m.float32) / 2),
        lambda m, x: m.unique_consecutive(x),
        lambda m, x: m.unique_consecutive(x[:0], return_inverse=True, return_counts=True),
        lambda m, x: m.unique_consecutive(x, return_inverse=True, return_counts=True),
        lambda m, x: m.unique_consecutive(x[:6].reshape(3, 2), return_counts=True),
        lambda m, x: m.unique_consecutive(x[[0, 1, 3, 3, 3, 3]].reshape(3, 2), True, True, dim=0),
        lambda m, x: m.unique_consecutive(x[[0, 0, 4, 3, 3, 3]].reshape(2, 3), True, True, dim=1),
    ],
)
def test_counting_whole_numbers_is_pytorchs(call: Any) -> None:
    for got, wanted in zip(outputs(call(ad, ad.tensor(REPEATED))), outputs(call(torch, torch.tensor(REPEATED))), strict=True):
        same(got, wanted)


def test_the_sums_of_a_bincount_can_be_differentiated() -> None:
    weights = ad.ones(3, requires_grad=True)
    (ad.bincount(ad.tensor([0, 2, 0]), weights) * ad.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert weights.grad is not None
    assert weights.grad.tolist() == [1.0, 3.0, 1.0]


def test_dtypes_and_numbers_have_pytorchs_names() -> None:
    for name in ("bool", "float", "int", "short", "half", "double", "long"):
        assert getattr(ad, name).name == str(getattr(torch, name)).partition(".")[2]
    assert (ad.pi, ad.e, ad.inf, ad.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(ad.nan)
    for a in ("bool", "uint8", "int8", "int64", "float16", "float64"):
        for b in ("bool", "int16", "float32"):
            wanted = torch.promote_types(getattr(torch, a), getattr(torch, b))
            assert repr(ad.promote_types(a, getattr(ad, b))).partition(".")[2] == str(wanted).partition(".")[2]


def test_what_is_asked_of_a_tensor() -> None:
    assert ad.is_tensor(ad.ones(2))
    assert not ad.is_tensor(np.ones(2))
    assert ad.is_floating_point(ad.ones(2))
    assert not ad.is_floating_point(ad.arange(2))
    assert ad.numel(ad.ones(2, 3)) == 6


def test_asarray_shares_copies_and_leaves_the_graph() -> None:
    x = ad.ones(2, requires_grad=True)
    shared, copied = ad.asarray(x), ad.asarray(x, copy=True)
    assert not shared.requires_grad
    shared.fill_(2.0)
    assert x.tolist() == [2.0, 2.0]
    assert copied.tolist() == [1.0, 1.0]
    assert ad.asarray([1.0], requires_grad=True).requires_grad
    with pytest.raises(ValueError, match=r"asarray: list .* without a copy"):
        ad.asarray([1.0], copy=False)
    with pytest.raises(ValueError, match="without a copy"):
        ad.asarray(x, dtype=ad.float64, copy=False)


def test_normal_draws_around_its_means() -> None:
    ad.manual_seed(3)
    drawn = ad.normal(5.0, 0.1, (2000,))
    assert abs(drawn.mean().item() - 5.0) < 0.02
    assert abs(drawn.std().item() - 0.1) < 0.02
    mean = ad.zeros(3, 1, dtype=ad.float64)
    both = ad.normal(mean, ad.ones(2, dtype=ad.float64))
    assert both.shape == (3, 2)
    assert both.dtype is ad.float64
    with pytest.raises(GraphError, match=r"normal: .* requires a gradient, which would be lost"):
        ad.normal(mean.requires_grad_(), 1.0)
    assert ad.normal(1.0, ad.zeros(2)).tolist() == [1.0, 1.0]
    for wrong in (lambda: ad.normal(0.0, 1.0), lambda: ad.normal(ad.ones(2), 1.0, (2,))):
        with pytest.raises(TypeError, match="normal: the shape"):
            wrong()
    with pytest.raises(ValueError, match="normal: std"):
        ad.normal(0.0, -1.0, (2,))


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_as_often_as_the_weights_say(replacement: bool) -> None:
    ad.manual_seed(1)
    weights = ad.tensor([[0.0, 1.0, 3.0, 0.0], [2.0, 2.0, 0.0, 0.0]])
    many = weights if replacement else weights.repeat(2000, 1)
    drawn = ad.multinomial(many, 2000 if replacement else 2, replacement)
    assert drawn.shape == ((2, 2000) if replacement else (4000, 2))
    assert dtype_name(drawn) == "int64"
    first = drawn if replacement else drawn[:, 0].reshape(2000, 2).t()
    for row, wanted in zip(first, ([0.0, 0.25, 0.75, 0.0], [0.5, 0.5, 0.0, 0.0]), strict=True):
        np.testing.assert_allclose(np.array(ad.bincount(row, minlength=4).tolist()) / 2000, wanted, atol=0.05)
    if not replacement:
        assert (drawn[:, 0] != drawn[:, 1]).all()
    assert ad.multinomial(weights[0], 2, replacement).shape == (2,)


@pytest.mark.parametrize(
    ("weights", "samples", "replacement", "error", "told"),
    [
        ([1, 2], 1, True, TypeError, "floating-point weights"),
        ([1.0, -1.0], 1, True, ValueError, "from 0"),
        ([1.0, float("nan")], 1, True, ValueError, "finite"),
        ([0.0, 0.0], 1, True, ValueError, "only 0 weights"),
        ([1.0, 0.0], 2, False, ValueError, "only 1 weights"),
        ([1.0, 1.0], 0, True, ValueError, "at least 1"),
        ([[[1.0]]], 1, True, ValueError, r"\(1, 1, 1\)"),
    ],
)
def test_multinomial_refuses_what_it_can_not_draw_from(
    weights: Any, samples: int, replacement: bool, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=f"multinomial: .*{told}"):
        ad.multinomial(ad.tensor(weights), samples, replacement)


def test_what_can_not_be_done_is_refused() -> None:
    with pytest.raises(TypeError, match="where: takes"):
        ad.where(ad.ones(2) > 0, 1.0)
    with pytest.raises(TypeError, match="bincount: requires integers"):
        ad.bincount(ad.ones(2))
    with pytest.raises(ValueError, match="the least is -1"):
        ad.bincount(ad.tensor([-1]))
    with pytest.raises(ValueError, match=r"bincount: .*\(2,\)"):
        ad.bincount(ad.tensor([1]), ad.ones(2))
    with pytest.raises(ValueError, match="cartesian_prod: takes vectors"):
        ad.cartesian_prod(ad.ones(2, 2))
    with pytest.raises(TypeError, match="heaviside: x is"):
        ad.heaviside(ad.ones(2), ad.ones(2, dtype=ad.float64))


@pytest.mark.parametrize("dim", [0, -1])
def test_gumbel_softmax_chooses_as_often_as_softmax_says(dim: int) -> None:
    ad.manual_seed(2)
    wanted = np.array([0.1, 0.6, 0.3])
    logits = ad.tensor(np.log(np.tile(wanted, (3000, 1)) if dim else np.tile(wanted, (3000, 1)).T), requires_grad=True)
    hard = F.gumbel_softmax(logits, tau=0.5, hard=True, dim=dim)
    rows = hard.detach() if dim else hard.detach().t()
    np.testing.assert_allclose(rows.sum(0).tolist(), 3000 * wanted, atol=120)
    np.testing.assert_allclose(np.sort(np.array(rows.tolist()), 1), np.tile([0.0, 0.0, 1.0], (3000, 1)), atol=1e-12)
    ad.manual_seed(2)
    soft = F.gumbel_softmax(logits, tau=0.5, dim=dim)
    np.testing.assert_allclose(soft.detach().sum(dim).tolist(), 1.0)
    assert (soft.argmax(dim) == hard.argmax(dim)).all()
    weight = ad.arange(9000).reshape(hard.shape) % 7
    (of_hard,) = ad.autograd.grad((hard * weight).sum(), [logits])
    (of_soft,) = ad.autograd.grad((soft * weight).sum(), [logits])
    np.testing.assert_allclose(of_hard.tolist(), of_soft.tolist())
    with pytest.raises(ValueError, match="gumbel_softmax: the temperature tau"):
        F.gumbel_softmax(logits, 0.0)


def test_a_list_of_parameters_is_its_owners() -> None:
    def made(m: Any) -> Any:
        held = m.nn.Module()
        held.several = m.nn.ParameterList([m.ones(2, 3), m.nn.Parameter(m.zeros(1))])
        held.several.append(m.ones(4))
        held.several.extend([m.zeros(2)])
        held.several += [m.ones(1, 1)]
        held.several[0] = m.nn.Parameter(m.zeros(5))
        held.named = m.nn.ParameterDict({"a": m.ones(2), "b": m.zeros(3)})
        held.named["c"] = m.ones(1)
        held.named.update({"a": m.zeros(7)})
        held.named.pop("b")
        return held

    ours, theirs = made(ad), made(torch)
    assert [(k, v.shape) for k, v in ours.state_dict().items()] == [(k, tuple(v.shape)) for k, v in theirs.state_dict().items()]
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in ours.parameters())
    assert [p.shape for p in ours.several[1:3]] == [tuple(p.shape) for p in theirs.several[1:3]]
    assert list(ours.named.keys()) == list(theirs.named.keys())
    assert ("a" in ours.named, "b" in ours.named, len(ours.several), len(ours.named)) == (True, False, 5, 2)
    assert ours.several[-1] is list(ours.several)[4]
    with pytest.raises(TypeError, match="ParameterList: a value must be a tensor, not int"):
        ours.several.append(3)
    with pytest.raises(IndexError, match="no parameter 9"):
        ours.several[9]


def test_parameters_go_into_one_vector_and_back() -> None:
    model = nn.Linear(3, 2)
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.tolist() == [*model.weight.detach().reshape(-1).tolist(), *model.bias.tolist()]
    (vector * vector).sum().backward()
    np.testing.assert_allclose(model.bias.grad.tolist(), (2 * model.bias).tolist())
    nn.utils.vector_to_parameters(ad.arange(8).float(), model.parameters())
    assert model.weight.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert model.bias.tolist() == [6.0, 7.0]
    with pytest.raises(ValueError, match=r"vector_to_parameters: .* 8 elements .*\(7,\)"):
        nn.utils.vector_to_parameters(ad.ones(7), model.parameters())


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: [x.new_zeros(2, 3), x.new_zeros((2,)), x.new_ones(2, dtype=m.int32), x.new_full((2, 2), 3)],
        lambda m, x: [x.new_tensor([1, 2]), x.new_empty(2, 0), x.new_zeros(())],
        lambda m, x: [x.detach().short(), x.detach().char(), x.type(m.float32), (x * 0 + 3).detach().byte()],
        lambda m, x: x.reshape_as(x.t()) * x.t(),
        lambda m, x: [x.arcsin(), x.arctan2(x + 1), x.arctanh(), x.detach().greater(0), x.detach().not_equal(0.5)],
        lambda m, x: [(x * 2).to(m.int64).abs().flatten().bincount(), (x > 0).unique_consecutive()],
    ],
)
def test_a_method_gives_what_pytorchs_gives(call: Any) -> None:
    agree(call, X)


def test_layout_and_size_in_memory_are_pytorchs() -> None:
    for library in (ad, torch):
        x = library.ones(2, 3, 4)
        assert (tuple(x.stride()), x.stride(1), x.nbytes, x.is_floating_point()) == ((12, 4, 1), 4, 96, True)
        assert tuple(x.permute(2, 0, 1).stride()) == (1, 12, 4)
        assert [y.is_contiguous() for y in (x, x.permute(2, 0, 1), x[0], x[:1].transpose(0, 1), x[:0].mT)] == [
            True, False, True, True, True,
        ]  # fmt: skip
        assert tuple(library.tensor(1.0).stride()) == ()
        assert not library.arange(3).is_floating_point()


def test_drawing_in_place_keeps_dtype_and_memory() -> None:
    ad.manual_seed(5)
    x = ad.zeros(4000, dtype=ad.float64)
    part = x[:2000]
    assert x.normal_(3.0, 0.5) is x
    assert abs(x.mean().item() - 3.0) < 0.05
    assert abs(x.std().item() - 0.5) < 0.05
    x.uniform_(-1.0, 3.0)
    assert x.min().item() >= -1.0
    assert abs(part.mean().item() - 1.0) < 0.15
    assert x.dtype is ad.float64
    x.bernoulli_(0.25)
    assert sorted(set(x.tolist())) == [0.0, 1.0]
    assert abs(x.mean().item() - 0.25) < 0.05
    assert ad.zeros(3, dtype=ad.int64).bernoulli_(ad.tensor([0.0, 1.0, 1.0])).tolist() == [0, 1, 1]
    with pytest.raises(ad.errors.GraphError, match="normal_: a leaf"):
        ad.ones(2, requires_grad=True).normal_()
    with pytest.raises(ValueError, match="uniform_: draws"):
        x.uniform_(1.0, 0.0)
    with pytest.raises(ValueError, match="bernoulli_: p"):
        x.bernoulli_(1.5)
