"""``Tensor`` as an object: how it prints, converts, copies, pickles, compares, and is made."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.testing import assert_close

from .oracle import torch

FLOATS = st.one_of(
    st.integers(-2000, 2000).map(float),
    st.floats(-100, 100, width=32),
    st.sampled_from([0.0, 1e-6, 1e9, 1e30, np.inf, -np.inf, np.nan]),
)
SHOWN = st.one_of(
    st.lists(FLOATS, max_size=12),
    st.lists(st.lists(FLOATS, min_size=3, max_size=3), max_size=4),
    st.lists(st.integers(-1000, 1000), max_size=30),
    st.lists(st.booleans(), max_size=5),
    FLOATS,
    st.integers(-5, 5),
)


@settings(max_examples=150)
@given(SHOWN)
def test_prints_as_pytorch_does(values: Any) -> None:
    assert repr(ad.tensor(values)) == repr(torch.tensor(values))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (1001,), (40, 40), (3, 1, 7), (2, 500, 3), (100,), (8, 8, 8, 8)])
def test_prints_long_and_empty_tensors_as_pytorch_does(shape: tuple[int, ...]) -> None:
    values = (np.arange(np.prod(shape), dtype=np.float32) / 7 - 3).reshape(shape)
    assert repr(ad.tensor(values)) == repr(torch.tensor(values))
    whole = values.astype(np.int64)
    assert repr(ad.tensor(whole)).replace("adjoint.", "torch.") == repr(torch.tensor(whole))


def test_prints_dtype_and_requires_grad() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == "tensor([1., 2.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=<multiply>)"
    assert repr(x.detach().double()) == "tensor([1., 2.], dtype=adjoint.float64)"
    assert f"{ad.tensor(1.23456):.2f}" == "1.23"
    long = ad.tensor([1.5] * 9, requires_grad=True)
    assert repr(long) == repr(torch.tensor([1.5] * 9, requires_grad=True))


def test_numpy_shares_memory_and_refuses_what_it_would_lose() -> None:
    x = ad.tensor([1.0, 2.0])
    x.numpy()[0] = 5.0
    assert x.tolist() == [5.0, 2.0]
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    x.requires_grad_()
    for convert in (lambda: x.numpy(), lambda: np.asarray(x)):
        with pytest.raises(RuntimeError, match="detach"):
            convert()
    assert x.numpy(force=True).tolist() == [5.0, 2.0]


def test_another_devices_tensor_is_not_silently_moved_to_numpy() -> None:
    x = ad.tensor([1.0], device="strict")
    for convert in (lambda: x.numpy(), lambda: np.asarray(x)):
        with pytest.raises(TypeError, match=r"cpu\(\)"):
            convert()
    assert x.numpy(force=True).tolist() == [1.0]


def test_memory_is_not_shared_between_devices() -> None:
    x = ad.ones(2)
    y = x.to("strict")
    y[0] = 5.0
    z = y.cpu()
    z[1] = 7.0
    assert (x.tolist(), y.tolist(), z.tolist()) == ([1.0, 1.0], [5.0, 1.0], [5.0, 7.0])


def test_numpy_arrays_on_the_left_of_an_operator_give_tensors() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    a = np.array([3.0, 4.0], np.float32)
    for made in (a * x, x * a, a + x, a - x, a / x, a**x, a @ x, np.float32(2) * x, np.float64(2) ** x):
        assert isinstance(made, ad.Tensor)
        assert made.requires_grad
        assert made.dtype is ad.float32
    assert isinstance(a == x, ad.Tensor)
    assert np.add(a, x).requires_grad


def test_comparison_with_what_is_no_number_is_false_not_an_error() -> None:
    x = ad.tensor([1.0])
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711
    assert (x == "a") is False
    assert x in [None, x]
    assert hash(x) == hash(x)
    assert len({x, x, ad.tensor([1.0])}) == 2


@pytest.mark.usefixtures("backend")
def test_python_sees_numbers() -> None:
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (len(x), x.shape, x.ndim, x.numel(), x.size(0), x.size(-1), x.size()) == (2, (2, 2), 2, 4, 2, 2, (2, 2))
    assert (float(x[0, 0]), int(x[1, 0]), bool(x[0, 1]), x[1, 1].item()) == (1.0, 3, True, 4.0)
    assert [10, 20, 30][ad.tensor(1)] == 20
    assert 2.0 in x
    assert 9.0 not in x
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    for broken, error in (
        (lambda: len(x[0, 0]), TypeError),
        (lambda: [1][ad.tensor(0.0)], TypeError),
        (lambda: iter(x[0, 0]), TypeError),
    ):
        with pytest.raises(error):
            broken()


@pytest.mark.usefixtures("backend")
def test_copies_are_independent_and_keep_what_they_are() -> None:
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    deep = copy.deepcopy(x)
    assert (deep.tolist(), deep.requires_grad, deep.grad.tolist(), deep.device) == ([1.0, 2.0], True, [2.0, 4.0], x.device)
    with ad.no_grad():
        deep[0] = 9.0
    assert x.tolist() == [1.0, 2.0]
    one, other = copy.deepcopy([x, x])
    assert one is other
    assert copy.copy(x).requires_grad
    back = pickle.loads(pickle.dumps(x))
    assert (back.tolist(), back.requires_grad, back.dtype, back.device) == ([1.0, 2.0], True, ad.float32, x.device)
    for refused in (copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match="leaf"):
            refused(x * 2)


def test_dtypes_and_generators_survive_pickling() -> None:
    for dtype in ad.backends.dtypes.ALL:
        assert pickle.loads(pickle.dumps(dtype)) is dtype


@pytest.mark.usefixtures("backend")
def test_tensor_takes_what_holds_numbers_and_copies_it() -> None:
    array = np.array([[1.0, 2.0]], np.float32)
    x = ad.tensor(array)
    array[0, 0] = 9
    assert x.tolist() == [[1.0, 2.0]]
    assert ad.tensor([1, 2]).dtype is ad.int64
    assert ad.tensor([1, 2.5]).dtype is ad.float32
    assert ad.tensor(True).dtype is ad.bool_
    assert ad.tensor([]).dtype is ad.float32
    assert ad.tensor([ad.tensor(1.0), 2.0]).tolist() == [1.0, 2.0]
    assert ad.tensor(np.float64(2)).dtype is ad.float64
    assert ad.tensor(np.array([3], np.uint16)).dtype is ad.uint16
    assert ad.tensor(range(3)).tolist() == [0, 1, 2]
    assert ad.tensor(x).device == x.device
    for wrong, error in (
        ([[1], [2, 3]], ValueError),
        ("ab", TypeError),
        (None, TypeError),
        ({1}, TypeError),
        ([1j], TypeError),
        (2**70, TypeError),
        (2**63, TypeError),
    ):
        with pytest.raises(error, match="tensor"):
            ad.tensor(wrong)


@pytest.mark.usefixtures("backend")
def test_makers_are_pytorchs() -> None:
    for make in (
        lambda m: m.zeros(2, 3), lambda m: m.ones((2,)), lambda m: m.full((2, 2), 7), lambda m: m.full((2,), True),
        lambda m: m.full((), 1.5),
        lambda m: m.arange(3), lambda m: m.arange(1, 7, 2), lambda m: m.arange(0.0, 1.0, 0.25), lambda m: m.arange(5, 0, -2),
        lambda m: m.linspace(0, 1, 5), lambda m: m.eye(3), lambda m: m.eye(2, 3), lambda m: m.zeros(0, 2),
        lambda m: m.zeros([2, 1]),
        lambda m: m.zeros_like(m.ones(2, dtype=m.float64)), lambda m: m.full_like(m.arange(2), 3),
        lambda m: m.ones(2, dtype=m.int32),
        lambda m: m.zeros(np.int64(2)), lambda m: m.linspace(3, 3, 1),
    ):  # fmt: skip
        ours, theirs = make(ad), make(torch)
        assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2]
        np.testing.assert_allclose(ours.cpu().numpy(), theirs.numpy())


def test_a_tensor_is_made_where_its_data_is() -> None:
    there = ad.tensor([1.0], device="strict")
    assert ad.tensor(there).device == "strict"
    assert ad.as_tensor(there) is there
    with ad.use_backend("strict"):
        assert ad.tensor(ad.tensor([1.0], device="cpu")).device == "cpu"
        assert ad.tensor(np.ones(1)).device == "strict"


def test_from_numpy_and_as_tensor_share_memory() -> None:
    for a in (np.zeros(2), np.zeros((2, 2))[0], np.frombuffer(bytearray(16))):
        shared = ad.from_numpy(a)
        shared[0] = 3.0
        shared += 1
        assert a.tolist() == [4.0, 1.0]
        assert ad.as_tensor(a).numpy() is a
    with pytest.raises(TypeError, match="from_numpy"):
        ad.from_numpy([1.0])


def test_to_moves_and_converts(backend: Backend) -> None:
    x = ad.ones(2)
    assert x.to("float32") is x
    assert x.to(x.device) is x
    assert x.to(ad.float64).dtype is ad.float64
    assert x.to(x.device, copy=True) is not x
    assert x.to(ad.ones(1, dtype="float64", device="cpu")).device == "cpu"
    assert x.to("cpu", ad.float64).dtype is ad.float64
    assert (x.double().dtype, x.long().dtype, x.int().dtype, x.bool().dtype) == (ad.float64, ad.int64, ad.int32, ad.bool_)
    assert x.type_as(ad.ones(1, dtype="float64")).dtype is ad.float64


@pytest.mark.usefixtures("backend")
def test_random_numbers_repeat_by_seed_and_position() -> None:
    def some() -> list[Any]:
        return [
            ad.rand(3),
            ad.randn(2, 2, dtype="float64"),
            ad.randint(0, 9, (4,)),
            ad.randperm(5),
            ad.bernoulli(ad.full((3,), 0.5)),
            ad.randn(()),
        ]

    ad.manual_seed(3)
    first = some()
    ad.manual_seed(3)
    for a, b in zip(first, some(), strict=True):
        assert_close(a, b, rtol=0, atol=0)
    generator = ad.Generator().manual_seed(5)
    ad.rand(2, generator=generator)
    state = generator.get_state()
    a = ad.randn(4, generator=generator)
    generator.set_state(state)
    assert_close(ad.randn(4, generator=generator), a, rtol=0, atol=0)
    assert sorted(first[3].tolist()) == [0, 1, 2, 3, 4]
    assert 0 <= ad.rand(100).amin().item() <= ad.rand(100).amax().item() < 1
    for wrong in (lambda: ad.manual_seed(-1), lambda: ad.randint(3, 3, (1,)), lambda: ad.Generator().manual_seed(-2)):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(TypeError, match="manual_seed: seed must be an integer, not 1"):
        ad.Generator().manual_seed(1.5)  # type: ignore[arg-type]
