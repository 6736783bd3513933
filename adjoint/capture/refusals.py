"""The errors that refuse to read a value while a function is recorded: which function reads it, and what to use instead."""

from __future__ import annotations

import sys

from ..errors import CaptureError

_PACKAGE = __name__.partition(".")[0]
_LATER = "return the tensor, and read it after the call"
_MASK = "use where(mask, x, 0), or a sum over the mask"

#: What to use instead of each function that reads values, by its name in the source.
INSTEAD = {
    "__array__": _LATER,
    "__bool__": "use where(condition, a, b), or logical_and, logical_or and logical_not",
    "__contains__": "use (x == value).any()",
    "__deepcopy__": "use clone()",
    "__dlpack__": _LATER,
    "__float__": "use the 0-d tensor itself in place of the number",
    "__format__": _LATER,
    "__index__": "use index_select(x, dim, start + arange(n)) for a slice, or a Python integer",
    "__int__": "use the 0-d tensor itself in place of the number",
    "__reduce__": "save or copy it after the call",
    "__repr__": _LATER,
    "allclose": "use isclose(x, other).all(), which is a tensor",
    "arange": "use Python numbers, or arange(n) * step + start for a tensor",
    "argwhere": _MASK,
    "assert_close": "compare after the call",
    "bincount": "use zeros(n).index_add(0, x, weights)",
    "cpu": "move it before the call, or after it",
    "cuda": "move it before the call, or after it",
    "embedding_bag": "use bags of one length, (B, N) without offsets, filled up with padding_idx",
    "equal": "use (x == other).all(), which is a tensor",
    "x[mask]": _MASK,
    "graph": "draw the graph outside of the function",
    "item": _LATER,
    "linspace": "use Python numbers, or start + (end - start) * linspace(0, 1, n) for tensors",
    "logspace": "use Python numbers, or base ** x of a tensor x",
    "masked_select": _MASK,
    "narrow": "use index_select(x, dim, start + arange(length))",
    "new_tensor": "use stack for a list of tensors, and clone() or detach() for one",
    "nonzero": _MASK,
    "numpy": _LATER,
    "one_hot": "give num_classes",
    "pack_padded_sequence": "use padded sequences, and a mask by arange(n) < length",
    "pad_packed_sequence": "use padded sequences, and a mask by arange(n) < length",
    "repeat_interleave": "give output_size",
    "save": "save it after the call",
    "select": "use x[:, i] of a 0-d tensor i",
    "select_scatter": "use index_put",
    "stride": "take it before the call",
    "tensor": "use stack for a list of tensors, and clone() or detach() for one",
    "tensor_split": "use Python integers for the indices",
    "to": "move it before the call, or after it",
    "to_device": "move it before the call, or after it",
    "tolist": _LATER,
    "unique": "use sort(x), or compute it outside of the function",
    "unique_consecutive": "use x[1:] != x[:-1], or compute it outside of the function",
    "where": _MASK,
}

#: The names that users know for methods which Python calls.
SHOWN = {
    "__array__": "numpy", "__bool__": "bool(tensor)", "__contains__": "in", "__deepcopy__": "deepcopy",
    "__float__": "float(tensor)",
    "__format__": "print", "__index__": "a tensor as an integer", "__int__": "int(tensor)", "__reduce__": "pickle",
    "__repr__": "print",
}  # fmt: skip


def refused(what: str = "a value is read", name: str = "") -> CaptureError:
    """The error for a recorded function that reads values.

    It names the outermost function of the library in :data:`INSTEAD` that the user's code called, otherwise ``name``.
    """
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", _PACKAGE).partition(".")[0] == _PACKAGE:  # generated code has none
        if frame.f_code.co_name in INSTEAD:
            name = frame.f_code.co_name
        frame = frame.f_back  # type: ignore[assignment]
    instead = INSTEAD.get(name, "compute it outside of the captured function, or return it")
    return CaptureError(f"{SHOWN.get(name, name) or 'capture'}: {what} while the function is recorded; {instead}")
