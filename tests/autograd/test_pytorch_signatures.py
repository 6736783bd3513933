"""Every function that this library means to share with PyTorch: as a function, a method and in place, with PyTorch's arguments."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.autograd import Primitive
from adjoint.nn import functional

from .oracle import agree, needs_pytorch, torch

TENSORS = (
    "abs acos acosh add addbmm addcdiv addcmul addmm addmv addr amax amin aminmax argmax argmin argsort asin asinh atan "
    "atan2 atanh atleast_1d atleast_2d atleast_3d baddbmm block_diag bmm broadcast_tensors broadcast_to cat cdist ceil "
    "chunk clamp clamp_max clamp_min clone column_stack copysign corrcoef cos cosh cov cross cummax cummin cumprod cumsum "
    "cumulative_trapezoid deg2rad diag diag_embed diagflat diagonal diagonal_scatter diff digamma dist div dot dsplit "
    "dstack einsum erf erfc erfinv exp exp2 expand expand_as expm1 fill flatten flip fliplr flipud float_power floor fmax "
    "fmin fmod frac gather gradient hsplit hstack hypot index_add index_fill index_put index_select inner isin kron "
    "kthvalue ldexp lerp lgamma log log10 log1p log2 log_softmax logaddexp logaddexp2 logcumsumexp logdet logit logsumexp "
    "masked_fill masked_scatter masked_select matmul max maximum mean median meshgrid min minimum mm mode movedim msort mul "
    "mv mvlgamma nan_to_num nanmean nanmedian nansum narrow neg norm outer permute pinverse polygamma pow prod qr quantile "
    "rad2deg ravel reciprocal remainder repeat repeat_interleave reshape roll rot90 round rsqrt scatter scatter_add "
    "scatter_reduce searchsorted select select_scatter sgn sigmoid sign sin sinc sinh slice_scatter softmax sort split "
    "split_with_sizes sqrt square squeeze stack std std_mean sub sum sum_to_size t take take_along_dim tan tanh "
    "tensor_split tensordot tile topk trace transpose trapezoid tril triu trunc unbind unflatten unfold unique unsqueeze "
    "var var_mean vdot view vsplit vstack where xlogy"
).split()
SPECIAL = (
    "digamma entr erf erfc erfinv exp2 expit expm1 gammaln log1p log_ndtr logit multigammaln ndtr polygamma psi sinc xlog1py xlogy"
).split()
LINALG = (
    "cholesky cond cross det diagonal inv lstsq matrix_norm matrix_power matrix_rank multi_dot norm pinv qr slogdet solve "
    "solve_triangular svd svdvals tensorinv tensorsolve vander vecdot vector_norm"
).split()
FUNCTIONAL = (
    "linear bilinear embedding one_hot pad unfold fold conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
    "conv_transpose3d max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d "
    "adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d max_unpool1d "
    "max_unpool2d max_unpool3d batch_norm layer_norm group_norm instance_norm rms_norm local_response_norm normalize relu "
    "relu6 leaky_relu prelu elu celu selu gelu silu mish glu hardtanh hardsigmoid hardswish hardshrink softshrink "
    "tanhshrink softplus softsign softmin logsigmoid threshold dropout dropout1d dropout2d dropout3d alpha_dropout "
    "feature_alpha_dropout interpolate pixel_shuffle pixel_unshuffle channel_shuffle cosine_similarity pairwise_distance "
    "scaled_dot_product_attention mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss kl_div "
    "binary_cross_entropy binary_cross_entropy_with_logits cosine_embedding_loss gaussian_nll_loss hinge_embedding_loss "
    "margin_ranking_loss multi_margin_loss poisson_nll_loss soft_margin_loss triplet_margin_loss "
    "triplet_margin_with_distance_loss"
).split()
FAMILIES: list[tuple[str, Any, ModuleType, list[str]]] = [
    ("torch", ad, torch, TENSORS),
    ("torch.special", ad.special, torch.special, SPECIAL),
    ("torch.linalg", ad.linalg, torch.linalg, LINALG),
    ("torch.nn.functional", functional, torch.nn.functional, FUNCTIONAL),
]

#: Arguments that mean nothing here: a buffer to write to, PyTorch's old names for ``reduction``, memory layouts, LAPACK's drivers,
#: sparse gradients; and ``inplace``, as nothing is saved by it.
MEANINGLESS = {
    "out", "size_average", "reduce", "_stacklevel", "memory_format", "sparse_grad", "driver", "sparse", "inplace",
}  # fmt: skip

#: Arguments that differ, and why.
DIFFERENT = {
    ("argsort", "stable"): "always stable here, and so by default",
    ("sort", "stable"): "always stable here, and so by default",
    ("kthvalue", "dim"): "None stands for the last axis in PyTorch",
    ("topk", "dim"): "None stands for the last axis in PyTorch",
    ("std", "correction"): "None stands for 1, so that it can be told whether unbiased is given beside it",
    ("std_mean", "correction"): "as in std",
    ("var", "correction"): "as in std",
    ("var_mean", "correction"): "as in std",
    ("vander", "N"): "by keyword only, as PyTorch's own code has it, which its documentation does not tell",
}

#: Signatures that PyTorch's documentation does not give in its first line.
WRITTEN = {
    "atleast_1d": "*tensors", "atleast_2d": "*tensors", "atleast_3d": "*tensors", "block_diag": "*tensors",
    "meshgrid": "*tensors", "clamp_max": "input, max", "clamp_min": "input, min", "index_fill": "input, dim, index, value",
    "fill": "input, value", "index_put": "input, indices, values, accumulate=False", "log_softmax": "input, dim, *, dtype=None",
    "std": "input, dim=None, *, correction=1, keepdim=False", "masked_fill": "input, mask, value",
    "masked_scatter": "input, mask, source", "split_with_sizes": "input, split_sizes, dim=0",
    "scaled_dot_product_attention":
        "query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False",
    "argmax": "input, dim=None, keepdim=False", "sum": "input, dim=None, keepdim=False, *, dtype=None",
    "max": "input, dim=None, keepdim=False", "mean": "input, dim=None, keepdim=False, *, dtype=None",
    "prod": "input, dim=None, keepdim=False, *, dtype=None", "median": "input, dim=None, keepdim=False",
    "min": "input, dim=None, keepdim=False", "nanmedian": "input, dim=None, keepdim=False",
    "nansum": "input, dim=None, keepdim=False, *, dtype=None", "squeeze": "input, dim=None",
    "unique": "input, sorted=True, return_inverse=False, return_counts=False, dim=None",
    "searchsorted": "sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None",
    "isin": "elements, test_elements, *, assume_unique=False, invert=False", "polygamma": "n, input", "vander": "x, *, N=None",
    "multigammaln": "input, p", "mvlgamma": "input, p",
}  # fmt: skip

Argument = tuple[str, str, str | None]  #: name, kind ("by position", "by keyword", "any number") and default


def of_text(signature: str) -> list[Argument]:
    code = ast.parse(f"def f({signature}): pass").body[0]
    assert isinstance(code, ast.FunctionDef)
    taken = code.args
    plain = [*taken.posonlyargs, *taken.args]
    defaults = [None] * (len(plain) - len(taken.defaults)) + [ast.unparse(d) for d in taken.defaults]
    found: list[Argument] = [(a.arg, "by position", d) for a, d in zip(plain, defaults, strict=True)]
    found += [(a.arg, "any number", None) for a in (taken.vararg,) if a]
    return found + [(a.arg, "by keyword", d and ast.unparse(d)) for a, d in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)]


def of_function(function: Any) -> list[Argument]:
    if isinstance(function, Primitive):
        defaults = {name: repr(value) for name, value in function.defaults.items()}
        return [(name, "by position", defaults.get(name)) for name in (*function.inputs, *function.parameters)]
    kinds = {"KEYWORD_ONLY": "by keyword", "VAR_POSITIONAL": "any number"}
    return [
        (p.name, kinds.get(p.kind.name, "by position"), None if p.default is p.empty else repr(p.default))
        for p in inspect.signature(function).parameters.values()
    ]


def of_torch(module: ModuleType, name: str) -> list[Argument] | None:
    """From the table above, the source, or the documentation's first line."""
    if name in WRITTEN and not (module is torch.linalg and name == "norm"):
        return of_text(WRITTEN[name])
    function = getattr(module, name)
    documented = re.match(r"[\w.]*\((.*)\)\s*$", (function.__doc__ or "").strip().split("\n")[0].split(" ->")[0])
    if (
        inspect.isfunction(function)
        and not hasattr(function, "_torch_dispatch")
        and "args" not in inspect.signature(function).parameters
    ):
        return of_function(function)
    return of_text(documented.group(1)) if documented else None


