"""Conformance to the Python Array API standard: the differentiable namespace gives what ``array_api_strict`` gives.

The standard's own suite (data-apis/array-api-tests) is in no package index, so this file walks the same list: every function with
each of its keywords, dtypes and their promotion, Python scalars, broadcasting, empty and 0-d arrays, special values, operators,
indexing, inspection. A call is evaluated in both namespaces, for every dtype and shape for which the strict library defines it, and
the results must agree in shape, dtype and values. What differs on purpose is in :data:`EXCEPTIONS` with its reason; an exception
that no longer differs fails the test.
"""

from __future__ import annotations

import ast
import inspect
import operator
import re
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import array_api_strict as standard
import numpy as np
import pytest

import adjoint as ad
from adjoint.backends import Backend

from .oracle import to_numpy

xp = ad.autograd.namespace.xp

DTYPES = [dtype.name for dtype in ad.backends.dtypes.ALL if hasattr(standard, dtype.name)]
FLOATS = ["float32", "float64"]
SHAPES = [(2, 3), (1, 3), (3, 3), (0, 3), (3,), (1,), (0,), (), (2, 1, 3)]

#: What the standard has and the differentiable namespace has not, with the reason.
ABSENT = {
    "fft": "there are no complex tensors, which all its functions take or give",
    "imag": "there are no complex tensors",
    "complex64": "there are no complex tensors",
    "complex128": "there are no complex tensors",
    **dict.fromkeys(
        "Device ArrayAPIStrictFlags set_array_api_strict_flags get_array_api_strict_flags reset_array_api_strict_flags "
        "__version__".split(),
        "array_api_strict's own, not the standard's",
    ),
}

#: Patterns of "call | dtype | shape" whose results differ, by kind of call, with the reason.
EXCEPTIONS: dict[str, dict[str, str]] = {
    "arrays": {
        r"x\.size \|": "size() is PyTorch's method, which gives the shape; numel() counts the elements",
        r"can_cast\(.* \| (bool|u?int\d+) \|": "integers promote to floats and booleans to both, as in PyTorch",
        r"isin\(x, .*invert=True\)": "array_api_strict 2.6 does not read invert",
        r"linalg\.vector_norm\(x, axis=-1, ord=inf\) \| \w+ \| \(0,\)": "there is no largest of no elements, as in PyTorch",
    },
    "matrices": {},
    "free": {
        r"can_cast\(int32, float64\)": "integers promote to floats, as in PyTorch",
        r"\.dtypes\(kind=\"complex floating\"\)": "there are no complex tensors",
    },
    "elementwise": {
        r"\(x, y\) \| \w+ and \w+ \| \(\d+, 1\) and \(\)": "a 0-d tensor promotes as a number does, as in PyTorch",
        r"\(x, y\) \| \w+ and \w+ \| \(\) and \(\d+,\)": "a 0-d tensor promotes as a number does, as in PyTorch",
    },
    "operators": {},
}

