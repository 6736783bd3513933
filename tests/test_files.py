"""Weights in files: there and back, to PyTorch and back, whole or not at all, and never unpickled."""

from __future__ import annotations

import errno
import os
import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

import adjoint as ad
from adjoint.errors import FileFormatError, MissingExtra
from adjoint.files import atomic_write, load_metadata

pytest.importorskip("safetensors", reason="safetensors is in the files extra")
pytestmark = pytest.mark.usefixtures("backend")

DTYPES = [dtype.name for dtype in ad.backends.dtypes.ALL]


@given(data=st.data(), name=st.sampled_from(DTYPES), turned=st.booleans())
def test_what_is_saved_is_loaded(tmp_path_factory, data, name, turned, backend):
    if not hasattr(backend.xp, name):
        return
    array = data.draw(arrays.arrays(name, arrays.array_shapes(min_dims=0, min_side=0, max_side=4)))
    x = ad.tensor(array)
    if turned:
        x = x.permute(*reversed(range(x.ndim)))
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    ad.save({"0.weight": x, "slice": x.reshape(-1)[::2]}, path)
    found = ad.load(path)
    assert list(found) == ["0.weight", "slice"]
    assert (found["0.weight"].dtype, found["0.weight"].backend) == (x.dtype, backend)
    expected = array.T if turned else array
    assert np.array_equal(found["0.weight"].cpu().numpy(), expected, equal_nan=name.startswith("float"))
    assert np.array_equal(found["slice"].cpu().numpy(), expected.reshape(-1)[::2], equal_nan=name.startswith("float"))


def test_weights_move_to_pytorch_and_back(tmp_path):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    from safetensors.torch import load_file, save_file

    path = tmp_path / "w.safetensors"
    weights = {"0.weight": ad.randn(3, 2).requires_grad_(), "0.bias": ad.randn(3), "steps": ad.tensor(7)}
    ad.save(weights, path)
    theirs = load_file(path)
    assert {name: tuple(t.shape) for name, t in theirs.items()} == {name: t.shape for name, t in weights.items()}
    model = torch.nn.Sequential(torch.nn.Linear(2, 3))
    model.load_state_dict({name: theirs[name] for name in ("0.weight", "0.bias")})
    save_file(model.state_dict(), path)
    for name, value in ad.load(path).items():
        assert value.tolist() == weights[name].tolist()


def test_loaded_tensors_are_writable_and_on_the_device_asked_for(tmp_path):
    path = tmp_path / "w"
    ad.save({"w": ad.zeros(2)}, path)
    w = ad.load(path, device="cpu")["w"]
    w[0] = 1.0
    assert (w.device, w.tolist()) == ("cpu", [1.0, 0.0])
    assert ad.load(str(path))["w"].tolist() == [0.0, 0.0]


def test_metadata_is_kept(tmp_path):
    path = tmp_path / "w"
    ad.save({}, path, metadata={"epoch": "3", "note": "ü"})
    assert load_metadata(path) == {"epoch": "3", "note": "ü"}
    assert ad.load(path) == {}
    ad.save({"w": ad.ones(1)}, path)
    assert load_metadata(path) == {}


def saved(tmp_path):
    path = tmp_path / "w.safetensors"
    ad.save({"w": ad.ones(3, 5), "v": ad.ones(2)}, path)
    return path, path.read_bytes()


@given(cut=st.integers(0, 10_000))
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path_factory, cut):
    path, content = saved(tmp_path_factory.mktemp("cut"))
    path.write_bytes(content[: cut % len(content)])
    for read in (ad.load, load_metadata):
        with pytest.raises(FileFormatError, match=r"w\.safetensors"):
            read(path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "it is empty"),
        (pickle.dumps({"w": [1.0]}), "a pickle, which is never read"),
        (b"PK\x03\x04 a zip such as torch.save and numpy.savez write", "a zip archive, of pickles .* or of arrays"),
        (b"\x93NUMPY\x01\x00v\x00", "an array in NumPy's format"),
        (b"\x89HDF\r\n\x1a\n\x00", "HDF5"),
        (b"loss,accuracy\n0.1,0.9\n", "of another format"),
        (b"\x10\0\0\0\0\0\0\0{ this is no JSON", "truncated or corrupt"),
        (b"\xff" * 8 + b"{" + b"x" * 100, "truncated or corrupt"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, content, match):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    for read in (ad.load, load_metadata):
        with pytest.raises(FileFormatError, match=f"w.safetensors: .*{match}"):
            read(path)


@given(place=st.integers(8, 60), value=st.integers(0, 255))
def test_a_damaged_header_is_refused_or_read_whole(tmp_path_factory, place, value):
    path, content = saved(tmp_path_factory.mktemp("damage"))
    path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
    try:
        found = ad.load(path)
    except (FileFormatError, TypeError):  # the latter for a dtype that the strict backend lacks
        return
    assert len(found) == 2


