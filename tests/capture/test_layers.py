"""A captured step has the bits of the eager one: every family of layers and losses, with what they keep and draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend
from adjoint.nn import functional as F

from .steps import Training, assert_alike, classified, few, training


class Last(nn.Module):
    """The last step of a recurrent layer's output."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return self.layer(x)[0][:, -1]


class Attended(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(4, 2, batch_first=True, **options)

    def forward(self, x: Any) -> Any:
        return self.layer(x, x, x)[0]


#: A model and the shape of what it takes, without the batch; all end in three classes.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3, bias=False)), (4,)),
    "activations": (
        lambda: nn.Sequential(
            nn.Linear(4, 4),
            nn.GELU(),
            nn.SiLU(),
            nn.ELU(),
            nn.LeakyReLU(),
            nn.Softplus(),
            nn.Hardswish(),
            nn.PReLU(),
            nn.Mish(),
            nn.Linear(4, 6),
            nn.GLU(),
        ),
        (4,),
    ),
    "convolution of one axis": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3, padding=1, stride=2), nn.Flatten(), nn.Linear(9, 3)),
        (2, 6),
    ),
    "convolution of two": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Flatten(), nn.Linear(16, 3)
        ),
        (1, 6, 6),
    ),
    "depthwise, dilated": (
        lambda: nn.Sequential(nn.Conv2d(2, 2, 3, groups=2, dilation=2, padding="same"), nn.Flatten(), nn.Linear(32, 3)),
        (2, 4, 4),
    ),
    "convolution of three": (lambda: nn.Sequential(nn.Conv3d(1, 2, 2), nn.Flatten(), nn.Linear(16, 3)), (1, 3, 3, 3)),
    "transposed convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(1, 2, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(50, 3)),
        (1, 3, 3),
    ),
    "pools": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 2), nn.AvgPool2d(3, 1, padding=1), nn.MaxPool2d(3, 2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        (1, 6, 6),
    ),
    "more pools": (
        lambda: nn.Sequential(nn.Conv2d(1, 3, 2), nn.LPPool2d(2, 2), nn.AdaptiveMaxPool2d((1, 1)), nn.Flatten()),
        (1, 6, 6),
    ),
    "batch norm": (lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 3)), (4,)),
    "batch norm of images, averaged over all": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3, momentum=None), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        (1, 4, 4),
    ),
    "batch norm that keeps nothing": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False, affine=False), nn.Linear(6, 3)),
        (4,),
    ),
    "layer, group, root-mean-square norm": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.GroupNorm(2, 6), nn.RMSNorm(6), nn.Linear(6, 3)),
        (4,),
    ),
    "instance norm, local response": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 3, 2),
            nn.InstanceNorm2d(3, affine=True, track_running_stats=True),
            nn.LocalResponseNorm(2),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        (1, 4, 4),
    ),
    "dropout": (lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)), (4,)),
    "dropout of channels": (
        lambda: nn.Sequential(nn.Conv2d(1, 4, 2), nn.Dropout2d(0.4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
        (1, 4, 4),
    ),
    "dropout that keeps the moments": (
        lambda: nn.Sequential(nn.Linear(4, 8), nn.SELU(), nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.2), nn.Linear(8, 3)),
        (4,),
    ),
    "padding, upsampling": (
        lambda: nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(1, 2, 3),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.PixelUnshuffle(2),
            nn.Flatten(),
            nn.Linear(128, 3),
        ),
        (1, 4, 4),
    ),
    "attention": (lambda: nn.Sequential(Attended(dropout=0.2), nn.Flatten(), nn.Linear(12, 3)), (3, 4)),
    "an encoder": (
        lambda: nn.Sequential(
            nn.TransformerEncoderLayer(4, 2, 6, dropout=0.1, batch_first=True, activation="gelu"), nn.Flatten(), nn.Linear(12, 3)
        ),
        (3, 4),
    ),
    "RNN": (lambda: nn.Sequential(Last(nn.RNN(2, 3, nonlinearity="relu", batch_first=True)), nn.Linear(3, 3)), (3, 2)),
    "LSTM": (
        lambda: nn.Sequential(
            Last(nn.LSTM(2, 3, num_layers=2, bidirectional=True, dropout=0.2, batch_first=True)), nn.Linear(6, 3)
        ),
        (3, 2),
    ),
    "LSTM with projection": (lambda: nn.Sequential(Last(nn.LSTM(2, 4, proj_size=3, batch_first=True)), nn.Linear(3, 3)), (3, 2)),
    "GRU": (lambda: nn.Sequential(Last(nn.GRU(2, 3, batch_first=True)), nn.Linear(3, 3)), (3, 2)),
}


def usual(model: Callable[[], nn.Module], shape: tuple[int, ...], dtype: str = "float32") -> Callable[[], Training]:
    kind = getattr(ad, dtype)

    def make() -> Training:
        return training(
            model().to(kind),
            lambda params: optim.Adam(params, lr=0.01, eps=1e-4),  # biases before a norm have gradients of rounding alone
            batch=lambda rng: classified(rng, 5, kind, shape),
            dtype=kind,
        )

    return make


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODELS)
def test_every_family_of_layers(name: str, dtype: str, backend: Backend) -> None:
    simple = len(MODELS[name][1]) == 1
    assert_alike(usual(*MODELS[name], dtype), few(backend, 200 if simple else 60), recordings=1)


