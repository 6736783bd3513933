"""Normalizations: PyTorch's values, gradients, second derivatives, running statistics and state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from autograd.oracle import needs_pytorch
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(0)


def drawn(*shape: int) -> Any:
    return RNG.normal(size=shape) * 2 + 1


FUNCTIONS: dict[str, tuple[Any, tuple[tuple[int, ...], ...]]] = {
    "layer": (lambda F, x, w, b: F.layer_norm(x, (4, 3), w, b, 0.01), ((2, 4, 3), (4, 3), (4, 3))),
    "layer without bias": (lambda F, x, w: F.layer_norm(x, (3,), w), ((2, 4, 3), (3,))),
    "layer plain": (lambda F, x: F.layer_norm(x, [3]), ((5, 3),)),
    "group": (lambda F, x, w, b: F.group_norm(x, 2, w, b, 0.01), ((2, 4, 3), (4,), (4,))),
    "group of images": (lambda F, x: F.group_norm(x, 3), ((2, 6, 2, 3),)),
    "group of rows": (lambda F, x: F.group_norm(x, 2), ((3, 4),)),
    "instance": (lambda F, x, w, b: F.instance_norm(x, weight=w, bias=b, eps=0.01), ((2, 3, 4), (3,), (3,))),
    "instance of images": (lambda F, x: F.instance_norm(x), ((2, 2, 2, 3),)),
    "batch": (lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True, eps=0.01), ((5, 3), (3,), (3,))),
    "batch of images": (lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True), ((2, 3, 2, 2), (3,), (3,))),
    "batch without bias": (lambda F, x, w: F.batch_norm(x, None, None, w, None, True), ((2, 3, 4), (3,))),
    "rms": (lambda F, x, w: F.rms_norm(x, (3,), w, 0.01), ((2, 4, 3), (3,))),
    "rms plain": (lambda F, x: F.rms_norm(x, (4, 3)), ((2, 4, 3),)),
    "local response": (lambda F, x: F.local_response_norm(x, 3, 0.5, 0.75, 2.0), ((2, 5, 4),)),
    "local response of an even size": (lambda F, x: F.local_response_norm(x, 2), ((2, 3, 2, 2),)),
    "local response of all channels": (lambda F, x: F.local_response_norm(x, 7, 0.1), ((1, 2, 2),)),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_a_normalization_is_pytorchs_to_the_second_derivative(case: str) -> None:
    function, shapes = FUNCTIONS[case]
    check_like_torch(lambda *a: function(F, *a), lambda *a: function(TF, *a), *(drawn(*s) for s in shapes), atol=1e-9)


@settings(max_examples=15)
@given(shape=array_shapes(min_dims=2, max_dims=5, min_side=1, max_side=3), affine=st.booleans(), training=st.booleans())
def test_batch_norm_of_any_shape_is_pytorchs(shape: Any, affine: bool, training: bool) -> None:
    x, channels = drawn(2, *shape), shape[0]
    mean, var, weight, bias = drawn(channels), drawn(channels) ** 2, drawn(channels), drawn(channels)

    def applied(library: Any, functions: Any, x: Any, *affine: Any) -> Any:
        return functions.batch_norm(x, library.tensor(mean), library.tensor(var), *affine, training=training, eps=0.1)

    arrays = (x, weight, bias) if affine else (x,)
    check_like_torch(lambda *a: applied(ad, F, *a), lambda *a: applied(torch, TF, *a), *arrays, atol=1e-9)


def of_both(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    """Our module and PyTorch's, in float64 with the same random weights, moved from the one to the other by state_dict."""
    ours, theirs = getattr(nn, name)(*args, **kwargs).double(), getattr(torch.nn, name)(*args, **kwargs).double()
    assert repr(ours) == repr(theirs)
    assert {n: (tuple(v.shape), str(v.dtype).split(".")[-1]) for n, v in ours.state_dict().items()} == {
        n: (tuple(v.shape), str(v.dtype).split(".")[-1]) for n, v in theirs.state_dict().items()
    }
    for n, v in theirs.state_dict().items():
        np.testing.assert_array_equal(values(ours.state_dict()[n]), values(v), err_msg=n)  # the initial values
    with torch.no_grad():
        for p in theirs.parameters():
            p.copy_(torch.tensor(drawn(*p.shape)))
    ours.load_state_dict({n: v.numpy() for n, v in theirs.state_dict().items()})
    return ours, theirs


