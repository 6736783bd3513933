"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..arguments import Number, reads_numbers, tensor_of, widened
from ..primitive import as_input
from ..rules import elementwise as e
from ..rules import linalg, reductions, shapes
from .contraction import tensordot
from .elementwise import cast

if TYPE_CHECKING:
    from ..tensor import Tensor


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """The matrix product, as ``@``: vectors with vectors give a number, matrices may have batch axes that broadcast.

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
    """The product of two matrices."""
    return _of_axes("mm", x, y, 2, 2)


def mv(x: Tensor, y: Tensor) -> Tensor:
    """The product of a matrix and a vector."""
    return _of_axes("mv", x, y, 2, 1)


def bmm(x: Tensor, y: Tensor) -> Tensor:
    """The products of two stacks of matrices."""
    return _of_axes("bmm", x, y, 3, 3)


def dot(x: Tensor, y: Tensor) -> Tensor:
    """The sum of the products of two vectors' elements."""
    return _of_axes("dot", x, y, 1, 1)


def outer(x: Tensor, y: Tensor) -> Tensor:
    """The matrix x_i y_j."""
    return e.multiply(shapes.expand_dims(x, axis=1), y)


def inner(x: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last axes of both, for all pairs of the other axes; with a 0-d tensor, the product."""
    x, other = tensor_of("inner", x), tensor_of("inner", other)
    if not x.ndim or not other.ndim:
        return e.multiply(x, other)
    if x.shape[-1] != other.shape[-1]:
        raise ValueError(f"inner: shapes {x.shape} and {other.shape} have last axes of different lengths")
    return tensordot(x, other, ([-1], [-1]))


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
    """beta x + alpha mat1 mat2."""
    return _added("addmm", x, mm(mat1, mat2), beta, alpha)


@reads_numbers
def addmv(x: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha times a matrix times a vector."""
    return _added("addmv", x, mv(mat, vec), beta, alpha)


@reads_numbers
def addr(x: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha times the matrix of products of two vectors' elements."""
    return _added("addr", x, outer(vec1, vec2), beta, alpha)


@reads_numbers
def baddbmm(x: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha times the products of two stacks of matrices."""
    return _added("baddbmm", x, bmm(batch1, batch2), beta, alpha)


@reads_numbers
def addbmm(x: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """beta x + alpha times the sum of the products of two stacks of matrices."""
    if batch1.ndim != 3 or batch2.ndim != 3:
        raise ValueError(f"addbmm: takes stacks of matrices, of 3 axes, not shapes {batch1.shape} and {batch2.shape}")
    return _added("addbmm", x, tensordot(batch1, batch2, ([0, 2], [0, 1])), beta, alpha)


# --- products of many --------------------------------------------------------------------------------------------------------


def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of two or more matrices, in the order of fewest multiplications; the first and the last may be vectors.

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


def chain_matmul(*matrices: Tensor) -> Tensor:
    """:func:`multi_dot` of matrices, of which there may be one."""
    if any(x.ndim != 2 for x in matrices):
        raise ValueError(f"chain_matmul: takes matrices, not shapes {[x.shape for x in matrices]}")
    return matrices[0] if len(matrices) == 1 else multi_dot(matrices)