#: Calls of an array ``x`` and a mask ``m`` of its shape, tried for every dtype and shape.
CALLS = """
sum(x)
sum(x, axis=0)
sum(x, axis=-1, keepdims=True)
sum(x, axis=(0, 1))
sum(x, axis=())
sum(x, dtype=float64)
sum(x, axis=0, dtype=int64)
prod(x)
prod(x, axis=0)
prod(x, axis=(0, -1), keepdims=True)
prod(x, axis=())
prod(x, dtype=float64)
max(x)
max(x, axis=1)
max(x, axis=(0, 1), keepdims=True)
min(x)
min(x, axis=0, keepdims=True)
mean(x)
mean(x, axis=-1, keepdims=True)
mean(x, axis=())
var(x)
var(x, axis=0, correction=1.0, keepdims=True)
std(x)
std(x, axis=0, correction=1, keepdims=True)
all(x)
all(x, axis=0, keepdims=True)
any(x)
any(x, axis=(0, 1), keepdims=True)
argmax(x)
argmax(x, axis=0)
argmax(x, axis=-1, keepdims=True)
argmin(x)
argmin(x, axis=1, keepdims=True)
count_nonzero(x)
count_nonzero(x, axis=0, keepdims=True)
cumulative_sum(x)
cumulative_sum(x, axis=0)
cumulative_sum(x, axis=-1, include_initial=True, dtype=float64)
cumulative_prod(x)
cumulative_prod(x, axis=0, include_initial=True)
cumulative_prod(x, axis=-1, dtype=int64)
diff(x)
diff(x, axis=0, n=2)
diff(x, axis=0, n=0)
diff(x, prepend=x, append=x)
sort(x)
sort(x, axis=0, descending=True, stable=True)
sort(x, stable=False)
argsort(x)
argsort(x, axis=0, descending=True, stable=True)
argsort(x, axis=0)
nonzero(x)
sort(unique_values(x))
unique_counts(x)
unique_inverse(x)
unique_all(x)
isin(x, x)
isin(x, asarray([1, 2], dtype=x.dtype), invert=True)
isin(x, 1)
isin(2, x)
where(m, x, x)
where(m, x, 1)
where(m, 0, x)
concat([x, x])
concat((x, x), axis=-1)
concat([x, x], axis=None)
stack([x, x])
stack((x, x), axis=1)
stack([x, x], axis=-1)
expand_dims(x, axis=0)
expand_dims(x, -1)
expand_dims(x, axis=(0, 2))
squeeze(x, axis=0)
squeeze(x, 1)
squeeze(x, axis=(0,))
reshape(x, (-1,))
reshape(x, shape=(3, 2), copy=True)
reshape(x, (1, -1), copy=False)
flip(x)
flip(x, axis=0)
flip(x, axis=(-1, 0))
roll(x, 1)
roll(x, shift=-1, axis=0)
roll(x, (1, 2), axis=(0, 1))
permute_dims(x, (1, 0))
permute_dims(x, axes=(-1, -2))
moveaxis(x, 0, -1)
moveaxis(x, (0, 1), (1, 0))
matrix_transpose(x)
linalg.matrix_transpose(x)
broadcast_to(x, (2, 2, 3))
broadcast_to(x, shape=(4, 2, 3))
broadcast_arrays(x, x)
broadcast_arrays(x, zeros((1,), dtype=x.dtype))
repeat(x, 2)
repeat(x, 0)
repeat(x, 2, axis=0)
repeat(x, asarray([1, 2]), axis=0)
repeat(x, asarray([0, 3]), axis=0)
tile(x, (2,))
tile(x, (2, 1))
tile(x, (2, 1, 2))
tile(x, ())
unstack(x)
unstack(x, axis=-1)
take(x, asarray([0, 1, 0]), axis=0)
take(x, asarray([1, -1]), axis=1)
take(x, asarray([], dtype=int64), axis=-1)
take_along_axis(x, asarray([[0, 1, 0]]), axis=0)
take_along_axis(x, asarray([[-1, 0], [1, -2]]))
take_along_axis(x, asarray([[-1], [-3]]), axis=-1)
tril(x)
tril(x, k=1)
triu(x)
triu(x, k=-1)
clip(x)
clip(x, 1)
clip(x, 1, 2)
clip(x, min=1)
clip(x, max=2)
clip(x, min=x)
clip(x, min=1, max=x)
clip(x, max=asarray(2, dtype=x.dtype))
zeros_like(x)
zeros_like(x, dtype=float32)
ones_like(x, dtype=int8)
full_like(x, 1)
full_like(x, fill_value=1)
full_like(x, 1, dtype=float64)
full_like(x, 1, device=x.device)
empty_like(x, dtype=int32).shape
zeros_like(x, device=None)
ones_like(x, device=x.device)
empty_like(x, device=None).dtype
asarray(x)
asarray(x, copy=True)
asarray(x, copy=False)
asarray(x, dtype=float64, device=None)
asarray(x, dtype=float64, copy=True)
astype(x, float64)
astype(x, int16, copy=False)
astype(x, bool)
astype(x, x.dtype, copy=True)
astype(x, x.dtype, device=None)
from_dlpack(x)
from_dlpack(x, device=None, copy=True)
isdtype(x.dtype, "bool")
isdtype(x.dtype, "integral")
isdtype(x.dtype, kind="signed integer")
isdtype(x.dtype, kind=("unsigned integer", "real floating"))
isdtype(x.dtype, (float32, "bool"))
isdtype(dtype=x.dtype, kind="numeric")
isdtype(x.dtype, "complex floating")
isdtype(x.dtype, int8)
can_cast(x, float64)
can_cast(x.dtype, int32)
can_cast(x.dtype, uint8)
result_type(x)
result_type(x, x.dtype)
result_type(x, x)
finfo(x).bits
finfo(x.dtype).max
finfo(x.dtype).min
finfo(x.dtype).eps
finfo(x.dtype).smallest_normal
finfo(x.dtype).dtype
iinfo(x).bits
iinfo(x.dtype).max
iinfo(x.dtype).min
iinfo(x.dtype).dtype
matmul(x, matrix_transpose(x))
matmul(x, x[0, ...])
x @ x.T
x @ x
vecdot(x, x)
vecdot(x, x[:1, ...])
vecdot(x, x, axis=-2)
linalg.vecdot(x, x, axis=-1)
tensordot(x, x, axes=0)
tensordot(x, x)
tensordot(x, x.T, axes=1)
tensordot(x, x, axes=((0,), (0,)))
tensordot(x, x, axes=((0, 1), (0, 1)))
linalg.tensordot(x, x, axes=((-1,), (-1,)))
linalg.matmul(x, x.T)
linalg.outer(x[0, ...], x[1, ...])
linalg.diagonal(x)
linalg.diagonal(x, offset=1)
linalg.diagonal(x, offset=-1)
linalg.trace(x)
linalg.trace(x, offset=1)
linalg.trace(x, dtype=float64)
linalg.trace(x, dtype=int64, offset=-1)
linalg.cross(x, flip(x, axis=-1))
linalg.cross(x, flip(x, axis=-1)[:1, ...], axis=-1)
linalg.matrix_norm(x)
linalg.matrix_norm(x, keepdims=True, ord=1)
linalg.matrix_norm(x, ord=-1)
linalg.matrix_norm(x, ord=2)
linalg.matrix_norm(x, ord=-2)
linalg.matrix_norm(x, ord=inf)
linalg.matrix_norm(x, ord=-inf)
linalg.matrix_norm(x, ord="nuc")
linalg.matrix_norm(x, ord="fro", keepdims=True)
linalg.vector_norm(x)
linalg.vector_norm(x, axis=0)
linalg.vector_norm(x, axis=(0, 1), keepdims=True, ord=1)
linalg.vector_norm(x, axis=-1, ord=inf)
linalg.vector_norm(x, ord=-inf)
linalg.vector_norm(x, ord=0)
linalg.vector_norm(x, ord=3)
linalg.vector_norm(x, ord=0.5)
linalg.svdvals(x)
linalg.svd(x, full_matrices=False).S
[u.shape for u in linalg.svd(x)]
[u.shape for u in linalg.svd(x, full_matrices=False)]
linalg.svd(x).S
[u.shape for u in linalg.qr(x, mode="complete")]
matmul(*linalg.qr(x, mode="reduced"))
matmul(*linalg.qr(x))
linalg.pinv(x)
linalg.pinv(x, rtol=0.4)
x[0, 0]
x[0, ...]
x[..., -1]
x[::-1, 1:]
x[None, ...]
x[..., None, :]
x[newaxis, ..., newaxis]
x[m]
x[m, ...]
x[x == 1]
x[asarray(True)]
x[asarray([0, 1]), asarray([1, -1])]
x[0, asarray([0, 1])]
x[asarray([[0], [1]]), asarray([0, 1])]
x[2]
x[0, 0, 0]
put(x, (0, 0), 1)
put(x, (..., 0), 2)
put(x, (slice(None), slice(0, 2)), 1)
put(x, m, 1)
put(x, m, asarray(1, dtype=x.dtype))
put(x, (0, ...), x[1, ...])
x.shape
x.ndim
x.dtype
x.size
x.T
x.mT
x.device == x.to_device(x.device).device
builtin_bool(x[0, 0])
builtin_bool(x)
builtin_int(x[1, 1])
builtin_float(x[1, 1])
builtin_complex(x[1, 1])
index(x[1, 1])
len(unstack(x))
"""

