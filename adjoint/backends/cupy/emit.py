"""Emitting a program for CuPy: all its kernels in one CUDA graph, in planned memory.

Each fusion group and each other operation is a kernel (``source``); matrix products are cuBLAS's, called directly (``cublas``).
Random numbers are drawn and arguments copied before the graph is launched, guards are read before or after it. A program with
an operation that has no kernel is replayed as a loop.
"""

from __future__ import annotations

import ctypes
from typing import Any

import cupy as cp
import numpy as np

from ...replay.fusion import fuse, overlaps_itself
from ...replay.loop import Loop
from ...replay.memory import plan
from ...replay.program import Buffer, Op, Program, Value, mapped, may_overlap, values_in
from ..special import is_basic, keeping_array, may_repeat
from . import cublas, source as cuda
from .cublas import Product
from .expressions import COPIES, ELEMENTWISE, FILLED, REDUCTIONS, Unsupported, c_type
from .source import Elementwise, Kernel, Operand

#: How many replays' numbers may wait to be copied to the GPU.
WAITING = 4
ALIGNMENT = 256
#: The most operations of one kernel: its parameters, a pointer for each array, take at most 4 KB.
MOST = 100
#: Products and sums are rounded one by one, as they are in CuPy's own kernels.
OPTIONS = ("--fmad=false",)

_kernels: dict[str, Any] = {}


def compile(program: Program, numbers: list[Value]) -> Any:
    """The program as CUDA graphs; if an operation has no kernel or CUDA fails, a loop whose ``reason`` says so."""
    try:
        return Replay(program, numbers)
    except (Unsupported, RuntimeError) as why:  # CUDA's errors too: the loop is slower, and right
        return Loop(program, numbers, str(why))


