"""Pooling, as functions and as layers, against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, torch, values

T = torch.nn.functional
DRAWN = st.data()
rng = np.random.default_rng(0)


def numbers(data: Any, axes: int, low: int, high: int) -> Any:
    return data.draw(st.integers(low, high) | st.tuples(*[st.integers(low, high)] * axes))


def each(given: Any, axes: int) -> tuple[int, ...]:
    return (given,) * axes if isinstance(given, int) else given


def geometry(data: Any, dilated: bool) -> tuple[int, tuple[int, ...], dict[str, Any]]:
    """How many axes, the shape of an input and what to pool it by."""
    axes = data.draw(st.sampled_from([1, 2, 2, 3]))
    options: dict[str, Any] = {"kernel_size": numbers(data, axes, 1, 3), "ceil_mode": data.draw(st.booleans())}
    options["stride"] = data.draw(st.none() | st.just(1)) or numbers(data, axes, 1, 3)
    options["padding"] = tuple(data.draw(st.integers(0, k // 2)) for k in each(options["kernel_size"], axes))
    if dilated:
        options["dilation"] = numbers(data, axes, 1, 2)
    size = tuple(data.draw(st.integers(5, 7)) for _ in range(axes))
    return axes, (*data.draw(st.sampled_from([(2,), (2, 2), (0, 2)])), *size), options


@settings(max_examples=30)
@given(data=DRAWN)
def test_max_pooling_is_pytorchs_with_ties_and_nans(data: Any) -> None:
    axes, shape, options = geometry(data, dilated=True)
    ours, theirs = getattr(F, f"max_pool{axes}d"), getattr(T, f"max_pool{axes}d")
    x = rng.integers(-2, 2, shape).astype(np.float64)
    check_like_torch(lambda a: ours(a, **options), lambda a: theirs(a, **options), x)
    if x.size:
        x[rng.random(shape) < 0.1] = np.nan
    out, indices = ours(ad.tensor(x), **options, return_indices=True)
    expected, places = theirs(torch.tensor(x), **options, return_indices=True)
    np.testing.assert_array_equal(values(out), values(expected))
    np.testing.assert_array_equal(values(indices), values(places))
    assert indices.dtype is ad.int64


@settings(max_examples=30)
@given(data=DRAWN)
def test_average_pooling_is_pytorchs(data: Any) -> None:
    axes, shape, options = geometry(data, dilated=False)
    options["count_include_pad"] = data.draw(st.booleans())
    if axes > 1:
        options["divisor_override"] = data.draw(st.none() | st.integers(1, 5))
    ours, theirs = getattr(F, f"avg_pool{axes}d"), getattr(T, f"avg_pool{axes}d")
    check_like_torch(lambda a: ours(a, **options), lambda a: theirs(a, **options), rng.normal(size=shape), second=False)


@settings(max_examples=30)
@given(data=DRAWN)
def test_adaptive_pooling_is_pytorchs(data: Any) -> None:
    axes = data.draw(st.integers(1, 3))
    size = tuple(data.draw(st.integers(1, 6)) for _ in range(axes))
    shape = (*data.draw(st.sampled_from([(2,), (2, 2)])), *size)
    output = data.draw(st.integers(1, 5) | st.tuples(*[st.integers(1, 5)] * axes))
    x = rng.integers(-2, 2, shape).astype(np.float64)
    for kind in ("avg", "max"):
        ours, theirs = (getattr(library, f"adaptive_{kind}_pool{axes}d") for library in (F, T))
        check_like_torch(lambda a, f=ours: f(a, output), lambda a, f=theirs: f(a, output), x, second=False)
    indices = ours(ad.tensor(x), output, return_indices=True)[1]
    np.testing.assert_array_equal(values(indices), values(theirs(torch.tensor(x), output, return_indices=True)[1]))


@settings(max_examples=20)
@given(data=DRAWN)
def test_unpooling_is_pytorchs(data: Any) -> None:
    axes = data.draw(st.integers(1, 3))
    shape = (*data.draw(st.sampled_from([(2,), (2, 2)])), *(data.draw(st.integers(4, 5)) for _ in range(axes)))
    x = rng.normal(size=shape)
    pooled, indices = (values(t) for t in getattr(T, f"max_pool{axes}d")(torch.tensor(x), 2, return_indices=True))
    size = shape if len(shape) == axes + 2 and data.draw(st.booleans()) else shape[-axes:]
    ours, theirs = (getattr(library, f"max_unpool{axes}d") for library in (F, T))
    check_like_torch(
        lambda a: ours(a, ad.tensor(indices), 2, output_size=size),
        lambda a: theirs(a, torch.tensor(indices), 2, output_size=size),
        pooled,
        second=False,
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_power_mean_pooling_is_pytorchs(axes: int) -> None:
    x = rng.uniform(0.5, 2, size=(2, 3, 6, 5, 4)[: 2 + axes])
    ours, theirs = (getattr(library, f"lp_pool{axes}d") for library in (F, T))
    for options in ((2, 2), (3.0, 2, 1), (1.5, 3, 2, True)):
        check_like_torch(lambda a, o=options: ours(a, *o), lambda a, o=options: theirs(a, *o), x, second=False)


LAYERS = [
    ("MaxPool", (3,), {"stride": 2, "padding": 1, "dilation": 1, "ceil_mode": True}),
    ("MaxPool", (2,), {"return_indices": True}),
    ("AvgPool", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}),
    ("AvgPool", (2,), {}),
    ("LPPool", (2, 2), {}),
    ("AdaptiveAvgPool", (3,), {}),
    ("AdaptiveMaxPool", (2,), {"return_indices": True}),
]


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("name", "arguments", "options"), LAYERS)
def test_layers_are_pytorchs(name: str, arguments: Any, options: Any, axes: int) -> None:
    ours, theirs = (getattr(library, f"{name}{axes}d")(*arguments, **options) for library in (nn, torch.nn))
    assert repr(ours) == repr(theirs)
    x = rng.uniform(0.5, 2, size=(2, 3, 7, 6, 5)[: 2 + axes])
    found, expected = ours(ad.tensor(x)), theirs(torch.tensor(x))
    both = zip(found, expected, strict=True) if options.get("return_indices") else [(found, expected)]
    for a, b in both:
        np.testing.assert_allclose(values(a), values(b), rtol=1e-10)


def test_an_unpooling_layer_undoes_its_pooling_layer() -> None:
    assert repr(nn.MaxUnpool2d(2, padding=1)) == repr(torch.nn.MaxUnpool2d(2, padding=1))
    x = ad.tensor(rng.normal(size=(1, 2, 4, 6)))
    pooled, indices = nn.MaxPool2d(2, return_indices=True)(x)
    again = nn.MaxPool2d(2)(F.relu(nn.MaxUnpool2d(2)(F.relu(pooled), indices)))
    np.testing.assert_array_equal(values(again), values(F.relu(pooled)))


def test_none_keeps_an_axis_as_it_is() -> None:
    x = rng.normal(size=(2, 3, 6, 5))
    for kind in ("Avg", "Max"):
        ours, theirs = (getattr(library, f"Adaptive{kind}Pool2d")((None, 3)) for library in (nn, torch.nn))
        assert repr(ours) == repr(theirs)
        np.testing.assert_allclose(values(ours(ad.tensor(x))), values(theirs(torch.tensor(x))))


def test_whole_numbers_have_a_maximum_and_no_mean() -> None:
    x = np.arange(-8, 8).reshape(1, 4, 4)
    out = F.max_pool2d(ad.tensor(x), 3, 2, 1)
    assert out.dtype is ad.int64
    np.testing.assert_array_equal(values(out), values(T.max_pool2d(torch.tensor(x), 3, 2, 1)))
    with pytest.raises(TypeError, match="avg_pool2d: takes floating-point"):
        F.avg_pool2d(ad.tensor(x), 2)


def test_pooling_on_every_backend(backend: ad.backends.Backend) -> None:
    x = ad.tensor(rng.normal(size=(2, 3, 5, 6)), requires_grad=True)
    theirs = torch.tensor(values(x), requires_grad=True)
    for pool in (
        lambda f, a: f.max_pool2d(a, 3, 2, 1),
        lambda f, a: f.avg_pool2d(a, 3, 2, 1, True, False),
        lambda f, a: f.adaptive_avg_pool2d(a, (2, 4)),
        lambda f, a: f.adaptive_max_pool2d(a, (2, 4)),
        lambda f, a: f.max_unpool2d(*f.max_pool2d(a, 2, return_indices=True), 2, output_size=(5, 6)),
    ):
        out, expected = pool(F, x), pool(T, theirs)
        np.testing.assert_allclose(values(out), values(expected))
        found = ad.autograd.grad((out * out).sum(), [x])[0]
        np.testing.assert_allclose(values(found), values(torch.autograd.grad((expected * expected).sum(), theirs)[0]))
        assert out.device == backend.device


X = ad.ones(2, 3, 6, 6)
MISTAKES = {
    "axes": (lambda: F.max_pool2d(ad.ones(6, 6), 2), ValueError, r"max_pool2d: .*\(N, C, H, W\) or \(C, H, W\)"),
    "window": (lambda: F.max_pool2d(X, 7), ValueError, r"spans \(7, 7\)"),
    "padding": (lambda: F.avg_pool2d(X, 2, padding=2), ValueError, r"at most half of the window \(2, 2\)"),
    "kernel": (lambda: F.max_pool2d(X, (2, 2, 2)), ValueError, "kernel_size must be an integer of at least 1, or 2 of them"),
    "divisor": (lambda: F.avg_pool2d(X, 2, divisor_override=0), ValueError, "divisor_override must not be 0"),
    "size": (lambda: F.adaptive_avg_pool2d(X, (1, 2, 3)), ValueError, "output_size must be an integer, None"),
    "indices": (lambda: F.max_unpool2d(X, ad.zeros(2, 3), 2), ValueError, "the indices must be integers of the input's shape"),
    "index": (lambda: F.max_unpool2d(X, ad.full(X.shape, 144), 2), IndexError, "from 0 to 143"),
    "output": (
        lambda: F.max_unpool2d(X, ad.zeros(X.shape, dtype=ad.int64), 2, output_size=(9, 9)),
        ValueError,
        "less than the stride",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_does_not_go_together(mistake: str) -> None:
    act, kind, pattern = MISTAKES[mistake]
    with pytest.raises(kind, match=pattern):
        act()