#: Calls of floating-point matrices, single and stacked: ``s`` symmetric and positive definite, ``q`` square, ``w`` tall.
MATRICES = """
linalg.cholesky(s)
linalg.cholesky(s, upper=True)
linalg.cholesky(s, upper=False)
linalg.det(q)
linalg.slogdet(q)
linalg.slogdet(q).logabsdet
linalg.slogdet(q).sign
linalg.inv(q)
linalg.solve(s, q)
linalg.solve(s, q[..., 0, :][..., None])
linalg.solve(s, asarray([1.0, 2.0, 3.0], dtype=s.dtype))
linalg.eigh(s).eigenvalues
abs(linalg.eigh(s).eigenvectors)
linalg.eigvalsh(s)
linalg.matrix_power(q, 0)
linalg.matrix_power(q, 3)
linalg.matrix_power(q, -2)
linalg.qr(q).Q @ linalg.qr(q).R
linalg.svd(q).U.shape
linalg.svd(q).S
linalg.svd(q).Vh.shape
linalg.matrix_rank(q)
linalg.pinv(q)
linalg.matrix_rank(w)
linalg.matrix_rank(w, rtol=0.4)
linalg.matrix_rank(w, rtol=asarray(0.4, dtype=w.dtype))
linalg.matrix_rank(stack([w, w]), rtol=full((2, *w.shape[:-2]), 0.4, dtype=w.dtype))
linalg.matrix_rank(stack([w, w]), rtol=reshape(asarray([0.4, 0.0], dtype=w.dtype), (2,) + (1,) * (w.ndim - 2)))
linalg.pinv(w)
linalg.pinv(w, rtol=0.4)
linalg.pinv(w, rtol=asarray(0.4, dtype=w.dtype))
linalg.pinv(stack([w, w]), rtol=reshape(asarray([0.4, 0.0], dtype=w.dtype), (2,) + (1,) * (w.ndim - 2)))
"""

