"""``help`` and ``inspect.signature`` show the call that a user writes, not the kernel behind it."""

from __future__ import annotations

import inspect
import pydoc

import pytest

import adjoint as ad
from adjoint.autograd import registry
from adjoint.autograd.primitive import Primitive
from tests.project.test_docstrings import public_names


def test_no_public_signature_shows_the_namespace_of_a_kernel() -> None:
    functions = [(name, thing) for name, thing in public_names() if not (inspect.isclass(thing) or "testing.backend" in name)]
    assert len(functions) > 500
    assert [name for name, function in functions if "xp" in inspect.signature(function).parameters] == []


@pytest.mark.parametrize("primitive", registry.values(), ids=str)
def test_the_signature_of_a_primitive_is_that_of_its_call(primitive: Primitive) -> None:
    shown = inspect.signature(primitive)
    if primitive.variadic:
        assert shown.parameters[primitive.variadic].kind is inspect.Parameter.VAR_POSITIONAL
        return
    with pytest.raises(TypeError):
        primitive.call()  # compiles the call
    code = primitive.call.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    assert tuple(shown.parameters) == names
    by_keyword = tuple(name for name, p in shown.parameters.items() if p.kind is inspect.Parameter.KEYWORD_ONLY)
    assert by_keyword == names[code.co_argcount :]
    defaults = {name: p.default for name, p in shown.parameters.items() if p.default is not inspect.Parameter.empty}
    assert defaults == primitive.defaults


def test_help_shows_the_call_of_an_elementwise_function() -> None:
    assert str(inspect.signature(ad.exp)) == "(x)"
    assert str(inspect.signature(ad.Tensor.exp)) == "(x)"
    assert pydoc.render_doc(ad.exp, renderer=pydoc.plaintext).splitlines()[2] == "exp(x)"