class Replay:
    """A program as two graphs: the guard prologue, and the rest.

    Attributes:
        launches: the kernels and products of each graph, in order.
        calls, buffers, bytes: launches and draws of one replay, buffers in the arena, and its bytes.
        reason: empty.
    """

    def __init__(self, program: Program, numbers: list[Value]) -> None:
        self.program, self.numbers, self.reason = program, numbers, ""
        for op in program.ops:
            supported(op)
        self._plan()
        prologue: list[Kernel | Product] = []
        body: list[Kernel | Product] = []
        self._draws = [op for op in program.ops if op.draws]
        starts = {group.ops[0]: group for group in self._groups}
        fused = {op for group in self._groups for op in group.ops}
        for i, op in enumerate(program.ops):
            launches: list[Kernel | Product]
            if op in starts:
                launches = [self._fused(starts[op].ops)]
            elif op in fused or op.is_view or op.draws:
                continue
            else:
                launches = self._launches_of(op)
            (prologue if i < program.prologue else body).extend(launches)
        self.launches = tuple([one for one in part if not _is_empty(one)] for part in (prologue, body))
        self.calls = sum(map(len, self.launches)) + len(self._draws)
        self._graphs = [_captured(part) for part in self.launches]
        self._guards = [(guard, self._array(guard.condition)) for guard in program.guards]

    def prologue(self, arrays: list[Any]) -> bool:
        """Take the arguments' arrays, and return whether all guards hold that are not deferred."""
        for value, array in zip(self.program.arguments, arrays, strict=True):
            self._arrays[value][...] = array
        self._launch(0)
        return all(bool(condition) is guard.outcome for guard, condition in self._guards if not guard.deferred)

    def body(self, numbers: tuple[float, ...]) -> list[Any]:
        """Run the rest with these numbers, and return the outputs as new arrays."""
        if numbers:
            self._staged.send(numbers)
        for op in self._draws:
            self._arrays[op.out][...] = op.function(*op.args)  # type: ignore[index]
        self._launch(1)
        for guard, condition in self._guards:
            if guard.deferred and bool(condition) is not guard.outcome:
                raise guard.failed()
        return [self._array(value).copy() for value in self.program.outputs]

    def _launch(self, part: int) -> None:
        graph = self._graphs[part]
        if graph is not None:
            graph.launch()

    @property
    def source(self) -> str:
        """The kernels' source, each once."""
        return "\n".join(dict.fromkeys(one.source for part in self.launches for one in part if isinstance(one, Kernel)))

    # --- memory ---------------------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Fuse elementwise operations, and give every value memory that is not inner to a kernel."""
        program = self.program
        self._groups = fuse(program, _fusion_key, lambda op: op.is_view or op.draws, MOST)
        self._inner = {value for group in self._groups for value in group.inner}
        self._staged = Staged(len(self.numbers))
        arrays = dict(zip(self.numbers, self._staged.singles, strict=True))
        throughout = [*program.arguments, *(op.result for op in program.ops if op.draws)]  # draws come before all others
        layout = plan(program, self._groups, arrays, is_placed=lambda op: True, throughout=throughout, alignment=ALIGNMENT)
        memory = cp.empty(layout.size, np.uint8)

        def in_arena(value: Value, offset: int) -> Any:
            return cp.ndarray(value.shape, value.dtype, memory[offset : offset + value.nbytes].data, value.strides)

        layout.bind(in_arena)
        self._arrays = layout.arrays
        self.buffers, self.bytes = len(layout.blocks), layout.size

    def _array(self, value: Value) -> Any:
        return self._arrays[value]

    # --- fusion groups --------------------------------------------------------------------------------------------------------

    def _fused(self, ops: list[Op]) -> Kernel:
        """One kernel for the operations, which keeps an element's results in registers."""
        names = list(dict.fromkeys(op.name for op in ops))
        kernel = Elementwise("_".join(names[:6]), ops[0].target.shape)
        loaded: dict[Value, Operand] = {}
        sharing: dict[Buffer, list[Value]] = {}

        def operand(part: Any, op: Op) -> Operand:
            if not isinstance(part, Value):
                return Operand(part)
            if part not in loaded:
                array = self._array(part)
                place = kernel.place(array)
                if part.kind == "number":
                    return Operand(place, array.dtype, 0.0)
                loaded[part] = Operand(kernel.register(place, array.dtype), array.dtype)
                sharing.setdefault(part.buffer, []).append(part)
            return loaded[part]

        for op in ops:
            target = op.target
            args = [operand(part, op) for part in _operands(op)]
            raw = op.args[1] if op.name == "pow" and len(op.args) > 1 else None
            name = kernel.compute(op.name, args, target.dtype, raw)
            for value in sharing.get(target.buffer, ()):
                if value is not target and may_overlap(value, target):
                    loaded.pop(value, None)
            if target not in loaded:
                sharing.setdefault(target.buffer, []).append(target)
            loaded[target] = Operand(name, target.dtype)
            if target not in self._inner:
                kernel.store(kernel.place(self._array(target)), name)
        return kernel.build()

    # --- the other operations ----------------------------------------------------------------------------------------------------

    def _launches_of(self, op: Op) -> list[Kernel | Product]:
        if not op.target.size:
            return []
        args = mapped(op.args, self._array)
        if op.name == "setitem":
            target, value, index = args
            if is_basic(index):
                return [cuda.copy(target[keeping_array(index)], value, "setitem")]
            if getattr(value, "size", 1) <= 1 or not may_repeat(index) or _names_each_once(op.args[2]):
                return [cuda.scatter(target, index, value)]
            return [*cuda.scatter_last(target, index, value, cp.empty(target.shape, np.int32))]
        target = self._array(op.target)
        if op.name in ("empty", "empty_like"):
            return []
        if op.name in COPIED:
            same_elements = op.name in ("reshape", "squeeze", "expand_dims")
            return [cuda.copy(target.reshape(args[0].shape) if same_elements else target, args[0], op.name)]
        if op.name in REDUCTIONS:
            return [cuda.reduction(op.name, target, args[0], op.kwargs.get("axis"))]
        if op.name == "getitem":
            return [
                cuda.copy(target, args[0][keeping_array(args[1])], "getitem") if is_basic(args[1]) else cuda.gather(target, *args)
            ]
        if op.name == "take":
            axis = op.kwargs.get("axis", args[2] if len(args) > 2 else None)
            before = (axis or 0) % max(1, len(args[0].shape))
            return [cuda.gather(target, args[0], (*(slice(None),) * before, args[1]))]
        if op.name == "scatter_add":
            zeros = cuda.copy(target, 0, "zeros")
            if is_basic(args[1]):
                return [zeros, cuda.copy(target[keeping_array(args[1])], args[0], "scatter_add")]
            return [zeros, cuda.scatter_add(target, args[1], args[0])]
        if op.name in ("concat", "stack"):
            return self._joined(op, target, args[0])
        if op.name == "roll":
            return self._rolled(op, target, args[0])
        if op.name in ("tril", "triu"):
            return [cuda.triangle(op.name, target, args[0], op.kwargs.get("k", 0))]
        if op.name == "matmul":
            a, b = args[:2]
            if len(a.shape) == 1:
                a, target = a[None], target[..., None, :] if len(b.shape) > 1 else target[..., None]
            if len(b.shape) == 1:
                b, target = b[:, None], target[..., None]
            return [cublas.product(target, a, b) or cuda.matmul(target, a, b)]
        raise Unsupported(f"there is no kernel for {op.name}")

    def _rolled(self, op: Op, target: Any, array: Any) -> list[Kernel | Product]:
        """A copy for each corner that moves."""
        shift, axis = op.kwargs.get("shift", op.args[1] if len(op.args) > 1 else 0), op.kwargs.get("axis")
        if axis is None:
            if not array.flags.c_contiguous or not target.flags.c_contiguous:
                raise Unsupported("there is no kernel for roll of an array that does not lie in order")
            target, array, axis = target.reshape(-1), array.reshape(-1), 0
        corners: list[tuple[tuple[slice, ...], tuple[slice, ...]]] = [((), ())]
        moves = dict.fromkeys(range(len(array.shape)), 0)
        axes = (axis,) if isinstance(axis, int) else axis
        for by, a in zip((shift,) * len(axes) if isinstance(shift, int) else shift, axes, strict=True):
            moves[a % len(array.shape)] += by
        for a, n in enumerate(array.shape):
            by = moves[a] % n
            parts = [(slice(by, None), slice(0, n - by)), (slice(0, by), slice(n - by, None))][: 2 if by else 1]
            corners = [((*to, h[0]), (*of, h[1])) for to, of in corners for h in parts]
        return [cuda.copy(target[keeping_array(to)], array[keeping_array(of)], "roll") for to, of in corners]

    def _joined(self, op: Op, target: Any, parts: list[Any]) -> list[Kernel | Product]:
        axis, start = op.kwargs.get("axis", 0) % len(target.shape), 0
        launches: list[Kernel | Product] = []
        for part in parts:
            length = 1 if op.name == "stack" else part.shape[axis]
            place = start if op.name == "stack" else slice(start, start + length)
            launches.append(cuda.copy(target[keeping_array((*(slice(None),) * axis, place))], part, op.name))
            start += length
        return launches


