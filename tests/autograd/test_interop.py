"""NumPy around tensors: arrays on the left of operators, NumPy's and SciPy's functions on tensors, with gradients."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
import scipy.special

import adjoint as ad
from adjoint.autograd import interop
from adjoint.testing import check_gradients

A = np.array([[0.3, 1.5, 0.7], [2.0, 0.1, 0.4]])
B = np.array([[1.2, 0.6, 2.5], [0.9, 3.0, 0.2]])

UNARY: dict[str, Any] = {
    name: getattr(np, name)
    for name in (
        "exp expm1 exp2 log log2 log10 log1p sqrt square sin cos tan arcsinh arctan sinh cosh tanh absolute fabs "
        "negative positive sign reciprocal floor ceil trunc rint deg2rad rad2deg radians degrees isnan isinf isfinite "
        "signbit logical_not conjugate sum prod mean std var max min amax amin median ptp cumsum cumprod sort argsort "
        "argmax argmin any all ravel transpose squeeze flip fliplr flipud rot90 diff nansum nanmean nan_to_num round "
        "around sinc fix trace diagonal tril triu copy shape ndim size iscomplexobj isrealobj zeros_like ones_like "
        "nonzero argwhere count_nonzero unique atleast_1d atleast_3d trapezoid average cov corrcoef"
    ).split()
} | {
    "sum along": lambda x: np.sum(x, 0, keepdims=True),
    "mean along": lambda x: np.mean(x, axis=(0, 1)),
    "std of a sample": lambda x: np.std(x, axis=1, ddof=1),
    "var of a sample": lambda x: np.var(x, correction=1, keepdims=True),
    "reshape": lambda x: np.reshape(x, (3, -1)),
    "transpose": lambda x: np.transpose(x, (1, 0)),
    "axes": lambda x: np.expand_dims(np.moveaxis(np.swapaxes(x, 0, 1), 0, 1), 0),
    "roll": lambda x: np.roll(x, 1, axis=1),
    "repeat": lambda x: np.repeat(np.tile(x, 2), 2, axis=0),
    "clip": lambda x: np.clip(x, 0.2, a_max=1.0) + np.clip(x, min=0.5) + x.clip(0.3, 1.2),
    "quantile": lambda x: np.quantile(x, 0.3, axis=1) + np.percentile(x, 40) + np.median(x, axis=1),
    "percentiles": lambda x: np.percentile(x, [10, 50], axis=1),
    "split": lambda x: np.split(x, 3, axis=1)[1] * np.array_split(x, 2, axis=1)[1] + np.hsplit(x, 3)[0],
    "take": lambda x: np.take(x, [2, 0], axis=1) if isinstance(x, np.ndarray) else np.take(x, ad.tensor([2, 0]), axis=1),
    "along": lambda x: np.take_along_axis(x, np.argsort(x, axis=0), axis=0),
    "broadcast": lambda x: np.broadcast_to(x, (2, 2, 3)),
    "searchsorted": lambda x: np.searchsorted(np.sort(x[0]), x[1], side="right"),
    "weighted": lambda x: np.average(x, axis=0, weights=np.array([1.0, 3.0])),
    "spaced": lambda x: np.trapezoid(x, dx=0.5, axis=0) + np.trapezoid(x.T, np.array([0.0, 2.0]), axis=1),
    "unique": lambda x: np.unique(x, return_inverse=True, return_counts=True)[1],
    "vander": lambda x: np.trace(x @ x.T, 1) + np.vander(x[0], 3).sum(),
    "norms": lambda x: [np.linalg.norm(x), np.linalg.norm(x, axis=1, keepdims=True), np.linalg.norm(x, 1)],
    "matrices": lambda x: [np.linalg.inv(x @ x.T), np.linalg.det(x @ x.T), np.linalg.pinv(x), np.linalg.svdvals(x)],
    "linalg": lambda x: np.linalg.solve(x @ x.T, x) + np.linalg.multi_dot([x, x.T, x]) + np.linalg.cond(x),
    "where": lambda x: np.where(x > 0.5)[1],
}  # fmt: skip
BINARY: dict[str, Any] = {
    name: getattr(np, name)
    for name in (
        "add subtract multiply divide true_divide power float_power floor_divide remainder fmod maximum minimum fmax "
        "fmin logaddexp logaddexp2 hypot arctan2 copysign equal not_equal less less_equal greater greater_equal "
        "logical_and logical_or logical_xor kron outer isclose allclose array_equal inner vdot cross"
    ).split()
} | {
    "concatenate": lambda x, y: np.concatenate([x, y], axis=1),
    "concatenate flat": lambda x, y: np.concatenate((x, y), axis=None),
    "stack": lambda x, y: np.stack([x, y], axis=-1),
    "stacks": lambda x, y: np.vstack([x, y]) + np.vstack((y, x)),
    "columns": lambda x, y: np.column_stack([x, y]) + np.hstack([y, x]),
    "depths": lambda x, y: np.dstack([x, y]),
    "append": lambda x, y: np.append(x, y, axis=0),
    "where": lambda x, y: np.where(x > y, x, y),
    "matmul": lambda x, y: np.matmul(x, y.T) + np.dot(x, y.T) + np.tensordot(x, y.T, 1) + np.dot(2.0, x)[:, :2],
    "broadcast": lambda x, y: np.broadcast_arrays(x, y[:1])[1],
    "einsum": lambda x, y: np.einsum("ij,kj->ik", x, y),
    "meshgrid": lambda x, y: np.meshgrid(x[0], y[0])[1],
    "isin": lambda x, y: np.isin(x, y),
}  # fmt: skip
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod]
COMPARISONS = [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne]


def same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            same(a, b)
    elif isinstance(theirs, (np.ndarray, np.generic)):
        assert isinstance(ours, ad.Tensor)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-12)
    else:
        assert ours == theirs


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")
@pytest.mark.parametrize("name", UNARY)
def test_numpys_functions_of_a_tensor_give_what_they_give_of_its_array_and_keep_the_graph(name: str) -> None:
    x = ad.tensor(A, requires_grad=True)
    result = UNARY[name](x)
    same(result, UNARY[name](A))
    if isinstance(result, ad.Tensor) and result.dtype.is_floating_point and not name.endswith("_like") and name != "unique":
        assert result.requires_grad


@pytest.mark.parametrize("name", BINARY)
def test_numpys_functions_of_two_take_tensors_arrays_and_both(name: str) -> None:
    wanted = BINARY[name](A, B)
    x, y = ad.tensor(A, requires_grad=True), ad.tensor(B)
    same(BINARY[name](x, y), wanted)
    same(BINARY[name](x, B), wanted)
    same(BINARY[name](A, y), wanted)


@pytest.mark.parametrize("function", OPERATORS + COMPARISONS, ids=lambda function: function.__name__)
def test_an_operator_with_an_array_on_the_left_gives_a_tensor(function: Any) -> None:
    x = ad.tensor(B, requires_grad=True)
    for left in (A, np.float64(1.5), np.array(1.5), A[0]):
        same(function(left, x), np.asarray(function(left, B)))
        same(function(x, left), np.asarray(function(B, left)))


def test_gradients_flow_through_numpys_functions() -> None:
    def written_for_arrays(x: Any) -> Any:
        weights = np.exp(x - np.max(x, axis=1, keepdims=True))
        weights = weights / np.sum(weights, axis=1, keepdims=True)
        return np.log(np.concatenate([weights, B * x], axis=0) ** 2) @ np.array([1.0, 2.0, 3.0]) + np.std(x)

    same(written_for_arrays(ad.tensor(A)), written_for_arrays(A))
    check_gradients(written_for_arrays, ad.tensor(A))
    x = ad.tensor(A, requires_grad=True)
    (B * x).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), B)


def test_a_numpy_number_on_the_left_is_as_weak_as_a_python_number() -> None:
    x = ad.ones(2, requires_grad=True)
    assert (np.float64(2) * x).dtype is ad.float32
    assert (np.ones(2) * x).dtype is ad.float64


def test_scipys_ufuncs_go_to_ad_special() -> None:
    x = ad.tensor(A / 4, requires_grad=True)
    names = "erf erfc erfinv expit logit gammaln psi ndtr log_ndtr entr exp2 log1p"
    for name in names.split():
        result = getattr(scipy.special, name)(x)
        np.testing.assert_allclose(result.detach().numpy(), getattr(scipy.special, name)(A / 4), rtol=1e-12)
        assert result.requires_grad
    for name in ("xlogy", "xlog1py"):
        np.testing.assert_allclose(
            getattr(scipy.special, name)(A, x).detach().numpy(), getattr(scipy.special, name)(A, A / 4), rtol=1e-12
        )


def test_what_would_lose_the_gradient_is_refused_with_the_mend() -> None:
    x, array = ad.tensor(A, requires_grad=True), A.copy()
    for lost in (
        lambda: np.heaviside(x, 0.0),
        lambda: np.histogram(x),
        lambda: np.multiply(A, x, out=array),
        lambda: operator.imul(array, x),
    ):
        with pytest.raises(TypeError, match=r"np\.\w+: .*x\.detach\(\)\.cpu\(\)\.numpy\(\)"):
            lost()
    with pytest.raises(TypeError, match=r"np\.add\.reduce: .*ad\.sum"):
        np.add.reduce(x)
    with pytest.raises(TypeError, match=r"np\.sum: .*out"):
        np.sum(x, out=array)
    with pytest.raises(TypeError, match=r"np\.exp: where="):
        np.exp(x, where=A > 0)
    with pytest.raises(TypeError, match=r"np\.add: .*tensor\[\.\.\.\] = "):
        np.add(A, A, out=x.detach())
    with pytest.raises(TypeError, match=r"np\.sum: .*tensor\[\.\.\.\] = "):
        np.sum(A, axis=0, out=x.detach())
    with pytest.raises(TypeError, match=r"np\.unique: return_index"):
        np.unique(x, return_index=True)
    with pytest.raises(TypeError, match=r"np\.dot: takes tensors of at most two axes"):
        np.dot(x, np.ones((2, 3, 1)))
    with pytest.raises(ValueError, match="does not divide"):
        np.split(x, 2, axis=1)


def test_without_a_gradient_to_lose_numpy_computes_what_tensors_have_no_function_for() -> None:
    x = ad.tensor(A)
    counts, _ = np.histogram(x, bins=3)
    assert counts.tolist() == np.histogram(A, bins=3)[0].tolist()
    assert np.array_repr(np.block([[x, x]])) == np.array_repr(np.block([[A, A]]))
    array = A.copy()
    array += x
    assert array.tolist() == (2 * A).tolist()
    total = np.zeros(3)
    np.sum(x, axis=0, out=total)
    assert total.tolist() == A.sum(0).tolist()


def test_lists_and_numbers_are_taken_beside_tensors() -> None:
    x = ad.tensor([1.0, 2.0])
    assert np.concatenate([x, [3.0]]).tolist() == [1.0, 2.0, 3.0]
    assert np.vstack([[3.0, 4.0], x]).tolist() == [[3.0, 4.0], [1.0, 2.0]]
    assert np.append(x, 5.0).tolist() == [1.0, 2.0, 5.0]
    assert np.broadcast_arrays(x, 7.0)[1].tolist() == [7.0, 7.0]


def test_matplotlib_draws_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is in the plot extra")
    x, y = ad.arange(5), ad.rand(5)
    figure, axes = pyplot.subplots()
    for drawn in (axes.plot, axes.scatter, axes.bar, axes.errorbar, axes.fill_between):
        drawn(x, y)
    axes.hist(y)
    axes.boxplot(y)
    axes.imshow(ad.rand(3, 3))
    figure.canvas.draw()
    pyplot.close(figure)


def test_a_tensor_of_another_device_is_not_moved() -> None:
    with ad.use_backend("strict"):
        x = ad.tensor(A)
    assert np.exp(x).device == "strict"
    with pytest.raises(TypeError, match=r"np\.histogram"):
        np.histogram(x)
    with pytest.raises(ad.errors.BackendError, match="different devices"):
        A * x


def test_cupys_ufuncs_find_the_function_by_its_name() -> None:
    class Kernel:  # what CuPy 14 hands over: a ufunc that is named so
        name = "cupy_multiply"

    x = ad.tensor(A, requires_grad=True)
    assert x.__cupy_override_elementwise_kernel__(Kernel, A, x).tolist() == (A * A).tolist()
    Kernel.name = "cupy_heaviside"
    with pytest.raises(TypeError, match=r"cupy\.heaviside"):
        interop.cupy_ufunc(Kernel, (x, x), {})


@pytest.mark.skipif(not ad.backends.device_count("cupy"), reason="no GPU with CuPy is at hand")
def test_cupys_arrays_on_the_left_and_its_ufuncs_give_tensors() -> None:
    import cupy

    with ad.use_backend("cupy"):
        x = ad.tensor(A, requires_grad=True)
    left = cupy.asarray(B)
    for result in (left * x, cupy.multiply(left, x)):
        np.testing.assert_allclose(result.detach().cpu().numpy(), B * A)
        assert result.requires_grad
    np.testing.assert_allclose(cupy.exp(x).detach().cpu().numpy(), np.exp(A))
