"""DLPack both ways with NumPy, PyTorch and JAX: one memory where it can be, and a refusal where a gradient would be lost."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import adjoint as ad
from adjoint.backends import Backend
from adjoint.backends.dtypes import ALL

torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")

SHAPES = [(), (3,), (0, 2), (2, 3)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [dtype.name for dtype in ALL])
def test_every_dtype_and_shape_goes_out_and_comes_back(dtype: str, shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    for library in (torch, np):
        out = library.from_dlpack(ad.tensor(values))
        assert str(out.dtype).removeprefix("torch.") == dtype
        back = ad.from_dlpack(out)
        assert (back.dtype.name, back.shape) == (dtype, shape)
        np.testing.assert_array_equal(back.numpy(), values)


@pytest.mark.parametrize("library", [np, torch], ids=["with NumPy", "with PyTorch"])
def test_memory_is_shared_in_both_directions(library: Any) -> None:
    x = ad.zeros(2, 3)
    other = library.from_dlpack(x)
    x[0, 1] = 5.0
    assert other[0, 1] == 5.0
    other[1, 2] = 7.0
    assert x[1, 2].item() == 7.0
    y = ad.from_dlpack(other[:, ::2])
    other[1, 0] = 9.0
    assert y.tolist() == [[0.0, 0.0], [9.0, 7.0]]
    y.mul_(2)
    assert other[1, 0] == 18.0


def test_a_0d_result_is_shared_too() -> None:
    x = ad.ones(3).sum()
    other = torch.from_dlpack(x)
    x.add_(1)
    assert other.item() == 4.0


def test_copies_are_made_when_asked_for() -> None:
    array = np.zeros(2)
    tensor = ad.from_dlpack(array, copy=True)
    array[0] = 5.0
    assert tensor.tolist() == [0.0, 0.0]
    x = ad.zeros(2)
    capsule = x.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=True)
    assert "dltensor_versioned" in repr(capsule)
    assert "dltensor_versioned" not in repr(x.__dlpack__())
    assert x.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError):
        x.__dlpack__(dl_device=(2, 0))


def test_memory_that_is_read_only_stays_so() -> None:
    array = np.ones(2)
    array.flags.writeable = False
    tensor = ad.from_dlpack(array)
    assert (tensor + 1).tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        tensor[0] = 2.0
    copied = ad.from_dlpack(array, copy=True)
    copied[0] = 2.0
    assert array.tolist() == [1.0, 1.0]


WITH_JAX = """
import adjoint as ad, jax
x = ad.tensor([[1.0, 2.0], [3.0, 4.0]])
assert jax.numpy.from_dlpack(x).tolist() == x.tolist()
back = ad.from_dlpack(jax.numpy.asarray([True, False]))
assert (back.dtype, back.tolist()) == (ad.bool_, [True, False])
try:
    back[0] = False
except ValueError as error:
    assert "read-only" in str(error)  # JAX's arrays never change
else:
    raise AssertionError("an array of JAX's was written to")
"""


def test_jax_exchanges_arrays_with_it() -> None:
    """In a process of its own: JAX's threads and the forks of other tests do not go together."""
    subprocess.run([sys.executable, "-c", WITH_JAX], check=True, capture_output=True, env=os.environ | {"JAX_PLATFORMS": "cpu"})


def test_a_tensor_that_requires_a_gradient_is_refused_in_both_libraries() -> None:
    x = ad.ones(2, requires_grad=True)
    for tensor in (x, x * 2):
        with pytest.raises(BufferError, match=r"\.detach\(\)"):
            torch.from_dlpack(tensor)
        with pytest.raises(BufferError):
            np.from_dlpack(tensor)
    assert torch.from_dlpack(x.detach()).tolist() == [1.0, 1.0]
    with pytest.raises(BufferError):
        ad.from_dlpack(torch.ones(2, requires_grad=True))


def test_what_is_no_array_or_holds_no_dtype_of_ours_is_refused() -> None:
    with pytest.raises(TypeError, match="not list"):
        ad.from_dlpack([1.0])
    for array in (np.ones(1, np.complex128), torch.ones(1, dtype=torch.bfloat16)):
        with pytest.raises(TypeError, match="convert"):
            ad.from_dlpack(array)


def test_memory_of_an_unknown_kind_is_refused() -> None:
    class Elsewhere:
        def __dlpack__(self) -> None: ...

        def __dlpack_device__(self) -> tuple[int, int]:
            return 12, 0

    with pytest.raises(ad.errors.BackendError, match="kind 12"):
        ad.from_dlpack(Elsewhere())


def test_a_tensor_of_any_backend_is_taken_and_moved_where_asked(backend: Backend) -> None:
    x = ad.tensor([1.0, 2.0])
    assert ad.from_dlpack(x).device == backend.device
    assert ad.from_dlpack(x, device="cpu").device == "cpu"
    moved = ad.from_dlpack(np.ones(2), device=backend.device)
    assert moved.device == backend.device
    if backend.name != "numpy":
        with pytest.raises(ValueError, match="without a copy"):
            ad.from_dlpack(np.ones(2), device=backend.device, copy=False)


@pytest.mark.skipif(not ad.backends.device_count("cupy"), reason="no GPU with CuPy is at hand")
def test_cupy_shares_its_memory() -> None:
    import cupy

    array = cupy.zeros(3)
    tensor = ad.from_dlpack(array)
    tensor[0] = 5.0
    assert array.tolist() == [5.0, 0.0, 0.0]
    assert tensor.device == "cuda:0"
    assert tensor.__dlpack_device__() == (2, 0)
    cupy.from_dlpack(tensor)[1] = 7.0
    assert tensor.tolist() == [5.0, 7.0, 0.0]
    assert ad.from_dlpack(tensor, device="cpu").tolist() == [5.0, 7.0, 0.0]