def same_value(a: str | None, b: str | None) -> bool:
    try:
        return a == b or (a is not None and b is not None and ast.literal_eval(a) == ast.literal_eval(b))
    except (ValueError, SyntaxError):
        return False


def differences(name: str, ours: list[Argument], theirs: list[Argument]) -> Iterator[str]:
    """Where a call as PyTorch documents it would be refused, or mean something else. Tensors are given by position."""
    places = {argument: i for i, (argument, _, _) in enumerate(ours)}
    aligned = True
    for i, (argument, kind, default) in enumerate(theirs):
        if argument in MEANINGLESS:
            aligned = aligned and kind == "by keyword"
        elif (name, argument) in DIFFERENT or kind == "any number":
            continue
        elif default is None and kind == "by position":
            if aligned and i >= len(ours):
                yield f"{name} takes no {argument}"
        elif argument not in places:
            yield f"{name} lacks {argument}={default}"
        else:
            _, own_kind, own_default = ours[places[argument]]
            if not same_value(default, own_default):
                yield f"{name}: {argument}={own_default}, PyTorch's {default}"
            if aligned and kind == "by position" and (places[argument] != i or own_kind != kind):
                yield f"{name}: {argument} stands at {places[argument]} {own_kind}, PyTorch's at {i}"


@pytest.mark.parametrize(("family", "ours", "theirs", "names"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_every_function_is_there(family: str, ours: Any, theirs: ModuleType, names: list[str]) -> None:
    assert not [f"{family}.{name}" for name in names if not hasattr(ours, name)]


def test_every_method_and_in_place_method_is_there() -> None:
    methods = [name for name in TENSORS if hasattr(torch.Tensor, name)]
    in_place = {f"{name}_" for name in TENSORS if hasattr(torch.Tensor, f"{name}_")}
    assert not [name for name in [*methods, *sorted(in_place), "mT", "T"] if not hasattr(ad.Tensor, name)]


@pytest.mark.parametrize(("family", "ours", "theirs", "names"), FAMILIES, ids=[family[0] for family in FAMILIES])
def test_arguments_have_pytorchs_order_names_and_defaults(family: str, ours: Any, theirs: ModuleType, names: list[str]) -> None:
    needs_pytorch("2.13")
    wrong: list[str] = []
    for name in names:
        if not hasattr(theirs, name) or not hasattr(ours, name):
            continue  # a method only, or the other test's to tell
        signature = of_torch(theirs, name)
        assert signature is not None, f"{family}.{name}: PyTorch does not tell its signature; it belongs into WRITTEN"
        wrong += differences(name, of_function(getattr(ours, name)), signature)
    assert not wrong


@pytest.mark.usefixtures("backend")
def test_filling_and_comparing_in_place_do_what_pytorchs_do() -> None:
    x = np.array([[1.0, -2.0], [0.5, 3.0]])
    agree(lambda m, x: m.fill(x, 2.0) * x, x)
    agree(lambda m, x, v: m.fill(x, v) * x, x, np.array(1.5), second=True)
    for name in ("eq_", "ne_", "lt_", "le_", "gt_", "ge_", "logical_and_", "logical_or_", "logical_xor_"):
        agree(lambda m, x, y, name=name: getattr(x.clone().detach(), name)(y.detach()), x, x.T)
    agree(lambda m, x: x.detach().clone().logical_not_(), x)
