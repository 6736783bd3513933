"""Indexing: drawn mixtures of slices, numbers, arrays, masks, None and the ellipsis, read and written, with gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import adjoint as ad
import adjoint.nn
from adjoint.testing import check_gradients
from adjoint.testing.strategies import shapes

from .oracle import agree, same, torch
from .samples.indexing import indices, repeating

pytestmark = pytest.mark.usefixtures("backend")


def with_tensors(index: Any, library: Any) -> Any:
    """The index with its NumPy arrays as tensors of ``library``."""
    if isinstance(index, tuple):
        return tuple(with_tensors(part, library) for part in index)
    return library.tensor(index.copy() if library is torch else index) if isinstance(index, np.ndarray) else index


def by_numpy(array: Any, index: Any) -> tuple[Any, Any]:
    """A view of ``array`` and NumPy's index into it that give PyTorch's result: whole numbers are taken before arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, np.ndarray) for part in parts) and any(type(part) is int for part in parts):
        array = array[tuple(slice(None) if isinstance(part, np.ndarray) else part for part in parts)]
        index = tuple(
            part if isinstance(part, np.ndarray) or part is ... else slice(None) for part in parts if type(part) is not int
        )
    return array, index


def numbered(shape: tuple[int, ...]) -> Any:
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


@settings(max_examples=80)
@given(st.data())
def test_values_are_numpys_and_gradients_count_each_pick(data: Any) -> None:
    shape = data.draw(shapes(max_dims=3, max_side=3))
    index = data.draw(indices(shape))
    array = numbered(shape)
    x = ad.tensor(array, requires_grad=True)
    for form in (index, with_tensors(index, ad)):
        picked = x[form]
        of, at = by_numpy(array, index)
        np.testing.assert_array_equal(picked.detach().cpu().numpy(), of[at])
        w = numbered(picked.shape)
        (g,) = ad.autograd.grad(picked, x, ad.tensor(w))
        wanted = np.zeros(shape)
        of, at = by_numpy(wanted, index)
        np.add.at(of, at, w)
        np.testing.assert_array_equal(g.cpu().numpy(), wanted)


@settings(max_examples=60)
@given(st.data())
def test_indexing_forwards_is_pytorchs_to_second_order(data: Any) -> None:
    shape = data.draw(shapes(max_dims=3, max_side=3))
    index = data.draw(indices(shape, backwards=False))
    agree(lambda m, x: x[with_tensors(index, m)] ** 2, numbered(shape), second=True)


@settings(max_examples=60)
@given(st.data())
def test_writing_by_index_is_pytorchs_with_gradients(data: Any) -> None:
    shape = data.draw(shapes(max_dims=3, max_side=3))
    index = data.draw(indices(shape, advanced=False, backwards=False))
    target = numbered(shape)[index].shape
    kept = target[data.draw(st.integers(0, len(target))) :]
    value = numbered(tuple(1 if data.draw(st.booleans()) else n for n in kept))

    def write(m: Any, x: Any, v: Any) -> Any:
        y = x * 2
        y[index] = v * 3
        return y * y

    agree(write, numbered(shape), value, second=True)


# --- places named more than once ---------------------------------------------------------------------------------------------


def added(y: Any, index: Any, v: Any) -> Any:
    y[index] += v
    return y


def assigned(y: Any, index: Any, v: Any) -> Any:
    y[index] = v
    return y


def assigned_to_a_view(y: Any, index: Any, v: Any) -> Any:
    base = y.permute(*range(y.ndim)[::-1]).clone()
    base.permute(*range(y.ndim)[::-1])[index] = v
    return base.permute(*range(y.ndim)[::-1])


def assigned_in_part(y: Any, index: Any, v: Any) -> Any:
    base = ad.stack([y, y])
    base[1:][0][index] = v
    return base[1]


#: The ways to write at an index, each giving the whole tensor; of a tensor and its own values, and values to write.
WRITES: dict[str, Any] = {
    "setitem": assigned,
    "augmented assignment": added,
    "index_put": lambda y, index, v: y.index_put(index, v),
    "index_put_": lambda y, index, v: y.clone().index_put_(index, v),
    "through a transposed view": assigned_to_a_view,
    "through a part of a part": assigned_in_part,
    "the namespace": lambda y, index, v: ad.autograd.graph.differentiable.index_put(
        y, v, index=tuple(i._array if isinstance(i, ad.Tensor) else i for i in index)
    ),
}


def one_by_one(m: Any, y: Any, index: Any, v: Any) -> Any:
    """PyTorch's tensor with the values written to one place after another."""
    numbers = np.arange(y.numel()).reshape(y.shape)[index]
    flat = list(y.reshape(-1))
    for number, one in zip(numbers.flat, m.broadcast_to(v, numbers.shape).reshape(-1), strict=True):
        flat[number] = one
    return m.stack(flat).reshape(y.shape)


