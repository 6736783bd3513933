"""The differentiable namespace is the Array API standard's, in names, arguments and values; code written to it has gradients."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import array_api_strict
import numpy as np
import pytest

import adjoint as ad
from adjoint.backends import Backend

from .oracle import to_numpy

xp = ad.autograd.namespace.xp
X = np.array([[1.5, -2.0, 0.25], [3.0, -0.5, 4.0]])
TIED = np.array([[3, 1, 3], [0, 1, 2]])
V = np.array([2.0, -1.0, 0.5])

#: What the standard has and tensors can not: other dtypes, Fourier transforms, and the strict library's own names.
ABSENT = set("fft uint16 uint32 uint64 complex64 complex128 imag nextafter Device ArrayAPIStrictFlags".split())

#: The same call on NumPy's namespace and on ours, each with its own arrays.
CALLS: dict[str, Any] = {
    "argsort": lambda n, x, i: [n.argsort(i, axis=0, stable=True), n.argsort(x), n.argsort(x, axis=-1)],
    "sort": lambda n, x, i: [n.sort(x, axis=0), n.sort(i)],
    "reduced": lambda n, x, i: [
        n.sum(x, axis=0, keepdims=True), n.sum(i, axis=(0, 1)), n.prod(x, axis=1), n.prod(i, keepdims=True),
        n.mean(x, axis=(0, 1)),
        n.max(x, axis=0), n.min(i), n.all(i, axis=1), n.any(x > 3, axis=(0, 1), keepdims=True), n.sum(x, axis=()),
    ],
    "in a dtype": lambda n, x, i: [
        n.sum(i, dtype=n.float64), n.prod(i, dtype=n.float64), n.cumulative_sum(i[0], dtype=n.float64)
    ],
    "moments": lambda n, x, i: [
        n.var(x), n.var(x, axis=1, correction=1), n.std(x, axis=(0, 1), keepdims=True), n.std(x, correction=1)
    ],
    "counted": lambda n, x, i: [n.count_nonzero(i, axis=1), n.count_nonzero(i), n.count_nonzero(x, axis=0, keepdims=True)],
    "running": lambda n, x, i: [
        n.cumulative_sum(x, axis=1, include_initial=True), n.cumulative_prod(x, axis=0), n.cumulative_sum(i, axis=-1),
        n.cumulative_prod(x[0], include_initial=True), n.diff(x), n.diff(x, axis=0, n=1), n.diff(x, n=2, prepend=x, append=x),
    ],
    "arranged": lambda n, x, i: [
        n.concat([x, x], axis=0), n.concat([x, x[0, :]], axis=None), n.stack([x, x], axis=-1), n.reshape(x, (3, -1), copy=True),
        n.permute_dims(x, (1, 0)), n.moveaxis(x, 0, 1), n.repeat(x, 2), n.repeat(x, 2, axis=1), n.tile(x, (2, 1)),
        *n.unstack(x, axis=1),
        n.flip(x), n.roll(x, 1, axis=(0,)), n.expand_dims(x, axis=1), n.squeeze(x[:1, :], axis=0), n.tril(x, k=-1), n.triu(x),
        n.broadcast_to(x[:1, :], (4, 3)), *n.broadcast_arrays(x, x[:1, :]), *n.meshgrid(x[0, :], x[:, 0]),
        *n.meshgrid(x[0, :], x[:, 0], indexing="ij"), n.matrix_transpose(x),
    ],
    "picked": lambda n, x, i: [
        n.take(x, n.asarray([1, 0]), axis=0), n.take(x[0], n.asarray([2, 2])),
        n.take_along_axis(x, n.argsort(x, axis=1), axis=1), *n.nonzero(i), n.where(x > 0, x, 0.0), n.clip(x, -1.0, 2.0),
        n.clip(x, min=0.0), n.clip(x), n.searchsorted(n.sort(x[0]), x),
        n.searchsorted(x[0], x[1], side="right", sorter=n.argsort(x[0])),
    ],
    "sets": lambda n, x, i: [
        n.sort(n.unique_values(i)), *n.unique_all(i), *n.unique_counts(i), *n.unique_inverse(i), n.isin(i, n.asarray([1, 2])),
        n.isin(i, n.asarray([1, 2]), invert=True), n.isin(i, n.asarray([], dtype=n.int64)),
    ],
    "products": lambda n, x, i: [
        n.matmul(x, x.T), n.matmul(x, x[0, :]), n.tensordot(x, x.T, axes=1), n.tensordot(x, x, axes=((0, 1), (0, 1))),
        n.tensordot(x, x, axes=0), n.vecdot(x, x), n.vecdot(x, x[:1, :], axis=-1),
    ],
    "linalg": lambda n, x, i: [
        n.linalg.det(x @ x.T), n.linalg.inv(x @ x.T), n.linalg.cholesky(x @ x.T), n.linalg.solve(x @ x.T, x),
        n.linalg.svdvals(x), n.linalg.matrix_norm(x, ord=1),
        n.linalg.pinv(x), n.linalg.pinv(x, rtol=0.5), n.linalg.matrix_rank(x), n.linalg.matrix_norm(x),
        n.linalg.vector_norm(x), n.linalg.vector_norm(x, axis=1, keepdims=True, ord=1), n.linalg.trace(x, offset=1),
        n.linalg.diagonal(x, offset=1), n.linalg.cross(x, 2 * x + 1), n.linalg.outer(x[0, :], x[1, :]), n.linalg.vecdot(x, x),
        n.linalg.tensordot(x, x.T, axes=1), n.linalg.matmul(x, x.T), n.linalg.matrix_transpose(x), n.linalg.eigvalsh(x @ x.T),
        n.linalg.matrix_power(x @ x.T, 2), *n.linalg.slogdet(x @ x.T), n.linalg.eigh(x @ x.T).eigenvalues,
    ],
    "elementwise": lambda n, x, i: [
        n.signbit(x), n.signbit(x * 0.0), n.positive(x), n.reciprocal(x), n.real(x), n.conj(x), n.round(x),
        n.hypot(x, 2.0), n.copysign(x, -x),
        n.logaddexp(x, x), n.atan2(x, x), n.floor_divide(x, 0.5), n.remainder(x, 0.7), n.bitwise_left_shift(i, i),
        n.bitwise_right_shift(i, 1), n.bitwise_invert(i), n.pow(i, 2), n.isfinite(x), n.not_equal(i, 3), n.sign(x), n.square(i),
    ],
    "made": lambda n, x, i: [
        n.zeros((2, 0)), n.ones(3, dtype=n.int64), n.full((2,), 7), n.arange(5),
        n.arange(1.0, 2.0, 0.25, dtype=n.float64), n.eye(2, 4, k=1),
        n.eye(3, k=-1), n.linspace(0.0, 1.0, 5, endpoint=False), n.linspace(0.0, 1.0, 5), n.zeros_like(i),
        n.ones_like(x, dtype=n.int32),
        n.full_like(x, 2.0), n.asarray([[1, 2]]), n.asarray(x, dtype=n.float32, copy=True), n.astype(i, n.float64),
        n.empty_like(x) * 0,
    ],
}  # fmt: skip


def test_every_name_of_the_standard_is_there() -> None:
    names = {name for name in array_api_strict.__all__ if not name.startswith(("_", "set_", "get_", "reset_"))}
    assert not {name for name in names - ABSENT if not hasattr(xp, name)}
    assert not {name for name in array_api_strict.linalg.__all__ if not hasattr(xp.linalg, name)}


@pytest.mark.parametrize("calls", CALLS)
def test_values_are_numpys(calls: str, backend: Backend) -> None:
    ours, theirs = CALLS[calls](xp, ad.tensor(X), ad.tensor(TIED)), CALLS[calls](np, X, TIED)
    assert len(ours) == len(theirs)
    for position, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.shape == b.shape, position
        np.testing.assert_allclose(to_numpy(a), b, rtol=1e-6, err_msg=str(position))


def test_dtypes_tell_their_kind_range_and_what_they_promote_to() -> None:
    assert xp.isdtype(xp.float32, "real floating")
    assert xp.isdtype(xp.int8, ("bool", "integral"))
    assert xp.isdtype(xp.uint8, xp.uint8)
    assert not xp.isdtype(xp.bool, "numeric")
    assert xp.result_type(ad.ones(2), xp.float64, 1) is ad.float64
    assert xp.result_type(ad.ones(2, dtype=int), 1.5) is ad.float32
    assert xp.result_type(ad.ones(2), ad.ones((), dtype="float64")) is ad.float32
    assert xp.can_cast(xp.int8, xp.int32)
    assert not xp.can_cast(ad.ones(2), xp.int64)
    assert not xp.can_cast(xp.int64, xp.uint64)
    for name in ("float16", "float32", "float64"):
        ours, theirs = xp.finfo(getattr(ad, name)), np.finfo(name)
        assert (ours.eps, ours.max, ours.min, ours.tiny) == (theirs.eps, theirs.max, theirs.min, theirs.smallest_normal)
    for name in ("int8", "uint8", "int64"):
        assert xp.iinfo(ad.zeros(1, dtype=name))[:3] == (np.iinfo(name).bits, np.iinfo(name).max, np.iinfo(name).min)
    with pytest.raises(TypeError, match="finfo"):
        ad.finfo(ad.int64)
    with pytest.raises(TypeError, match="iinfo"):
        ad.iinfo(ad.float32)
    with pytest.raises(ValueError, match="'real'"):
        xp.isdtype(xp.int8, "real")
    with pytest.raises(ValueError, match="at least one"):
        xp.result_type()


def test_the_namespace_tells_what_it_has(backend: Backend) -> None:
    info = xp.__array_namespace_info__()
    assert info.default_device() == backend.device
    assert "cpu" in info.devices()
    assert info.default_dtypes()["real floating"] is ad.float32
    assert set(info.dtypes(kind="unsigned integer")) == {"uint8", "uint16", "uint32", "uint64"}
    assert info.dtypes(device="cpu")["bool"] is ad.bool_
    assert info.capabilities()["boolean indexing"]


def test_a_tensor_has_the_standards_attributes(backend: Backend) -> None:
    x = ad.tensor(X)
    assert x.__array_namespace__(api_version="2024.12") is xp
    assert x.to_device(x.device) is x
    assert x.T.shape == x.mT.shape == (3, 2)
    i = ad.tensor(TIED)
    assert ((i << 2) >> 1).tolist() == (TIED * 2).tolist()
    assert (2 << i).tolist() == (2 << TIED).tolist()
    assert (64 >> i).tolist() == (64 >> TIED).tolist()
    for operator in ("|=", "&=", "^=", "<<=", ">>=", "//=", "%="):
        scope = {"a": ad.tensor(TIED), "b": np.array(TIED)}
        scope["same"] = scope["a"]
        exec(f"a {operator} 3; b {operator} 3", scope)
        assert scope["a"] is scope["same"]
        assert scope["a"].tolist() == scope["b"].tolist(), operator


def test_asarray_shares_copies_or_refuses() -> None:
    x = ad.tensor(X, requires_grad=True)
    assert xp.asarray(x) is x
    assert xp.asarray(x, copy=True).requires_grad
    assert xp.asarray(x, copy=True) is not x
    array = np.ones(2)
    shared = xp.asarray(array, copy=False)
    array[0] = 5.0
    assert shared.tolist() == [5.0, 1.0]
    with pytest.raises(ValueError, match="copy=False"):
        xp.asarray([1.0], copy=False)
    with pytest.raises(ValueError, match="copy=False"):
        xp.asarray(x, dtype=xp.float32, copy=False)


@pytest.mark.usefixtures("backend")
def test_astype_copies_unless_told_otherwise() -> None:
    x = ad.tensor(X)
    assert xp.astype(x, x.dtype) is not x
    assert xp.astype(x, x.dtype, copy=False) is x


def test_a_running_sum_of_a_matrix_needs_its_axis() -> None:
    with pytest.raises(ValueError, match="cumulative_sum: the axis"):
        xp.cumulative_sum(ad.ones(2, 2))


# --- code that others wrote to the standard ----------------------------------------------------------------------------------


def test_array_api_compat_finds_the_namespace() -> None:
    compat = pytest.importorskip("scipy._lib.array_api_compat", reason="SciPy brings array-api-compat along")
    x = ad.tensor(X)
    assert compat.array_namespace(x) is xp
    assert compat.size(x) == 6
    assert compat.device(x) == "cpu"
    assert compat.to_device(x, "cpu") is x


SCIPY = """
import importlib
import numpy as np, adjoint as ad
x = np.array([[0.3, 1.5, 0.7], [2.0, 0.1, 0.4]])
for path, call in {
    "scipy.integrate.cumulative_trapezoid": lambda f, a: f(a * a),
    "scipy.stats.gmean": lambda f, a: f(a),
    "scipy.stats.skew": lambda f, a: f(a, axis=1),
    "scipy.stats.kurtosis": lambda f, a: f(a),
    "scipy.special.logsumexp": lambda f, a: f(a, axis=0),
    "scipy.special.softmax": lambda f, a: f(a, axis=1),
    "scipy.cluster.vq.whiten": lambda f, a: f(a),
}.items():
    module, _, name = path.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    t = ad.tensor(x, requires_grad=True)
    y = call(function, t)
    assert isinstance(y, ad.Tensor), path
    np.testing.assert_allclose(y.detach().numpy(), call(function, x), rtol=1e-12, err_msg=path)
    weights = np.cos(np.arange(y.numel())).reshape(y.shape)
    (y * weights).sum().backward()
    for i in range(x.size):
        step = np.zeros_like(x)
        step.flat[i] = 1e-5
        slope = ((call(function, x + step) - call(function, x - step)) * weights).sum() / 2e-5
        np.testing.assert_allclose(t.grad.numpy().flat[i], slope, rtol=1e-6, atol=1e-8, err_msg=path)
