"""Products of matrices and vectors, and sums of products over named axes: matmul and its like, einsum and tensordot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import TYPE_CHECKING, Any

from ...arguments import Number, also, cut_along, integer, integers, publish, reads_numbers, tensor_of, widened
from ...primitive import as_input
from ...rules import elementwise as e, linalg, reductions, shapes
from ..diagonals import diagonal
from ..elementwise import cast
from ..shapes import roll

if TYPE_CHECKING:
    from ...tensor import Tensor

__all__ = [
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "bmm", "cross", "dot", "einsum", "inner", "matmul", "mm", "mv", "outer",
    "tensordot",
]  # fmt: skip

Labels = tuple[Any, ...]  #: of each axis: a letter, a number; negative numbers, from the last, for axes of an ellipsis
Labelled = tuple["Tensor", Labels]


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product ``x @ y``: vectors with vectors give a number, matrices may have batch axes that broadcast.

    Raises ``ValueError`` where the inner lengths differ or one of the two is 0-d.

    >>> import adjoint as ad
    >>> ad.matmul(ad.ones(2, 3), ad.ones(3))
    tensor([3., 3.])
    """
    x, y = as_input("matmul", x), as_input("matmul", y)
    shape_x, shape_y = getattr(x, "shape", ()), getattr(y, "shape", ())
    if not shape_x or not shape_y:
        raise ValueError(f"matmul: shapes {shape_x} and {shape_y}: both need at least one axis; use * to scale")
    columns, rows = shape_x[-1], shape_y[-2 if len(shape_y) > 1 else 0]
    if columns != rows:
        raise ValueError(f"matmul: shapes {shape_x} and {shape_y} do not match: {columns} columns against {rows} rows")
    if len(shape_x) > 1 and len(shape_y) > 1:
        return linalg.matmul(x, y)
    if len(shape_x) == 1 and len(shape_y) == 1:
        products = e.multiply(x, y)
        return cast(reductions.sum(widened(products)), products.dtype)
    if len(shape_x) == 1:
        return shapes.squeeze(linalg.matmul(shapes.expand_dims(x, axis=0), y), axis=-2)
    return shapes.squeeze(linalg.matmul(x, shapes.expand_dims(y, axis=1)), axis=-1)


def _of_axes(name: str, x: Tensor, y: Tensor, of_x: int, of_y: int) -> Tensor:
    if x.ndim != of_x or y.ndim != of_y:
        raise ValueError(f"{name}: takes tensors of {of_x} and {of_y} axes, not of shapes {x.shape} and {y.shape}; use matmul")
    return matmul(x, y)


def mm(x: Tensor, y: Tensor) -> Tensor:
    """The product of two matrices ``x`` and ``y``. Raises ``ValueError`` on other shapes."""
    return _of_axes("mm", x, y, 2, 2)


def mv(x: Tensor, y: Tensor) -> Tensor:
    """The product of a matrix ``x`` and a vector ``y``. Raises ``ValueError`` on other shapes."""
    return _of_axes("mv", x, y, 2, 1)


def bmm(x: Tensor, y: Tensor) -> Tensor:
    """The products of two stacks of matrices, ``x`` (b, n, m) and ``y`` (b, m, p). Raises ``ValueError`` on other shapes."""
    return _of_axes("bmm", x, y, 3, 3)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of the elements of two vectors ``x`` and ``y``. Raises ``ValueError`` on other shapes."""
    return _of_axes("dot", x, y, 1, 1)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """The matrix x_i y_j of two vectors ``x`` and ``y``."""
    return e.multiply(shapes.expand_dims(x, axis=1), y)


def inner(x: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last axes of ``x`` and ``other``, for all pairs of the others; with a 0-d tensor, the product.

    Raises ``ValueError`` where the last axes differ.
    """
    x, other = tensor_of("inner", x), tensor_of("inner", other)
    if not x.ndim or not other.ndim:
        return e.multiply(x, other)
    if x.shape[-1] != other.shape[-1]:
        raise ValueError(f"inner: shapes {x.shape} and {other.shape} have last axes of different lengths")
    return tensordot(x, other, ([-1], [-1]))