@settings(max_examples=60)
@given(st.data(), st.sampled_from([*WRITES]))
def test_of_values_written_to_one_place_the_last_has_the_gradient(data: Any, way: str) -> None:
    shape = data.draw(shapes(1, 3, 1, 3))
    index = data.draw(repeating(shape, backwards="augmented" not in way))  # PyTorch has no slices of negative step
    target = numbered(shape)[index].shape
    kept = target[data.draw(st.integers(0, len(target))) :]
    value = numbered(tuple(1 if data.draw(st.booleans()) else n for n in kept))

    def write(m: Any, x: Any, v: Any) -> Any:
        y, v = x * 2, v * v
        if m is ad:
            return WRITES[way](y, with_tensors(index, ad), v) ** 2
        v = y[with_tensors(index, m)] + v if "augmented" in way else v
        return one_by_one(m, y, index, v) ** 2 + 0 * (x.sum() + v.sum())

    agree(write, numbered(shape), value, second=True)


#: Functions that write by index, with the arguments after the tensor, of 3 x 4 elements; and the places that they write to, in
#: order, from an array of the places' numbers. The index names rows or columns again and again.
VECTOR, MATRIX = np.array([2, 0, 2, 2]), np.array([[0, 2, 1, 1], [0, 0, 1, 1]])
BY_INDEX: dict[str, Any] = {
    "index_copy 0": (lambda v: (0, ad.tensor(VECTOR), v), (4, 4), lambda n: n[VECTOR]),
    "index_copy 1": (lambda v: (1, ad.tensor(VECTOR), v), (3, 4), lambda n: n[:, VECTOR]),
    "index_fill": (lambda v: (1, ad.tensor(VECTOR), v), (), lambda n: n[:, VECTOR]),
    "index_put": (lambda v: ((ad.tensor(VECTOR), ad.tensor([1, 3, 1, 1])), v), (4,), lambda n: n[VECTOR, [1, 3, 1, 1]]),
    "scatter 0": (lambda v: (0, ad.tensor(MATRIX), v), (2, 4), lambda n: n[MATRIX, np.arange(4)]),
    "scatter 1": (lambda v: (1, ad.tensor(MATRIX), v), (2, 4), lambda n: n[np.arange(2)[:, None], MATRIX]),
    "put": (lambda v: (ad.tensor(MATRIX), v), (2, 4), lambda n: n.reshape(-1)[MATRIX]),
}


@pytest.mark.parametrize("name", BY_INDEX)
def test_functions_that_write_by_index_give_the_gradient_to_what_remains(name: str) -> None:
    arguments, shape, places = BY_INDEX[name]
    method, index = name.split()[0], np.unravel_index(places(np.arange(12).reshape(3, 4)), (3, 4))

    def write(m: Any, x: Any, v: Any) -> Any:
        y, v = x * 2, v * v
        if m is torch:
            return one_by_one(m, y, index, v) * y + 0 * (x.sum() + v.sum())
        copied = getattr(y, method)(*arguments(v))
        same = getattr(y.clone(), f"{method}_")(*arguments(v))
        assert copied.tolist() == same.tolist()
        return (copied + same) / 2 * y

    agree(write, numbered((3, 4)), numbered(shape) / 7, second=True)
    check_gradients(lambda x, v: write(ad, x, v), ad.tensor(numbered((3, 4))), ad.tensor(numbered(shape) / 7))


def test_places_that_windows_share_get_the_gradient_of_the_last_one() -> None:
    x = ad.tensor(numbered((1, 1, 3)))
    at = ad.tensor([[[1, 0, 1]]])
    check_gradients(lambda x: ad.nn.functional.max_unpool1d(x * x, at, 2) ** 2, x)
    unpooled = ad.nn.functional.max_unpool1d(x.requires_grad_(), at, 2)
    assert unpooled.tolist() == [[[2.0, 3.0, 0.0, 0.0, 0.0, 0.0]]]
    unpooled.sum().backward()
    assert x.grad.tolist() == [[[0.0, 1.0, 1.0]]]


