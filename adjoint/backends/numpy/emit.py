"""Emitting a program for NumPy: a Python function with one line per operation, each with ``out=``, in planned memory.

Results of ufuncs, reductions and matrix products have a fixed place, so views of them are made once, not at each call. Functions
that return new arrays only (indexing by arrays, sorting) do so here too.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from functools import partial
from itertools import groupby
from math import prod
from typing import Any

import numpy as np

from ...codegen import compile_function
from ...replay.fusion import Group, fuse
from ...replay.memory import plan
from ...replay.program import Op, Program, Value
from . import threads
from .kernels import UFUNCS
from .lines import COPIES, Writer, model
from .threads import blas_alone, run_branches
from .tiles import MOST, Tiles

ALIGNMENT = 64


class Replay(Writer):
    """A program as two generated functions: the guard prologue, and the rest.

    Attributes:
        source: the functions' source.
        calls, buffers, bytes: calls of one replay, buffers in the arena, and bytes of the arena and of scratch memory.
    """

    reason = ""

    def __init__(self, program: Program, numbers: list[Value]) -> None:
        super().__init__(program, numbers)
        self._deferred = program.deferred_guards()
        self._plan()
        self._compile()

    def prologue(self, arrays: list[Any]) -> bool:
        """Take the arguments' arrays, and return whether all guards hold that are not deferred."""
        result: bool = self._prologue(*arrays)
        return result

    def body(self, numbers: tuple[float, ...]) -> Any:
        """Run the rest with these numbers, and return the outputs as new arrays."""
        if not self._shared:
            return self._body(numbers)
        with blas_alone:  # once for all products
            return self._body(numbers)

    # --- memory ---------------------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Fuse elementwise operations, and give every value that a line can write to a place."""
        program, ops = self.program, self.program.ops
        arguments = {value: np.empty_like(model(value)) for value in program.arguments}
        fixed = {value for value in program.values() if value.array is not None or value.kind in ("argument", "number")}
        self._placed |= fixed
        for op in ops:
            if op.is_view:
                if op.result.base in self._placed:
                    self._placed.add(op.result)
            elif op.out is not None and (op.out in fixed or self._line_of(op) is not None):
                self._placed.add(op.out)
        prologue = set(ops[: program.prologue])

        def key_of(op: Op) -> Hashable:
            return None if op in prologue or not self._is_fused(op) else (op.target.shape, op.branch)

        groups = fuse(program, key_of, lambda op: op.is_view and op.result in self._placed, MOST)
        groups = [group for group in groups if len(group.ops) > 1]
        layout = plan(
            program, groups, arguments, is_placed=lambda op: op.result in self._placed, elementwise=UFUNCS, copies=COPIES,
            elide=True, parallel=True, alignment=ALIGNMENT,
        )  # fmt: skip
        memory = np.empty(layout.size + ALIGNMENT, np.uint8)
        memory = memory[-memory.ctypes.data % ALIGNMENT :]
        layout.bind(lambda value, offset: np.ndarray(value.shape, value.dtype, memory, offset, value.strides))
        self._arrays, self._elided = layout.arrays, layout.elided
        self._tiles = {group.ops[0]: self._tiled(group) for group in groups}
        self._fused = {op for group in groups for op in group.ops}
        size = max((tiles.scratch() for tiles in self._tiles.values()), default=0)
        self._scratch = [np.empty(size, np.uint8) for _ in range(2)]  # of each thread, for one group after another
        self.buffers, self.bytes = len(set(layout.blocks.values())), layout.size + 2 * size

    def _is_fused(self, op: Op) -> bool:
        """Whether an operation can be done tile by tile, and is large enough."""
        if op.target not in self._placed or prod(op.target.shape) * 4 < 2 * threads.TILE:
            return False
        if op.name == "pow" or not all(value in self._placed for value in op.values()):
            return False
        steps = self._steps(op) or []
        return bool(steps) and not any(
            isinstance(part, Value) and part.kind == "number" for step in steps for part in step.operands
        )

    def _tiled(self, group: Group) -> Tiles:
        steps = [step for op in group.ops for step in self._steps(op) or ()]
        negated = {self._negated[op] for op in group.ops if op in self._negated}
        return Tiles(group, steps, {value for value in group.inner if value not in self._arrays} | negated)

    # --- the functions -------------------------------------------------------------------------------------------------------

    def _compile(self) -> None:
        program = self.program
        prologue = [f"copyto({self._name(v)}, a{i})" for i, v in enumerate(program.arguments)]
        body: list[str] = []
        self.calls = 0
        shared: list[str] = []
        first = program.ops[: program.prologue]
        for lines, ops, scope in ((prologue, first, "global"), (body, program.ops[program.prologue :], "nonlocal")):
            for region, together in groupby(ops, lambda op: op.branch and op.branch.region):
                written = self._lines if region is None else partial(self._branches, scope)
                lines += written(together)
            if lines is prologue:
                shared, self._assigned = self._assigned, []
        for guard in program.guards:
            if not guard.deferred:
                prologue.append(f"if bool({self._name(guard.condition)}) is not {guard.outcome}: return False")
        outputs = ", ".join(self._output(value) for value in program.outputs)
        numbers = [
            f"{self._bound(array)}[()] = numbers[{self._at[key[0]]}]"
            for key, array in self._scalars.items()
            if isinstance(key[0], Value)
        ]
        arguments = ", ".join(f"a{i}" for i in range(len(program.arguments)))
        everywhere = [f"global {', '.join(shared)}"] if shared else []
        lines = [f"def prologue({arguments}):", *everywhere, *prologue, "return True\n\ndef body(numbers):", *numbers, *body]
        self.source = "\n    ".join([*lines, f"return [{outputs}]"])
        self._body = compile_function(self.source, "body", self._names, "replay")
        self._prologue = self._names.pop("prologue")

    def _lines(self, ops: Iterable[Op]) -> list[str]:
        """The lines of operations, in order."""
        lines = []
        self._read = {}
        for op in ops:
            if op in self._elided or (op.is_view and op.out in self._arrays):
                continue
            if op in self._fused:
                line = self._group(self._tiles[op]) if op in self._tiles else ""
            elif op.writes is not None:
                line = self._write(op)
            elif op.out in self._arrays:
                line = self._line_of(op)(op)  # type: ignore[misc]
            else:
                line = self._fresh(op)
            if op.writes is not None or op in self._fused or self._is_in_place(op):
                self._read = {}
            if line:
                line, self._before = "; ".join([*self._before, line]), []
                self.calls += line.count(";") + 1
                lines.append(line)
            for guard in self._deferred.get(op.out, ()) if op.out is not None else ():
                lines.append(f"if bool({self._name(op.out)}) is not {guard.outcome}: raise {self._bound(guard)}.failed()")
        return lines

    def _branches(self, scope: str, ops: Iterable[Op]) -> list[str]:
        """A function for each parallel branch, and the line that runs them; names that they assign belong to ``scope``."""
        lines: list[str] = []
        functions: list[str] = []
        picked = self._picked
        for _, branch in groupby(ops, lambda op: op.branch):
            self._picked = {}  # one branch cannot use what the other computes
            begun = len(self._assigned)
            inner = self._lines(branch)
            names = self._assigned[begun:]
            functions.append(f"branch{len(functions)}")
            lines += [f"{' = '.join(names)} = None"] if names else []
            lines += [f"def {functions[-1]}():", *([f"    {scope} {', '.join(names)}"] if names else [])]
            lines += [f"    {line}" for line in inner or ["pass"]]
        self._picked = picked
        return [*lines, f"{self._bound(run_branches)}({', '.join(functions)})"]

    def _output(self, value: Value) -> str:
        name = self._name(value)
        if value not in self._arrays:
            return name if value.base is None else f"{name}.copy()"
        return f"{name}.copy()" if value.shape else f"{name}[()]"
