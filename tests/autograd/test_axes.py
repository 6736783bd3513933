"""Every function with a ``dim`` on 0-d, empty and single tensors, and ``dim`` of every kind, against PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.nn import functional

from .oracle import outputs, same, torch, weighted

SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (3,), (0, 3), (3, 0), (1, 1), (2, 3))
AXES = (None, 0, -1, 1, -2, 2, -3)
SEVERAL = (*AXES, (), (0,), (-1,), (0, 1), (0, 0), (0, -1), (1, -1), (0, 1, 2), [0])


def nn(m: Any) -> Any:
    return functional if m is ad else torch.nn.functional


def whole(m: Any, x: Any) -> Any:
    """Zeros in int64, in the shape of ``x``: indices of what is there if there is anything."""
    return m.zeros(tuple(x.shape), dtype=m.int64)


def zero(m: Any, *shape: int) -> Any:
    return m.zeros(shape, dtype=m.int64)


def places(m: Any, x: Any, dim: Any) -> Any:
    """Each element's own place along ``dim``."""
    if not x.ndim or dim is None or not -x.ndim <= dim < x.ndim:
        return whole(m, x)
    return whole(m, x) + m.arange(x.shape[dim]).reshape([-1 if i == dim % x.ndim else 1 for i in range(x.ndim)])


Call = Callable[[Any, Any, Any], Any]

#: Reductions over several axes, or all.
OVER_SEVERAL: dict[str, Call] = {
    "sum": lambda m, x, d: m.sum(x, dim=d),
    "sum keepdim": lambda m, x, d: m.sum(x, dim=d, keepdim=True),
    "mean": lambda m, x, d: m.mean(x, dim=d),
    "mean keepdim": lambda m, x, d: m.mean(x, dim=d, keepdim=True),
    "var": lambda m, x, d: m.var(x, dim=d),
    "var correction 0": lambda m, x, d: m.var(x, dim=d, correction=0),
    "var correction None": lambda m, x, d: m.var(x, dim=d, correction=None),
    "var unbiased": lambda m, x, d: m.var(x, dim=d, unbiased=False, keepdim=True),
    "std": lambda m, x, d: m.std(x, dim=d, correction=0),
    "std correction None": lambda m, x, d: m.std(x, dim=d, correction=None, keepdim=True),
    "var_mean": lambda m, x, d: m.var_mean(x, dim=d, correction=0),
    "std_mean": lambda m, x, d: m.std_mean(x, dim=d, correction=0, keepdim=True),
    "amax": lambda m, x, d: m.amax(x, () if d is None else d),
    "amin": lambda m, x, d: m.amin(x, () if d is None else d, keepdim=True),
    "all": lambda m, x, d: m.all(x) if d is None else m.all(x, dim=d),
    "any": lambda m, x, d: m.any(x) if d is None else m.any(x, dim=d, keepdim=True),
    "logsumexp": lambda m, x, d: m.logsumexp(x, dim=d),
    "logsumexp keepdim": lambda m, x, d: m.logsumexp(x, dim=d, keepdim=True),
    "nansum": lambda m, x, d: m.nansum(x, dim=d),
    "nanmean": lambda m, x, d: m.nanmean(x, dim=d, keepdim=True),
    "count_nonzero": lambda m, x, d: m.count_nonzero(x, dim=d),
    "norm": lambda m, x, d: m.norm(x, dim=d),
    "norm 1": lambda m, x, d: m.norm(x, 1, dim=d, keepdim=True),
    "norm 3": lambda m, x, d: m.norm(x, 3, dim=d),
    "norm 0": lambda m, x, d: m.norm(x, 0, dim=d),
    "norm inf": lambda m, x, d: m.norm(x, float("inf"), dim=d),
    "linalg.vector_norm": lambda m, x, d: m.linalg.vector_norm(x, dim=d),
    "linalg.vector_norm inf": lambda m, x, d: m.linalg.vector_norm(x, float("inf"), dim=d, keepdim=True),
    "linalg.norm": lambda m, x, d: m.linalg.norm(x, dim=d),
    "squeeze": lambda m, x, d: m.squeeze(x) if d is None else m.squeeze(x, d),
    "flip": lambda m, x, d: m.flip(x, () if d is None else d if isinstance(d, (tuple, list)) else (d,)),
    "flip dims": lambda m, x, d: x.flip(dims=() if d is None else d if isinstance(d, (tuple, list)) else (d,)),
    "roll": lambda m, x, d: m.roll(x, 1) if d is None else m.roll(x, (1,) * len(d) if isinstance(d, (tuple, list)) else 1, d),
    "unsqueeze": lambda m, x, d: m.unsqueeze(x, d),
    "permute": lambda m, x, d: m.permute(x, d),
    "gradient": lambda m, x, d: m.gradient(x) if d is None else m.gradient(x, dim=d),
    "normalize": lambda m, x, d: nn(m).normalize(x, dim=d),
    "normalize 1": lambda m, x, d: nn(m).normalize(x, p=1, dim=d),
}  # fmt: skip

