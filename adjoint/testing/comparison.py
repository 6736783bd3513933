"""``assert_close``: compares two tensors elementwise, and reports where they differ."""

from __future__ import annotations

from typing import Any

from ..autograd import functions as f
from ..autograd.creation import as_tensor
from ..autograd.tensor import Tensor
from ..backends.dtypes import float64, int64

#: Relative and absolute tolerances by dtype, PyTorch's; integers and booleans must be equal.
TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}


def assert_close(
    actual: Tensor,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_dtype: bool = True,
) -> None:
    """Raise ``AssertionError`` unless ``abs(actual - expected) <= atol + rtol * abs(expected)`` for every element.

    Args:
        actual: a tensor.
        expected: a tensor of the same shape, or data that :func:`adjoint.as_tensor` takes.
        rtol, atol: the tolerances; those of the less precise dtype, as in ``torch.testing.assert_close``, if None.
        equal_nan: whether NaN equals NaN.
        check_dtype: whether the dtypes must be equal too.

    >>> import adjoint as ad
    >>> assert_close(ad.tensor([1.0, 2.0]), ad.tensor([1.0, 2.5]))
    Traceback (most recent call last):
        ...
    AssertionError: 1 of 2 elements differ; most of all at (1,): 2.0 against 2.5 (tolerance 1.325e-05)
    """
    expected = as_tensor(expected, device=actual.backend)
    if actual.shape != expected.shape:
        raise AssertionError(f"the shapes differ: {actual.shape} against {expected.shape}")
    if check_dtype and actual.dtype is not expected.dtype:
        raise AssertionError(f"the dtypes differ: {actual.dtype} against {expected.dtype}")
    of_dtype = max((TOLERANCES.get(x.dtype.name, (0.0, 0.0)) for x in (actual, expected)), default=(0.0, 0.0))
    rtol, atol = of_dtype[0] if rtol is None else rtol, of_dtype[1] if atol is None else atol
    integers = "float" not in (actual.dtype.kind, expected.dtype.kind)
    a, b = (x.detach().to(int64 if integers else float64) for x in (actual, expected))
    with a.backend.suppress_warnings():
        distance, allowed = f.abs(a - b), f.abs(b) * rtol + atol
    close = (a == b) | ((distance <= allowed) & f.isfinite(b))
    if equal_nan:
        close = close | (f.isnan(a) & f.isnan(b))
    wrong = int((~close).sum().item())
    if wrong:
        excess = f.where(close, -1.0, f.where(f.isfinite(distance), distance, float("inf")))
        worst = unravel(int(f.argmax(excess).item()), a.shape)
        raise AssertionError(
            f"{wrong} of {a.numel()} elements differ; most of all at {worst}: {actual[worst].item()} against "
            f"{expected[worst].item()} (tolerance {allowed[worst].item():.4g})"
        )


def unravel(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the element at ``position`` in row-major order."""
    index: list[int] = []
    for n in reversed(shape):
        position, i = divmod(position, n)
        index.insert(0, i)
    return tuple(index)
