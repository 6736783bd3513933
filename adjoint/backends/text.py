"""How an array is printed: PyTorch's way, four digits, aligned columns, the middle of long axes left out."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

DIGITS, LINE, THRESHOLD, EDGE = 4, 80, 1000, 3


def to_text(array: Any, facts: list[str]) -> str:
    """``tensor(…)`` with the array's values, then ``facts`` (dtype, device, …) separated by commas."""
    array, opening = np.asarray(array), "tensor("
    if array.size == 0:
        text = "[]"
        if array.ndim != 1:
            facts = [f"size={array.shape}", *facts]
    else:
        leave_out = array.size > THRESHOLD
        shown = _ends(array) if leave_out else array
        text = _nested(array, *_formatter(shown), len(opening), leave_out)
    text = opening + text
    last_line = len(text) - text.rfind("\n") + 1
    for fact in facts:
        if last_line + len(fact) + 2 > LINE:
            text += ",\n" + " " * len(opening) + fact
            last_line = len(opening) + len(fact)
        else:
            text += ", " + fact
            last_line += len(fact) + 2
    return text + ")"


def _ends(array: Any) -> Any:
    """The elements that are shown of an array too long to be shown whole."""
    for axis, n in enumerate(array.shape):
        if n > 2 * EDGE:
            array = np.take(array, [*range(EDGE), *range(n - EDGE, n)], axis)
    return array


def _formatter(shown: Any) -> tuple[Callable[[Any], str], int]:
    """A function from an element to its text, and the width that all but a few take."""
    if shown.dtype.kind != "f":
        width = max(len(str(v)) for v in shown.ravel().tolist())
        return lambda v: str(v).rjust(width), width
    sizes = [v for v in shown.ravel().tolist() if isfinite(v) and v != 0]
    largest, smallest = max(map(abs, sizes), default=1), min(map(abs, sizes), default=1)
    whole = all(v == int(v) for v in sizes)
    if largest / smallest > 1000 or largest > 1e8 or (not whole and smallest < 1e-4):
        form, point = f".{DIGITS}e", ""
    else:
        form, point = (".0f", ".") if whole else (f".{DIGITS}f", "")
    width = max((len(format(v, form)) + len(point) for v in sizes), default=1)
    return lambda v: (format(v, form) + (point if isfinite(v) else "")).rjust(width), width


def _nested(array: Any, form: Callable[[Any], str], width: int, indent: int, leave_out: bool) -> str:
    if array.ndim == 0:
        return form(array.item())
    cut = leave_out and len(array) > 2 * EDGE
    parts = [*array[:EDGE], *array[-EDGE:]] if cut else list(array)
    if array.ndim > 1:
        texts = [_nested(part, form, width, indent + 1, leave_out) for part in parts]
        if cut:
            texts.insert(EDGE, "...")
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(texts) + "]"
    texts = [form(part.item()) for part in parts]
    if cut:
        texts.insert(EDGE, " ...")
    a_line = max(1, (LINE - indent) // (width + 2))
    lines = [", ".join(texts[i : i + a_line]) for i in range(0, len(texts), a_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
