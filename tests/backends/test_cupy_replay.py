"""Captured programs on CuPy: the kernels and the graph, on a stand-in that runs CUDA source on the CPU and keeps CuPy's rules."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import fake_cupy
import numpy as np
import pytest
from autograd.test_primitives import BUILT_IN
from autograd.test_replays import REFUSED, calls, near
from capture.growing import PROGRAMS, bytecodes
from capture.test_random_programs import SQUARE_PROGRAMS, check_square
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend
from adjoint.backends.cupy import expressions, source
from adjoint.errors import CaptureError
from adjoint.replay.loop import Loop

pytestmark = pytest.mark.skipif(
    fake_cupy.COMPILER is None or importlib.util.find_spec("cupy") is not None,
    reason="needs g++ to run CUDA source on the CPU, and CuPy itself not to be there",
)


@pytest.fixture(scope="module")
def library() -> Iterator[fake_cupy.Cublas]:
    away = fake_cupy.install()
    try:
        from adjoint.backends.cupy import cublas

        found = fake_cupy.Cublas()
        cublas.library = lambda: found
        yield found
    finally:
        away()


@pytest.fixture
def cupy(library: fake_cupy.Cublas) -> Iterator[Backend]:
    with ad.use_backend("cupy") as backend:
        ad.manual_seed(0)
        yield backend


def values(x: ad.Tensor) -> Any:
    return x.detach().cpu().numpy()


def on_arrays(function: Callable[..., Any], backend: Backend) -> Callable[..., ad.Tensor]:
    """A function of arrays as one of tensors."""
    return lambda *tensors: ad.Tensor(function(*(tensor._array for tensor in tensors)), backend)


def replayed(function: Callable[..., Any], *given: Any) -> tuple[Any, Any]:
    """What a function of tensors gives when it is replayed by a graph, and its recording."""
    captured = ad.capture(function)
    tensors = [ad.tensor(x) for x in given]
    captured(*tensors)
    found = captured(*tensors)
    assert captured.stats.replays == 1
    assert captured.stats.reason == ""
    return found, captured.all()[-1].run


# --- whole programs -----------------------------------------------------------------------------------------------------------


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(2, 3, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(6, 3)

    def forward(self, x: ad.Tensor) -> ad.Tensor:
        return self.linear(self.lstm(x.reshape(6, -1, 2))[0][:, -1])


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dropout": (lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 3)), (6, 4)),
    "convolution": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 3)
        ),
        (6, 1, 6, 6),
    ),
    "attention": (
        lambda: nn.Sequential(
            nn.Unflatten(1, (3, 4)), nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), nn.Flatten(), nn.Linear(12, 3)
        ),
        (6, 12),
    ),
    "recurrence": (Recurrent, (6, 4)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_is_one_graph_and_goes_as_the_eager_one(name: str, cupy: Backend, library: fake_cupy.Cublas) -> None:
    make, shape = MODELS[name]

    def train(captured: bool) -> tuple[list[float], list[Any], Any]:
        ad.manual_seed(3)
        model = make()
        exact = name != "attention"  # whose keys' biases have no gradient but what is rounded, which Adam makes much of
        optimizer = optim.Adam(model.parameters(), 0.01) if exact else optim.SGD(model.parameters(), 0.1, momentum=0.9)
        schedule = optim.lr_scheduler.StepLR(optimizer, 3, 0.5)

        def step(x: ad.Tensor, y: ad.Tensor) -> ad.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            return loss

        called = ad.capture(step) if captured else step
        rng = np.random.default_rng(0)
        losses = [
            called(ad.tensor(rng.normal(size=shape).astype("f")), ad.tensor(rng.integers(0, 3, shape[0]))).item() for _ in range(8)
        ]
        return losses, [values(p) for p in [*model.parameters(), *model.buffers()]], called

    losses, weights, _ = train(False)
    found, found_weights, step = train(True)
    before, products = fake_cupy.launches, library.products
    np.testing.assert_allclose(found, losses, 1e-4)
    for a, b in zip(found_weights, weights, strict=True):
        np.testing.assert_allclose(a, b, 1e-3, 1e-5)
    assert step.stats.replays >= 6  # a second recording begins where there is momentum
    assert step.stats.reason == ""
    step(ad.zeros(*shape), ad.zeros(shape[0], dtype="int64"))
    tried = step.stats.programs - 1  # of which the check of the labels alone was launched, to no avail or all
    assert fake_cupy.launches - before in (2, 2 + tried), "one graph for what the check of the labels needs, one for the rest"
    assert library.products == products > 0, "products are captured once"


@pytest.mark.parametrize("name", sorted(BUILT_IN))
@settings(max_examples=2)
@given(data=st.data())
def test_a_replay_of_a_primitive_and_its_derivatives_has_the_same_values(name: str, data: Any, cupy: Backend) -> None:
    if name in REFUSED or name == "det":
        pytest.skip(REFUSED.get(name, "its second derivative looks at values"))
    call = data.draw(calls(name))
    if name == "getitem":
        assume("bool" not in str(call.params))
    moved = call.tensors(cupy)
    function = call.on(cupy, call.tensors(cupy))
    captured = ad.capture(function)
    captured(*map(near, moved))
    for x, y in zip(captured(*moved), function(*moved), strict=True):
        tolerance = 1e-9 if x.dtype == ad.float64 else 2e-2 if x.dtype == ad.float16 else 1e-4
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        np.testing.assert_allclose(values(x), values(y), tolerance, tolerance)
    assert captured.stats.replays == 1


def test_what_lies_between_two_operations_of_a_chain_frees_no_memory_that_the_chain_reads(cupy: Backend) -> None:
    def function(x: ad.Tensor) -> Any:
        rows = x.sum(-1, keepdim=True) * 1.0
        a = x + rows  # reads each of the rows many times
        b = x.reshape(-1)
        c = a * 2.0
        return c, b + 1.0, (c * 3.0).sum()

    x = np.arange(64.0).reshape(8, 8)
    (c, b, total), _ = replayed(function, x)
    want = (x + x.sum(-1, keepdims=True)) * 2
    np.testing.assert_array_equal(values(c), want)
    np.testing.assert_array_equal(values(b), x.reshape(-1) + 1)
    assert total.item() == (want * 3).sum()


@settings(max_examples=6)
@given(program=SQUARE_PROGRAMS, dtype=st.sampled_from(["float32", "float64"]))
def test_random_programs_over_square_matrices(program: Any, dtype: str, cupy: Backend) -> None:
    check_square(program, 5, dtype, None, cupy)


#: The others differ from these in what is recorded, not in what is compiled.
GROWING = [
    "small arrays", "gradients of small arrays", "products", "all needed to the end", "views of views", "rows written outside",
    "rows written inside", "in place", "many arguments", "recurrence",
]  # fmt: skip


@pytest.mark.parametrize("name", GROWING)
def test_recording_four_times_the_operations_is_four_times_the_work(name: str, cupy: Backend, monkeypatch: Any) -> None:
    from adjoint.backends.cupy import emit

    monkeypatch.setattr(emit, "_captured", lambda launches: None)  # nothing is compiled or launched
    work = []
    for n in (16, 64, 256):
        function, args = PROGRAMS[name](n)
        work.append(bytecodes(ad.capture(function), *args))
    growth = (work[2] - work[1]) / (work[1] - work[0])
    assert growth < 4.5, f"{work} bytecodes for 16, 64 and 256 steps"  # kernels grow up to the most operations that they may have


def test_a_program_without_a_kernel_for_an_operation_is_a_loop_that_says_which(cupy: Backend) -> None:
    captured = ad.capture(lambda x: x.argsort())
    for _ in range(2):
        found = captured(ad.tensor([3.0, 1.0, 2.0]))
    assert values(found).tolist() == [1, 2, 0]
    assert type(captured.all()[-1].run) is Loop
    assert captured.stats.reason == "there is no kernel for argsort"


def test_what_is_written_where_it_is_read_elsewhere_is_no_kernel(cupy: Backend) -> None:
    replayed, eager = ad.arange(9.0), ad.arange(9.0)
    captured = ad.capture(lambda: replayed[1:].copy_(replayed[:-1]).sum())
    for _ in range(3):
        assert captured().item() == eager[1:].copy_(eager[:-1]).sum().item()
    assert "writes to memory that it reads elsewhere" in captured.stats.reason


def test_a_call_that_goes_another_way_is_recorded_anew(cupy: Backend) -> None:
    def loss(x: ad.Tensor, y: ad.Tensor) -> ad.Tensor:
        return nn.functional.cross_entropy(x, y)

    captured = ad.capture(loss)
    x = ad.ones(2, 3)
    for _ in range(2):
        captured(x, ad.tensor([0, 1]))
    with pytest.raises((ValueError, IndexError)):
        captured(x, ad.tensor([0, 5]))


def test_a_late_check_that_comes_out_otherwise_raises(cupy: Backend) -> None:
    state = ad.zeros(1)

    def function(x: ad.Tensor) -> ad.Tensor:
        state.add_(x)
        return x * 2.0 if cupy.truth(cupy.xp.all(state._array > 2.5)) else x

    captured = ad.capture(function)
    captured(ad.ones(1))
    captured(ad.ones(1))
    with pytest.raises(CaptureError, match="another branch"):
        captured(ad.ones(1))


def test_a_place_that_is_an_argument_is_read_and_written_by_kernels(cupy: Backend) -> None:
    def function(x: ad.Tensor, i: ad.Tensor) -> Any:
        y = x * 2.0
        y[i] = y[i] + x[:, i]
        y[..., i] = 0.5
        return y, x[i - 3], x[i, i], x[:, i].sum(), x.T[..., i] * 2.0, x[:1].expand(3, 3)[:, i].flip(0)

    captured = ad.capture(function)
    x = ad.arange(9.0).reshape(3, 3)
    for place in (0, 2, 1):
        for found, wanted in zip(captured(x, ad.tensor(place)), function(x, ad.tensor(place)), strict=True):
            np.testing.assert_array_equal(values(found), values(wanted))
    assert captured.stats.replays == 2
    assert captured.stats.reason == ""


WRITES: dict[str, tuple[Any, tuple[int, ...], Callable[..., Any]]] = {  # the shape of the values, and the index
    "rows": ((6, 4), (6,), lambda i: i),
    "columns": ((3, 6), (6,), lambda i: (slice(None), i)),
    "columns backwards": ((3, 6), (6,), lambda i: (slice(None, None, -1), i)),
    "elements": ((2, 3), (2, 3), lambda i: (i, i)),
    "elements that broadcast": ((3, 3), (3,), lambda i: (i[:, None], i)),
    "values that broadcast": ((6, 1), (6,), lambda i: i),
}


@pytest.mark.parametrize("name", WRITES)
def test_of_values_for_one_place_the_last_one_is_written_though_threads_come_in_no_order(name: str, cupy: Backend) -> None:
    shape, lengths, index = WRITES[name]
    count = int(np.prod(lengths))

    def function(x: ad.Tensor, v: ad.Tensor, i: ad.Tensor) -> Any:
        x, v = x.detach().requires_grad_(), v.detach().requires_grad_()
        y = x * 2.0
        y[index(i)] = v * v
        return y, *ad.autograd.grad((y * y).sum(), [x, v])

    captured = ad.capture(function)
    x, v = np.arange(12.0).reshape(3, 4), np.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    for start in ([2, 0, 2, 1, 2, 1], [1, 1, 1, 1, 1, 1], [0, -1, 2, 0, 0, 2]):
        places = np.array(start[:count]).reshape(lengths)
        numbers = np.arange(12).reshape(3, 4)[index(places)]
        wanted, last = x.reshape(-1) * 2.0, {}
        for k, number in enumerate(numbers.flat):
            last[number] = k
        wanted[list(last)] = (np.broadcast_to(v * v, numbers.shape).reshape(-1))[list(last.values())]
        slopes = np.zeros(numbers.size)
        slopes[list(last.values())] = 2 * wanted[list(last)]
        slopes = slopes.reshape(numbers.shape).sum(1, keepdims=True) if "broadcast" in name and "values" in name else slopes
        given_now = ad.tensor(x), ad.tensor(v), ad.tensor(places)
        for y, _, of_v in (function(*given_now), captured(*given_now)):
            np.testing.assert_array_equal(values(y).reshape(-1), wanted)
            np.testing.assert_allclose(values(of_v).reshape(-1), slopes.reshape(-1) * 2 * v.reshape(-1))
    assert captured.stats.replays == 2
    assert captured.stats.reason == ""


@pytest.mark.parametrize("rows", [[2, 0, 2], [2, 0, 1]])
def test_a_constant_index_is_seen_to_name_a_place_twice_or_not(rows: list[int], cupy: Backend) -> None:
    def function(v: ad.Tensor) -> ad.Tensor:
        y = ad.zeros(3, 2)
        y[ad.tensor(rows)] = v
        return y

    found, run = replayed(function, np.arange(1.0, 7.0, dtype=np.float32).reshape(3, 2))
    wanted = np.zeros((3, 2))
    for row, value in zip(rows, np.arange(1.0, 7.0).reshape(3, 2), strict=True):
        wanted[row] = value
    np.testing.assert_array_equal(values(found), wanted)
    assert ("atomicMax" in run.source) is (rows == [2, 0, 2])


def test_outputs_are_arrays_of_their_own(cupy: Backend) -> None:
    captured = ad.capture(lambda x: x + 1.0)
    captured(ad.zeros(3))
    first = captured(ad.zeros(3))
    second = captured(ad.ones(3))
    assert values(first).tolist() == [1, 1, 1]
    assert values(second).tolist() == [2, 2, 2]


# --- kernels ------------------------------------------------------------------------------------------------------------------

CORNERS = [-2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, float("inf"), -float("inf"), float("nan")]
BINARY = [
    "add", "subtract", "multiply", "divide", "floor_divide", "remainder", "pow", "maximum", "minimum", "atan2", "copysign", "hypot",
    "logaddexp", "nextafter", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal",
    "logical_and", "logical_or", "logical_xor",
]  # fmt: skip
UNARY = sorted(
    {*expressions.FUNCTIONS, *expressions.TESTS, "abs", "negative", "sign", "square", "logical_not", "positive"}
    - {"atan2", "copysign", "hypot", "nextafter", "erf"}
)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint16", "uint64"])
@pytest.mark.parametrize("name", [*BINARY, *UNARY])
def test_an_elementwise_kernel_gives_what_the_namespace_gives(name: str, dtype: str, cupy: Backend) -> None:
    whole = not dtype.startswith("float")
    if not hasattr(cupy.xp, name) or (whole and name == "signbit"):
        pytest.skip("the namespace has none")
    least = -7 if dtype.startswith("int") else 2 ** np.iinfo(dtype).bits - 3 if whole else None
    x = np.array([least, 0, 1, 2, 3, 5, 40, *([-2, -1] if least == -7 else [])], dtype) if whole else np.array(CORNERS, dtype)
    if name in BINARY:
        a, b = (part.reshape(-1).copy() for part in np.meshgrid(x, x))
        if whole and name == "pow":
            a, b = a, abs(b) % np.array(5, dtype)
        given = [a, b]
    else:
        given = [x]

    def function(*arrays: Any) -> Any:
        return getattr(cupy.xp, name)(*arrays)

    found, _ = replayed(on_arrays(function, cupy), *given)
    with np.errstate(all="ignore"):
        want = function(*(cupy.asarray(part) for part in given))
    assert found._array.dtype == want.dtype
    np.testing.assert_allclose(values(found), cupy.to_numpy(want), 1e-6 if dtype != "float64" else 1e-13)


@settings(max_examples=40)
@given(data=st.data(), name=st.sampled_from(["sum", "prod", "max", "min", "mean", "any", "all", "argmax", "argmin"]))
def test_a_reduction_along_any_axes_of_any_layout_gives_what_the_namespace_gives(data: Any, name: str, cupy: Backend) -> None:
    shape = data.draw(array_shapes(max_dims=3, max_side=70))
    whole = data.draw(st.booleans()) and name != "mean"
    elements = st.integers(-3, 3) if whole else st.sampled_from([-2.0, -1.0, 0.5, 1.0, 2.0, float("nan")])
    of_integers = st.sampled_from(["int64", "uint16", "uint32", "uint64"])
    dtype = data.draw(of_integers) if whole else "float64"
    if whole and dtype.startswith("u"):
        elements = st.sampled_from([0, 1, 2, 3, 2 ** np.iinfo(dtype).bits - 1])
    x = data.draw(arrays(dtype, shape, elements=elements, fill=st.just(1)))
    order = data.draw(st.permutations(range(len(shape))))
    axes = data.draw(st.sampled_from([None, *range(len(shape))]))
    if not name.startswith("arg") and len(shape) > 1 and data.draw(st.booleans()):
        axes = data.draw(st.sampled_from([(0, 1), (len(shape) - 1, 0)]))
    keepdims = data.draw(st.booleans())

    def function(x: Any) -> Any:
        return getattr(cupy.xp, name)(cupy.xp.permute_dims(x, tuple(order)), axis=axes, keepdims=keepdims)

    found, _ = replayed(on_arrays(function, cupy), x)
    want = function(cupy.asarray(x))
    assert found._array.dtype == want.dtype
    np.testing.assert_allclose(values(found), cupy.to_numpy(want), 1e-12)


@settings(max_examples=40)
@given(data=st.data())
def test_a_matrix_product_is_cublass_or_a_kernels_with_the_same_values(data: Any, library: fake_cupy.Cublas, cupy: Backend) -> None:
    n, k, m, batch = (data.draw(st.integers(1, top)) for top in (20, 20, 20, 3))
    rng = np.random.default_rng(0)
    form_a = data.draw(st.sampled_from(["plain", "batch", "broadcast", "vector"]))
    form_b = data.draw(st.sampled_from(["plain", "batch", "vector"]))
    turned_a, turned_b = data.draw(st.booleans()), data.draw(st.booleans())
    own = data.draw(st.booleans())

    def turn(x: Any) -> Any:
        return np.swapaxes(x, -1, -2) if type(x) is np.ndarray else cupy.xp.matrix_transpose(x)

    def matrix(form: str, rows: int, columns: int, turned: bool) -> tuple[Any, Any]:
        shape = (columns, rows) if turned else (rows, columns)
        lead = {"plain": (), "batch": (2, batch), "broadcast": (1, batch)}[form]
        return rng.normal(size=(*lead, *shape)), turn if turned else (lambda x: x)

    a, turn_a = (rng.normal(size=k), lambda x: x) if form_a == "vector" else matrix(form_a, n, k, turned_a)
    b, turn_b = (rng.normal(size=k), lambda x: x) if form_b == "vector" else matrix(form_b, k, m, turned_b)
    from adjoint.backends.cupy import cublas

    before = cublas.product
    if own:
        cublas.product = lambda *arrays: None
    try:
        found, run = replayed(on_arrays(lambda x, y: turn_a(x) @ turn_b(y), cupy), a, b)
    finally:
        cublas.product = before
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(values(found), turn_a(a) @ turn_b(b), 1e-12, 1e-12)
    if form_a == form_b == "plain":
        assert any(isinstance(one, source.Kernel) for one in run.launches[1]) == own


def test_constants_are_written_in_their_dtype() -> None:
    for dtype, most in (("uint64", "18446744073709551615ULL"), ("uint32", "4294967295U"), ("int64", "9223372036854775807LL")):
        assert expressions.literal(np.iinfo(dtype).max, np.dtype(dtype)) == most
    assert source._combination("min", np.dtype("uint64"))[0].endswith("18446744073709551615ULL")


# --- the stand-in keeps the rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda cp: cp.matmul(cp.made, cp.made), lambda cp: cp.empty(3), lambda cp: cp.made + 1, lambda cp: cp.made[0, 0].item(),
        lambda cp: bool(cp.made[0, 0]), lambda cp: cp.cuda.get_current_stream().synchronize(),
        lambda cp: cp.made.__setitem__(0, 1.0), lambda cp: cp.RawKernel("", "").compile(),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("cupy")
def test_while_a_stream_is_captured_nothing_else_is_done(act: Callable[[Any], Any]) -> None:
    import cupy as cp

    cp.made = cp.ones((2, 2))
    with cp.cuda.Stream(non_blocking=True) as stream:
        stream.begin_capture()
        try:
            with pytest.raises(RuntimeError, match="while a stream is captured"):
                act(cp)
        finally:
            stream.end_capture()
    with pytest.raises(RuntimeError, match="default stream"), cp.cuda.Stream() as stream:
        stream.begin_capture()


# --- the source is to be read ---------------------------------------------------------------------------------------------------


def test_the_source_of_a_chain_reads_like_its_formula() -> None:
    x, bias, out = np.empty((4, 3), "f"), np.empty(3, "f"), np.empty((4, 3), "f")
    chain = source.Elementwise("add_maximum", out.shape)
    loaded = [source.Operand(chain.register(chain.place(part), part.dtype), part.dtype) for part in (x, bias)]
    added = chain.compute("add", loaded, out.dtype)
    kept = chain.compute("maximum", [source.Operand(added, out.dtype), source.Operand(0.0)], out.dtype)
    chain.store(chain.place(out), kept)
    kernel = chain.build()
    assert (kernel.grid, kernel.block) == ((1,), (32,))
    assert kernel.source == (
        "__device__ float maximum(float x, float y) { return x != x || x > y ? x : y; }  // NaN if one is\n\n"
        'extern "C" __global__ void adjoint_add_maximum(const float* x0, const float* x1, float* x2) {\n'
        "    const int i = blockIdx.x * blockDim.x + threadIdx.x;\n"
        "    if (i >= 12) return;\n"
        "    const int i1 = i % 3;\n"
        "    const float t0 = x0[i];\n"
        "    const float t1 = x1[i1];\n"
        "    const float t2 = t0 + t1;\n"
        "    const float t3 = maximum(t2, 0.0f);\n"
        "    x2[i] = t3;\n"
        "}\n"
    )


def test_the_source_of_a_reduction_reads_like_its_loop() -> None:
    kernel = source.reduction("sum", np.empty((4, 1), "f"), np.empty((4, 40), "f"), -1)
    assert (kernel.grid, kernel.block) == ((4,), (64,))
    assert kernel.source == (
        'extern "C" __global__ void adjoint_sum(float* y, const float* x) {\n'
        "    const int o = blockIdx.x;\n"
        "    float total = 0.0f;\n"
        "    for (int r = threadIdx.x; r < 40; r += 64) {\n"
        "        const float value = x[o * 40 + r];\n"
        "        total = total + value;\n"
        "    }\n"
        "    __shared__ float part[64];\n"
        "    part[threadIdx.x] = total;\n"
        "    __syncthreads();\n"
        "    for (int half = 32; half > 0; half /= 2) {\n"
        "        if (threadIdx.x < half) {\n"
        "            part[threadIdx.x] = part[threadIdx.x] + part[threadIdx.x + half];\n"
        "        }\n"
        "        __syncthreads();\n"
        "    }\n"
        "    if (threadIdx.x > 0) return;\n"
        "    total = part[0];\n"
        "    y[o] = total;\n"
        "}\n"
    )
