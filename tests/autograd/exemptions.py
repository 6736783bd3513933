"""What the walk over the registry checks, and what a primitive is let off, with the reason. ``make op-report`` prints both."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """A line of the report on the tests in ``test_primitives.py``."""

    title: str
    of: str
    on: str
    examples: int


NUMPY, OTHERS = "NumPy", "strict, CuPy where there is a GPU, and any other at hand"
CHECKS = [
    Check("value", "NumPy's or SciPy's, in any layout of memory, to 1e-12; float32 stays float32", NUMPY, 14),
    Check("derivatives", "first and second by every input, against extrapolated central differences, to 1e-6", NUMPY, 14),
    Check("kernel", "the kernel on tensors, differentiated by its own parts, has the rule's derivative", NUMPY, 6),
    Check(
        "dtypes", "a gradient has its input's shape, dtype and device, under `create_graph` too, where dtypes are mixed", NUMPY, 5
    ),
    Check("float32 and float16", "value and gradient to 16 units of the last place of the largest, against float64", NUMPY, 6),
    Check("NaN", "one NaN makes NaN of all that depends on it and no other number, forward and backward", NUMPY, 6),
    Check("zero size", "value and gradient where an input has no elements", f"{NUMPY}, {OTHERS}", 1),
    Check("broadcasting", "value and gradient of inputs of different shapes", NUMPY, 1),
    Check(
        "other backends", "value, first and second derivative are NumPy's, in any layout, with NaN and infinities too", OTHERS, 8
    ),
]

#: By check, then by primitive.
EXEMPT: dict[str, dict[str, str]] = {
    "kernel": {
        "astype": "its dtype is a backend's own",
        "transfer": "it leaves the namespace for another",
        "index_put": "it writes to memory, which the differentiable namespace refuses",
        "cross_entropy": "its rule is by index_put",
        "erf": "each backend supplies it",
        "normal_cdf": "each backend supplies it",
        "sigmoid": "each backend supplies it",
        "attention_weights": "it works in place",
        **dict.fromkeys(
            "convolution convolution_transpose convolution_weight window_put".split(),
            "it works in blocks, whose size the backend supplies",
        ),
    },
    "zero size": {
        "max": "nothing has no largest element",
        "min": "nothing has no smallest element",
        "argmax": "nothing has no largest element",
        "argmin": "nothing has no smallest element",
        "mean": "0 / 0 is NaN",
        "softmax": "its axis has at least one element",
        "log_softmax": "its axis has at least one element",
        "standardize": "it is over at least one element, whose mean it takes",
        **dict.fromkeys(
            (
                "convolution convolution_transpose convolution_weight overlap_add sliding_windows "
                "window_argmax window_max window_put window_sum window_take"
            ).split(),
            "its samples have at least one window, and one element",
        ),
        "write_through": "the views of its sample pick a row",
        **dict.fromkeys(
            "cholesky det eigh inv pinv qr slogdet svd".split(), "its samples have a row at least, and a condition number"
        ),
        "cross_entropy": "it is over at least one class, and its samples have a row",
    },
    "broadcasting": {
        "linear": "weight and bias have the shapes that their names say",
        "layer_norm": "weight and bias have the shape of the input's last axes",
        "concat": "joining does not broadcast",
        "window_put": "there is one element to put for each window",
        "cross_entropy": "one scale a row",
        "searchsorted": "each value is looked up by itself",
    },
    "NaN and infinity": {
        "copysign": "NaN has a sign, and that alone is read",
        **dict.fromkeys(
            "cholesky det eigh inv pinv qr slogdet solve svd".split(),
            "LAPACK refuses them, or goes on with comparisons that they win or lose",
        ),
    },
    "float32": {
        "polygamma": "below 0 it is a difference of larger terms, which cancel",
    },
    "float16": {
        "transfer": "the other backend may have no float16",
        **dict.fromkeys("cholesky det eigh inv pinv qr slogdet solve svd".split(), "LAPACK has none, and PyTorch refuses it too"),
    },
}

#: Of the functions in ``test_scale.py``: the value, first or second derivative that may lose its digits, and why.
SCALE: dict[str, dict[str, str]] = {
    "sigmoid": {
        "first": "it is out (1 - out), 0 from 17 on, as in PyTorch: from the input it would take an exponential more",
        "second": "its first derivative's",
    },
    "tanh": {
        "first": "it is 1 - out^2, 0 from 9 on, as in PyTorch: from the input it would take an exponential more",
        "second": "likewise",
    },
    "silu": {"second": "it is by the sigmoid's", "first": "likewise"},
    "mish": {"second": "it is by that of tanh", "first": "likewise"},
    "tanhshrink": {
        "value": "x - tanh x cancels near 0, as in PyTorch",
        "first": "it is by that of tanh",
        "second": "likewise",
    },
    "softsign": {
        "first": "x / (1 + abs(x)) is composed, and its two terms cancel for large x, as in PyTorch",
        "second": "likewise",
    },
    "gelu": {
        "value": "float32's normal distribution function is to within 1.2e-7 of 1, by one exponential; PyTorch's is 0 from -5.6 on",
        "first": "likewise",
        "second": "likewise",
    },
    "log_ndtr": {
        "second": "it differentiates the kernel of erfcx by its parts, whose digits cancel above 8, where it is below 1e-13"
    },
    "binary_cross_entropy": {
        "first": "x (1 - x) counts as 1e-12 at least, as in PyTorch, by its definition",
        "second": "likewise",
    },
}
