"""Products of matrices and vectors, einsum, tensordot and distances against PyTorch: values, dtypes, gradients, edges."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.testing import check_gradients

from .oracle import agree, torch

pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(5)


def draw(*shape: int) -> Any:
    return RNG.normal(size=shape)


A, B, C, V, W = draw(3, 4), draw(4, 2), draw(3, 2), draw(4), draw(3)
S, T = draw(5, 3, 4), draw(5, 4, 2)

PRODUCTS = {
    "addmm": (lambda m, x, a, b: [m.addmm(x, a, b), x.addmm(a, b, beta=0.5, alpha=-2), m.addmm(x[0], a, b)], C, A, B),
    "addmv": (lambda m, x, a, v: [m.addmv(x, a, v), x.addmv(a, v, beta=2.0, alpha=0.5), x[:1].addmv(a, v)], W, A, V),
    "addr": (lambda m, x, v, w: [m.addr(x, w, v), x.addr(w, v, beta=2.0, alpha=0.5)], A, V, W),
    "baddbmm": (lambda m, x, s, t: [m.baddbmm(x, s, t), x[0].baddbmm(s, t, beta=2.0, alpha=0.5)], draw(5, 3, 2), S, T),
    "addbmm": (lambda m, x, s, t: [m.addbmm(x, s, t), x.addbmm(s, t, beta=2.0, alpha=0.5)], C, S, T),
    "inner": (lambda m, x, y: [m.inner(x, y), m.inner(x, y[0]), x.inner(y[0, 0]), m.inner(x[0], y[1])], A, draw(2, 4)),
    "vectors": (lambda m, x, y: [m.vdot(x, y), x.vdot(y), m.ger(x, y[:2]), x.ger(y), m.dot(x, y)], V, draw(4)),
    "multi_dot": (
        lambda m, a, b, v, w: [
            m.linalg.multi_dot([w, a, v]),
            m.linalg.multi_dot((a, b)),
            m.linalg.multi_dot([w, a, b]),
            m.linalg.multi_dot([a, b, b.mT, v]),
            m.linalg.multi_dot([v, v]),
        ],
        A,
        B,
        V,
        W,
    ),
    "tensordot": (
        lambda m, s, t: [
            m.tensordot(s, t, 0),
            m.tensordot(s, t.mT, ([0, 2], [0, 2])),
            m.tensordot(s, t, dims=([-1, 0], [1, 0])),
            m.tensordot(s, t[0], 1),
            m.tensordot(s, s, 3),
            m.tensordot(s[:, :1], t, ([1], [1])),
        ],
        S,
        T,
    ),
    "integers": (
        lambda m, x: [m.tensordot(x, x), m.einsum("ij,jk", x, x), m.addmm(x, x, x), m.inner(x, x), m.linalg.multi_dot([x, x, x])],
        np.array([[1, 2], [3, 4]]),
    ),
    "einsum of one": (
        lambda m, a, s: [
            m.einsum("ij->ji", a),
            m.einsum("ij", a),
            m.einsum("ba", a),
            m.einsum("ij->", a),
            m.einsum(" i j -> j ", a),
            m.einsum("...i->...", s),
            m.einsum("b...->...b", s),
            m.einsum("i...->", s),
            m.einsum("ii->i", a[:, :3]),
            m.einsum("ii", a[:, :3]),
            m.einsum("aii->ia", s[:, :, :3]),
            m.einsum("iii->i", s[:3, :, :3]),
            m.einsum("...ii->...", s[..., :3]),
        ],
        A,
        S,
    ),
    "einsum of two": (
        lambda m, a, b, s, t: [
            m.einsum("ij,jk", a, b),
            m.einsum("ij,jk->ki", [a, b]),
            m.einsum("bij,bjk->bik", s, t),
            m.einsum("bij,bjk->ik", s, t),
            m.einsum("bij,jk->bik", s, b),
            m.einsum("...ij,...jk->...ik", s, b),
            m.einsum("...ij,...jk", s, t),
            m.einsum("ij,kl->ilkj", a, b),
            m.einsum("ij,ij->", a, a),
            m.einsum("ij,ij->ij", a, a),
            m.einsum("ij,ik->i", a, a),
            m.einsum("ij,j->i", a[:, :1], b[:, 0]),
            m.einsum("zij,ij->z", s, a),
            m.einsum("aB,bA->AB", a, a.mT[:, :2]),
            m.einsum("bii,bij->bj", s[..., :3], s),
            m.einsum("i,->i", a[0], a[0, 0]),
            m.einsum(a, [0, 1], b, [1, 2], [2, 0]),
            m.einsum(s, [..., 0], a[0], [0], [...]),
            m.einsum(a, [7, 1], b, [1, 2]),
        ],
        A,
        B,
        S,
        T,
    ),
    "einsum of many": (
        lambda m, a, b, v: [
            m.einsum("ij,jk,ik->i", a, b, a[:, :2]),
            m.einsum("ij,jk,kl,lm->im", a, b, b.mT, b),
            m.einsum("i,ij,j->", a[:, 0], a, v),
            m.einsum("i,j,k->kji", v, v, v),
            m.einsum("ij,ij,ij->j", a, a, a),
        ],
        A,
        B,
        V,
    ),
    "einsum of nothing": (lambda m, x: [m.einsum("ij,kj->ik", x, x), m.einsum("ij,ik->jk", x, x), m.einsum("ij->j", x)], A[:0]),
    "cdist": (
        lambda m, x, y: (
            [m.cdist(x, y, p) for p in (2.0, 1.0, 0.5, 1.5, 3.0, 0.0)]
            + [m.cdist(x, y, compute_mode=f"{how}use_mm_for_euclid_dist") for how in ("", "donot_")]
        ),
        draw(2, 1, 3, 4),
        draw(5, 2, 4),
    ),
    "cdist of inf": (lambda m, x, y: m.cdist(x, y, float("inf")), A, draw(2, 4)),
}


@pytest.mark.parametrize("case", PRODUCTS)
def test_results_and_derivatives_are_pytorchs(case: str) -> None:
    function, *arrays = PRODUCTS[case]
    agree(function, *arrays, second="cdist" not in case, rtol=1e-9)


def test_chain_matmul_is_multi_dot() -> None:
    agree(lambda m, *xs: ad.chain_matmul(*xs) if m is ad else m.linalg.multi_dot(xs), A.T, C, B.T, A.T)
    x = ad.tensor(A)
    assert ad.chain_matmul(x) is x


def test_what_is_added_zero_times_may_be_nan() -> None:
    a, b = ad.tensor(A), ad.tensor(B)
    for found in (ad.addmm(a[:, :2] * float("nan"), a, b, beta=0), ad.ones(3, 2).double().addmm_(a, b, beta=0, alpha=2) / 2):
        np.testing.assert_allclose(found.cpu().numpy(), A @ B)


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
def test_the_gradient_of_the_distance_of_equal_points_is_zero(p: float) -> None:
    points = np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0]])
    agree(lambda m, x: m.cdist(x, x.detach(), p), points)
    agree(lambda m, x: m.cdist(x.detach(), x, p, compute_mode="use_mm_for_euclid_dist"), points)


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_distances_have_second_derivatives(p: float) -> None:
    check_gradients(lambda x, y: ad.cdist(x, y, p), ad.tensor(A), ad.tensor(A[:2] + 0.3))


def test_distances_of_close_points_keep_their_digits() -> None:
    x = 1e4 + np.arange(30.0).reshape(30, 1) * 1e-9
    agree(lambda m, x: m.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist"), x, rtol=1e-9)
    assert ad.cdist(ad.tensor(x), ad.tensor(x)).max().item() == x.max() - x.min()


SIZES = {"a": 2, "b": 3, "c": 1, "d": 2, "e": 0}
TERMS = st.lists(st.text("abcd", max_size=3), min_size=1, max_size=4)


@settings(max_examples=60)
@given(TERMS, st.data())
def test_einsum_is_numpys_and_its_gradient_pytorchs(terms: list[str], data: Any) -> None:
    letters = sorted({letter for term in terms for letter in term})
    output = "".join(data.draw(st.lists(st.sampled_from(letters), unique=True) if letters else st.just([])))
    equation = ",".join(terms) + data.draw(st.sampled_from([f"->{output}", ""]))
    number = count()
    operands = [np.random.default_rng(next(number)).normal(size=[SIZES[letter] for letter in term]) for term in terms]
    found = ad.einsum(equation, *map(ad.tensor, operands))
    np.testing.assert_allclose(found.cpu().numpy(), np.einsum(equation, *operands), 1e-9, 1e-12)
    agree(lambda m, *xs: m.einsum(equation, *xs), *operands, rtol=1e-9)


IN_PLACE = {
    "addmm_": lambda x, a, b: x.addmm_(a, b, beta=0.5, alpha=2.0),
    "addmv_": lambda x, a, b: x[:, 0].clone().addmv_(a, b[:, 0]),
    "addr_": lambda x, a, b: x.addr_(a[:, 0], b[0], alpha=2.0),
    "addbmm_": lambda x, a, b: x.addbmm_(a[None], b[None]),
    "baddbmm_": lambda x, a, b: x[None].clone().baddbmm_(a[None], b[None], beta=0.5),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_forms_write_and_differentiate_as_pytorchs(name: str) -> None:
    agree(lambda m, x, a, b: IN_PLACE[name](x * 1, a, b), C, A, B)


def test_many_operands_are_multiplied_in_a_cheap_order() -> None:
    n = 2000  # from the left, the first product alone would take 32 GB
    x = ad.ones(n, 1, dtype="float64")
    assert ad.einsum("ij,kj,kl,ml,mp->ip", x, x, x, x, x).shape == (n, 1)
    assert ad.linalg.multi_dot([x, x.mT, x, x.mT, x])[0].item() == float(n) ** 2


MISTAKES = {
    "too few operands": (lambda a: ad.einsum("ij,jk->ik", a), "einsum.*2 operands.*1"),
    "an operand of more axes": (lambda a: ad.einsum("i->i", a), "einsum: 1 axes.*\\(3, 4\\)"),
    "an operand of fewer axes": (lambda a: ad.einsum("ijk->i", a), "einsum: 3 axes"),
    "lengths that differ": (lambda a: ad.einsum("ij,jk->ik", a, a), "einsum: axis 'j' has length 4.*3"),
    "a diagonal of a rectangle": (lambda a: ad.einsum("ii->i", a), "einsum: axis 'i' has length"),
    "an output from nowhere": (lambda a: ad.einsum("ij->k", a), "einsum: 'k' is in the output but in no operand"),
    "an output twice": (lambda a: ad.einsum("ij->ii", a), "einsum: 'i' is in the output twice"),
    "a sign that is no letter": (lambda a: ad.einsum("i1->i", a), "einsum: 'i1'"),
    "two arrows": (lambda a: ad.einsum("ij->i->j", a), "einsum"),
    "tensordot of lengths that differ": (lambda a: ad.tensordot(a, a, 1), "tensordot: axis"),
    "tensordot of more axes than there are": (lambda a: ad.tensordot(a, a, 3), "tensordot.*3"),
    "tensordot of an axis twice": (lambda a: ad.tensordot(a, a, ([0, 0], [0, 1])), "tensordot"),
    "tensordot of unequal lists": (lambda a: ad.tensordot(a, a, ([0], [0, 1])), "tensordot"),
    "inner of lengths that differ": (lambda a: ad.inner(a, a.mT), "inner.*\\(3, 4\\)"),
    "addmm of another shape": (lambda a: ad.addmm(ad.ones(5, 3, 3), a, a.mT), "addmm.*\\(5, 3, 3\\)"),
    "addmm of vectors": (lambda a: ad.addmm(a, a[0], a), "mm"),
    "addbmm of matrices": (lambda a: ad.addbmm(a, a, a), "addbmm"),
    "multi_dot of one": (lambda a: ad.linalg.multi_dot([a]), "multi_dot.*two"),
    "multi_dot of a vector within": (lambda a: ad.linalg.multi_dot([a, a[0], a]), "multi_dot.*vectors at the ends"),
    "chain_matmul of vectors": (lambda a: ad.chain_matmul(a, a[0]), "chain_matmul"),
    "cdist of another length": (lambda a: ad.cdist(a, a[:, 1:]), "cdist.*one length"),
    "cdist of another mode": (lambda a: ad.cdist(a, a, compute_mode="fast"), "compute_mode"),
    "cdist of a negative order": (lambda a: ad.cdist(a, a, -1.0), "cdist: p"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str) -> None:
    function, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        function(ad.tensor(A))


def test_distances_of_integers_are_refused() -> None:
    with pytest.raises(TypeError, match=r"cdist.*\.float"):
        ad.cdist(ad.ones(2, 2).long(), ad.ones(2, 2).long())
    with pytest.raises(TypeError, match=r"einsum.*number"):
        ad.einsum("i,i", ad.ones(2), 3.0)


def test_every_name_is_pytorchs() -> None:
    names = "addbmm addmm addmv addr baddbmm cholesky_solve det ger inner inverse logdet matrix_power pinverse qr slogdet svd vdot"
    for name in names.split():
        assert hasattr(torch.Tensor, name)
        assert hasattr(ad.Tensor, name)
        assert hasattr(ad, name)
