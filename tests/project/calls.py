"""One valid call or more of everything public that takes numbers; arrays with axes stand for tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

import adjoint as ad
from adjoint import data, nn, optim
from adjoint.autograd import transforms
from adjoint.nn import functional, init, utils as nn_utils
from adjoint.nn.utils import rnn
from adjoint.optim import lr_scheduler

RNG = np.random.default_rng(0)
# fmt: off
X, V, SQUARE = RNG.normal(size=(4, 6)), RNG.normal(size=6), RNG.normal(size=(3, 3)) + 3 * np.eye(3)
BATCH, ROWS = RNG.normal(size=(2, 4, 6)), np.asarray([0, 2, 1])
LINE, IMAGE, BOX = RNG.normal(size=(2, 4, 8)), RNG.normal(size=(2, 4, 8, 8)), RNG.normal(size=(1, 2, 4, 4, 4))
UNIT = RNG.uniform(0.1, 0.9, size=(4, 6))
COUNTS = np.asarray([3, 1, 2, 1])
Call = tuple[tuple[Any, ...], dict[str, Any]]


def c(*args: Any, **kwargs: Any) -> Call:
    return args, kwargs


def repeated(names: str, *calls: Call) -> dict[str, list[Call]]:
    return {name: list(calls) for name in names.split()}


TENSOR: dict[str, list[Call]] = {
    **repeated("nansum nanmean count_nonzero logsumexp", c(X, 1), c(X, (0, 1)), c(X, dim=-1)),
    **repeated("sum mean amax amin all any", c(X, 1), c(X, (0, 1)), c(X, dim=-1), c(X, axis=1), c(X, axis=(0,))),
    **repeated("var std", c(X, 1, 0), c(X, (0, 1), correction=0.5), c(X, axis=1)),
    **repeated("var_mean std_mean", c(X, 1, 0), c(X, (0, 1), correction=0.5)),
    "squeeze": [c(X, 1), c(X, axis=(0, 1))],
    **repeated("prod argmax argmin median nanmedian max min", c(X, 1), c(X, axis=0)),
    **repeated("softmax log_softmax cumsum", c(X, 1), c(X, axis=0)),
    **repeated("cummax cummin cumprod logcumsumexp sort argsort unbind unsqueeze", c(X, 1)),
    **repeated("unique unique_consecutive", c(X, dim=1)), "mode": [c(X, dim=1)],
    **repeated("quantile nanquantile", c(X, 0.25, 1), c(V, 0.5)), "aminmax": [c(X, dim=1)], "norm": [c(X, 3, 1),
    c(X, 1.5, (0, 1))],
    "dist": [c(X, X * 2, 3)], "cdist": [c(X, X * 2, 1.5)], "cov": [c(X, correction=0)], "diff": [c(X, 2, 1)],
    "trapezoid": [c(X, dx=0.5, dim=0)], "cumulative_trapezoid": [c(X, dx=2, dim=0)],
    "gradient": [c(X, spacing=0.5, dim=1, edge_order=2), c(X, spacing=[0.5, 2.0], dim=(0, 1))],
    "sum_to_size": [c(X, 1, 6), c(X, (4, 1))], **repeated("topk kthvalue", c(X, 2, 0)), "bincount": [c(COUNTS, None, 5)],
    **repeated("reshape view", c(X, 6, 4), c(X, (3, -1))), "expand": [c(V, 2, -1), c(V, (3, 6))], "permute": [c(X, 1, 0),
    c(X, (1, 0))],
    "flatten": [c(BATCH, 1, 2)], **repeated("transpose swapaxes swapdims", c(X, 0, 1)),
    **repeated("movedim moveaxis", c(BATCH, 0, 2), c(BATCH, (0, 1), (1, 2))), "broadcast_to": [c(V, (2, 6))],
    "flip": [c(X, 1), c(X, 0, 1), c(X, (0,)), c(X, dims=(1,)), c(X, dims=1)], "roll": [c(X, 2), c(X, 1, 0), c(X, (1, 2), (0, 1))],
    **repeated("tril triu diag diagflat", c(SQUARE, 1)), "repeat": [c(V, 2, 1), c(V, (2,))], "tile": [c(V, 2), c(X, (2, 1))],
    **repeated("cat concat concatenate stack", c([X, X], 1), c([X, X], axis=0)), "chunk": [c(X, 3, 1)], "narrow": [c(X, 1, 1, 2)],
    "split": [c(X, 2, 1), c(X, [1, 3])], "split_with_sizes": [c(X, [1, 3], 0), c(X, (2, 4), 1)],
    "tensor_split": [c(X, 3, 1), c(X, (1, 2), 0)], **repeated("hsplit vsplit", c(X, 2), c(X, [1])), "dsplit": [c(BATCH, 2)],
    "unflatten": [c(X, 1, (2, 3))], "unfold": [c(X, 1, 3, 2)], "repeat_interleave": [c(X, 2, 1), c(X, COUNTS, 0, output_size=7)],
    "broadcast_shapes": [c((2, 1), 3)], "gather": [c(X, 1, np.zeros((4, 2), int))],
    "take_along_dim": [c(X, np.zeros((4, 1), int), 1)],
    "index_select": [c(X, 0, ROWS)], "index_add": [c(X, 0, ROWS, X[:3], alpha=2)], "index_copy": [c(X, 0, ROWS, X[:3])],
    "index_fill": [c(X, 0, ROWS, 1.5)], "select": [c(X, 1, -2)], "select_scatter": [c(X, V[:4], 1, 2)],
    "slice_scatter": [c(X, X[:2], 0, 0, 4, 2)], "scatter": [c(X, 1, np.zeros((4, 2), int), X),
    c(X, 1, np.zeros((4, 1), int), value=1.5)],
    "scatter_add": [c(X, 1, np.zeros((4, 2), int), X)], "scatter_reduce": [c(X, 1, np.zeros((4, 2), int), X, "sum")],
    **repeated("fill masked_fill", c(X, 1.5)), "masked_fill": [c(X, X > 0, 1.5)],
    "diagonal": [c(BATCH, 1, 0, 2)], "diagonal_scatter": [c(SQUARE, V[:2], 1, 0, 1)], "diag_embed": [c(X, 1, 0, 2)],
    "vander": [c(V, 3)], "rot90": [c(X, 1, (0, 1))], "cross": [c(SQUARE, SQUARE * 2, 1)], "tensordot": [c(X, X.T, 1), c(X,
    X, ([1], [1]))],
    "lerp": [c(X, X * 2, 0.25)], **repeated("addcmul addcdiv", c(X, X, X, value=0.5)), **repeated("add sub subtract rsub", c(X,
    X, alpha=2)),
    "clamp": [c(X, -0.5, 0.5), c(X, max=1)], "clip": [c(X, -0.5, 0.5)], **repeated("clamp_min clamp_max", c(X, 0.5)),
    "round": [c(X, decimals=1)],
    **repeated("isclose allclose", c(X, X, 0.5, 0.25)), "nan_to_num": [c(X, 0.5, 1.0, -1.0)],
    **repeated("addmm", c(SQUARE, SQUARE, SQUARE, beta=0.5, alpha=2)), "addmv": [c(V[:3], SQUARE, V[:3], beta=0.5, alpha=2)],
    "addr": [c(SQUARE, V[:3], V[:3], beta=0.5, alpha=2)], "addbmm": [c(SQUARE, BATCH[:, :3, :3],
    BATCH[:, :3, :3], beta=0.5, alpha=2)],
    "baddbmm": [c(SQUARE, BATCH[:, :3, :3], BATCH[:, :3, :3], beta=0.5, alpha=2)], "matrix_power": [c(SQUARE, 3), c(SQUARE, -1)],
    "pinverse": [c(SQUARE, 0.25)], "logit": [c(UNIT, 0.125)], "polygamma": [c(2, UNIT)], "mvlgamma": [c(UNIT + 3, 2)],
    "full": [c((2, 3), 1.5), c(shape=(2,), fill_value=2), c(3, 2), c((2,), True)], "full_like": [c(X, 1.5)],
    **repeated("zeros ones empty rand randn", c(2, 3), c((2, 3))),
    "arange": [c(5), c(0, 3, 0.5), c(0.5, 3), c(1, 7, 2)], "linspace": [c(0, 1, 5), c(-0.5, 1.5, 3)],
    "logspace": [c(0, 2, 3, 2.0)],
    **repeated("tril_indices triu_indices", c(3, 4, 1)), "eye": [c(3, 2)], "randint": [c(0, 5, (2, 3)), c(5, (3,))],
    "randperm": [c(5)],
    "normal": [c(0.5, 2.0, (2, 3))], "multinomial": [c(UNIT, 2)], "manual_seed": [c(7)],
    "result_type": [c(X, 1.5)], "where": [c(X > 0, X, 1.5)], "bucketize": [c(2, np.asarray([1, 3]))],
    "pow": [c(UNIT, 2), c(UNIT, 0.5), c(2, UNIT)], "searchsorted": [c(np.asarray([1.0, 2.0]), 1.5)],
}
LINALG: dict[str, list[Call]] = {
    "pinv": [c(SQUARE, 0.25), c(SQUARE, atol=0.25, rtol=0.5)], "matrix_rank": [c(SQUARE, 0.5), c(SQUARE, atol=0.25, rtol=0.5)],
    "lstsq": [c(X, X[:, :2], 0.125)], "tensorinv": [c(np.reshape(np.eye(4), (4, 2, 2)), 1)],
    "tensorsolve": [c(np.reshape(np.eye(4) * 2, (4, 2, 2)), V[:4], (1,))], "matrix_power": [c(SQUARE, 3)],
    "vector_norm": [c(X, 3, 1), c(X, 1.5, (0, 1))], "matrix_norm": [c(BATCH, 1, (0, 1))], "norm": [c(X, 2, 1), c(X, 1, (0, 1))],
    "cond": [c(SQUARE, 1)], "vecdot": [c(X, X, dim=0)], "cross": [c(SQUARE, SQUARE * 2, dim=0)],
    "diagonal": [c(BATCH, offset=1, dim1=0, dim2=2)], "vander": [c(V, N=3)],
}
SPECIAL: dict[str, list[Call]] = {
    "logit": [c(UNIT, 0.125)],
    "polygamma": [c(2, UNIT)],
    **repeated("multigammaln mvlgamma", c(UNIT + 3, 2)),
    "round": [c(X, decimals=1)],
    **repeated("softmax log_softmax logsumexp", c(X, 1)),
}
KERNEL, POOLED = RNG.normal(size=(4, 2, 3)), {1: LINE, 2: IMAGE, 3: BOX}
FUNCTIONAL: dict[str, list[Call]] = {
    **repeated("softmax log_softmax softmin", c(X, 1)), "leaky_relu": [c(X, 0.25)], **repeated("elu celu", c(X, 0.5)),
    "softplus": [c(X, 2.0, 0.5), c(X, 2, 1)], "gumbel_softmax": [c(X, 0.5, False, 0.25, 0)], "hardtanh": [c(X, -0.5, 0.25)],
    **repeated("hardshrink softshrink", c(X, 0.25)), "threshold": [c(X, 0.25, 2.0)], "glu": [c(X, 1)],
    "scaled_dot_product_attention": [c(BATCH, BATCH, BATCH, None, 0.0, False, scale=0.5)],
    "nll_loss": [c(X, COUNTS, ignore_index=1)], "cross_entropy": [c(X, COUNTS, ignore_index=1, label_smoothing=0.25)],
    "conv1d": [c(LINE, KERNEL, None, 2, 1, 2, 2), c(LINE, KERNEL, None, (2,), (1,), (1,), 2)],
    "conv2d": [c(IMAGE, RNG.normal(size=(4, 2, 2, 2)), None, (2, 1), (1, 0), 2, 2)], "conv3d": [c(BOX,
    RNG.normal(size=(2, 1, 2, 2, 2)), None, 1, 1, 1, 2)],
    "conv_transpose1d": [c(LINE, RNG.normal(size=(4, 1, 3)), None, 2, 1, 1, 2, 1)],
    "conv_transpose2d": [c(IMAGE, RNG.normal(size=(4, 1, 2, 2)), None, (2, 2), 1, (1, 0), 2, 1)],
    "conv_transpose3d": [c(BOX, RNG.normal(size=(2, 1, 2, 2, 2)), None, 2, 0, 1, 2, 1)],
    "unfold": [c(IMAGE, 2, 2, 1, 2), c(IMAGE, (2, 3), (1, 2))], "fold": [c(RNG.normal(size=(1, 8, 9)), (4, 4), 2),
             c(RNG.normal(size=(1, 8, 4)), 3, 2, 1, 0, 1)],
    **{f"max_pool{n}d": [c(POOLED[n], 2, 1, 1, 1), c(POOLED[n], (2,) * n)] for n in (1, 2, 3)},
    "avg_pool1d": [c(LINE, 2, 1, 1, divisor_override=3)],
    **{f"avg_pool{n}d": [c(POOLED[n], 2, 1, 1, divisor_override=3)] for n in (2, 3)},
    **{f"lp_pool{n}d": [c(abs(POOLED[n]), 2.0, 2, 1), c(abs(POOLED[n]), 3, 2)] for n in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{n}d": [c(POOLED[n], 2), c(POOLED[n], (2,) * n)] for n in (1, 2, 3) for kind in ("avg", "max")},
    "max_unpool1d": [c(LINE[:, :, ::2], np.tile(np.arange(4) * 2, (2, 4, 1)), 2, 2, 0, (8,))],
    "max_unpool2d": [c(IMAGE[:, :, :1, :2], np.tile(np.asarray([[0, 2]]), (2, 4, 1, 1)), 2, 2, 0, (2, 4))],
    "max_unpool3d": [c(BOX[:, :, :1, :1, :2], np.tile(np.asarray([[[0, 2]]]), (1, 2, 1, 1, 1)), 2, 2, 0, (2, 2, 4))],
    **repeated("dropout alpha_dropout", c(X, 0.25, True)), **repeated("dropout1d feature_alpha_dropout", c(LINE, 0.25, True)),
    "dropout2d": [c(IMAGE, 0.25, True)], "dropout3d": [c(BOX, 0.25, True)], "one_hot": [c(COUNTS, 5)],
    "embedding": [c(ROWS, X, 1, 0.5, 1.0)], "embedding_bag": [c(ROWS[None], X, None, 0.5, 1.0, padding_idx=1)],
    "interpolate": [c(LINE, 5), c(IMAGE, (3, 5)), c(LINE, scale_factor=2), c(IMAGE, scale_factor=(0.5, 2.0))],
    "pixel_shuffle": [c(IMAGE, 2)], "pixel_unshuffle": [c(IMAGE, 2)], "channel_shuffle": [c(IMAGE, 2)],
    "normalize": [c(X, 1.5, 0, 0.25), c(X, 2, (0, 1))], "cosine_similarity": [c(X, X * 2, 0, 0.25)],
    "pairwise_distance": [c(X, X * 2, 1.5, 0.25)], "huber_loss": [c(X, X * 2, delta=0.5)], "smooth_l1_loss": [c(X,
    X * 2, beta=0.5)],
    "poisson_nll_loss": [c(UNIT, UNIT, log_input=False, eps=2.0)], "gaussian_nll_loss": [c(X, X * 2, UNIT, eps=0.5)],
    "hinge_embedding_loss": [c(X, np.sign(X), margin=0.5)], "margin_ranking_loss": [c(V, V * 2, np.sign(V), margin=0.5)],
    "cosine_embedding_loss": [c(X, X * 2, np.asarray([1, -1, 1, -1]), margin=0.5)],
    "triplet_margin_loss": [c(X, X * 2, X * 3, margin=0.5, p=1.0, eps=0.25)],
    "triplet_margin_with_distance_loss": [c(X, X * 2, X * 3, margin=0.5)], "multi_margin_loss": [c(X, COUNTS, 2, 0.5)],
    "batch_norm": [c(X, np.zeros(6), np.ones(6), None, None, True, 0.5, 0.25)],
    "instance_norm": [c(LINE, None, None, None, None, True, 0.5, 0.25)], "group_norm": [c(LINE, 2, None, None, 0.25)],
    "layer_norm": [c(X, (6,), None, None, 0.25)], "rms_norm": [c(X, (6,), None, 0.25)],
    "local_response_norm": [c(LINE, 3, 0.5, 0.25, 2.0)],
    "pad": [c(X, (1, 2), "constant", 1.5), c(LINE, (1, 1), "reflect")],
}
LAYERS: dict[str, list[Call]] = {
    "LeakyReLU": [c(0.25)], **repeated("ELU CELU Hardshrink Softshrink", c(0.5)), "Softplus": [c(2.0, 0.5)],
    "Hardtanh": [c(-0.5, 0.25)],
    "Threshold": [c(0.25, 2.0)], **repeated("Softmax LogSoftmax Softmin GLU", c(1)), "PReLU": [c(3, 0.5)],
    **repeated("Dropout Dropout1d Dropout2d Dropout3d AlphaDropout FeatureAlphaDropout", c(0.25)),
    "Linear": [c(3, 2), c(3, 2, True)], "Bilinear": [c(2, 3, 4)], "Flatten": [c(1, 2)], "Unflatten": [c(1, (2, 3))],
    **{f"Conv{n}d": [c(4, 2, 3, 2, 1, 1, 2), c(4, 2, (3,) * n, padding="same")] for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": [c(4, 2, 3, 2, 1, 1, 2, True, 1)] for n in (1, 2, 3)},
    "Fold": [c((4, 5), 2, 1, 0, 1)], "Unfold": [c(2, 1, 0, 1), c((2, 3))],
    **{f"MaxPool{n}d": [c(2, 1, 1, 1), c((2,) * n)] for n in (1, 2, 3)}, "AvgPool1d": [c(2, 1, 1)],
    **{f"AvgPool{n}d": [c(2, 1, 1, divisor_override=3)] for n in (2, 3)}, **{f"LPPool{n}d": [c(2.0, 3, 2)] for n in (1, 2, 3)},
    **{f"MaxUnpool{n}d": [c(2, 1, 0)] for n in (1, 2, 3)},
    **{f"Adaptive{kind}Pool{n}d": [c(2), c((2,) * n)] for n in (1, 2, 3) for kind in ("Avg", "Max")},
    **{f"{kind}Pad{n}d": [c(1), c((1, 2) * n)] for n in (1, 2, 3) for kind in ("Circular", "Reflection", "Replication", "Zero")},
    **{f"ConstantPad{n}d": [c(1, 0.5), c((1, 2) * n, 2)] for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": [c(3, 0.25, 0.5, True, True)] for n in (1, 2, 3)},
    **{f"InstanceNorm{n}d": [c(3, 0.25, 0.5, True)] for n in (1, 2, 3)},
    "LayerNorm": [c(3, 0.25, True), c((2, 3))], "RMSNorm": [c(3, 0.25), c((2, 3))], "GroupNorm": [c(2, 4, 0.25)],
    "LocalResponseNorm": [c(3, 0.5, 0.25, 2.0)], "Embedding": [c(5, 3, 1, 0.5, 1.0)],
    "EmbeddingBag": [c(5, 3, 0.5, 1.0, padding_idx=1)],
    **repeated("RNN", c(2, 3, 2, dropout=0.25)), **repeated("GRU", c(2, 3, 2, True, True, 0.25)),
    "LSTM": [c(2, 3, 2, dropout=0.25, proj_size=2)],
    **repeated("RNNCell LSTMCell GRUCell", c(2, 3)), "MultiheadAttention": [c(4, 2, 0.25, kdim=3, vdim=2)],
    "TransformerEncoderLayer": [c(4, 2, 8, 0.25, layer_norm_eps=0.5)],
    "TransformerEncoder": [c(nn.TransformerEncoderLayer(4, 2, 8), 2)],
    **repeated("Upsample UpsamplingNearest2d UpsamplingBilinear2d", c((3, 5)), c(scale_factor=2), c(scale_factor=(2.0, 0.5)),
    c(4)),
    "PixelShuffle": [c(2)], "PixelUnshuffle": [c(2)], "ChannelShuffle": [c(2)], "CosineSimilarity": [c(0, 0.25)],
    "PairwiseDistance": [c(1.5, 0.25)], "NLLLoss": [c(ignore_index=1)],
    "CrossEntropyLoss": [c(ignore_index=1, label_smoothing=0.25)],
    "HuberLoss": [c("mean", 0.5)], "SmoothL1Loss": [c(beta=0.5)], "PoissonNLLLoss": [c(eps=0.5)], "GaussianNLLLoss": [c(eps=0.5)],
    **repeated("HingeEmbeddingLoss MarginRankingLoss CosineEmbeddingLoss", c(margin=0.5)), "MultiMarginLoss": [c(2, 0.5)],
    "TripletMarginLoss": [c(0.5, 1.0, 0.25)], "TripletMarginWithDistanceLoss": [c(margin=0.5)],
}
INIT: dict[str, list[Call]] = {
    "calculate_gain": [c("leaky_relu", 0.5)], "uniform_": [c(X, -0.5, 0.5)], "normal_": [c(X, 0.5, 2.0)],
    "constant_": [c(X, 1.5)],
    "trunc_normal_": [c(X, 0.5, 2.0, -1.0, 1.5)], **repeated("xavier_uniform_ xavier_normal_ orthogonal_", c(X, 0.5)),
    **repeated("kaiming_uniform_ kaiming_normal_", c(X, 0.5)),
}
UTILS: dict[str, list[Call]] = {"clip_grad_norm_": [c([X], 0.5, 1.0)], "clip_grad_value_": [c([X], 0.5)]}
RNN: dict[str, list[Call]] = {
    "pad_sequence": [c([V, V[:3]], padding_value=1.5)],
    "pad_packed_sequence": [c(rnn.pack_sequence([ad.ones(4), ad.ones(2)]), True, 1.5, 6)],
}
OPTIMIZERS: dict[str, list[Call]] = {
    "SGD": [c([X], 0.5, 0.25, 0.125, 0.5)], "Adam": [c([X], 0.5, (0.5, 0.25), 0.125, 0.5)],
    "AdamW": [c([X], 0.5, (0.5, 0.25), 0.125, 0.5)],
    "Adamax": [c([X], 0.5, (0.5, 0.25), 0.125, 0.5)], "RMSprop": [c([X], 0.5, 0.25, 0.125, 0.5, 0.25)],
    "Adagrad": [c([X], 0.5, 0.25, 0.125, 0.5, 0.25)],
}
SCHEDULERS: dict[str, list[Call]] = {
    "StepLR": [c(2, 0.5, -1)], "ExponentialLR": [c(0.5, -1)], "CosineAnnealingLR": [c(5, 0.25, -1)],
    "LambdaLR": [c(lambda epoch: np.float64(0.5) ** epoch, -1)],
    "ReduceLROnPlateau": [c("min", 0.5, 1, 0.25, "rel", 1, 0.125, 0.25), c(min_lr=[0.125])],
}
METHODS: dict[str, list[Call]] = {
    **repeated("size stride", c(X, 1)), "normal_": [c(X, 0.5, 2.0)], "uniform_": [c(X, -0.5, 0.5)], "bernoulli_": [c(X, 0.25)],
    "new_full": [c(X, (2, 3), 1.5)], **repeated("new_zeros new_ones new_empty", c(X, 2, 3), c(X, (2, 3))),
    **repeated("transpose_ swapaxes_ swapdims_", c(X, 0, 1)), **repeated("squeeze_ unsqueeze_", c(X, 1)),
    **repeated("polygamma polygamma_", c(UNIT, 2)),
    **repeated("fill_ clamp_min_ clamp_max_", c(X, 0.5)), "clamp_": [c(X, -0.5, 0.5)], **repeated("add_ sub_", c(X,
    X, alpha=0.5)),
    "masked_fill_": [c(X, X > 0, 1.5)], **repeated("mul_ div_ pow_", c(UNIT, 2)), **repeated("tril_ triu_", c(SQUARE, 1)),
    "index_fill_": [c(X, 0, ROWS, 1.5)], **repeated("cumsum_ cumprod_", c(X, 1)), "round_": [c(X, decimals=1)],
    "fill_diagonal_": [c(SQUARE, 1.5)], "__getitem__": [c(X, 1), c(X, (1, 2))], "lerp_": [c(X, X * 2, 0.25)],
    **repeated("__add__ __mul__ __pow__ __sub__ __truediv__ __radd__ __rsub__ __gt__", c(UNIT, 0.5)), "logit_": [c(UNIT, 0.125)],
    "nan_to_num_": [c(X, 0.5, 1.0, -1.0)], **repeated("addcmul_ addcdiv_", c(X, X, X, value=0.5)),
}
TRANSFORMS: dict[str, list[Call]] = {
    **repeated("grad value_and_grad jacobian hessian", c(1), c((0, 1))),
}
DATA: dict[str, list[Call]] = {
    "DataLoader": [c(data.TensorDataset(ad.arange(7)), 3, num_workers=1, prefetch_factor=2)],
    "BatchSampler": [c(range(7), 3, True)],
    "RandomSampler": [c(range(5), True, 3)], "WeightedRandomSampler": [c([0.5, 0.25, 2.0], 4)],
    "SubsetRandomSampler": [c([0, 2])],
    "random_split": [c(range(6), [2, 4]), c(range(6), [0.5, 0.5])], "one_hot": [c(COUNTS, 5)], "to_categorical": [c(COUNTS, 5)],
    "standardize": [c(X, dim=1)], "train_test_split": [c(X, test_size=0.5), c(X, test_size=2)], "Subset": [c(range(5), [0, 2])],
}
TABLES: dict[str, tuple[Any, dict[str, list[Call]]]] = {
    "ad": (ad, TENSOR), "ad.linalg": (ad.linalg, LINALG), "ad.special": (ad.special, SPECIAL), "functional": (functional,
    FUNCTIONAL),
    "nn": (nn, LAYERS), "init": (init, INIT), "nn.utils": (nn_utils, UTILS), "rnn": (rnn, RNN), "optim": (optim, OPTIMIZERS),
    "lr_scheduler": (lr_scheduler, SCHEDULERS), "data": (data, DATA), "Tensor": (ad.Tensor, METHODS),
    "transforms": (transforms, TRANSFORMS),
}
# fmt: on
