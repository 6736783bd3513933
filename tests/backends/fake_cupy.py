"""A stand-in for CuPy on NumPy that keeps CuPy's rules while a stream is captured, and runs CUDA source on the CPU.

Kernels are compiled by ``g++`` with a few lines that mean CUDA's words: the threads of a block take turns at each
``__syncthreads()``, on stacks of their own. While a stream is captured nothing may be allocated, computed, read or compiled; a
launch of the graph does again what was recorded, at the addresses of then.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

COMPILER = shutil.which("g++")

PRELUDE = r"""
#include <math.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#define __global__ static
#define __device__ static inline
#define __shared__ static
struct Coordinates { unsigned x, y, z; };
extern Coordinates threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads();
static inline float __int_as_float(int32_t bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline double __longlong_as_double(int64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
template <class T> static inline void atomicAdd(T* x, T y) { *x += y; }
template <class T> static inline void atomicMax(T* x, T y) { if (*x < y) *x = y; }
using std::isfinite; using std::isinf; using std::isnan; using std::signbit;
"""

RUNNER = r"""
Coordinates threadIdx, blockIdx, blockDim, gridDim;
static ucontext_t turns[1024], back;
static char stacks[1024][16384];
static bool over[1024];
static int now;
static void (*running)(void**);
static void** given;
void __syncthreads() { swapcontext(&turns[now], &back); }
static void fiber() { running(given); over[now] = true; swapcontext(&turns[now], &back); }
static void run(void (*kernel)(void**), void** args, const unsigned* sizes, bool together) {
    gridDim = {sizes[0], sizes[1], sizes[2]}; blockDim = {sizes[3], sizes[4], sizes[5]};
    const unsigned threads = sizes[3] * sizes[4] * sizes[5];
    running = kernel; given = args;
    for (unsigned b = sizes[6]; b < sizes[7]; b++) {
        blockIdx = {b % sizes[0], b / sizes[0] % sizes[1], b / sizes[0] / sizes[1]};
        if (together)
            for (unsigned t = 0; t < threads; t++) {
                getcontext(&turns[t]);
                turns[t].uc_stack.ss_sp = stacks[t]; turns[t].uc_stack.ss_size = sizeof stacks[t]; turns[t].uc_link = 0;
                makecontext(&turns[t], fiber, 0);
                over[t] = false;
            }
        for (bool all = false; !all;) {
            all = true;
            for (unsigned k = 0; k < threads; k++) {
                const unsigned t = threads - 1 - k;  // no order is promised
                threadIdx = {t % sizes[3], t / sizes[3] % sizes[4], t / sizes[3] / sizes[4]};
                now = t;
                if (!together) kernel(args);
                else if (!over[t]) { swapcontext(&back, &turns[t]); all = all && over[t]; }
            }
        }
    }
}
"""

folder = Path(tempfile.mkdtemp(prefix="fake-cupy-"))
capturing = threading.local()  #: its ``stream`` is the one that a thread captures
launches = 0  #: of graphs
compiled: list[str] = []  #: all kernels' source


def refuse(what: str) -> None:
    if hasattr(capturing, "stream"):
        raise RuntimeError(f"cudaErrorStreamCaptureUnsupported: {what} while a stream is captured")


class MemoryPointer:
    def __init__(self, array: Any) -> None:
        self.array, self.ptr = array, array.ctypes.data

    def copy_from_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        refuse("a copy from the host")
        ctypes.memmove(self.ptr, mem, size)


class ndarray(np.ndarray):
    def __new__(cls, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C") -> Any:
        refuse("an allocation")
        if memptr is None:
            return np.ndarray.__new__(cls, shape, dtype, None, 0, strides, order)
        return np.ndarray.__new__(cls, shape, dtype, memptr.array.view(np.ndarray), 0, strides, order)

    @property
    def data(self) -> Any:
        return MemoryPointer(self)

    @property
    def base(self) -> Any:
        base = vars(self).get("looks_at", super().base)
        return base if isinstance(base, ndarray) else None

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        refuse(f"{ufunc.__name__} through CuPy")
        for x in inputs:
            if isinstance(x, np.ndarray) and not isinstance(x, ndarray):
                raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        plain = [x.view(np.ndarray) if isinstance(x, ndarray) else x for x in inputs]
        into = kwargs.get("out")
        if into:
            kwargs["out"] = tuple(x.view(np.ndarray) for x in into)
        with np.errstate(all="ignore"):
            found = getattr(ufunc, method)(*plain, **kwargs)
        return into[0] if into else wrapped(found)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        refuse(f"{function.__name__} through CuPy")
        return super().__array_function__(function, types, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if isinstance(found, np.ndarray):
            return found
        return super().__getitem__((*index, ...) if isinstance(index, tuple) else (index, ...))

    def __setitem__(self, index: Any, value: Any) -> None:
        refuse("an assignment")
        super().__setitem__(index, value)

    def __bool__(self) -> bool:
        refuse("reading a value")
        return super().__bool__()

    def item(self, *args: Any) -> Any:
        refuse("reading a value")
        return super().item(*args)

    def __floordiv__(self, other: Any) -> Any:
        return floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return floor_divide(other, self)

    def __mod__(self, other: Any) -> Any:
        return remainder(self, other)

    def __rmod__(self, other: Any) -> Any:
        return remainder(other, self)


def wrapped(found: Any) -> Any:
    if isinstance(found, (tuple, list)):
        return type(found)(map(wrapped, found)) if not hasattr(found, "_fields") else tuple(map(wrapped, found))
    if isinstance(found, (np.ndarray, np.generic)) and not isinstance(found, ndarray):
        return np.asarray(found).view(ndarray)
    return found


def function(name: str) -> Any:
    plain = getattr(np, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        refuse(name)
        with np.errstate(all="ignore"):
            return wrapped(plain(*args, **kwargs))

    return call


def floor_divide(x: Any, y: Any) -> Any:
    """CuPy's, which is not NumPy's where the quotient of floats is rounded up to a whole number."""
    with np.errstate(all="ignore"):
        return np.floor(x / y) if np.result_type(x, y).kind == "f" else np.floor_divide(x, y)


def remainder(x: Any, y: Any) -> Any:
    with np.errstate(all="ignore"):
        return x - floor_divide(x, y) * y


# --- streams, graphs, kernels ------------------------------------------------------------------------------------------------


class Stream:
    current: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.non_blocking, self.ptr = non_blocking, id(self)
        self.calls: list[Any] = []

    def __enter__(self) -> Stream:
        self._before, Stream.current = Stream.current, self
        return self

    def __exit__(self, *error: Any) -> None:
        Stream.current = self._before

    def begin_capture(self, mode: Any = None) -> None:
        refuse("a second capture")
        if not self.non_blocking:
            raise RuntimeError("cannot capture on the default stream")
        capturing.stream, self.calls = self, []
        streams[self.ptr] = self

    def end_capture(self) -> Graph:
        assert capturing.stream is self
        del capturing.stream
        return Graph(self.calls)

    def synchronize(self) -> None:
        refuse("a synchronisation")


streams: dict[int, Stream] = {}
Stream.current = Stream(null=True)


class Graph:
    def __init__(self, calls: list[Any]) -> None:
        self._calls = calls

    def upload(self, stream: Any = None) -> None:
        refuse("an upload")

    def launch(self, stream: Any = None) -> None:
        global launches
        refuse("a launch of a graph")
        launches += 1
        for call in self._calls:
            call()


def on(stream: Any, call: Any) -> None:
    """Do the call, or record it where the stream is captured."""
    if not hasattr(capturing, "stream"):
        call()
    elif stream is capturing.stream:
        stream.calls.append(call)
    else:
        raise RuntimeError("work for another stream while one is captured")


class Event:
    def __init__(self, block: bool = False, disable_timing: bool = False) -> None: ...

    def record(self, stream: Any = None) -> None: ...

    def synchronize(self) -> None:
        refuse("a synchronisation")


_waiting: list[RawKernel] = []


class RawKernel:
    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc") -> None:
        self.code, self.name, self.launch, self.ready = code, name, None, False

    def compile(self) -> None:
        refuse("compiling")
        self.ready = True
        compiled.append(self.code)
        _waiting.append(self)

    @property
    def num_regs(self) -> int:
        assert self.ready
        return 0

    def __call__(self, grid: Any, block: Any, args: Any, blocks: slice = slice(None)) -> None:
        """A launch; ``blocks`` are those that run, by their number, all unless told otherwise."""
        assert self.ready, "a kernel is compiled at its first launch"
        assert all(isinstance(x, ndarray) for x in args)
        sizes = [*grid, 1, 1, 1][:3] + [*block, 1, 1, 1][:3]
        assert all(sizes), "an empty grid"
        assert sizes[3] * sizes[4] * sizes[5] <= 1024
        assert sizes[1] <= 65535
        assert sizes[2] <= 65535
        pointers = (ctypes.c_void_p * len(args))(*(x.ctypes.data for x in args))
        run = range(sizes[0] * sizes[1] * sizes[2])[blocks]
        in_c = (ctypes.c_uint * 8)(*sizes, run.start, run.stop)

        def call() -> None:
            with _building:
                if self.launch is None:
                    build()
            self.launch(pointers, in_c)  # type: ignore[misc]

        on(Stream.current, call)


_building = threading.Lock()


def build() -> None:
    """Compile all kernels that wait for it, in one file."""
    waiting = _waiting[:]
    del _waiting[: len(waiting)]
    header = folder / "prelude.h"
    if not header.exists():
        header.write_text(PRELUDE)
        subprocess.run([COMPILER, "-O1", "-fPIC", "-x", "c++-header", header, "-o", f"{header}.gch"], check=True)
    parts = ['#include "prelude.h"', RUNNER]
    for k, kernel in enumerate(waiting):
        source = kernel.code.replace('extern "C" ', "")
        count = source[source.index("__global__") :].partition(") {")[0].count("*")
        kinds = ", ".join(["void*"] * count)
        args = ", ".join(f"a[{i}]" for i in range(count))
        parts.append(
            f"namespace n{k} {{\n{source}\nstatic void call(void** a) {{ ((void (*)({kinds})){kernel.name})({args}); }}\n}}\n"
            f'extern "C" void launch{k}(void** a, unsigned* sizes) {{ run(n{k}::call, a, sizes, {int("__sync" in source)}); }}'
        )
    file = folder / f"kernels{len(compiled)}.cpp"
    file.write_text("\n".join(parts))
    # products and sums are rounded one by one, as the option --fmad=false has it; an index that overflows wraps, and is not hidden
    command = [COMPILER, "-O1", "-fPIC", "-shared", "-w", "-ffp-contract=off", "-fwrapv", file, "-o", file.with_suffix(".so")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[:3000] + "\n" + "\n".join(kernel.code for kernel in waiting)
    library = ctypes.CDLL(str(file.with_suffix(".so")))
    for k, kernel in enumerate(waiting):
        kernel.launch = getattr(library, f"launch{k}")


# --- cuBLAS, as the loader finds it --------------------------------------------------------------------------------------------


class Cublas:
    """The functions that are called of the library, with its header's types."""

    def __init__(self) -> None:
        self.products = 0
        self.stream: Any = None
        self.workspace: Any = None
        p, i, q = ctypes.c_void_p, ctypes.c_int, ctypes.c_longlong
        self.cublasCreate_v2 = ctypes.CFUNCTYPE(i, p)(self._create)
        self.cublasSetStream_v2 = ctypes.CFUNCTYPE(i, p, p)(self._set_stream)
        self.cublasSetWorkspace_v2 = ctypes.CFUNCTYPE(i, p, p, ctypes.c_size_t)(self._set_workspace)
        for name, kind in (("S", ctypes.c_float), ("D", ctypes.c_double)):
            prototype = ctypes.CFUNCTYPE(i, p, i, i, i, i, i, p, p, i, q, p, i, q, p, p, i, q, i)
            setattr(self, f"cublas{name}gemmStridedBatched", prototype(lambda *args, kind=kind: self._gemm(kind, *args)))

    def _create(self, handle: int) -> int:
        ctypes.c_void_p.from_address(handle).value = 0xB1A5
        return 0

    def _set_stream(self, handle: int, stream: int) -> int:
        self.stream, self.workspace = stream, None
        return 0 if handle == 0xB1A5 else 1

    def _set_workspace(self, handle: int, workspace: int, size: int) -> int:
        self.workspace = workspace
        return 0

    def _gemm(self, kind: Any, handle: int, op_a: int, op_b: int, m: int, n: int, k: int, *rest: Any) -> int:
        alpha, a, lda, step_a, b, ldb, step_b, beta, c, ldc, step_c, count = rest
        if self.workspace is None or lda < (k if op_a else m) or ldb < (n if op_b else k) or ldc < m:
            return 7
        one, zero = (kind.from_address(address).value for address in (alpha, beta))
        dtype = np.dtype(kind)

        def by_columns(address: int, rows: int, columns: int, leading: int, step: int) -> Any:
            low = min(0, (count - 1) * step) * dtype.itemsize
            size = max(0, (abs((count - 1) * step) + (columns - 1) * leading + rows) * dtype.itemsize)
            memory = np.frombuffer((ctypes.c_char * size).from_address(address + low), np.uint8)
            strides = [x * dtype.itemsize for x in (step, 1, leading)]
            return np.ndarray((count, rows, columns), dtype, memory, -low, strides)

        def call() -> None:
            x = by_columns(a, *((k, m) if op_a else (m, k)), lda, step_a)
            y = by_columns(b, *((n, k) if op_b else (k, n)), ldb, step_b)
            assert (one, zero) == (1.0, 0.0)
            by_columns(c, m, n, ldc, step_c)[...] = (x.mT if op_a else x) @ (y.mT if op_b else y)

        self.products += 1
        on(streams[self.stream], call)
        return 0


# --- the modules -----------------------------------------------------------------------------------------------------------------


class Generator:
    def __init__(self, bits: Any) -> None:
        self._plain = np.random.Generator(np.random.PCG64(bits))

    def __getattr__(self, name: str) -> Any:
        plain = getattr(self._plain, name)

        def draw(*args: Any, **kwargs: Any) -> Any:
            refuse("drawing random numbers")
            return wrapped(np.asarray(plain(*args, **kwargs)))

        return draw


class Device:
    id = 0

    def __init__(self, index: int = 0) -> None: ...

    def use(self) -> None: ...


class CUDARuntimeError(RuntimeError):
    pass


def _asarray(x: Any, dtype: Any = None, order: Any = None, *, copy: Any = None) -> Any:
    refuse("an allocation")
    copy = copy if isinstance(x, ndarray) else True  # devices share no memory
    return wrapped(np.array(x, dtype, copy=copy, order=order or "K", subok=True))


def _erf(x: Any) -> Any:
    from math import erf

    return wrapped(np.vectorize(erf, otypes=[x.dtype if x.dtype.kind == "f" else np.float64])(x.view(np.ndarray)))


def _diagonal(x: Any, *args: Any) -> Any:
    """A view that can be written to, as CuPy's can."""
    found = np.diagonal(x, *args)
    found.flags.writeable = True
    found.looks_at = x
    return found


def _broadcast_to(x: Any, shape: Any) -> Any:
    found = np.broadcast_to(x, shape, subok=True)
    found.looks_at = x
    return found


def _namespace(name: str, **members: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(members)
    return module


def modules() -> dict[str, ModuleType]:
    """What ``import`` is to find."""
    from adjoint.backends.standard import CREATION, OLD_NAMES, STANDARD

    functions = {}
    for name in STANDARD + CREATION + ["cumprod", "zeros", "empty", "fmod"]:
        found = name if hasattr(np, name) else OLD_NAMES.get(name, name)
        if hasattr(np, found):
            functions[name] = function(found)
    functions |= {"asarray": _asarray, "array": _asarray, "floor_divide": floor_divide, "remainder": remainder}
    functions |= {"asnumpy": lambda x: np.array(x.view(np.ndarray)), "ndarray": ndarray, "RawKernel": RawKernel}
    functions["broadcast_to"], functions["diagonal"] = _broadcast_to, _diagonal
    functions["argsort"] = lambda x, axis=-1: wrapped(np.argsort(x, axis=axis, kind="stable"))
    functions["add"].at, functions["maximum"].at = np.add.at, np.maximum.at
    strided = np.lib.stride_tricks.as_strided
    tricks = _namespace("cupy.lib.stride_tricks", as_strided=lambda x, shape, strides: strided(x, shape, strides, subok=True))
    names = ("cholesky", "eigh", "inv", "qr", "slogdet", "solve", "svd", "det")
    linalg = _namespace("cupy.linalg", **{n: (lambda f: lambda *a, **k: wrapped(f(*a, **k)))(getattr(np.linalg, n)) for n in names})
    runtime = _namespace("cupy.cuda.runtime", getDeviceCount=lambda: 1, CUDARuntimeError=CUDARuntimeError)
    cuda = _namespace(
        "cupy.cuda", Device=Device, Stream=Stream, Event=Event, runtime=runtime, get_current_stream=lambda: Stream.current,
        alloc_pinned_memory=bytearray,
    )  # fmt: skip
    pool = _namespace("pool", used_bytes=lambda: 0, total_bytes=lambda: 0)
    cupy = _namespace(
        "cupy", __version__="14.fake", cuda=cuda, linalg=linalg, lib=_namespace("cupy.lib", stride_tricks=tricks),
        random=_namespace("cupy.random", Generator=Generator, XORWOW=lambda seed: seed), get_default_memory_pool=lambda: pool,
        **functions,
    )  # fmt: skip
    special = _namespace("cupyx.scipy.special", erf=_erf)
    scipy = _namespace("cupyx.scipy", special=special)
    cupyx = _namespace("cupyx", scipy=scipy)
    return {"cupy": cupy, "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.special": special}


def install() -> Any:
    """Put the modules where ``import`` looks; gives a function that takes all traces away again."""
    from adjoint import backends
    from adjoint.backends import cupy

    before = dict(sys.modules), dict(backends._created), dict(backends._by_array_type)
    sys.modules.update(modules())

    def away() -> None:
        for name in [*modules(), *(f"adjoint.backends.cupy.{name}" for name in ("backend", "emit", "cublas"))]:
            sys.modules.pop(name, None)
            if name in before[0]:
                sys.modules[name] = before[0][name]
        for now, then in zip((backends._created, backends._by_array_type), before[1:], strict=True):
            now.clear()
            now.update(then)
        for name in ("backend", "emit", "cublas"):
            vars(cupy).pop(name, None)

    return away
