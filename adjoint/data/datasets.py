"""Small real data sets by name: bundled with scikit-learn, in a local folder, or downloaded once and verified."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ..autograd import Tensor
from ..autograd.creation import tensor
from ..errors import FileFormatError, nearest
from ..lazy import LazyModule, import_extra
from .dataset import TensorDataset
from .idx import read_idx

__all__ = ["LabelledDataset", "digits", "fetch", "iris", "mnist"]

hashlib: Any = LazyModule("hashlib", None)

_RDATASETS = "https://vincentarelbundock.github.io/Rdatasets/csv/"
_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"


class Source(NamedTuple):
    """The URL of a file, and the SHA-256 of its bytes."""

    url: str
    sha256: str


FILES = {
    "airquality.csv": Source(
        _RDATASETS + "datasets/airquality.csv", "65d2c4afd976c169af9bb0bd97e9e78e1e8a185f1b52e2e3153e30f90c7fb5f8"
    ),
    "iris.csv": Source(_RDATASETS + "datasets/iris.csv", "398fadb8f48750d386d670e0b15c65944919682373bcaba59650c33eb5474362"),
    "penguins.csv": Source(
        _RDATASETS + "palmerpenguins/penguins.csv", "3c4c14fd9d1b3466dff2e046627cc32814ab6226c0e228c55f24e896a93a89b1"
    ),
    "titanic.csv": Source(
        _RDATASETS + "carData/TitanicSurvival.csv", "2c93ffc67aadb131ce5f56ef4e1abcd32b8eaf405af9ed550eb1aaf696f95106"
    ),
    "names.txt": Source(
        "https://raw.githubusercontent.com/karpathy/makemore/master/names.txt",
        "0a30b5557f192f32ab962680889aac5f6fda0f4cecf40a6d0b5694f58ea8cc4d",
    ),
    "tinyshakespeare.txt": Source(
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    ),
    "train-images-idx3-ubyte.gz": Source(
        _MNIST + "train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
    ),
    "train-labels-idx1-ubyte.gz": Source(
        _MNIST + "train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
    ),
    "t10k-images-idx3-ubyte.gz": Source(
        _MNIST + "t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
    ),
    "t10k-labels-idx1-ubyte.gz": Source(
        _MNIST + "t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
    ),
}

#: The names of the tables among them.
TABLES = tuple(name.removesuffix(".csv") for name in FILES if name.endswith(".csv"))


def fetch(name: str) -> str:
    """The path of the data file ``name`` (its extension may be omitted), verified by its SHA-256.

    It comes from the folder in the variable ``ADJOINT_DATA``, else from the user's cache, into which it is downloaded once.

    Raises:
        ValueError: there is no such data set; the message has the most similar names.
        FileFormatError: the file in the folder, or the download, has another SHA-256.
        MissingExtra: pooch, which downloads, is not installed.
        ConnectionError: the download failed.
    """
    stems = {file.partition(".")[0]: file for file in FILES if not file.endswith(".gz")}
    file = stems.get(name, name)
    if file not in FILES:
        names = [*stems, *(other for other in FILES if other.endswith(".gz"))]
        raise ValueError(f"there is no data set {name!r}{nearest(name, names)}; there are {', '.join(names)}")
    folder = os.environ.get("ADJOINT_DATA")
    if folder and os.path.exists(path := os.path.join(folder, file)):
        _verify(path, FILES[file].sha256)
        return path
    return _download(file)


def _verify(path: str, sha256: str) -> None:
    with open(path, "rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != sha256:
        raise FileFormatError(f"{path}: its SHA-256 is {actual}, not {sha256}; replace the file, or remove it to download it")


def _download(file: str) -> str:
    folder = os.environ.get("ADJOINT_DATA")
    hint = f" (ADJOINT_DATA names {folder}, which does not have it)" if folder else ""
    pooch = import_extra("pooch", "data", f"downloading {file}{hint}")
    source = FILES[file]
    try:
        path: str = pooch.retrieve(source.url, f"sha256:{source.sha256}", file, pooch.os_cache("adjoint"))
    except ValueError as error:
        raise FileFormatError(f"{file}: the download from {source.url} is not the expected file ({error})") from error
    except OSError as error:
        raise ConnectionError(
            f"{file}: the download from {source.url} failed ({error}){hint}; or set ADJOINT_DATA to a folder that has the file"
        ) from error
    return path


class LabelledDataset(TensorDataset):
    """Samples with class numbers, and the names of features and classes.

    Args:
        x: the features, (n, ...).
        y: the class numbers, (n,), int64.
        feature_names: a name per feature.
        class_names: a name per class.

    Raises ``ValueError`` where the lengths differ.
    """

    def __init__(self, x: Tensor, y: Tensor, feature_names: list[str], class_names: list[str]) -> None:
        super().__init__(x, y)
        self.x, self.y, self.feature_names, self.class_names = x, y, feature_names, class_names


def iris() -> LabelledDataset:
    """Fisher's iris (1936): x the lengths and widths of sepal and petal in cm, float32 (150, 4), y one of 3 species, int64 (150,).

    It comes with scikit-learn. Raises :class:`MissingExtra` where that is not installed.
    """
    return _bundled("iris")


def digits() -> LabelledDataset:
    """Handwritten digits (Alpaydin and Kaynak, 1998): x the 8 x 8 pixels from 0 to 16, float32 (1797, 64), y the digit, int64.

    They come with scikit-learn. Raises :class:`MissingExtra` where that is not installed.
    """
    return _bundled("digits")


def _bundled(name: str) -> LabelledDataset:
    bunch = getattr(import_extra("sklearn.datasets", "data", f"the data set {name}", "scikit-learn"), f"load_{name}")()
    return LabelledDataset(
        tensor(bunch.data, dtype="float32"),
        tensor(bunch.target, dtype="int64"),
        [str(feature) for feature in bunch.feature_names],
        [str(label) for label in bunch.target_names],
    )


def mnist(train: bool = True) -> LabelledDataset:
    """MNIST (LeCun, Bottou, Bengio and Haffner, 1998): n = 60,000 training digits, or 10,000 for testing with ``train=False``.

    x holds the pixels from 0 to 1, float32 (n, 1, 28, 28), y the digit, int64 (n,). Raises what :func:`fetch` and :func:`read_idx`
    raise.
    """
    part = "train" if train else "t10k"
    images, labels = read_idx(fetch(f"{part}-images-idx3-ubyte.gz")), read_idx(fetch(f"{part}-labels-idx1-ubyte.gz"))
    x = (images.float() / 255.0).unsqueeze(1)
    pixels = [f"pixel {row},{column}" for row in range(28) for column in range(28)]
    return LabelledDataset(x, labels.long(), pixels, [str(digit) for digit in range(10)])