def test_a_dtype_that_tensors_do_not_have_is_named(tmp_path):
    torch = pytest.importorskip("torch", reason="the PyTorch oracle is in the dev extra")
    from safetensors.torch import save_file

    save_file({"w": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "w")
    with pytest.raises(FileFormatError, match="tensor 'w' is BF16"):
        ad.load(tmp_path / "w")


def test_a_file_or_folder_that_is_not_there_is_named(tmp_path):
    for read in (ad.load, load_metadata):
        with pytest.raises(FileNotFoundError, match="nothing"):
            read(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"no folder .*nothing"):
        ad.save({"w": ad.ones(1)}, tmp_path / "nothing" / "w")


@pytest.mark.parametrize("wrong", [[ad.ones(1)], {"w": np.ones(2)}, {1: ad.ones(1)}])
def test_only_named_tensors_are_saved(tmp_path, wrong):
    with pytest.raises(TypeError, match="save: takes"):
        ad.save(wrong, tmp_path / "w")
    with pytest.raises(TypeError, match="metadata"):
        ad.save({}, tmp_path / "w", metadata={"epoch": 3})
    with pytest.raises(TypeError, match=r"'state' is a dict; save a model with its optimizer by train.save_checkpoint.*metadata"):
        ad.save({"state": {0: {"exp_avg": ad.ones(1)}}}, tmp_path / "w")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("ending", [".pt", ".PTH", ".npz", ".npy", ".pkl", ".h5"])
def test_a_name_that_says_another_format_is_refused(tmp_path, ending):
    with pytest.raises(ValueError, match=rf"z\{ending}: .*end the name in \.safetensors"):
        ad.save({"w": ad.ones(1)}, tmp_path / f"z{ending}")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions, links and words")
def test_a_device_or_a_pipe_is_written_to_and_stays(tmp_path):
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with atomic_write(path) as name, open(name, "w") as file:
            file.write("done")
        assert os.read(reader, 10) == b"done"
        os.close(reader)
        assert pipe.is_fifo()
        assert link.is_symlink()
    with atomic_write(os.devnull) as name:
        assert name == os.devnull


def test_the_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(MissingExtra, match=r"adjoint\[files\]"):
        ad.save({}, tmp_path / "w")


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, error):
    path = tmp_path / "note.txt"
    path.write_text("old")

    def write():
        with atomic_write(path) as temporary:
            with open(temporary, "w") as file:
                file.write("half")
            assert os.path.dirname(temporary) == str(tmp_path)
            assert temporary.endswith(".txt")
            raise error

    with pytest.raises(error):
        write()
    assert os.listdir(tmp_path) == ["note.txt"]
    assert path.read_text() == "old"


def test_a_block_that_writes_nothing_changes_nothing(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(path):
        pass
    assert path.read_text() == "old"


def test_a_written_file_has_the_permissions_of_any_new_file(tmp_path):
    with atomic_write(tmp_path / "a") as temporary, open(temporary, "w") as file:
        file.write("x")
    (tmp_path / "b").write_text("x")
    assert os.stat(tmp_path / "a").st_mode == os.stat(tmp_path / "b").st_mode


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions, links and words")
def test_a_replaced_file_keeps_its_permissions_and_a_link_to_it(tmp_path):
    path, link = tmp_path / "w", tmp_path / "link"
    ad.save({}, path)
    (tmp_path / "b").write_text("x")
    assert os.stat(path).st_mode == os.stat(tmp_path / "b").st_mode
    path.chmod(0o640)
    link.symlink_to(path)
    ad.save({"w": ad.ones(1)}, link)
    assert link.is_symlink()
    assert os.stat(path).st_mode & 0o777 == 0o640
    assert ad.load(path)["w"].tolist() == [1.0]


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path):
    path = tmp_path / ("w" * 240 + ".st")
    ad.save({"w": ad.ones(1)}, path)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions, links and words")
def test_a_write_that_fails_is_told_of_the_file_asked_for(tmp_path, monkeypatch):
    with pytest.raises(OSError, match="too long") as caught:
        ad.save({"w": ad.ones(1)}, tmp_path / ("w." + "s" * 300))
    assert caught.value.filename == str(tmp_path / ("w." + "s" * 300))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*notes\.txt'"):
        ad.save({"w": ad.ones(1)}, tmp_path / "notes.txt")
    with pytest.raises(IsADirectoryError, match=f"{tmp_path}: there is a folder of that name"), atomic_write(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_paths_in_bytes_are_paths(tmp_path):
    path = os.fsencode(tmp_path / "w")
    ad.save({"w": ad.ones(1)}, path, {"a": "b"})
    assert ad.load(path)["w"].tolist() == [1.0]
    assert load_metadata(path) == {"a": "b"}


def test_the_name_the_format_keeps_for_itself_is_refused(tmp_path):
    with pytest.raises(ValueError, match="give the tensor another"):
        ad.save({"__metadata__": ad.ones(1)}, tmp_path / "w")


def test_an_interrupted_save_leaves_the_last_good_weights(tmp_path, monkeypatch):
    path, content = saved(tmp_path)

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ad.save({"w": ad.zeros(100)}, path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == [path.name]
