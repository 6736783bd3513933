"""Choosing a backend: by name, synonym, block, call, variable and entry point; and what is said when it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import adjoint as ad
from adjoint import backends
from adjoint.errors import BackendError


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter's run of ``code``."""
    environment = {k: v for k, v in os.environ.items() if k != "ADJOINT_BACKEND"} | variables
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


def test_names_and_synonyms_mean_one_object() -> None:
    numpy = backends.get("numpy")
    assert numpy is backends.get("cpu") is backends.get("cpu:0") is backends.get(numpy)
    assert backends.get("strict") is backends.get("strict")
    assert (numpy.name, numpy.device, backends.device_count("cpu")) == ("numpy", "cpu", 1)
    assert {"numpy", "cupy", "strict"} <= set(backends.names())


@pytest.mark.parametrize(("name", "message"), [
    ("abacus", "unknown backend or device 'abacus': use one of numpy, cupy"), ("cpu:1", "no device 'cpu:1'"),
    ("cuda:x", "device number follows"), ("", "unknown backend"),
])  # fmt: skip
def test_an_unknown_backend_is_refused_with_the_known_names(name: str, message: str) -> None:
    for choose in (backends.get, ad.use_backend, lambda n: ad.ones(1, device=n), lambda n: ad.ones(1).to(n)):
        with pytest.raises((BackendError, TypeError), match=message):
            choose(name)
    with pytest.raises(TypeError, match="not int"):
        backends.get(3)


def test_use_backend_is_a_block_and_a_call() -> None:
    before = backends.default()
    with ad.use_backend("strict") as chosen:
        assert ad.ones(1).device == chosen.device == "strict"
        with ad.use_backend("cpu"):
            assert ad.ones(1).device == "cpu"
        assert ad.ones(1).device == "strict"
    assert backends.default() is before
    with pytest.raises(ZeroDivisionError), ad.use_backend("strict"):
        1 / 0  # noqa: B018
    assert backends.default() is before
    done = python("import adjoint as ad; ad.use_backend('strict'); print(ad.zeros(1).device)")
    assert done.stdout == "strict\n"


def test_the_environment_names_the_default() -> None:
    say = "import adjoint as ad; print(ad.zeros(1).device)"
    assert python(say).stdout == "cpu\n"
    assert python(say, ADJOINT_BACKEND="strict").stdout == "strict\n"
    assert python(say, ADJOINT_BACKEND="").stdout == "cpu\n"
    wrong = python(say, ADJOINT_BACKEND="abacus")
    assert "unknown backend or device 'abacus'" in wrong.stderr
    mended = python("import adjoint as ad; ad.use_backend('numpy'); print(ad.zeros(1).device)", ADJOINT_BACKEND="abacus")
    assert mended.stdout == "cpu\n"


def test_a_library_that_is_missing_is_named_when_it_is_chosen_not_at_import() -> None:
    hide = "import sys; sys.modules['{}'] = None; import adjoint as ad; print('imported'); ad.use_backend('{}')"
    for module, backend, mend in (("cupy", "cuda", "adjoint[cupy]"), ("array_api_strict", "strict", "adjoint[test]")):
        done = python(hide.format(module, backend))
        assert done.stdout == "imported\n"
        assert "BackendError" in done.stderr
        assert f"pip install '{mend}'" in done.stderr
    assert (
        python("import sys; sys.modules['cupy'] = None; import adjoint as ad; print(ad.backends.device_count('cuda'))").stdout
        == "0\n"
    )


PLUG_IN = """
from adjoint.backends.numpy import NumpyBackend
class Counted(NumpyBackend):
    name, device = "counted", "counted:0"
    array_types = ()
def create(index):
    if index not in (None, 0):
        from adjoint.errors import BackendError
        raise BackendError(f"counted: no device {index}")
    return Counted()
"""


def test_another_package_registers_a_backend_by_entry_point(tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(PLUG_IN)
    info = tmp_path / "counted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: counted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[adjoint.backends]\ncounted = counted:create\n")
    code = """
import adjoint as ad
assert "counted" in ad.backends.names()
with ad.use_backend("counted"):
    x = ad.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    print(x.device, x.grad)
print(x.to("cpu").device, ad.ones(1).to("counted:0").device)
"""
    done = python(code, PYTHONPATH=str(tmp_path))
    assert done.stdout == "counted:0 tensor([2., 4.], device='counted:0')\ncpu counted:0\n", done.stderr
    assert "no device 3" in python("import adjoint as ad; ad.ones(1, device='counted:3')", PYTHONPATH=str(tmp_path)).stderr


def test_a_raw_array_is_known_by_its_library() -> None:
    numpy = backends.get("numpy")
    assert backends.of_array(numpy.xp.zeros((1,))) is numpy
    assert backends.of_array(backends.get("strict").xp.zeros((1,))) is backends.get("strict")
    thing: Any = object()
    assert backends.of_array(thing) is None
    assert backends.of_array([1]) is None