MODULES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("BatchNorm1d", (3,), {}, (4, 3)),
    ("BatchNorm1d", (3, 0.1, 0.3), {"bias": False}, (4, 3, 2)),
    ("BatchNorm2d", (3,), {"momentum": None}, (4, 3, 2, 1)),
    ("BatchNorm2d", (3,), {"affine": False, "track_running_stats": False}, (4, 3, 2, 1)),
    ("BatchNorm3d", (2,), {"affine": False}, (2, 2, 1, 2, 2)),
    ("InstanceNorm1d", (3,), {}, (2, 3, 4)),
    ("InstanceNorm1d", (3,), {"affine": True, "track_running_stats": True}, (3, 4)),
    ("InstanceNorm2d", (3,), {"track_running_stats": True, "momentum": 0.4}, (2, 3, 2, 2)),
    ("InstanceNorm3d", (2,), {"affine": True}, (2, 1, 2, 2)),
    ("LayerNorm", (4,), {}, (2, 4)),
    ("LayerNorm", ([2, 3],), {"bias": False}, (4, 2, 3)),
    ("LayerNorm", (4,), {"elementwise_affine": False}, (2, 4)),
    ("GroupNorm", (2, 4), {}, (2, 4, 3)),
    ("GroupNorm", (2, 4), {"affine": False}, (2, 4)),
    ("GroupNorm", (2, 4), {"bias": False}, (2, 4)),
    ("RMSNorm", (3,), {}, (2, 3)),
    ("RMSNorm", ((2, 3), 0.1), {"elementwise_affine": False}, (2, 3)),
    ("LocalResponseNorm", (3,), {"alpha": 0.1}, (2, 4, 3)),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), MODULES)
def test_a_normalizing_layer_trains_and_evaluates_as_pytorchs(name: str, args: Any, kwargs: Any, shape: Any) -> None:
    needs_pytorch("2.13")  # whose norms take bias
    ours, theirs = of_both(name, *args, **kwargs)
    for step in range(5):
        if step == 3:
            ours.eval(), theirs.eval()
        x = drawn(*shape)
        a, b = ad.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
        out, wanted = ours(a), theirs(b)
        np.testing.assert_allclose(values(out), values(wanted), 1e-9, 1e-9)
        (out * out * out).sum().backward()
        (wanted**3).sum().backward()
        for p, q in zip((a, *ours.parameters()), (b, *theirs.parameters()), strict=True):
            np.testing.assert_allclose(values(p.grad), values(q.grad), 1e-8, 1e-8)
        for n, v in theirs.state_dict().items():
            np.testing.assert_allclose(values(ours.state_dict()[n]), values(v), 1e-10, err_msg=n)
    theirs.load_state_dict({n: torch.tensor(values(v)) for n, v in ours.state_dict().items()})


def test_running_statistics_start_again_when_they_are_reset() -> None:
    layer = nn.BatchNorm1d(2)
    layer(ad.tensor(drawn(4, 2)).float())
    nn.init.zeros_(layer.weight)
    layer.reset_parameters()
    assert {n: v.tolist() for n, v in layer.state_dict().items()} == {
        n: v.tolist() for n, v in torch.nn.BatchNorm1d(2).state_dict().items()
    }