def _names_each_once(index: Any) -> bool:
    """Whether a constant array of the index has a different number for each element."""
    parts = [part for part in (index if isinstance(index, tuple) else (index,)) if isinstance(part, Value)]
    every = np.broadcast_shapes(*(part.shape for part in parts))
    numbers = [cp.asnumpy(part.array) for part in parts if part.kind == "constant" and part.shape == every]
    return any(bool((some >= 0).all()) and np.unique(some).size == some.size for some in numbers)


#: Copies, if they are no views.
COPIED = {
    "reshape", "permute_dims", "broadcast_to", "expand_dims", "squeeze", "matrix_transpose", "asarray", "astype", "contiguous",
}  # fmt: skip
OTHERS = {
    "setitem", "empty", "empty_like", "getitem", "take", "scatter_add", "concat", "stack", "roll", "tril", "triu", "matmul",
    *COPIED,
}  # fmt: skip
_KEYWORDS = {"axis", "keepdims", "dtype", "copy", "fill_value", "order", "shift", "k"}


def supported(op: Op) -> None:
    """Raise :class:`Unsupported` if there is no kernel for the operation."""
    if op.is_view or op.draws:
        return
    if op.name not in ELEMENTWISE and op.name not in REDUCTIONS and op.name not in OTHERS:
        raise Unsupported(f"there is no kernel for {op.name}")
    if op.out is not None and op.writes is not None:
        raise Unsupported(f"{op.name} makes an array and writes to another one")
    if not op.kwargs.keys() <= _KEYWORDS or any(True for _ in values_in(tuple(op.kwargs.values()))):
        raise Unsupported(f"there is no kernel for {op.name} with {', '.join(op.kwargs)}")
    if op.writes is not None and op.name not in ELEMENTWISE and op.name != "setitem":
        raise Unsupported(f"there is no kernel for {op.name} in place")
    if overlaps_itself(op):
        raise Unsupported(f"{op.name} writes to memory that it reads elsewhere")
    if op.name in REDUCTIONS and len(op.args) > 1:
        raise Unsupported(f"there is no kernel for {op.name} of {len(op.args)} arguments")
    for value in [*op.values(), *([op.out] if op.out else [])]:
        c_type(value.dtype)