#: Along one axis.
ALONG_ONE: dict[str, Call] = {
    "prod": lambda m, x, d: m.prod(x) if d is None else m.prod(x, dim=d),
    "prod keepdim": lambda m, x, d: m.prod(x) if d is None else m.prod(x, dim=d, keepdim=True),
    "max": lambda m, x, d: m.max(x) if d is None else m.max(x, dim=d),
    "max keepdim": lambda m, x, d: m.max(x) if d is None else m.max(x, dim=d, keepdim=True),
    "min": lambda m, x, d: m.min(x) if d is None else m.min(x, dim=d),
    "argmax": lambda m, x, d: m.argmax(x, dim=d),
    "argmax keepdim": lambda m, x, d: m.argmax(x, dim=d, keepdim=True),
    "argmin": lambda m, x, d: m.argmin(x, dim=d),
    "aminmax": lambda m, x, d: m.aminmax(x, dim=d),
    "aminmax keepdim": lambda m, x, d: m.aminmax(x, dim=d, keepdim=True),
    "median": lambda m, x, d: m.median(x) if d is None else m.median(x, dim=d),
    "nanmedian": lambda m, x, d: m.nanmedian(x) if d is None else m.nanmedian(x, dim=d, keepdim=True),
    "quantile": lambda m, x, d: m.quantile(x, 0.25, dim=d),
    "quantile keepdim": lambda m, x, d: m.quantile(x, m.tensor([0.25, 0.5], dtype=m.float64), dim=d, keepdim=True),
    "nanquantile": lambda m, x, d: m.nanquantile(x, 0.25, dim=d),
    "softmax": lambda m, x, d: m.softmax(x, d),
    "log_softmax": lambda m, x, d: m.log_softmax(x, d),
    "softmin": lambda m, x, d: nn(m).softmin(x, d),
    "cumsum": lambda m, x, d: m.cumsum(x, d),
    "cumprod": lambda m, x, d: m.cumprod(x, d),
    "cummax": lambda m, x, d: m.cummax(x, d),
    "cummin": lambda m, x, d: m.cummin(x, d),
    "logcumsumexp": lambda m, x, d: m.logcumsumexp(x, d),
    "diff": lambda m, x, d: m.diff(x, dim=d),
    "diff 0": lambda m, x, d: m.diff(x, 0, d),
    "trapezoid": lambda m, x, d: m.trapezoid(x, dim=d),
    "cumulative_trapezoid": lambda m, x, d: m.cumulative_trapezoid(x, dim=d),
    "sort": lambda m, x, d: m.sort(x, dim=d),
    "argsort": lambda m, x, d: m.argsort(x, dim=d),
    "topk": lambda m, x, d: m.topk(x, 1, dim=d),
    "topk 0": lambda m, x, d: m.topk(x, 0, dim=d),
    "kthvalue": lambda m, x, d: m.kthvalue(x, 1, dim=d),
    "kthvalue keepdim": lambda m, x, d: m.kthvalue(x, 1, dim=d, keepdim=True),
    "mode": lambda m, x, d: m.mode(x, dim=d),
    "unique": lambda m, x, d: m.unique(x.detach(), dim=d, return_inverse=True, return_counts=True),
    "unique_consecutive": lambda m, x, d: m.unique_consecutive(x.detach(), dim=d, return_inverse=True, return_counts=True),
    "cat": lambda m, x, d: m.cat([x, x], d),
    "cat with an empty vector": lambda m, x, d: m.cat([m.zeros(0, dtype=m.float64), x], d),
    "stack": lambda m, x, d: m.stack([x, x], d),
    "split": lambda m, x, d: m.split(x, 2, d),
    "split sizes": lambda m, x, d: m.split(x, [1], d),
    "split_with_sizes": lambda m, x, d: m.split_with_sizes(x, [0], d),
    "chunk": lambda m, x, d: m.chunk(x, 2, d),
    "tensor_split": lambda m, x, d: m.tensor_split(x, 2, d),
    "unbind": lambda m, x, d: m.unbind(x, d),
    "narrow": lambda m, x, d: m.narrow(x, d, 0, 1),
    "narrow 0": lambda m, x, d: m.narrow(x, d, 0, 0),
    "select": lambda m, x, d: m.select(x, d, 0),
    "select_scatter": lambda m, x, d: m.select_scatter(x, m.ones((*x.shape[:-1],), dtype=m.float64), d, 0),
    "slice_scatter": lambda m, x, d: m.slice_scatter(x, x * 2, d),
    "unfold": lambda m, x, d: x.unfold(d, 1, 1),
    "unflatten": lambda m, x, d: m.unflatten(x, d, (1, -1)),
    "flatten": lambda m, x, d: m.flatten(x, d),
    "flatten to": lambda m, x, d: m.flatten(x, 0, d),
    "transpose": lambda m, x, d: m.transpose(x, d, 0),
    "movedim": lambda m, x, d: m.movedim(x, d, 0),
    "swapaxes": lambda m, x, d: m.swapaxes(x, d, -1),
    "size": lambda m, x, d: m.tensor(x.size(d)),
    "stride": lambda m, x, d: m.tensor(0 * x.stride(d)),
    "repeat_interleave": lambda m, x, d: m.repeat_interleave(x, 2, d),
    "repeat_interleave each": lambda m, x, d: m.repeat_interleave(x, m.tensor([2]), d),
    "gather": lambda m, x, d: m.gather(x, d, whole(m, x)),
    "gather vector": lambda m, x, d: m.gather(x, d, zero(m, 2)),
    "gather nothing": lambda m, x, d: m.gather(x, d, zero(m, 0)),
    "take_along_dim": lambda m, x, d: m.take_along_dim(x, whole(m, x), d),
    "index_select": lambda m, x, d: m.index_select(x, d, zero(m, 1)),
    "index_select 0-d": lambda m, x, d: m.index_select(x, d, zero(m)),
    "index_select none": lambda m, x, d: m.index_select(x, d, zero(m, 0)),
    "index_add": lambda m, x, d: m.index_add(x, d, zero(m, *x.shape[d : d + 1]) if isinstance(d, int) else zero(m, 1), x),
    "index_add nothing": lambda m, x, d: m.index_add(x, d, zero(m, 0), x),
    "index_add 1": lambda m, x, d: m.index_add(x, d, zero(m, 1), m.ones((1,), dtype=m.float64)),
    "index_copy": lambda m, x, d: m.index_copy(x, d, zero(m, 1), m.ones((1,), dtype=m.float64)),
    "index_copy 0-d": lambda m, x, d: m.index_copy(x, d, zero(m), m.ones((), dtype=m.float64)),
    "index_fill": lambda m, x, d: m.index_fill(x, d, zero(m, 1), 2.0),
    "index_fill 0-d": lambda m, x, d: m.index_fill(x, d, zero(m), 2.0),
    "index_fill none": lambda m, x, d: m.index_fill(x, d, zero(m, 0), 2.0),
    "scatter": lambda m, x, d: m.scatter(x, d, places(m, x, d), x * 2),
    "scatter vector": lambda m, x, d: m.scatter(x, d, zero(m, 1), m.ones(1, dtype=m.float64)),
    "scatter value": lambda m, x, d: m.scatter(x, d, whole(m, x), 3.0),
    "scatter_add": lambda m, x, d: m.scatter_add(x, d, whole(m, x), x * 2),
    "scatter_add nothing": lambda m, x, d: m.scatter_add(x, d, zero(m, 0), m.ones(0, dtype=m.float64)),
    "scatter_reduce": lambda m, x, d: m.scatter_reduce(x, d, whole(m, x), x * 2, "sum"),
    "scatter_reduce amax": lambda m, x, d: m.scatter_reduce(x, d, whole(m, x), x * 2, "amax"),
    "scatter_reduce prod": lambda m, x, d: m.scatter_reduce(x, d, whole(m, x), x * 2, "prod", include_self=False),
    "scatter_reduce mean": lambda m, x, d: m.scatter_reduce(x, d, whole(m, x), x * 2, "mean"),
    "diagonal": lambda m, x, d: m.diagonal(x, 0, 0, d),
    "diag_embed": lambda m, x, d: m.diag_embed(x, 0, 0, d),
    "cross": lambda m, x, d: m.cross(x, x * 2, d),
    "linalg.cross": lambda m, x, d: m.linalg.cross(x, x * 2, dim=d),
    "linalg.vecdot": lambda m, x, d: m.linalg.vecdot(x, x * 2, dim=d),
    "linalg.matrix_norm": lambda m, x, d: m.linalg.matrix_norm(x, dim=(0, d)),
    "rot90": lambda m, x, d: m.rot90(x, 1, (0, d)),
    "glu": lambda m, x, d: nn(m).glu(x, d),
    "cosine_similarity": lambda m, x, d: nn(m).cosine_similarity(x, x * 2, d),
    "tensordot": lambda m, x, d: m.tensordot(x, x, ([d], [d])),
}  # fmt: skip

