"""Data sets by name: the right file or an error, from a folder, from the cache or over the network."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import shutil
import struct
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

import adjoint as ad
from adjoint.data import datasets, fetch, read_idx
from adjoint.errors import FileFormatError, MissingExtra

NAMES = b"anna\nbob\n"
NAMES_SHA256 = hashlib.sha256(NAMES).hexdigest()


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(("load", "shape", "classes"), [(ad.data.iris, (150, 4), 3), (ad.data.digits, (1797, 64), 10)])
def test_bundled_data_sets_are_ready_to_train_on(load, shape, classes, backend):
    pytest.importorskip("sklearn", reason="scikit-learn is in the data extra")
    data = load()
    assert (data.x.shape, data.x.dtype, data.y.dtype) == (shape, ad.float32, ad.int64)
    assert (len(data.feature_names), len(data.class_names)) == (shape[1], classes)
    assert set(data.y.tolist()) == set(range(classes))
    assert data.x.backend is backend
    assert len(next(iter(ad.data.DataLoader(data, 30)))[0]) == 30


@pytest.mark.parametrize(("module", "ask"), [("sklearn", ad.data.iris), ("pooch", lambda: fetch("names"))])
def test_a_missing_extra_is_named(monkeypatch, module, ask):
    monkeypatch.delenv("ADJOINT_DATA", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"adjoint\[data\]"):
        ask()
    if module == "pooch":
        monkeypatch.setenv("ADJOINT_DATA", "/nowhere")
        with pytest.raises(MissingExtra, match="ADJOINT_DATA names /nowhere, which does not have it"):
            ask()


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(ValueError, match=r"no data set 'penguin' \(did you mean 'penguins'\?\); there are airquality, iris"):
        fetch("penguin")


def test_the_folder_of_the_variable_is_looked_in_first(files):
    for name, file in (("iris", "iris.csv"), ("names.txt", "names.txt"), ("tinyshakespeare", "tinyshakespeare.txt")):
        assert fetch(name) == f"{files}/{file}"
    assert len(Path(fetch("names")).read_text().split()) == 32033


def test_a_wrong_file_in_the_folder_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "iris.csv").write_text("a,b\n1,2\n")
    monkeypatch.setenv("ADJOINT_DATA", str(tmp_path))
    with pytest.raises(FileFormatError, match=r"iris.csv: its SHA-256 is .*, not 398fadb8"):
        fetch("iris")


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A file that a server on this machine offers as the data set ``names``, and how often it was asked for."""
    pytest.importorskip("pooch", reason="pooch is in the data extra")
    folder, asked = tmp_path / "served", []
    folder.mkdir()
    (folder / "names.txt").write_bytes(NAMES)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *args):
            asked.append(args)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
    monkeypatch.delenv("ADJOINT_DATA", raising=False)

    def offer(sha256=NAMES_SHA256, path="names.txt"):
        url = f"http://127.0.0.1:{server.server_port}/{path}"
        monkeypatch.setitem(datasets.FILES, "names.txt", datasets.Source(url, sha256))
        return asked

    yield offer
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_file_is_downloaded_once_and_then_in_the_cache(served, tmp_path, monkeypatch):
    asked = served()
    monkeypatch.setenv("ADJOINT_DATA", str(tmp_path / "served" / "nothing"))
    path = fetch("names")
    assert path == str(tmp_path / "cache" / "adjoint" / "names.txt")
    assert Path(path).read_bytes() == NAMES
    assert fetch("names.txt") == path
    assert len(asked) == 1


def test_a_damaged_file_in_the_cache_is_fetched_again(served):
    asked = served()
    path = fetch("names")
    with open(path, "w") as file:
        file.write("damaged")
    assert Path(fetch("names")).read_bytes() == NAMES
    assert len(asked) == 2


def test_a_download_of_something_else_is_refused_and_not_kept(served, tmp_path):
    served(sha256="0" * 64)
    with pytest.raises(FileFormatError, match=r"names.txt: the download from http://127.0.0.1.* is not the expected file"):
        fetch("names")
    assert not list((tmp_path / "cache").rglob("*.txt"))


def test_a_failed_download_says_what_else_to_do(served, monkeypatch):
    served(path="gone.txt")
    with pytest.raises(ConnectionError, match=r"gone.txt failed .*404.*or set ADJOINT_DATA"):
        fetch("names")
    monkeypatch.setenv("ADJOINT_DATA", "/nowhere")
    with pytest.raises(ConnectionError, match=r"ADJOINT_DATA names /nowhere, which does not have it"):
        fetch("names")


# --- MNIST's format ----------------------------------------------------------------------------------------------------------

CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def as_idx(array):
    header = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.usefixtures("backend")
@given(data=st.data(), name=st.sampled_from([*CODES]), zipped=st.booleans())
def test_idx_files_of_every_type_and_shape_are_read(tmp_path_factory, data, name, zipped, backend):
    shape = data.draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    array = data.draw(arrays.arrays(name, shape))
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(gzip.compress(as_idx(array)) if zipped else as_idx(array))
    if not hasattr(backend.xp, name):
        return
    found = read_idx(path)
    assert found.dtype.name == name
    assert np.array_equal(found.cpu().numpy(), array, equal_nan=name.startswith("float"))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda b: b[:-1], "truncated: 29 bytes where shape .3, 6. of uint8 needs 30"),
        (lambda b: b[:9], "truncated"),
        (lambda b: b + b"!", "too long"),
        (lambda b: b"\1" + b[1:], "not an IDX file"),
        (lambda b: b"\0\0\7" + b[3:], "not an IDX file"),
        (lambda b: b"", "not an IDX file"),
        (lambda b: b"\0\0\x08\x46" + b"\0\0\0\1" * 70 + b"x", "70 axes, but a tensor has at most 64"),
        (lambda b: gzip.compress(b)[:-9], "gzip file is truncated or corrupt"),
        (lambda b: gzip.compress(b)[:12] + b"\xff" * 30, "gzip file is truncated or corrupt"),
    ],
)
def test_a_damaged_idx_file_is_refused_by_name(tmp_path, damage, match):
    path = tmp_path / "images-idx3"
    path.write_bytes(damage(as_idx(np.zeros((3, 6), np.uint8))))
    with pytest.raises(FileFormatError, match=f"images-idx3: .*{match}"):
        read_idx(path)


def test_an_idx_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_idx(tmp_path / "nothing")


@pytest.mark.usefixtures("backend")
def test_mnists_test_digits_are_ready_to_train_on(files):
    data = ad.data.mnist(train=False)
    assert (data.x.shape, data.x.dtype, data.y.shape, data.y.dtype) == ((10000, 1, 28, 28), ad.float32, (10000,), ad.int64)
    assert (data.x.min().item(), data.x.max().item()) == (0.0, 1.0)
    assert data.y[:5].tolist() == [7, 2, 1, 0, 4]
    assert len(data.feature_names) == 784


def test_a_truncated_mnist_file_is_refused(files, monkeypatch, tmp_path):
    for part in ("images-idx3", "labels-idx1"):
        shutil.copy(f"{files}/t10k-{part}-ubyte.gz", tmp_path)
    with open(tmp_path / "t10k-images-idx3-ubyte.gz", "r+b") as file:
        file.truncate(1000)
    monkeypatch.setenv("ADJOINT_DATA", str(tmp_path))
    with pytest.raises(FileFormatError, match="t10k-images"):
        ad.data.mnist(train=False)
