"""``BackendConformance``: the tests that every backend must pass. Subclass it to test a backend of your own.

.. code-block:: python

    from adjoint.testing.backend import BackendConformance

    class TestMine(BackendConformance):
        device = "mine"

Each test method checks one requirement of :mod:`adjoint.backends.base` against the NumPy backend. Every function of the namespace
has an entry in :data:`CALLS`; a function that is missing there fails the tests by name.
"""

from __future__ import annotations

import itertools
import json
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st

from .. import backends
from ..autograd.tensor import Tensor
from ..backends import Array, Backend, Namespace, parse
from ..backends.dtypes import ALL, float32, float64
from ..backends.standard import CREATION, EXTRAS, STANDARD
from ..errors import BackendError
from ..replay.program import Op, Program, Value
from .strategies import indices, shapes

NUMPY = backends.get("numpy")
NAN, INF = float("nan"), float("inf")
#: The standard has these, so a backend must; float16 is the only one that may be missing.
REQUIRED = [dtype for dtype in ALL if dtype.name != "float16"]

# Arguments of the functions: a grid of floats with special values, positive floats, fractions, integers, booleans, matrices.
ANY = [[-2.5, -1.0, -0.0, 0.0], [0.5, 1.0, 2.5, 30.0]]
ROUGH = [[-2.5, NAN, -0.0, 0.0], [0.5, -INF, INF, 30.0]]
FRACTIONS = [-0.9, -0.3, 0.0, 0.4, 0.8]
POSITIVE = [0.1, 0.5, 1.0, 2.5, 30.0]
INTEGERS = [[-3, -1, 0, 1], [2, 3, 5, 7]]
TRUTHS = [[True, False, True, False], [False, False, True, True]]
OTHERS = [3.0, -0.5, 2.0, 0.5]
COUNTS = [2, 3, 1, 2]
SYMMETRIC = [[[4.0, 1.0], [1.0, 3.0]], [[2.0, -0.5], [-0.5, 1.0]]]
MATRIX = [[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [[0.5, -1.0], [0.0, 2.0], [1.0, 1.0]]]


class Arguments:
    """Converts nested lists to arrays of a ``backend``, for the calls in :data:`CALLS`."""

    def __init__(self, backend: Backend) -> None:
        self.backend, self.xp = backend, backend.xp

    def __call__(self, data: Any) -> Array:
        return self.backend.asarray(parse(data))


Call = Callable[[Namespace, Arguments], Any]


def _on(name: str, *arguments: Any, **options: Any) -> Call:
    return lambda xp, a: getattr(xp, name)(*(a(x) if isinstance(x, list) else x for x in arguments), **options)


#: Calls of each function, whose results must equal NumPy's. A result that is not unique (a factorization) is multiplied out in the
#: call; a function with several results gets a call for each.
CALLS: dict[str, list[Call]] = {
    **{name: [_on(name, ANY), _on(name, ROUGH)] for name in
       "abs atan asinh ceil cos cosh exp expm1 floor isfinite isinf isnan negative round sign signbit sin sinh square tan tanh "
       "trunc".split()},
    **{name: [_on(name, POSITIVE)] for name in "log log10 log2 sqrt".split()},
    **{name: [_on(name, FRACTIONS)] for name in "acos asin atanh log1p".split()},
    **{name: [_on(name, ANY, OTHERS), _on(name, ROUGH, OTHERS), _on(name, INTEGERS, COUNTS)] for name in
       "add equal floor_divide greater greater_equal less less_equal maximum minimum multiply not_equal remainder subtract"
       .split()},
    **{name: [_on(name, ANY, OTHERS)] for name in "atan2 copysign divide hypot logaddexp nextafter".split()},
    **{name: [_on(name, INTEGERS, COUNTS), _on(name, TRUTHS, TRUTHS[0])] for name in
       "bitwise_and bitwise_or bitwise_xor".split()},
    **{name: [_on(name, COUNTS, [0, 1, 2, 3])] for name in "bitwise_left_shift bitwise_right_shift".split()},
    **{name: [_on(name, TRUTHS, TRUTHS[0])] for name in "logical_and logical_or logical_xor".split()},
    **{name: [_on(name, x, axis=axis, keepdims=keep) for x in (ANY, ROUGH) for axis in (None, 0, -1) for keep in (False, True)]
       for name in "sum prod max min mean".split()},
    **{name: [_on(name, TRUTHS, axis=axis, keepdims=keep) for axis in (None, 0, -1) for keep in (False, True)]
       for name in "all any".split()},
    **{name: [_on(name, INTEGERS, axis=axis, keepdims=keep) for axis in (None, 0, -1) for keep in (False, True)]
       for name in "argmax argmin".split()},
    "acosh": [_on("acosh", [1.0, 1.5, 30.0])],
    "are_indices": [lambda xp, a, n=n: xp.are_indices(a(COUNTS), n) for n in (3, 4)]
    + [_on("are_indices", INTEGERS, 9)]
    + [lambda xp, a, kind=kind: xp.are_indices(xp.astype(a(COUNTS), getattr(xp, kind)), 300) for kind in ("int8", "uint64")],
    "bitwise_invert": [_on("bitwise_invert", INTEGERS), _on("bitwise_invert", TRUTHS)],
    "logical_not": [_on("logical_not", TRUTHS)],
    "pow": [_on("pow", POSITIVE, [[-2.0], [0.0], [0.5]]), _on("pow", ANY, 2.0)],
    "cumulative_sum": [_on("cumulative_sum", ANY, axis=axis) for axis in (0, -1)],
    "reshape": [_on("reshape", ANY, (4, 2)), _on("reshape", ANY, (8,))],
    "permute_dims": [_on("permute_dims", MATRIX, (2, 0, 1))],
    "broadcast_to": [_on("broadcast_to", OTHERS, (2, 3, 4))],
    "expand_dims": [_on("expand_dims", ANY, axis=axis) for axis in (0, 1, -1)],
    "squeeze": [_on("squeeze", [[[1.0], [2.0]]], axis=axis) for axis in (0, 2, (0, 2))],
    "flip": [_on("flip", ANY, axis=axis) for axis in (None, 0, (0, 1))],
    "roll": [_on("roll", ANY, 1), _on("roll", ANY, (1, -2), axis=(0, 1))],
    "concat": [lambda xp, a: xp.concat([a(ANY), a(ANY)], axis=1)],
    "stack": [lambda xp, a: xp.stack([a(ANY), a(ANY)], axis=1)],
    "matrix_transpose": [_on("matrix_transpose", MATRIX)],
    "where": [_on("where", TRUTHS, ANY, OTHERS), lambda xp, a: xp.where(a(TRUTHS), a(ANY), 0.0)],
    "matmul": [lambda xp, a: xp.matmul(a(MATRIX), xp.matrix_transpose(a(MATRIX)))],
    "tensordot": [_on("tensordot", MATRIX, MATRIX, axes=((0, 2), (0, 2)))],
    "take": [_on("take", ANY, [2, 0], axis=1)],
    "argsort": [_on("argsort", [[2, 0, 2, 1, 0]], axis=1, descending=down) for down in (False, True)],
    "sort": [_on("sort", ANY, axis=0), _on("sort", INTEGERS, axis=1)],
    "zeros_like": [_on("zeros_like", ANY)],
    "ones_like": [_on("ones_like", INTEGERS)],
    "full_like": [_on("full_like", ANY, 2.5)],
    "empty_like": [lambda xp, a: xp.zeros_like(xp.empty_like(a(ANY)))],
    "nonzero": [lambda xp, a: xp.stack(xp.nonzero(a(INTEGERS)))],
    "tril": [_on("tril", MATRIX, k=k) for k in (-1, 0, 1)],
    "triu": [_on("triu", MATRIX, k=k) for k in (-1, 0, 1)],
    "searchsorted": [_on("searchsorted", [1.0, 2.0, 2.0, 3.0], OTHERS, side=side) for side in ("left", "right")],
    "zeros": [lambda xp, a: xp.zeros((2, 3)), lambda xp, a: xp.zeros((), dtype=xp.int64)],
    "ones": [lambda xp, a: xp.ones((2, 0)), lambda xp, a: xp.ones((2,), dtype=xp.bool)],
    "full": [lambda xp, a: xp.full((2,), 2.5, dtype=xp.float32)],
    "empty": [lambda xp, a: xp.zeros_like(xp.empty((2, 3), dtype=xp.float32))],
    "from_dlpack": [lambda xp, a: xp.from_dlpack(a(ANY)), lambda xp, a: xp.from_dlpack(a(INTEGERS))],
    "arange": [lambda xp, a: xp.arange(4), lambda xp, a: xp.arange(1, 2, 0.25, dtype=xp.float32)],
    "linspace": [lambda xp, a: xp.linspace(0.0, 1.0, 5)],
    "eye": [lambda xp, a: xp.eye(2), lambda xp, a: xp.eye(2, 3, k=1, dtype=xp.int64)],
    "asarray": [lambda xp, a: xp.asarray(2.5, dtype=xp.float64), lambda xp, a: xp.asarray(a(ANY), copy=True)],
    # --- the extras; indexing has a test of its own ---
    "astype": [lambda xp, a: xp.astype(a(INTEGERS), xp.float32), lambda xp, a: xp.astype(a(ANY), xp.bool)],
    "getitem": [lambda xp, a: xp.getitem(a(ANY), (slice(None), a([3, 0, 0])))],
    "setitem": [lambda xp, a: written(xp, xp.asarray(a(ANY), copy=True))],
    "index_put": [lambda xp, a: xp.index_put(a(ANY), a([[7.0], [8.0]]), (slice(None), a([3, 0])))],
    "last_writes": [
        lambda xp, a: xp.last_writes(a(ANY), (slice(None), a([3, 0, 3]))),
        lambda xp, a: xp.last_writes(a(MATRIX), (a([[1], [-1]]), slice(None), a([1, 0, 1]))),
    ],
    "scatter_add": [
        lambda xp, a: xp.scatter_add(a(ANY), (slice(None), a([1, 1, 0, 1])), (2, 3)),
        lambda xp, a: xp.scatter_add(a(ANY), a([1, -2]), (3, 4)),
        lambda xp, a: xp.scatter_add(a(MATRIX), xp.astype(a([[2, 0, 2], [9, 0, 0]]), xp.uint8), (300, 2)),
    ],
    "erf": [_on("erf", ANY), _on("erf", ROUGH)],
    "normal_cdf": [_on("normal_cdf", ANY), _on("normal_cdf", ROUGH)],
    "sigmoid": [_on("sigmoid", ANY), _on("sigmoid", ROUGH)],
    "root_mean_square": [
        _on("root_mean_square", x, axis=axis, divisor=3.0, eps=eps)
        for x in (ANY, ROUGH) for axis in (None, 0, -1) for eps in (0.0, 0.5)
    ],
    "cholesky": [_on("cholesky", SYMMETRIC)],
    "inv": [_on("inv", SYMMETRIC)],
    "slogdet": [_on("slogdet", SYMMETRIC), _on("slogdet", [[1.0, 2.0], [2.0, 4.0]])],
    "solve": [_on("solve", SYMMETRIC, [[2.0], [1.0]]), _on("solve", [[2.0, 1.0], [0.0, 1.0]], SYMMETRIC)],
    "eigh": [lambda xp, a: xp.abs(xp.eigh(a(SYMMETRIC)))],  # up to signs, which are not unique
    "qr": [lambda xp, a: xp.abs(xp.qr(a(MATRIX))), lambda xp, a: xp.abs(xp.qr(a(MATRIX), True))],
    "svd": [lambda xp, a: xp.abs(xp.svd(a(MATRIX)))],
    "contiguous": [lambda xp, a: xp.contiguous(xp.matrix_transpose(a(MATRIX)))],
    "diagonal": [_on("diagonal", MATRIX, k) for k in (0, 1, -1, 9)],
    "run_parallel": [
        lambda xp, a: xp.stack(xp.run_parallel(sum, [a(ANY), a(ANY), a(ROUGH)])),
        lambda xp, a: xp.run_parallel(sum, [a(ANY)])[0],
    ],
    "block_bytes": [lambda xp, a: xp.asarray(xp.block_bytes > 0)],
    "sliding_windows": [_on("sliding_windows", ANY, (1, 2), (1, 2), (1, 1)), _on("sliding_windows", ANY, (2,), (1,), (2,))],
    "overlap_add": [lambda xp, a: xp.overlap_add(xp.sliding_windows(a(ANY), (2,), (1,), (2,)), (2, 4), (1,), (2,))],
}  # fmt: skip


def written(xp: Namespace, x: Array) -> Array:
    """``x`` with 5 written to its first column."""
    xp.setitem(x, 5.0, (slice(None), 0))
    return x


class BackendConformance:
    """One test per requirement. A subclass sets ``device``, the name for :func:`adjoint.backends.get`."""

    device: str

    @property
    def backend(self) -> Backend:
        """The backend under test."""
        return backends.get(self.device)

    def host(self, array: Array) -> Any:
        """``array`` as a NumPy array."""
        return self.backend.to_numpy(array)

    def holds(self, array: Any) -> bool:
        """Whether ``array`` is an array of the backend."""
        return isinstance(array, self.backend.array_types)

    # --- the namespace -------------------------------------------------------------------------------------------------------

    def test_the_namespace_has_every_name_and_refuses_others(self) -> None:
        for name in (*STANDARD, *CREATION, *EXTRAS, *(d.name for d in REQUIRED), "pi", "e", "inf", "nan", "newaxis"):
            assert hasattr(self.backend.xp, name), f"the namespace lacks {name}"
        assert not hasattr(self.backend.xp, "einsum_path"), "other names are refused: make it an adjoint.backends.Namespace"

    def test_every_function_has_an_entry_in_the_table_of_calls(self) -> None:
        missing = sorted({*STANDARD, *CREATION, *EXTRAS} ^ CALLS.keys())
        assert not missing, f"adjoint.testing.backend.CALLS and the namespace differ in {missing}"

    def test_every_function_gives_numpys_values_shapes_and_dtypes(self) -> None:
        reference, here = Arguments(NUMPY), Arguments(self.backend)
        with NUMPY.suppress_warnings(), self.backend.suppress_warnings():
            for name, calls in CALLS.items():
                for n, call in enumerate(calls):
                    result, expected = call(self.backend.xp, here), call(NUMPY.xp, reference)
                    assert self.holds(result), f"{name}: call {n} returned {type(result).__name__}"
                    self.same(f"{name}: call {n}", result, NUMPY.asarray(expected))

    def same(self, what: str, array: Array, expected: Any, tolerance: float = 1e-12) -> None:
        """Assert that an array of the backend has the values, shape and dtype of NumPy's.

        Args:
            what: the subject of the message.
            array: the backend's array.
            expected: NumPy's.
            tolerance: the relative error allowed, absolute below 1.
        """
        assert array.shape == expected.shape, f"{what}: shape {array.shape}, and NumPy's is {expected.shape}"
        dtypes = self.backend.dtypes[array.dtype].name, expected.dtype.name
        assert dtypes[0] == dtypes[1], f"{what}: {dtypes[0]}, and NumPy's is {dtypes[1]}"
        for a, b in zip(self.host(array).reshape(-1).tolist(), expected.reshape(-1).tolist(), strict=True):
            assert _alike(a, b, tolerance), f"{what}: {a}, and NumPy's is {b}"

    def test_zero_size_arrays_are_computed_with(self) -> None:
        xp = self.backend.xp
        empty = xp.zeros((0, 3))
        assert (empty + empty).shape == (0, 3)
        assert xp.matmul(empty, xp.zeros((3, 2))).shape == (0, 2)
        assert self.host(xp.matmul(xp.zeros((2, 0)), xp.zeros((0, 2)))).tolist() == [[0.0, 0.0], [0.0, 0.0]]
        assert self.host(xp.sum(empty, axis=0)).tolist() == [0.0, 0.0, 0.0]
        assert xp.concat([empty, xp.ones((1, 3))], axis=0).shape == (1, 3)

    # --- dtypes and transfers ------------------------------------------------------------------------------------------------

    def test_its_dtypes_are_the_namespaces(self) -> None:
        ours = set(self.backend.dtypes.values())
        assert set(REQUIRED) <= ours <= set(ALL), f"dtypes: {sorted(d.name for d in ours)}"
        for theirs, dtype in self.backend.dtypes.items():
            assert getattr(self.backend.xp, dtype.name) == theirs
            assert self.backend.xp.zeros((1,), dtype=theirs).dtype == theirs

    def test_arrays_go_to_the_device_and_back(self) -> None:
        for dtype in self.backend.dtypes.values():
            for data in ([[0, 1], [1, 0]], [], 1):
                array = NUMPY.asarray(parse(data), dtype)
                there = self.backend.asarray(array)
                assert self.holds(there)
                assert self.backend.dtypes[there.dtype] is dtype
                self.same("the way back", there, array)
                assert type(self.host(there)) is type(array)
        assert self.backend.dtypes[self.backend.asarray(parse([1, 2]), float64).dtype] is float64
        turned = parse([[1.0, 2.0], [3.0, 4.0]]).T
        self.same("a transposed array", self.backend.asarray(turned), turned)

    def test_a_copy_is_one(self) -> None:
        xp = self.backend.xp
        original = xp.zeros((2,))
        for copied in (self.backend.asarray(original, copy=True), xp.asarray(original, copy=True)):
            xp.setitem(copied, 1.0, 0)
            assert self.host(original).tolist() == [0.0, 0.0]
        host = parse([1.0, 2.0])
        xp.setitem(self.backend.asarray(host, copy=True), 5.0, 0)
        assert host.tolist() == [1.0, 2.0]

    def test_astype_copies_only_where_it_converts(self) -> None:
        xp = self.backend.xp
        x = xp.zeros((2,), dtype=xp.float32)
        assert self.backend.owner(xp.astype(x, xp.float32)) is self.backend.owner(x)
        assert xp.astype(x, xp.float64).dtype == xp.float64

    # --- memory --------------------------------------------------------------------------------------------------------------

    def views(self, base: Array) -> Iterator[Array]:
        """Views of ``base``, a (3, 4) array."""
        xp = self.backend.xp
        for index in (0, (0, 1), slice(1, None), (..., None), (slice(None), slice(None, None, 2))):
            yield xp.getitem(base, index)
        yield xp.reshape(base, (12,))
        yield xp.permute_dims(base, (1, 0))
        yield xp.broadcast_to(base, (2, 3, 4))

    def test_views_are_known_with_their_owner(self) -> None:
        base = self.backend.xp.zeros((3, 4))
        owner = self.backend.owner(base)
        for view in self.views(base):
            assert self.backend.is_view(view)
            assert self.backend.owner(view) is owner
        assert self.backend.owner(self.backend.xp.getitem(self.backend.xp.getitem(base, 0), slice(1, 3))) is owner
        assert not self.backend.is_view(base + 1)
        assert self.backend.owner(base + 1) is not owner

    def test_an_extent_is_the_bytes_that_a_view_spans(self) -> None:
        xp = self.backend.xp
        base = xp.zeros((3, 4), dtype=xp.float64)
        low, high = self.backend.extent(base)
        assert high - low == 12 * 8
        for view in self.views(base):
            first, last = self.backend.extent(view)
            assert low <= first < last <= high
        rows = [self.backend.extent(xp.getitem(base, i)) for i in range(3)]
        assert [last - first for first, last in rows] == [32, 32, 32]
        assert [first - low for first, _ in rows] == [0, 32, 64]
        first, last = self.backend.extent(xp.getitem(base, (slice(None), 1)))
        assert (first - low, last - low) == (8, 72 + 8)
        assert len(set(self.backend.extent(xp.getitem(base, slice(0, 0))))) == 1

    def test_a_write_through_a_view_is_seen_by_the_owner(self) -> None:
        xp = self.backend.xp
        base = xp.zeros((3, 4))
        xp.setitem(xp.getitem(base, 1), 1.0, slice(None, 2))
        assert self.host(base).tolist() == [[0.0] * 4, [1.0, 1.0, 0.0, 0.0], [0.0] * 4]

    # --- indexing ------------------------------------------------------------------------------------------------------------

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.data())
    def test_indexing_functions_are_numpys(self, data: st.DataObject) -> None:
        shape = data.draw(shapes(max_side=3))
        index = data.draw(indices(shape))
        there, on_host = moved(index, self.backend), moved(index, NUMPY)
        array = NUMPY.xp.reshape(NUMPY.xp.arange(math.prod(shape), dtype=NUMPY.xp.float64), shape)
        xp = self.backend.xp
        x = xp.asarray(self.backend.asarray(array), copy=True)
        expected = NUMPY.asarray(NUMPY.xp.getitem(array, on_host))
        picked = xp.getitem(x, there)
        self.same(f"getitem {index}", picked, expected)
        self.same(f"scatter_add {index}", xp.scatter_add(picked, there, shape), NUMPY.xp.scatter_add(expected, on_host, shape))
        put = NUMPY.xp.index_put(array, -1.0, on_host)
        self.same(f"index_put {index}", xp.index_put(x, -1.0, there), put)
        self.same("what index_put copied", x, array)
        x = xp.asarray(x, copy=True)  # a single number may be an immutable scalar
        xp.setitem(x, -1.0, there)
        self.same(f"setitem {index}", x, put)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.data())
    def test_what_is_written_last_to_a_place_remains(self, data: st.DataObject) -> None:
        """However the array, the index and the values lie in memory."""
        xp, draw = self.backend.xp, data.draw
        shape, together = draw(shapes(2, 3, 1, 3)), draw(shapes(1, 2, 2, 4))
        axes = sorted(draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
        count = math.prod(together)
        picked = [draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count)) for n in shape]
        picks = {axis: parse(picked[axis]).reshape(together) for axis in axes}
        on_host = tuple(picks.get(axis, slice(None)) for axis in range(len(shape)))
        how = draw(st.sampled_from(["transposed", "reversed"]))
        there = tuple(self.laid_out(how, picks[axis]) if axis in picks else slice(None) for axis in range(len(shape)))
        places = NUMPY.xp.reshape(NUMPY.xp.arange(math.prod(shape)), shape)[on_host]
        sizes = tuple(1 if draw(st.integers(0, 3)) == 0 else n for n in places.shape)
        values = NUMPY.xp.reshape(NUMPY.xp.arange(1, 1 + math.prod(sizes)), sizes)
        spread, expected = NUMPY.xp.broadcast_to(values, places.shape), [0] * math.prod(shape)
        for place, value in zip(places.reshape(-1).tolist(), spread.reshape(-1).tolist(), strict=True):
            expected[place] = value
        x = xp.asarray(self.laid_out(how, NUMPY.xp.zeros(shape, dtype=NUMPY.xp.int64)), copy=True)
        for put in (x, self.laid_out(how, NUMPY.xp.zeros(shape, dtype=NUMPY.xp.int64))):
            xp.setitem(put, self.laid_out(how, values), there)
            assert self.host(put).reshape(-1).tolist() == expected
        put = xp.index_put(xp.zeros(shape, dtype=xp.int64), self.laid_out(how, values), there)
        assert self.host(put).reshape(-1).tolist() == expected
        numbers = NUMPY.xp.reshape(NUMPY.xp.arange(places.size), places.shape)
        put = xp.index_put(put, self.laid_out(how, numbers), there)
        last = self.host(xp.getitem(put, there) == self.laid_out(how, numbers))
        result = self.host(xp.broadcast_to(xp.last_writes(put, there), places.shape))
        assert result.tolist() == last.tolist()

    def laid_out(self, how: str, array: Any) -> Array:
        """A copy of ``array`` in another memory layout: ``how`` is ``"transposed"`` or ``"reversed"``."""
        xp = self.backend.xp
        if how == "transposed":
            return xp.permute_dims(xp.asarray(self.backend.asarray(array.T), copy=True), tuple(range(array.ndim))[::-1])
        return xp.flip(xp.asarray(self.backend.asarray(array[(slice(None, None, -1),) * array.ndim]), copy=True))

    def test_an_index_out_of_range_or_a_value_that_does_not_fit_is_refused(self) -> None:
        x = self.backend.xp.zeros((2, 3))
        acts: list[tuple[type[Exception], Callable[[], Any]]] = [
            (IndexError, lambda: self.backend.xp.getitem(x, 2)),
            (IndexError, lambda: self.backend.xp.getitem(x, (0, 0, 0))),
            (ValueError, lambda: self.backend.xp.setitem(x, self.backend.xp.zeros((4,)), 0)),
            (ValueError, lambda: x + self.backend.xp.zeros((4,))),
        ]
        for error, act in acts:
            with _raises(error):
                act()

    # --- extras --------------------------------------------------------------------------------------------------------------

    def test_the_error_function_is_right_to_the_last_digits(self) -> None:
        points = [k / 143 for k in range(-1001, 1002)] + [0.46875, 4.0, 6.0, 30.0, 1e-300, 5e-324, 0.0, -0.0, INF, -INF]
        result = self.host(self.backend.xp.erf(self.backend.asarray(parse(points)))).tolist()
        for x, value in zip(points, result, strict=True):
            assert abs(value - math.erf(x)) <= 1e-15 * abs(math.erf(x)), f"erf({x})"

    def test_the_error_function_and_the_normal_distribution_are_right_in_single_precision(self) -> None:
        points = [k / 143 for k in range(-1001, 1002)] + [0.0, -0.0, 30.0, 1e-30, -1e30, INF, -INF]
        x, xp = self.backend.asarray(parse(points), float32), self.backend.xp
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            erf, below, sigmoids = xp.erf(x), xp.normal_cdf(x), self.host(xp.sigmoid(x)).tolist()
        assert erf.dtype == below.dtype == xp.float32
        assert sigmoids[-2:] == [1.0, 0.0]
        assert sigmoids[points.index(-1e30)] == 0.0
        exact = self.host(x).tolist()
        for point, value, sigmoid in zip(exact, self.host(erf).tolist(), self.host(below).tolist(), strict=True):
            assert abs(value - math.erf(point)) <= 2.5e-7 * abs(math.erf(point)), f"erf({point})"
            assert abs(sigmoid - math.erfc(-point / math.sqrt(2.0)) / 2.0) <= 1.5e-7, f"normal_cdf({point})"

    def test_a_root_mean_square_is_right_at_any_scale(self) -> None:
        xp = self.backend.xp
        for dtype, powers in ((float32, (-37, -30, -20, 0, 15, 30, 37)), (float64, (-300, -170, 0, 160, 300))):
            for power, axis, eps in itertools.product(powers, (0, 1, (0, 1), None), (0.0, 1e-5)):
                data = [[3.0 * 10.0**power, -4.0 * 10.0**power], [1.0, 0.0]]
                for rows in (data, data[:1], [[0.0, 0.0]]):
                    x = self.backend.asarray(parse(rows), dtype)
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")
                        result = xp.root_mean_square(x, axis=axis, divisor=2.0, eps=eps)
                    exact = self.host(x).tolist()
                    groups = (
                        [[*itertools.chain(*exact)]] if axis in (None, (0, 1)) else zip(*exact, strict=True) if axis == 0 else exact
                    )
                    expected = [math.hypot(*(value / math.sqrt(2.0) for value in group), math.sqrt(eps)) for group in groups]
                    for value, exactly in zip(self.host(result).reshape(-1).tolist(), expected, strict=True):
                        assert abs(value - exactly) <= 4.0 * {float32: 1.2e-7, float64: 2.3e-16}[dtype] * exactly, (rows, axis, eps)
                    assert result.dtype == x.dtype

    # --- random numbers ------------------------------------------------------------------------------------------------------

    def test_random_streams_repeat_and_differ_by_seed(self) -> None:
        xp = self.backend.xp
        stream, again, other = self.backend.random(7), self.backend.random(7), self.backend.random(8)
        for shape in ((2, 3), (), (0,)):
            for dtype in (xp.float32, xp.float64):
                for kind in ("uniform", "normal"):
                    a, b = (getattr(s, kind)(shape, dtype) for s in (stream, again))
                    assert self.holds(a)
                    assert (a.shape, a.dtype) == (shape, dtype)
                    self.same(kind, a, self.host(b), 0.0)
        self.same("integers", stream.integers(-2, 5, (6,)), self.host(again.integers(-2, 5, (6,))), 0.0)
        self.same("a permutation", stream.permutation(5), self.host(again.permutation(5)), 0.0)
        a, b = (self.host(s.normal((4,), xp.float64)).tolist() for s in (stream, other))
        assert a != b

    def test_random_numbers_are_spread_as_they_should_be(self) -> None:
        stream, xp = self.backend.random(1), self.backend.xp
        whole = self.host(stream.integers(-2, 5, (1000,)))
        assert (whole.min(), whole.max(), whole.dtype.name) == (-2, 4, "int64")
        normal, uniform = (self.host(draw((20_000,), xp.float64)) for draw in (stream.normal, stream.uniform))
        assert abs(normal.mean()) < 0.03
        assert abs(normal.std() - 1) < 0.03
        assert 0 <= uniform.min() < 0.01 < 0.99 < uniform.max() < 1
        assert abs(uniform.mean() - 0.5) < 0.01
        mixed = self.host(stream.permutation(50))
        assert mixed.dtype.name == "int64"
        assert mixed.tolist() != sorted(mixed.tolist()) == list(range(50))

    def test_a_streams_state_can_be_stored_as_json_and_restored(self) -> None:
        stream, xp = self.backend.random(7), self.backend.xp
        stream.normal((3,), xp.float32)
        state = json.loads(json.dumps(stream.get_state()))
        expected = [self.host(draw) for draw in (stream.normal((3,), xp.float32), stream.permutation(5))]
        for other in (stream, self.backend.random(0)):
            other.set_state(state)
            self.same("normal", other.normal((3,), xp.float32), expected[0], 0.0)
            self.same("permutation", other.permutation(5), expected[1], 0.0)

    # --- bookkeeping ---------------------------------------------------------------------------------------------------------

    def test_it_is_found_by_its_name_and_device(self) -> None:
        assert isinstance(self.backend.name, str)
        assert backends.get(self.backend.device) is self.backend
        array = self.backend.xp.zeros((1,))
        assert backends.of_array(array) in (self.backend, None) or isinstance(array, NUMPY.array_types)

    def test_bookkeeping_answers(self) -> None:
        self.backend.synchronize()
        assert self.backend.device_count() >= 1
        assert all(isinstance(name, str) and isinstance(size, int) for name, size in self.backend.memory().items())

    def test_a_program_compiles_to_what_its_operations_give(self) -> None:
        xp, asarray = self.backend.xp, self.backend.asarray
        x = asarray(NUMPY.xp.asarray([1.0, -2.0, 3.0]))
        argument, square, total = (
            Value("argument", x),
            Value("computed", x * x),
            Value("computed", xp.sum(x, axis=0, keepdims=True)),
        )
        ops = [
            Op("multiply", xp.multiply, (argument, argument), {}, square),
            Op("sum", xp.sum, (square,), {"axis": 0, "keepdims": True}, total),
        ]
        run = self.backend.compile(Program(self.backend, ops, [argument], [square, total], []), [])
        results = []
        for factor in (1.0, 2.0):
            assert run.prologue([x * factor])
            results.append(run.body(()))
        for factor, (squares, sums) in zip((1.0, 2.0), results, strict=True):
            self.same("compile", squares, NUMPY.xp.asarray([1.0, 4.0, 9.0]) * factor**2)
            self.same("compile", sums, NUMPY.xp.asarray([14.0]) * factor**2)

    def test_nothing_warns_while_quiet(self) -> None:
        xp = self.backend.xp
        with warnings.catch_warnings(), self.backend.suppress_warnings():
            warnings.simplefilter("error")
            assert self.host(xp.log(xp.zeros((1,)))).tolist() == [-INF]
            assert self.host(xp.ones((1,)) / xp.zeros((1,))).tolist() == [INF]
            assert math.isnan(self.host(xp.zeros((1,)) / xp.zeros((1,))).item())
            assert self.host(xp.exp(xp.full((1,), 1e4))).tolist() == [INF]

    def test_a_device_that_is_not_there_is_refused(self) -> None:
        name = self.device.partition(":")[0]
        for device in (f"{name}:{self.backend.device_count() + 100}", f"{name}:x"):
            with _raises(BackendError):
                backends.get(device)


@contextmanager
def _raises(kind: type[Exception]) -> Iterator[None]:
    """Assert that the block raises ``kind``."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"the block should raise {kind.__name__}")


def _alike(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two numbers are equal, both NaN, or floats within ``tolerance`` of each other."""
    if not isinstance(b, float):
        return bool(a == b)
    return a == b or (a != a and b != b) or abs(a - b) <= tolerance * max(1.0, abs(b))


def moved(index: Any, backend: Backend) -> Any:
    """The index with its tensors as arrays of ``backend``."""
    if isinstance(index, tuple):
        return tuple(moved(part, backend) for part in index)
    return backend.asarray(index.backend.to_numpy(index._array)) if isinstance(index, Tensor) else index