#: Where PyTorch is left, and why: by function and, if not for all, shape and dim.
UNCHECKED = "PyTorch does not look at the axis where there is nothing to do"
OURS = "taken here: it can mean but one thing"
KEPT: dict[tuple[Any, ...], str] = {
    **{(name, dim): "all axes here, as in sum; PyTorch's gradient is another" for dim in ("()",) for name in (
        "var", "var correction 0", "var correction None", "var unbiased", "std", "std correction None", "var_mean", "std_mean")},
    **{(name, dim): "all axes, as in sum; PyTorch refuses it" for dim in ("None", "()") for name in
       ("logsumexp", "logsumexp keepdim")},
    **{(name, (0,), dim): UNCHECKED for dim in ("1", "-2", "2", "-3", "(0, 1)", "(1, -1)", "(0, 1, 2)") for name in
       ("roll", "cummax", "cummin", "diff 0", "cat", "cat with an empty vector", "linalg.vecdot")},
    **{(name, shape, dim): UNCHECKED for dim in ("2", "-3", "(0, 1, 2)") for shape in ((0, 3), (3, 0)) for name in
       ("roll", "cummax", "cummin", "diff 0", "linalg.vecdot")},
    **{("diff 0", str(dim)): UNCHECKED for dim in (1, -2, 2, -3)},
    **{("linalg.vecdot", shape, str(dim)): UNCHECKED for shape in ((1,), (3,)) for dim in (1, -2, 2, -3)},
    **{(name, shape, dim): OURS for shape, dims in (((0, 3), ("1", "-1")), ((3, 0), ("0", "-2"))) for dim in dims for name in
       ("quantile", "quantile keepdim", "nanquantile", "unique", "unique_consecutive")},
    **{("permute", dim): "a method takes numbers, and so does the function here" for dim in ("0", "-1")},
    ("softmin", "None"): "PyTorch guesses an axis, and warns",
}  # fmt: skip
#: Functions under two names, by the name that errors give.
NAMES = {"cat": "concat", "swapaxes": "transpose"}


