"""Training the same model eagerly and captured, from the same seed, and what has to be equal after it: everything.

To the bit, but where a replay has kernels of its own and chooses its own matrix products, as on CuPy: there but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

import adjoint as ad
from adjoint import nn, optim
from adjoint.backends import Backend
from adjoint.nn import functional as F


class Training(NamedTuple):
    """Something to train.

    Attributes:
        step: what is captured.
        batch: the arguments of each call, by its number.
        kept: the tensors that hold what was learnt.
        optimizer: whose state has to be equal too.
        between: what is called before each step, with its number.
    """

    step: Callable[..., Any]
    batch: Callable[[int], tuple[Any, ...]]
    kept: Callable[[], Iterable[Any]]
    optimizer: Any = None
    between: Callable[[int], Any] = lambda i: None


#: How far results on CuPy may lie from each other, where the largest is 1 or less, by the bytes of a number.
ROUNDED = {2: 2e-2, 4: 1e-3, 8: 1e-9}


def arrays(results: Iterable[Any]) -> list[Any]:
    return [x.detach().cpu().numpy().copy() for x in results]


def alike(a: Any, b: Any, backend: Backend) -> bool:
    """Whether nested lists of arrays and other values are equal, arrays in shape, dtype and bytes."""
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(alike(x, y, backend) for x, y in zip(a, b, strict=True))
    if isinstance(a, dict):
        return list(a) == list(b) and alike(list(a.values()), list(b.values()), backend)
    rounded = backend.name == "cupy"
    if not isinstance(a, np.ndarray):
        return bool(a == b) or (rounded and isinstance(a, float) and bool(np.isclose(a, b, 1e-3, 1e-3)))
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        return False
    if rounded and a.dtype.kind == "f":
        near = ROUNDED[a.dtype.itemsize] * np.max(abs(b), initial=1.0, where=np.isfinite(b))
        return bool(np.allclose(a, b, 0.0, near, equal_nan=True))
    if a.dtype.kind == "f":  # the sign of NaN says nothing
        a, b = (np.where(np.isnan(x), x.dtype.type(np.nan), x) for x in (a, b))
    return a.tobytes() == b.tobytes()


def outcome(make: Callable[[], Training], steps: int, captured: bool) -> tuple[list[Any], Any]:
    """All results, and everything that is left at the end, of training from seed 3."""
    ad.manual_seed(3)
    training = make()
    step = ad.capture(training.step) if captured else training.step
    results = []
    for i in range(steps):
        training.between(i)
        result = step(*training.batch(i))
        results.append(arrays(result if isinstance(result, (tuple, list)) else [result]))
    left: list[Any] = arrays(training.kept())
    if training.optimizer is not None:
        found = training.optimizer.state_dict()
        left += [[(key, arrays(state.values())) for key, state in sorted(found["state"].items())], found["param_groups"]]
    left.append(arrays([ad.rand(3)]))
    return [results, *left], step


def assert_alike(make: Callable[[], Training], steps: int = 200, recordings: int = 2) -> Any:
    """Hold that eager and captured training end alike, with so many recordings at most; returns the captured step.

    Two, since a first step may be another one: momentum starts from the gradient itself.
    """
    eager, _ = outcome(make, steps, captured=False)
    replayed, step = outcome(make, steps, captured=True)
    backend = ad.backends.default()
    different = [i for i, (a, b) in enumerate(zip(eager[0], replayed[0], strict=True)) if not alike(a, b, backend)]
    assert not different, f"the results of steps {different[:5]}… differ"
    assert alike(eager[1:], replayed[1:], backend)
    assert step.stats.programs <= recordings, f"{step.stats.programs} recordings"
    return step


def few(backend: Backend, steps: int = 200) -> int:
    """So many steps on NumPy, and fewer on a backend that checks each call."""
    return steps if backend.name == "numpy" else max(12, steps // 10)


# --- what most of them train ---------------------------------------------------------------------------------------------------


def network(dtype: Any = None) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).to(dtype or ad.float32)


def classified(rng: Any, n: int = 5, dtype: Any = None, shape: tuple[int, ...] = (4,)) -> tuple[ad.Tensor, ad.Tensor]:
    """Inputs and classes."""
    return ad.tensor(rng.normal(size=(n, *shape)), dtype=dtype or ad.float32), ad.tensor(rng.integers(0, 3, n))


def training_step(
    model: Any,
    optimizer: optim.Optimizer,
    loss_of: Callable[..., Any] = F.cross_entropy,
    before_step: Callable[[], Any] = lambda: None,
    after_step: Callable[[], Any] = lambda: None,
) -> Callable[..., Any]:
    """``step(x, *targets)``: forward, loss, backward and update."""

    def step(x: Any, *targets: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_of(model(x), *targets)
        loss.backward()
        before_step()
        optimizer.step()
        after_step()
        return loss

    return step


def training(
    model: nn.Module,
    optimizer: Any = None,
    loss_of: Callable[..., Any] = F.cross_entropy,
    batch: Callable[[Any], tuple[Any, ...]] | None = None,
    before_step: Callable[[], Any] = lambda: None,
    after_step: Callable[[], Any] = lambda: None,
    dtype: Any = None,
) -> Training:
    """The usual step, on random batches."""
    chosen = optim.SGD(model.parameters(), lr=0.05, momentum=0.9) if optimizer is None else optimizer(model.parameters())
    rng = np.random.default_rng(0)

    def next_batch(i: int) -> tuple[Any, ...]:
        return classified(rng, dtype=dtype) if batch is None else batch(rng)

    step = training_step(model, chosen, loss_of, before_step, after_step)
    return Training(step, next_batch, lambda: [*model.parameters(), *model.buffers()], chosen)