def _operands(op: Op) -> tuple[Any, ...]:
    """The operands of an elementwise operation."""
    if op.name in FILLED:
        value = FILLED[op.name]
        return (value if value is not None else op.kwargs["fill_value"] if "fill_value" in op.kwargs else op.args[1],)
    return op.args[:1] if op.name in COPIES else op.args


def _fusion_key(op: Op) -> Any:
    """The shape of an operation that a kernel of elementwise operations can do, else None."""
    target = op.target
    return target.shape if op.name in ELEMENTWISE and target.size and _same_shapes(op, target) else None


def _same_shapes(op: Op, target: Value) -> bool:
    """Whether all operands broadcast to the target's shape; a copy of another shape is not elementwise."""
    shapes = [part.shape for part in _operands(op) if isinstance(part, Value)]
    return all(len(shape) <= len(target.shape) for shape in shapes) and all(
        n in (1, m) for shape in shapes for n, m in zip(shape[::-1], target.shape[::-1], strict=False)
    )


class Staged:
    """Symbolic numbers on their way to the GPU: pinned memory, which is copied asynchronously.

    Attributes:
        singles: for each number the 0-d array that it arrives in.
    """

    def __init__(self, count: int) -> None:
        self._target = cp.zeros(max(count, 1), np.float64)
        self.singles = [self._target[k : k + 1].reshape(()) for k in range(count)]
        self._pinned: list[Any] = []
        self._turn = 0
        for _ in range(WAITING if count else 0):
            memory = cp.cuda.alloc_pinned_memory(8 * count)
            self._pinned.append((memory, np.frombuffer(memory, np.float64, count), cp.cuda.Event(disable_timing=True)))

    def send(self, numbers: tuple[float, ...]) -> None:
        memory, array, done = self._pinned[self._turn]
        self._turn = (self._turn + 1) % len(self._pinned)
        done.synchronize()  # the last copy from this memory
        array[:] = numbers
        stream = cp.cuda.get_current_stream()
        self._target.data.copy_from_host_async(ctypes.c_void_p(array.ctypes.data), array.nbytes, stream)
        done.record(stream)
        del memory


# --- the graph --------------------------------------------------------------------------------------------------------------------


def _is_empty(launch: Kernel | Product) -> bool:
    return isinstance(launch, Kernel) and (not launch.arrays[0].size or 0 in launch.grid)


def _kernel(launch: Kernel) -> Any:
    """The kernel, compiled and loaded: neither may happen while a stream is captured."""
    kernel = _kernels.get(launch.source)
    if kernel is None:
        kernel = _kernels[launch.source] = cp.RawKernel(launch.source, launch.name, OPTIONS)
        kernel.compile()
        _ = kernel.num_regs  # loads the function, which CUDA otherwise does at the first launch
    return kernel


def _captured(launches: list[Kernel | Product]) -> Any:
    """The launches as a graph; None if there are none."""
    if not launches:
        return None
    kernels: list[Any] = [_kernel(launch) if isinstance(launch, Kernel) else None for launch in launches]
    blas = cublas.cublas() if any(isinstance(launch, Product) for launch in launches) else None
    cp.cuda.get_current_stream().synchronize()
    stream = cp.cuda.Stream(non_blocking=True)
    with stream:
        if blas is not None:
            blas.use(stream)
        stream.begin_capture()
        try:
            for launch, kernel in zip(launches, kernels, strict=True):
                if isinstance(launch, Product):
                    assert blas is not None
                    blas.multiply(launch)
                else:
                    kernel(launch.grid, launch.block, tuple(launch.arrays))
        except BaseException:
            stream.end_capture()
            raise
        graph = stream.end_capture()
    graph.upload()
    return graph