def cross(x: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of vectors of three elements along ``dim`` of ``x`` and ``other``; where None, the first such axis.

    Raises ``ValueError`` where there is none.
    """
    if x.ndim != other.ndim:
        raise ValueError(f"cross: shapes {x.shape} and {other.shape} have different numbers of axes")
    if dim is None:
        dim = next((i for i, n in enumerate(x.shape) if n == 3), 0)
    along = cut_along("cross", x, dim)
    if x.shape[along] != 3 or other.shape[along] != 3:
        raise ValueError(f"cross: axis {dim} of shapes {x.shape} and {other.shape} has three elements in both")
    following, preceding = ([roll(y, shift, along) for y in (x, other)] for shift in (-1, 1))
    return e.multiply(following[0], preceding[1]) - e.multiply(preceding[0], following[1])


# --- products added to something ---------------------------------------------------------------------------------------------


def _added(name: str, x: Tensor, product: Tensor, beta: Number, alpha: Number) -> Tensor:
    """beta x + alpha product. Where beta is 0 ``x`` is left out, NaN and all."""
    scaled = product if alpha == 1 else e.multiply(product, alpha)
    if beta == 0:
        return scaled
    total = e.add(x if beta == 1 else e.multiply(x, beta), scaled)
    if total.shape != product.shape:
        raise ValueError(f"{name}: what is added has shape {x.shape}, which does not broadcast to the product's {product.shape}")
    return total


@reads_numbers
def addmm(x: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha mat1 mat2.

    Args:
        x: broadcasts to (n, p).
        mat1, mat2: (n, m) and (m, p).
        beta, alpha: factors; where beta is 0, x is ignored, NaN too.
    """
    return _added("addmm", x, mm(mat1, mat2), beta, alpha)


@reads_numbers
def addmv(x: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha mat vec.

    Args:
        x: broadcasts to (n,).
        mat, vec: (n, m) and (m,).
        beta, alpha: factors; where beta is 0, x is ignored, NaN too.
    """
    return _added("addmv", x, mv(mat, vec), beta, alpha)


@reads_numbers
def addr(x: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha vec1 vec2^T.

    Args:
        x: broadcasts to (n, m).
        vec1, vec2: (n,) and (m,).
        beta, alpha: factors; where beta is 0, x is ignored, NaN too.
    """
    return _added("addr", x, outer(vec1, vec2), beta, alpha)


@reads_numbers
def baddbmm(x: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha batch1[i] batch2[i] for each i.

    Args:
        x: broadcasts to (b, n, p).
        batch1, batch2: (b, n, m) and (b, m, p).
        beta, alpha: factors; where beta is 0, x is ignored, NaN too.
    """
    return _added("baddbmm", x, bmm(batch1, batch2), beta, alpha)


@reads_numbers
def addbmm(x: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha times the sum over i of batch1[i] batch2[i].

    Args:
        x: broadcasts to (n, p).
        batch1, batch2: (b, n, m) and (b, m, p); raises ``ValueError`` on other shapes.
        beta, alpha: factors; where beta is 0, x is ignored, NaN too.
    """
    if batch1.ndim != 3 or batch2.ndim != 3:
        raise ValueError(f"addbmm: takes stacks of matrices, of 3 axes, not shapes {batch1.shape} and {batch2.shape}")
    return _added("addbmm", x, tensordot(batch1, batch2, ([0, 2], [0, 1])), beta, alpha)


# --- products of many --------------------------------------------------------------------------------------------------------


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices, in the order of fewest multiplications; the first and the last may be vectors.

    Raises ``ValueError`` where there are fewer than two, or their shapes are no matrices between the ends.

    T. H. Cormen et al., "Introduction to Algorithms", section 15.2.
    """
    chain = [tensor_of("multi_dot", x) for x in tensors]
    if len(chain) < 2:
        raise ValueError(f"multi_dot: takes two tensors or more, not {len(chain)}")
    if any(x.ndim != 2 for x in chain[1:-1]) or any(x.ndim not in (1, 2) for x in (chain[0], chain[-1])):
        raise ValueError(f"multi_dot: takes matrices, and vectors at the ends, not shapes {[x.shape for x in chain]}")
    heights = [x.shape[0] if x.ndim == 2 else 1 for x in chain[:1]] + [x.shape[0] for x in chain[1:]]
    sizes = [*heights, chain[-1].shape[1] if chain[-1].ndim == 2 else 1]
    cost: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(len(chain))}
    for length in range(1, len(chain)):
        for i in range(len(chain) - length):
            j = i + length
            products = ((cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j))
            cost[i, j] = min(products)
    return _multiplied(chain, cost, 0, len(chain) - 1)


def _multiplied(chain: list[Tensor], cost: dict[tuple[int, int], tuple[int, int]], i: int, j: int) -> Tensor:
    """The product of matrices ``i`` to ``j``, cut as ``cost`` says."""
    k = cost[i, j][1]
    return chain[i] if i == j else matmul(_multiplied(chain, cost, i, k), _multiplied(chain, cost, k + 1, j))


# --- sums of products over named axes ----------------------------------------------------------------------------------------


def einsum(*args: Any) -> Tensor:
    """The sum of products over labelled axes: ``einsum(equation, *operands)``.

    In ``"ij,jk->ik"`` each letter names an axis of an operand. A letter that the output lacks is summed over; one that an
    operand has twice selects its diagonal; ``...`` stands for the axes not named, which broadcast, as do axes of length 1.
    Without ``->`` the output has the axes of ``...``, then the letters that occur once, in alphabetical order. Instead of an
    equation, lists of numbers can name the axes: ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.

    Of more than two operands, the pair whose product needs least memory beyond its own is multiplied first, and so on.
    Raises ``ValueError`` where the equation does not match the operands.

    >>> import adjoint as ad
    >>> ad.einsum("ij,j->i", ad.ones(2, 3), ad.ones(3))
    tensor([3., 3.])
    """
    inputs, output, operands = _read(args)
    if len(inputs) != len(operands):
        raise ValueError(f"einsum: the equation names {len(inputs)} operands, and there are {len(operands)}")
    labelled = [(x, _named("einsum", labels, x)) for labels, x in zip(inputs, operands, strict=True)]
    counts = Counter(label for _, labels in labelled for label in labels)
    unnamed = sorted(label for label in counts if _is_unnamed(label))
    if output is None:
        output = (..., *sorted(label for label, count in counts.items() if count == 1 and not _is_unnamed(label)))
    output = tuple(label for part in output for label in (unnamed if part is ... else [part]))
    for label, count in Counter(output).items():
        if count > 1 or label not in counts:
            raise ValueError(f"einsum: {label!r} is in the output {'twice' if count > 1 else 'but in no operand'}")
    return _contract("einsum", labelled, output)


def _is_unnamed(label: Any) -> bool:
    return isinstance(label, int) and label < 0


def _read(args: tuple[Any, ...]) -> tuple[list[Labels], Labels | None, list[Any]]:
    """The operands' labels, the output's if given, and the operands."""
    equation, *operands = args
    if isinstance(equation, str):
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        inputs, arrow, output = equation.replace(" ", "").partition("->")
        return [_letters(part) for part in inputs.split(",")], _letters(output) if arrow else None, operands
    pairs, rest = args[: len(args) // 2 * 2], args[len(args) // 2 * 2 :]
    return [tuple(labels) for labels in pairs[1::2]], tuple(rest[0]) if rest else None, list(pairs[::2])


def _letters(part: str) -> Labels:
    before, ellipsis, behind = part.partition("...")
    if not all(letter.isascii() and letter.isalpha() for letter in before + behind):
        raise ValueError(f"einsum: {part!r} must consist of the letters a to z and A to Z and at most one '...'")
    return (*before, *([...] if ellipsis else []), *behind)


def _named(name: str, labels: Labels, x: Any) -> Labels:
    """One label an axis, numbers from -1 down, from the last, in place of an ellipsis."""
    ndim = tensor_of(name, x).ndim
    more = ndim - len(labels) + (... in labels)
    if more < 0 or (more and ... not in labels):
        raise ValueError(f"{name}: {len(labels) - (... in labels)} axes are named of an operand of shape {x.shape}")
    return tuple(label for part in labels for label in (range(-more, 0) if part is ... else [part]))


def _contract(name: str, operands: Sequence[Labelled], output: Labels) -> Tensor:
    """The sum of the operands' product over all labels but the output's."""
    sizes: dict[Any, int] = {}
    for x, labels in operands:
        for label, n in zip(labels, x.shape, strict=True):
            if n != 1 and sizes.get(label, 1) not in (1, n):
                raise ValueError(f"{name}: axis {label!r} has length {sizes[label]} in one operand and {n} in another")
            sizes[label] = n if sizes.get(label, 1) == 1 else sizes[label]
    pending = [_distinct(name, x, labels, sizes) for x, labels in operands]
    while len(pending) > 1:
        a, b = min(combinations(pending, 2), key=lambda pair: _growth(pair, pending, output, sizes))
        pending = [x for x in pending if x is not a and x is not b]
        pending.append(_pair_product(a, b, {*output, *(label for _, labels in pending for label in labels)}))
    total = _summed(pending[0], set(output))
    return _in_order(total, output)


def _distinct(name: str, x: Tensor, labels: Labels, sizes: dict[Any, int]) -> Labelled:
    """The diagonal where a label is repeated, and without axes of length 1 that others are longer in."""
    for label, count in Counter(labels).items():
        for _ in range(count - 1):
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(f"{name}: {label!r} names axes of lengths {x.shape[i]} and {x.shape[j]} of one operand")
            x = diagonal(x, 0, i, j)
            labels = (*(k for at, k in enumerate(labels) if at not in (i, j)), label)
    short = tuple(i for i, label in enumerate(labels) if x.shape[i] != sizes[label])
    if short:
        x, labels = shapes.squeeze(x, axis=short), tuple(label for i, label in enumerate(labels) if i not in short)
    return x, labels


def _growth(pair: tuple[Labelled, Labelled], pending: Sequence[Labelled], output: Labels, sizes: dict[Any, int]) -> int:
    """How many elements the pair's product has beyond its own."""
    elsewhere = {*output, *(label for x in pending if all(x is not y for y in pair) for label in x[1])}
    remaining = {label for _, labels in pair for label in labels if label in elsewhere}
    return prod(sizes[label] for label in remaining) - pair[0][0].numel() - pair[1][0].numel()


def _summed(operand: Labelled, remaining: set[Any]) -> Labelled:
    x, labels = operand
    axes = tuple(i for i, label in enumerate(labels) if label not in remaining)
    return (reductions.sum(x, axis=axes), tuple(k for k in labels if k in remaining)) if axes else operand


def _in_order(operand: Labelled, order: Labels) -> Tensor:
    x, labels = operand
    return x if labels == order else shapes.permute_dims(x, axes=tuple(labels.index(label) for label in order))


def _pair_product(a: Labelled, b: Labelled, remaining: set[Any]) -> Labelled:
    """The product, summed over the labels that do not remain: one matrix product for each element of the shared ones that do."""
    a, b = _summed(a, remaining | {*b[1]}), _summed(b, remaining | {*a[1]})
    of_a, of_b = a[1], b[1]
    both = tuple(label for label in of_a if label in of_b and label in remaining)
    inner = tuple(label for label in of_a if label in of_b and label not in remaining)
    rows, columns = (tuple(k for k in own if k not in other) for own, other in ((of_a, of_b), (of_b, of_a)))
    x, y = _in_order(a, both + rows + inner), _in_order(b, both + inner + columns)
    batch, high, wide = x.shape[: len(both)], x.shape[len(both) : len(both + rows)], y.shape[len(both + inner) :]
    if not inner:
        x = shapes.reshape(x, shape=(*x.shape, *(1,) * len(wide)))
        y = shapes.reshape(y, shape=(*batch, *(1,) * len(high), *wide))
        return e.multiply(x, y), both + rows + columns
    deep = prod(x.shape[len(both + rows) :])
    left = shapes.reshape(x, shape=(*batch, prod(high), deep))
    right = shapes.reshape(y, shape=(*batch, deep, prod(wide)))
    return shapes.reshape(linalg.matmul(left, right), shape=(*batch, *high, *wide)), both + rows + columns


@also(dims="axes")
def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """The sum of products over the last ``dims`` axes of ``a`` and the first of ``b``, or over two lists of their axes.

    The result has the other axes of ``a``, then those of ``b``. Raises ``ValueError`` where ``dims`` or the lengths do not match.

    >>> import adjoint as ad
    >>> ad.tensordot(ad.ones(2, 3, 4), ad.ones(4, 3), ([1, 2], [1, 0])).tolist()
    [12.0, 12.0]
    """
    a, b = tensor_of("tensordot", a), tensor_of("tensordot", b)
    pair: Any = dims
    if not (isinstance(dims, (tuple, list)) or len(getattr(dims, "shape", ())) > 0):
        n = integer("tensordot", "dims", dims)
        if not 0 <= n <= min(a.ndim, b.ndim):
            raise ValueError(f"tensordot: there are no {n} axes to sum over in both shapes, {a.shape} and {b.shape}")
        pair = (range(a.ndim - n, a.ndim), range(n))
    if len(pair) != 2:
        raise ValueError(f"tensordot: dims is a number, or two lists of axes, not {len(pair)} of them")
    lists = (integers("tensordot", "dims", axes) for axes in pair)
    of_a, of_b = (
        [cut_along("tensordot", x, i) for i in ((axes,) if isinstance(axes, int) else axes)]
        for axes, x in zip(lists, (a, b), strict=True)
    )
    if len(of_a) != len(of_b) or len({*of_a}) != len(of_a) or len({*of_b}) != len(of_b):
        raise ValueError(f"tensordot: dims are two lists of as many different axes, not {of_a} and {of_b}")
    labels = [a.ndim + i for i in range(b.ndim)]
    for i, j in zip(of_a, of_b, strict=True):
        labels[j] = i
    output = (*(i for i in range(a.ndim) if i not in of_a), *(label for label in labels if label >= a.ndim))
    return _contract("tensordot", [(a, tuple(range(a.ndim))), (b, tuple(labels))], output)


publish(globals())
