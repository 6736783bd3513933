"""The checks of every primitive in the registry, and exemptions with their reasons. ``make op-report`` prints both."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """A line of the report about a test in ``test_primitives.py``."""

    title: str
    of: str
    on: str
    examples: int


NUMPY, OTHERS = "NumPy", "strict, CuPy if there is a GPU, and any other installed one"
CHECKS = [
    Check("value", "equal to NumPy's or SciPy's to 1e-12, in any memory layout; float32 stays float32", NUMPY, 14),
    Check("derivatives", "first and second, by every input, equal to extrapolated central differences to 1e-6", NUMPY, 14),
    Check("kernel", "differentiating the kernel operation by operation gives the rule's derivative", NUMPY, 6),
    Check("dtypes", "a gradient has its input's shape, dtype and device, also with `create_graph` and mixed dtypes", NUMPY, 5),
    Check(
        "float32 and float16",
        "value and gradient equal those of float64 to 16 units in the last place of the largest element",
        NUMPY,
        6,
    ),
    Check("NaN", "a NaN propagates to everything that depends on it and nothing else, forward and backward", NUMPY, 6),
    Check("zero size", "value and gradient for inputs without elements", f"{NUMPY}, {OTHERS}", 1),
    Check("broadcasting", "value and gradient of inputs of different shapes", NUMPY, 1),
    Check(
        "other backends", "value, first and second derivative equal NumPy's, in any layout, including NaN and infinity", OTHERS, 8
    ),
]

#: By check, then by primitive.
EXEMPT: dict[str, dict[str, str]] = {
    "kernel": {
        "astype": "its dtype belongs to a backend",
        "transfer": "it converts to another namespace",
        "index_put": "it writes in place, which the differentiable namespace rejects",
        "cross_entropy": "its rule uses index_put",
        "erf": "each backend provides it",
        "normal_cdf": "each backend provides it",
        "sigmoid": "each backend provides it",
        "attention_weights": "it works in place",
        **dict.fromkeys(
            "convolution convolution_transpose convolution_weight window_put".split(),
            "it works in blocks, whose size the backend chooses",
        ),
    },
    "zero size": {
        "max": "an empty array has no largest element",
        "min": "an empty array has no smallest element",
        "argmax": "an empty array has no largest element",
        "argmin": "an empty array has no smallest element",
        "mean": "0 / 0 is NaN",
        "softmax": "its axis needs at least one element",
        "log_softmax": "its axis needs at least one element",
        "standardize": "the mean needs at least one element",
        **dict.fromkeys(
            (
                "convolution convolution_transpose convolution_weight overlap_add sliding_windows "
                "window_argmax window_max window_put window_sum window_take"
            ).split(),
            "its samples have at least one window and one element",
        ),
        "write_through": "the views of its sample select a row",
        **dict.fromkeys(
            "cholesky det eigh inv pinv qr slogdet svd".split(), "its samples have at least one row, and a condition number"
        ),
        "cross_entropy": "it needs at least one class, and its samples have a row",
    },
    "broadcasting": {
        "linear": "weight and bias have fixed shapes",
        "layer_norm": "weight and bias have the shape of the input's last axes",
        "concat": "concatenation does not broadcast",
        "window_put": "it puts one element per window",
        "cross_entropy": "one scale per row",
        "searchsorted": "each value is looked up separately",
    },
    "NaN and infinity": {
        "copysign": "it reads only the sign, which NaN has too",
        **dict.fromkeys(
            "cholesky det eigh inv pinv qr slogdet solve svd".split(),
            "LAPACK rejects them, or continues with undefined comparisons",
        ),
    },
    "float32": {
        "polygamma": "for negative inputs, larger terms cancel",
    },
    "float16": {
        "transfer": "the other backend may have no float16",
        **dict.fromkeys(
            "cholesky det eigh inv pinv qr slogdet solve svd".split(), "LAPACK does not support it, and PyTorch rejects it too"
        ),
    },
}

#: For the functions in ``test_scale.py``: the value, first or second derivative that may lose accuracy, and why.
SCALE: dict[str, dict[str, str]] = {
    "sigmoid": {
        "first": "out (1 - out) is 0 from 17 on, as in PyTorch; computing it from the input takes another exponential",
        "second": "follows from the first derivative",
    },
    "tanh": {
        "first": "1 - out^2 is 0 from 9 on, as in PyTorch; computing it from the input takes another exponential",
        "second": "likewise",
    },
    "silu": {"second": "computed from the sigmoid's", "first": "likewise"},
    "mish": {"second": "computed from that of tanh", "first": "likewise"},
    "tanhshrink": {
        "value": "x - tanh x cancels near 0, as in PyTorch",
        "first": "computed from that of tanh",
        "second": "likewise",
    },
    "softsign": {
        "first": "x / (1 + abs(x)) is a composite whose two terms cancel for large x, as in PyTorch",
        "second": "likewise",
    },
    "gelu": {
        "value": "float32's normal distribution has an absolute error of 1.2e-7, with one exponential; PyTorch's is 0 from -5.6 on",
        "first": "likewise",
        "second": "likewise",
    },
    "log_ndtr": {"second": "differentiates the kernel of erfcx, whose terms cancel above 8, where the value is below 1e-13"},
    "binary_cross_entropy": {
        "first": "x (1 - x) is at least 1e-12 by definition, as in PyTorch",
        "second": "likewise",
    },
}
