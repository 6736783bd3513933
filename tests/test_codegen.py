"""Generated functions and lazy imports."""

from __future__ import annotations

import gc
import linecache
import traceback
from typing import Any

import pytest

import adjoint as ad
from adjoint.codegen import compile_function
from adjoint.lazy import LazyModule, attach


def test_a_traceback_shows_the_lines_of_a_generated_function_while_it_is_alive() -> None:
    function: Any = compile_function("def divide(x, y):\n    return x / y\n", "divide", {}, "ratio of two")
    with pytest.raises(ZeroDivisionError) as caught:
        function(1, 0)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.filename.startswith("<adjoint ratio of two ")
    assert (last.lineno, last.line) == (2, "return x / y")
    filename = last.filename
    linecache.checkcache()
    assert filename in linecache.cache
    del caught, function, last
    gc.collect()
    assert filename not in linecache.cache


def test_lazy_names_are_imported_when_asked_for_and_listed_before() -> None:
    module = {"__name__": "adjoint", "__package__": "adjoint", "own": 1}
    get, names = attach(module, {"nn": ".nn", "GradientTape": ".autograd.tape"})
    assert names() == ["GradientTape", "__name__", "__package__", "nn", "own"]
    assert get("nn") is module["nn"] is ad.nn
    assert get("GradientTape") is ad.GradientTape
    with pytest.raises(AttributeError, match="module 'adjoint' has no attribute 'absent'"):
        get("absent")
    assert LazyModule(".autograd.tape", "adjoint").GradientTape is ad.GradientTape