def test_an_embedding_with_padding_and_a_bag(backend: Backend) -> None:
    def make() -> Training:
        words, bags = nn.Embedding(7, 3, padding_idx=0), nn.EmbeddingBag(7, 3)
        model = nn.ModuleList([words, bags, nn.Linear(6, 3)])

        def loss_of(out: Any, x: Any, y: Any) -> Any:
            return F.cross_entropy(model[2](ad.cat([words(x).mean(1), bags(x)], 1)), y)

        found = training(model, lambda params: optim.Adam(params, lr=0.01))

        def step(x: Any, y: Any) -> Any:
            found.optimizer.zero_grad()
            loss = loss_of(None, x, y)
            loss.backward()
            found.optimizer.step()
            return loss

        return found._replace(step=step, batch=lambda i: (ad.randint(0, 7, (5, 4)), ad.randint(0, 3, (5,))))

    assert_alike(make, few(backend, 100))


def test_an_embedding_that_is_held_to_a_norm(backend: Backend) -> None:
    def make() -> Training:
        model = nn.Sequential(nn.Embedding(7, 3, max_norm=1.0), nn.Flatten(), nn.Linear(6, 3))
        return training(model, batch=lambda rng: (ad.tensor(rng.integers(0, 7, (5, 2))), ad.tensor(rng.integers(0, 3, 5))))

    assert_alike(make, few(backend, 100))


def regression(rng: Any) -> tuple[Any, ...]:
    return ad.tensor(rng.normal(size=(5, 4)), dtype=ad.float32), ad.tensor(rng.normal(size=(5, 3)), dtype=ad.float32)


def positive(rng: Any) -> tuple[Any, ...]:
    x, y = regression(rng)
    return x, abs(y) + 0.1


def chances(rng: Any) -> tuple[Any, ...]:
    x, y = regression(rng)
    return x, y.softmax(-1)


def signs(rng: Any) -> tuple[Any, ...]:
    x, y = regression(rng)
    return x, ad.where(y > 0, 1.0, -1.0)


#: A loss of a network's three outputs, and its batches.
LOSSES: dict[str, tuple[Callable[..., Any], Any]] = {
    "cross entropy, smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), None),
    "cross entropy, of chances": (nn.CrossEntropyLoss(), chances),
    "cross entropy, of each": (lambda out, y: F.cross_entropy(out, y, reduction="none").square().mean(), None),
    "negative log-likelihood": (lambda out, y: F.nll_loss(out.log_softmax(-1), y), None),
    "several margins": (nn.MultiMarginLoss(), None),
    "mean squared error": (nn.MSELoss(), regression),
    "absolute error": (nn.L1Loss(), regression),
    "smooth absolute error": (nn.SmoothL1Loss(beta=0.5), regression),
    "Huber": (nn.HuberLoss(delta=0.3), regression),
    "Poisson": (nn.PoissonNLLLoss(), positive),
    "Gaussian": (lambda out, y: F.gaussian_nll_loss(out, y, F.softplus(out) + 0.1), regression),
    "divergence": (lambda out, y: F.kl_div(out.log_softmax(-1), y, reduction="batchmean"), chances),
    "binary": (lambda out, y: F.binary_cross_entropy(out.sigmoid(), y), chances),
    "binary, of logits": (nn.BCEWithLogitsLoss(), chances),
    "hinge": (nn.HingeEmbeddingLoss(), signs),
    "soft margin": (nn.SoftMarginLoss(), signs),
    "cosine": (lambda out, y: (1 - F.cosine_similarity(out, y)).mean(), regression),
}


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name: str, backend: Backend) -> None:
    loss_of, batch = LOSSES[name]
    assert_alike(lambda: training(nn.Linear(4, 3), None, loss_of, batch), few(backend, 60))


def some_ignored(rng: Any) -> tuple[Any, ...]:
    """Every other batch has targets that are ignored, and one now and then has nothing else."""
    x, y = classified(rng)
    kind = int(rng.integers(0, 6))
    ignored = ad.tensor([kind % 2 == 1] * 2 + [kind == 5] * 3)
    return x, ad.where(ignored, -100, y)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_targets_that_are_ignored_at_times(smoothing: float, weighted: bool, reduction: str, backend: Backend) -> None:
    def make() -> Training:
        weight = ad.tensor([1.0, 2.0, 0.5]) if weighted else None
        loss_of = nn.CrossEntropyLoss(weight, label_smoothing=smoothing, reduction=reduction)
        return training(nn.Linear(4, 3), lambda params: optim.SGD(params, lr=0.01), loss_of, some_ignored)

    step = assert_alike(make, few(backend, 80))
    assert step.stats.programs == 2, "with ignored targets and without"


@pytest.mark.parametrize("name", ["batch norm", "dropout"])
def test_evaluation_is_another_recording_that_is_come_back_to(name: str, backend: Backend) -> None:
    model = MODELS[name][0]()
    predict = ad.capture(model)
    for i in range(6):
        model.train(i % 2 == 0)
        x = ad.randn(5, 4)
        state = ad.autograd.random.default_generator().get_state()
        found = predict(x)
        ad.autograd.random.default_generator().set_state(state)
        buffers = [b.clone() for b in model.buffers()]
        if i % 2:
            assert (found == model(x)).all()
        for b, before in zip(model.buffers(), buffers, strict=True):
            b.copy_(before)
    assert predict.stats[:2] == (2, 4)