print("differentiated")

import sklearn
from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel
from sklearn.preprocessing import MinMaxScaler
with sklearn.config_context(array_api_dispatch=True):
    for function in (MinMaxScaler().fit_transform, euclidean_distances, rbf_kernel):
        np.testing.assert_allclose(function(ad.tensor(x)).numpy(), function(x), rtol=1e-12)
        ad.testing.check_gradients(function, ad.tensor(x))
print("scikit-learn too")
"""


def test_scipys_and_scikit_learns_functions_of_any_array_are_differentiated() -> None:
    asked = os.environ | {"SCIPY_ARRAY_API": "1"}  # which SciPy reads once, when it is imported
    done = subprocess.run([sys.executable, "-c", SCIPY], env=asked, capture_output=True, text=True, timeout=120)
    assert done.stdout == "differentiated\nscikit-learn too\n", done.stderr


def test_einops_rearranges_tensors() -> None:
    einops = pytest.importorskip("einops.array_api", reason="einops is in the dev extra")
    x = ad.tensor(np.arange(24.0).reshape(2, 3, 4), requires_grad=True)
    y = einops.rearrange(x, "a b (c d) -> (a d) c b", d=2)
    assert (y.shape, y.requires_grad) == ((4, 2, 3), True)
    np.testing.assert_array_equal(y.detach().numpy(), np.arange(24.0).reshape(2, 3, 2, 2).transpose(0, 3, 2, 1).reshape(4, 2, 3))
    einops.reduce(x, "a b c -> b", "mean").sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == np.full((2, 3, 4), 1 / 8).tolist()
    assert einops.repeat(x, "a b c -> a b c e", e=2).shape == (2, 3, 4, 2)
    assert einops.pack([x, x[:, 0]], "a * c")[0].shape == (2, 4, 4)