#: Calls without a given array. Where no floating-point dtype is given, ours is float32 where the strict library has float64.
FREE = """
zeros(3)
zeros((2, 3))
zeros(shape=(2, 0), dtype=int32)
zeros((), device=None)
ones(shape=2, dtype=bool)
ones(shape=(2, 3), device=None)
empty(shape=(2, 3), dtype=uint16, device=None).shape
full((2,), 3)
full(3, True)
full(shape=(2, 2), fill_value=1.5)
full(shape=(), fill_value=-0.0, dtype=float64, device=None)
full(2, 2**63, dtype=uint64)
arange(5)
arange(0, stop=3)
arange(0, 3)
arange(1.0, stop=2.0, step=0.25)
arange(5, 1, -2, dtype=float64, device=None)
arange(5, stop=1, step=-1)
arange(3, 0)
arange(0, 2**40, 2**38, dtype=uint64)
linspace(0, 1, 5)
linspace(0.0, 1.0, num=4, dtype=float64, endpoint=False, device=None)
linspace(2, -1, num=7, dtype=float64)
linspace(3, 4, num=1, dtype=float64)
linspace(3, 4, num=0, dtype=float64)
linspace(0, 5, 1, endpoint=False, dtype=float32)
eye(3)
eye(2, 3)
eye(3, 2, k=1, dtype=int16, device=None)
eye(2, k=-1)
eye(2, None, k=5)
eye(0, 3)
asarray([[1, 2], [3, 4]])
asarray([1, 2.5])
asarray([True, False])
asarray(3)
asarray(1.5)
asarray(False)
asarray([], dtype=uint8)
asarray([0, 1], dtype=bool)
asarray([2**64 - 1, 1], dtype=uint64)
asarray([1, 2], dtype=float64, device=None, copy=True)
asarray([1, 2], copy=False)
meshgrid()
meshgrid(asarray([1, 2]), asarray([3, 4, 5]), asarray([6]))
meshgrid(asarray([1, 2]), asarray([3, 4, 5]), asarray([6]), indexing="ij")
meshgrid(asarray([1, 2]), indexing="ab")
broadcast_shapes((2, 1), (3,), ())
broadcast_shapes()
broadcast_shapes((2,), (3,))
result_type(int8, int16)
result_type(uint8, int8, int32)
result_type(float32, float64)
result_type(asarray([1], dtype=int8), 2)
result_type(asarray([1.0], dtype=float32), 2, 2.5)
result_type(uint32, int8)
can_cast(int8, int64)
can_cast(int64, int8)
can_cast(uint64, int64)
can_cast(uint8, int16)
can_cast(float64, float32)
can_cast(int32, float64)
searchsorted(asarray([1, 3, 3, 5]), asarray([[0, 3], [4, 9]]))
searchsorted(asarray([1, 3, 3, 5]), asarray([3, 1]), side="right")
searchsorted(asarray([5, 3, 1]), asarray([3, 2]), side="left", sorter=asarray([2, 1, 0]))
searchsorted(asarray([1.0, 2.0, nan]), asarray([1.5, nan, inf]))
searchsorted(asarray([], dtype=float64), asarray([1.0], dtype=float64))
sort(unique_values(asarray([3.0, nan, 1.0, nan, -0.0, 0.0])))
unique_counts(asarray([3.0, 1.0, 3.0])).counts
unique_all(asarray([3.0, 1.0, 3.0])).indices
unique_inverse(asarray([[3, 1], [1, 3]])).inverse_indices
unique_counts(asarray([nan, 1.0, nan])).counts
unique_inverse(asarray([nan, 1.0, nan])).values
isin(asarray([1, 2, 3]), asarray([2]), invert=False)
sum(asarray([200, 100], dtype=uint8))
sum(asarray([2**63, 2**63 - 1], dtype=uint64))
sum(asarray([100, 100], dtype=int8))
sum(asarray([100, 100], dtype=int8), dtype=int8)
prod(asarray([100, 100], dtype=int8))
prod(asarray([2**63, 1], dtype=uint64))
cumulative_sum(asarray([100, 100], dtype=uint8))
cumulative_prod(asarray([100, 100], dtype=uint16))
nextafter(asarray([1.0, -1.0, 0.0, nan]), asarray([2.0, 2.0, -1.0, 1.0]))
nextafter(asarray([1.0], dtype=float32), asarray([inf], dtype=float32))
clip(asarray([nan, 1.0, -inf]), 0.0, 2.0)
clip(asarray([1.0, 2.0, 3.0]), nan, 2.0)
clip(asarray([1.0, 2.0]), asarray([nan, 0.0]), 2.0)
where(asarray([True, False]), asarray(1.0), asarray([2.0, 3.0]))
where(asarray([True, False]), 1, asarray([2, 3], dtype=int8))
where(asarray([[True], [False]]), asarray([1, 2]), asarray([3, 4]))
where(asarray(True), asarray([1], dtype=int8), asarray([300], dtype=int16))
logical_and(asarray([True, False]), True)
logical_or(False, asarray([True, False]))
logical_xor(asarray([True, False]), True)
tile(asarray([1, 2]), (2, 2))
concat([asarray([1], dtype=int8), asarray([2], dtype=int16)])
stack([asarray([1], dtype=int8), asarray([2], dtype=uint8)])
concat([])
stack([])
concat([asarray([1, 2]), asarray([[1, 2]])])
reshape(asarray([1, 2, 3]), (2, 2))
reshape(asarray([[1, 2], [3, 4]]).T, (4,), copy=False)
broadcast_to(asarray([1, 2]), (3,))
expand_dims(asarray([1]), axis=2)
squeeze(asarray([[1, 2]]), axis=1)
permute_dims(asarray([[1, 2]]), (0,))
permute_dims(asarray([[1, 2]]), (0, 0))
flip(asarray([1, 2]), axis=1)
roll(asarray([1, 2]), (1, 2), axis=(0,))
sort(asarray([1, 2]), axis=1)
argmax(asarray([1, 2]), axis=1)
argmax(asarray([], dtype=float64))
max(asarray([], dtype=float64))
take(asarray([1, 2, 3]), asarray([0, 2]))
take(asarray([1, 2, 3]), asarray([3]), axis=0)
take_along_axis(asarray([1, 2, 3]), asarray([-1, 0]), axis=0)
take_along_axis(asarray([1, 2, 3]), asarray([3]), axis=0)
take_along_axis(asarray([1, 2, 3]), asarray([-4]), axis=0)
take_along_axis(asarray([1, 2, 3]), asarray([[0]]), axis=0)
repeat(asarray([1, 2]), asarray([1, 2, 3]), axis=0)
repeat(asarray([1, 2]), -1)
unstack(asarray(1))
matmul(asarray(1.0), asarray([1.0]))
matmul(asarray([1.0, 2.0]), asarray([1.0]))
matmul(asarray([1, 2], dtype=int8), asarray([1, 2], dtype=int16))
matmul(zeros((2, 0)), zeros((0, 3)))
matmul(ones((2, 1, 2, 3)), ones((4, 3, 2)))
vecdot(asarray([1.0, 2.0]), asarray([1.0]))
vecdot(asarray([1.0, 2.0]), asarray([1.0, 2.0, 3.0]))
vecdot(asarray([[1, 2]], dtype=int8), asarray([[100], [100]], dtype=int8))
vecdot(asarray([100, 100], dtype=int8), asarray([100, 100], dtype=int8))
vecdot(ones((2, 3)), ones((4, 2, 3)), axis=0)
vecdot(ones((2, 3)), ones((4, 2, 3)), axis=-2)
tensordot(asarray([1.0, 2.0]), asarray([1.0, 2.0, 3.0]), axes=1)
linalg.cross(asarray([1.0, 2.0]), asarray([1.0, 2.0]))
linalg.cross(ones((3, 2)), ones((3, 2)), axis=-2)
linalg.outer(asarray([1, 2]), asarray([3.0]))
linalg.det(ones((2, 3)))
linalg.inv(zeros((2, 2)))
linalg.cholesky(-eye(2))
linalg.det(zeros((0, 0)))
linalg.matrix_norm(asarray([1.0]))
linalg.matrix_power(ones((2, 3)), 2)
linalg.trace(asarray([[100, 0], [0, 100]], dtype=int8))
linalg.trace(asarray([[100, 0], [0, 100]], dtype=uint8))
linalg.trace(ones((2, 3, 3), dtype=float32))
linalg.trace(ones((2, 3, 3), dtype=float32), dtype=float64)
linalg.vector_norm(zeros((0,)))
linalg.vector_norm(asarray([1, 2]))
diff(asarray([1, 4, 9]), prepend=asarray([0]), n=2, axis=0)
diff(asarray([3, 1], dtype=uint8))
diff(asarray(1))
cumulative_sum(ones((2, 2)))
cumulative_sum(asarray([[1, 2]]), axis=2)
count_nonzero(asarray([nan, 0.0, -0.0]))
mean(asarray([], dtype=float64))
sum(asarray([], dtype=float32))
prod(asarray([], dtype=int8))
std(asarray([1.0]), correction=1)
var(asarray([1.0, 2.0]), correction=2)
any(asarray([nan]))
all(asarray([], dtype=bool))
any(asarray([], dtype=float64))
argmin(asarray([1.0, nan, 0.0]))
argmax(asarray([1.0, nan, nan]))
max(asarray([1.0, nan]))
min(asarray([nan, 1.0]))
sum(asarray([inf, -inf]))
isdtype(float32, "real")
isdtype(float32, ())
astype(asarray([1.9, -1.9]), int32)
astype(asarray([256 + 1, -1]), uint8)
e, pi, inf, nan, newaxis
__array_namespace_info__().capabilities()["boolean indexing"]
__array_namespace_info__().capabilities()["data-dependent shapes"]
__array_namespace_info__().capabilities()["max dimensions"]
sorted(__array_namespace_info__().default_dtypes(device=None))
sorted(__array_namespace_info__().dtypes(device=None, kind="integral"))
sorted(__array_namespace_info__().dtypes(kind="real floating"))
sorted(__array_namespace_info__().dtypes(kind=("bool", "unsigned integer")))
sorted(__array_namespace_info__().dtypes(kind="complex floating"))
__array_namespace_info__().dtypes(kind="integers")
__array_namespace_info__().default_dtypes()["integral"]
__array_namespace_info__().default_dtypes()["indexing"]
__array_namespace_info__().default_dtypes()["real floating"]
__array_namespace_info__().default_device() in __array_namespace_info__().devices()
"""

