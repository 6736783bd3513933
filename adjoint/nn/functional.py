"""``torch.nn.functional``: layers, activations and losses as functions.

Arguments that PyTorch has deprecated (``size_average``, ``reduce``) are left out, and what came after them goes by keyword.
"""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..autograd import functions as f
from ..autograd.random import default_generator
from ..autograd.rules import neural, reductions, shapes
from ..errors import BackendError

# --- layers ------------------------------------------------------------------------------------------------------------------


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input weight^T + bias: (..., in), (out, in), (out,) to (..., out).

    Raises ``ValueError`` where the input's last axis is not of length in.
    """
    if not isinstance(input, Tensor):
        raise TypeError(f"linear: the input is a {type(input).__name__}; it takes tensors, ad.tensor(…) makes one")
    shape, of_weight = input.shape, weight.shape
    if not shape or shape[-1] != of_weight[-1]:
        raise ValueError(
            f"linear: the input has shape {shape} and the weight {of_weight} (out_features, in_features); the input's last axis "
            f"must have in_features={of_weight[-1]} elements"
        )
    return f.matmul(input, weight.mT) if bias is None else neural.linear(input, weight, bias)


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Each element 0 with probability ``p``, else divided by 1 - p; the input itself where not ``training``.

    Drawn from the default generator of the input's device. Srivastava et al., "Dropout" (2014).

    Raises ``ValueError`` where ``p`` is not within [0, 1].
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: p is a probability from 0 to 1, not {p}")
    if not training or p == 0.0:
        return input
    backend, dtype = input.backend, input._array.dtype
    drawn = default_generator(backend).stream.uniform(input.shape, dtype)
    kept = backend.xp.astype(drawn >= p, dtype) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))
    return _returned(input * Tensor(kept, backend), input, inplace, "dropout_")


# --- activations -------------------------------------------------------------------------------------------------------------


def _returned(result: Tensor, input: Tensor, inplace: bool, name: str) -> Tensor:
    return input._write(result, name) if inplace else result


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)."""
    return _returned(neural.relu(input), input, inplace, "relu_")


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``negative_slope`` x. Maas et al. (2013)."""
    return _returned(neural.leaky_relu(input, negative_slope=negative_slope), input, inplace, "leaky_relu_")


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else ``alpha`` (exp x - 1). Clevert et al. (2016)."""
    return _returned(neural.elu(input, alpha=alpha), input, inplace, "elu_")


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x times the standard normal distribution function of x; with ``approximate="tanh"`` by the tanh formula.

    Hendrycks and Gimpel, "Gaussian Error Linear Units" (2016). Raises ``ValueError`` on another ``approximate``.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is 'none' or 'tanh', not {approximate!r}")
    return input * (neural.normal_cdf(input) if approximate == "none" else neural.normal_cdf_tanh(input))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x sigmoid(x), also called swish. Elfwing et al. (2018)."""
    return _returned(input * f.sigmoid(input), input, inplace, "silu_")


def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return f.sigmoid(input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent."""
    return f.tanh(input)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x is above ``threshold``."""
    return neural.softplus(input, beta=beta, threshold=threshold)


def softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """exp(x) over its sum along ``dim``, which must be given."""
    return f.softmax(input, _given("softmax", dim), dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: Any = None) -> Tensor:
    """The logarithm of :func:`softmax` along ``dim``, which must be given."""
    return f.log_softmax(input, _given("log_softmax", dim), dtype=dtype)


def _given(name: str, dim: int | None) -> int:
    if dim is None:
        raise ValueError(f"{name}: say along which axis, dim=1 for logits of shape (N, C) (PyTorch guesses, and warns)")
    return dim


# --- losses ------------------------------------------------------------------------------------------------------------------


def _checked(name: str, input: Tensor, target: Tensor, reduction: str) -> None:
    """Raise unless both are floating-point tensors of one shape, and the reduction is one."""
    _check_reduction(name, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"{name}: the input has shape {input.shape} and the target {target.shape}; they must be the same (nothing is "
            "broadcast: a target of shape (N,) against (N, 1) would pair every element with every other). Use .reshape or .squeeze"
        )
    for what, x in (("input", input), ("target", target)):
        if x.dtype.kind != "float":
            raise TypeError(f"{name}: the {what} is {x.dtype}; it must be floating-point, convert it with .float()")


def _check_reduction(name: str, reduction: str) -> None:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{name}: reduction is 'none', 'mean' or 'sum', not {reduction!r}")


def _reduced(losses: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is not None:
        losses = losses * weight
    if reduction == "none":
        return losses
    return reductions.mean(losses) if reduction == "mean" else reductions.sum(losses)


def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target)^2, averaged.

    Unlike PyTorch, which broadcasts with a warning, this raises ``ValueError`` where the shapes differ; ``TypeError`` on
    integers.
    """
    _checked("mse_loss", input, target, reduction)
    if weight is None and reduction != "none":
        n = input.numel() if reduction == "mean" else 1
        return neural.squared_error(input, target, scale=1.0 / n if n else float("nan"))
    return _reduced(f.square(input - target), weight, reduction)


