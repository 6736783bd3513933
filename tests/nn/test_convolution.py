"""Convolutions and windows as columns, as functions and as layers, against PyTorch's."""

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


def normal(*shape: int) -> Any:
    return rng.normal(size=shape)


def numbers(data: Any, axes: int, low: int, high: int) -> Any:
    """A number, or one an axis."""
    return data.draw(st.integers(low, high) | st.tuples(*[st.integers(low, high)] * axes))


def each(given: Any, axes: int) -> tuple[int, ...]:
    return (given,) * axes if isinstance(given, int) else given


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch's, on speed
@settings(max_examples=30)
@given(data=DRAWN)
def test_convolution_is_pytorchs_in_any_geometry(data: Any) -> None:
    axes = data.draw(st.sampled_from([1, 2, 2, 3]))
    groups, c, o = (data.draw(st.integers(1, 2)) for _ in range(3))
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    options: dict[str, Any] = {"dilation": numbers(data, axes, 1, 2), "groups": groups}
    options["padding"] = data.draw(st.sampled_from(["same", "valid", None]))
    if options["padding"] != "same":
        options["stride"] = numbers(data, axes, 1, 3)
    options["padding"] = options["padding"] or numbers(data, axes, 0, 2)
    size = tuple(
        d * (k - 1) + 1 + data.draw(st.integers(0, 3)) for k, d in zip(kernel, each(options["dilation"], axes), strict=True)
    )
    lead = data.draw(st.sampled_from([(), (1,), (3,)]))
    arrays = [normal(*lead, groups * c, *size), normal(groups * o, c, *kernel)]
    if data.draw(st.booleans()):
        arrays.append(normal(groups * o))
    ours, theirs = getattr(F, f"conv{axes}d"), getattr(T, f"conv{axes}d")
    check_like_torch(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), *arrays)