UNARY = (
    "abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor isfinite isinf isnan log log1p log2 "
    "log10 logical_not negative positive real reciprocal round sign signbit sin sinh sqrt square tan tanh trunc"
).split()
BINARY = (
    "add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide "
    "greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply "
    "nextafter not_equal pow remainder subtract"
).split()
OPERATORS = "+ - * / // % ** & | ^ << >> @ == != < <= > >=".split()
NUMBERS = ("True", "0", "2", "-3", "-0.0", "2.5", "inf", "nan")


# --- the cases ----------------------------------------------------------------------------------------------------------------


def numbers(dtype: str, shape: tuple[int, ...]) -> Any:
    """Small numbers of the dtype, with ties and, where it has them, negative ones."""
    found = np.resize(np.array([1, -2, 0, 3, 1, 2, -1, 5, 0, 4]), shape)
    return (abs(found) if dtype.startswith("uint") else found).astype(dtype)


def corners(dtype: str) -> Any:
    """The numbers of the dtype for which the standard has special cases."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in FLOATS:
        tiny, large = np.finfo(dtype).tiny, [0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 1e3, np.inf]
        return np.array([*(-x for x in large), -tiny, -0.0, 0.0, tiny, *large, np.nan], dtype)
    limits = np.iinfo(dtype)
    return np.array(sorted({limits.min, limits.max, 0, 1, 2, 5, *([-1, -2, -7] if limits.min else [])}), dtype)


def second(name: str, dtype: str) -> Any:
    """The second operands for which the standard defines the function of integers."""
    y = corners(dtype)
    if dtype in ("bool", *FLOATS):
        return y
    if "shift" in name or name == "pow":
        return np.array([0, 1, 2, 3], dtype)
    return y[y != 0] if name in ("floor_divide", "remainder") else y


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def arrays() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for call in lines(CALLS):
        for dtype in DTYPES:
            for shape in SHAPES:
                if shape == () and re.search(r"axis=|sort\(|cumulative|diff", call):
                    continue  # the standard asks for an axis
                x = numbers(dtype, shape)
                yield f"{call} | {dtype} | {shape}", call, {"x": x, "m": np.resize([True, False, True], shape)}


def matrices() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for call in lines(MATRICES):
        for dtype in FLOATS:
            for lead in ((), (2,)):
                q = np.random.default_rng(1).normal(size=(*lead, 3, 3))
                s, w = q @ np.swapaxes(q, -1, -2) + np.eye(3), q[..., :2] * [1.0, 0.01]
                yield f"{call} | {dtype} | {lead}", call, {k: v.astype(dtype) for k, v in (("q", q), ("s", s), ("w", w))}


def free() -> Iterator[tuple[str, str, dict[str, Any]]]:
    return ((call, call, {}) for call in lines(FREE))


def elementwise() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name in UNARY:
        for dtype in DTYPES:
            for x in (corners(dtype), corners(dtype)[:0].reshape(0, 3), corners(dtype)[1]):
                yield f"{name}(x) | {dtype} | {x.shape}", f"{name}(x)", {"x": x}
    for name in BINARY:
        for a in DTYPES:
            x = corners(a)
            for b in DTYPES:
                y = second(name, b)
                for u, v in ((x[:, None], y), (x[:0, None], y), (x[1], y[1]), (x[:, None], y[1]), (x[1], y)):
                    yield f"{name}(x, y) | {a} and {b} | {u.shape} and {v.shape}", f"{name}(x, y)", {"x": u, "y": v}
            for number in NUMBERS:
                integers = "int" in a
                if integers and ((number == "0" and name in ("floor_divide", "remainder")) or (number == "-3" and a[0] == "u")):
                    continue
                if number == "-3" and integers and (name == "pow" or "shift" in name):
                    continue
                yield f"{name}(x, {number}) | {a}", f"{name}(x, {number})", {"x": x}
                yield f"{name}({number}, x) | {a}", f"{name}({number}, x)", {"x": second(name, a)}


def operators() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for sign in OPERATORS:
        in_place = OPERATORS.index(sign) <= OPERATORS.index("@")
        for a in DTYPES:
            x = numbers(a, (2, 2))
            for b in DTYPES:
                y = abs(numbers(b, (2, 2))) + np.ones(1, b)
                for call in (f"x {sign} y", *([f"written(x, {sign!r}, y)"] if in_place else [])):
                    yield f"{call} | {a} and {b}", call, {"x": x, "y": y}
            for number in ("True", "2", "2.5"):
                for call in (
                    f"x {sign} {number}",
                    f"{number} {sign} x",
                    *([f"written(x, {sign!r}, {number})"] if in_place else []),
                ):
                    yield f"{call} | {a}", call, {"x": abs(x) + np.ones(1, a)}


KINDS = {"arrays": arrays, "matrices": matrices, "free": free, "elementwise": elementwise, "operators": operators}


def written(x: Any, sign: str, y: Any) -> Any:
    """``x`` after an augmented assignment."""
    scope = {"x": x, "y": y}
    exec(f"x {sign}= y", scope)
    assert scope["x"] is x or scope["x"].dtype != x.dtype
    return scope["x"]


def put(x: Any, index: Any, value: Any) -> Any:
    """``x`` after ``x[index] = value``."""
    x[index] = value
    return x


HELPERS = {
    "put": put, "written": written, "index": operator.index, "builtin_bool": bool, "builtin_int": int, "builtin_float": float,
    "builtin_complex": complex, "sorted": sorted, "len": len, "slice": slice,
}  # fmt: skip


def evaluated(namespace: Any, call: str, given: dict[str, Any], requires_grad: bool = False) -> Any:
    """The result of the call in the namespace, or the exception that it raised."""
    names = vars(namespace) | HELPERS | {"linalg": namespace.linalg}
    names |= {name: namespace.asarray(array, copy=True) for name, array in given.items()}
    if requires_grad:
        names |= {name: names[name].requires_grad_() for name, array in given.items() if array.dtype.kind == "f"}
    with warnings.catch_warnings(action="ignore"):
        try:
            return eval(call, names)
        except Exception as error:
            return error


@pytest.fixture(autouse=True)
def newest() -> Iterator[None]:
    """The strict library has every function of the standard's newest version, whatever version other code asked it for."""
    before = standard.get_array_api_strict_flags()["api_version"]
    standard.set_array_api_strict_flags(api_version="2025.12")
    yield
    standard.set_array_api_strict_flags(api_version=before)