def test_the_first_of_two_writes_to_a_place_has_no_gradient() -> None:
    x, z = ad.tensor([1.0, 2.0, 3.0], requires_grad=True), ad.zeros(2)
    z[ad.tensor([0, 0, 1])] = x
    (z * ad.tensor([1.0, 10.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 10.0]  # as JAX has it


LAYOUTS: list[Any] = [lambda v: v, lambda v: v.flip(0)[::-1], lambda v: v.mT.clone().mT]


@settings(max_examples=20)
@given(st.data(), st.sampled_from(LAYOUTS), st.sampled_from([(3,), (3, 3)]))
def test_replays_of_writes_to_one_place_are_the_eager_ones(data: Any, laid_out: Any, shape: tuple[int, ...]) -> None:
    def step(x: Any, v: Any, i: Any) -> Any:
        x, v = x.detach().requires_grad_(), v.detach().requires_grad_()
        y = x * 2
        y[(laid_out(i),) * len(shape)] = laid_out(v)
        g = ad.autograd.grad((y * y * y).sum(), [x, v], create_graph=True)
        return [y, *g, *ad.autograd.grad((g[0] ** 2).sum() + (g[1] ** 2).sum(), [x, v])]

    captured = ad.capture(step)
    x, v = ad.tensor(numbered(shape)), ad.tensor(numbered((3, 3)))
    for _ in range(3):
        index = ad.tensor(data.draw(st.lists(st.lists(st.integers(-3, 2), min_size=3, max_size=3), min_size=3, max_size=3)))
        for a, b in zip(captured(x, v, index), step(x, v, index), strict=True):
            np.testing.assert_array_equal(a.detach().cpu().numpy(), b.detach().cpu().numpy())
    assert captured.stats.replays == 2


@settings(max_examples=40)
@given(st.data())
def test_plain_writes_are_numpys(data: Any) -> None:
    shape = data.draw(shapes(max_dims=3, max_side=3))
    index = data.draw(indices(shape))
    array = numbered(shape)
    x = ad.tensor(array)
    x[with_tensors(index, ad)] = -1
    of, at = by_numpy(array, index)
    of[at] = -1
    np.testing.assert_array_equal(x.cpu().numpy(), array)


INDICES: dict[str, Any] = {
    "a mask": lambda m, x: x[x > 5],
    "a mask of rows": lambda m, x: x[m.tensor([True, False, True])],
    "a mask and a slice": lambda m, x: x[m.tensor([True, False, True]), 1:],
    "repeated numbers": lambda m, x: x[m.tensor([0, 0, 2, 0])],
    "a matrix of numbers": lambda m, x: x[m.tensor([[0, 1], [2, -1]])],
    "two arrays": lambda m, x: x[m.tensor([0, 2, 0]), m.tensor([1, 1, 1])],
    "arrays apart": lambda m, x: x[None][:, m.tensor([0, 1]), None, m.tensor([2, 3])],
    "a number, a slice and an array": lambda m, x: x[None][0, :, m.tensor([0, 1])],
    "a number far from a mask": lambda m, x: x[None][m.tensor([True]), ..., 1],
    "a list": lambda m, x: x[[0, 2]],
    "lists in a tuple": lambda m, x: x[[0, 2], [1, 3]],
    "a 0-d tensor": lambda m, x: x[m.tensor(1)],
    "an ellipsis and a number": lambda m, x: x[..., 1],
    "nothing": lambda m, x: x[()],
    "an empty list": lambda m, x: x[[]],
    "true": lambda m, x: x[True],
    "rows by iteration": lambda m, x: list(x),
    "a single element": lambda m, x: x[1, 2],
}


@pytest.mark.parametrize("case", INDICES)
def test_common_indices_are_pytorchs(case: str) -> None:
    agree(INDICES[case], numbered((3, 4)))


def test_a_mask_write_and_an_array_write_are_differentiated() -> None:
    def write(m: Any, x: Any, v: Any) -> Any:
        y = x * 1
        y[x > 5] = 0.0
        y[m.tensor([0, 2])] = v
        y[1, m.tensor([0, 1])] *= 2
        return y * x

    agree(write, numbered((3, 4)), numbered((2, 4)))


def test_writes_at_a_number_and_an_array_apart_are_pytorchs() -> None:
    def write(m: Any, x: Any, v: Any) -> Any:
        y = x[None] * 2
        y = y.clone()
        y[0, :, m.tensor([0, 2])] = v
        z = m.zeros(1, 3, 4, dtype=m.float64)
        z[0, :, m.tensor([0, 2])] = v.detach()
        return [y * y, z]

    agree(write, numbered((3, 4)), numbered((3, 2)), second=True)


def test_backward_steps_have_a_gradient() -> None:
    check_gradients(lambda x: x[::-1, ::-2] * x[..., 0, None], ad.tensor(numbered((2, 3))))


def test_a_row_and_an_element_are_views() -> None:
    x, y = ad.zeros(2, 3), torch.zeros(2, 3)
    for t in (x, y):
        row, element = t[1], t[0, 0]
        element[...] = 7.0
        row[0] = 5.0
        t[1, 2] = 4.0
        assert row.tolist() == [5.0, 0.0, 4.0]
    same(x, y)


def test_an_index_changed_after_use_is_refused_not_misread() -> None:
    x, i = ad.ones(3, requires_grad=True), ad.tensor([0, 1])
    y = x[i]
    i[0] = 2
    with pytest.raises(RuntimeError, match=r"getitem.*changed in place by '__setitem__' at .*test_indexing"):
        y.sum().backward()


def test_a_numpy_index_may_be_reused_by_its_owner() -> None:
    x, i = ad.ones(3, requires_grad=True), np.array([0, 1])
    y = x[i]
    i[:] = 2
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 0.0]
