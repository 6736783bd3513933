"""What of the walk over the registry does not hold for a primitive, each with the reason. ``make op-report`` prints them."""

from __future__ import annotations

#: By check, then by primitive.
EXEMPT: dict[str, dict[str, str]] = {
    "kernel": {
        "astype": "its dtype is a backend's own",
        "transfer": "it leaves the namespace for another",
        "index_put": "it writes to memory, which the differentiable namespace refuses",
        "cross_entropy": "its rule is by index_put",
        "erf": "each backend supplies it",
        "normal_cdf": "it is computed by erf",
        **dict.fromkeys(
            "convolution convolution_transpose convolution_weight".split(), "it works in blocks, whose size the backend supplies"
        ),
    },
    "zero size": {
        "max": "nothing has no largest element",
        "min": "nothing has no smallest element",
        "argmax": "nothing has no largest element",
        "argmin": "nothing has no smallest element",
        "mean": "0 / 0; a test of its own says that it is NaN",
        "softmax": "its axis has at least one element",
        "log_softmax": "its axis has at least one element",
        "standardize": "it is over at least one element, whose mean it takes",
        **dict.fromkeys(
            "convolution convolution_transpose convolution_weight overlap_add sliding_windows window_max window_sum".split(),
            "its samples have one window at least, of elements that NumPy can add up one by one",
        ),
        "write_through": "the views of its sample pick a row",
        **dict.fromkeys(
            "cholesky det eigh inv pinv qr slogdet svd".split(), "its samples have a row at least, and a condition number"
        ),
        "cross_entropy": "it is over at least one class; a test of the loss covers a batch of none",
    },
    "broadcasting": {
        "linear": "weight and bias have the shapes that their names say",
        "concat": "joining does not broadcast",
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