@cache
def cases(kind: str) -> list[tuple[str, str, dict[str, Any], Any]]:
    """Each case's key, call and arrays, and the strict library's result; without those that it does not define.

    A call of its own arrays that raises is to raise.
    """
    found = [(key, call, given, evaluated(standard, call, given)) for key, call, given in KINDS[kind]()]
    return [case for case in found if kind == "free" or not isinstance(case[3], Exception)]


# --- the comparison ------------------------------------------------------------------------------------------------------------


def differs(ours: Any, theirs: Any, default: bool, signs: bool) -> str | None:
    """How our result differs from the strict library's, if it does.

    ``default``: the floating-point dtype was not given, so that ours is float32. ``signs``: zeros have the same sign.
    """
    if isinstance(theirs, Exception) or isinstance(ours, Exception):
        if isinstance(ours, Exception) and isinstance(theirs, Exception):
            return None
        return f"raised {ours!r}" if isinstance(ours, Exception) else f"is {ours}, where {theirs!r} is raised"
    if isinstance(theirs, (tuple, list)):
        if len(ours) != len(theirs) or getattr(ours, "_fields", None) != getattr(theirs, "_fields", None):
            return f"is {ours}, not {theirs}"
        return next((found for a, b in zip(ours, theirs, strict=True) if (found := differs(a, b, default, signs))), None)
    if not isinstance(theirs, type(standard.asarray(0))):
        a, b = named(ours), named(theirs)
        b = "float32" if default and theirs is standard.float64 else b
        return None if a == b or (a != a and b != b) else f"is {a!r}, not {b!r}"
    if not isinstance(ours, ad.Tensor):
        return f"is a {type(ours).__name__}, not a tensor"
    a, b = to_numpy(ours), theirs._array
    name = "float32" if default and b.dtype == np.float64 else b.dtype.name
    if (a.dtype.name, a.shape) != (name, b.shape):
        return f"is {a.dtype} {a.shape}, not {name} {b.shape}"
    floating = b.dtype.kind == "f"
    near = {"float32": 2e-5, "float64": 1e-12}.get(name, 0)
    if not (np.allclose(a, b, rtol=near, atol=near, equal_nan=True) if floating else np.array_equal(a, b)):
        return f"is {a.tolist()}, not {b.tolist()}"
    if signs and floating and ((np.signbit(a) != np.signbit(b)) & (a == 0) & (b == 0)).any():
        return f"has zeros of another sign: {a.tolist()}, not {b.tolist()}"
    return None


def named(part: Any) -> Any:
    """A dtype by its name; anything else as it is."""
    if isinstance(part, ad.backends.DType):
        return part.name
    return part._np_dtype.name if type(part).__name__ == "DType" else part


