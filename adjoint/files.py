"""Files: named tensors in the safetensors format, never pickled, and the atomic write behind every save."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .autograd import Tensor
from .autograd.creation import tensor
from .backends.dtypes import ALL
from .errors import FileFormatError
from .lazy import import_extra

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]

PURPOSE = "saving and loading weights"

#: File extensions of other formats.
_FOREIGN = (".pt", ".pth", ".pkl", ".pickle", ".npz", ".npy", ".h5", ".hdf5")

#: Dtypes by their names in the format.
_DTYPES = {f"{dtype.kind[0].upper()}{dtype.bits}": dtype.name for dtype in ALL if dtype.kind != "bool"} | {"BOOL": "bool"}

#: Descriptions of other formats by their first bytes.
_KINDS = {bytes((0x80, protocol)): "is a pickle, which is never read" for protocol in (2, 3, 4, 5)} | {
    b"PK\3\4": "is a zip archive, of pickles as PyTorch writes it or of arrays as NumPy does",
    b"\x93NUMPY": "is an array in NumPy's format",
    b"\x89HDF": "is of the HDF5 format",
}


@contextmanager
def atomic_write(path: PathLike) -> Iterator[str]:
    """Save a file atomically: write to a temporary file beside ``path``, which replaces ``path`` when the block ends.

    Where the block raises, or is interrupted, the temporary file is removed and ``path`` is unchanged. The file keeps its
    permissions; of a symbolic link the target is replaced. A device or a pipe is written to directly.

    Args:
        path: the file to write.

    Returns:
        A context manager that gives the name of the temporary file, with the extension of ``path``.

    Raises ``FileNotFoundError`` where the folder is missing, ``IsADirectoryError`` where ``path`` is a folder, and another
    ``OSError``, which names ``path``, where it cannot be written.

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
    """Write named tensors, such as a module's ``state_dict()``, atomically to a safetensors file.

    Args:
        tensors: tensors by name, on any device and in any layout.
        path: the file, whose name should end in ``.safetensors``.
        metadata: strings by name to store beside them, such as ``{"optimizer": json.dumps(...)}``; see :func:`load_metadata`.

    Raises:
        TypeError: a name or metadata that is not a string, or a value that is not a tensor.
        ValueError: a tensor is named ``__metadata__``, which the format reserves; or the extension is that of another format.
        OSError: the file cannot be written; ``FileNotFoundError`` where the folder is missing.
        MissingExtra: safetensors is not installed.
    """
    safetensors = import_extra("safetensors.numpy", "files", PURPOSE)
    if not isinstance(tensors, Mapping):
        raise TypeError(f"save: takes a dict of named tensors such as model.state_dict(), not a {type(tensors).__name__}")
    for name, value in tensors.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(
                f"save: takes a flat dict of tensors, and {name!r} is a {type(value).__name__}; save a model with its optimizer by "
                "train.save_checkpoint, and other values as JSON in metadata"
            )
        if name == "__metadata__":
            raise ValueError("save: the name '__metadata__' is reserved by the format; give the tensor another")
    for key, text in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(text, str):
            raise TypeError(f"save: metadata is a dict of strings, and {key!r} is a {type(text).__name__}")
    if (ending := os.path.splitext(os.fsdecode(path))[1].lower()) in _FOREIGN:
        raise ValueError(f"save: {os.fsdecode(path)}: the format is safetensors, not {ending}; end the name in .safetensors")
    arrays = {name: _row_major(value.backend.to_numpy(value._array)) for name, value in tensors.items()}
    content = safetensors.save(arrays, dict(metadata) if metadata else None)
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def _row_major(array: Any) -> Any:
    """The NumPy array in row-major order, since the format ignores strides."""
    return array if array.flags.c_contiguous else array.copy()


def load(path: PathLike, device: Any = None) -> dict[str, Tensor]:
    """Read the tensors in a safetensors file.

    Args:
        path: the file.
        device: of the tensors; the default one by default.

    Returns:
        The tensors by name.

    Raises:
        FileNotFoundError: there is no such file.
        FileFormatError: it is truncated, corrupt, of another format, or has a tensor of an unsupported dtype.
        MissingExtra: safetensors is not installed.
    """
    path = os.fsdecode(path)
    with _opened(path) as file:
        names = list(file.keys())
        for name in names:
            if (dtype := file.get_slice(name).get_dtype()) not in _DTYPES:
                raise FileFormatError(
                    f"{path}: tensor {name!r} is {dtype}, which is not supported; convert it where it was written"
                )
        return {name: tensor(file.get_tensor(name), device=device) for name in names}


def load_metadata(path: PathLike) -> dict[str, str]:
    """The strings stored beside the tensors of a safetensors file, by name. Raises what :func:`load` raises."""
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: PathLike) -> Iterator[Any]:
    """The file, opened by safetensors, whose errors become :class:`FileFormatError`."""
    safetensors = import_extra("safetensors", "files", PURPOSE)
    path = os.fsdecode(path)
    with open(path, "rb") as file:
        head = file.read(9)
    if head[8:] != b"{":
        kind = next((kind for start, kind in _KINDS.items() if head.startswith(start)), "is of another format")
        raise FileFormatError(f"{path}: not a safetensors file, it {kind if head else 'is empty'}")
    try:
        with safetensors.safe_open(path, framework="np") as opened:
            yield opened
    except safetensors.SafetensorError as error:
        raise FileFormatError(f"{path}: the safetensors file is truncated or corrupt ({error})") from error
