"""Every public function in a captured function: replayed with the same bits, or refused by its name with what to use instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint import nn
from adjoint.autograd import Primitive
from adjoint.backends import Backend
from adjoint.capture.refusals import INSTEAD, SHOWN
from adjoint.errors import CaptureError
from adjoint.nn import functional as F

from .steps import alike, arrays

A = np.array([[0.7, -0.3, 0.4], [0.2, 0.9, -0.5]], "float32")
B = np.array([[0.25, 0.5, -0.75], [-0.5, 0.125, 0.3]], "float32")
P, Q = np.abs(A), np.abs(B)
C, I, M = np.array([2, 0]), np.array([[0, 1, 1], [1, 0, 1]]), np.array([[True, False, True], [False, True, True]])
S = np.array([[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]], "float32")
V, W = np.array([0.4, -0.6, 0.9], "float32"), np.array([-0.5, 0.0, 0.5], "float32")
X1, X2, X3 = (np.linspace(-1.0, 1.0, 2 * 4**n, dtype="float32").reshape(1, 2, *[4] * n) for n in (1, 2, 3))

#: What each required parameter is given, by its name: arrays become arguments of the captured function.
GIVEN: dict[str, Any] = {
    "x": A, "self": A, "input": A, "y": B, "other": B, "tensor": A, "condition": M, "mask": M, "value": 0.5, "values": B, "obj": A,
    "data": A, "A": S, "B": S, "L": S, "a": A, "b": A.T.copy(), "dim": 1, "dim0": 0, "dim1": 1, "source": B, "src": B, "target": B,
    "exponent": 2.0, "n": 2, "p": 2, "k": 2, "q": 0.5, "index": I, "indices": I, "x1": A, "x2": B, "input1": A, "input2": B,
    "end": B,
    "weight": 0.25, "tensor1": A, "tensor2": B, "min": -0.5, "max": 0.5, "start": 0, "length": 2, "steps": 4, "shape": (2, 3),
    "chunks": 2, "indices_or_sections": 1, "split_size_or_sections": 1, "split_sizes": [1, 1], "sizes": (3, 1), "shifts": 1,
    "row": 3, "col": 3, "dimension": 1, "step": 1, "size": 2, "fill_value": 0.5, "elements": I, "test_elements": I,
    "kernel_size": 2,
    "normalized_shape": (3,), "anchor": A, "positive": B, "negative": A, "logits": A, "sorted_sequence": W, "boundaries": W,
    "num_samples": 2, "pad": (1, 1), "threshold": 0.1, "dtype": ad.float64, "reduce": "sum", "output_size": 2, "norm_type": 2.0,
    "query": X1, "key": X1, "destination": 1, "batch1": X1, "batch2": X1, "var": Q, "probabilities": P,
    "*sizes": (2, 3), "*shape": (3, 2), "*dims": (1, 0), "*axes": (0,), "*size": (2, 3), "*target": (ad.float64,), "*args": (),
}  # fmt: skip

#: The calls of those that take something else: a function of tensors, and what these hold.
CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "addbmm": (ad.addbmm, (S[:2, :2], X2[0, :, :2], X2[0, :, :, :2])),
    "baddbmm": (ad.baddbmm, (X2[0, :, :2, :2], X2[0, :, :2], X2[0, :, :, :2])),
    "addmm": (ad.addmm, (S, S, S)),
    "addmv": (ad.addmv, (V, S, V)),
    "addr": (ad.addr, (S, V, V)),
    "bmm": (ad.bmm, (X2[0], X2[0])),
    "mm": (ad.mm, (S, S)),
    "matmul": (ad.matmul, (S, S)),
    "mv": (ad.mv, (S, V)),
    "dot": (ad.dot, (V, W)),
    "vdot": (ad.vdot, (V, W)),
    "ger": (ad.ger, (V, W)),
    "outer": (ad.outer, (V, W)),
    "logdet": (ad.logdet, (S,)),
    "vander": (ad.vander, (V,)),
    "moveaxis": (lambda x: ad.moveaxis(x, 0, 1), (A,)),
    "movedim": (lambda x: ad.movedim(x, 0, 1), (A,)),
    "bincount": (ad.bincount, (C,)),
    "clamp": (lambda x: ad.clamp(x, -0.5, 0.5), (A,)),
    "clip": (lambda x: ad.clip(x, -0.5), (A,)),
    "cartesian_prod": (ad.cartesian_prod, (V, W)),
    "meshgrid": (ad.meshgrid, (V, W)),
    "dsplit": (lambda x: ad.dsplit(x, 1), (X2[0],)),
    "diagonal_scatter": (ad.diagonal_scatter, (A, W[:2])),
    "einsum": (lambda x, y: ad.einsum("ij,ij->i", x, y), (A, B)),
    "index_add": (lambda x, i, y: ad.index_add(x, 0, i, y), (S, C, A)),
    "index_copy": (lambda x, i, y: ad.index_copy(x, 0, i, y), (S, C, A)),
    "index_fill": (lambda x, i: ad.index_fill(x, 0, i, 0.5), (S, C)),
    "index_select": (lambda x, i: ad.index_select(x, 0, i), (S, C)),
    "index_put": (lambda x, i: ad.index_put(x, (i,), 0.5), (S, C)),
    "scatter": (lambda x, i, y: ad.scatter(x, 1, i, y), (A, I, B)),
    "linspace": (lambda x: x + ad.linspace(0, 1, 3), (A,)),
    "logspace": (lambda x: x + ad.logspace(0, 1, 3), (A,)),
    "multinomial": (lambda x: ad.multinomial(x, 2), (P,)),
    "randint": (lambda x: x + ad.randint(0, 5, (3,)), (A,)),
    "normal": (ad.normal, (A, P)),
    "bernoulli": (ad.bernoulli, (P,)),
    "tensor": (lambda x, y: ad.tensor([x, y]), (V, W)),
    "repeat_interleave": (ad.repeat_interleave, (np.array([1, 2, 0]),)),
    "select": (lambda x: ad.select(x, 1, 0), (A,)),
    "select_scatter": (lambda x, y: ad.select_scatter(x, y, 0, 1), (A, V)),
    "unfold": (lambda x: ad.unfold(x, 1, 2, 1), (A,)),
    "where": (ad.where, (M,)),
    "full": (lambda x: x + ad.full((3,), 0.5), (A,)),
    "arange": (lambda x: x + ad.arange(3), (A,)),
    "eye": (lambda x: x + ad.eye(3), (S,)),
    "randperm": (lambda x: x + ad.randperm(3), (A,)),
    "tril_indices": (lambda x: x[ad.tril_indices(2, 2)[0]], (A,)),
    "triu_indices": (lambda x: x[ad.triu_indices(2, 2)[0]], (A,)),
    "bitwise": (lambda x, y: (x & y) | (x ^ y) << y >> y, (I, I)),
    "bitwise_not": (ad.bitwise_not, (I,)),
    "bitwise_and": (ad.bitwise_and, (I, I)),
    "bitwise_or": (ad.bitwise_or, (I, I)),
    "bitwise_xor": (ad.bitwise_xor, (I, I)),
    "bitwise_left_shift": (ad.bitwise_left_shift, (I, I)),
    "bitwise_right_shift": (ad.bitwise_right_shift, (I, I)),
    "result_type": (lambda x: x.to(ad.result_type(x, ad.float64)), (A,)),
    "polygamma": (lambda x: ad.polygamma(1, x), (P,)),
    "sort": (ad.sort, (A,)),
    "cov": (ad.cov, (A,)),
    **{
        f"adaptive_{kind}_pool{n}d": (lambda x, name=f"adaptive_{kind}_pool{n}d": getattr(F, name)(x, 2), (x,))
        for kind in ("avg", "max")
        for n, x in ((1, X1), (2, X2), (3, X3))
    },
    **{
        f"{kind}_pool{n}d": (lambda x, name=f"{kind}_pool{n}d": getattr(F, name)(x, 2), (x,))
        for kind in ("avg", "max")
        for n, x in ((1, X1), (2, X2), (3, X3))
    },
    **{f"lp_pool{n}d": (lambda x, name=f"lp_pool{n}d": getattr(F, name)(x, 2.0, 2), (x,)) for n, x in ((1, X1), (2, X2), (3, X3))},
    "max_unpool1d": (lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2), (X1,)),
    "max_unpool2d": (lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2), (X2,)),
    "max_unpool3d": (lambda x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2), (X3,)),
    **{f"conv{n}d": (getattr(F, f"conv{n}d"), (x, x[..., :2])) for n, x in ((1, X1), (2, X2[..., :2, :]), (3, X3[..., :2, :2, :]))},
    **{
        f"conv_transpose{n}d": (getattr(F, f"conv_transpose{n}d"), (x, x.swapaxes(0, 1)))
        for n, x in ((1, X1), (2, X2), (3, X3[..., :2, :2, :]))
    },
    "batch_norm": (F.batch_norm, (A, V, Q[0])),
    "instance_norm": (F.instance_norm, (X1,)),
    "group_norm": (lambda x: F.group_norm(x, 2), (X1,)),
    "local_response_norm": (lambda x: F.local_response_norm(x, 2), (X1,)),
    "layer_norm": (lambda x: F.layer_norm(x, (3,)), (A,)),
    "bilinear": (F.bilinear, (A, B, S[None])),
    "linear": (F.linear, (A, S)),
    "prelu": (F.prelu, (A, V)),
    "glu": (lambda x: F.glu(x, 0), (A,)),
    "binary_cross_entropy": (F.binary_cross_entropy, (P, Q)),
    "cosine_embedding_loss": (F.cosine_embedding_loss, (A, B, np.array([1.0, -1.0], "f"))),
    "cross_entropy": (F.cross_entropy, (A, C)),
    "nll_loss": (F.nll_loss, (A, C)),
    "multi_margin_loss": (F.multi_margin_loss, (A, C)),
    "multilabel_margin_loss": (F.multilabel_margin_loss, (A, np.array([[1, -1, 0], [2, 0, -1]]))),
    "embedding": (F.embedding, (C, S)),
    "embedding_bag": (F.embedding_bag, (I, S)),
    "embedding_bag with offsets": (F.embedding_bag, (C, S, np.array([0, 1]))),
    "one_hot": (F.one_hot, (C,)),
    "one_hot with num_classes": (lambda x: F.one_hot(x, 3), (C,)),
    "interpolate": (lambda x: F.interpolate(x, 2), (X1,)),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), (X1,)),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), (X2.reshape(1, 4, 2, 4),)),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 2), (X2,)),
    "softmax": (lambda x: x.softmax(1), (A,)),
    "log_softmax": (lambda x: x.log_softmax(1), (A,)),
    "softmin": (lambda x: F.softmin(x, 1), (A,)),
    "F.unfold": (lambda x: F.unfold(x, 2), (X2,)),
    "fold": (lambda x: F.fold(x, (3, 3), 2), (X2.reshape(1, 8, 4),)),
    "scaled_dot_product_attention": (F.scaled_dot_product_attention, (X1, X1, X1)),
    "solve_triangular": (lambda x: ad.linalg.solve_triangular(x, x, upper=True), (S,)),
    "tensorinv": (lambda x: ad.linalg.tensorinv(x, 1), (S,)),
    "tensorsolve": (ad.linalg.tensorsolve, (S, V)),
    "multi_dot": (lambda x: ad.linalg.multi_dot([x, x, x]), (S,)),
    "chain_matmul": (lambda x: ad.chain_matmul(x, x, x), (S,)),
    "lstsq of a tall matrix": (ad.linalg.lstsq, (A.T.copy(), V)),
    "item": (lambda x: x.sum().item(), (A,)),
    "unique": (ad.unique, (C,)),
    "isin": (ad.isin, (I, C)),
    "lerp": (ad.lerp, (A, B, Q)),
    "relu_": (lambda x: ad.relu_(x.clone()), (A,)),
    "tensordot": (lambda x, y: ad.tensordot(x, y, 1), (S, S)),
    "grad of a sum": (lambda x: ad.grad(lambda x: (x * x).sum())(x), (A,)),
    "jvp": (lambda x: ad.jvp(lambda x: x * x, [x], [x]), (A,)),
    "vjp": (lambda x: ad.vjp(lambda x: x * x, x)[0], (A,)),
    "hvp": (lambda x: ad.hvp(lambda x: (x**3).sum(), x, x), (A,)),
    "grad": (lambda x: ad.grad(lambda x: (x**3).sum())(x), (A,)),
    "value_and_grad": (lambda x: ad.value_and_grad(lambda x: (x**3).sum())(x), (A,)),
    "hessian": (lambda x: ad.hessian(lambda x: (x**3).sum())(x), (V,)),
    "jacobian": (lambda x: ad.jacobian(lambda x: x**3)(x), (V,)),
    "checkpoint": (lambda x: ad.checkpoint(lambda x: x * x, x), (A,)),
    "vector quantile": (ad.quantile, (A, Q[0])),
    "median of ties": (lambda x: ad.grad(ad.median)(x.round()), (A,)),
    "nanmedian along": (lambda x: ad.nanmedian(x, 1), (A,)),
    "clip_grad_norm_": (lambda x: clipped(x), (A,)),
    "pack_padded_sequence": (lambda x, n: packed(x, n), (X1, np.array([2]))),
    "new_full": (lambda x: x + x.new_full((3,), 0.5), (A,)),
    "fill_diagonal_": (lambda x: x.clone().fill_diagonal_(0.5), (A,)),
    "new_tensor": (lambda x: x.new_tensor([x[0], x[1]]), (A,)),
    "masked_scatter": (ad.masked_scatter, (A, M, B)),
}


def clipped(x: ad.Tensor) -> Any:
    w = x.detach().requires_grad_()
    with ad.enable_grad():
        (w * w).sum().backward()
    norm = nn.utils.clip_grad_norm_([w], 0.5, error_if_nonfinite=True)
    return norm, w.grad


def packed(x: ad.Tensor, lengths: ad.Tensor) -> Any:
    return nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True).data


#: Refused, by the name that the message begins with.
REFUSED = {
    "allclose", "argwhere", "bincount", "equal", "item", "masked_select", "nonzero", "one_hot", "pack_padded_sequence",
    "repeat_interleave", "tensor", "new_tensor", "tolist", "unique", "unique_consecutive", "where", "embedding_bag with offsets",
}  # fmt: skip

#: Not of tensors in a captured function: they make or ask for something else, or are tested as captured elsewhere.
OTHERS = {
    "adjoint": "a module's name", "capture": "is what is tested", "default_generator": "no tensor", "finfo": "no tensor",
    "empty": "no values", "empty_like": "no values", "new_empty": "no values", "numpy": "in test_guards", "cpu": "in test_guards",
    "mirrored": "a helper of linalg's", "backward": "in grad", "stride": "no tensor", "half": "strict has no float16",
    "from_dlpack": "other libraries' arrays", "from_numpy": "arrays", "graph": "a drawing", "iinfo": "no tensor", "load": "files",
    "save": "files", "manual_seed": "refused, in test_hidden_changes", "primitive": "a decorator", "promote_types": "dtypes",
    "broadcast_shapes": "shapes", "cuda": "another device", "to_device": "another device", "register_hook": "in test_layers",
    "retain_grad": "in test_layers", "is_tensor": "no tensor", "is_grad_enabled": "no tensor", "bernoulli_": "draws into memory",
    "requires_grad_": "changes no values", "detach_": "changes no values",
}  # fmt: skip


def required(function: Any) -> list[str]:
    """The names of the parameters without a default, those of any number with a star."""
    if isinstance(function, Primitive):
        return [name for name in (*function.inputs, *function.parameters) if name not in function.defaults]
    found = []
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.VAR_POSITIONAL:
            found.append("*" + p.name)
        elif p.default is p.empty and p.kind is not p.VAR_KEYWORD:
            found.append(p.name)
    return found


def by_name(function: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A call of a function with what :data:`GIVEN` has for its parameters."""
    names = required(function)
    if names in (["tensors"], ["*tensors"]):
        return (lambda *x: function(*x) if names[0][0] == "*" else function(list(x))), (A, B)
    given: list[Any] = []
    for name in names:
        given += list(GIVEN[name]) if name[0] == "*" else [GIVEN[name]]
    at = [i for i, part in enumerate(given) if isinstance(part, np.ndarray)]

    def call(*tensors: ad.Tensor) -> Any:
        parts = list(given)
        for i, x in zip(at, tensors, strict=True):
            parts[i] = x
        return function(*parts)

    return call, tuple(given[i] for i in at)


