"""Preparing tensors: standardization, one-hot encoding, and splitting into training and test rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..autograd import Tensor
from ..autograd.arguments import reads_numbers
from ..autograd.creation import as_tensor
from ..autograd.functions import amax, amin, var, where
from ..autograd.precision import wide_inside
from ..autograd.random import Generator, randperm
from ..nn.functional import one_hot

__all__ = ["Standardized", "standardize", "to_categorical", "train_test_split"]


class Standardized(NamedTuple):
    """The result of :func:`standardize`: the values, and the mean and std they were computed with."""

    values: Tensor
    mean: Tensor
    std: Tensor


@wide_inside
@reads_numbers
def standardize(x: Tensor, mean: Tensor | None = None, std: Tensor | None = None, *, dim: int = 0) -> Standardized:
    """(x - mean) / std along ``dim``, where std has n in its denominator; 0 where x is constant.

    Args:
        x: floating point; float16 is computed in float32.
        mean: the training data's, for new data: ``standardize(test, train.mean, train.std).values``; by default that of ``x``.
        std: the training data's; by default that of ``x``.
        dim: the axis of the samples.

    Returns:
        The values, mean and std, in the dtype of ``x``; the latter two have length 1 along ``dim``.

    Raises ``ValueError`` where only one of mean and std is given, or there are no rows; ``TypeError`` on integers.

    >>> import adjoint as ad
    >>> train = standardize(ad.tensor([[1.0, 5.0], [3.0, 5.0]]))
    >>> train.values
    tensor([[-1.,  0.],
            [ 1.,  0.]])
    >>> standardize(ad.tensor([[2.0, 6.0]]), train.mean, train.std).values
    tensor([[0., 1.]])
    """
    if x.dtype.kind != "float":
        raise TypeError(f"standardize: takes floating-point tensors, not {x.dtype}; convert with .float() first")
    if (mean is None) != (std is None):
        raise ValueError("standardize: give both the mean and the std, or neither")
    if mean is None or std is None:
        if x.shape[dim] == 0:
            raise ValueError(f"standardize: a tensor of shape {x.shape} has no mean along axis {dim}")
        top = amax(x, dim, True)
        constant = top == amin(x, dim, True)  # exact, unlike the std, which rounding may make positive
        mean = where(constant, top, x.mean(dim, keepdim=True))
        std = where(constant, 0.0, var(x, dim, 0, True).sqrt())
    return Standardized((x - mean) / where(std == 0, 1.0, std), mean, std)


@reads_numbers
def to_categorical(x: Any, num_classes: int | None = None) -> Tensor:
    """:func:`one_hot` in float32, under Keras' name: class numbers (...,) to (..., num_classes).

    Raises ``TypeError`` and ``ValueError`` as :func:`one_hot` does.
    """
    return one_hot(as_tensor(x), -1 if num_classes is None else num_classes).float()


@reads_numbers
def train_test_split(
    *tensors: Any,
    test_size: float = 0.25,
    stratify: Tensor | Sequence[Any] | None = None,
    shuffle: bool = True,
    generator: Generator | None = None,
) -> list[Tensor]:
    """Split rows at random into training and test rows.

    Args:
        tensors: tensors, arrays or lists of equal length along the first axis, all split alike.
        test_size: the fraction of test rows (rounded up), or their number.
        stratify: a label per row; each label's fraction of the test rows is that of all rows, to within one row.
        shuffle: False keeps the rows in order, and the last ones are the test rows.
        generator: what to draw from; the default generator by default.

    Returns:
        Training and test rows of the first tensor, training and test rows of the second, …

    Raises ``ValueError`` where the lengths differ, a part would be empty, a label has a single row, or a part has fewer rows than
    there are labels; ``TypeError`` where ``test_size`` is no number.

    >>> import adjoint as ad
    >>> train, test = train_test_split(ad.arange(8), test_size=0.25, shuffle=False)
    >>> train, test
    (tensor([0, 1, 2, 3, 4, 5]), tensor([6, 7]))
    """
    wholes = [as_tensor(tensor) for tensor in tensors]
    lengths = [len(whole) if whole.ndim else 0 for whole in wholes]
    if len(set(lengths)) != 1:
        raise ValueError(
            f"train_test_split: the tensors must have equal numbers of rows, not {' and '.join(map(str, lengths)) or 'no'} rows"
        )
    n = lengths[0]
    if isinstance(test_size, bool) or not isinstance(test_size, (int, float)):
        raise TypeError(f"train_test_split: test_size is a fraction between 0 and 1 or a number of rows, not {test_size!r}")
    if isinstance(test_size, float) and not 0 < test_size < 1:
        raise ValueError(f"train_test_split: test_size={test_size} is not a fraction between 0 and 1; a number of rows is an int")
    n_test = test_size if isinstance(test_size, int) else math.ceil(test_size * n)
    if not 0 < n_test < n:
        raise ValueError(
            f"train_test_split: test_size={test_size} of {n} rows leaves {n - n_test} to train on and {n_test} to test; "
            "neither part may be empty"
        )
    if not shuffle:
        if stratify is not None:
            raise ValueError("train_test_split: stratify needs shuffle=True")
        return [part for whole in wholes for part in (whole[: n - n_test], whole[n - n_test :])]
    order = randperm(n, generator=generator)
    if stratify is not None:
        test = _stratified(order.tolist(), stratify, n_test)
        chosen = set(test)
        order = as_tensor([row for row in order.tolist() if row not in chosen] + test, dtype="int64")
    result = []
    for whole in wholes:
        here = order.to(whole.backend)
        result += [whole[here[: n - n_test]], whole[here[n - n_test :]]]
    return result


def _stratified(order: list[int], stratify: Tensor | Sequence[Any], n_test: int) -> list[int]:
    """``n_test`` of the rows in ``order``: each label's quota rounded down, and one more for the largest remainders."""
    labels = stratify.tolist() if isinstance(stratify, Tensor) else list(stratify)
    if len(labels) != len(order):
        raise ValueError(f"train_test_split: stratify has {len(labels)} labels for {len(order)} rows")
    rows: dict[Any, list[int]] = {}
    for row in order:
        rows.setdefault(labels[row], []).append(row)
    if single := [label for label, own in rows.items() if len(own) < 2]:
        raise ValueError(
            f"train_test_split: stratify: the label {single[0]!r} has a single row, which cannot be in both parts; "
            "leave that row out, or split without stratify"
        )
    if min(n_test, len(order) - n_test) < len(rows):
        raise ValueError(
            f"train_test_split: {len(rows)} labels do not fit into parts of {len(order) - n_test} and {n_test} rows; "
            "each part needs one row per label"
        )
    quotas = {label: divmod(len(own) * n_test, len(order)) for label, own in rows.items()}
    extra = n_test - sum(whole for whole, _ in quotas.values())
    first = set(sorted(quotas, key=lambda label: quotas[label][1], reverse=True)[:extra])
    taken = [row for label, own in rows.items() for row in own[: quotas[label][0] + (label in first)]]
    place = {row: i for i, row in enumerate(order)}
    return sorted(taken, key=place.__getitem__)
