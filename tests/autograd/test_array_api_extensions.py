"""What the differentiable namespace adds to the standard (whose calls test_array_api.py compares), and code written to it."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import adjoint as ad
from adjoint.backends import Backend

xp = ad.autograd.namespace.xp
X = np.array([[1.5, -2.0, 0.25], [3.0, -0.5, 4.0]])
TIED = np.array([[3, 1, 3], [0, 1, 2]])


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
