"""What a replay would silently leave out is refused, with the mend; and nothing is broken after a refusal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import adjoint as ad
from adjoint import nn, optim
from adjoint.autograd.random import fork_rng
from adjoint.backends import Backend
from adjoint.capture.captured import MOST
from adjoint.errors import CaptureError, GraphError
from adjoint.nn import functional as F

from .steps import training_step

pytestmark = pytest.mark.usefixtures("backend")

LATER = "a value is read while the function is recorded; return the tensor, and read it after the call"
SHAPES = r"the shape of the result depends on values .*; use where\(mask, x, 0\), or a sum over the mask"
ARGUMENT = r"writes to an argument of the captured function in place; close over the tensor instead"

#: What a function may not do with its argument, and how that is refused.
REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "item": (lambda x: x.sum().item(), f"^item: {LATER}"),
    "tolist": (lambda x: x.tolist(), f"^tolist: {LATER}"),
    "numpy": (lambda x: x.cpu().numpy(), f"^numpy: {LATER}|^cpu: .* move it before the call"),
    "bool": (lambda x: x if x.sum() > 0 else -x, r"^bool\(tensor\): a value is read .*; use where\(condition, a, b\)"),
    "float": (lambda x: float(x.sum()), r"^float\(tensor\): a value is read .*; use the 0-d tensor itself"),
    "int": (lambda x: int(x.sum()), r"^int\(tensor\): a value is read .*; use the 0-d tensor itself"),
    "print": (lambda x: print(x), f"^print: {LATER}"),
    "format": (lambda x: f"{x.sum():.3f}", f"^print: {LATER}"),
    "in": (lambda x: 1.0 in x, r"^in: a value is read .*; use \(x == value\)\.any\(\)"),
    "index": (lambda x: [1, 2, 3][x.argmax()], "^a tensor as an integer: a value is read .*, or a Python integer"),
    "slice": (lambda x: x[: x.argmax()], "^a tensor as an integer: a value is read .* for a slice"),
    "mask": (lambda x: x[x > 0], rf"^x\[mask\]: {SHAPES}"),
    "write": (lambda x: x.add_(1.0), ARGUMENT),
    "write by index": (lambda x: x.__setitem__(0, 1.0), ARGUMENT),
    "write to a view": (lambda x: x.reshape(-1)[1:].mul_(2.0), ARGUMENT),
}


@pytest.mark.parametrize("name", REFUSED)
def test_reading_values_and_writing_to_arguments(name: str) -> None:
    function, message = REFUSED[name]
    captured = ad.capture(function)
    x = ad.tensor([0.5, -1.0, 2.0])
    for _ in range(2):
        with pytest.raises(CaptureError, match=message):
            captured(x)
    assert (x * 2).tolist() == [1.0, -2.0, 4.0]
    with pytest.raises(CaptureError, match="nothing is recorded yet; call the function once"):
        _ = captured.stats


@pytest.mark.parametrize(
    "reads", [float, repr, lambda y: y.item(), lambda y: "abc"[y.int()], lambda y: ad.arange(y), lambda y: y.nonzero()]
)
def test_a_refusal_that_the_function_catches_is_a_refusal(reads: Callable[[Any], Any]) -> None:
    @ad.capture
    def function(x: Any) -> Any:
        y = x.sum()
        try:
            reads(y)
        except Exception:
            y = y * 2
        return y

    for _ in range(2):
        with pytest.raises(CaptureError, match=r"while the function is recorded.*caught this error"):
            function(ad.ones(2))


@pytest.mark.usefixtures("forget_what_is_declared")
def test_a_kernel_of_the_users_that_reads_a_value() -> None:
    @ad.primitive(differentiable=False)
    def scaled(xp: Any, x: Any) -> Any:
        return x * int(x[0])

    with pytest.raises(CaptureError, match=r"^capture: a value is read .*; compute it outside of the captured function"):
        ad.capture(scaled)(ad.ones(2))


def test_a_tensor_that_is_kept() -> None:
    kept: list[Any] = []

    @ad.capture
    def function(x: Any) -> Any:
        kept.append(x * 2)
        return x + 1

    with pytest.raises(CaptureError, match=r"shape \(3,\).*is still held.*; return it, or write it into a tensor that was there"):
        function(ad.ones(3))
    assert kept[0].tolist() == [2.0, 2.0, 2.0], "what was kept is usable all the same"


NUMBER = 2.0


def test_numbers_found_by_name_that_change(monkeypatch: pytest.MonkeyPatch) -> None:
    rate, name = 0.5, "a"
    function = ad.capture(lambda x: (x * rate * NUMBER, name)[0])
    x = ad.ones(2)
    assert function(x).tolist() == function(x).tolist() == [1.0, 1.0]
    rate = 0.25
    with pytest.raises(CaptureError, match=r"'rate', which the function reads, was rebound from 0\.5 to 0\.25 after .*; pass it"):
        function(x)
    rate, name = 0.5, "b"
    with pytest.raises(CaptureError, match="'name', which the function reads, was rebound from 'a' to 'b'"):
        function(x)
    name = "a"
    assert function(x).tolist() == [1.0, 1.0], "as it was"
    monkeypatch.setitem(globals(), "NUMBER", 4.0)
    with pytest.raises(CaptureError, match=r"'NUMBER'.* or call reset\(\)"):
        function(x)
    function.reset()
    assert function(x).tolist() == [2.0, 2.0]


def test_tensors_found_by_name_that_are_others_now() -> None:
    scale = ad.ones(2)
    function = ad.capture(lambda x: x * scale)
    function(ad.ones(2))
    scale.mul_(3.0)
    assert function(ad.ones(2)).tolist() == [3.0, 3.0], "written to is not another"
    scale = ad.zeros(2)
    with pytest.raises(CaptureError, match="'scale', which the function reads, was rebound to another Tensor"):
        function(ad.ones(2))


def test_a_parameter_that_was_given_another_array_is_another_recording() -> None:
    p = nn.Parameter(ad.ones(2))
    held = [p]
    function = ad.capture(lambda x: (x * held[0]).sum())
    first = p.data
    for array, programs in [(first, 1), (ad.zeros(2), 2), (first, 2)]:
        p.data = array
        for _ in range(2):
            assert function(ad.ones(2)).item() == array.sum().item()
        assert function.stats.programs == programs, "what was recorded before is come back to"


def test_requires_grad_that_was_changed_is_another_recording() -> None:
    model = nn.Linear(2, 1)

    @ad.capture
    def function(x: Any) -> Any:
        model.zero_grad()
        model(x).sum().backward()
        return x

    for needed, programs in [(True, 1), (False, 2), (True, 2)]:
        model.weight.requires_grad_(needed)
        for _ in range(3):
            function(ad.ones(1, 2))
            assert (model.weight.grad is not None) is needed
        assert function.stats.programs == programs


@pytest.mark.parametrize("before", ["nothing", "a leaf"])
def test_an_argument_on_a_graph(before: str) -> None:
    function = ad.capture(lambda x: (x * 2).sum())
    if before == "a leaf":
        for _ in range(2):
            function(ad.ones(2, requires_grad=True))
    p = ad.ones(2, requires_grad=True)
    with pytest.raises(CaptureError, match=r"an argument is on a graph.*; \.detach\(\) it"):
        function(p * 3)
    with ad.no_grad():
        assert function(p * 3).item() == 12.0


def test_a_gradient_left_in_an_argument() -> None:
    @ad.capture
    def function(x: Any) -> Any:
        loss = (x * x).sum()
        loss.backward()
        return loss

    with pytest.raises(CaptureError):
        function(ad.ones(2, requires_grad=True))


def test_a_tensor_on_another_backend(backend: Backend) -> None:
    other = ad.ones(2, device="strict" if backend.name == "numpy" else "numpy")
    with pytest.raises(CaptureError, match=r"a tensor is on '.*', and '.*' is recorded; move it there before the call"):
        ad.capture(lambda x: x + other.sum())(ad.ones(2))


def test_what_is_no_function() -> None:
    with pytest.raises(TypeError, match="takes a function or a module, not a Tensor"):
        ad.capture(ad.ones(2))


# --- the way of a call -----------------------------------------------------------------------------------------------------------


def test_training_evaluation_and_no_grad_are_recordings_of_their_own() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    predict = ad.capture(model)
    x = ad.randn(4, 2)
    for training, recorded in [(True, 1), (True, 1), (False, 2), (True, 2), (False, 2)]:
        model.train(training)
        predict(x)
        assert predict.stats.programs == recorded
    with ad.no_grad():
        predict(x)
        predict(x)
    assert predict.stats[:2] == (3, 4)


def test_recordings_are_bounded_and_the_latest_are_kept() -> None:
    function = ad.capture(lambda x: x.sum())
    for n in range(MOST + 5):
        assert function(ad.ones(n)).item() == n
    assert function.stats.programs == MOST
    before = function.stats.replays
    function(ad.ones(MOST + 4))
    assert function.stats.replays == before + 1
    assert function(ad.ones(0)).item() == 0
    assert function.stats[:2] == (MOST, before + 1)


def test_a_captured_function_inside_of_another_is_part_of_it() -> None:
    inner = ad.capture(lambda x: x * 2)
    outer = ad.capture(lambda x: inner(x) + 1)
    for _ in range(2):
        assert outer(ad.ones(2)).tolist() == [3.0, 3.0]
    assert outer.stats[:2] == (1, 1)
    with pytest.raises(CaptureError, match="nothing is recorded"):
        _ = inner.stats


# --- errors ----------------------------------------------------------------------------------------------------------------------


def trained() -> tuple[nn.Linear, optim.Optimizer, Any]:
    model = nn.Linear(3, 4)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    return model, optimizer, training_step(model, optimizer)


@pytest.mark.parametrize("target", [4, 100, -1])
def test_a_class_out_of_range_raises_on_a_replay_as_it_does_eagerly_and_changes_nothing(target: int) -> None:
    model, optimizer, step = trained()
    captured, x = ad.capture(step), ad.randn(2, 3)
    for _ in range(2):
        captured(x, ad.tensor([0, 3]))
    before = [p.tolist() for p in model.parameters()], repr(optimizer.state_dict())
    wrong = ad.tensor([0, target])
    with pytest.raises(IndexError) as eagerly:
        step(x, wrong)
    with pytest.raises(IndexError) as replayed:
        captured(x, wrong)
    assert str(replayed.value) == str(eagerly.value)
    assert before == ([p.tolist() for p in model.parameters()], repr(optimizer.state_dict()))
    replays = captured.stats.replays
    captured(x, ad.tensor([1, 2]))
    assert captured.stats.replays == replays + 1


@pytest.mark.parametrize(
    "pick",
    [F.embedding, lambda i, w: w[i], lambda i, w: w.index_select(0, i), lambda i, w: w.gather(0, i.unsqueeze(1))],
    ids=["embedding", "getitem", "index_select", "gather"],
)
def test_an_index_out_of_range_raises_on_a_replay(pick: Any, request: pytest.FixtureRequest, backend: Backend) -> None:
    if backend.name == "cupy" and request.node.callspec.id.endswith("getitem"):
        pytest.skip("CuPy itself wraps indices around")
    table = ad.randn(4, 2)
    captured = ad.capture(lambda i: pick(i, table))
    for _ in range(2):
        captured(ad.tensor([0, 3]))
    with pytest.raises(IndexError):
        captured(ad.tensor([0, 4]))
    assert (captured(ad.tensor([1, 2])) == pick(ad.tensor([1, 2]), table)).all()


def test_an_error_on_the_way_of_a_replay_counts_no_step() -> None:
    table = ad.randn(4, 3).requires_grad_()
    optimizer = optim.Adam([table], lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2)

    @ad.capture
    def step(i: Any) -> Any:
        optimizer.zero_grad()
        loss = table.index_select(0, i).square().sum()
        loss.backward()
        optimizer.step()
        scheduler.step()
        return loss

    for _ in range(3):
        step(ad.tensor([0, 3]))
    before = repr((table, optimizer.state_dict(), scheduler.state_dict()))
    with pytest.raises(IndexError):
        step(ad.tensor([0, 4]))
    assert repr((table, optimizer.state_dict(), scheduler.state_dict())) == before
    assert step.stats[:2] == (1, 2)


class Stop(Exception):
    pass


@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt])
def test_an_error_while_recording_leaves_everything_as_it_was(error: type[BaseException], backend: Backend) -> None:
    model, _, step = trained()
    held: list[Any] = []
    before = dict(vars(backend)), dict(vars(ad.Tensor)), dict(vars(ad.Generator))

    def function(x: Any, y: Any) -> Any:
        held.append(x * 2)
        step(x, y)
        raise error("on the way")

    with pytest.raises(error, match="on the way"):
        ad.capture(function)(ad.ones(2, 3), ad.tensor([0, 1]))
    assert (dict(vars(backend)), dict(vars(ad.Tensor)), dict(vars(ad.Generator))) == before
    assert held[0].tolist() == [[2.0] * 3] * 2
    assert all(type(p.grad.tolist()) is list for p in model.parameters())
    loss = step(ad.ones(2, 3), ad.tensor([0, 1]))
    assert loss.item() > 0
    done: list[float] = []
    thread = threading.Thread(target=lambda: done.append(ad.capture(lambda x: x.sum())(ad.ones(3, device=backend)).item()))
    thread.start()
    thread.join(10)
    assert done == [3.0], "the lock is free"


def test_a_graph_from_before_a_call_that_changed_a_parameter_is_refused() -> None:
    model, _, step = trained()
    captured, x, y = ad.capture(step), ad.randn(2, 3).requires_grad_(), ad.tensor([0, 1])
    for _ in range(3):  # when it is recorded, and when it is replayed
        loss = model(x).sum()
        captured(x.detach(), y)
        with pytest.raises(GraphError, match=r"changed in place by 'a captured function'"):
            loss.backward()
    model(x).sum().backward()


def test_another_thread_computes_eagerly_while_one_records(backend: Backend) -> None:
    inside, outside = threading.Event(), threading.Event()
    found: list[Any] = []

    def elsewhere() -> None:
        inside.wait(10)
        with ad.use_backend(backend):
            w = ad.tensor([1.0, 2.0], requires_grad=True)
            (w * w).sum().backward()
            found.append((w.grad.tolist(), (w > 1).any().item(), ad.rand(2).numel()))
        outside.set()

    def function(x: Any) -> Any:
        y = x * 2
        inside.set()
        assert outside.wait(10)
        return y + 1

    thread = threading.Thread(target=elsewhere)
    thread.start()
    captured = ad.capture(function)
    assert captured(ad.ones(2)).tolist() == [3.0, 3.0]
    thread.join()
    assert found == [([2.0, 4.0], True, 2)]
    assert captured.stats.recorded == 2
    assert captured(ad.zeros(2)).tolist() == [1.0, 1.0]


def test_a_replay_draws_from_the_generator_that_is_the_default_one_now(backend: Backend) -> None:
    drawn = ad.capture(lambda x: x + ad.randn(3))
    with fork_rng():
        drawn(ad.zeros(3))
    found = []
    for _ in range(2):
        ad.manual_seed(7)
        found.append(drawn(ad.zeros(3)).tolist())
    ad.manual_seed(7)
    assert found == [ad.randn(3).tolist()] * 2
    with fork_rng():
        ad.manual_seed(9)
        drawn(ad.zeros(3))
    assert ad.randn(1).shape == (1,)


def test_threads_record_one_after_another(backend: Backend) -> None:
    captured = [ad.capture(lambda x, i=i: (x * i).sum()) for i in range(8)]
    found: dict[int, list[float]] = {}

    def run(i: int) -> None:
        with ad.use_backend(backend):
            found[i] = [captured[i](ad.full((3,), float(k))).item() for k in range(5)]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=run, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert found == {i: [3.0 * k * i for k in range(5)] for i in range(8)}


def test_a_guard_that_fails_leaves_memory_unchanged_into_which_its_operand_is_copied() -> None:
    table, state = ad.ones(5, 4), ad.tensor([0, 0, 0])

    @ad.capture
    def look_up(x: ad.Tensor) -> ad.Tensor:
        index = x + 1
        rows = nn.functional.embedding(index, table)
        state.copy_(index)
        return rows

    for _ in range(3):
        look_up(ad.tensor([1, 2, 3]))
    with pytest.raises(IndexError):
        look_up(ad.tensor([1, 2, 9]))
    assert state.tolist() == [2, 3, 4]