def attempt(m: Any, call: Call, array: Any, dim: Any) -> tuple[list[Any], list[Any]] | Exception:
    """The results and the gradient, or the error, of a call in one library."""
    x = m.tensor(array, requires_grad=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = outputs(call(m, x, dim))
    except (IndexError, ValueError, RuntimeError, TypeError, NotImplementedError) as error:
        return error
    total = weighted(m, results)
    gradient = None
    if getattr(total, "requires_grad", False):
        (gradient,) = m.autograd.grad(total, [x], allow_unused=True)
    return results, [m.zeros_like(x) if gradient is None else gradient]


def different(name: str, call: Call, shape: tuple[int, ...], dim: Any) -> str:
    """How the two libraries differ; empty where they do not."""
    array = np.random.default_rng(len(shape)).normal(size=shape)
    ours, theirs = attempt(ad, call, array, dim), attempt(torch, call, array, dim)
    if isinstance(ours, Exception):
        if not isinstance(theirs, Exception):
            return f"we raise {type(ours).__name__}: {ours}"
        operation = name.partition(" ")[0].rpartition(".")[2]
        return "" if f"{NAMES.get(operation, operation)}" in str(ours) else f"the error does not name {operation}: {ours}"
    if isinstance(theirs, Exception):
        return f"only PyTorch raises {type(theirs).__name__}: {str(theirs).splitlines()[0]}"
    try:
        for a, b in zip(ours, theirs, strict=True):
            assert len(a) == len(b), f"{len(a)} and {len(b)} results"
            for one, other in zip(a, b, strict=True):
                same(one, other)
    except AssertionError as error:
        return f"{error}"
    return ""


CALLS = [(name, call, SEVERAL) for name, call in OVER_SEVERAL.items()] + [(name, call, AXES) for name, call in ALONG_ONE.items()]


@pytest.mark.parametrize(("name", "call", "dims"), CALLS, ids=[name for name, _, _ in CALLS])
def test_small_tensors_and_axes_of_every_kind_are_taken_or_refused_as_in_pytorch(
    name: str, call: Call, dims: tuple[Any, ...], backend: Any
) -> None:
    found = []
    for shape in SHAPES:
        for dim in dims:
            if {(name,), (name, shape), (name, shape, str(dim)), (name, str(dim))} & KEPT.keys():
                continue
            if difference := different(name, call, shape, dim):
                found.append(f"{shape}, dim={dim}: {difference}")
    assert not found, "\n".join(found)


def ones(m: Any, *shape: int) -> Any:
    return m.ones(shape, dtype=m.float64)


#: Functions without a ``dim``, and shapes of no elements, one, or no axes.
OTHERS: dict[str, tuple[Callable[[Any, Any], Any], list[tuple[int, ...]]]] = {
    "batch_norm": (lambda m, x: nn(m).batch_norm(x, None, None, training=True), [(0, 3), (0, 3, 2), (2, 3, 0)]),
    "batch_norm eval": (lambda m, x: nn(m).batch_norm(x, ones(m, 3), ones(m, 3)), [(0, 3), (0, 3, 2), (1, 3), (2, 3, 0)]),
    "layer_norm": (lambda m, x: nn(m).layer_norm(x, tuple(x.shape[1:])), [(0, 3), (2, 0), (1, 1)]),
    "group_norm": (lambda m, x: nn(m).group_norm(x, 1), [(0, 3), (0, 3, 2)]),
    "instance_norm": (lambda m, x: nn(m).instance_norm(x), [(0, 3, 2)]),
    "cross_entropy": (lambda m, x: nn(m).cross_entropy(x, zero(m, 0)), [(0, 3)]),
    "mse_loss": (lambda m, x: nn(m).mse_loss(x, x * 2), [(), (0,), (0, 3)]),
    "attention": (lambda m, x: nn(m).scaled_dot_product_attention(x, x, x), [(0, 3, 2), (1, 0, 2)]),
    "pad": (lambda m, x: nn(m).pad(x, (1, 1)), [(0,), (0, 3), (3, 0)]),
    "cov": (lambda m, x: m.cov(x), [(), (0,), (1,), (1, 1), (1, 3), (0, 3), (3, 0), (3, 1)]),
    "cov correction 2": (lambda m, x: m.cov(x, correction=2), [(), (1,), (3, 1), (1, 2)]),
    "corrcoef": (lambda m, x: m.corrcoef(x), [(), (0,), (1,), (3,), (1, 1), (1, 3), (0, 3), (3, 0), (2, 3)]),
    "diag": (lambda m, x: m.diag(x), [(0,), (1,), (0, 3), (3, 0)]),
    "kron": (lambda m, x: m.kron(x, x), [(), (0,), (0, 3)]),
    "column_stack": (lambda m, x: m.column_stack([x, x]), [(), (0,), (0, 3)]),
    "nonzero": (lambda m, x: m.nonzero(x), [(), (0,), (0, 3)]),
    "masked_select": (lambda m, x: m.masked_select(x, x > 0), [(), (0,), (0, 3)]),
    "repeat": (lambda m, x: x.repeat(0, 2), [(), (3,), (2, 3)]),
    "det": (lambda m, x: m.linalg.det(x), [(0, 0), (0, 2, 2)]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_functions_of_no_elements_of_one_and_of_no_axes_are_as_in_pytorch(name: str, backend: Any) -> None:
    call, shapes = OTHERS[name]
    found = [(shape, difference) for shape in shapes if (difference := different(name, lambda m, x, _: call(m, x), shape, None))]
    assert not found


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_a_correction_is_given_once(name: str, backend: Any) -> None:
    with pytest.raises(ValueError, match=f"{name}: give correction=1 or unbiased=True, not both"):
        getattr(ad, name)(ad.ones(3), correction=1, unbiased=True)


@pytest.mark.parametrize("dims", [1.0, True, "0", (0, 1.0), [True]])
def test_an_axis_is_an_integer(dims: Any, backend: Any) -> None:
    with pytest.raises(TypeError, match="sum: dim must be an integer, not "):
        ad.ones(2, 3).sum(dims)
    with pytest.raises(TypeError):
        torch.ones(2, 3).sum(dims)
