"""``ad.linalg`` against ``torch.linalg``: values, dtypes, first and second derivatives, singular and equal cases, mistakes.

Signs of vectors are not determined, so functions of the factors that do not depend on them are compared.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.errors import GraphError, LinAlgError
from adjoint.testing import assert_close, check_gradients

from .oracle import agree, torch

pytestmark = [pytest.mark.usefixtures("backend"), pytest.mark.filterwarnings("ignore:.*deprecated:UserWarning")]
RNG = np.random.default_rng(11)


def draw(*shape: int) -> Any:
    return RNG.normal(size=shape)


def apart(*shape: int) -> Any:
    """Matrices with singular values k, …, 2, 1."""
    u, _, vt = np.linalg.svd(draw(*shape), full_matrices=False)
    return (u * np.arange(u.shape[-1], 0.0, -1)) @ vt


SQUARE, STACK, TALL, WIDE = apart(3, 3), apart(2, 1, 3, 3), apart(2, 4, 3), apart(2, 3, 4)
DEFINITE = STACK @ STACK.mT
ROWS, COLUMN, VECTOR = draw(3, 2), draw(4, 3, 2), draw(3)
ONE_LOW = np.diag([1.0, 2.0, 0.0])
DEFECTIVE = apart(4, 2) @ apart(2, 3)  # of rank 2


def symmetric(x: Any) -> Any:
    return x + x.mT


FACTORS = {
    "cholesky": (lambda m, x: [m.linalg.cholesky(x), m.linalg.cholesky(x, upper=True)], DEFINITE),
    "cholesky of one triangle": (lambda m, x: m.linalg.cholesky(x), np.tril(DEFINITE)),
    "cholesky_solve": (
        lambda m, x, b: [
            m.cholesky_solve(b, m.linalg.cholesky(x)),
            b.cholesky_solve(m.linalg.cholesky(x, upper=True), upper=True),
        ],
        DEFINITE,
        ROWS,
    ),
    "qr": (lambda m, x: [*m.linalg.qr(x), *m.linalg.qr(x[0], mode="reduced"), *m.qr(x), *x.qr()], TALL),
    "qr of wide matrices": (lambda m, x: [*m.linalg.qr(x), *m.linalg.qr(x, "complete"), *m.qr(x, some=False)], WIDE),
    "qr of square matrices": (lambda m, x: [*m.linalg.qr(x), *m.linalg.qr(x, "complete")], STACK),
    "r alone": (lambda m, x: [y.detach() for y in m.linalg.qr(x, "r")], TALL),
    "eigvalsh": (lambda m, x: [m.linalg.eigvalsh(symmetric(x)), m.linalg.eigvalsh(symmetric(x), UPLO="U")], STACK),
    "eigh": (lambda m, x: (lambda w, v: [w, v * v, (v * w[..., None, :] ** 3) @ v.mT])(*m.linalg.eigh(symmetric(x))), STACK),
    "eigh of one triangle": (
        lambda m, x: [m.linalg.eigvalsh(x).detach(), m.linalg.eigvalsh(x, "U").detach()],
        STACK,
    ),
    "svd": (
        lambda m, x: (lambda u, s, v: [s, u * u, v * v, (u * s[..., None, :] ** 3) @ v, u @ v])(
            *m.linalg.svd(x, full_matrices=False)
        ),
        STACK,
    ),
    "svd of tall matrices": (lambda m, x: (lambda u, s, v: [s, u * u, v * v, u @ v])(*m.linalg.svd(x, False)), TALL),
    "svd of wide matrices": (lambda m, x: (lambda u, s, v: [s, u * u, v * v, u @ v])(*m.linalg.svd(x, False)), WIDE),
    "svd, whole": (
        lambda m, x: (lambda u, s, v: [s, u[..., :3] ** 2, v**2, (u @ u.mT).detach()])(*m.linalg.svd(x)),
        TALL,
    ),
    "svd in its older form": (
        lambda m, x: (lambda u, s, v: [s, u**2, v**2, u @ v.mT, *m.svd(x, compute_uv=False)])(*x.svd()),
        WIDE,
    ),
    "svdvals": (lambda m, x: [m.linalg.svdvals(x), m.linalg.svdvals(x.mT)], TALL),
}
SYSTEMS = {
    "inv": (lambda m, x: [m.linalg.inv(x), m.inverse(x), x.inverse()], STACK),
    "solve": (
        lambda m, x, b, v: [m.linalg.solve(x, b), m.linalg.solve(x, v), m.linalg.solve(x, b.mT, left=False), m.linalg.solve(x, x)],
        STACK,
        ROWS,
        VECTOR,
    ),
    "solve of vectors": (lambda m, x, b: [m.linalg.solve(x, b), m.linalg.solve(x[0], b[0])], apart(4, 3, 3), draw(4, 3)),
    "solve, broadcast": (lambda m, x, b: m.linalg.solve(x, b), STACK, COLUMN),
    "solve_triangular": (
        lambda m, x, b: [
            m.linalg.solve_triangular(x, b if left else b.mT, upper=upper, unitriangular=ones, left=left)
            for upper in (True, False)
            for ones in (True, False)
            for left in (True, False)
        ],
        STACK,
        ROWS,
    ),
    "pinv": (lambda m, x: [m.linalg.pinv(x), m.pinverse(x), x.mT.pinverse(), m.linalg.pinv(x, atol=0.1)], TALL),
    "pinv of rank 2": (lambda m, x: [m.linalg.pinv(x, rtol=1e-9), m.linalg.pinv(x.mT, rcond=1e-9)], DEFECTIVE),
    "pinv of symmetric matrices": (lambda m, x: m.linalg.pinv(symmetric(x), hermitian=True), SQUARE),
    "pinv of an identity": (lambda m, x: m.linalg.pinv(x), np.eye(4, 3)),
    "lstsq": (
        lambda m, x, b: [
            *m.linalg.lstsq(x, b)[::2],
            *m.linalg.lstsq(x, b, driver="gels")[1:],
            *m.linalg.lstsq(x.detach(), b, driver="gelsd"),
        ],
        TALL,
        draw(2, 4, 2),
    ),
    "residuals": (
        lambda m, x, b: [m.linalg.lstsq(x, b, driver="gels")[1], m.linalg.lstsq(x[0], b[0], driver="gels")[1]],
        TALL,
        draw(2, 4),
    ),
    "lstsq of wide matrices": (lambda m, x, b: m.linalg.lstsq(x, b), WIDE, draw(2, 3, 5)),
    "lstsq of vectors": (lambda m, x, b: [*m.linalg.lstsq(x, b), *m.linalg.lstsq(x[0], b[0], driver="gels")], WIDE, draw(2, 3)),
    "tensorinv": (
        lambda m, x: [m.linalg.tensorinv(x, ind=1), m.linalg.tensorinv(x.permute(1, 2, 0))],
        apart(6, 6).reshape(6, 2, 3),
    ),
    "tensorsolve": (
        lambda m, x, b: [m.linalg.tensorsolve(x, b), m.linalg.tensorsolve(x.permute(2, 0, 1), b, dims=(0, 2))],
        apart(6, 6).reshape(6, 2, 3),
        draw(6),
    ),
    "det": (lambda m, x: [m.linalg.det(x), m.det(x), x.det()], STACK),
    "slogdet": (lambda m, x: [*m.linalg.slogdet(x), *m.slogdet(-x), *x.slogdet()], STACK),
    "logdet": (lambda m, x: [m.logdet(x), x.logdet()], DEFINITE),
    "matrix_power": (lambda m, x: [m.linalg.matrix_power(x, n) for n in (1, 2, 5, -1, -3)] + [x.matrix_power(4)], STACK),
    "matrix_exp's neighbours": (lambda m, x: m.matrix_power(x, 0).detach(), STACK),
}
NORMS = {
    "vector_norm": (
        lambda m, x: (
            [m.linalg.vector_norm(x, p, 1) for p in (inf, -inf, 0, 0.5, 1, 1.5, 2, 3, -1, -2)]
            + [m.linalg.vector_norm(x), m.linalg.vector_norm(x, dim=(0, 1), keepdim=True), m.linalg.vector_norm(x, 3.5)]
        ),
        ROWS,
    ),
    "matrix_norm": (
        lambda m, x: (
            [m.linalg.matrix_norm(x, p) for p in ("fro", "nuc", inf, -inf, 1, -1, 2, -2)]
            + [m.linalg.matrix_norm(x, p, dim=(2, 0), keepdim=True) for p in ("fro", "nuc", inf, -inf, 1, -1, 2, -2)]
        ),
        TALL,
    ),
    "norm": (
        lambda m, x: [
            m.linalg.norm(x),
            m.linalg.norm(x, dim=1),
            m.linalg.norm(x, 3, dim=(1,), keepdim=True),
            m.linalg.norm(x, dim=(0, 1)),
            m.linalg.norm(x[0], "nuc"),
            m.linalg.norm(x[0], 1),
            m.linalg.norm(x[0, 0], 1),
            m.linalg.norm(x, inf, dim=(1, 2)),
            m.linalg.norm(x[0].detach().float(), dtype=m.float64),
        ],
        WIDE,
    ),
    "older norm": (
        lambda m, x: [m.norm(x), m.norm(x, "fro", dim=(0, 1)), m.norm(x, "nuc", dim=(1, 2)), x[0].norm("nuc"), x.norm(p=1, dim=0)],
        WIDE,
    ),
    "cond": (lambda m, x: [m.linalg.cond(x), *(m.linalg.cond(x[..., :2], p) for p in (None, 2, -2))], STACK),
    "vander": (lambda m, x: [m.linalg.vander(x), m.linalg.vander(x, N=4), m.linalg.vander(x[0])], ROWS),
    "vecdot": (lambda m, x, y: [m.linalg.vecdot(x, y), m.linalg.vecdot(x[:, 0], y[0], dim=0)], COLUMN, ROWS),
    "cross": (lambda m, x, y: [m.linalg.cross(x, y), m.linalg.cross(x.mT, y.mT, dim=1)], draw(4, 1, 3), draw(1, 2, 3)),
    "diagonal": (lambda m, x: [m.linalg.diagonal(x), m.linalg.diagonal(x, offset=1, dim1=0, dim2=1)], TALL),
    "matmul": (lambda m, x, y: m.linalg.matmul(x, y), TALL, ROWS),
}
ONCE_ONLY = {
    "logarithms of determinants below 1": (lambda m, x: [m.logdet(x), *m.slogdet(x)], np.array([[[-2.0]], [[2.0]]])),
    "singular values that are equal": (
        lambda m, x: [m.linalg.svdvals(x), m.linalg.matrix_norm(x, "nuc"), m.linalg.matrix_norm(x, 2)],
        np.diag([2.0, 2.0, 1.0])[:, [1, 2, 0]],
    ),
    "eigenvalues that are equal": (lambda m, x: m.linalg.eigvalsh(symmetric(x)), np.eye(3)),
    "norms at zero": (
        lambda m, x: [m.linalg.vector_norm(x, p) for p in (2, 1, 3, 1.5, 0.5, 0, inf, -inf)] + [m.linalg.matrix_norm(x), m.norm(x)],
        np.zeros((2, 2)),
    ),
    "norms with zeros": (
        lambda m, x: [m.linalg.vector_norm(x, p, 1) for p in (2, 1, 3, 1.5, 0.5, 0, inf, -1)],
        np.array([[1.0, 0.0, -2.0], [0.0, 0.0, 3.0]]),
    ),
    "norms with ties": (
        lambda m, x: [m.linalg.vector_norm(x, inf), m.linalg.vector_norm(x, -inf, 1), m.linalg.matrix_norm(x, 1)],
        np.array([[2.0, -2.0], [-2.0, 1.0]]),
    ),
    "norms of float32 in float64": (lambda m, x: m.linalg.vector_norm(x.detach(), dtype=m.float64), ROWS.astype(np.float32)),
    "rank": (
        lambda m, x, y: [
            m.linalg.matrix_rank(x),
            m.linalg.matrix_rank(x.detach(), atol=1.5),
            m.linalg.matrix_rank(x, rtol=0.5),
            m.linalg.matrix_rank(x, tol=0.5),
            m.linalg.matrix_rank(y),
            m.linalg.matrix_rank(y[:3], hermitian=True),
            m.linalg.matrix_rank(x[:, :0]),
        ],
        TALL,
        DEFECTIVE,
    ),
    "condition in other norms": (
        lambda m, x: [m.linalg.cond(x.detach(), p) for p in ("fro", "nuc", 1, -1, inf, -inf)],
        np.stack([SQUARE, ONE_LOW + 1e-3 * np.eye(3)]),
    ),
    "condition of singular matrices": (
        lambda m, x: [m.linalg.cond(x.detach(), p) for p in (1, -1, inf, "fro")],
        np.stack([SQUARE, ONE_LOW]),
    ),
    "integers": (lambda m, x: [m.matrix_power(x, 3), m.linalg.vander(x[0])], np.array([[1, 2], [3, 4]])),
    "empty": (
        lambda m, x: [
            *m.linalg.qr(x), m.linalg.svdvals(x), *m.linalg.svd(x), m.linalg.pinv(x), m.linalg.inv(x[:, :0]),
            m.linalg.det(x[:, :0]), *m.linalg.slogdet(x[:, :0]), m.linalg.cholesky(x[:, :0]), m.linalg.eigvalsh(x[:, :0]),
            m.linalg.solve(x[:, :0], x), m.linalg.matrix_norm(x), m.linalg.matrix_norm(x, "nuc"), m.linalg.vector_norm(x),
            m.linalg.matrix_power(x[:, :0], 2), *m.linalg.lstsq(x, x)[:2],
        ],
        np.zeros((0, 3)),
    ),
    "no matrices": (
        lambda m, x: [m.linalg.inv(x), m.linalg.det(x), m.linalg.cholesky(x), m.linalg.svdvals(x), m.linalg.solve(x, x)],
        np.zeros((0, 2, 2)),
    ),
    "float32": (
        lambda m, x: [m.linalg.inv(x), m.linalg.det(x), m.linalg.pinv(x), m.linalg.svdvals(x), *m.linalg.qr(x), m.linalg.cond(x)],
        np.diag([1.0, 2.0, 4.0]).astype(np.float32),
    ),
}  # fmt: skip
CASES = FACTORS | SYSTEMS | NORMS


@pytest.mark.parametrize("case", CASES | ONCE_ONLY)
def test_results_and_derivatives_are_pytorchs(case: str) -> None:
    function, *arrays = (CASES | ONCE_ONLY)[case]
    agree(function, *arrays, second=case in CASES, rtol=1e-5 if case == "float32" else 1e-8)


# --- determinants of singular matrices, of which PyTorch has some cofactors as 0 ---------------------------------------------


def cofactors(x: Any) -> Any:
    n = x.shape[-1]
    minor = [[np.delete(np.delete(x, i, -2), j, -1) for j in range(n)] for i in range(n)]
    return np.array([[(-1.0) ** (i + j) * np.linalg.det(minor[i][j]) for j in range(n)] for i in range(n)])


@settings(max_examples=30)
@given(st.integers(0, 20), st.integers(1, 4), st.integers(0, 3))
def test_the_derivative_of_the_determinant_is_the_cofactors_whatever_the_rank(seed: int, n: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-2, 3, (n, min(rank, n))) @ rng.integers(-2, 3, (min(rank, n), n)) * 1.0
    x = ad.tensor(np.stack([matrix, np.eye(n)]), requires_grad=True)
    ad.linalg.det(x).sum().backward()
    assert_close(x.grad, np.stack([cofactors(matrix), np.eye(n)]), atol=1e-9)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, 0.0, 0.0]])
def test_second_derivatives_of_the_determinant_are_refused_where_they_are_not_known(values: list[float]) -> None:
    x = ad.diag(ad.tensor(values))
    assert ad.grad(ad.linalg.det)(x).tolist() == np.zeros((len(values),) * 2).tolist()
    with pytest.raises(LinAlgError, match="second derivative"):
        ad.hessian(ad.linalg.det)(x)


@pytest.mark.parametrize("values", [[1.0, 2.0, 0.0], [1.0, 1.0, 1.0], [2.0, 0.0]])
def test_the_determinant_has_second_derivatives_at_singular_matrices_and_at_the_identity(values: list[float]) -> None:
    check_gradients(ad.linalg.det, ad.tensor(np.diag(values)))


# --- properties --------------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(0, 4), st.integers(0, 4), st.sampled_from([(), (2,), (2, 1)]))
def test_factors_multiply_to_the_matrix_and_vectors_are_orthonormal(seed: int, m: int, n: int, batch: Any) -> None:
    a = ad.tensor(np.random.default_rng(seed).normal(size=(*batch, m, n)))
    k = min(m, n)
    for full in (False, True):
        u, s, vh = ad.linalg.svd(a, full_matrices=full)
        assert_close((u[..., :k] * s[..., None, :]) @ vh[..., :k, :], a)
        q, r = ad.linalg.qr(a, "complete" if full else "reduced")
        assert_close(q @ r, a)
        assert_close(ad.triu(r), r)
        for columns in (u, vh.mT, q):
            assert_close(columns.mT @ columns, ad.eye(columns.shape[-1]).double().expand(*batch, -1, -1))
    w, v = ad.linalg.eigh(a @ a.mT)
    assert_close((v * w[..., None, :]) @ v.mT, a @ a.mT)
    p = ad.linalg.pinv(a)
    assert_close(a @ p @ a, a)
    assert_close(p @ a @ p, p)


@pytest.mark.parametrize("p", ["fro", "nuc", 1, -1, inf, -inf])
def test_the_condition_has_derivatives_in_every_norm(p: Any) -> None:
    check_gradients(lambda x: ad.linalg.cond(x, p), ad.tensor(SQUARE))


def test_code_for_the_standards_linalg_runs_on_tensors() -> None:
    a = ad.tensor(STACK)
    xp = a.__array_namespace__()
    assert_close(xp.linalg.svd(a, full_matrices=False).S, xp.linalg.svdvals(a))
    assert_close(xp.linalg.inv(a) @ a, xp.eye(3, dtype=xp.float64).to(a.device).expand(2, 1, 3, 3))


def test_qr_and_svd_keep_pytorchs_older_forms() -> None:
    a = ad.tensor(TALL)
    assert [x.shape for x in ad.qr(a)] == [(2, 4, 3), (2, 3, 3)]
    assert [x.shape for x in a.qr(some=False)] == [(2, 4, 4), (2, 4, 3)]
    assert [x.shape for x in ad.svd(a)] == [(2, 4, 3), (2, 3), (2, 3, 3)]
    assert [x.shape for x in a.svd(some=False)] == [(2, 4, 4), (2, 3), (2, 3, 3)]


def test_what_depends_on_vectors_of_equal_values_has_no_derivative() -> None:
    x = ad.eye(3, dtype="float64", requires_grad=True)
    with x.backend.suppress_warnings():
        (ad.linalg.eigh(x).eigenvectors * ad.tensor(STACK[0, 0])).sum().backward()
    assert not x.grad.isfinite().all()


# --- mistakes ----------------------------------------------------------------------------------------------------------------

REFUSED = {
    "inverse of a singular matrix": (lambda x: ad.linalg.inv(x * 0), "inv: a matrix is singular"),
    "inverse among others": (lambda x: ad.linalg.inv(ad.stack([x, x * 0])), "inv: a matrix is singular.*pinv.*\\(2, 3, 3\\)"),
    "solving with a singular matrix": (lambda x: ad.linalg.solve(x * 0, x), "solve: a matrix is singular.*lstsq"),
    "solving with a singular triangle": (lambda x: ad.linalg.solve_triangular(x * 0, x, upper=True), "solve"),
    "root of an indefinite matrix": (lambda x: ad.linalg.cholesky(-(x @ x.mT)), "cholesky: a matrix is not positive definite"),
    "singular values of NaN": (lambda x: ad.linalg.svdvals(x * float("nan")), "svd: there is inf or NaN.*isfinite"),
    "singular values of an infinity": (lambda x: ad.linalg.pinv(x + float("inf")), "pinv: there is inf or NaN"),
    "eigenvalues of NaN": (lambda x: ad.linalg.eigvalsh(x * float("nan")), "eigh: there is inf or NaN"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_matrices_without_what_is_asked_for_are_refused(case: str, backend: Backend) -> None:
    if backend.name == "cupy":
        pytest.skip("CuPy does not wait for the GPU to know; the docs say so")
    function, message = REFUSED[case]
    with pytest.raises(LinAlgError, match=message) as caught:
        function(ad.tensor(SQUARE))
    assert isinstance(caught.value, RuntimeError)  # as torch.linalg.LinAlgError is
    assert isinstance(caught.value, ValueError)


MISTAKES = {
    "a vector": (lambda x: ad.linalg.svd(x[0]), "svd: takes matrices, of at least 2 axes, not shape \\(3,\\)"),
    "a rectangle": (lambda x: ad.linalg.inv(x[:2]), "inv: takes square matrices, not shape \\(2, 3\\)"),
    "a rectangle's determinant": (lambda x: ad.linalg.det(x[:2]), "det: takes square"),
    "a rectangle's power": (lambda x: ad.linalg.matrix_power(x[:2], 2), "matrix_power: takes square"),
    "a rectangle's condition": (lambda x: ad.linalg.cond(x[:2], "fro"), "cond: takes square"),
    "solve of other lengths": (lambda x: ad.linalg.solve(x, x[:2]), "solve: shapes .* do not match for A X = B"),
    "solve from the right": (lambda x: ad.linalg.solve(x, x[0], left=False), "solve: X A = B takes matrices"),
    "solve_triangular of other lengths": (lambda x: ad.linalg.solve_triangular(x, x[:2], upper=True), "do not match"),
    "lstsq of other lengths": (lambda x: ad.linalg.lstsq(x, x[:2]), "lstsq: shapes"),
    "lstsq by another driver": (lambda x: ad.linalg.lstsq(x, x, driver="qr"), "lstsq: driver"),
    "another mode": (lambda x: ad.linalg.qr(x, "full"), "qr: mode is 'reduced', 'complete' or 'r'"),
    "another triangle": (lambda x: ad.linalg.eigh(x, "l"), "eigh: UPLO is 'L' or 'U'"),
    "another norm": (lambda x: ad.linalg.matrix_norm(x, 3), "matrix_norm: ord is"),
    "one axis twice": (lambda x: ad.linalg.matrix_norm(x, dim=(0, -2)), "matrix_norm.*two axes"),
    "order of three axes": (lambda x: ad.linalg.norm(x[None], 2), "norm: of order 2"),
    "fro of a vector": (lambda x: ad.linalg.norm(x[0], "fro"), "norm: of order 'fro'"),
    "tensorinv of a rectangle": (lambda x: ad.linalg.tensorinv(x, 2), "tensorinv"),
    "tensorinv of nothing": (lambda x: ad.linalg.tensorinv(x, 0), "tensorinv: ind"),
    "tensorsolve of a rectangle": (lambda x: ad.linalg.tensorsolve(x, x), "tensorsolve"),
    "powers of a number": (lambda x: ad.linalg.vander(x[0, 0]), "vander"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named(mistake: str) -> None:
    function, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        function(ad.tensor(SQUARE))


def test_dtypes_that_can_not_be_factored_are_refused(backend: Any) -> None:
    functions = [ad.linalg.inv, ad.linalg.cholesky, ad.linalg.qr, ad.linalg.svd, ad.linalg.eigh, ad.linalg.det, ad.linalg.pinv]
    for dtype in ("int64", "float16"):
        if hasattr(backend.xp, dtype):
            for function in functions:
                with pytest.raises(TypeError, match=rf"{function.__name__}: takes float32 or float64, not adjoint.{dtype}"):
                    function(ad.eye(2, dtype=dtype))
    with pytest.raises(TypeError, match="vector_norm"):
        ad.linalg.vector_norm(ad.ones(2).long())


def test_the_derivative_of_a_completed_basis_is_refused() -> None:
    q = ad.linalg.qr(ad.tensor(TALL, requires_grad=True), "complete").Q
    with pytest.raises(GraphError, match="mode='reduced'"):
        q.sum().backward()


def test_every_name_of_pytorchs_namespace_that_is_meant_to_be_there_is() -> None:
    names = (
        "cholesky cond cross det diagonal eigh eigvalsh inv lstsq matmul matrix_norm matrix_power matrix_rank multi_dot norm pinv "
        "qr slogdet solve solve_triangular svd svdvals tensorinv tensorsolve vander vecdot vector_norm"
    )
    for name in names.split():
        assert hasattr(torch.linalg, name)
        assert hasattr(ad.linalg, name)
