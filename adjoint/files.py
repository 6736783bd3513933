"""Weights in files: named tensors saved as safetensors, whole or not at all, and loaded without running anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .autograd import Tensor
from .autograd.creation import tensor
from .backends.dtypes import ALL
from .errors import FileFormatError, MissingExtra

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]

#: Endings that say another format than the one written.
_FOREIGN = (".pt", ".pth", ".pkl", ".pickle", ".npz", ".npy", ".h5", ".hdf5")

#: From the format's names of element types to ours.
_DTYPES = {f"{dtype.kind[0].upper()}{dtype.bits}": dtype.name for dtype in ALL if dtype.kind != "bool"} | {"BOOL": "bool"}


#: What other files begin with, and what they are.
_KINDS = {bytes((0x80, protocol)): "is a pickle, which is never read" for protocol in (2, 3, 4, 5)} | {
    b"PK\3\4": "is a zip archive, of pickles as PyTorch writes it or of arrays as NumPy does",
    b"\x93NUMPY": "is an array in NumPy's format",
    b"\x89HDF": "is of the HDF5 format",
}


@contextmanager
def atomic_write(path: PathLike) -> Iterator[str]:
    """The name of a temporary file, beside ``path`` and with its ending, to write to; it takes the place of ``path`` at the end.

    Where the block raises, or is interrupted, the temporary file is removed and what was at ``path`` stays as it was. The new
    file has the permissions of the one it replaces; a symbolic link stays, and what it points to is replaced. Where ``path`` is a
    device or a pipe there is nothing to replace: its own name is given, and written to. An ``OSError`` of the write names ``path``.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(folder + "/note.txt") as temporary, open(temporary, "w") as file:
    ...         _ = file.write("done")
    ...     os.listdir(folder)
    ['note.txt']
    """
    path = os.fsdecode(path)
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"{path}: there is no folder {folder} to write it to")
    if os.path.isdir(target):
        raise IsADirectoryError(f"{path}: there is a folder of that name; give the name of a file")
    temporary = os.path.join(folder, f".adjoint-{os.urandom(8).hex()}{os.path.splitext(path)[1]}")
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            yield path
            return
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        if os.path.exists(target):
            os.chmod(temporary, os.stat(target).st_mode & 0o7777)
        os.replace(temporary, target)
    except OSError as error:
        if error.errno is None or error.filename not in (None, temporary):
            raise
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def save(tensors: Mapping[str, Tensor], path: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors, such as a module's ``state_dict()``, to a safetensors file, from any device and in any layout.

    The write is atomic: a file of that name is replaced by the whole new one or not at all.

    What is no tensor goes beside them as text: ``metadata={"optimizer": json.dumps(...)}``.

    Args:
        metadata: text to keep beside them, for :func:`load_metadata`.

    Raises:
        TypeError: a name or metadata that is not text, or a value that is not a tensor.
        ValueError: a tensor is named ``__metadata__``, which the format keeps for itself; or the file's name ends as those of
            another format do.
        FileNotFoundError: there is no such folder; another ``OSError``: it can not be written there.
        MissingExtra: safetensors is not installed.
    """
    safetensors = _safetensors()
    if not isinstance(tensors, Mapping):
        raise TypeError(f"save: takes a dict of named tensors such as model.state_dict(), not a {type(tensors).__name__}")
    for name, value in tensors.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(
                f"save: takes tensors by name, and {name!r} is a {type(value).__name__}; give nested tensors names such as "
                "'state.0.exp_avg', and the rest as JSON text in metadata"
            )
        if name == "__metadata__":
            raise ValueError("save: the format keeps the name '__metadata__' for itself; give the tensor another")
    for key, text in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise TypeError(f"save: metadata is text by name, and {key!r} is a {type(text).__name__}")
    if (ending := os.path.splitext(os.fsdecode(path))[1].lower()) in _FOREIGN:
        raise ValueError(f"save: {os.fsdecode(path)}: what is written is safetensors, not {ending}; end the name in .safetensors")
    arrays = {name: _in_rows(value.backend.to_numpy(value._array)) for name, value in tensors.items()}
    content = safetensors.numpy.save(arrays, dict(metadata) if metadata else None)
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def _in_rows(array: Any) -> Any:
    """The NumPy array in row-major order, which is what the format writes whatever the strides say."""
    return array if array.flags.c_contiguous else array.copy()


def load(path: PathLike, device: Any = None) -> dict[str, Tensor]:
    """The tensors in a safetensors file by name, on ``device`` (the default one).

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: it is truncated, corrupt, of another format, or has a tensor of a dtype that there is none for here.
        MissingExtra: safetensors is not installed.
    """
    path = os.fsdecode(path)
    with _opened(path) as file:
        names = list(file.keys())
        for name in names:
            if (dtype := file.get_slice(name).get_dtype()) not in _DTYPES:
                raise FileFormatError(
                    f"{path}: tensor {name!r} is {dtype}, which tensors can not hold; convert it where it was written"
                )
        return {name: tensor(file.get_tensor(name), device=device) for name in names}


def load_metadata(path: PathLike) -> dict[str, str]:
    """The text kept in a safetensors file beside its tensors; raises as :func:`load` does."""
    with _opened(path) as file:
        return dict(file.metadata() or {})


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError as error:
        raise MissingExtra("safetensors", "files", "saving and loading weights") from error
    return safetensors


@contextmanager
def _opened(path: PathLike) -> Iterator[Any]:
    """The file, opened by safetensors, whose own errors are turned into ours."""
    safetensors = _safetensors()
    path = os.fsdecode(path)
    with open(path, "rb") as file:
        begin = file.read(9)
    if begin[8:] != b"{":
        kind = next((kind for start, kind in _KINDS.items() if begin.startswith(start)), "is of another format")
        raise FileFormatError(f"{path}: not a safetensors file, it {kind if begin else 'is empty'}")
    try:
        with safetensors.safe_open(path, framework="np") as opened:
            yield opened
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"{path}: the safetensors file is truncated or corrupt ({error})") from error
