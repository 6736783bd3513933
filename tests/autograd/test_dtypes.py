"""The dtype of a result: PyTorch's promotion lattice, with 0-d tensors and Python numbers weaker than dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.dtypes import ALL, promote

from .oracle import dtype_name, needs_pytorch, torch

NAMES = [dtype.name for dtype in ALL]
UNPROMOTED = (
    "uint16",
    "uint32",
    "uint64",
)  #: PyTorch neither promotes nor computes with them; the standard does (test_array_api.py)
OPERATIONS: dict[str, Any] = {
    "add": lambda m, x, y: x + y,
    "multiply": lambda m, x, y: x * y,
    "divide": lambda m, x, y: x / y,
    "pow": lambda m, x, y: x**y,
    "maximum": lambda m, x, y: m.maximum(x, y),
    "remainder": lambda m, x, y: x % y,
    "where": lambda m, x, y: m.where(m.tensor(True), x, y),
    "equal": lambda m, x, y: x == y,
    "less": lambda m, x, y: x < y,
    "atan2": lambda m, x, y: m.atan2(x, y),
    "concat": lambda m, x, y: m.cat([x.reshape(-1), y.reshape(-1)]),
}
UNARY: dict[str, Any] = {
    name: lambda m, x, name=name: getattr(m, name)(x)
    for name in "exp sin sqrt sigmoid abs sum prod square floor isnan isfinite reciprocal argmax all any logical_not".split()
} | {
    "cumsum": lambda m, x: m.cumsum(x, 0),
    "max": lambda m, x: m.max(x),
    "plus a whole number": lambda m, x: x + 1,
    "plus a fraction": lambda m, x: x + 1.5,
    "a fraction less": lambda m, x: 1.5 - x,
    "times a truth": lambda m, x: x * True,
    "over a whole number": lambda m, x: x / 2,
    "squared": lambda m, x: x**2,
    "to a fraction": lambda m, x: x**1.5,
    "two to it": lambda m, x: 2**x,
    "compared": lambda m, x: x > 0.5,
    "clamped": lambda m, x: m.clamp(x, min=1),
    "clamped to a fraction": lambda m, x: m.clamp(x, max=1.5),
    "or a fraction": lambda m, x: m.where(m.tensor([True]), x, 0.5),
}


def held(backend: Backend) -> list[str]:
    """The dtypes in which both the backend and PyTorch compute, except bool, with which the standard has no arithmetic."""
    return [name for name in NAMES if hasattr(backend.xp, name) and name not in ("bool", *UNPROMOTED)]


def test_two_dtypes_promote_as_in_pytorch_and_where_it_refuses_as_in_numpy() -> None:
    for a in ALL:
        for b in ALL:
            kinds = {a.kind, b.kind}
            if not ({a.name, b.name} & set(UNPROMOTED)) or a is b or "float" in kinds:
                wanted = str(torch.promote_types(getattr(torch, a.name), getattr(torch, b.name))).partition(".")[2]
            elif "int" in kinds and "uint64" in (a.name, b.name):
                with pytest.raises(TypeError, match="no integer dtype holds both"):
                    promote(a, b)
                continue
            else:
                wanted = np.promote_types(a.name, b.name).name
            assert promote(a, b).name == wanted, (a, b)


def test_unsigned_integers_are_added_as_numpy_does(backend: Backend) -> None:
    for name in (*UNPROMOTED, "uint8"):
        most = 2 ** np.iinfo(name).bits - 1
        x, like = ad.tensor([0, 1, most], dtype=name), np.array([0, 1, most], name)
        for y, numpys in (
            (x + 1, like + 1), (1 - x, 1 - like), (x * x, like * like), (x // 2, like // 2), (x % 10, like % 10), (-x, -like),
            (x < 2, like < 2), (x << 1, like << 1), (~x, ~like), (x.sort(descending=True).values, np.sort(like)[::-1]),
            (ad.maximum(x, x.flip(0)), np.maximum(like, like[::-1])), (x.max(), like.max()), (x[x > 0], like[like > 0]),
            (x.argmax(), like.argmax()), (x.unique(), np.unique(like)), (x / 2, like.astype(np.float32) / 2),
        ):  # fmt: skip
            assert y.tolist() == numpys.tolist(), name
            assert y.dtype.name == (np.dtype(np.float32) if y.dtype.kind == "float" else numpys.dtype).name
        assert x.sum().dtype is ad.int64
        assert x.double().tolist() == like.astype(np.float64).tolist()
        assert ad.arange(9, device=backend)[ad.tensor([3, 0], dtype=name)].tolist() == [3, 0]
        step = ad.capture(lambda x: ((x * 3 + 1) // 2, x.max(), x.to(ad.float64).sum()))
        for given in (x, x, x.flip(0)):
            assert [y.tolist() for y in step(given)] == [
                y.tolist() for y in ((given * 3 + 1) // 2, given.max(), given.double().sum())
            ]
        assert str(most) in repr(x)
        assert name in repr(x)
        assert ad.iinfo(name)[:3] == (np.iinfo(name).bits, most, 0)
    with pytest.raises(TypeError, match="add: no integer dtype holds both uint64 and int8"):
        ad.ones(1, dtype="uint64") + ad.ones(1, dtype="int8")
    assert (ad.ones(1, dtype="uint64") + ad.ones((), dtype="int8")).dtype is ad.uint64
    with pytest.raises(TypeError, match=f"{2**63} is out of int64's range; pass dtype='uint64'"):
        ad.tensor([2**63])
    assert ad.tensor([2**63], dtype="uint64").tolist() == [2**63]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_results_of_two_tensors_have_pytorchs_dtype(operation: str, backend: Backend) -> None:
    function = OPERATIONS[operation]
    for a in held(backend):
        for b in held(backend):
            for shape_a, shape_b in (((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())):
                ours = function(ad, ad.ones(shape_a, dtype=a), ad.ones(shape_b, dtype=b))
                theirs = function(torch, torch.ones(shape_a, dtype=getattr(torch, a)), torch.ones(shape_b, dtype=getattr(torch, b)))
                assert dtype_name(ours) == dtype_name(theirs), (operation, a, shape_a, b, shape_b)


@pytest.mark.parametrize("operation", UNARY)
def test_results_of_one_tensor_have_pytorchs_dtype(operation: str, backend: Backend) -> None:
    function = UNARY[operation]
    for name in held(backend):
        for shape in ((2,), ()):
            if operation in ("all", "any") and name == "uint8":
                continue  # PyTorch keeps uint8, for code from before it had bool
            if operation in ("floor", "reciprocal") and not name.startswith("float") and backend.name == "strict":
                continue
            ours, theirs = function(ad, ad.ones(shape, dtype=name)), function(torch, torch.ones(shape, dtype=getattr(torch, name)))
            assert dtype_name(ours) == dtype_name(theirs), (operation, name, shape)


#: Functions of one tensor and of two, the former with further arguments.
OF_ONE: dict[str, tuple[Any, ...]] = dict.fromkeys(
    (
        "expm1 exp2 log log1p log2 log10 rsqrt cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf erfc erfinv "
        "logit sinc lgamma digamma neg sign sgn ceil round trunc frac deg2rad rad2deg nan_to_num positive relu amax amin "
        "median nanmedian nansum nanmean mean std var argsort msort unique count_nonzero trace diag diagflat tril triu "
        "fliplr flipud rot90 diff trapezoid norm argmin isinf bitwise_not clone t ravel nonzero mode sort cov corrcoef "
        "aminmax block_diag atleast_3d"
    ).split(),
    (),
) | {
    "cumprod": (0,), "cummax": (0,), "cummin": (0,), "logcumsumexp": (0,), "logsumexp": (0,), "softmax": (0,),
    "log_softmax": (0,),
    "flip": (0,), "quantile": (0.5,), "topk": (1,), "kthvalue": (1,), "mvlgamma": (1,), "repeat_interleave": (2,),
    "roll": (1,), "tile": ((2,),), "fill": (3,), "isin": (1,),
}  # fmt: skip
OF_TWO = (
    "floor_divide fmod float_power minimum fmax fmin copysign hypot ldexp logaddexp logaddexp2 xlogy logical_and "
    "bitwise_and bitwise_left_shift matmul mm dot outer kron inner vdot dist cross isclose searchsorted bucketize "
    "cdist tensordot clamp_min isin"
).split()


def agrees(name: str, of_ours: tuple[Any, ...], of_theirs: tuple[Any, ...], what: Any) -> None:
    """The dtypes agree wherever PyTorch gives a result."""
    try:
        theirs = getattr(torch, name)(*of_theirs)
    except (RuntimeError, IndexError, ValueError, TypeError):
        return
    ours = getattr(ad, name)(*of_ours)
    for a, b in zip(*(list(r) if isinstance(r, tuple) else [r] for r in (ours, theirs)), strict=True):
        assert dtype_name(a) == dtype_name(b), what


@pytest.mark.filterwarnings("ignore")  # of the values, which do not matter here
@pytest.mark.parametrize("name", OF_ONE)
def test_every_function_of_one_tensor_gives_pytorchs_dtype(name: str, backend: Backend) -> None:
    for dtype in held(backend):
        for shape in ((2, 2), (2,), ()):
            ours, theirs = ad.ones(shape, dtype=dtype), torch.ones(shape, dtype=getattr(torch, dtype))
            agrees(name, (ours, *OF_ONE[name]), (theirs, *OF_ONE[name]), (dtype, shape))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OF_TWO)
def test_every_function_of_two_tensors_gives_pytorchs_dtype(name: str, backend: Backend) -> None:
    for a in held(backend):
        for b in held(backend):
            for shape_a, shape_b in (((2,), (2,)), ((2,), ()), ((), (2,)), ((2, 2), (2, 2))):
                ours = ad.ones(shape_a, dtype=a), ad.ones(shape_b, dtype=b)
                theirs = torch.ones(shape_a, dtype=getattr(torch, a)), torch.ones(shape_b, dtype=getattr(torch, b))
                agrees(name, ours, theirs, (a, shape_a, b, shape_b))


def test_sums_and_products_are_taken_in_the_dtype_asked_for() -> None:
    needs_pytorch("2.13")  # with nansum of whole numbers
    x, y = ad.tensor([1.5, 2.5]), torch.tensor([1.5, 2.5])
    for name, arguments in (("sum", ()), ("prod", ()), ("cumsum", (0,)), ("cumprod", (0,)), ("nansum", ()), ("mean", ())):
        for dtype in ("float64", "float16", *(("int32",) if name != "mean" else ())):
            ours = getattr(ad, name)(x, *arguments, dtype=dtype)
            theirs = getattr(torch, name)(y, *arguments, dtype=getattr(torch, dtype))
            assert (dtype_name(ours), ours.tolist()) == (dtype_name(theirs), theirs.tolist())


def test_the_common_dtype_of_tensors_and_numbers_is_pytorchs() -> None:
    for a in set(NAMES) - set(UNPROMOTED):
        for other in (1, 1.5, True):
            wanted = torch.result_type(torch.ones(2, dtype=getattr(torch, a)), other)
            assert ad.result_type(ad.ones(2, dtype=a), other).name == str(wanted).partition(".")[2]
        for b in set(NAMES) - set(UNPROMOTED):
            wanted = torch.result_type(torch.ones(2, dtype=getattr(torch, a)), torch.ones((), dtype=getattr(torch, b)))
            assert ad.result_type(ad.ones(2, dtype=a), ad.ones((), dtype=b)).name == str(wanted).partition(".")[2]


def test_gradients_arrive_in_each_inputs_own_dtype(backend: Backend) -> None:
    x, y = ad.ones(2, requires_grad=True), ad.ones(2, 2, dtype="float64", requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (ad.float32, ad.float64)


@pytest.mark.usefixtures("backend")
def test_a_number_does_not_widen_float32_in_forward_or_backward() -> None:
    x = ad.ones(3, requires_grad=True)
    y = ((x * 2.0 + 1.5) / 3.0) ** 2.0 - 1.0
    assert y.dtype is ad.float32
    (g,) = ad.autograd.grad(y.sum(), x, create_graph=True)
    assert g.dtype is ad.float32
    assert ad.where(x > 0, x, 0.0).dtype is ad.float32


def test_a_dtype_is_taken_by_name_object_and_python_type() -> None:
    for spelled in ("float64", ad.float64, ad.double):
        assert ad.ones(1, dtype=spelled).dtype is ad.float64
    assert ad.tensor([1.5], dtype=int).tolist() == [1]
    with pytest.raises(TypeError, match="unknown dtype 'float128'"):
        ad.zeros(1, dtype="float128")


def test_integers_can_not_require_a_gradient() -> None:
    with pytest.raises(TypeError, match="int64"):
        ad.tensor([1], requires_grad=True)