@settings(max_examples=30)
@given(data=DRAWN)
def test_transposed_convolution_is_pytorchs_in_any_geometry(data: Any) -> None:
    axes = data.draw(st.sampled_from([1, 2, 2, 3]))
    groups, c, o = (data.draw(st.integers(1, 2)) for _ in range(3))
    kernel = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    stride, dilation = numbers(data, axes, 1, 3), numbers(data, axes, 1, 2)
    limits = [max(s, d) - 1 for s, d in zip(each(stride, axes), each(dilation, axes), strict=True)]
    options = {"stride": stride, "dilation": dilation, "groups": groups}
    options["output_padding"] = tuple(data.draw(st.integers(0, n)) for n in limits)
    options["padding"] = tuple(data.draw(st.integers(0, (k - 1) // 2)) for k in kernel)
    lead = data.draw(st.sampled_from([(), (1,), (2,)]))
    size = tuple(data.draw(st.integers(1, 3)) for _ in range(axes))
    arrays = [normal(*lead, groups * c, *size), normal(groups * c, o, *kernel)]
    if data.draw(st.booleans()):
        arrays.append(normal(groups * o))
    ours, theirs = getattr(F, f"conv_transpose{axes}d"), getattr(T, f"conv_transpose{axes}d")
    check_like_torch(lambda *a: ours(*a, **options), lambda *a: theirs(*a, **options), *arrays)


def test_a_batch_of_several_blocks_is_convolved_as_one() -> None:
    x, weight, bias = normal(70, 8, 18, 18), normal(6, 8, 3, 3), normal(6)
    assert 3 * ad.backends.get("numpy").xp.block_bytes < 70 * 8 * 9 * 16 * 16 * 8
    check_like_torch(F.conv2d, T.conv2d, x, weight, bias, second=False)
    weight = normal(8, 6, 3, 3)
    check_like_torch(F.conv_transpose2d, T.conv_transpose2d, x, weight, bias, second=False)


def test_convolution_on_every_backend(backend: ad.backends.Backend) -> None:
    x, weight = (ad.tensor(normal(*s), requires_grad=True) for s in ((3, 2, 6, 5), (4, 1, 3, 2)))
    out = F.conv2d(x, weight, None, 2, 1, (1, 2), 2)
    gradients = ad.autograd.grad((out * out).sum(), [x, weight], create_graph=True)
    second = ad.autograd.grad(sum((g * g).sum() for g in gradients), [x, weight])
    tx, tw = (torch.tensor(values(a), requires_grad=True) for a in (x, weight))
    theirs = T.conv2d(tx, tw, None, 2, 1, (1, 2), 2)
    expected = torch.autograd.grad((theirs * theirs).sum(), [tx, tw], create_graph=True)
    for a, b in zip([out, *gradients], [theirs, *expected], strict=True):
        np.testing.assert_allclose(values(a), values(b), rtol=1e-10, atol=1e-12)
    for a, b in zip(second, torch.autograd.grad(sum((g * g).sum() for g in expected), [tx, tw]), strict=True):
        np.testing.assert_allclose(values(a), values(b), rtol=1e-10, atol=1e-12)
    assert out.device == backend.device


def test_an_empty_batch_gives_an_empty_batch_and_gradients_of_zero() -> None:
    weight = ad.tensor(normal(4, 2, 3, 3), requires_grad=True)
    out = F.conv2d(ad.zeros(0, 2, 5, 5, dtype=ad.float64), weight)
    assert out.shape == (0, 4, 3, 3)
    out.sum().backward()
    assert not weight.grad.any()
    assert F.conv_transpose2d(ad.zeros(0, 4, 5, 5, dtype=ad.float64), weight).shape == (0, 2, 7, 7)


@settings(max_examples=25)
@given(data=DRAWN)
def test_unfold_and_fold_are_pytorchs(data: Any) -> None:
    options = {"kernel_size": numbers(data, 2, 1, 3), "dilation": numbers(data, 2, 1, 2)}
    options |= {"padding": numbers(data, 2, 0, 1), "stride": numbers(data, 2, 1, 2)}
    size = (data.draw(st.integers(5, 7)), data.draw(st.integers(5, 6)))
    lead = data.draw(st.sampled_from([(2,), (2, 2)]))
    x = normal(*lead, *size)
    check_like_torch(lambda a: F.unfold(a, **options), lambda a: T.unfold(a, **options), x, second=False)
    columns = values(F.unfold(ad.tensor(x), **options))
    check_like_torch(lambda a: F.fold(a, size, **options), lambda a: T.fold(a, size, **options), columns, second=False)


LAYERS = [
    ("Conv1d", (4, 6, 3), {}, (2, 4, 8)),
    ("Conv2d", (4, 6, 3), {"padding": 1, "stride": (2, 1), "groups": 2, "bias": False}, (2, 4, 6, 5)),
    ("Conv2d", (4, 6, (2, 3)), {"padding": "same", "dilation": 2, "padding_mode": "reflect"}, (2, 4, 6, 5)),
    ("Conv2d", (4, 4, 3), {"padding": (2, 1), "padding_mode": "circular", "groups": 4}, (4, 6, 5)),
    ("Conv1d", (4, 4, 2), {"padding": "valid", "padding_mode": "replicate"}, (2, 4, 6)),
    ("Conv3d", (2, 3, 2), {"padding": 1, "padding_mode": "replicate"}, (2, 2, 3, 4, 3)),
    ("ConvTranspose1d", (4, 6, 3), {"stride": 2}, (2, 4, 5)),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2}, (2, 4, 5, 4)),
    ("ConvTranspose3d", (2, 3, 2), {"dilation": 2, "bias": False}, (2, 2, 3, 2, 3)),
]


@pytest.mark.parametrize(("name", "arguments", "options", "shape"), LAYERS)
def test_a_layer_is_pytorchs_of_the_same_weights(name: str, arguments: Any, options: Any, shape: Any) -> None:
    theirs = getattr(torch.nn, name)(*arguments, **options)
    ours = getattr(nn, name)(*arguments, **options)
    assert repr(ours) == repr(theirs)
    assert {k: tuple(v.shape) for k, v in theirs.state_dict().items()} == {k: v.shape for k, v in ours.state_dict().items()}
    ours.load_state_dict({k: ad.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x = normal(*shape).astype(np.float32)
    np.testing.assert_allclose(values(ours(ad.tensor(x))), values(theirs(torch.tensor(x))), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["Conv2d", "ConvTranspose2d"])
def test_initial_values_are_even_within_pytorchs_bounds(name: str) -> None:
    ad.manual_seed(0)
    layer, theirs = (getattr(library, name)(32, 64, 3) for library in (nn, torch.nn))
    bound = 1 / np.sqrt(np.prod(layer.weight.shape[1:]))
    for ours, other in ((layer.weight, theirs.weight), (layer.bias, theirs.bias)):
        assert np.abs(values(ours)).max() <= bound
        assert np.abs(values(other)).max() <= bound + 1e-7
        assert np.abs(values(ours)).max() > 0.9 * bound


def test_a_transposed_layer_finds_the_padding_of_an_output_size() -> None:
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    ours = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    ours.load_state_dict({k: ad.tensor(v.numpy()) for k, v in theirs.state_dict().items()})
    x = normal(1, 2, 4, 4).astype(np.float32)
    for size in ((8, 7), (1, 3, 7, 8)):
        expected = theirs(torch.tensor(x), output_size=list(size))
        np.testing.assert_allclose(values(ours(ad.tensor(x), size)), values(expected), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match=r"from \(7, 7\) to \(8, 8\)"):
        ours(ad.tensor(x), (9, 7))


def test_layers_of_columns_are_pytorchs() -> None:
    x = normal(2, 3, 5, 6)
    ours, theirs = nn.Unfold((2, 3), padding=1), torch.nn.Unfold((2, 3), padding=1)
    assert repr(ours) == repr(theirs)
    columns = theirs(torch.tensor(x))
    np.testing.assert_array_equal(values(ours(ad.tensor(x))), values(columns))
    fold, their_fold = (library.Fold((5, 6), (2, 3), padding=1) for library in (nn, torch.nn))
    assert repr(fold) == repr(their_fold)
    np.testing.assert_allclose(values(fold(ad.tensor(values(columns)))), values(their_fold(columns)))


X, W = ad.ones(2, 4, 6, 6), ad.ones(6, 2, 3, 3)
MISTAKES = {
    "axes": (lambda: F.conv2d(ad.ones(6, 6), W), r"conv2d: .*\(6, 6\).*\(N, C, H, W\) or \(C, H, W\)"),
    "axes of a signal": (lambda: F.conv1d(X, W), r"conv1d: .*\(N, C, L\) or \(C, L\)"),
    "weight": (lambda: F.conv2d(X, ad.ones(6, 2, 3)), r"conv2d: the weight has shape \(6, 2, 3\)"),
    "channels": (lambda: F.conv2d(X, W), r"has 4 channels; .*groups=1 takes 2"),
    "groups": (lambda: F.conv2d(X, W, groups=4), "groups=4 must divide the 6 channels"),
    "bias": (lambda: F.conv2d(X, W, ad.ones(2), groups=2), r"bias has shape \(2,\).* must be \(6,\)"),
    "window": (lambda: F.conv2d(X, W, groups=2, dilation=3), r"spans \(7, 7\).* only \(6, 6\)"),
    "empty window": (lambda: F.conv2d(X, ad.ones(6, 4, 0, 3)), "a window that is not empty"),
    "stride": (lambda: F.conv2d(X, W, stride=0, groups=2), "stride must be an integer of at least 1, or 2 of them"),
    "strides": (lambda: F.conv2d(X, W, stride=(1, 1, 1), groups=2), "stride must be an integer of at least 1, or 2 of them"),
    "padding": (lambda: F.conv2d(X, W, padding=-1, groups=2), "padding must be an integer of at least 0"),
    "padding word": (lambda: F.conv2d(X, W, padding="full", groups=2), "'same' or 'valid', not 'full'"),
    "same and stride": (lambda: F.conv2d(X, W, padding="same", stride=2, groups=2), "stride of 1"),
    "output padding": (lambda: F.conv_transpose2d(X, ad.ones(4, 2, 3, 3), output_padding=1), "below the stride"),
    "no output": (lambda: F.conv_transpose2d(X[..., :1, :1], ad.ones(4, 2, 3, 3), padding=2), "leaves an output of size"),
    "layer's groups": (lambda: nn.Conv2d(3, 4, 3, groups=2), "groups=2 must divide in_channels=3"),
    "layer's mode": (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), "one of zeros, reflect"),
    "transposed layer's mode": (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), "of zeros, not"),
    "columns": (lambda: F.fold(ad.ones(1, 8, 5), 4, 2), r"fold: .*\(N, C \* 4, 9\)"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_message_says_what_does_not_go_together(mistake: str) -> None:
    act, pattern = MISTAKES[mistake]
    with pytest.raises(ValueError, match=pattern):
        act()