def functions() -> Iterator[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """Every public function and method by name, and how it is called."""
    for name, (call, given) in CALLS.items():
        yield name, call, given
    seen = set(CALLS)
    for owner in (ad, F, ad.linalg, ad.special, ad.Tensor):
        for name in getattr(owner, "__all__", dir(owner)):
            function = getattr(owner, name)
            own = isinstance(function, Primitive) or (getattr(function, "__module__", None) or "").startswith("adjoint")
            if name[0] == "_" or not callable(function) or inspect.isclass(function) or not own or name in OTHERS or name in seen:
                continue
            if owner in (ad.linalg, ad.special) and {"name", "t", "function", "value", "dtype"} & set(required(function)):
                continue  # a helper of the module's
            seen.add(name)
            if owner is ad.Tensor and name[-1] == "_":
                if name[:-1] not in CALLS:
                    yield name, *in_place(name)
            else:
                yield name, *by_name(function)


def in_place(name: str) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A call of a method that writes to a copy of its tensor."""
    method = getattr(ad.Tensor, name)
    plain = getattr(ad.Tensor, name[:-1], None) or getattr(ad, name[:-1], method)
    others = [GIVEN[n] for n in required(plain)[1:] if n != "*args"]
    at = [i for i, part in enumerate(others) if isinstance(part, np.ndarray)]

    def call(x: ad.Tensor, *tensors: ad.Tensor) -> Any:
        parts = list(others)
        for i, other in zip(at, tensors, strict=True):
            parts[i] = other
        return method(x.clone(), *parts)

    return call, (A, *(others[i] for i in at))


FUNCTIONS = {name: (call, given) for name, call, given in functions()}


def tensors_in(part: Any) -> list[ad.Tensor]:
    """The tensors in a result."""
    if isinstance(part, ad.Tensor):
        return [part.detach()]
    return [x for inner in part for x in tensors_in(inner)] if isinstance(part, (tuple, list)) else []


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_public_function_is_replayed_or_refused_by_its_name(name: str, backend: Backend) -> None:
    call, given = FUNCTIONS[name]
    first, second = ([ad.tensor(x * scale if x.dtype.kind == "f" else x) for x in given] for scale in (1.0, np.float32(0.875)))
    captured = ad.capture(lambda *x: tensors_in(call(*x)))
    with ad.no_grad(), backend.suppress_warnings():
        if name in REFUSED:
            with pytest.raises(CaptureError) as refused:
                captured(*first)
            shown, instead = str(refused.value).split(":")[0], str(refused.value).split("; ", 1)[1]
            source = next((key for key, value in SHOWN.items() if value == shown), shown)
            assert shown.partition("(")[0] in (name.partition(" ")[0], "nonzero"), refused.value
            assert instead == INSTEAD[source]
            return
        for x in (first, second, first, second):
            ad.manual_seed(0)
            found = arrays(captured(*x))
            ad.manual_seed(0)
            assert alike(found, arrays(tensors_in(call(*x))), backend)
        assert captured.stats.programs + captured.stats.replays == 4, "no call was without a recording"
        assert captured.stats.replays >= 2