def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """abs(input - target), averaged. Shapes must be the same, as for :func:`mse_loss`."""
    _checked("l1_loss", input, target, reduction)
    return _reduced(f.abs(input - target), weight, reduction)


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None) -> Tensor:
    """e^2 / 2 where abs(e) <= delta, else delta (abs(e) - delta / 2), e = input - target, averaged. Huber (1964).

    Shapes must be the same, as for :func:`mse_loss`. Raises ``ValueError`` where ``delta`` is not above 0.
    """
    _checked("huber_loss", input, target, reduction)
    if delta <= 0:
        raise ValueError(f"huber_loss: delta is above 0, not {delta}")
    error = input - target
    limited = f.clamp(error, -delta, delta)
    return _reduced(limited * (error - 0.5 * limited), weight, reduction)


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean") -> Tensor:
    """-target log(input) - (1 - target) log(1 - input), averaged, ``input`` being probabilities; logarithms end at -100.

    ``weight`` broadcasts against the elements. Raises ``ValueError`` where shapes differ or an input is not within [0, 1].
    """
    _checked("binary_cross_entropy", input, target, reduction)
    if input.numel():
        low, high = input.detach().amin().item(), input.detach().amax().item()
        if not 0.0 <= low <= high <= 1.0:
            raise ValueError(
                f"binary_cross_entropy: the input is from {low} to {high}, and probabilities are from 0 to 1; apply sigmoid, or "
                "use binary_cross_entropy_with_logits"
            )
    return _reduced(neural.binary_cross_entropy(input, target), weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean", pos_weight: Tensor | None = None
) -> Tensor:
    """:func:`binary_cross_entropy` of sigmoid(input), without overflow; ``pos_weight`` multiplies the term of target 1.

    ``weight`` and ``pos_weight`` broadcast against the elements. Raises ``ValueError`` where the shapes differ.
    """
    name = "binary_cross_entropy_with_logits"
    _checked(name, input, target, reduction)
    return _reduced(
        neural.binary_cross_entropy_with_logits(input, target, 1.0 if pos_weight is None else pos_weight), weight, reduction
    )


# --- losses over classes -----------------------------------------------------------------------------------------------------


def nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Tensor:
    """-weight[target] input[target] of log-probabilities, averaged by weight.

    Shapes and errors are those of :func:`cross_entropy` with class indices.
    """
    rows, index, _, scale = _by_rows("nll_loss", input, target, weight, ignore_index, reduction)
    return _shaped(_weighted(shapes.getitem(rows, index=index), scale), target, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy of logits: -log softmax(input)[target], averaged by weight.

    Args:
        input: logits of shape (C,), (N, C) or (N, C, d1, …).
        target: class indices, integers of shape (), (N,) or (N, d1, …); or probabilities in the shape and kind of the input.
        weight: a weight for each class, of shape (C,).
        ignore_index: targets of this class index count nothing, nor in the average.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        label_smoothing: this much of the target is spread evenly over all classes. Szegedy et al. (2016).

    Raises:
        IndexError: a class index is not from 0 to C - 1, nor ``ignore_index``.
        ValueError: shapes do not fit, or ``label_smoothing`` is not within [0, 1].
        TypeError: logits of integers, or indices of booleans.

    >>> import adjoint as ad
    >>> cross_entropy(ad.tensor([[0.0, 0.0], [0.0, 100.0]]), ad.tensor([0, 1]))
    tensor(0.3466)
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is from 0 to 1, not {label_smoothing}")
    if target.dtype.kind == "float":
        return _of_probabilities(input, target, weight, reduction, label_smoothing)
    rows, index, each, scale = _by_rows("cross_entropy", input, target, weight, ignore_index, reduction)
    if label_smoothing == 0.0:
        losses = neural.cross_entropy(rows, scale, index=index, total=reduction != "none")
        return _shaped(losses, target, reduction)
    rows = neural.log_softmax(rows, axis=1)
    everywhere = _weighted(reductions.sum(rows if weight is None else rows * weight, axis=1), each)
    own = _weighted(shapes.getitem(rows, index=index), scale)
    return _shaped((1.0 - label_smoothing) * own + label_smoothing / rows.shape[1] * everywhere, target, reduction)


def _class_axis(name: str, input: Tensor, weight: Tensor | None, reduction: str) -> int:
    """Which axis of the input has the classes."""
    _check_reduction(name, reduction)
    if input.dtype.kind != "float":
        raise TypeError(f"{name}: the input is {input.dtype}; it must be floating-point, convert it with .float()")
    if not input.ndim:
        raise ValueError(f"{name}: the input is 0-d; it must have shape (C,), (N, C) or (N, C, d1, …)")
    axis = min(1, input.ndim - 1)
    classes = input.shape[axis]
    if weight is not None and weight.shape != (classes,):
        raise ValueError(f"{name}: the weight has shape {weight.shape}; it must have one element for each of the {classes} classes")
    return axis


def _by_rows(
    name: str, input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str
) -> tuple[Tensor, Any, Any, Any]:
    """The input as rows of classes, what picks each row's own, and each row's part in the result, before and after weighting."""
    axis = _class_axis(name, input, weight, reduction)
    classes, backend = input.shape[axis], input.backend
    if target.dtype.kind not in ("int", "uint"):
        raise TypeError(f"{name}: the target is {target.dtype}; class indices are integers, convert it with .long()")
    if target.shape != input.shape[:axis] + input.shape[axis + 1 :]:
        raise ValueError(
            f"{name}: the input has shape {input.shape} and the target of class indices {target.shape}; it must be "
            f"{input.shape[:axis] + input.shape[axis + 1 :]}, the input's without the classes' axis {axis}"
        )
    if target.backend is not backend:
        raise BackendError(
            f"{name}: the input is on '{input.device}' and the target on '{target.device}'; move one with .to(device)"
        )
    rows = input if input.ndim == 2 else f.reshape(f.movedim(input, axis, -1), -1, classes)
    xp, own = backend.xp, backend.xp.reshape(target._array, (-1,))
    each: Any = 1.0
    if _check_classes(name, target, classes, ignore_index):
        kept = own != ignore_index
        own, each = xp.where(kept, own, 0), Tensor(xp.astype(kept, input._array.dtype), backend)
    scale = each if weight is None else f.getitem(weight.detach().to(input.dtype), Tensor(own, backend)) * each
    if reduction == "mean":
        total = scale.sum().item() if isinstance(scale, Tensor) else target.numel()
        each, scale = (part * (1.0 / total if total else float("nan")) for part in (each, scale))
    return rows, (xp.arange(rows.shape[0]), own), each, scale


def _check_classes(name: str, target: Tensor, classes: int, ignore_index: int) -> bool:
    """Raise ``IndexError`` on a target that is neither a class nor ignored. Returns whether some may be ignored."""
    xp, host = target.backend.xp, target.backend.to_numpy
    array = target._array
    if not target.numel():
        return False
    low, high = int(host(xp.min(array))), int(host(xp.max(array)))
    if not low <= ignore_index <= high and low >= 0 and high < classes:
        return False
    if not 0 <= ignore_index < classes:
        array = xp.where(array == ignore_index, 0, array)
        low, high = int(host(xp.min(array))), int(host(xp.max(array)))
    if low < 0 or high >= classes:
        raise IndexError(
            f"{name}: a target is class {low if low < 0 else high}, and the input has {classes} classes, 0 to {classes - 1} "
            f"(ignore_index is {ignore_index})"
        )
    return True


def _weighted(log_probabilities: Tensor, scale: Any) -> Tensor:
    """-scale log p; 0 where the scale is, infinite or not."""
    if isinstance(scale, Tensor):
        log_probabilities = f.where(scale == 0, 0.0, log_probabilities)
    return -scale * log_probabilities


def _shaped(losses: Tensor, target: Tensor, reduction: str) -> Tensor:
    """The rows' losses in the target's shape, or their sum. The mean of none is NaN, as in PyTorch."""
    if reduction == "none":
        return losses if losses.shape == target.shape else f.reshape(losses, target.shape)
    total = losses if not losses.ndim else reductions.sum(losses)
    return total if target.numel() or reduction == "sum" else total * float("nan")


def _of_probabilities(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float) -> Tensor:
    axis = _class_axis("cross_entropy", input, weight, reduction)
    if input.shape != target.shape:
        raise ValueError(
            f"cross_entropy: the input has shape {input.shape} and the floating-point target {target.shape}; a target of "
            "probabilities has the input's shape, and one of class indices is of integers, convert it with .long()"
        )
    classes = input.shape[axis]
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        target = target * f.reshape(weight, (classes,) + (1,) * (input.ndim - 1 - axis))
    return _reduced(-reductions.sum(target * neural.log_softmax(input, axis=axis), axis=axis), None, reduction)
