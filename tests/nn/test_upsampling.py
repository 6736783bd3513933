"""Images in another size, and channels as pixels: PyTorch's values and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

import adjoint as ad
from adjoint import nn
from adjoint.nn import functional as F

from .helpers import check_like_torch, values

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
TF = torch.nn.functional
pytestmark = pytest.mark.usefixtures("backend")
RNG = np.random.default_rng(0)
MODES = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}


@st.composite
def resized(draw: Any) -> tuple[Any, dict[str, Any]]:
    """An array (N, C, d1, …), and how to interpolate it."""
    axes = draw(st.integers(1, 3))
    lengths = draw(st.lists(st.integers(1, 6 if axes < 3 else 4), min_size=axes, max_size=axes))
    options: dict[str, Any] = {"mode": draw(st.sampled_from(["nearest", "nearest-exact", "area", *MODES[axes], *MODES[axes]]))}
    if draw(st.booleans()):
        options["size"] = draw(st.integers(1, 8) | st.lists(st.integers(1, 8), min_size=axes, max_size=axes))
    else:
        options["scale_factor"] = draw(st.lists(st.floats(1 / min(lengths), 2.7), min_size=axes, max_size=axes))
        nearest = options["mode"].startswith("nearest")  # of a factor alone PyTorch's kernels pick different pixels
        options["recompute_scale_factor"] = True if nearest else draw(st.sampled_from([None, True]))
    if options["mode"] in MODES[axes]:
        options["align_corners"] = draw(st.booleans())
    return RNG.normal(size=(draw(st.integers(1, 2)), 2, *lengths)), options


@settings(max_examples=120)
@given(case=resized())
def test_interpolation_is_pytorchs(case: Any) -> None:
    x, options = case
    if options["mode"] == "bicubic" and "scale_factor" in options:  # PyTorch's gradient ignores factors that keep all lengths
        kept = [int(n * factor) for n, factor in zip(x.shape[2:], options["scale_factor"], strict=True)]
        assume(tuple(kept) != x.shape[2:])
    check_like_torch(lambda x: F.interpolate(x, **options), lambda x: TF.interpolate(x, **options), x, second=False)


@settings(max_examples=60)
@given(n=st.integers(1, 120), m=st.integers(1, 120), double=st.booleans(), exact=st.booleans())
def test_the_nearest_pixel_is_pytorchs_in_either_precision(n: int, m: int, double: bool, exact: bool) -> None:
    x = np.arange(n, dtype=np.float64 if double else np.float32).reshape(1, 1, n)
    mode = "nearest-exact" if exact else "nearest"
    found, wanted = F.interpolate(ad.tensor(x), m, mode=mode), TF.interpolate(torch.tensor(x), m, mode=mode)
    np.testing.assert_array_equal(values(found), values(wanted))


@pytest.mark.parametrize(("n", "factor"), [(7, 1.7), (5, 2.7), (5, 0.63), (9, 3.0)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_the_nearest_pixel_goes_by_the_factor(n: int, factor: float, mode: str) -> None:
    x = np.arange(float(n)).reshape(1, 1, n)
    options: dict[str, Any] = {"scale_factor": factor, "mode": mode}
    check_like_torch(lambda x: F.interpolate(x, **options), lambda x: TF.interpolate(x, **options), x)


def test_the_nearest_pixel_is_taken_as_it_is() -> None:
    x = np.asarray([np.nan, np.inf, 1.0]).reshape(1, 1, 3)
    for m in (6, 5, 2):
        np.testing.assert_array_equal(values(F.interpolate(ad.tensor(x), m)), values(TF.interpolate(torch.tensor(x), m)))


def test_whole_numbers_keep_their_dtype_by_the_nearest_pixel() -> None:
    found = F.interpolate(ad.arange(3).reshape(1, 1, 3), 5)
    assert found.dtype is ad.int64
    assert found.tolist() == [[[0, 0, 1, 1, 2]]]


LAYERS: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("Upsample", ((3, 5),), {"mode": "bicubic", "align_corners": True}, (1, 2, 4, 3)),
    ("Upsample", (), {"scale_factor": (2, 1.5)}, (1, 2, 4, 3)),
    ("UpsamplingNearest2d", (), {"scale_factor": 2}, (1, 2, 4, 3)),
    ("UpsamplingBilinear2d", (5,), {}, (1, 2, 4, 3)),
    ("PixelShuffle", (2,), {}, (3, 8, 2, 3)),
    ("PixelShuffle", (3,), {}, (9, 2, 1)),
    ("PixelUnshuffle", (2,), {}, (2, 3, 4, 6)),
    ("PixelUnshuffle", (2,), {}, (1, 2, 2)),
    ("ChannelShuffle", (3,), {}, (2, 6, 2, 2)),
    ("ChannelShuffle", (2,), {}, (2, 4, 3)),
    ("Unflatten", (1, (2, 3)), {}, (2, 6, 2)),
    ("Unflatten", (-1, (2, -1)), {}, (2, 6)),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "shape"), LAYERS)
def test_a_layer_prints_and_computes_as_pytorchs(name: str, args: Any, kwargs: Any, shape: Any) -> None:
    ours, theirs = getattr(nn, name)(*args, **kwargs), getattr(torch.nn, name)(*args, **kwargs)
    assert repr(ours) == repr(theirs)
    check_like_torch(ours, theirs, RNG.normal(size=shape))


def test_arguments_that_do_not_fit_are_refused() -> None:
    x, image = ad.ones(1, 2, 3), ad.ones(1, 4, 4, 3)
    for act, kind, match in (
        (lambda: F.interpolate(x), ValueError, "either size or scale_factor"),
        (lambda: F.interpolate(x, 2, 2.0), ValueError, "either size or scale_factor"),
        (lambda: F.interpolate(x, (2, 2)), ValueError, "one number for each of the axes"),
        (lambda: F.interpolate(x, 4, mode="bilinear"), ValueError, "mode is 'bilinear'; it takes 4 axes"),
        (lambda: F.interpolate(x, 4, mode="lanczos"), ValueError, "the modes are nearest"),
        (lambda: F.interpolate(x, 4, align_corners=True), ValueError, "align_corners needs one of"),
        (lambda: F.interpolate(x, 4, recompute_scale_factor=True), ValueError, "recompute_scale_factor needs scale_factor"),
        (lambda: F.interpolate(x, 0), ValueError, "at least 1"),
        (lambda: F.interpolate(image, 2, mode="bilinear", antialias=True), ValueError, "antialias is not offered"),
        (lambda: F.interpolate(x.long(), 4, mode="linear"), TypeError, r"\.float\(\)"),
        (lambda: F.pixel_shuffle(ad.ones(3, 4, 4), 2), ValueError, "must divide the 3 channels"),
        (lambda: F.pixel_shuffle(ad.ones(4, 4), 2), ValueError, r"\(…, C, H, W\)"),
        (lambda: F.pixel_unshuffle(image, 2), ValueError, "must divide height and width"),
        (lambda: F.channel_shuffle(image, 3), ValueError, "must divide the channels"),
    ):
        with pytest.raises(kind, match=match):
            act()