@pytest.mark.parametrize("kind", KINDS)
def test_every_call_gives_what_the_strict_library_gives(kind: str, backend: Backend) -> None:
    unexpected, used = [], set()
    for key, call, given, theirs in cases(kind):
        signs = kind in ("elementwise", "operators") and not call.startswith(("maximum", "minimum"))  # which -0.0 and 0.0 tie in
        found = differs(evaluated(xp, call, given), theirs, not given and "float64" not in call, signs)
        if found is None:
            continue
        pattern = next((pattern for pattern in EXCEPTIONS[kind] if re.search(pattern, key)), None)
        used.add(pattern)
        if pattern is None:
            unexpected.append(f"{key}: {found}")
    assert not unexpected, "\n".join([f"{len(unexpected)} of {len(cases(kind))} differ:", *unexpected[:20]])
    stale = set(EXCEPTIONS[kind]) - used
    assert not stale, f"these exceptions no longer differ; take them off the list: {stale}"


# --- the list is whole ---------------------------------------------------------------------------------------------------------


def functions() -> dict[str, Any]:
    """The standard's functions by name, those of ``linalg`` with its name before theirs."""
    own = {name: getattr(standard, name) for name in standard.__all__ if name not in ABSENT}
    own |= {f"linalg.{name}": getattr(standard.linalg, name) for name in standard.linalg.__all__}
    return {name: value for name, value in own.items() if inspect.isfunction(value) and name != "__array_namespace_info__"}


@cache
def tried() -> dict[str, set[str]]:
    """The keywords that the calls above give, by function."""
    found: dict[str, set[str]] = {name: set() for name in (*UNARY, *BINARY)}
    for call in [*lines(CALLS), *lines(MATRICES), *lines(FREE)]:
        for node in ast.walk(ast.parse(call)):
            if isinstance(node, ast.Call):
                found.setdefault(ast.unparse(node.func), set()).update(word.arg or "" for word in node.keywords)
    return found


def test_the_namespace_has_every_name_of_the_standard_but_those_listed() -> None:
    assert {name for name in standard.__all__ if not hasattr(xp, name)} == {name for name in ABSENT if name in standard.__all__}
    assert not {name for name in standard.linalg.__all__ if not hasattr(xp.linalg, name)}


