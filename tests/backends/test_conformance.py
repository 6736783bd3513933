"""What every backend owes beyond the standard: its extra kernels, memory, transfers, random numbers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.standard import CREATION, EXTRAS, STANDARD
from tests.autograd.samples.indexing import indices


def host(backend: Backend, array: Any) -> Any:
    return backend.to_numpy(array)


def test_the_namespace_has_every_name_and_refuses_others(backend: Backend) -> None:
    for name in (*STANDARD, *CREATION, *EXTRAS, "float32", "int64", "bool", "pi", "inf", "newaxis"):
        assert hasattr(backend.xp, name), name
    with pytest.raises(AttributeError, match="'einsum_path' is not in the array namespace"):
        _ = backend.xp.einsum_path


def test_arrays_go_to_the_device_and_back(backend: Backend) -> None:
    for dtype in (np.float32, np.float64, np.int64, np.bool_):
        array = np.array([[0, 1], [2, 3]], dtype)
        there = backend.asarray(array)
        assert isinstance(there, backend.array_types)
        assert backend.dtypes[there.dtype].name == np.dtype(dtype).name
        np.testing.assert_array_equal(host(backend, there), array)
    assert backend.asarray(np.ones(1), ad.float32).dtype == backend.xp.float32
    original = backend.xp.zeros((2,))
    copied = backend.asarray(original, copy=True)
    backend.xp.setitem(copied, 1.0, 0)
    assert host(backend, original).tolist() == [0.0, 0.0]


def test_views_are_known_with_their_owner(backend: Backend) -> None:
    base = backend.xp.zeros((3, 4))
    views = [backend.xp.getitem(base, index) for index in (0, (0, 1), slice(1, None), (..., None))]
    views += [backend.xp.reshape(base, (12,)), backend.xp.permute_dims(base, (1, 0)), backend.xp.broadcast_to(base, (2, 3, 4))]
    owner = backend.owner(base)
    for view in views:
        assert backend.is_view(view)
        assert backend.owner(view) is owner
    assert not backend.is_view(base + 1)
    assert backend.owner(base + 1) is not owner
    assert not backend.is_view(backend.xp.getitem(base, backend.asarray(np.array([0, 1]))) + 0)


@settings(max_examples=40)
@given(st.data())
def test_indexing_kernels_are_numpys(backend: Backend, data: Any) -> None:
    shape = data.draw(st.lists(st.integers(0, 3), max_size=3).map(tuple))
    index = data.draw(indices(shape))
    array = np.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    parts = index if isinstance(index, tuple) else (index,)
    there: Any = tuple(backend.asarray(part) if isinstance(part, np.ndarray) else part for part in parts)
    x = backend.asarray(array)
    picked = backend.xp.getitem(x, there)
    np.testing.assert_array_equal(host(backend, picked), array[tuple(parts)])
    added = np.zeros(shape)
    np.add.at(added, tuple(parts), array[tuple(parts)])
    np.testing.assert_array_equal(host(backend, backend.xp.scatter_add(picked, there, shape)), added)
    put = array.copy()
    put[tuple(parts)] = -1.0
    np.testing.assert_array_equal(host(backend, backend.xp.index_put(x, -1.0, there)), put)
    np.testing.assert_array_equal(host(backend, x), array)
    backend.xp.setitem(x, -1.0, there)
    np.testing.assert_array_equal(host(backend, x), put)


def test_astype_copies_only_where_it_converts(backend: Backend) -> None:
    x = backend.xp.zeros((2,), dtype=backend.xp.float32)
    same, other = backend.xp.astype(x, backend.xp.float32), backend.xp.astype(x, backend.xp.float64)
    assert backend.owner(same) is backend.owner(x)
    assert other.dtype == backend.xp.float64


def test_the_error_function_is_right_to_the_last_digits(backend: Backend) -> None:
    points = np.concatenate(
        [np.linspace(-7, 7, 2001), np.array([0.46875, 4.0, 6.0, 30.0, 1e-300, 5e-324, 0.0, -0.0, np.inf, -np.inf])]
    )
    found = host(backend, backend.xp.erf(backend.asarray(points)))
    np.testing.assert_allclose(found, [math.erf(v) for v in points], 1e-15, 0)
    assert np.isnan(host(backend, backend.xp.erf(backend.asarray(np.array([np.nan]))))).all()
    assert backend.xp.erf(backend.asarray(points, ad.float32)).dtype == backend.xp.float32


def test_random_streams_repeat_and_can_be_stored(backend: Backend) -> None:
    stream, again = backend.random(7), backend.random(7)
    xp = backend.xp
    draws = [
        lambda s: s.uniform((2, 3), xp.float32), lambda s: s.normal((4,), xp.float64), lambda s: s.integers(-2, 5, (6,)),
        lambda s: s.permutation(5), lambda s: s.normal((), xp.float32), lambda s: s.uniform((0,), xp.float64),
    ]  # fmt: skip
    for draw in draws:
        a, b = draw(stream), draw(again)
        assert isinstance(a, backend.array_types)
        np.testing.assert_array_equal(host(backend, a), host(backend, b))
    state = json.loads(json.dumps(stream.get_state()))
    expected = host(backend, stream.normal((3,), xp.float32))
    stream.set_state(state)
    np.testing.assert_array_equal(host(backend, stream.normal((3,), xp.float32)), expected)
    whole = host(backend, backend.random(1).integers(-2, 5, (1000,)))
    assert (whole.min(), whole.max(), whole.dtype) == (-2, 4, np.int64)
    normal = host(backend, backend.random(1).normal((20_000,), xp.float64))
    assert abs(normal.mean()) < 0.03
    assert abs(normal.std() - 1) < 0.03


def test_bookkeeping_answers(backend: Backend) -> None:
    backend.synchronize()
    assert backend.device_count() >= 1
    assert isinstance(backend.memory(), dict)
    with backend.quiet():
        backend.xp.log(backend.xp.zeros((1,)))