def test_half_precision_is_summed_in_float32() -> None:
    if not hasattr(ad.backends.default().xp, "float16"):
        pytest.skip("the standard has no float16")
    x = (RNG.normal(size=(8, 3000)) * 20 + 60).astype(np.float16)  # its squares' sums are beyond float16
    weight = RNG.normal(size=3000).astype(np.float16)
    for name, args in (("layer_norm", ((3000,),)), ("rms_norm", ((3000,),)), ("batch_norm", (None, None))):
        extra = {"training": True} if name == "batch_norm" else {}
        found = []
        for library, functions, dtype in ((ad, F, np.float16), (torch, TF, np.float64)):
            t, w = library.tensor(x.astype(dtype), requires_grad=True), library.tensor(weight.astype(dtype))
            out = getattr(functions, name)(t, *args, weight=w, **extra)
            (out * w).sum().backward()
            found.append((out, t.grad))
        (ours, slope), (exact, exact_slope) = found
        assert ours.dtype is slope.dtype is ad.float16
        np.testing.assert_allclose(values(ours), values(exact), 2e-3, 1e-3)
        np.testing.assert_allclose(values(slope), values(exact_slope), 1e-2, 1e-3)
    layer = nn.BatchNorm1d(3000)
    layer(ad.tensor(x))
    assert layer.running_mean is not None
    np.testing.assert_allclose(values(layer.running_mean), 0.1 * x.astype(np.float64).mean(0), 1e-5)


def test_a_large_mean_does_not_drown_the_deviation() -> None:
    x = np.asarray(drawn(16, 2) + 1e4, np.float32)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(0)) / np.sqrt(exact.var(0) + 1e-5)
    np.testing.assert_allclose(values(F.batch_norm(ad.tensor(x), None, None, training=True)), exact, atol=2e-3)


def test_inputs_of_no_elements_pass_through() -> None:
    assert F.layer_norm(ad.ones(0, 3), (3,)).shape == (0, 3)
    layer = nn.BatchNorm1d(3)
    assert layer(ad.ones(0, 3)).shape == (0, 3)
    assert layer.running_mean is not None
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert F.local_response_norm(ad.ones(2, 0, 3), 2).shape == (2, 0, 3)


def test_what_can_not_be_normalized_is_refused() -> None:
    for function in (lambda: F.batch_norm(ad.ones(1, 3), None, None, training=True), lambda: F.group_norm(ad.ones(1, 4), 4)):
        with pytest.raises(ValueError, match=r"one value per .*no variance"):
            function()
    with pytest.raises(ValueError, match="one value per channel of an example"):
        F.instance_norm(ad.ones(2, 3, 1))
    with pytest.raises(ValueError, match="running_mean and running_var are required"):
        F.batch_norm(ad.ones(2, 3), None, None)
    with pytest.raises(ValueError, match=r"running_mean has shape \(4,\).*each of the 3 channels"):
        nn.BatchNorm1d(4)(ad.ones(2, 3))
    with pytest.raises(ValueError, match=r"BatchNorm2d: .*\(2, 3\).*4 axes"):
        nn.BatchNorm2d(3)(ad.ones(2, 3))
    with pytest.raises(ValueError, match="must divide"):
        F.group_norm(ad.ones(2, 3), 2)
    with pytest.raises(ValueError, match="must divide"):
        nn.GroupNorm(2, 3)
    with pytest.raises(ValueError, match=r"\(2, 3\).*normalized shape \(2,\)"):
        F.layer_norm(ad.ones(2, 3), (2,))
    with pytest.raises(ValueError, match=r"bias has shape \(1,\)"):
        F.layer_norm(ad.ones(2, 3), (3,), bias=ad.ones(1))
    with pytest.raises(ValueError, match=r"\(N, C, L\)"):
        F.local_response_norm(ad.ones(2, 3), 2)
    with pytest.raises(TypeError, match=r"\.float\(\)"):
        F.layer_norm(ad.ones(2, 3, dtype=int), (3,))