def test_every_function_is_tried_with_every_keyword() -> None:
    missing = {}
    for name, function in functions().items():
        parameters = inspect.signature(function).parameters.values()
        keywords = {p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
        if name not in tried() or keywords - tried()[name]:
            missing[name] = keywords - tried().get(name, set())
    assert not missing


def test_the_version_is_the_newest_and_unknown_ones_are_refused() -> None:
    assert xp.__array_api_version__ == "2025.12"
    for version in (None, "2021.12", "2022.12", "2023.12", "2024.12", "2025.12"):
        assert ad.ones(2).__array_namespace__(api_version=version) is xp
    for version in ("2036.12", "", 2024.12):
        with pytest.raises(ValueError, match=f"version {version!r} of the Array API standard is not supported; use one of 2021.12"):
            ad.ones(2).__array_namespace__(api_version=version)


#: The functions whose floating-point results are constants.
CONSTANT = "zeros_like|ones_like|full_like|empty_like|.*unique_|.*zeros\\(|linalg.slogdet|linalg.matrix_power\\(q, 0\\)"


def test_every_floating_point_result_has_a_gradient_but_constants() -> None:
    drawn = {key: (call, given) for kind in ("arrays", "matrices", "elementwise") for key, call, given, _ in cases(kind)}
    without = set()
    for key, (call, given) in drawn.items():
        floats = {name: array for name, array in given.items() if array.dtype == np.float64}
        if (
            len(floats) < len(given) - ("m" in given)
            or not all(a.size for a in floats.values())
            or re.match(f"{CONSTANT}|from_dlpack|put|builtin", call)
        ):
            continue
        found = evaluated(xp, call, given, requires_grad=True)
        parts = found if isinstance(found, (tuple, list)) else [found]
        if any(isinstance(part, ad.Tensor) and part.is_floating_point() and not part.requires_grad for part in parts):
            without.add(key)
    assert not without


# --- the same at the surface of PyTorch's names ---------------------------------------------------------------------------------


def public() -> dict[str, Any]:
    """The functions of tensors by name, those of ``linalg`` and ``special`` too."""
    found = {}
    for prefix, module in (("", ad), ("linalg.", ad.linalg), ("special.", ad.special)):
        for name, value in vars(module).items():
            if inspect.isfunction(value) and (module is ad or value.__module__ == module.__name__):
                found[prefix + name] = value
    return found


def test_every_function_takes_axis_for_dim_and_keepdims_for_keepdim() -> None:
    tried = 0
    for name, function in public().items():
        parameters = inspect.signature(function).parameters
        for own, other in (("dim", "axis"), ("keepdim", "keepdims")):
            if own in parameters:
                tried += 1
                with pytest.raises(Exception) as raised:
                    function(**{other: 0})
                assert "unexpected keyword" not in str(raised.value), name
    assert tried > 80
    x = ad.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    for both in (
        lambda one: ad.sort(x, **one("dim", 0)).values, lambda one: ad.topk(x, 1, **one("dim", 0)).values,
        lambda one: ad.unsqueeze(x, **one("dim", 1)), lambda one: ad.linalg.vector_norm(x, **one("dim", 1), **one("keepdim", True)),
        lambda one: x.argmax(**one("dim", 1), **one("keepdim", True)), lambda one: x.all(**one("dim", 0), **one("keepdim", True)),
        lambda one: ad.gather(x, index=ad.tensor([[1], [0]]), **one("dim", 1)), lambda one: x.cumprod(**one("dim", 1)),
    ):  # fmt: skip
        ours = both(lambda name, value: {{"dim": "axis", "keepdim": "keepdims"}[name]: value})
        assert ours.tolist() == both(lambda name, value: {name: value}).tolist()
    with pytest.raises(TypeError, match="sort: give dim or axis, not both"):
        ad.sort(x, dim=0, axis=0)


def test_sizes_and_ranges_are_given_in_pytorchs_words_or_the_standards() -> None:
    for name in ("zeros", "ones", "empty", "rand", "randn"):
        make = getattr(ad, name)
        assert make(2, 3).shape == make((2, 3)).shape == make(size=(2, 3)).shape == make(shape=(2, 3), dtype="float64").shape
        assert make(shape=2).shape == make(size=2).shape == (2,)
        for wrong in (lambda make: make(2, shape=2), lambda make: make(size=2, shape=2), lambda make: make(2, size=(2,))):
            with pytest.raises(TypeError, match=f"{name}: give the sizes once"):
                wrong(make)
    assert (
        ad.full((2,), 3).tolist() == ad.full(size=2, fill_value=3).tolist() == ad.full(shape=(2,), fill_value=3).tolist() == [3, 3]
    )
    for wrong in (lambda: ad.full(2), lambda: ad.full(fill_value=2), lambda: ad.full(2, 3, shape=2)):
        with pytest.raises(TypeError, match="full: give"):
            wrong()
    assert ad.arange(0, stop=3).tolist() == ad.arange(0, end=3).tolist() == [0, 1, 2]
    assert ad.linspace(0, stop=1, num=3).tolist() == ad.linspace(0, end=1, steps=3).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(TypeError, match="arange: give end or stop, not both"):
        ad.arange(0, 2, end=3, stop=3)
    x = ad.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert ad.flip(x, axis=0).tolist() == ad.flip(x, 0).tolist()
    assert ad.roll(x, shift=1, axis=0).tolist() == ad.roll(x, 1, 0).tolist()
    assert ad.tril(x, k=-1).tolist() == ad.tril(x, diagonal=-1).tolist()
    assert ad.tensordot(x, x, axes=1).tolist() == ad.tensordot(x, x, dims=1).tolist()
    for like in (ad.zeros_like, ad.ones_like, ad.empty_like, lambda x, **options: ad.full_like(x, fill_value=2, **options)):
        made = like(x, device="cpu", dtype="float64")
        assert (made.device, made.dtype, made.shape) == ("cpu", ad.float64, (2, 2))


def test_indices_along_an_axis_may_count_from_its_end_with_their_gradient(backend: Backend) -> None:
    x = ad.tensor([[1.0, 2.0, 3.0]], requires_grad=True)
    picked = ad.take_along_dim(x, ad.tensor([[-1, 0, -3]]), 1)
    picked.backward(ad.tensor([[1.0, 10.0, 100.0]]))
    assert picked.tolist() == [[3.0, 1.0, 1.0]]
    assert x.grad is not None
    assert x.grad.tolist() == [[110.0, 0.0, 1.0]]
    for wrong in (-4, 3):
        for dtype in ("int8", "int64"):
            with pytest.raises(IndexError, match="there are 3 elements, -3 to 2"):
                ad.take_along_dim(x, ad.tensor([[0, wrong]], dtype=dtype), 1)
    many = ad.zeros(1, 200)
    assert ad.take_along_dim(many, ad.tensor([[-100]], dtype="int8"), 1).tolist() == [[0.0]]
    with pytest.raises(IndexError, match="there are 200 elements"):
        ad.take_along_dim(many, ad.tensor([[200]], dtype="uint8"), 1)


def test_logical_functions_take_numbers(backend: Backend) -> None:
    t = ad.tensor([0.0, 2.0])
    assert ad.logical_and(t, True).tolist() == ad.logical_and(1, t).tolist() == ad.logical_or(t, 0.0).tolist() == [False, True]
    assert ad.logical_xor(t, 0.5).tolist() == [True, False]
    assert ad.logical_or(False, 2).item() is True
    assert ad.capture(lambda t: ad.logical_and(t, True))(t).tolist() == [False, True]


def test_tolerances_may_be_tensors_with_one_for_each_matrix(backend: Backend) -> None:
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    a = np.diag([4.0, 2.0, 1.0])
    for given in ({"rtol": [0.3, 0.6]}, {"atol": [1.5, 3.0]}, {"atol": [0.0, 1.5], "rtol": 0.3}, {"atol": 1.5, "rtol": [0.1, 0.9]}):
        ours, theirs = (
            [f(np.stack([a, a])) if i == 0 else {k: f(v) for k, v in given.items()} for i in range(2)]
            for f in (lambda v: ad.tensor(v, dtype="float64"), lambda v: torch.tensor(v, dtype=torch.float64))
        )
        assert ad.linalg.matrix_rank(ours[0], **ours[1]).tolist() == torch.linalg.matrix_rank(theirs[0], **theirs[1]).tolist()
        np.testing.assert_allclose(
            to_numpy(ad.linalg.pinv(ours[0], **ours[1])), torch.linalg.pinv(theirs[0], **theirs[1]).numpy(), 1e-12
        )


def test_nextafter_is_pytorchs_in_value_and_gradient() -> None:
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    at = np.array([0.0, 1.0, -1.0, 1.0, np.inf, 3.0], np.float32), np.array([1.0, 2.0, -2.0, 1.0, 0.0, np.nan], np.float32)
    ours, theirs = [ad.tensor(v, requires_grad=True) for v in at], [torch.tensor(v, requires_grad=True) for v in at]
    ad.nextafter(*ours).sum().backward()
    torch.nextafter(*theirs).sum().backward()
    np.testing.assert_array_equal(ad.nextafter(*ours).detach().numpy(), torch.nextafter(*theirs).detach().numpy())
    for a, b in zip(ours, theirs, strict=True):
        assert a.grad.tolist() == b.grad.tolist()


def test_the_norm_of_a_matrix_of_no_elements_is_0_as_in_pytorch() -> None:
    for shape in ((0, 3), (3, 0), (2, 0, 0)):
        for order in ("fro", "nuc", 1, 2, float("inf")):
            assert ad.linalg.matrix_norm(ad.zeros(shape), order).sum().item() == 0
